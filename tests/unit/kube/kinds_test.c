#include "kube/kinds.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "kube/apiextensions_v1.h"
#include "kube/apps_v1.h"
#include "kube/core_v1.h"
#include "kube/meta_v1.h"
#include "lib/cleanup.h"

static struct kube_registry *builtin(void) {
        struct kube_registry *registry = kube_registry_new(kube_kinds, kube_kinds_count);

        assert_non_null(registry);
        return registry;
}

static void test_by_kind_and_resource(void **state) {
        _cleanup_kube_registry_ struct kube_registry *registry = builtin();
        const struct kube_kind *kind = kube_registry_kind(registry, "apps", "v1", "Deployment");

        assert_non_null(kind);
        assert_ptr_equal(kind->type, &kube_apps_v1_deployment_type);
        assert_ptr_equal(kind->list_type, &kube_apps_v1_deployment_list_type);
        assert_string_equal(kind->short_names[0], "deploy");
        assert_string_equal(kind->categories[0], "all");
        assert_true(kind->namespaced);
        assert_ptr_equal(kube_registry_resource(registry, "apps", "v1", "deployments"), kind);
        assert_ptr_equal(kube_registry_list(registry, "apps", "v1", "DeploymentList"), kind);
        assert_null(kube_registry_kind(registry, "apps", "v2", "Deployment"));
        assert_null(kube_registry_resource(registry, "", "v1", "deployments"));
}

static void test_meta_kinds_are_in_every_group(void **state) {
        _cleanup_kube_registry_ struct kube_registry *registry = builtin();
        const struct kube_kind *kind = kube_registry_kind(registry, "batch", "v1", "DeleteOptions");

        assert_non_null(kind);
        assert_ptr_equal(kind->type, &kube_delete_options_type);
}

static void test_subresources(void **state) {
        _cleanup_kube_registry_ struct kube_registry *registry = builtin();
        const struct kube_kind *pods = kube_registry_resource(registry, "", "v1", "pods");
        const struct kube_subresource *sub = kube_kind_subresource(pods, "eviction");

        assert_non_null(sub);
        assert_string_equal(sub->group, "policy");
        assert_string_equal(sub->kind, "Eviction");
        assert_int_equal(sub->verbs, KUBE_VERB_CREATE);
        assert_non_null(kube_kind_subresource(pods, "status"));
        assert_null(kube_kind_subresource(pods, "scale"));
}

/* What a CustomResourceDefinition adds is found as the others are, and gone when it goes. */
static void test_kinds_at_run_time(void **state) {
        _cleanup_kube_registry_ struct kube_registry *registry = builtin();
        static const struct kube_type type = { .name = "com.example.v1.Widget" };
        const struct kube_kind widget = {
                .group = "example.com", .version = "v1", .kind = "Widget", .resource = "widgets", .type = &type
        };
        const struct kube_kind again = {
                .group = "example.com", .version = "v1", .kind = "Other", .resource = "widgets", .type = &type
        };

        assert_int_equal(kube_registry_add(registry, &widget), 0);
        assert_int_equal(kube_registry_add(registry, &again), -EEXIST);
        assert_null(kube_registry_kind(registry, "example.com", "v1", "Other"));
        assert_ptr_equal(kube_registry_resource(registry, "example.com", "v1", "widgets"), &widget);
        assert_true(kube_registry_remove(registry, &widget));
        assert_false(kube_registry_remove(registry, &widget));
        assert_null(kube_registry_resource(registry, "example.com", "v1", "widgets"));
        assert_int_equal(kube_registry_add(registry, &again), 0);
}

