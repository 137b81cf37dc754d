/* The codecs beside Kubernetes' own: tests/golden/kinds holds what those made (`make kinds-golden`). */
#include "kube/codec.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kube/core_v1.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"

struct bytes_of {
        char *data;
        size_t size;
};

static bool read_golden(const char *name, const char *suffix, struct bytes_of *ret) {
        const char *dir = getenv("KINDS_GOLDEN") ?: "tests/golden/kinds";
        char path[512];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s.%s", dir, name, suffix);
        file = fopen(path, "rb");
        if (!file)
                return false;
        ret->data = malloc(1 << 22);
        ret->size = fread(ret->data, 1, 1 << 22, file);
        fclose(file);
        return true;
}

static void assert_same(const char *name, const char *what, const void *data, size_t size,
                        const struct bytes_of *want) {
        size_t at = 0, limit = size < want->size ? size : want->size;

        while (at < limit && ((const char *)data)[at] == want->data[at])
                at++;
        if (size != want->size || at < size)
                fail_msg("%s: %s differs at byte %zu: %.*s, not %.*s", name, what, at,
                         (int)(size - at > 80 ? 80 : size - at), (const char *)data + at,
                         (int)(want->size - at > 80 ? 80 : want->size - at), want->data + at);
}

static void check_json(const char *name, const char *what, const struct kube_type *type, const void *object,
                       const struct bytes_of *want) {
        struct json_writer w = { .go_escapes = true };
        size_t length;
        char *text;

        kube_json_write(&w, type, object);
        assert_int_equal(json_writer_finish(&w, &text, &length), 0);
        assert_same(name, what, text, length, want);
        free(text);
}

static void check_proto(const char *name, const char *what, const struct kube_type *type, const void *object,
                        const struct bytes_of *want) {
        uint8_t *data;
        size_t size;

        assert_int_equal(kube_envelope_write_object(type, object, &data, &size), 0);
        assert_same(name, what, data, size, want);
        free(data);
}

/* All ways there are between the two texts that Kubernetes made of one object. */
static void check_object(const char *name, const struct kube_type *type) {
        struct bytes_of json, proto = { 0 };
        struct arena *arena = arena_new();
        void *object = arena_alloc(arena, type->size);
        const struct value *value;
        struct problems problems;
        struct err *err = NULL;
        bool odd = true, has_proto;
        int r;

        assert_true(read_golden(name, "json", &json));
        has_proto = read_golden(name, "pb", &proto);
        r = kube_json_read(arena, type, json.data, json.size, &odd, object);
        if (r < 0 || odd)
                fail_msg("%s: JSON: %d, odd: %d", name, r, odd);
        check_json(name, "JSON from JSON", type, object, &json);
        if (has_proto)
                check_proto(name, "protobuf from JSON", type, object, &proto);

        problems_init(&problems, arena, NULL, NULL);
        assert_int_equal(json_parse(arena, json.data, json.size, NULL, &value, &err), 0);
        object = arena_alloc(arena, type->size);
        assert_int_equal(kube_value_read(arena, type, value, "", &problems, object), 0);
        if (problems.count > 0)
                fail_msg("%s: %s", name, problems.items[0].text);
        check_json(name, "JSON from a tree", type, object, &json);

        if (has_proto) {
                object = arena_alloc(arena, type->size);
                r = kube_envelope_read_object(arena, type, proto.data, proto.size, object);
                if (r < 0)
                        fail_msg("%s: protobuf: %d", name, r);
                check_json(name, "JSON from protobuf", type, object, &json);
                check_proto(name, "protobuf from protobuf", type, object, &proto);
        }
        arena_free(arena);
        free(json.data);
        free(proto.data);
}

struct visit {
        unsigned n;
};

static void visit_kind(void *data, const struct kube_kind *kind) {
        static const char *const hows[] = { "full", "empty" };
        struct visit *visit = data;
        struct bytes_of json;
        char name[256];

        for (size_t i = 0; i < ELEMENTS(hows); i++) {
                snprintf(name, sizeof(name), "%s%s%s_%s.%s", kind->group, *kind->group ? "_" : "", kind->version,
                         kind->kind, hows[i]);
                if (!read_golden(name, "json", &json))
                        continue;
                free(json.data);
                check_object(name, kind->type);
                visit->n++;
        }
}

static void test_golden(void **state) {
        _cleanup_kube_registry_ struct kube_registry *registry = kube_registry_new(kube_kinds, kube_kinds_count);
        struct visit visit = { 0 };

        kube_registry_each(registry, visit_kind, &visit);
        print_message("%u objects\n", visit.n);
        assert_true(visit.n >= 20);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_golden),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
