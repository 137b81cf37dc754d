/* Nodes: how their pods' addresses are given out, how zones slow evictions, and which taints follow from conditions. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/controllers/node_cidrs.h"
#include "api/controllers/node_config.h"
#include "api/controllers/node_state.h"
#include "api/controllers/node_zones.h"
#include "kube/pod/tolerations.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define SECOND UINT64_C(1000000000)

static struct ip_cidr cidr(const char *text) {
        struct ip_cidr cidr;

        assert_int_equal(ip_cidr_parse(text, &cidr, NULL), 0);
        return cidr;
}

static void takes(struct node_cidrs *set, const char *expected) {
        char text[IP_CIDR_TEXT_MAX];
        struct ip_cidr block;

        if (!expected) {
                assert_false(node_cidrs_take(set, &block));
                return;
        }
        assert_true(node_cidrs_take(set, &block));
        assert_string_equal(ip_cidr_format(&block, text), expected);
}

static void holds(struct node_cidrs *set, const char *text) {
        struct ip_cidr block = cidr(text);

        node_cidrs_hold(set, &block);
}

static void releases(struct node_cidrs *set, const char *text) {
        struct ip_cidr block = cidr(text);

        node_cidrs_release(set, &block);
}

/* --- addresses --- */

static void blocks_are_given_in_turn(void **state) {
        struct ip_cidr range = cidr("10.1.0.0/22");
        struct node_cidrs set;

        assert_int_equal(node_cidrs_init(&set, &range, 24), 0);
        takes(&set, "10.1.0.0/24");
        takes(&set, "10.1.1.0/24");
        releases(&set, "10.1.0.0/24");
        takes(&set, "10.1.2.0/24");
        takes(&set, "10.1.3.0/24");
        takes(&set, "10.1.0.0/24");
        takes(&set, NULL);
        holds(&set, "10.1.2.0/24"); /* two have it */
        releases(&set, "10.1.2.0/24");
        takes(&set, NULL);
        releases(&set, "10.1.2.0/24");
        takes(&set, "10.1.2.0/24");
        node_cidrs_done(&set);
}

static void what_is_no_block_holds_all_that_it_meets(void **state) {
        struct ip_cidr range = cidr("10.1.0.0/22");
        struct node_cidrs set;

        assert_int_equal(node_cidrs_init(&set, &range, 24), 0);
        holds(&set, "10.1.0.0/23");
        holds(&set, "10.1.3.128/30");
        holds(&set, "10.2.0.0/16");
        holds(&set, "fd00::/64");
        takes(&set, "10.1.2.0/24");
        takes(&set, NULL);
        releases(&set, "10.1.3.128/30");
        takes(&set, "10.1.3.0/24");
        releases(&set, "10.0.0.0/8");
        takes(&set, "10.1.0.0/24");
        node_cidrs_done(&set);
}

static void blocks_of_six(void **state) {
        struct ip_cidr range = cidr("fd00:10:244::/56"), whole = cidr("0.0.0.0/0");
        struct node_cidrs set;

        assert_int_equal(node_cidrs_init(&set, &range, 64), 0);
        takes(&set, "fd00:10:244::/64");
        takes(&set, "fd00:10:244:1::/64");
        holds(&set, "fd00:10:244:2:ff::/80");
        takes(&set, "fd00:10:244:3::/64");
        node_cidrs_done(&set);
        assert_int_equal(node_cidrs_init(&set, &whole, 0), 0);
        takes(&set, "0.0.0.0/0");
        takes(&set, NULL);
        node_cidrs_done(&set);
        assert_int_equal(node_cidrs_check(&range, 72, NULL), 0);
        assert_int_equal(node_cidrs_check(&range, 73, NULL), -EINVAL);
        assert_int_equal(node_cidrs_check(&range, 55, NULL), -EINVAL);
}

