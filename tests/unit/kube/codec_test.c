/* The codecs beside Kubernetes' own: tests/golden/kinds holds what those made (`make kinds-golden`). */
#include "kube/codec/codec.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kube/apiextensions_v1.h"
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

/* Whose own all is that it needs: what is freed is overwritten (main()). */
static void check_copy(const char *name, const struct kube_type *type, const struct bytes_of *json) {
        struct arena *arena = arena_new(), *copies = arena_new();
        void *object = arena_alloc(arena, type->size), *copy = arena_alloc(copies, type->size);

        assert_int_equal(kube_json_read(arena, type, json->data, json->size, NULL, object), 0);
        assert_int_equal(kube_copy(copies, type, object, copy), 0);
        arena_free(arena);
        check_json(name, "JSON from a copy", type, copy, json);
        arena_free(copies);
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
        check_copy(name, type, &json);
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

/* JSON in, JSON out; NULL: refused. */
static const struct {
        const struct kube_type *type;
        const char *in, *out;
        bool odd;
} rows[] = {
        { &kube_config_map_type, "{}", "{\"metadata\":{}}", false },
        { &kube_config_map_type, " {\n \"data\" : {\"b\":\"2\",\"a\":\"\"} } ",
          "{\"metadata\":{},\"data\":{\"a\":\"\",\"b\":\"2\"}}", false },
        { &kube_config_map_type, "{\"data\":{\"a\":\"1\",\"a\":\"2\"}}", "{\"metadata\":{},\"data\":{\"a\":\"2\"}}",
          true },
        { &kube_config_map_type, "{\"data\":{\"a\":null}}", "{\"metadata\":{},\"data\":{\"a\":\"\"}}", false },
        { &kube_config_map_type, "{\"data\":null,\"immutable\":false}", "{\"metadata\":{},\"immutable\":false}",
          false },
        { &kube_config_map_type, "{\"none\":[{\"a\":1}]}", "{\"metadata\":{}}", true },
        { &kube_config_map_type, "{\"kind\":\"A\",\"kind\":\"B\"}", "{\"kind\":\"B\",\"metadata\":{}}", true },
        { &kube_config_map_type, "{\"\\u006bind\":\"\\ud83d\\ude00\\ud83d\\/\"}",
          "{\"kind\":\"\xf0\x9f\x98\x80\xef\xbf\xbd/\",\"metadata\":{}}", false },
        { &kube_config_map_type, "{\"kind\":\"a\\u0000b\"}", NULL, false },
        { &kube_config_map_type, "{\"kind\":\"a\nb\"}", NULL, false },
        { &kube_config_map_type, "{\"kind\":\"\xff\"}", NULL, false },
        { &kube_config_map_type, "{\"kind\":5}", NULL, false },
        { &kube_config_map_type, "{\"kind\":\"a\"} x", NULL, false },
        { &kube_config_map_type, "{\"kind\":\"a\",}", NULL, false },
        { &kube_config_map_type, "{\"immutable\":\"true\"}", NULL, false },
        { &kube_config_map_type, "[]", NULL, false },
        { &kube_config_map_type, "{\"binaryData\":{\"a\":\"AP8=\",\"b\":\"\"}}",
          "{\"metadata\":{},\"binaryData\":{\"a\":\"AP8=\",\"b\":\"\"}}", false },
        { &kube_config_map_type, "{\"binaryData\":{\"a\":\"AP8\"}}", NULL, false },
        { &kube_service_port_type, "{\"port\":2147483647}", "{\"port\":2147483647,\"targetPort\":0}", false },
        { &kube_service_port_type, "{\"port\":2147483648}", NULL, false },
        { &kube_service_port_type, "{\"port\":1e3}", NULL, false },
        { &kube_service_port_type, "{\"port\":01}", NULL, false },
        { &kube_service_port_type, "{\"port\":80,\"targetPort\":\"http\",\"appProtocol\":\"\"}",
          "{\"appProtocol\":\"\",\"port\":80,\"targetPort\":\"http\"}", false },
        { &kube_empty_dir_volume_source_type, "{\"sizeLimit\":\"0\"}", "{\"sizeLimit\":\"0\"}", false },
        { &kube_empty_dir_volume_source_type, "{\"sizeLimit\":\" 1024Ki \"}", "{\"sizeLimit\":\"1Mi\"}", false },
        { &kube_empty_dir_volume_source_type, "{\"sizeLimit\":0.5}", "{\"sizeLimit\":\"500m\"}", false },
        { &kube_empty_dir_volume_source_type, "{\"sizeLimit\":\"5 apples\"}", NULL, false },
        { &kube_container_state_running_type, "{\"startedAt\":\"2024-02-29T23:59:59.9+02:00\"}",
          "{\"startedAt\":\"2024-02-29T21:59:59Z\"}", false },
        { &kube_container_state_running_type, "{}", "{\"startedAt\":null}", false },
        { &kube_container_state_running_type, "{\"startedAt\":\"2023-02-29T00:00:00Z\"}", NULL, false },
        { &kube_container_state_running_type, "{\"startedAt\":\"0001-01-01T00:00:00Z\"}", "{\"startedAt\":null}",
          false },
        { &kube_pod_spec_type, "{\"restartPolicy\":\"Sometimes\",\"containers\":null}",
          "{\"containers\":null,\"restartPolicy\":\"Sometimes\"}", false },
        { &kube_pod_spec_type, "{\"containers\":[]}", "{\"containers\":[]}", false },
        { &kube_pod_spec_type, "{\"terminationGracePeriodSeconds\":0,\"containers\":[]}",
          "{\"containers\":[],\"terminationGracePeriodSeconds\":0}", false },
        { &kube_managed_fields_entry_type, "{\"fieldsV1\":{\"f:a\" : { } }}", "{\"fieldsV1\":{\"f:a\":{}}}", false },
        { &kube_apiextensions_v1_json_schema_props_type,
          "{\"items\":[{\"type\":\"a\"}],\"additionalProperties\":false,\"maximum\":1e-7,\"default\":[1, 2.50],"
          "\"not\":{\"items\":{\"type\":\"b\"},\"additionalProperties\":{}}}",
          "{\"default\":[1,2.50],\"maximum\":1e-7,\"items\":[{\"type\":\"a\"}],\"not\":{\"items\":{\"type\":\"b\"},"
          "\"additionalProperties\":{}},\"additionalProperties\":false}",
          false },
        { &kube_apiextensions_v1_json_schema_props_type, "{\"items\":5}", NULL, false },
        { &kube_apiextensions_v1_json_schema_props_type, "{\"maximum\":1e999}", NULL, false },
};

/* Both readers say the same of each row. */
static void test_rows(void **state) {
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const struct bytes_of want = { (char *)rows[i].out, rows[i].out ? strlen(rows[i].out) : 0 };
                struct arena *arena = arena_new();
                void *object = arena_alloc(arena, rows[i].type->size);
                const struct value *value = NULL;
                struct problems problems;
                bool odd = false;
                int r = kube_json_read(arena, rows[i].type, rows[i].in, strlen(rows[i].in), &odd, object);

                if (r != (rows[i].out ? 0 : -EINVAL) || odd != rows[i].odd)
                        fail_msg("%s: %d, odd: %d", rows[i].in, r, odd);
                if (rows[i].out)
                        check_json(rows[i].in, "JSON", rows[i].type, object, &want);

                problems_init(&problems, arena, NULL, NULL);
                if (json_parse(arena, rows[i].in, strlen(rows[i].in), NULL, &value, NULL) == 0) {
                        object = arena_alloc(arena, rows[i].type->size);
                        assert_int_equal(kube_value_read(arena, rows[i].type, value, "", &problems, object), 0);
                        if ((problems.errors == 0) != (rows[i].out != NULL))
                                fail_msg("%s: as a tree %u errors", rows[i].in, problems.errors);
                        if (rows[i].out && !strstr(rows[i].in, "\\ud")) /* a half pair is not one thing to all */
                                check_json(rows[i].in, "JSON from a tree", rows[i].type, object, &want);
                }
                arena_free(arena);
        }
}

