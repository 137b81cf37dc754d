#include "lib/ip.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"

static const struct {
        const char *cidr, *base, *in, *out;
} blocks[] = {
        { "10.88.0.0/16", "10.88.0.0", "10.88.255.255", "10.89.0.0" },
        { "10.1.2.3/20", "10.1.0.0", "10.1.15.255", "10.1.16.0" },
        { "10.1.2.3/32", "10.1.2.3", "10.1.2.3", "10.1.2.4" },
        { "0.0.0.0/0", "0.0.0.0", "255.255.255.255", "::1" },
        { "fd00:1:2::5/64", "fd00:1:2::", "fd00:1:2::ffff:0:0:1", "fd00:1:2:1::" },
        { "::/0", "::", "ff02::1", "10.0.0.1" },
        { "fd00::1/128", "fd00::1", "fd00::1", "fd00::2" },
};

static void test_blocks(void **state) {
        for (size_t i = 0; i < ELEMENTS(blocks); i++) {
                char text[IP_TEXT_MAX], block[IP_CIDR_TEXT_MAX];
                struct ip_cidr cidr;
                struct ip ip, base;

                assert_int_equal(ip_cidr_parse(blocks[i].cidr, &cidr, NULL), 0);
                assert_string_equal(ip_cidr_format(&cidr, block), blocks[i].cidr);
                base = ip_cidr_base(&cidr);
                assert_string_equal(ip_format(&base, text), blocks[i].base);
                assert_int_equal(ip_parse(blocks[i].in, &ip, NULL), 0);
                assert_true(ip_cidr_contains(&cidr, &ip));
                assert_int_equal(ip_parse(blocks[i].out, &ip, NULL), 0);
                assert_false(ip_cidr_contains(&cidr, &ip));
        }
}

static const char *const bad_blocks[] = {
        "",           "10.0.0.0",    "10.0.0.0/33", "10.0.0.0/",   "10.0.0.0/08", "10.0.0.0/+8",   "10.0.0/8",
        "fd00::/129", "10.0.0.0/8 ", "/8",          "010.0.0.0/8", "10.0.0.0/-1", "fe80::1%lo/64", "10.0.0.0/0000008"
};

static void test_refusals(void **state) {
        struct ip_cidr cidr = { .prefix = 42 };
        struct ip ip = { .family = 42 };

        for (size_t i = 0; i < ELEMENTS(bad_blocks); i++) {
                _cleanup_err_ struct err *err = NULL;

                assert_int_equal(ip_cidr_parse(bad_blocks[i], &cidr, &err), -EINVAL);
                assert_non_null(strstr(err_text(err), "is not a CIDR"));
                assert_int_equal(cidr.prefix, 42);
        }
        assert_int_equal(ip_parse("1.2.3.4.5", &ip, NULL), -EINVAL);
        assert_int_equal(ip.family, 42);
}

static const struct {
        const char *from;
        uint32_t n;
        const char *to;
} sums[] = {
        { "10.0.0.255", 1, "10.0.1.0" },
        { "10.0.0.0", 0, "10.0.0.0" },
        { "fd00::ffff:ffff", 2, "fd00::1:0:1" },
        { "10.0.0.0", 65536, "10.1.0.0" },
};

static void test_sums(void **state) {
        for (size_t i = 0; i < ELEMENTS(sums); i++) {
                char text[IP_TEXT_MAX];
                struct ip from, to;

                assert_int_equal(ip_parse(sums[i].from, &from, NULL), 0);
                to = ip_add(&from, sums[i].n);
                assert_string_equal(ip_format(&to, text), sums[i].to);
                assert_int_equal(ip_distance(&from, &to), sums[i].n);
        }
        struct ip a, b;

        assert_int_equal(ip_parse("10.0.0.2", &a, NULL), 0);
        assert_int_equal(ip_parse("10.0.0.1", &b, NULL), 0);
        assert_int_equal(ip_distance(&a, &b), UINT32_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_blocks),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_sums),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
