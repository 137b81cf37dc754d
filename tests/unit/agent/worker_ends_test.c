/* What is told of a pod that the node ends: nothing final before its containers have ended. */
#include "tests/unit/agent/world.h"

#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#define ONE "\"containers\":[" C("a", "") "]"

static void expect_no(struct world *w, const char *part) {
        _cleanup_free_ char *text = world_status(w);

        if (strstr(text, part))
                fail_msg("%s is in %s", part, text);
}

static void evict(struct world *w) {
        assert_true(worker_evict(w->worker, "The node was low on resource: x. ", 7, true));
}

static void evict_for_its_limit(struct world *w) {
        assert_true(worker_evict(w->worker, "Usage of EmptyDir volume \"d\" exceeds the limit \"1Mi\". ", 1, false));
}

static void preempt(struct world *w) {
        assert_true(worker_preempt(w->worker));
}

static void shut_down(struct world *w) {
        assert_true(worker_shut_down(w->worker, 7));
}

static void let_it_be_late(struct world *w) {
        world_pass(w, 60000);
}

static const struct {
        void (*how)(struct world *w);
        const char *reason;
        bool disrupts;  /* the pod has the condition DisruptionTarget then */
        bool condition; /* the verdict is in the conditions from the beginning */
} ends[] = {
        { evict, "Evicted", true, false },
        { evict_for_its_limit, "Evicted", false, false },
        { preempt, "Preempting", true, false },
        { shut_down, "Terminated", true, false },
        { let_it_be_late, "DeadlineExceeded", false, true },
};

/* It runs still, and is as ready as it was, but for a deadline: of that kubelet's conditions know at once. */
static void expect_grace(struct world *w, bool condition) {
        world_run(w);
        world_expect_status(w, "\"phase\":\"Running\"");
        world_expect_status(w, "\"running\"");
        world_expect_status(w, condition ? "\"type\":\"Ready\",\"status\":\"False\"" :
                                           "\"type\":\"Ready\",\"status\":\"True\"");
        if (condition)
                world_expect_status(w, "\"reason\":\"PodFailed\"");
        expect_no(w, "DisruptionTarget");
        expect_no(w, "\"Failed\"");
        assert_false(worker_has_ended(w->worker));
}

static void test_it_has_not_failed_while_it_runs(void **state) {
        struct world *w = *state;
        char reason[64];

        for (size_t i = 0; i < ELEMENTS(ends); i++) {
                world_begin(w, POD("\"activeDeadlineSeconds\":60," ONE));
                w->hold_stops = true;
                ends[i].how(w);
                expect_grace(w, ends[i].condition);
                snprintf(reason, sizeof(reason), "\"reason\":\"%s\"", ends[i].reason);
                expect_no(w, reason);
                world_exit(w, "a", 137);
                world_expect_status(w, "\"phase\":\"Failed\"");
                world_expect_status(w, reason);
                world_expect_status(w, "\"terminated\"");
                world_expect_status(w, "\"reason\":\"PodFailed\"");
                if (ends[i].disrupts)
                        world_expect_status(w, "\"type\":\"DisruptionTarget\"");
                else
                        expect_no(w, "DisruptionTarget");
                w->hold_stops = false;
                worker_delete(w->worker);
                world_run(w);
                world_free(w);
                *state = w = world_new();
        }
}

/* As kubelet has it, who ends well in its grace has succeeded, but not after its deadline. */
static void test_it_ends_well(void **state) {
        struct world *w = *state;

        for (size_t i = 0; i < ELEMENTS(ends); i++) {
                world_begin(w, POD("\"restartPolicy\":\"Never\",\"activeDeadlineSeconds\":60," ONE));
                w->hold_stops = true;
                ends[i].how(w);
                expect_grace(w, ends[i].condition);
                world_exit(w, "a", 0);
                if (ends[i].how == let_it_be_late) {
                        world_expect_status(w, "\"phase\":\"Failed\"");
                        world_expect_status(w, "\"reason\":\"DeadlineExceeded\"");
                } else {
                        world_expect_status(w, "\"phase\":\"Succeeded\"");
                        expect_no(w, ends[i].reason);
                }
                w->hold_stops = false;
                worker_delete(w->worker);
                world_run(w);
                world_free(w);
                *state = w = world_new();
        }
}

