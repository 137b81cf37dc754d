#include "lib/id.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/cleanup.h"

static void test_ids(void **state) {
        static const struct {
                const char *text;
                int r;
                uint32_t id;
        } rows[] = {
                { "0", 0, 0 },
                { "1000", 0, 1000 },
                { "01000", 0, 1000 },
                { "+1000", 0, 1000 },
                { "-0", 0, 0 },
                { "2147483648", 0, 2147483648 },
                { "4294967294", 0, ID_MAX },
                { "4294967295", -ERANGE, 7 },
                { "4294967296", -ERANGE, 7 },
                { "18446744073709551616", -ERANGE, 7 },
                { "99999999999999999999999999999999999999", -ERANGE, 7 },
                { "-1", -ERANGE, 7 },
                { "-4294967295", -ERANGE, 7 },
                { "", -EINVAL, 7 },
                { "-", -EINVAL, 7 },
                { "+", -EINVAL, 7 },
                { "--1", -EINVAL, 7 },
                { "1000x", -EINVAL, 7 },
                { " 1000", -EINVAL, 7 },
                { "1000 ", -EINVAL, 7 },
                { "1000\n", -EINVAL, 7 },
                { "0x3e8", -EINVAL, 7 },
                { "1e3", -EINVAL, 7 },
                { "1000.0", -EINVAL, 7 },
                { "1_000", -EINVAL, 7 },
                { "\xd9\xa1", -EINVAL, 7 }, /* a digit of another script */
                { "web", -EINVAL, 7 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                uint32_t id = 7;
                int r = id_parse(rows[i].text, &id);

                if (r != rows[i].r || id != rows[i].id)
                        fail_msg("\"%s\": %d, %u", rows[i].text, r, id);
        }
}

static void test_pairs(void **state) {
        static const struct {
                const char *text;
                int r;
                uint32_t uid;
                int64_t gid;
        } rows[] = {
                { "5", 0, 5, -1 },
                { "5:6", 0, 5, 6 },
                { "4294967294:4294967294", 0, ID_MAX, ID_MAX },
                { "4294967295:6", -ERANGE, 7, 7 },
                { "5:4294967295", -ERANGE, 7, 7 },
                { "-1", -ERANGE, 7, 7 },
                { "5:-1", -ERANGE, 7, 7 },
                { "00000000000000000000000000000001000:6", -ERANGE, 7, 7 },
                { "", -EINVAL, 7, 7 },
                { ":", -EINVAL, 7, 7 },
                { "5:", -EINVAL, 7, 7 },
                { ":6", -EINVAL, 7, 7 },
                { "5:6:7", -EINVAL, 7, 7 },
                { "5::6", -EINVAL, 7, 7 },
                { "a:6", -EINVAL, 7, 7 },
                { "5:b", -EINVAL, 7, 7 },
                { "a:b:c", -EINVAL, 7, 7 },
                { "5x", -EINVAL, 7, 7 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                uint32_t uid = 7;
                int64_t gid = 7;
                int r = id_parse_pair(rows[i].text, &uid, &gid);

                if (r != rows[i].r || uid != rows[i].uid || gid != rows[i].gid)
                        fail_msg("\"%s\": %d, %u:%lld", rows[i].text, r, uid, (long long)gid);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_ids), cmocka_unit_test(test_pairs) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
