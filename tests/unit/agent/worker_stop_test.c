/* How a pod and its containers are ended: grace, hooks, sidecars last. */
#include "tests/unit/agent/world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"

static void test_deletion_with_grace(void **state) {
        struct world *w = *state;

        world_begin(w, POD("\"terminationGracePeriodSeconds\":7,\"containers\":[" C("a", "") "]"));
        worker_delete(w->worker);
        world_run(w);
        world_expect(w, "run s0; start a#0; stop a 7; stop sandbox; rm sandbox");
        assert_true(w->gone);
}

static void test_active_deadline(void **state) {
        struct world *w = *state;

        world_begin(w, POD("\"activeDeadlineSeconds\":60,\"containers\":[" C("a", "") "]"));
        world_pass(w, 59999);
        world_expect(w, "run s0; start a#0");
        world_pass(w, 1);
        world_expect(w, "stop a 30; stop sandbox");
        world_expect_status(w, "\"reason\":\"DeadlineExceeded\"");
        world_expect_status(w, "\"phase\":\"Failed\"");
}

static void test_pre_stop_uses_the_grace_period(void **state) {
        struct world *w = *state;

        world_begin(w, POD("\"terminationGracePeriodSeconds\":30,\"containers\":[" C(
                               "a", ",\"lifecycle\":{\"preStop\":{\"sleep\":{\"seconds\":10}}}") "]"));
        worker_delete(w->worker);
        world_run(w);
        world_expect(w, "run s0; start a#0");
        world_pass(w, 9999);
        world_expect(w, "");
        world_pass(w, 1);
        world_expect(w, "stop a 20; stop sandbox; rm sandbox");
        assert_true(w->gone);
}

static void test_hooks_by_exec(void **state) {
        struct world *w = *state;

        world_begin(w, POD("\"containers\":[" C("a", ",\"lifecycle\":{\"postStart\":{\"exec\":{\"command\":[\"up\"]}},"
                                                     "\"preStop\":{\"exec\":{\"command\":[\"down\"]}}}") "]"));
        worker_delete(w->worker);
        world_run(w);
        world_expect(w, "run s0; start a#0; exec up; exec down; stop a 30; stop sandbox; rm sandbox");
}

static void test_failed_post_start_kills(void **state) {
        struct world *w = *state;

        w->exec_exit = 1;
        world_begin(w, POD("\"restartPolicy\":\"Never\",\"containers\":[" C(
                               "a", ",\"lifecycle\":{\"postStart\":{\"exec\":{\"command\":[\"up\"]}}}") "]"));
        world_expect(w, "run s0; start a#0; exec up; stop a 30; stop sandbox");
        world_expect_status(w, "\"phase\":\"Failed\"");
}

/* What postStart says when its container is to end already is not preStop's answer. */
static void test_late_answer_of_a_hook(void **state) {
        struct world *w = *state;

        world_pod(w, POD("\"containers\":[" C("a", ",\"lifecycle\":{\"postStart\":{\"exec\":{\"command\":[\"up\"]}},"
                                                   "\"preStop\":{\"exec\":{\"command\":[\"down\"]}}}") "]"));
        worker_start(w->worker);
        world_run_until(w, CRI_EXEC_SYNC);
        worker_delete(w->worker);
        world_run_one(w);
        world_expect(w, "run s0; start a#0; exec up");
        world_run_until(w, CRI_STOP_CONTAINER);
        world_expect(w, "exec down");
        world_run(w);
        world_expect(w, "stop a 30; stop sandbox; rm sandbox");
}

