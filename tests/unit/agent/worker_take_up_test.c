/* A worker that finds what the agent before it has left. */
#include "tests/unit/agent/world.h"

#include <errno.h>

#include "agent/volumes/tree.h"
#include "lib/cleanup.h"

/* A second agent finds what the first one left, touches nothing, and goes on counting. */
static void test_take_up(void **state) {
        static const char json[] = POD("\"containers\":[" C("a", "") "," C("b", "") "]");
        struct worker_found_container containers[] = { { "a", "s0-a-0", 0 },
                                                       { "b", "s0-b-0", 0 },
                                                       { "b", "s0-b-1", 1 } };
        struct worker_found found = { .sandbox_id = "s0", .containers = containers, .n_containers = 3 };
        struct world *w = *state;

        world_begin(w, json);
        world_exit(w, "b", 1);
        world_expect(w, "run s0; start a#0; start b#0; start b#1");
        worker_free(w->worker);
        world_pod(w, json);
        assert_int_equal(worker_take_up(w->worker, &found), 0);
        world_run(w);
        world_expect(w, "");
        world_expect_status(w, "\"restartCount\":1");
        world_exit(w, "b", 1); /* back-off goes on where it was: 10 s */
        world_expect(w, "");
        world_pass(w, 10000);
        world_expect(w, "rm b#0; start b#2");
        world_exit(w, "a", 1);
        world_expect(w, "start a#1");
}

/* Ready before the agent's restart, ready after it: also when the probe passed while postStart ran. */
static void test_take_up_of_a_ready_container(void **state) {
        static const char json[] =
                POD("\"containers\":[" C("a", ",\"readinessProbe\":{\"tcpSocket\":{\"port\":80},\"periodSeconds\":5},"
                                              "\"lifecycle\":{\"postStart\":{\"exec\":{\"command\":[\"up\"]}}}") "]");
        struct worker_found_container containers[] = { { "a", "s0-a-0", 0 } };
        struct worker_found found = { .sandbox_id = "s0", .containers = containers, .n_containers = 1 };
        struct world *w = *state;

        world_pod(w, json);
        worker_start(w->worker);
        world_run_until(w, CRI_EXEC_SYNC);
        worker_tick(w->worker);
        world_pass(w, 1);
        world_expect_status(w, "\"type\":\"Ready\",\"status\":\"True\"");
        worker_free(w->worker);
        world_pod(w, json);
        assert_int_equal(worker_take_up(w->worker, &found), 0);
        world_run(w);
        world_expect_status(w, "\"type\":\"Ready\",\"status\":\"True\"");
        world_pass(w, 60000);
        world_expect_status(w, "\"type\":\"Ready\",\"status\":\"True\"");
}

static void test_take_up_of_a_finished_pod(void **state) {
        static const char json[] = POD("\"restartPolicy\":\"Never\",\"containers\":[" C("a", "") "]");
        struct worker_found_container containers[] = { { "a", "s0-a-0", 0 } };
        struct worker_found found = { .sandbox_id = "s0", .containers = containers, .n_containers = 1 };
        struct world *w = *state;

        world_begin(w, json);
        world_exit(w, "a", 0);
        world_expect(w, "run s0; start a#0; stop sandbox");
        worker_free(w->worker);
        world_pod(w, json);
        assert_int_equal(worker_take_up(w->worker, &found), 0);
        world_run(w);
        world_expect(w, "stop sandbox");
        world_expect_status(w, "\"phase\":\"Succeeded\"");
}

/* Records of init containers that have gone: they were done when something came after them. */
static void test_take_up_without_records(void **state) {
        static const char json[] = POD("\"initContainers\":[" C("i", "") "," C(
                "car", ",\"restartPolicy\":\"Always\"") "," C("k", "") "],\"containers\":[" C("a", "") "]");
        static const struct {
                const char *name, *id, *then, *status;
        } cases[] = {
                { "a", "s0-a-0", "start car#0", "\"phase\":\"Running\"" },
                { "k", "s0-k-0", "start car#0; start a#0", "treat it as exited normally" },
                { "car", "s0-car-0", "start k#0", "\"phase\":\"Pending\"" },
                { NULL, NULL, "start i#0", "\"phase\":\"Pending\"" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct worker_found_container container = { cases[i].name, cases[i].id, 0 };
                struct worker_found found = { .sandbox_id = "s0",
                                              .containers = &container,
                                              .n_containers = cases[i].name != NULL };
                struct world *w = world_new();

                world_begin(w, json);
                world_exit(w, "i", 0);
                world_exit(w, "k", 0);
                world_expect(w, "run s0; start i#0; start car#0; start k#0; start a#0");
                worker_free(w->worker);
                pod_tree_remove(w->root, NULL); /* its hint, too */
                world_pod(w, json);
                assert_int_equal(worker_take_up(w->worker, &found), 0);
                world_run(w);
                world_expect(w, cases[i].then);
                world_expect_status(w, cases[i].status);
                world_expect_status(w, "\"restartCount\":0");
                world_free(w);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                WORLD_TEST(test_take_up),
                WORLD_TEST(test_take_up_of_a_ready_container),
                WORLD_TEST(test_take_up_of_a_finished_pod),
                cmocka_unit_test(test_take_up_without_records),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
