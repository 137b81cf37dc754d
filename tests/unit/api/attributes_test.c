/* A request's field selector as authorizers see it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/auth/attributes.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

static void test_what_is_selected(void **state) {
        static const struct {
                const char *text;
                unsigned count;
                const char *key, *operator, * value; /* of the first */
        } rows[] = {
                { "", 0, NULL, NULL, NULL },
                { ",,", 0, NULL, NULL, NULL },
                { "spec.nodeName=n1", 1, "spec.nodeName", "In", "n1" },
                { "spec.nodeName==n1", 1, "spec.nodeName", "In", "n1" },
                { "spec.nodeName!=n1", 1, "spec.nodeName", "NotIn", "n1" },
                { "spec.nodeName=", 1, "spec.nodeName", "In", "" },
                { "=x", 1, "", "In", "x" },
                { ",a=b,,c!=d,", 2, "a", "In", "b" },
                { "a=b\\,c", 1, "a", "In", "b,c" },
                { "a=b\\=c", 1, "a", "In", "b=c" },
                { "a=b\\\\", 1, "a", "In", "b\\" },
                { "a=b\\\\,c=d", 2, "a", "In", "b\\" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                struct auth_attributes a = AUTH_ATTRIBUTES(NULL);

                assert_int_equal(auth_attributes_select(arena, rows[i].text, &a), 0);
                assert_int_equal(a.fields.count, rows[i].count);
                if (rows[i].count == 0)
                        continue;
                assert_string_equal(a.fields.items[0].key, rows[i].key);
                assert_string_equal(a.fields.items[0].operator, rows[i].operator);
                assert_int_equal(a.fields.items[0].values.count, 1);
                assert_string_equal(a.fields.items[0].values.items[0], rows[i].value);
        }
}

/* Nothing is selected then: whoever may see a selection alone sees nothing. */
static void test_what_is_no_selector(void **state) {
        static const char *const wrong[] = {
                "a", "a=b,c", "a=b=c", "a=\\n", "a=b\\", "a=b\\\\=c", "a===b", "a!b", "!"
        };

        for (size_t i = 0; i < ELEMENTS(wrong); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                struct auth_attributes a = AUTH_ATTRIBUTES(NULL);

                assert_int_equal(auth_attributes_select(arena, wrong[i], &a), -EINVAL);
                assert_int_equal(a.fields.count, 0);
        }
}

static void test_as_many_as_may_be(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct auth_attributes a = AUTH_ATTRIBUTES(NULL);
        const char *text = "a=b";

        for (unsigned i = 1; i < AUTH_FIELDS_MAX; i++)
                text = arena_printf(arena, "%s,a%u!=b", text, i);
        assert_int_equal(auth_attributes_select(arena, text, &a), 0);
        assert_int_equal(a.fields.count, AUTH_FIELDS_MAX);
        assert_int_equal(auth_attributes_select(arena, arena_printf(arena, "%s,x=y", text), &a), -E2BIG);
        assert_int_equal(a.fields.count, AUTH_FIELDS_MAX);
}

static void test_the_one_value(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct auth_attributes a = AUTH_ATTRIBUTES(NULL);

        assert_int_equal(auth_attributes_select(arena, "a!=x,metadata.name=n,b=c", &a), 0);
        assert_string_equal(auth_attributes_exact(&a, "metadata.name"), "n");
        assert_string_equal(auth_attributes_exact(&a, "b"), "c");
        assert_null(auth_attributes_exact(&a, "a"));
        assert_null(auth_attributes_exact(&a, "none"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_selected),
                cmocka_unit_test(test_what_is_no_selector),
                cmocka_unit_test(test_as_many_as_may_be),
                cmocka_unit_test(test_the_one_value),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
