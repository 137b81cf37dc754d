/* OpenAPI documents: whole in themselves, of kinds that come at run time as of the others, and of want of memory. What
 * is in them is compared with kube-apiserver's in tests/conformance. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kube/kinds.h"
#include "kube/openapi/openapi.h"
#include "kube/openapi/version2.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "tests/unit/support/each_allocation.h"

#define SCHEMAS "#/components/schemas/"

static struct arena *arena;

static const struct value *read_document(const struct kube_registry *registry, const char *group, const char *version) {
        const struct value_options options = { .bytes_max = 64 << 20, .nodes_max = 1 << 22 };
        struct json_writer w = { .go_escapes = true };
        const struct value *document;
        size_t length;
        char *text;

        assert_int_equal(openapi_write(&w, registry, group, version), 0);
        assert_int_equal(json_writer_finish(&w, &text, &length), 0);
        assert_int_equal(json_parse(arena, text, length, &options, &document, NULL), 0);
        free(text);
        return document;
}

/* Every reference has its schema. */
static void check_references(const struct value *value, const struct value *schemas) {
        const char *reference = value_string(value_get(value, "$ref"));

        if (reference) {
                assert_int_equal(strncmp(reference, SCHEMAS, strlen(SCHEMAS)), 0);
                if (!value_get(schemas, reference + strlen(SCHEMAS)))
                        fail_msg("%s", reference);
        }
        for (uint32_t i = 0; i < value_count(value); i++)
                check_references(value->kind == VALUE_MAP ? &value->members[i].value : &value->items[i], schemas);
}

static void test_whole(void **state) {
        _cleanup_kube_registry_ struct kube_registry *registry = kube_registry_new(kube_kinds, kube_kinds_count);
        static const char *const versions[][2] = { { "", "v1" }, { "apps", "v1" }, { "apiextensions.k8s.io", "v1" } };

        arena = arena_new();
        for (size_t i = 0; i < ELEMENTS(versions); i++) {
                const struct value *document = read_document(registry, versions[i][0], versions[i][1]);

                check_references(document, value_find(document, "components.schemas"));
                arena_reset(arena);
        }
        arena = arena_free(arena);
}

static const struct kube_field thing_fields[] = {
        { .name = "apiVersion", .name_length = 10, .element = KUBE_STRING },
        { .name = "kind", .name_length = 4, .element = KUBE_STRING },
        { .name = "sizes", .name_length = 5, .element = KUBE_QUANTITY, .form = KUBE_MAP, .flags = KUBE_REQUIRED },
};
static const struct kube_type thing_type = {
        .name = "y.x.v1.Thing", .fields = thing_fields, .n_fields = ELEMENTS(thing_fields), .flags = KUBE_KIND
};
static const struct kube_kind thing = { .group = "x.y",
                                        .version = "v1",
                                        .kind = "Thing",
                                        .type = &thing_type,
                                        .resource = "things",
                                        .namespaced = true,
                                        .verbs = KUBE_VERB_GET | KUBE_VERB_CREATE };

static char *index_of(const struct kube_registry *registry) {
        struct json_writer w = { .go_escapes = true };
        char *text;

        assert_int_equal(openapi_write_index(&w, registry), 0);
        assert_int_equal(json_writer_finish(&w, &text, NULL), 0);
        return text;
}

/* A kind comes, and is in its document and in the index; it goes, and all is as before. */
static void test_run_time(void **state) {
        _cleanup_kube_registry_ struct kube_registry *registry = kube_registry_new(kube_kinds, kube_kinds_count);
        _cleanup_free_ char *before = index_of(registry), *with = NULL, *after = NULL;
        const struct value *document, *schema;
        struct json_writer w = JSON_WRITER_INIT;

        arena = arena_new();
        assert_int_equal(openapi_write(&w, registry, "x.y", "v1"), -ENOENT);
        assert_int_equal(kube_registry_add(registry, &thing), 0);
        document = read_document(registry, "x.y", "v1");
        schema = value_get(value_find(document, "components.schemas"), "y.x.v1.Thing");
        assert_string_equal(value_string(value_find(schema, "required[0]")), "sizes");
        assert_string_equal(value_string(value_find(schema, "properties.sizes.additionalProperties.$ref")),
                            SCHEMAS "io.k8s.apimachinery.pkg.api.resource.Quantity");
        schema = value_get(value_get(document, "paths"), "/apis/x.y/v1/namespaces/{namespace}/things/{name}");
        assert_string_equal(value_string(value_find(schema, "get.operationId")), "readXYV1NamespacedThing");
        assert_null(value_get(schema, "delete"));
        check_references(document, value_find(document, "components.schemas"));
        with = index_of(registry);
        assert_non_null(strstr(with, "\"apis/x.y/v1\":{\"serverRelativeURL\":\"/openapi/v3/apis/x.y/v1?hash="));
        assert_true(kube_registry_remove(registry, &thing));
        after = index_of(registry);
        assert_string_equal(before, after);
        arena = arena_free(arena);
}