/* An init container has failed for good; the sidecar before it has its grace. */
static void test_a_sidecar_of_one_that_failed(void **state) {
        struct world *w = *state;

        world_begin(w, POD("\"restartPolicy\":\"Never\",\"initContainers\":[" C(
                               "car", ",\"restartPolicy\":\"Always\"") "," C("i", "") "]," ONE));
        world_expect(w, "run s0; start car#0; start i#0");
        w->hold_stops = true;
        world_exit(w, "i", 1);
        world_expect(w, "stop car 30");
        world_expect_status(w, "\"phase\":\"Pending\"");
        world_exit(w, "car", 0);
        world_expect_status(w, "\"phase\":\"Failed\"");
}

/* Who looks into it by an ephemeral container has it running until that has ended, too. */
static void test_an_ephemeral_container_of_one_that_is_done(void **state) {
        static const char spec[] = POD("\"restartPolicy\":\"Never\"," ONE),
                          more[] = POD("\"restartPolicy\":\"Never\"," ONE ",\"ephemeralContainers\":[" C("e", "") "]");
        struct world *w = *state;

        world_begin(w, spec);
        assert_int_equal(world_update(w, more), 0);
        world_expect(w, "run s0; start a#0; start e#0");
        w->hold_stops = true;
        world_exit(w, "a", 0);
        world_expect(w, "stop e 30");
        world_expect_status(w, "\"phase\":\"Running\"");
        world_expect_status(w, "\"reason\":\"PodCompleted\"");
        world_exit(w, "e", 0);
        world_expect_status(w, "\"phase\":\"Succeeded\"");
}

/* What was told of its end holds when an agent takes it up that has not looked at it yet. */
static void test_one_that_had_ended_is_taken_up(void **state) {
        static const char json[] = POD(ONE);
        struct worker_found_container containers[] = { { "a", "s0-a-0", 0 } };
        struct worker_found found = { .sandbox_id = "s0", .containers = containers, .n_containers = 1 };
        struct world *w = *state;

        world_begin(w, json);
        assert_true(worker_preempt(w->worker));
        world_run(w);
        world_expect_status(w, "\"phase\":\"Failed\"");
        worker_free(w->worker);
        world_pod(w, json);
        assert_int_equal(worker_take_up(w->worker, &found), 0);
        world_expect_status(w, "\"phase\":\"Failed\"");
        world_expect_status(w, "\"reason\":\"Preempting\"");
        world_run(w);
        world_expect_status(w, "\"phase\":\"Failed\"");
}

/* Ends within the eviction's grace; its containers and logs go, its status stays, after a restart too. */
static void test_eviction(void **state) {
        static const char json[] = POD("\"terminationGracePeriodSeconds\":60,\"containers\":[" C("a", "") "]");
        struct worker_found nothing = { .sandbox_id = NULL };
        struct world *w = *state;

        world_begin(w, json);
        assert_true(worker_is_active(w->worker));
        worker_evict(w->worker, "The node was low on resource: x. ", 7, true);
        assert_false(worker_is_active(w->worker));
        worker_evict(w->worker, "Again. ", 1, false); /* it ends already */
        world_run(w);
        world_expect(w, "run s0; start a#0; stop a 7; stop sandbox; rm sandbox");
        assert_null(worker_sandbox(w->worker));
        world_expect_status(w, "\"phase\":\"Failed\"");
        world_expect_status(w, "\"reason\":\"Evicted\"");
        world_expect_status(w, "\"type\":\"DisruptionTarget\"");
        world_expect_status(w, "\"terminated\"");

        worker_free(w->worker);
        world_pod(w, json);
        assert_int_equal(worker_take_up(w->worker, &nothing), 0);
        world_run(w);
        world_expect(w, "");
        world_expect_status(w, "\"message\":\"The node was low on resource: x. \"");
        world_expect_status(w, "\"reason\":\"TerminationByKubelet\"");
        world_expect_status(w, "\"terminated\"");
        worker_delete(w->worker);
        world_run(w);
        assert_true(w->gone);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                WORLD_TEST(test_eviction),
                WORLD_TEST(test_it_has_not_failed_while_it_runs),
                WORLD_TEST(test_it_ends_well),
                WORLD_TEST(test_a_sidecar_of_one_that_failed),
                WORLD_TEST(test_an_ephemeral_container_of_one_that_is_done),
                WORLD_TEST(test_one_that_had_ended_is_taken_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
