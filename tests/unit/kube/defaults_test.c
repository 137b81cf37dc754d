/* Defaults. defaults_cases.jsonl has what kube-apiserver's code filled in (`make defaults` asks it again, and for
 * more): all that is there must be filled in so. Then what is not in cases: time, trees, want of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kube/resource_v1.h"
#include "lib/cleanup.h"
#include "tests/unit/kube/defaults_case.h"
#include "tests/unit/support/trees.h"

static void check_case(const char *line) {
        const struct value *test = read_text(line);
        _cleanup_free_ char *ours = defaults_case_run(arena, test);

        if (!ours || !value_equal(value_get(test, "filled"), read_text(ours)))
                fail_msg("%s\nours: %s", line, ours ?: "nothing");
}

static void test_cases(void **state) {
        check_lines("tests/unit/kube/defaults_cases.jsonl", 200, check_case);
}

static void test_time(void **state) {
        struct kube_resource_v1_device_taint taint = { .key = "a" };

        assert_int_equal(defaults_fill(arena, &kube_resource_v1_device_taint_type, &taint, 1234), 0);
        assert_true(taint.time_added.set);
        assert_int_equal(taint.time_added.seconds, 1234);
        assert_int_equal(defaults_fill(arena, &kube_resource_v1_device_taint_type, &taint, 5678), 0);
        assert_int_equal(taint.time_added.seconds, 1234);
}

/* ---- trees ---- */

static const struct kube_field port_rows[] = {
        { .name = "port", .name_length = 4, .element = KUBE_INT32, .form = KUBE_OPTIONAL },
        { .name = "protocol", .name_length = 8, .element = KUBE_STRING, .form = KUBE_OPTIONAL, .fallback = "\"TCP\"" },
};
static const struct kube_type port_type = { .name = "Port", .fields = port_rows, .n_fields = 2 };

static const struct kube_field spec_rows[] = {
        { .name = "size", .name_length = 4, .element = KUBE_INT32, .form = KUBE_OPTIONAL, .fallback = "3" },
        { .name = "ports", .name_length = 5, .type = &port_type, .element = KUBE_OBJECT, .form = KUBE_LIST },
        { .name = "named", .name_length = 5, .type = &port_type, .element = KUBE_OBJECT, .form = KUBE_MAP },
        { .name = "main",
          .name_length = 4,
          .type = &port_type,
          .element = KUBE_OBJECT,
          .form = KUBE_OPTIONAL,
          .fallback = "{\"port\":80}" },
};
static const struct kube_type spec_type = { .name = "Spec", .fields = spec_rows, .n_fields = 4 };

static void check_tree(const char *text, const char *expected) {
        const struct value *before = read_text(text), *filled;

        assert_int_equal(defaults_fill_tree(arena, &spec_type, before, &filled), 0);
        if (!value_equal(filled, read_text(expected)))
                fail_msg("%s is not filled in as %s", text, expected);
        assert_true(value_equal(before, read_text(text)));
}

static void test_trees(void **state) {
        const struct value *whole = read_text("{\"size\":1,\"main\":{\"protocol\":\"UDP\"},\"other\":[1]}"), *filled;

        check_tree("{}", "{\"size\":3,\"main\":{\"port\":80,\"protocol\":\"TCP\"}}");
        check_tree("{\"size\":null,\"main\":{}}", "{\"size\":3,\"main\":{\"protocol\":\"TCP\"}}");
        check_tree("{\"size\":0,\"main\":{\"protocol\":\"\"},\"ports\":[{},{\"protocol\":\"UDP\"}],\"named\":{\"a\":{"
                   "\"port\":1}}}",
                   "{\"size\":0,\"main\":{\"protocol\":\"\"},\"ports\":[{\"protocol\":\"TCP\"},{\"protocol\":\"UDP\"}],"
                   "\"named\":{\"a\":{\"port\":1,\"protocol\":\"TCP\"}}}");
        check_tree("{\"ports\":null,\"named\":\"wrong\",\"main\":1}",
                   "{\"size\":3,\"ports\":null,\"named\":\"wrong\",\"main\":1}");
        check_tree("[]", "[]");
        assert_int_equal(defaults_fill_tree(arena, &spec_type, whole, &filled), 0);
        assert_ptr_equal(filled->members, whole->members);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cases),
                cmocka_unit_test(test_time),
                cmocka_unit_test(test_trees),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