static void check_type(const struct kube_type *type) {
        for (size_t i = 0; i < type->n_fields; i++) {
                const struct kube_field *field = &type->fields[i];

                assert_int_equal(strlen(field->name), field->name_length);
                assert_ptr_equal(kube_type_field(type, field->name, field->name_length), field);
                assert_int_equal(field->element == KUBE_OBJECT, field->type != NULL);
                assert_in_range(field->offset, 0, type->size - 1);
                assert_int_equal(field->list == KUBE_LIST_MAP, field->map_keys != NULL);
                for (size_t k = 0; field->map_keys && field->map_keys[k]; k++)
                        assert_non_null(kube_type_field(field->type, field->map_keys[k], strlen(field->map_keys[k])));
                if (field->patch_key)
                        assert_non_null(kube_type_field(field->type, field->patch_key, strlen(field->patch_key)));
        }
        for (size_t i = 1; i < type->n_wire; i++)
                assert_true(type->wire[i - 1].number < type->wire[i].number);
}

static void visit(void *data, const struct kube_kind *kind) {
        size_t *n = data;

        check_type(kind->type);
        for (size_t i = 0; i < kind->type->n_fields; i++)
                if (kind->type->fields[i].type)
                        check_type(kind->type->fields[i].type);
        if (kind->resource)
                assert_non_null(kind->singular);
        *n += 1;
}

static void test_all_tables_hold_together(void **state) {
        _cleanup_kube_registry_ struct kube_registry *registry = builtin();
        size_t n = 0;

        kube_registry_each(registry, visit, &n);
        assert_int_equal(n, kube_kinds_count);
        assert_true(n > 150);
}

static void test_what_a_field_says(void **state) {
        const struct kube_field *field = kube_type_find(&kube_pod_type, "spec.containers.ports");

        assert_non_null(field);
        assert_int_equal(field->list, KUBE_LIST_MAP);
        assert_string_equal(field->map_keys[0], "containerPort");
        assert_string_equal(field->map_keys[1], "protocol");
        assert_string_equal(field->patch_key, "containerPort");
        assert_true(field->flags & KUBE_PATCH_MERGE);
        field = kube_type_find(&kube_pod_type, "spec.containers.ports.protocol");
        assert_string_equal(field->fallback, "\"TCP\"");
        field = kube_type_find(&kube_apps_v1_deployment_type, "spec.strategy");
        assert_true(field->flags & KUBE_PATCH_RETAIN);
        assert_null(kube_type_find(&kube_pod_type, "spec.containers.nothing"));
        assert_null(kube_type_find(&kube_pod_type, "metadata.name.more"));
}

static void test_types_refer_to_themselves(void **state) {
        const struct kube_type *props = &kube_apiextensions_v1_json_schema_props_type;

        assert_ptr_equal(kube_type_find(props, "properties.properties.not")->type, props);
}

static void test_unknown_names(void **state) {
        static const char *const names[] = { "", "n", "nam", "names", "namespacE", "containerss", "x" };

        for (size_t i = 0; i < ELEMENTS(names); i++)
                assert_null(kube_type_field(&kube_pod_spec_type, names[i], strlen(names[i])));
}

static void test_split_api_version(void **state) {
        const char *version;
        char group[8];

        assert_int_equal(kube_split_api_version("v1", group, sizeof(group), &version), 0);
        assert_string_equal(group, "");
        assert_string_equal(version, "v1");
        assert_int_equal(kube_split_api_version("apps/v1", group, sizeof(group), &version), 0);
        assert_string_equal(group, "apps");
        assert_int_equal(kube_split_api_version("1234567/v1", group, sizeof(group), &version), 0);
        assert_int_equal(kube_split_api_version("12345678/v1", group, sizeof(group), &version), -EINVAL);
        assert_int_equal(kube_split_api_version("/v1", group, sizeof(group), &version), -EINVAL);
        assert_int_equal(kube_split_api_version("apps/", group, sizeof(group), &version), -EINVAL);
        assert_int_equal(kube_split_api_version("a/b/c", group, sizeof(group), &version), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_by_kind_and_resource),
                cmocka_unit_test(test_meta_kinds_are_in_every_group),
                cmocka_unit_test(test_subresources),
                cmocka_unit_test(test_kinds_at_run_time),
                cmocka_unit_test(test_all_tables_hold_together),
                cmocka_unit_test(test_what_a_field_says),
                cmocka_unit_test(test_types_refer_to_themselves),
                cmocka_unit_test(test_unknown_names),
                cmocka_unit_test(test_split_api_version),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
