/* What probes do to a pod's containers and status. */
#include "tests/unit/agent/world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"

static void test_liveness_restarts(void **state) {
        struct world *w = *state;

        w->probe_outcome = PROBE_FAILURE;
        world_begin(
                w,
                POD("\"containers\":[" C(
                        "a",
                        ",\"livenessProbe\":{\"httpGet\":{\"path\":\"/h\",\"port\":80},\"periodSeconds\":5,"
                        "\"initialDelaySeconds\":10,\"failureThreshold\":2,\"terminationGracePeriodSeconds\":3}") "]"));
        world_expect(w, "run s0; start a#0");
        world_pass(w, 10000);
        world_expect(w, "probe 10.1.2.3:80/h");
        world_pass(w, 5000);
        world_expect(w, "probe 10.1.2.3:80/h; stop a 3; start a#1");
        world_expect_status(w, "\"restartCount\":1");
}

/* As kubelet tells it, a container does not run before its hook has passed. */
static void test_a_first_start_is_told_after_its_hook(void **state) {
        struct world *w = *state;
        char *text;

        world_pod(w, POD("\"containers\":[" C("a",
                                              ",\"lifecycle\":{\"postStart\":{\"exec\":{\"command\":[\"up\"]}}}") "]"));
        worker_start(w->worker);
        world_run_until(w, CRI_EXEC_SYNC);
        world_expect_status(w, "\"phase\":\"Pending\"");
        world_expect_status(w, "\"reason\":\"ContainerCreating\"");
        text = world_status(w);
        assert_null(strstr(text, "nacelle://"));
        free(text);
        world_run(w);
        world_expect_status(w, "\"phase\":\"Running\"");
        world_expect_status(w, "\"containerID\":\"nacelle://s0-a-0\"");
}

/* From its end on until the next one is up, its hook included, nobody need hear of it; but where that is held up. */
static void test_what_a_probe_ends_is_renewed(void **state) {
        struct world *w = *state;

        w->probe_outcome = PROBE_FAILURE;
        world_begin(w, POD("\"containers\":[" C(
                               "a", ",\"livenessProbe\":{\"httpGet\":{\"path\":\"/h\",\"port\":80},"
                                    "\"initialDelaySeconds\":10,\"failureThreshold\":1},"
                                    "\"lifecycle\":{\"postStart\":{\"exec\":{\"command\":[\"up\"]}}}") "]"));
        w->hold_stops = true;
        world_pass(w, 10000);
        world_expect_status(w, "\"ready\":true");
        world_expect_status(w, "\"restartCount\":0");
        assert_false(worker_renews(w->worker));
        world_exit_quietly(w, "a", 137);
        assert_true(worker_renews(w->worker));
        world_run_until(w, CRI_EXEC_SYNC);
        assert_true(worker_renews(w->worker));
        world_run(w);
        assert_false(worker_renews(w->worker));
        world_expect_status(w, "\"ready\":true");
        world_expect_status(w, "\"restartCount\":1");

        world_exit_quietly(w, "a", 1); /* by itself */
        assert_false(worker_renews(w->worker));
        w->hold_stops = false;
        world_run(w);
}

/* Kubelet's delays of a container that it ends itself: each counts from the end before, as long as no look was put off.
 */
static void test_liveness_back_off(void **state) {
        static const struct {
                int alive, waits;
                const char *then;
        } lives[] = {
                { 10, 0, "stop a 3; start a#1" },         { 10, 0, "stop a 3; rm a#0; start a#2" },
                { 10, 0, "stop a 3; rm a#1; start a#3" }, { 10, 20, "rm a#2; start a#4" },
                { 10, 40, "rm a#3; start a#5" },
        };
        struct world *w = *state;
        char expect[96];

        world_begin(
                w,
                POD("\"containers\":[" C(
                        "a",
                        ",\"livenessProbe\":{\"httpGet\":{\"path\":\"/h\",\"port\":80},\"periodSeconds\":1000,"
                        "\"initialDelaySeconds\":10,\"failureThreshold\":1,\"terminationGracePeriodSeconds\":3}") "]"));
        world_expect(w, "run s0; start a#0");
        w->probe_outcome = PROBE_FAILURE;
        for (unsigned i = 0; i < ELEMENTS(lives); i++) {
                world_pass(w, lives[i].alive * 1000);
                snprintf(expect, sizeof(expect), "probe 10.1.2.3:80/h; %s",
                         lives[i].waits ? "stop a 3" : lives[i].then);
                world_expect(w, expect);
                if (!lives[i].waits)
                        continue;
                assert_false(worker_renews(w->worker));
                world_expect_status(w, "\"reason\":\"CrashLoopBackOff\"");
                world_pass(w, lives[i].waits * 1000 - 1);
                world_expect(w, "");
                world_pass(w, 1);
                world_expect(w, lives[i].then);
        }
}

static void test_readiness_decides_ready(void **state) {
        struct world *w = *state;

        w->probe_outcome = PROBE_FAILURE;
        world_begin(w, POD("\"containers\":[" C(
                               "a", ",\"readinessProbe\":{\"tcpSocket\":{\"port\":80},\"periodSeconds\":5}") "]"));
        world_pass(w, 1);
        world_expect_status(w, "\"ready\":false");
        w->probe_outcome = PROBE_SUCCESS;
        world_pass(w, 5000);
        world_expect_status(w, "\"ready\":true");
}

static void test_startup_gates_the_others(void **state) {
        struct world *w = *state;

        w->exec_exit = 1;
        world_begin(w, POD("\"containers\":[" C(
                               "a", ",\"startupProbe\":{\"exec\":{\"command\":[\"up\"]},\"periodSeconds\":1,"
                                    "\"failureThreshold\":30},\"livenessProbe\":{\"exec\":{\"command\":[\"live\"]},"
                                    "\"periodSeconds\":1}") "]"));
        world_pass(w, 2500);
        world_expect(w, "run s0; start a#0; exec up; exec up; exec up");
        world_expect_status(w, "\"started\":false");
        w->exec_exit = 0;
        world_pass(w, 1000);
        assert_non_null(strstr(w->log, "exec up; exec live"));
        world_expect_status(w, "\"started\":true");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                WORLD_TEST(test_liveness_restarts),
                WORLD_TEST(test_a_first_start_is_told_after_its_hook),
                WORLD_TEST(test_what_a_probe_ends_is_renewed),
                WORLD_TEST(test_liveness_back_off),
                WORLD_TEST(test_readiness_decides_ready),
                WORLD_TEST(test_startup_gates_the_others),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