/* @n opening brackets of a schema within schemas, closed again. */
static char *nested(unsigned n) {
        char *text = malloc(n * 8 + 16), *to = text;

        for (unsigned i = 1; i < n; i++)
                to = stpcpy(to, "{\"not\":");
        to = stpcpy(to, "{");
        for (unsigned i = 0; i < n; i++)
                to = stpcpy(to, "}");
        return text;
}

static void test_depth(void **state) {
        const struct kube_type *type = &kube_apiextensions_v1_json_schema_props_type;

        for (unsigned past = 0; past < 2; past++) {
                struct arena *arena = arena_new();
                char *text = nested(KUBE_DEPTH_MAX + past);
                void *object = arena_alloc(arena, type->size), *again = arena_alloc(arena, type->size);
                uint8_t *data;
                size_t size;

                assert_int_equal(kube_json_read(arena, type, text, strlen(text), NULL, object), past ? -E2BIG : 0);
                if (!past) {
                        assert_int_equal(kube_proto_write(type, object, &data, &size), 0);
                        assert_int_equal(kube_proto_read(arena, type, data, size, again), 0);
                        free(data);
                }
                free(text);
                arena_free(arena);
        }
}

/* Few bytes that would be much memory: a container takes hundreds of bytes, and is written with three. */
static void test_memory_is_bounded(void **state) {
        const size_t n = 400000;
        char *text = malloc(n * 3 + 64), *to = stpcpy(text, "{\"containers\":[{}");
        struct arena *arena = arena_new();
        struct kube_pod_spec *spec = arena_new_of(arena, struct kube_pod_spec);

        for (size_t i = 1; i < n; i++)
                to = stpcpy(to, ",{}");
        strcpy(to, "]}");
        assert_int_equal(kube_json_read(arena, &kube_pod_spec_type, text, strlen(text), NULL, spec), -E2BIG);
        assert_true(arena_size(arena) < KUBE_MEMORY_BASE + strlen(text) * KUBE_MEMORY_FACTOR);
        memset(text, 0, n * 2);
        for (size_t i = 0; i < n; i++) /* field 2, nothing in it */
                text[2 * i] = 0x12;
        assert_int_equal(kube_proto_read(arena, &kube_pod_spec_type, text, n * 2, spec), -E2BIG);
        free(text);
        arena_free(arena);
}

