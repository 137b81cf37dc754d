#include "lib/pattern.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"

static bool matches(const char *pattern, bool ignore_case, const char *text) {
        struct pattern *p = NULL;
        bool r;

        assert_int_equal(pattern_new(pattern, ignore_case, &p, NULL), 0);
        r = pattern_matches(p, text, strlen(text));
        pattern_free(p);
        return r;
}

static void test_matches(void **state) {
        assert_true(matches("b+c", false, "abbbcd"));
        assert_false(matches("^b", false, "abbbcd"));
        assert_false(matches("B", false, "abc"));
        assert_true(matches("B", true, "abc"));
        assert_true(matches("^.\xc3\xa4.$", true, "\xc3\x84\xc3\x84\xc3\x84")); /* of letters, not of bytes */
        assert_true(matches("", false, ""));
        assert_false(matches(".", false, "\xff")); /* no text */
}

static void test_what_is_no_pattern(void **state) {
        _cleanup_err_ struct err *err = NULL, *long_err = NULL;
        char text[PATTERN_TEXT_MAX + 2];
        struct pattern *p = NULL;

        assert_int_equal(pattern_new("a[", false, &p, &err), -EINVAL);
        assert_non_null(strstr(err_text(err), "missing terminating ]"));
        memset(text, 'a', sizeof(text));
        text[PATTERN_TEXT_MAX + 1] = '\0';
        assert_int_equal(pattern_new(text, false, &p, &long_err), -EINVAL);
        text[PATTERN_TEXT_MAX] = '\0';
        assert_int_equal(pattern_new(text, false, &p, NULL), 0);
        pattern_free(p);
        pattern_free(NULL);
}

/* One that takes exponential time ends all the same. */
static void test_steps_are_bounded(void **state) {
        assert_false(matches("^(a+)+$", false, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
        assert_false(matches("^(a|aa)+$(?!)", false, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

/* Every place of a text is tried, whatever number of them at once, and none within a character. */
static void test_long_texts(void **state) {
        char text[2048];

        for (size_t n = 0; n < 1000; n++) {
                memset(text, 'a', n);
                strcpy(text + n, "b");
                assert_true(matches("b", false, text));
                assert_true(matches("(?<=a)b$|^b", false, text));
                assert_true(matches("$", false, text));
                assert_false(matches("^a*[cd]", false, text));
                for (size_t i = 0; i < n; i++)
                        memcpy(text + 2 * i, "\xc3\xa4", 3);
                strcpy(text + 2 * n, "b");
                assert_true(matches("b|c", false, text));
                assert_false(matches("[^\xc3\xa4]b", false, text));
        }
}

/* Steps that are few from each place are many from a million. */
static void test_time_is_bounded(void **state) {
        static char text[1 << 20];

        memset(text, 'a', sizeof(text) - 1);
        assert_false(matches("[^q]*(?:y|z)", false, text));
        assert_false(matches("[ab]*+[yz]", false, text));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_matches),           cmocka_unit_test(test_what_is_no_pattern),
                cmocka_unit_test(test_steps_are_bounded), cmocka_unit_test(test_long_texts),
                cmocka_unit_test(test_time_is_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