static void ranges_are_chosen_beside_services(void **state) {
        static const struct {
                const char *services, *cluster, *first, *second;
                unsigned prefix;
                int result;
        } rows[] = {
                { "10.96.0.0/16", NULL, "10.244.0.0/16", NULL, 0, 0 },
                { "10.244.0.0/20", NULL, "10.128.0.0/16", NULL, 0, 0 },
                { "10.0.0.0/8", NULL, NULL, NULL, 0, -EINVAL },
                { "10.96.0.0/16,fd00:10::/112", NULL, "10.244.0.0/16", "fd00:10:244::/56", 0, 0 },
                { "fd00:10::/112", NULL, "fd00:10:244::/56", NULL, 0, 0 },
                { "10.96.0.0/16", "10.9.8.7/16", "10.9.0.0/16", NULL, 0, 0 },
                { "10.96.0.0/16", "10.9.0.0/16,fd00::/56", "10.9.0.0/16", "fd00::/56", 0, 0 },
                { "10.96.0.0/16", "10.9.0.0/16,fd00::/56", NULL, NULL, 24, -EINVAL },
                { "10.96.0.0/16", "10.9.0.0/16,10.8.0.0/16", NULL, NULL, 0, -EINVAL },
                { "10.96.0.0/16", "10.9.0.0/16,fd00::/56,fd01::/56", NULL, NULL, 0, -EINVAL },
                { "10.96.0.0/16", "ten", NULL, NULL, 0, -EINVAL },
                { "10.96.0.0/16", "10.9.0.0/16", NULL, NULL, 15, -EINVAL },
        };
        char text[IP_CIDR_TEXT_MAX];

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct node_config config = NODE_CONFIG_INIT;
                _cleanup_err_ struct err *err = NULL;

                config.cluster = rows[i].cluster;
                config.prefix = rows[i].prefix;
                assert_int_equal(node_config_read(&config, rows[i].services, &err), rows[i].result);
                assert_int_equal(rows[i].result < 0, !!err);
                if (rows[i].result < 0)
                        continue;
                assert_int_equal(config.n_ranges, rows[i].second ? 2 : 1);
                assert_string_equal(ip_cidr_format(&config.ranges[0].range, text), rows[i].first);
                if (rows[i].second)
                        assert_string_equal(ip_cidr_format(&config.ranges[1].range, text), rows[i].second);
        }
}

/* --- zones --- */

static struct node_config config = NODE_CONFIG_INIT;

static struct node_record *record(struct node_zones *zones, const char *zone, bool ready) {
        struct node_record *node = calloc(1, sizeof(*node) + 1);

        assert_non_null(node);
        assert_int_equal(node_zones_count(zones, node, zone, true, ready, SECOND), 0);
        return node;
}

static void end(struct node_zones *zones, struct node_record **nodes, size_t n) {
        for (size_t i = 0; i < n; i++) {
                node_zones_leave(nodes[i]);
                free(nodes[i]);
        }
        node_zones_done(zones);
}

static void evictions_have_a_rate(void **state) {
        struct node_zones zones = { .config = &config };
        struct node_record *nodes[5];
        uint64_t wait;

        for (size_t i = 0; i < 5; i++)
                nodes[i] = record(&zones, "", i > 1);
        assert_int_equal(node_zones_update(&zones, SECOND), NODE_ZONES_RATES);
        assert_true(node_zones_turn(&zones, nodes[0], SECOND, &wait));
        assert_false(node_zones_turn(&zones, nodes[1], SECOND, &wait));
        assert_int_equal((wait + SECOND / 1000) / SECOND, 10);
        assert_false(node_zones_turn(&zones, nodes[2], SECOND, &wait));
        assert_int_equal(wait, 0); /* others are first */
        assert_false(node_zones_turn(&zones, nodes[1], 6 * SECOND, &wait));
        assert_true(node_zones_turn(&zones, nodes[1], 11 * SECOND + 1, &wait));
        assert_false(node_zones_turn(&zones, nodes[2], 12 * SECOND, &wait));
        assert_true(wait > 0);
        end(&zones, nodes, 5);
}

static void zones_of_which_much_is_lost_wait(void **state) {
        struct node_zones zones = { .config = &config };
        struct node_record *nodes[104];
        uint64_t wait;

        /* 3 of 4: a small zone. */
        for (size_t i = 0; i < 4; i++)
                nodes[i] = record(&zones, "small", i == 3);
        /* 60 of 100: a large one. */
        for (size_t i = 4; i < 104; i++)
                nodes[i] = record(&zones, "large", i >= 64);
        node_zones_update(&zones, SECOND);
        assert_int_equal(nodes[0]->zone->state, NODE_ZONE_PARTIAL);
        assert_false(node_zones_turn(&zones, nodes[0], 100 * SECOND, &wait));
        assert_int_equal(wait, 0);
        assert_int_equal(nodes[4]->zone->state, NODE_ZONE_PARTIAL);
        assert_true(node_zones_turn(&zones, nodes[4], SECOND, &wait));
        assert_false(node_zones_turn(&zones, nodes[5], SECOND, &wait));
        assert_int_equal((wait + SECOND / 1000) / SECOND, 100);
        /* Two of four is not much. */
        assert_int_equal(node_zones_count(&zones, nodes[0], "small", true, true, SECOND), 0);
        assert_int_equal(node_zones_update(&zones, SECOND), NODE_ZONES_RATES);
        assert_int_equal(nodes[0]->zone->state, NODE_ZONE_NORMAL);
        /* One that is left out by its label counts for nothing. */
        assert_int_equal(node_zones_count(&zones, nodes[3], "small", false, true, SECOND), 0);
        assert_int_equal(nodes[0]->zone->ready, 1);
        end(&zones, nodes, 104);
}

