/* What services are given: ranges, which addresses and ports are taken, and the last that is free. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/services/addresses.h"
#include "api/services/cluster_ip.h"
#include "api/services/ports.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

static struct cluster_ip ip(const char *text) {
        struct cluster_ip address;

        assert_true(cluster_ip_parse(text, &address));
        return address;
}

static struct cluster_range range(const char *text) {
        struct cluster_range range;

        assert_int_equal(cluster_range_parse(text, &range, NULL), 0);
        return range;
}

static void test_addresses_as_text(void **state) {
        static const char *const same[] = { "10.96.0.1", "255.255.255.255", "fd00:10::1", "::1", "2001:db8::a:0:0:1" };
        static const char *const none[] = {
                "", "10.96.0", "10.96.0.256", "010.1.1.1", "fd00::g", "None", "fe80::1%eth0"
        };
        struct cluster_ip address;
        char text[CLUSTER_IP_TEXT_MAX];

        for (size_t i = 0; i < ELEMENTS(same); i++) {
                address = ip(same[i]);
                cluster_ip_format(&address, text);
                assert_string_equal(text, same[i]);
        }
        for (size_t i = 0; i < ELEMENTS(none); i++)
                assert_false(cluster_ip_parse(none[i], &address));
        assert_string_equal(cluster_ip_family(true), "IPv6");
}

/* As kube-apiserver's ipallocator has them. */
static void test_ranges(void **state) {
        static const struct {
                const char *text, *canonical;
                uint64_t usable, reserved;
        } rows[] = {
                { "10.96.0.0/16", "10.96.0.0/16", 65534, 256 }, { "10.96.7.9/24", "10.96.7.0/24", 254, 16 },
                { "10.0.0.0/28", "10.0.0.0/28", 14, 0 },        { "10.0.0.0/27", "10.0.0.0/27", 30, 16 },
                { "10.0.0.0/30", "10.0.0.0/30", 2, 0 },         { "fd00:10::/108", "fd00:10::/108", 1048575, 256 },
                { "fd00::/64", "fd00::/64", UINT64_MAX, 256 },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct cluster_range r = range(rows[i].text);

                assert_string_equal(r.text, rows[i].canonical);
                assert_int_equal(r.last - r.first + 1, rows[i].usable);
                assert_int_equal(r.dynamic - r.first, rows[i].reserved);
        }
}

static void test_what_is_no_range(void **state) {
        static const char *const none[] = { "",
                                            "10.96.0.0",
                                            "10.96.0.0/",
                                            "10.96.0.0/33",
                                            "10.96.0.0/x",
                                            "10.96.0.0/-1",
                                            "x/16",
                                            "fd00::/129",
                                            "fd00::/63",
                                            "10.96.0.0/16 ",
                                            "1111:1111:1111:1111:1111:1111:1111:1111:1111/64" };
        struct cluster_range r;

        for (size_t i = 0; i < ELEMENTS(none); i++) {
                _cleanup_err_ struct err *err = NULL;

                assert_int_equal(cluster_range_parse(none[i], &r, &err), -EINVAL);
                assert_non_null(strstr(err_text(err), none[i]));
        }
}

static void test_what_a_range_contains(void **state) {
        const struct cluster_range four = range("10.0.0.0/28"), six = range("fd00::/120");
        const struct cluster_ip in = ip("10.0.0.14"), network = ip("10.0.0.0"), broadcast = ip("10.0.0.15"),
                                out = ip("10.0.0.16"), last = ip("fd00::ff"), other = ip("fd01::1"),
                                first = ip("fd00::");

        assert_true(cluster_range_contains(&four, &in));
        assert_false(cluster_range_contains(&four, &network));
        assert_false(cluster_range_contains(&four, &broadcast));
        assert_false(cluster_range_contains(&four, &out));
        assert_true(cluster_range_contains(&six, &last));
        assert_false(cluster_range_contains(&six, &first));
        assert_false(cluster_range_contains(&six, &other));
        assert_false(cluster_range_contains(&six, &in));
}

/* --- which are taken --- */

static struct addresses *with_range(const char *text) {
        const struct cluster_range r = range(text);
        struct addresses *all = addresses_new();

        assert_non_null(all);
        assert_int_equal(addresses_set_ranges(all, "kubernetes", &r, 1, true), 0);
        return all;
}

static void test_each_address_is_given_once(void **state) {
        struct addresses *all = with_range("10.0.0.0/27");
        struct cluster_ip address, given[30];
        bool seen[32] = { false };

        for (unsigned i = 0; i < ELEMENTS(given); i++) {
                assert_int_equal(addresses_claim_any(all, false, &given[i]), 0);
                assert_false(seen[given[i].low & 31]);
                seen[given[i].low & 31] = true;
                /* The part for those who name one goes last. */
                assert_true(i < 14 ? (given[i].low & 31) > 16 : (given[i].low & 31) <= 16);
        }
        assert_int_equal(addresses_claim_any(all, false, &address), ADDRESSES_FULL);
        assert_int_equal(addresses_claim_any(all, true, &address), ADDRESSES_FULL);
        addresses_unclaim(all, &given[7]);
        assert_int_equal(addresses_claim_any(all, false, &address), 0);
        assert_int_equal(address.low, given[7].low);
        addresses_free(all);
}