/* Protobuf that is none, for a pod's spec; what only has an unknown field is one. */
static void test_wrong_protobuf(void **state) {
        static const struct {
                const char *data;
                size_t size;
                int result;
        } messages[] = {
                { "", 0, 0 },
                { "\x1a\x03"
                  "abc",
                  5, 0 }, /* restartPolicy */
                { "\x1a\x04"
                  "abc",
                  5, -EINVAL },             /* longer than what is there */
                { "\x18\x01", 2, -EINVAL }, /* of another wire type */
                { "\x1a\x03"
                  "a\0c",
                  5, -EINVAL },                 /* a NUL in a text */
                { "\x1a\x01\xff", 3, -EINVAL }, /* no UTF-8 */
                { "\x1b", 1, -EINVAL },         /* a group */
                { "\x02\x00", 2, -EINVAL },     /* number 0 */
                { "\xfa\xff\x01\x01"
                  "a",
                  5, 0 },                                                  /* unknown */
                { "\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, 0 }, /* -1 */
                { "\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11, -EINVAL },
                { "\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, -EINVAL },
        };

        for (size_t i = 0; i < ELEMENTS(messages); i++) {
                struct arena *arena = arena_new();
                struct kube_pod_spec *spec = arena_new_of(arena, struct kube_pod_spec);

                if (kube_proto_read(arena, &kube_pod_spec_type, messages[i].data, messages[i].size, spec) !=
                    messages[i].result)
                        fail_msg("message %zu", i);
                arena_free(arena);
        }
}

static void test_numbers_may_be_packed(void **state) {
        static const char packed[] = "\x22\x03\x01\x96\x01", apart[] = "\x20\x01\x20\x96\x01";
        const char *const forms[] = { packed, apart };

        for (size_t i = 0; i < ELEMENTS(forms); i++) {
                struct arena *arena = arena_new();
                struct kube_pod_security_context *context = arena_new_of(arena, struct kube_pod_security_context);

                assert_int_equal(kube_proto_read(arena, &kube_pod_security_context_type, forms[i], 5, context), 0);
                assert_int_equal(context->supplemental_groups.count, 2);
                assert_int_equal(context->supplemental_groups.items[1], 150);
                arena_free(arena);
        }
}

static void test_by_way_of_a_tree(void **state) {
        static const char text[] = "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\"}}";
        struct arena *arena = arena_new();
        const struct value *value, *again;
        struct problems problems;
        uint8_t *data;
        size_t size;

        problems_init(&problems, arena, NULL, NULL);
        assert_int_equal(json_parse(arena, text, strlen(text), NULL, &value, NULL), 0);
        assert_int_equal(kube_value_to_envelope(&kube_config_map_type, value, &problems, &data, &size), 0);
        assert_int_equal(kube_value_from_envelope(arena, &kube_config_map_type, data, size, &again, NULL), 0);
        assert_true(value_equal(value, again));
        assert_int_equal(kube_value_from_envelope(arena, &kube_config_map_type, data + 1, size - 1, &again, NULL),
                         -EINVAL);
        free(data);
        arena_free(arena);
}

static void test_defaults(void **state) {
        static const char text[] = "{\"ports\":[{\"port\":1},{\"port\":2,\"protocol\":\"UDP\"}]}";
        struct arena *arena = arena_new();
        struct kube_service_spec *spec = arena_new_of(arena, struct kube_service_spec);

        assert_int_equal(kube_json_read(arena, &kube_service_spec_type, text, strlen(text), NULL, spec), 0);
        assert_int_equal(kube_default(arena, &kube_service_spec_type, spec), 0);
        assert_string_equal(spec->ports.items[0].protocol, "TCP");
        assert_string_equal(spec->ports.items[1].protocol, "UDP");
        arena_free(arena);
}

/* An apiGroups of "" is how rules name the core group. */
static void test_empty_texts_in_lists(void **state) {
        static const char text[] = "{\"externalIPs\":[\"\",null,\"1.2.3.4\"]}";
        struct arena *arena = arena_new();
        struct kube_service_spec *spec = arena_new_of(arena, struct kube_service_spec);

        assert_int_equal(kube_json_read(arena, &kube_service_spec_type, text, strlen(text), NULL, spec), 0);
        assert_int_equal(spec->external_ips.count, 3);
        assert_string_equal(spec->external_ips.items[0], "");
        assert_string_equal(spec->external_ips.items[1], "");
        assert_string_equal(spec->external_ips.items[2], "1.2.3.4");
        arena_free(arena);
}

/* As it has been protobuf: what is empty and written all the same is null. */
static void test_forget(void **state) {
        static const struct {
                const struct kube_type *type;
                const char *text, *settled;
        } trees[] = {
                { &kube_limit_range_type, "{\"spec\":{\"limits\":[]}}", "{\"spec\":{\"limits\":null}}" },
                { &kube_limit_range_type, "{\"spec\":{\"limits\":[{\"type\":\"Pod\",\"max\":{}}]}}",
                  "{\"spec\":{\"limits\":[{\"type\":\"Pod\",\"max\":{}}]}}" },
                { &kube_secret_type, "{\"data\":{\"a\":null,\"b\":\"YQ==\"},\"type\":null}",
                  "{\"data\":{\"a\":\"\",\"b\":\"YQ==\"},\"type\":null}" },
                { &kube_pod_type, "{\"spec\":{\"containers\":[{\"name\":\"c\"}],\"unknown\":[]}}",
                  "{\"spec\":{\"containers\":[{\"name\":\"c\"}],\"unknown\":[]}}" },
                { &kube_pod_type, "{\"spec\":{\"containers\":[]}}", "{\"spec\":{\"containers\":null}}" },
                { &kube_pod_list_type, "{\"items\":[{\"spec\":{\"containers\":[]}},{},{\"spec\":7}]}",
                  "{\"items\":[{\"spec\":{\"containers\":null}},{},{\"spec\":7}]}" },
                { &kube_pod_type, "[]", "[]" },
        };

        for (size_t i = 0; i < ELEMENTS(trees); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                _cleanup_free_ char *text = NULL;
                const struct value *tree, *settled;

                assert_int_equal(json_parse(arena, trees[i].text, strlen(trees[i].text), NULL, &tree, NULL), 0);
                assert_int_equal(kube_value_forget(arena, trees[i].type, tree, &settled), 0);
                assert_int_equal(json_format(settled, false, &text, NULL), 0);
                assert_string_equal(text, trees[i].settled);
                assert_true((settled == tree) == (strcmp(trees[i].text, trees[i].settled) == 0));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_empty_texts_in_lists),
                cmocka_unit_test(test_forget),
                cmocka_unit_test(test_rows),
                cmocka_unit_test(test_depth),
                cmocka_unit_test(test_memory_is_bounded),
                cmocka_unit_test(test_wrong_protobuf),
                cmocka_unit_test(test_numbers_may_be_packed),
                cmocka_unit_test(test_by_way_of_a_tree),
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_golden),
        };

        mallopt(M_PERTURB, 0x5a);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
