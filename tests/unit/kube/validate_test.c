/* Validation. validate_cases.jsonl has what kube-apiserver's strategies refused, and took (`make validations` asks them
 * again, and for more): all that is there must be told so. Then what is not in cases: maxima, places, kinds of run
 * time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kube/type.h"
#include "kube/validate/field.h"
#include "lib/cleanup.h"
#include "tests/unit/kube/validate_case.h"
#include "tests/unit/support/trees.h"

/* A cause as we tell an error: "field: message". */
static bool tells(const struct value *ours, const struct value *cause) {
        const char *field = value_string_or(value_get(cause, "field"), ""),
                   *message = value_string_or(value_get(cause, "message"), "");
        size_t n = strlen(field);

        for (uint32_t i = 0; i < value_count(ours); i++) {
                const char *text = value_string_or(value_at(ours, i), "");

                if (strncmp(text, field, n) == 0 && strncmp(text + n, ": ", 2) == 0 &&
                    strcmp(text + n + 2, message) == 0)
                        return true;
        }
        return false;
}

static void check_case(const char *line) {
        const struct value *test = read_text(line), *causes = value_get(test, "causes");
        _cleanup_free_ char *text = validate_case_run(arena, test);
        const struct value *ours = text ? read_text(text) : NULL;
        bool same = ours && value_count(ours) == value_count(causes);

        for (uint32_t i = 0; same && i < value_count(causes); i++)
                same = tells(ours, value_at(causes, i));
        if (!same)
                fail_msg("%s\nours: %s", line, text ?: "nothing");
}

static void test_cases(void **state) {
        check_lines("tests/unit/kube/validate_cases.jsonl", 300, check_case);
}

static void test_places(void **state) {
        struct validation v = { .arena = arena };
        const struct place *spec = FIELD(NULL, "spec"), *port = ITEM(FIELD(spec, "ports"), 12);

        assert_string_equal(validate_place_text(&v, spec), "spec");
        assert_string_equal(validate_place_text(&v, FIELD(port, "name")), "spec.ports[12].name");
        assert_string_equal(validate_place_text(&v, ENTRY(FIELD(NULL, "data"), "a.b")), "data[a.b]");
        assert_string_equal(validate_place_text(&v, ENTRY(NULL, "")), "[]");
}

/* Errors past the maxima are counted, and no more. */
static void test_maxima(void **state) {
        struct problems problems;
        struct validation v = { .problems = &problems, .arena = arena };
        char *long_text = malloc(VALIDATE_TEXT_MAX + 2);

        problems_init(&problems, arena, NULL, NULL);
        for (int i = 0; i < PROBLEMS_MAX + 1; i++)
                validate_required(&v, FIELD(NULL, "a"), "");
        assert_int_equal(problems.count, PROBLEMS_MAX);
        assert_int_equal(problems.errors, PROBLEMS_MAX + 1);
        problems_init(&problems, arena, NULL, NULL);
        v.text_bytes = 0;
        memset(long_text, 'x', VALIDATE_TEXT_MAX + 1);
        long_text[VALIDATE_TEXT_MAX + 1] = '\0';
        validate_invalid(&v, FIELD(NULL, "a"), long_text, "");
        validate_invalid(&v, FIELD(NULL, "a"), "b", "");
        assert_int_equal(problems.count, 1);
        assert_int_equal(problems.errors, 2);
        assert_true(strlen(problems.items[0].text) > VALIDATE_TEXT_MAX);
        free(long_text);
}

/* One that joined at run time has no struct: its metadata is looked at. */
static void test_runtime_kinds(void **state) {
        static const struct kube_type type = { .name = "Tree" };
        const struct kube_kind kind = {
                .group = "example.com", .version = "v1", .kind = "Tree", .type = &type, .namespaced = true
        };
        struct validate_case c = { .kind = &kind };
        struct problems problems;

        problems_init(&problems, arena, NULL, NULL);
        c.object = read_text("{\"metadata\":{\"name\":\"A\",\"namespace\":\"b\"}}");
        assert_int_equal(validate_value(arena, &c, &problems), 0);
        assert_int_equal(problems.errors, 1);
        problems_init(&problems, arena, NULL, NULL);
        c.object = c.old = read_text("{\"metadata\":{\"name\":\"a\",\"namespace\":\"b\"}}");
        assert_int_equal(validate_value(arena, &c, &problems), 0);
        assert_int_equal(problems.errors, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cases),
                cmocka_unit_test(test_places),
                cmocka_unit_test(test_maxima),
                cmocka_unit_test(test_runtime_kinds),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
