/* Batches of requests for interfaces, addresses and routes, against the kernel: what fails says so and no more. */
#include "tests/unit/cni/host.h"

#include <linux/netlink.h>
#include <net/if.h>
#include <stdio.h>

#include "cni/link.h"

static const uint8_t mac[MAC_SIZE] = { 0x0a, 0x58, 10, 88, 0, 1 };
static struct netlink host = NETLINK_NONE;
static bool root;

static int set_up(void **state) {
        root = host_enter();
        return root ? cni_netlink_open(NETLINK_ROUTE, &host, NULL) : 0;
}

static int tear_down(void **state) {
        cni_netlink_close(&host);
        if (root)
                host_leave();
        return 0;
}

static void expect(int code, const char *text) {
        _cleanup_err_ struct err *err = NULL;

        assert_int_equal(cni_netlink_run(&host, &err), -code);
        if (code)
                assert_string_equal(err_text(err), text);
}

/* The first failure is told with its purpose; what comes after it is carried out all the same; the batch is empty then.
 */
static void test_failure(void **state) {
        struct link link;

        if (!root)
                skip();
        cni_link_put_ifb(&host, "one", 1500);
        cni_link_put_ifb(&host, "one", 1500);
        cni_link_put_up(&host, 9999);
        cni_link_put_ifb(&host, "two", 1400);
        expect(EEXIST, "create ifb: File exists");
        expect(0, NULL);
        assert_int_equal(cni_link_get(&host, "two", &link, NULL), 0);
        assert_int_equal(link.mtu, 1400);
        assert_string_equal(link.kind, "ifb");
        assert_int_equal(link.index, cni_link_index(&host, "two"));
        cni_link_put_delete(&host, "one");
        cni_link_put_delete(&host, "two");
        expect(0, NULL);
}

/* The kernel's words are passed on. */
static void test_words(void **state) {
        struct veth veth = { .name = "v", .peer_name = "eth0", .netns_fd = 1 << 20, .mtu = 1500 };
        struct ip gateway;

        if (!root)
                skip();
        memcpy(veth.mac, mac, MAC_SIZE);
        assert_int_equal(ip_parse("10.9.9.9", &gateway, NULL), 0);
        cni_link_put_default_route(&host, 1, &gateway);
        expect(ENETUNREACH, "add default route (Nexthop has invalid gateway): Network is unreachable");
        cni_link_put_veth(&host, &veth);
        assert_int_equal(cni_netlink_run(&host, NULL), -EBADF);
}

/* What was there before, or is gone already, is no failure where it does not matter. */
static void test_tolerated(void **state) {
        struct ip_cidr cidr;
        struct link link;

        if (!root)
                skip();
        assert_int_equal(ip_cidr_parse("10.88.0.1/16", &cidr, NULL), 0);
        for (int i = 0; i < 2; i++) {
                cni_link_put_bridge(&host, "br", mac, 1450);
                expect(0, NULL);
                cni_link_put_address(&host, cni_link_index(&host, "br"), &cidr);
                expect(0, NULL);
        }
        assert_int_equal(cni_link_get(&host, "br", &link, NULL), 0);
        assert_string_equal(link.kind, "bridge");
        assert_memory_equal(link.mac, mac, MAC_SIZE);
        assert_non_null(strstr(host_run("ip addr show br"), "10.88.0.1/16 brd 10.88.255.255 scope global br"));
        assert_non_null(strstr(host_run("ip -d link show br"), "mcast_snooping 0"));
        for (int i = 0; i < 2; i++) {
                cni_link_put_delete(&host, "br");
                expect(0, NULL);
        }
}

static void test_absent(void **state) {
        _cleanup_err_ struct err *err = NULL, *route = NULL;
        struct link link = { .index = 7 };
        int index = 7;

        if (!root)
                skip();
        assert_int_equal(cni_link_get(&host, "none", &link, &err), -ENODEV);
        assert_string_equal(err_text(err), "interface none: look up interface: No such device");
        assert_int_equal(link.index, 7);
        assert_int_equal(cni_link_index(&host, "none"), -ENODEV);
        assert_int_equal(cni_link_uplink(&host, AF_INET, &index, &route), -ENOENT);
        assert_string_equal(err_text(route), "no default route");
        assert_int_equal(index, 7);
}

/* A name of the full length goes through; every message of a large batch may fail, and all of them are heard. */
static void test_crowd(void **state) {
        char name[IFNAMSIZ];
        struct link link;

        if (!root)
                skip();
        cni_link_put_ifb(&host, "abcdefghijklmno", 1500);
        expect(0, NULL);
        assert_int_equal(cni_link_get(&host, "abcdefghijklmno", &link, NULL), 0);
        for (int i = 0; i < 4000; i++) {
                snprintf(name, sizeof(name), "gone%d", i);
                cni_link_put_group(&host, name, 77);
        }
        cni_link_put_group(&host, "abcdefghijklmno", 77);
        cni_link_put_delete_group(&host, 77);
        expect(0, NULL);
        assert_int_equal(cni_link_index(&host, "abcdefghijklmno"), -ENODEV);
}

/* One message more than a batch takes: nothing is sent, and the next batch is a new one. */
static void test_limit(void **state) {
        if (!root)
                skip();
        for (size_t i = 0; i <= NETLINK_BATCH_MAX; i++)
                cni_link_put_delete(&host, "none");
        cni_link_put_ifb(&host, "late", 1500);
        expect(E2BIG, "netlink message: Argument list too long");
        assert_int_equal(cni_link_index(&host, "late"), -ENODEV);
        for (size_t i = 0; i < NETLINK_BATCH_MAX; i++)
                cni_link_put_delete(&host, "none");
        expect(0, NULL);
}

static int count_link(const struct link *link, void *data) {
        ++*(int *)data;
        return strcmp(link->name, "many5") == 0 ? -ECANCELED : 0;
}

/* A dump that takes several reads is complete, and is ended by who takes it. */
static void test_dump(void **state) {
        _cleanup_netlink_ struct netlink other = NETLINK_NONE;
        char name[IFNAMSIZ];
        int n = 0;

        if (!root)
                skip();
        for (int i = 0; i < 40; i++) {
                snprintf(name, sizeof(name), "many%d", i == 5 ? 1000 : i);
                cni_link_put_ifb(&host, name, 1500);
        }
        expect(0, NULL);
        assert_int_equal(cni_link_for_each(&host, count_link, &n, NULL), 0);
        assert_int_equal(n, 41); /* and lo */
        cni_link_put_ifb(&host, "many5", 1500);
        expect(0, NULL);
        assert_int_equal(cni_netlink_open(NETLINK_ROUTE, &other, NULL), 0);
        assert_int_equal(cni_link_for_each(&other, count_link, &n, NULL), -ECANCELED);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_failure), cmocka_unit_test(test_words), cmocka_unit_test(test_tolerated),
                cmocka_unit_test(test_absent),  cmocka_unit_test(test_crowd), cmocka_unit_test(test_limit),
                cmocka_unit_test(test_dump),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