/* As kubelet does: the container's preStop and the whole grace; what is to start after it waits. */
static void test_failed_post_start_runs_pre_stop(void **state) {
        struct world *w = *state;

        w->exec_exit = 1;
        world_begin(w, POD("\"terminationGracePeriodSeconds\":20,\"restartPolicy\":\"Never\",\"containers\":[" C(
                               "a", ",\"lifecycle\":{\"postStart\":{\"exec\":{\"command\":[\"up\"]}},"
                                    "\"preStop\":{\"sleep\":{\"seconds\":5}}}") "," C("b", "") "]"));
        world_expect(w, "run s0; start a#0; exec up");
        world_pass(w, 4999);
        world_expect(w, "");
        world_pass(w, 1);
        world_expect(w, "stop a 15; start b#0");
}

/* The end of a pod has a second for its hooks, the end of a container that failed a probe or its hook has not. */
static void test_grace_of_zero_with_hooks(void **state) {
        static const char json[] = POD("\"terminationGracePeriodSeconds\":0,\"containers\":[" C(
                "a", ",\"lifecycle\":{\"preStop\":{\"exec\":{\"command\":[\"down\"]}}}"
                     ",\"livenessProbe\":{\"exec\":{\"command\":[\"live\"]},\"failureThreshold\":1}") "]");
        struct world *w = *state;

        world_begin(w, json);
        worker_delete(w->worker);
        world_run(w);
        world_expect(w, "run s0; start a#0; exec live; exec down; stop a 2; stop sandbox; rm sandbox");
        worker_free(w->worker);
        w->exec_exit = 1;
        world_begin(w, json);
        world_expect(w, "run s1; start a#0; exec live; stop a 2; start a#1; exec live; stop a 2; rm a#0; start a#2; "
                        "exec live; stop a 2");
}

/* Times that a clock of milliseconds cannot say never come. */
static void test_grace_without_end(void **state) {
        static const char *const huge[] = { "9223372036854775807", "9223372036854776", "9223372036854775" };

        for (size_t i = 0; i < ELEMENTS(huge); i++) {
                struct world *w = world_new();
                char json[512];

                snprintf(json, sizeof(json),
                         POD("\"terminationGracePeriodSeconds\":%s,\"containers\":[" C(
                                 "a", ",\"lifecycle\":{\"preStop\":{\"sleep\":{\"seconds\":%s}}}") "]"),
                         huge[i], i % 2 ? "7" : huge[i]);
                world_begin(w, json);
                worker_delete(w->worker);
                world_run(w);
                world_expect(w, "run s0; start a#0");
                world_pass(w, 7000);
                if (i % 2)
                        assert_non_null(strstr(w->log, "stop a 9223372035"));
                else
                        assert_string_equal(w->log, "");
                world_free(w);
        }
}

/* Every preStop hook runs at once when the pod ends; only the stops have an order. */
static void test_pre_stop_of_sidecars_does_not_wait(void **state) {
        struct world *w = *state;

        world_begin(w,
                    POD("\"terminationGracePeriodSeconds\":9,\"initContainers\":[" C(
                            "car", ",\"restartPolicy\":\"Always\",\"lifecycle\":{\"preStop\":{\"exec\":{\"command\":["
                                   "\"down\"]}}}") "],\"containers\":[" C("a", "") "]"));
        w->hold_stops = true;
        worker_delete(w->worker);
        world_run(w);
        world_expect(w, "run s0; start car#0; start a#0; stop a 9; exec down");
        world_pass(w, 2000);
        world_exit(w, "a", 0);
        world_expect(w, "stop car 7");
        world_exit(w, "car", 0);
        world_expect(w, "stop sandbox; rm sandbox");
}

static void test_sidecar_does_not_outwait_the_grace_period(void **state) {
        struct world *w = *state;

        world_begin(w, POD("\"terminationGracePeriodSeconds\":9,\"initContainers\":[" C(
                               "car", ",\"restartPolicy\":\"Always\"") "],\"containers\":[" C("a", "") "]"));
        w->hold_stops = true;
        worker_delete(w->worker);
        world_run(w);
        world_pass(w, 8999);
        world_expect(w, "run s0; start car#0; start a#0; stop a 9");
        world_pass(w, 1);
        world_expect(w, "stop car 2");
        world_exit(w, "car", 137);
        world_exit(w, "a", 137);
        world_expect(w, "stop sandbox; rm sandbox");
}

