/* Which routes and tunnels a cluster's nodes need, and what of it is one range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cni/peers_plan.h"
#include "cni/ranges.h"
#include "lib/cleanup.h"

#define OWN_INDEX 2
#define OWN_MTU 1500

static struct ip ip(const char *text) {
        struct ip made;

        assert_int_equal(ip_parse(text, &made, NULL), 0);
        return made;
}

static struct ip_cidr cidr(const char *text) {
        struct ip_cidr made;

        assert_int_equal(ip_cidr_parse(text, &made, NULL), 0);
        return made;
}

/* 192.0.2.0/24 and 2001:db8::/64 are the host's own links, 203.0.113.0/24 nowhere; .1 is the host itself. */
static int find(void *data, const struct ip *to, struct route_way *ret_way) {
        const struct ip_cidr link4 = cidr("192.0.2.0/24"), link6 = cidr("2001:db8::/64"),
                             nowhere = cidr("203.0.113.0/24");
        const struct ip own = ip("192.0.2.1");

        if (ip_cidr_contains(&nowhere, to))
                return -ENETUNREACH;
        *ret_way = (struct route_way){ .index = OWN_INDEX,
                                       .local = ip_equal(to, &own),
                                       .on_link = ip_cidr_contains(&link4, to) || ip_cidr_contains(&link6, to) };
        return 0;
}

static uint32_t mtu(void *data, int index) {
        return index == OWN_INDEX ? OWN_MTU : 0;
}

static const struct peers_finder finder = { .find = find, .mtu = mtu };

struct row {
        const char *name, *cidrs[2], *addresses[2];
};

static struct peers_plan plan_of(const struct row *rows, size_t n) {
        const struct ip_cidr own[] = { cidr("10.1.0.0/24"), cidr("fd00:1::/64") };
        const struct peers_host host = { "nacelle0", own, 2 };
        struct network_peer peers[8] = { 0 };
        const struct network_cluster cluster = { "own", peers, n };
        struct peers_plan plan;

        for (size_t i = 0; i < n; i++) {
                peers[i].name = rows[i].name;
                for (; peers[i].n_cidrs < 2 && rows[i].cidrs[peers[i].n_cidrs]; peers[i].n_cidrs++)
                        peers[i].cidrs[peers[i].n_cidrs] = cidr(rows[i].cidrs[peers[i].n_cidrs]);
                for (; peers[i].n_addresses < 2 && rows[i].addresses[peers[i].n_addresses]; peers[i].n_addresses++)
                        peers[i].addresses[peers[i].n_addresses] = ip(rows[i].addresses[peers[i].n_addresses]);
        }
        assert_int_equal(cni_peers_plan(&host, &cluster, &finder, &plan), 0);
        return plan;
}

static void assert_route(const struct peers_route *route, const char *to, const char *via, uint8_t carrier) {
        char text[IP_CIDR_TEXT_MAX];

        assert_string_equal(ip_cidr_format(&route->route.to, text), to);
        assert_string_equal(ip_format(&route->route.via, text), via);
        assert_int_equal(route->carrier, carrier);
        assert_int_equal(route->route.index, carrier ? 0 : OWN_INDEX);
}

static void test_direct_where_a_link_is_shared(void **state) {
        _cleanup_peers_plan_ struct peers_plan plan =
                plan_of(&(struct row){ "b", { "10.1.1.0/24", "fd00:2::/64" }, { "192.0.2.2", "2001:db8::2" } }, 1);

        assert_int_equal(plan.n_routes, 2);
        assert_route(&plan.routes[0], "10.1.1.0/24", "192.0.2.2", 0);
        assert_route(&plan.routes[1], "fd00:2::/64", "2001:db8::2", 0);
        assert_int_equal(plan.routes[0].route.source.family, 0);
        assert_int_equal(plan.n_ends, 0);
        assert_int_equal(plan.mtu[0] + plan.mtu[1], 0);
        assert_int_equal(plan.inside.n, 4); /* both networks, and the node's two addresses */
}

static void test_a_tunnel_through_a_router(void **state) {
        _cleanup_peers_plan_ struct peers_plan plan =
                plan_of(&(struct row){ "b", { "10.1.1.0/24", "fd00:2::/64" }, { "198.51.100.2" } }, 1);
        char text[IP_TEXT_MAX];
        uint8_t mac[MAC_SIZE];

        assert_int_equal(plan.n_routes, 2);
        assert_route(&plan.routes[0], "10.1.1.0/24", "10.1.1.0", AF_INET);
        assert_route(&plan.routes[1], "fd00:2::/64", "fd00:2::", AF_INET);
        assert_string_equal(ip_format(&plan.routes[0].route.source, text), "10.1.0.1");
        assert_string_equal(ip_format(&plan.routes[1].route.source, text), "fd00:1::1");
        assert_int_equal(plan.n_ends, 1);
        cni_peers_mac("b", mac);
        assert_memory_equal(plan.ends[0].end.mac, mac, MAC_SIZE);
        assert_string_equal(ip_format(&plan.ends[0].end.carrier, text), "198.51.100.2");
        assert_string_equal(ip_format(&plan.ends[0].end.ip[0], text), "10.1.1.0");
        assert_string_equal(ip_format(&plan.ends[0].end.ip[1], text), "fd00:2::");
        assert_int_equal(plan.mtu[0], OWN_MTU - PEERS_OVERHEAD4);
        assert_int_equal(plan.inside.n, 2); /* the node's address, behind a router, is not inside */
}