static void test_a_service_holds_what_it_claimed(void **state) {
        struct addresses *all = with_range("10.0.0.0/24");
        const struct cluster_ip one = ip("10.0.0.9"), far = ip("10.1.0.9");

        assert_int_equal(addresses_claim(all, &one), 0);
        assert_int_equal(addresses_claim(all, &one), ADDRESSES_TAKEN);
        assert_int_equal(addresses_claim(all, &far), ADDRESSES_OUTSIDE);
        assert_int_equal(addresses_hold(all, &one, "a/b", true), 0);
        addresses_unclaim(all, &one);
        assert_int_equal(addresses_claim(all, &one), ADDRESSES_TAKEN);
        assert_int_equal(addresses_hold(all, &one, "a/b", false), 0);
        assert_int_equal(addresses_claim(all, &one), 0);
        addresses_unclaim(all, &one);
        /* Nothing was held, nothing is given back. */
        addresses_unclaim(all, &one);
        assert_int_equal(addresses_hold(all, &far, "a/b", false), 0);
        addresses_free(all);
}

static void test_ranges_come_and_go(void **state) {
        struct addresses *all = with_range("10.0.0.0/24");
        const struct cluster_range two[] = { range("10.7.0.0/24"), range("fd00::/112") };
        const struct cluster_ip four = ip("10.7.0.9"), six = ip("fd00::9"), old = ip("10.0.0.9");
        struct cluster_range r;

        assert_int_equal(addresses_claim(all, &four), ADDRESSES_OUTSIDE);
        assert_false(addresses_range(all, true, &r));
        assert_int_equal(addresses_set_ranges(all, "more", two, 2, true), 0);
        assert_int_equal(addresses_claim(all, &four), 0);
        assert_int_equal(addresses_claim(all, &six), 0);
        assert_true(addresses_range(all, true, &r));
        assert_int_equal(addresses_set_ranges(all, "more", two, 2, false), 0);
        addresses_unclaim(all, &four);
        assert_int_equal(addresses_claim(all, &four), ADDRESSES_OUTSIDE);
        assert_int_equal(addresses_claim(all, &old), 0);
        addresses_free(all);
}

#define THREADS 4

struct racer {
        struct addresses *all;
        struct ports *ports;
        unsigned given, ports_given;
};

static void *race(void *data) {
        struct racer *racer = data;
        struct cluster_ip address;
        int32_t port;

        while (addresses_claim_any(racer->all, false, &address) == 0)
                racer->given++;
        while (ports_claim_any(racer->ports, &port) == 0)
                racer->ports_given++;
        return NULL;
}

static void test_threads_get_no_address_twice(void **state) {
        struct addresses *all = with_range("10.0.0.0/22");
        struct ports *ports = ports_new("30000-30999", NULL);
        struct racer racers[THREADS];
        pthread_t threads[THREADS];
        unsigned given = 0, ports_given = 0;

        for (unsigned i = 0; i < THREADS; i++) {
                racers[i] = (struct racer){ .all = all, .ports = ports };
                assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
        }
        for (unsigned i = 0; i < THREADS; i++) {
                pthread_join(threads[i], NULL);
                given += racers[i].given;
                ports_given += racers[i].ports_given;
        }
        assert_int_equal(given, 1022);
        assert_int_equal(ports_given, 1000);
        addresses_free(all);
        ports_free(ports);
}

/* --- node ports --- */

static void test_node_ports(void **state) {
        struct ports *ports = ports_new("30000-30063", NULL);
        int32_t port;

        assert_non_null(ports);
        assert_string_equal(ports_text(ports), "30000-30063");
        assert_int_equal(ports_claim(ports, 29999), PORTS_OUTSIDE);
        assert_int_equal(ports_claim(ports, 30064), PORTS_OUTSIDE);
        assert_int_equal(ports_claim(ports, 30063), 0);
        assert_int_equal(ports_claim(ports, 30063), PORTS_TAKEN);
        assert_int_equal(ports_try(ports, 30063), PORTS_TAKEN);
        assert_int_equal(ports_try(ports, 30062), 0);
        for (unsigned i = 0; i < 63; i++) {
                assert_int_equal(ports_claim_any(ports, &port), 0);
                assert_true(i < 47 ? port >= 30016 : port < 30016);
        }
        assert_int_equal(ports_claim_any(ports, &port), PORTS_FULL);
        ports_hold(ports, 30001, true);
        ports_unclaim(ports, 30001);
        assert_int_equal(ports_claim(ports, 30001), PORTS_TAKEN);
        ports_hold(ports, 30001, false);
        assert_int_equal(ports_claim_any(ports, &port), 0);
        assert_int_equal(port, 30001);
        ports_hold(ports, 1, false);
        ports_free(ports);
}

static void test_what_is_no_range_of_ports(void **state) {
        static const char *const none[] = {
                "", "1", "2-1", "0-7", "1-65536", "65535+1", "1-2-3", "a-b", "1:2", "-1-5"
        };
        struct ports *ports = ports_new("65535-65535", NULL);

        assert_non_null(ports);
        ports_free(ports);
        ports = ports_new("30000+67", NULL);
        assert_string_equal(ports_text(ports), "30000-30067");
        ports_free(ports);
        for (size_t i = 0; i < ELEMENTS(none); i++) {
                _cleanup_err_ struct err *err = NULL;

                assert_null(ports_new(none[i], &err));
                assert_non_null(strstr(err_text(err), "--service-node-port-range"));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_addresses_as_text),
                cmocka_unit_test(test_ranges),
                cmocka_unit_test(test_what_is_no_range),
                cmocka_unit_test(test_what_a_range_contains),
                cmocka_unit_test(test_each_address_is_given_once),
                cmocka_unit_test(test_a_service_holds_what_it_claimed),
                cmocka_unit_test(test_ranges_come_and_go),
                cmocka_unit_test(test_threads_get_no_address_twice),
                cmocka_unit_test(test_node_ports),
                cmocka_unit_test(test_what_is_no_range_of_ports),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
