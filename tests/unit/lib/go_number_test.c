/* Numbers as Go's strconv reads them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/go_number.h"

static void test_with_a_sign(void **state) {
        static const struct {
                const char *text;
                int result;
                int64_t number;
        } rows[] = {
                { "0", 0, 0 },
                { "007", 0, 7 },
                { "+3", 0, 3 },
                { "-3", 0, -3 },
                { "9223372036854775807", 0, INT64_MAX },
                { "-9223372036854775808", 0, INT64_MIN },
                { "9223372036854775808", -ERANGE, 0 },
                { "-9223372036854775809", -ERANGE, 0 },
                { "99999999999999999999", -ERANGE, 0 },
                { "99999999999999999999x", -EINVAL, 0 },
                { "", -EINVAL, 0 },
                { "-", -EINVAL, 0 },
                { "--1", -EINVAL, 0 },
                { " 3", -EINVAL, 0 },
                { "3 ", -EINVAL, 0 },
                { "0x3", -EINVAL, 0 },
                { "1_0", -EINVAL, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                int64_t number = 0;

                assert_int_equal(go_number_int(rows[i].text, &number), rows[i].result);
                assert_true(number == rows[i].number);
        }
}

static void test_without(void **state) {
        static const struct {
                const char *text;
                int result;
                uint64_t number;
        } rows[] = {
                { "0", 0, 0 },
                { "18446744073709551615", 0, UINT64_MAX },
                { "18446744073709551616", -ERANGE, 0 },
                { "+5", -EINVAL, 0 },
                { "-0", -EINVAL, 0 },
                { "", -EINVAL, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                uint64_t number = 0;

                assert_int_equal(go_number_uint(rows[i].text, &number), rows[i].result);
                assert_true(number == rows[i].number);
        }
        assert_string_equal(go_number_error(-ERANGE), "value out of range");
        assert_string_equal(go_number_error(-EINVAL), "invalid syntax");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_with_a_sign),
                cmocka_unit_test(test_without),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
