/* Which pods go first, and what a set counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/controllers/replicaset.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#define NOW INT64_C(1796000000)

/* --- which go first --- */

#define READY(seconds) .phase = KNOWN_RUNNING, .node = "n", .ready = true, .ready_since = NOW - (seconds)
#define RUNS READY(1000)

/* The first of each pair goes first. */
static const struct {
        const char *why;
        struct known_pod first, second;
        unsigned first_rank, second_rank;
        int64_t first_created, second_created;
        const char *first_uid, *second_uid;
} pairs[] = {
        { .why = "no node",
          .first = { .node = "", .phase = KNOWN_PENDING },
          .second = { .node = "n", .phase = KNOWN_PENDING } },
        { .why = "pending",
          .first = { .node = "n", .phase = KNOWN_PENDING },
          .second = { .node = "n", .phase = KNOWN_UNKNOWN } },
        { .why = "unknown",
          .first = { .node = "n", .phase = KNOWN_UNKNOWN },
          .second = { .node = "n", .phase = KNOWN_RUNNING } },
        { .why = "not ready", .first = { .node = "n", .phase = KNOWN_RUNNING }, .second = { RUNS } },
        { .why = "not ready, whatever it costs",
          .first = { .node = "n", .phase = KNOWN_RUNNING, .deletion_cost = 9 },
          .second = { RUNS } },
        { .why = "costs less", .first = { RUNS, .deletion_cost = -1 }, .second = { RUNS } },
        { .why = "costs less, alone or not",
          .first = { RUNS, .deletion_cost = 1 },
          .second = { RUNS, .deletion_cost = 2 },
          .second_rank = 5 },
        { .why = "is not alone on its node", .first = { RUNS }, .second = { RUNS }, .first_rank = 2, .second_rank = 1 },
        { .why = "was ready later, by a power of two", .first = { READY(5) }, .second = { RUNS } },
        { .why = "was ready about as long: by uid",
          .first = { READY(1001) },
          .second = { RUNS },
          .first_uid = "a",
          .second_uid = "b" },
        { .why = "has started again more often",
          .first = { RUNS, .restarts = 3 },
          .second = { RUNS, .restarts = 2, .sidecar_restarts = 9 } },
        { .why = "so have its sidecars", .first = { RUNS, .sidecar_restarts = 3 }, .second = { RUNS } },
        { .why = "is younger",
          .first = { RUNS },
          .second = { RUNS },
          .first_created = NOW - 10,
          .second_created = NOW - 1000 },
};

static void order_of_pairs(void **state) {
        for (size_t i = 0; i < ELEMENTS(pairs); i++) {
                const struct known_object a = { .pod = &pairs[i].first,
                                                .created = pairs[i].first_created,
                                                .uid = pairs[i].first_uid ?: "x" },
                                          b = { .pod = &pairs[i].second,
                                                .created = pairs[i].second_created,
                                                .uid = pairs[i].second_uid ?: "x" };
                const struct replicaset_ranked one = { &a, pairs[i].first_rank }, two = { &b, pairs[i].second_rank };
                struct replicaset_ranked both[] = { one, two }, other[] = { two, one };

                replicaset_sort(both, 2, NOW);
                replicaset_sort(other, 2, NOW);
                if (both[0].pod != &a || other[0].pod != &a)
                        fail_msg("%s", pairs[i].why);
        }
}

/* --- conditions --- */

static void failures_come_and_go(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct kube_apps_v1_replica_set_status s = { 0 };

        assert_int_equal(replicaset_set_failure(arena, &s, NULL, NULL, NOW), 0);
        assert_int_equal(s.conditions.count, 0);
        assert_int_equal(replicaset_set_failure(arena, &s, "FailedCreate", "first", NOW), 0);
        assert_int_equal(replicaset_set_failure(arena, &s, "FailedDelete", "second", NOW + 1), 0);
        assert_int_equal(s.conditions.count, 1);
        assert_string_equal(s.conditions.items[0].message, "first");
        assert_int_equal(s.conditions.items[0].last_transition_time.seconds, NOW);
        assert_int_equal(replicaset_set_failure(arena, &s, NULL, NULL, NOW + 2), 0);
        assert_int_equal(s.conditions.count, 0);
}

/* --- pods as they are read --- */

static void availability(void **state) {
        static const struct known_pod ready = { .ready = true, .ready_since = NOW }, not_yet = { .ready_since = NOW };
        const struct known_object a = { .pod = &ready }, b = { .pod = &not_yet };

        assert_int_equal(known_available_at(&a, 0), NOW);
        assert_int_equal(known_available_at(&a, 10), NOW + 10);
        assert_int_equal(known_available_at(&b, 0), INT64_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(order_of_pairs),
                cmocka_unit_test(failures_come_and_go),
                cmocka_unit_test(availability),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
