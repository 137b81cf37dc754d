/* What it takes to decode and encode a pod of 3 KB: JSON and protobuf to a struct and back, and for comparison JSON to
 * a tree of values and back; and to find its owners: when it is applied once more, when one field of it is applied
 * otherwise, and when that is updated. Usage: codec_bench [pod.json]   A line each: name, microseconds (the best of
 * several rounds), bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kube/apply/apply.h"
#include "kube/codec/codec.h"
#include "kube/core_v1.h"
#include "kube/print/table.h"
#include "lib/arena.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "lib/value_edit.h"

#define ROUNDS 60
#define CALLS 500
#define BYTES_MAX (1 << 20)

static char json[BYTES_MAX];
static size_t json_length, proto_size;
static uint8_t *proto;
static struct kube_pod *pod;
static const struct value *tree;

static void need(bool fine, const char *what) {
        if (fine)
                return;
        fprintf(stderr, "codec_bench: %s failed\n", what);
        exit(1);
}

static void read_json(struct arena *arena) {
        need(kube_json_read(arena, &kube_pod_type, json, json_length, NULL, arena_new_of(arena, struct kube_pod)) == 0,
             "reading JSON");
}

static void write_json(struct arena *arena) {
        struct json_writer w = { .go_escapes = true };
        char *text;

        kube_json_write(&w, &kube_pod_type, pod);
        need(json_writer_finish(&w, &text, NULL) == 0, "writing JSON");
        free(text);
}

static void read_proto(struct arena *arena) {
        need(kube_envelope_read_object(arena, &kube_pod_type, proto, proto_size,
                                       arena_new_of(arena, struct kube_pod)) == 0,
             "reading protobuf");
}

static void write_proto(struct arena *arena) {
        uint8_t *data;
        size_t size;

        need(kube_envelope_write_object(&kube_pod_type, pod, &data, &size) == 0, "writing protobuf");
        free(data);
}

static void read_tree(struct arena *arena) {
        need(json_parse(arena, json, json_length, NULL, &tree, NULL) == 0, "reading a tree");
}

static void write_tree(struct arena *arena) {
        char *text;

        need(json_format(tree, false, &text, NULL) == 0, "writing a tree");
        free(text);
}

/* ---- owners ---- */

static const struct apply_target target = { .type = &kube_pod_type, .group = "", .version = "v1", .kind = "Pod" };
static const struct apply_writer writer = { .manager = "bench", .now = 1600000000 };
static const struct value *live, *other;

static void apply(struct arena *arena, const struct value *config, bool changes) {
        struct apply_result result;

        need(apply_configuration(arena, &(struct apply_write){ &target, &writer, live, config }, &result, NULL) == 0 &&
                     result.changed == changes,
             "applying");
}

static void apply_same(struct arena *arena) {
        apply(arena, tree, false);
}

static void apply_other(struct arena *arena) {
        apply(arena, other, true);
}

static void update_other(struct arena *arena) {
        const struct value *object;

        need(apply_update(arena, &(struct apply_write){ &target, &writer, live, other }, &object) == 0, "updating");
}

static void prepare_owners(struct arena *arena) {
        const struct value label = VALUE_TEXT("other");
        struct apply_result result;
        struct value_edit edit;

        need(apply_configuration(arena, &(struct apply_write){ &target, &writer, NULL, tree }, &result, NULL) == 0,
             "applying at first");
        live = result.object;
        value_edit_begin(&edit, arena, tree);
        need(value_edit_set(&edit, "/metadata/labels/bench", &label, NULL) == 0, "changing a label");
        other = value_edit_end(&edit);
}

/* A table of one row, with the pod's metadata, from the bytes that are kept. */
static void write_table(struct arena *arena) {
        struct json_writer w = { .go_escapes = true };
        _cleanup_print_table_ struct print_table_writer table = {
                .columns = print_columns_of("", "v1", "Pod"),
                .no_headers = true,
                .now = { .seconds = 1800000000, .set = true },
                .out = &w,
        };
        const struct print_head head = { .resource_version = "1" };
        char *text = NULL;

        need(print_table_begin(&table, &head, NULL) == 0 && print_table_row(&table, json, json_length, NULL) == 0 &&
                     print_table_end(&table) == 0 && json_writer_finish(&w, &text, NULL) == 0,
             "writing a table");
        free(text);
}

static double now(void) {
        struct timespec t;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* As a server does it: an arena per object, made and freed with it. */
static void measure(const char *name, void (*call)(struct arena *arena), size_t bytes) {
        double best = 1e9;

        for (int i = 0; i < ROUNDS; i++) {
                double begin = now(), took;

                for (int k = 0; k < CALLS; k++) {
                        struct arena *arena = arena_new();

                        call(arena);
                        arena_free(arena);
                }
                took = (now() - begin) / CALLS;
                best = took < best ? took : best;
        }
        printf("%s\t%.2f\t%zu\n", name, best, bytes);
}

int main(int argc, char **argv) {
        struct arena *arena = arena_new(), *kept = arena_new();
        FILE *file = fopen(argc > 1 ? argv[1] : "tests/bench/pod.json", "r");

        need(file, "opening the pod");
        json_length = fread(json, 1, sizeof(json), file);
        fclose(file);
        pod = arena_new_of(arena, struct kube_pod);
        need(kube_json_read(arena, &kube_pod_type, json, json_length, NULL, pod) == 0, "reading the pod");
        need(kube_envelope_write_object(&kube_pod_type, pod, &proto, &proto_size) == 0, "writing the pod");

        measure("json-read", read_json, json_length);
        measure("json-write", write_json, json_length);
        measure("proto-read", read_proto, proto_size);
        measure("proto-write", write_proto, proto_size);
        measure("table-write", write_table, json_length);
        measure("tree-read", read_tree, json_length);
        read_tree(kept);
        measure("tree-write", write_tree, json_length);
        prepare_owners(kept);
        measure("apply-same", apply_same, json_length);
        measure("apply-change", apply_other, json_length);
        measure("update-change", update_other, json_length);
        free(proto);
        arena_free(kept);
        arena_free(arena);
        return 0;
}