static void test_families_go_apart(void **state) {
        const struct row rows[] = {
                { "b", { "10.1.1.0/24", "fd00:2::/64" }, { "192.0.2.2" } },    /* IPv6 has no link: by IPv4's */
                { "c", { "10.1.2.0/24", "fd00:3::/64" }, { "2001:db8:9::3" } } /* all of it by IPv6 */
        };
        _cleanup_peers_plan_ struct peers_plan plan = plan_of(rows, ELEMENTS(rows));

        assert_int_equal(plan.n_routes, 4);
        assert_route(&plan.routes[0], "10.1.1.0/24", "192.0.2.2", 0);
        assert_route(&plan.routes[1], "10.1.2.0/24", "10.1.2.0", AF_INET6);
        assert_route(&plan.routes[2], "fd00:2::/64", "fd00:2::", AF_INET);
        assert_route(&plan.routes[3], "fd00:3::/64", "fd00:3::", AF_INET6);
        assert_int_equal(plan.mtu[0], OWN_MTU - PEERS_OVERHEAD4);
        assert_int_equal(plan.mtu[1], OWN_MTU - PEERS_OVERHEAD6);
}

static void test_what_cannot_be_is_left_out(void **state) {
        const struct row rows[] = {
                { "own-host", { "10.1.1.0/24" }, { "192.0.2.1" } }, { "nowhere", { "10.1.2.0/24" }, { "203.0.113.2" } },
                { "ours", { "10.1.0.128/25" }, { "192.0.2.3" } },   { "all", { "0.0.0.0/0", "::/0" }, { "192.0.2.4" } },
                { "itself", { "192.0.2.0/28" }, { "192.0.2.5" } },  { "first", { "10.1.3.0/24" }, { "192.0.2.6" } },
                { "again", { "10.1.3.128/25" }, { "192.0.2.7" } },  { "homeless", { "10.1.4.0/24" }, { NULL } },
        };
        _cleanup_peers_plan_ struct peers_plan plan = plan_of(rows, ELEMENTS(rows));

        assert_int_equal(plan.n_routes, 1);
        assert_route(&plan.routes[0], "10.1.3.0/24", "192.0.2.6", 0);
}

static void test_ranges(void **state) {
        static const struct {
                const char *cidrs[5], *ranges;
        } rows[] = {
                { { "10.0.0.0/24" }, "10.0.0.0-10.0.1.0" },
                { { "10.0.1.0/24", "10.0.0.0/24" }, "10.0.0.0-10.0.2.0" },
                { { "10.0.0.0/16", "10.0.3.0/24", "10.2.0.1/32" }, "10.0.0.0-10.1.0.0 10.2.0.1-10.2.0.2" },
                { { "10.255.255.0/24", "fd00::/64" }, "10.255.255.0-11.0.0.0" },
                { { "255.255.255.0/24", "255.0.0.0/16" }, "255.0.0.0-255.1.0.0 255.255.255.0-" },
                { { "0.0.0.0/0", "10.0.0.0/8" }, "0.0.0.0-" },
                { { "fd00::/64" }, "" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct ip_cidr cidrs[5];
                struct range ranges[5];
                char text[256] = "", first[IP_TEXT_MAX], past[IP_TEXT_MAX];
                size_t n = 0, made;

                for (; n < 5 && rows[i].cidrs[n]; n++)
                        cidrs[n] = cidr(rows[i].cidrs[n]);
                made = cni_ranges_make(AF_INET, cidrs, n, ranges);
                for (size_t k = 0; k < made; k++)
                        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s-%s", k > 0 ? " " : "",
                                 ip_format(&ranges[k].first, first),
                                 ranges[k].open ? "" : ip_format(&ranges[k].past, past));
                assert_string_equal(text, rows[i].ranges);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_direct_where_a_link_is_shared),
                cmocka_unit_test(test_a_tunnel_through_a_router),
                cmocka_unit_test(test_families_go_apart),
                cmocka_unit_test(test_what_cannot_be_is_left_out),
                cmocka_unit_test(test_ranges),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
