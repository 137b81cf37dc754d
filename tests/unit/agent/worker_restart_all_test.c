/* RestartAllContainers: a rule by which a container's exit begins the whole pod anew (KEP-5532). */
#include "tests/unit/agent/world.h"

#define RULE(codes, action)                                                                                            \
        ",\"restartPolicy\":\"Never\",\"restartPolicyRules\":[{\"action\":\"" action                                   \
        "\",\"exitCodes\":{\"operator\":\"In\",\"values\":[" codes "]}}]"

/* clang-format off */
static const char restart_all[] = POD("\"restartPolicy\":\"Never\","
        "\"initContainers\":[" C("i", "") "," C("car", ",\"restartPolicy\":\"Always\"") "],"
        "\"containers\":[" C("a", RULE("42", "RestartAllContainers")) ","
        C("b", ",\"lifecycle\":{\"preStop\":{\"exec\":{\"command\":[\"down\"]}}}") "," C("done", "") "]");
/* clang-format on */

static void begin_restart_all(struct world *w) {
        world_begin(w, restart_all);
        world_expect(w, "run s0; start i#0");
        world_exit(w, "i", 0);
        world_expect(w, "start car#0; start a#0; start b#0; start done#0");
        world_exit(w, "done", 1);
        world_expect_status(w, "\"AllContainersRestarting\",\"status\":\"False\"");
}

/* Without grace and hooks, in the same sandbox; who asked is removed last; then all from the beginning. */
static void test_restart_all_containers(void **state) {
        struct world *w = *state;

        begin_restart_all(w);
        world_exit(w, "a", 42);
        world_expect(w, "stop b 2; stop car 2; rm i#0; rm car#0; rm b#0; rm done#0; rm a#0; start i#1");
        world_expect_status(w, "\"phase\":\"Pending\"");
        world_expect_status(w, "\"Initialized\",\"status\":\"True\"");
        world_expect_status(w, "\"lastState\":{\"terminated\":{\"exitCode\":137,\"reason\":\"RestartingAllContainers\","
                               "\"message\":\"The container is removed because RestartAllContainers in place\","
                               "\"startedAt\":null,\"finishedAt\":null}}");
        world_exit(w, "i", 0);
        world_expect(w, "start car#1; start a#1; start b#1; start done#1");
        world_expect_status(w, "\"phase\":\"Running\"");
        world_exit(w, "a", 42); /* a second is between two restarts */
        world_expect(w, "");
        world_expect_status(w, "\"AllContainersRestarting\",\"status\":\"True\"");
        world_pass(w, 999);
        world_expect(w, "");
        world_pass(w, 1);
        world_expect(w, "stop done 2; stop b 2; stop car 2; rm i#1; rm car#1; rm b#1; rm done#1; rm a#1; start i#2");
        world_exit(w, "i", 3); /* no rule: the pod's own policy */
        world_expect_status(w, "\"phase\":\"Failed\"");
}

/* Another code, or a rule before it, is no reason; the pod ends as it would. */
static void test_restart_all_is_not_asked_for(void **state) {
        struct world *w = *state;

        begin_restart_all(w);
        world_exit(w, "a", 41);
        world_expect(w, "");
        world_exit(w, "b", 42);
        world_expect(w, "stop car 30; stop sandbox");
        world_expect_status(w, "\"AllContainersRestarting\",\"status\":\"False\",\"lastProbeTime\":null");
        world_expect_status(w, "\"phase\":\"Failed\"");
}

/* An agent that died in between finds the container that asked, and goes on; its hint says that nothing is initialized.
 */
static void test_take_up_of_a_restart(void **state) {
        struct worker_found_container containers[] = { { "a", "s0-a-0", 0 } };
        struct worker_found found = { .sandbox_id = "s0", .containers = containers, .n_containers = 1 };
        struct world *w = *state;

        begin_restart_all(w);
        world_exit(w, "b", 0);
        w->hold_stops = true;
        world_exit(w, "a", 42);
        world_expect(w, "stop car 2");
        worker_free(w->worker);
        world_pod(w, restart_all);
        assert_int_equal(worker_take_up(w->worker, &found), 0);
        world_run(w);
        world_expect(w, "rm a#0; start i#1");
        world_exit_quietly(w, "car", 137); /* what the first agent waited for */
}

/* What was just being started does not make the pod an initialized one. */
static void test_restart_all_during_a_start(void **state) {
        struct world *w = *state;

        world_begin(w, restart_all);
        world_expect(w, "run s0; start i#0");
        world_exit_quietly(w, "i", 0);
        for (int i = 0; i < 3; i++) { /* car, a, b */
                world_run_until(w, CRI_START_CONTAINER);
                if (i < 2)
                        world_run_one(w);
        }
        world_expect(w, "start car#0; start a#0");
        world_exit_quietly(w, "a", 42);
        world_run(w);
        world_expect(w, "start b#0; stop car 2; stop b 2; rm i#0; rm car#0; rm b#0; rm a#0; start i#1");
}

static void test_delete_while_all_restart(void **state) {
        struct world *w = *state;

        begin_restart_all(w);
        w->hold_stops = true;
        world_exit(w, "a", 42);
        world_expect(w, "stop b 2; stop car 2");
        worker_delete(w->worker);
        world_exit(w, "b", 0);
        world_exit(w, "car", 0);
        world_expect(w, "stop sandbox; rm sandbox");
        assert_true(w->gone);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                WORLD_TEST(test_restart_all_containers),   WORLD_TEST(test_restart_all_is_not_asked_for),
                WORLD_TEST(test_take_up_of_a_restart),     WORLD_TEST(test_restart_all_during_a_start),
                WORLD_TEST(test_delete_while_all_restart),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
