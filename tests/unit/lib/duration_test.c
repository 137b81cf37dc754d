#include "lib/duration.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/cleanup.h"

static void test_durations(void **state) {
        static const struct {
                const char *text;
                int r;
                int64_t ns;
        } rows[] = {
                { "0", 0, 0 },
                { "0s", 0, 0 },
                { "1ns", 0, 1 },
                { "2us", 0, 2000 },
                { "2µs", 0, 2000 },
                { "300ms", 0, 300000000 },
                { "5m0s", 0, 300000000000 },
                { "1h30m", 0, 5400000000000 },
                { "1.5s", 0, 1500000000 },
                { ".5s", 0, 500000000 },
                { "1.s", 0, 1000000000 },
                { "1.12345678901234567890s", 0, 1123456780 },
                { "-3s", 0, -3000000000 },
                { "+3s", 0, 3000000000 },
                { "9223372036854775807ns", 0, INT64_MAX },
                { "9223372036854775808ns", -ERANGE, 0 },
                { "2562048h", -ERANGE, 0 },
                { "2562047h48m", -ERANGE, 0 },
                { "99999999999999999999s", -ERANGE, 0 },
                { "", -EINVAL, 0 },
                { "-", -EINVAL, 0 },
                { "5", -EINVAL, 0 },
                { "s", -EINVAL, 0 },
                { ".s", -EINVAL, 0 },
                { "5 s", -EINVAL, 0 },
                { "5d", -EINVAL, 0 },
                { "1h5", -EINVAL, 0 },
                { "--5s", -EINVAL, 0 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                int64_t ns = 0;
                int r = duration_parse(rows[i].text, &ns);

                if (r != rows[i].r || ns != rows[i].ns)
                        fail_msg("\"%s\": %d, %lld", rows[i].text, r, (long long)ns);
        }
}

/* What Go's Duration.String() says. */
static void test_formats(void **state) {
        static const struct {
                int64_t ns;
                const char *text;
        } rows[] = {
                { 0, "0s" },
                { 1, "1ns" },
                { 1100, "1.1µs" },
                { 2200000, "2.2ms" },
                { 300000000, "300ms" },
                { 999999999, "999.999999ms" },
                { 1000000000, "1s" },
                { 3300000000, "3.3s" },
                { 60000000000, "1m0s" },
                { 245000000000, "4m5s" },
                { 245001000000, "4m5.001s" },
                { 18367001000000, "5h6m7.001s" },
                { 480000000001, "8m0.000000001s" },
                { INT64_MAX, "2562047h47m16.854775807s" },
                { INT64_MIN, "-2562047h47m16.854775808s" },
                { -1500000000, "-1.5s" },
                { -1, "-1ns" },
        };
        char text[DURATION_TEXT_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                assert_string_equal(duration_format(rows[i].ns, text), rows[i].text);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_durations), cmocka_unit_test(test_formats) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