static void test_sidecars_end_last_in_reverse(void **state) {
        struct world *w = *state;

        world_begin(
                w,
                POD("\"terminationGracePeriodSeconds\":9,\"initContainers\":[" C(
                        "s1",
                        ",\"restartPolicy\":"
                        "\"Always\"") "," C("s2",
                                            ",\"restartPolicy\":\"Always\"") "],\"containers\":[" C("a",
                                                                                                    "") "," C("b",
                                                                                                              "") "]"));
        world_expect(w, "run s0; start s1#0; start s2#0; start a#0; start b#0");
        w->hold_stops = true;
        worker_delete(w->worker);
        world_run(w);
        world_expect(w, "stop b 9; stop a 9");
        world_exit(w, "a", 0);
        world_expect(w, "");
        world_exit(w, "b", 0);
        world_expect(w, "stop s2 9");
        w->now += 3000;
        world_exit(w, "s2", 0);
        world_expect(w, "stop s1 6");
        world_exit(w, "s1", 0);
        world_expect(w, "stop sandbox; rm sandbox");
}

static void test_finished_pod_ends_its_sidecars_and_rests(void **state) {
        struct world *w = *state;

        world_begin(w, POD("\"restartPolicy\":\"Never\",\"initContainers\":[" C(
                               "s", ",\"restartPolicy\":\"Always\"") "],\"containers\":[" C("a", "") "]"));
        world_exit(w, "a", 0);
        world_expect(w, "run s0; start s#0; start a#0; stop s 30; stop sandbox");
        world_expect_status(w, "\"phase\":\"Succeeded\"");
        assert_false(w->gone);
        worker_delete(w->worker);
        world_run(w);
        world_expect(w, "rm sandbox");
        assert_true(w->gone);
}

/* What is left of a pod that is done may go before the pod does; it is not run again for that. */
static void test_discarding_a_finished_pod(void **state) {
        static const char json[] = POD("\"restartPolicy\":\"Never\",\"containers\":[" C("a", "") "]");
        struct worker_found nothing = { .sandbox_id = NULL };
        struct world *w = *state;

        world_begin(w, json);
        assert_false(worker_discard(w->worker));
        world_exit(w, "a", 0);
        assert_true(worker_discard(w->worker));
        assert_true(worker_is_discarding(w->worker));
        world_run(w);
        assert_false(worker_is_discarding(w->worker));
        assert_false(worker_discard(w->worker));
        world_expect(w, "run s0; start a#0; stop sandbox; rm sandbox");
        world_expect_status(w, "\"phase\":\"Succeeded\"");

        worker_free(w->worker);
        world_pod(w, json);
        assert_int_equal(worker_take_up(w->worker, &nothing), 0);
        world_run(w);
        world_expect(w, "");
        world_expect_status(w, "\"phase\":\"Succeeded\"");
        world_expect_status(w, "\"reason\":\"Completed\"");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                WORLD_TEST(test_deletion_with_grace),
                WORLD_TEST(test_active_deadline),
                WORLD_TEST(test_pre_stop_uses_the_grace_period),
                WORLD_TEST(test_hooks_by_exec),
                WORLD_TEST(test_failed_post_start_kills),
                WORLD_TEST(test_late_answer_of_a_hook),
                WORLD_TEST(test_failed_post_start_runs_pre_stop),
                WORLD_TEST(test_grace_of_zero_with_hooks),
                cmocka_unit_test(test_grace_without_end),
                WORLD_TEST(test_pre_stop_of_sidecars_does_not_wait),
                WORLD_TEST(test_sidecar_does_not_outwait_the_grace_period),
                WORLD_TEST(test_sidecars_end_last_in_reverse),
                WORLD_TEST(test_finished_pod_ends_its_sidecars_and_rests),
                WORLD_TEST(test_discarding_a_finished_pod),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