static void all_down_is_another_thing(void **state) {
        struct node_zones zones = { .config = &config };
        struct node_record *nodes[2] = { record(&zones, "a", false), record(&zones, "b", true) };
        uint64_t wait;

        assert_int_equal(node_zones_update(&zones, SECOND), NODE_ZONES_RATES);
        assert_int_equal(nodes[0]->zone->state, NODE_ZONE_FULL);
        assert_false(zones.all_down);
        assert_int_equal(node_zones_count(&zones, nodes[1], "b", true, false, SECOND), 0);
        assert_int_equal(node_zones_update(&zones, SECOND), NODE_ZONES_DOWN);
        assert_false(node_zones_turn(&zones, nodes[0], SECOND, &wait));
        assert_int_equal(node_zones_update(&zones, SECOND), NODE_ZONES_SAME);
        assert_int_equal(node_zones_count(&zones, nodes[1], "b", true, true, SECOND), 0);
        assert_int_equal(node_zones_update(&zones, SECOND), NODE_ZONES_UP);
        assert_false(node_zones_turn(&zones, nodes[0], 2 * SECOND, &wait)); /* the bucket begins empty */
        assert_true(wait > 0);
        end(&zones, nodes, 2);
}

static void no_node_is_not_down(void **state) {
        struct node_zones zones = { .config = &config };

        assert_int_equal(node_zones_update(&zones, SECOND), NODE_ZONES_SAME);
        assert_false(zones.all_down);
        node_zones_done(&zones);
}

/* --- taints and tolerations --- */

static void tolerations(void **state) {
        static const struct {
                struct kube_toleration toleration;
                bool tolerates;
        } rows[] = { { { .operator= "Exists" }, true },
                       { { .key = "k", .operator= "Exists" }, true },
                         {
                                 { .key = "j", .operator= "Exists" }, false },
                                 { { .key = "k", .value = "v" }, true },
                                 { { .key = "k", .operator= "Equal", .value = "v", .effect = "NoExecute" }, true },
                                 { { .key = "k", .value = "v", .effect = "NoSchedule" }, false },
                                 { { .key = "k", .value = "w" }, false },
                                 { { .key = "k" }, false },
                                 { { .key = "k", .operator= "Like", .value = "v" }, false },
                       };
        const struct kube_taint taint = { .key = "k", .value = "v", .effect = "NoExecute" };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct kube_toleration one = rows[i].toleration;
                const kube_toleration_items all = { .items = &one, .count = 1 };

                assert_ptr_equal(pod_toleration_of(&all, &taint), rows[i].tolerates ? &one : NULL);
        }
}

static void a_lost_node_has_all_conditions(void **state) {
        struct kube_node_condition given[] = { { .type = "NetworkUnavailable", .status = "False" },
                                               { .type = "Ready", .status = "True", .reason = "KubeletReady" } };
        struct kube_node node = { .status.conditions = { .items = given, .count = 2 } };
        _cleanup_arena_ struct arena *arena = arena_new();
        bool changed;

        assert_int_equal(node_state_lose(arena, &node, 1000, &changed), 0);
        assert_true(changed);
        assert_int_equal(node.status.conditions.count, 5);
        assert_string_equal(node_state_condition(&node, "NetworkUnavailable")->status, "False");
        assert_string_equal(node_state_condition(&node, "Ready")->reason, "NodeStatusUnknown");
        assert_string_equal(node_state_condition(&node, "PIDPressure")->reason, "NodeStatusNeverUpdated");
        assert_int_equal(node_state_condition(&node, "Ready")->last_transition_time.seconds, 1000);
        assert_int_equal(node_state_lose(arena, &node, 2000, &changed), 0);
        assert_false(changed);
        assert_int_equal(node_state_condition(&node, "Ready")->last_transition_time.seconds, 1000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(blocks_are_given_in_turn),
                cmocka_unit_test(what_is_no_block_holds_all_that_it_meets),
                cmocka_unit_test(blocks_of_six),
                cmocka_unit_test(ranges_are_chosen_beside_services),
                cmocka_unit_test(evictions_have_a_rate),
                cmocka_unit_test(zones_of_which_much_is_lost_wait),
                cmocka_unit_test(all_down_is_another_thing),
                cmocka_unit_test(no_node_is_not_down),
                cmocka_unit_test(tolerations),
                cmocka_unit_test(a_lost_node_has_all_conditions),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
