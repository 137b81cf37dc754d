#include "cni/addresses.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"

static struct addresses *pool(const char *text, uint32_t limit) {
        struct addresses *addresses = NULL;
        struct ip_cidr cidr;

        assert_int_equal(ip_cidr_parse(text, &cidr, NULL), 0);
        assert_int_equal(cni_addresses_new(&cidr, limit, &addresses, NULL), 0);
        return addresses;
}

static void take(struct addresses *addresses, const char *expected) {
        char text[IP_TEXT_MAX];
        struct ip ip;

        assert_int_equal(cni_addresses_take(addresses, &ip, NULL), 0);
        assert_string_equal(ip_format(&ip, text), expected);
}

static void give(struct addresses *addresses, const char *text) {
        struct ip ip;

        assert_int_equal(ip_parse(text, &ip, NULL), 0);
        cni_addresses_give(addresses, &ip);
}

static int mark(struct addresses *addresses, const char *text, struct err **err) {
        struct ip ip;

        assert_int_equal(ip_parse(text, &ip, NULL), 0);
        return cni_addresses_mark(addresses, &ip, err);
}

/* A just-freed address comes back last. */
static void test_round_robin(void **state) {
        struct addresses *addresses = pool("10.1.7.9/29", 100);
        struct ip_cidr gateway = cni_addresses_gateway(addresses);
        char text[IP_CIDR_TEXT_MAX];

        assert_string_equal(ip_cidr_format(&gateway, text), "10.1.7.9/29");
        take(addresses, "10.1.7.10");
        give(addresses, "10.1.7.10");
        take(addresses, "10.1.7.11");
        take(addresses, "10.1.7.12");
        take(addresses, "10.1.7.13");
        take(addresses, "10.1.7.14");
        take(addresses, "10.1.7.10");
        assert_int_equal(cni_addresses_used(addresses), 5);
        cni_addresses_free(addresses);
}

static void test_exhausted(void **state) {
        _cleanup_err_ struct err *err = NULL;
        struct addresses *addresses = pool("10.1.7.0/30", 100);
        struct ip ip = { .family = 42 };

        take(addresses, "10.1.7.2");
        assert_int_equal(cni_addresses_take(addresses, &ip, &err), -ENOSPC);
        assert_string_equal(err_text(err), "no free address in pod CIDR 10.1.7.0/30: all 1 are in use");
        assert_int_equal(ip.family, 42);
        give(addresses, "10.1.7.2");
        take(addresses, "10.1.7.2");
        cni_addresses_free(addresses);
}

static void test_marks(void **state) {
        static const struct {
                const char *ip;
                int error;
        } rows[] = {
                { "fd00::2", 0 },      { "fd00::2", EADDRINUSE }, { "fd00::5", 0 },          { "fd00::", ERANGE },
                { "fd00::1", ERANGE }, { "fd00::6", ERANGE },     { "fd00:0:1::2", ERANGE }, { "10.0.0.2", ERANGE },
        };
        struct addresses *addresses = pool("fd00::/64", 4);

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_err_ struct err *err = NULL;

                assert_int_equal(mark(addresses, rows[i].ip, &err), -rows[i].error);
                if (rows[i].error)
                        assert_non_null(strstr(err_text(err), rows[i].ip));
        }
        /* After the last one marked comes the first that is free. */
        take(addresses, "fd00::3");
        take(addresses, "fd00::4");
        assert_int_equal(cni_addresses_used(addresses), 4);
        give(addresses, "fd00::ffff");
        give(addresses, "fd00::1");
        give(addresses, "fd00::4");
        give(addresses, "fd00::4");
        assert_int_equal(cni_addresses_used(addresses), 3);
        cni_addresses_free(addresses);
}

static void test_sizes(void **state) {
        static const struct {
                const char *cidr;
                int error;
        } rows[] = {
                { "10.0.0.0/30", 0 }, { "10.0.0.0/31", EINVAL }, { "10.0.0.0/32", EINVAL }, { "0.0.0.0/0", 0 },
                { "fd00::/126", 0 },  { "fd00::/127", EINVAL },  { "fd00::/128", EINVAL },  { "::/0", 0 },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_err_ struct err *err = NULL;
                struct addresses *addresses = NULL;
                struct ip_cidr cidr;

                assert_int_equal(ip_cidr_parse(rows[i].cidr, &cidr, NULL), 0);
                assert_int_equal(cni_addresses_new(&cidr, 65536, &addresses, &err), -rows[i].error);
                if (rows[i].error)
                        assert_non_null(strstr(err_text(err), "has no room for a pod"));
                cni_addresses_free(addresses);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_robin),
                cmocka_unit_test(test_exhausted),
                cmocka_unit_test(test_marks),
                cmocka_unit_test(test_sizes),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
