#include "lib/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_set_and_wrap(void **state) {
        _cleanup_err_ struct err *err = NULL;

        assert_int_equal(err_set(&err, EINVAL, "field %s", "a"), -EINVAL);
        assert_int_equal(err_wrap(&err, -EINVAL, "pod %d", 7), -EINVAL);
        assert_string_equal(err_text(err), "pod 7: field a");
        assert_int_equal(err_code(err), EINVAL);
}

static void test_the_first_error_stays(void **state) {
        _cleanup_err_ struct err *err = NULL;

        err_set(&err, ENOENT, "first");
        assert_int_equal(err_set(&err, EIO, "second"), -EIO);
        assert_string_equal(err_text(err), "first");
}

static void test_errno_text(void **state) {
        _cleanup_err_ struct err *err = NULL;

        assert_int_equal(err_errno(&err, ENOENT, "open \"%s\"", "/x"), -ENOENT);
        assert_string_equal(err_text(err), "open \"/x\": No such file or directory");
}

static void test_nobody_wants_it(void **state) {
        struct err *none = NULL;

        assert_int_equal(err_set(NULL, EPERM, "x"), -EPERM);
        assert_int_equal(err_errno(NULL, EPERM, "x"), -EPERM);
        assert_int_equal(err_wrap(NULL, -EPERM, "x"), -EPERM);
        assert_int_equal(err_wrap(&none, -EPERM, "x"), -EPERM);
        assert_int_equal(err_code(NULL), 0);
        assert_string_equal(err_text(NULL), "no error text");
}

static void test_bounds(void **state) {
        _cleanup_err_ struct err *err = NULL;
        char longest[ERR_TEXT_MAX + 100];

        memset(longest, 'x', sizeof(longest) - 1);
        longest[sizeof(longest) - 1] = '\0';
        err_set(&err, EINVAL, "%s", longest);
        assert_int_equal(strlen(err_text(err)), ERR_TEXT_MAX - 1);
        assert_int_equal(err_wrap(&err, -EINVAL, "%s", "outer"), -EINVAL);
        assert_int_equal(strlen(err_text(err)), ERR_TEXT_MAX - 1);
        assert_memory_equal(err_text(err), "outer: xxx", 10);
        /* A prefix that alone is too long is left out: what happened says more than where. */
        assert_int_equal(err_wrap(&err, -EINVAL, "%s", longest), -EINVAL);
        assert_memory_equal(err_text(err), "outer: ", 7);
}

static void test_move(void **state) {
        struct err *from = NULL;
        _cleanup_err_ struct err *to = NULL;

        err_set(&from, EBUSY, "busy");
        assert_int_equal(err_move(&to, from), -EBUSY);
        assert_string_equal(err_text(to), "busy");
        from = NULL;
        err_set(&from, EIO, "later");
        assert_int_equal(err_move(&to, from), -EIO); /* the first stays, the later is freed */
        assert_string_equal(err_text(to), "busy");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_set_and_wrap), cmocka_unit_test(test_the_first_error_stays),
                cmocka_unit_test(test_errno_text),   cmocka_unit_test(test_nobody_wants_it),
                cmocka_unit_test(test_bounds),       cmocka_unit_test(test_move),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