/* --- v2 --- */

static void check_definitions(const struct value *document, const struct value *value) {
        const char *reference = value_string(value_get(value, "$ref"));

        if (reference) {
                assert_int_equal(strncmp(reference, "#/definitions/", 14), 0);
                assert_non_null(value_get(value_get(document, "definitions"), reference + 14));
        }
        for (uint32_t i = 0; value_is(value, VALUE_MAP) && i < value->count; i++)
                check_definitions(document, &value->members[i].value);
        for (uint32_t i = 0; value_is(value, VALUE_LIST) && i < value->count; i++)
                check_definitions(document, &value->items[i]);
}

static void test_version2(void **state) {
        const struct value_options options = { .nodes_max = 1 << 22, .bytes_max = 16 << 20 };
        _cleanup_kube_registry_ struct kube_registry *registry = kube_registry_new(kube_kinds, kube_kinds_count);
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_arena_ struct arena *own = arena_new();
        _cleanup_free_ uint8_t *bytes = NULL;
        const struct value *document = NULL;
        size_t size = 0;

        assert_int_equal(openapi_write_version2(&w, registry), 0);
        assert_int_equal(json_parse(own, w.text, w.length, &options, &document, NULL), 0);
        assert_string_equal(value_string(value_get(document, "swagger")), "2.0");
        check_definitions(document, document);
        assert_non_null(value_get(value_get(document, "paths"), "/apis/apps/v1/namespaces/{namespace}/deployments"));
        assert_null(strstr(w.text, "#/components/"));
        assert_int_equal(openapi_version2_protobuf(w.text, w.length, &bytes, &size), 0);
        assert_true(size > 100000);
        assert_memory_equal(bytes,
                            "\x0a\x03"
                            "2.0",
                            5); /* swagger = 1 */
}

static void test_version2_that_is_none(void **state) {
        static const char odd[] = "{\"paths\":{\"/a\":{\"parameters\":[{\"in\":\"cookie\"}]}}}";
        _cleanup_free_ uint8_t *bytes = NULL;
        size_t size = 1;

        assert_int_equal(openapi_version2_protobuf("[", 1, &bytes, &size), -EINVAL);
        assert_int_equal(openapi_version2_protobuf(odd, sizeof(odd) - 1, &bytes, &size), -EINVAL);
        assert_int_equal(openapi_version2_protobuf("{}", 2, &bytes, &size), 0);
        assert_int_equal(size, 0);
}

static struct kube_registry *swept;

static int write_swept_version2(void) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ uint8_t *bytes = NULL;
        size_t size;
        int r = openapi_write_version2(&w, swept);

        return r < 0 ? r : openapi_version2_protobuf(w.text, w.length, &bytes, &size);
}

static int write_swept(void) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };

        return openapi_write(&w, swept, "coordination.k8s.io", "v1");
}

static void test_each_allocation(void **state) {
        swept = kube_registry_new(kube_kinds, kube_kinds_count);
        assert_true(fail_each_allocation(write_swept) > 3);
        swept = kube_registry_free(swept);
        swept = kube_registry_new(kube_kinds, 1);
        assert_true(fail_each_allocation(write_swept_version2) > 3);
        swept = kube_registry_free(swept);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_whole), cmocka_unit_test(test_run_time),
                                            cmocka_unit_test(test_version2),
                                            cmocka_unit_test(test_version2_that_is_none),
                                            cmocka_unit_test(test_each_allocation) };

        return cmocka_run_group_tests_name("kube/openapi", tests, NULL, NULL);
}
