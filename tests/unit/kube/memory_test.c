/* Each allocation in turn fails: reading a pod and using it ends in an error, not in a crash, and leaks nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kube/codec/codec.h"
#include "kube/core_v1.h"
#include "kube/pod/env.h"
#include "kube/pod/pod.h"
#include "kube/problem.h"
#include "kube/pod/status.h"
#include "kube/codec/strict.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/json_writer.h"
#include "tests/unit/support/each_allocation.h"

static const char manifest[] =
        "apiVersion: v1\nkind: Pod\n"
        "metadata: {name: web, labels: {app: shop}, annotations: &a {x: v},\n"
        "           managedFields: [{manager: m, operation: Apply, fieldsV1: {'f:a': {}}}]}\n"
        "spec:\n"
        "  initContainers: [{name: i, image: i, restartPolicy: Always}]\n"
        "  containers:\n"
        "  - name: a\n"
        "    image: i\n"
        "    args: [\"$(A)$(A)\"]\n"
        "    resources: {limits: {cpu: 250m, memory: 1Gi}}\n"
        "    env: [{name: A, value: x}, {name: B, value: $(A)},\n"
        "          {name: C, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]\n"
        "    livenessProbe: {httpGet: {port: 80}}\n"
        "    volumeMounts: [{name: v, mountPath: /v}]\n"
        "  volumes: [{name: v}, {name: d, downwardAPI: {items: [{path: p, fieldRef: {fieldPath: metadata.name}}]}},\n"
        "            {name: r, rbd: {image: i, monitors: [m], user: u}}]\n"
        "  affinity: {x: [1, 2.5, {y: z}], podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [\n"
        "             {topologyKey: k, labelSelector: {matchLabels: {b: c, a: b}}}]}}\n";

/* Long enough that lists and maps outgrow what is there for them at first, with keys out of order. */
static const char config_map[] = "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\","
                                 "\"labels\":{\"z\":\"1\",\"a\":\"2\"},"
                                 "\"finalizers\":[\"a\",\"b\"],\"managedFields\":[{\"fieldsV1\":{\"f:a\":{}}}]},"
                                 "\"binaryData\":{\"a\":\"AP8\\/\"},\"no\":1}";

static int use(const struct pod *pod) {
        const struct pod_facts facts = { 0 };
        struct json_writer w = JSON_WRITER_INIT;
        struct arena *arena = arena_new();
        string_list args = { 0 };
        string_map made = { 0 };
        char *text = NULL;
        int r;

        r = pod_write(pod, &(struct pod_status){ 0 }, &w);
        if (r >= 0)
                r = json_writer_finish(&w, &text, NULL);
        free(text);
        json_writer_done(&w);
        if (r >= 0)
                r = arena ? pod_environment(arena, pod, &pod->spec.containers.items[0], &facts, &made, NULL) : -ENOMEM;
        if (r >= 0)
                r = env_expand_list(arena, &pod->spec.containers.items[0].args, &made, &args);
        arena_free(arena);
        return r;
}

static int read_and_use(void) {
        const struct pod_static_options options = { .file = "f", .node_name = "n" };
        struct arena *arena = arena_new();
        struct problems *problems = calloc(1, sizeof(*problems));
        struct err *err = NULL;
        struct pod *pod = NULL;
        int r = -ENOMEM;

        if (arena && problems) {
                problems_init(problems, arena, "f", NULL);
                r = pod_read_static(manifest, strlen(manifest), &options, problems, &pod, &err);
                if (r >= 0)
                        r = use(pod);
        }
        pod_unref(pod);
        err_free(err);
        arena_free(arena);
        free(problems);
        return r;
}

static void ignore(void *data, const char *text) {
}

static int write_and_read(struct arena *arena, const struct kube_config_map *object) {
        struct kube_config_map *again = arena_new_of(arena, struct kube_config_map);
        struct json_writer w = JSON_WRITER_INIT;
        const struct value *value;
        char *text = NULL;
        uint8_t *data = NULL;
        size_t size;
        int r;

        kube_json_write(&w, &kube_config_map_type, object);
        r = json_writer_finish(&w, &text, NULL);
        free(text);
        json_writer_done(&w);
        if (r == 0)
                r = kube_envelope_write_object(&kube_config_map_type, object, &data, &size);
        if (r == 0)
                r = again ? kube_envelope_read_object(arena, &kube_config_map_type, data, size, again) : -ENOMEM;
        if (r == 0)
                r = kube_value_from_envelope(arena, &kube_config_map_type, data, size, &value, NULL);
        free(data);
        return r;
}

static int codecs(void) {
        struct arena *arena = arena_new();
        struct kube_config_map *object = arena ? arena_new_of(arena, struct kube_config_map) : NULL;
        int r = object ? kube_json_read(arena, &kube_config_map_type, config_map, strlen(config_map), NULL, object) :
                         -ENOMEM;

        if (r == 0)
                r = kube_json_strict(&kube_config_map_type, config_map, strlen(config_map), ignore, NULL);
        if (r == 0)
                r = kube_default(arena, &kube_config_map_type, object);
        if (r == 0)
                r = write_and_read(arena, object);
        arena_free(arena);
        return r;
}

static void test_each_allocation(void **state) {
        assert_true(fail_each_allocation(read_and_use) > 10);
}

static void test_each_allocation_of_codecs(void **state) {
        assert_true(fail_each_allocation(codecs) > 10);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_allocation),
                cmocka_unit_test(test_each_allocation_of_codecs),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
