#include "kube/codec/strict.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kube/apiextensions_v1.h"
#include "kube/core_v1.h"
#include "kube/type.h"
#include "lib/cleanup.h"

static char told[16 * 1024];

static void collect(void *data, const char *text) {
        snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s%s", *told ? ", " : "", text);
}

/* What kube-apiserver's reader says of each (`kinds strict`, in tests/conformance/test_kinds_as_kubernetes.py). */
#include "tests/unit/kube/strict_rows.h"
#include "tests/unit/kube/strict_yaml_rows.h"

static void test_rows(void **state) {
        for (size_t i = 0; i < ELEMENTS(strict_rows); i++) {
                const struct kube_type *type = strcmp(strict_rows[i].kind, "v1 Pod") == 0 ?
                                                       &kube_pod_type :
                                               strcmp(strict_rows[i].kind, "v1 ConfigMap") == 0 ?
                                                       &kube_config_map_type :
                                                       &kube_apiextensions_v1_custom_resource_definition_type;

                *told = '\0';
                assert_int_equal(
                        kube_json_strict(type, strict_rows[i].text, strlen(strict_rows[i].text), collect, NULL), 0);
                assert_string_equal(told, strict_rows[i].says);
        }
}

static void test_yaml_rows(void **state) {
        for (size_t i = 0; i < ELEMENTS(strict_yaml_rows); i++) {
                const char *text = strict_yaml_rows[i].text;

                *told = '\0';
                assert_int_equal(kube_yaml_strict(&kube_config_map_type, text, strlen(text), collect, NULL), 0);
                assert_string_equal(told, strict_yaml_rows[i].says);
        }
}

/* At the maximum and one past it; a long key is cut. */
static void test_many_in_yaml(void **state) {
        static char text[64 * 1024], key[3000];

        for (unsigned n = KUBE_STRICT_MAX; n <= KUBE_STRICT_MAX + 1; n++) {
                char *to = stpcpy(text, "data: {a: b"), *line;
                unsigned lines = 0;

                for (unsigned i = 0; i < n; i++)
                        to = stpcpy(to, ",\n a: b");
                strcpy(to, "}\n");
                *told = '\0';
                assert_int_equal(kube_yaml_strict(&kube_config_map_type, text, strlen(text), collect, NULL), 0);
                for (line = told; (line = strstr(line, "already set in map")); line++)
                        lines++;
                assert_int_equal(lines, KUBE_STRICT_MAX);
        }
        memset(key, 'k', sizeof(key) - 1);
        snprintf(text, sizeof(text), "? %s\n: a\n? %s\n: a\n", key, key);
        *told = '\0';
        assert_int_equal(kube_yaml_strict(&kube_config_map_type, text, strlen(text), collect, NULL), 0);
        assert_non_null(strstr(told, "kkk\" already set in map"));
        assert_int_equal(kube_yaml_strict(&kube_config_map_type, "a: [", 4, collect, NULL), -EINVAL);
}

static void count(void *data, const char *text) {
        *(unsigned *)data += 1;
}

static void test_many(void **state) {
        static char text[64 * 1024];

        for (unsigned n = KUBE_STRICT_MAX; n <= KUBE_STRICT_MAX + 1; n++) {
                char *to = stpcpy(text, "{\"a0\":1");
                unsigned counted = 0;

                for (unsigned i = 1; i < n; i++)
                        to += sprintf(to, ",\"a%u\":1", i);
                strcpy(to, "}");
                assert_int_equal(kube_json_strict(&kube_pod_type, text, strlen(text), count, &counted), 0);
                assert_int_equal(counted, KUBE_STRICT_MAX);
        }
}

static void test_none(void **state) {
        assert_int_equal(kube_json_strict(&kube_pod_type, "{\"a\":", 5, collect, NULL), -EINVAL);
        assert_int_equal(kube_json_strict(&kube_pod_type, "", 0, collect, NULL), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_yaml_rows), cmocka_unit_test(test_many_in_yaml), cmocka_unit_test(test_rows),
                cmocka_unit_test(test_many),      cmocka_unit_test(test_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
