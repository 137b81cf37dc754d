/* The worker's tables, driven by a made-up cri and virtual time. */
#include "tests/unit/agent/world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/volumes/tree.h"
#include "lib/cleanup.h"

#define POD(spec) "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\"},\"spec\":{" spec "}}"
#define C(name, more) "{\"name\":\"" name "\",\"image\":\"img\",\"imagePullPolicy\":\"IfNotPresent\"" more "}"

static int setup(void **state) {
        *state = world_new();
        return 0;
}

static int teardown(void **state) {
        world_free(*state);
        return 0;
}

static void begin(struct world *w, const char *json) {
        world_pod(w, json);
        worker_start(w->worker);
        world_run(w);
}

static void test_containers_start_in_order(void **state) {
        struct world *w = *state;

        begin(w, POD("\"containers\":[" C("a", "") "," C("b", "") "]"));
        world_expect(w, "run s0; start a#0; start b#0");
        world_expect_status(w, "\"phase\":\"Running\"");
}

static bool known;

static bool are_known(void *data, const struct pod *pod) {
        return known;
}

/* What the API service has for the pod is waited for, but not for ever. */
static void test_sources_are_waited_for(void **state) {
        struct world *w = *state;

        known = false;
        w->world_ops.sources_known = are_known;
        begin(w, POD("\"containers\":[" C("a", "") "]"));
        world_pass(w, 500);
        world_expect(w, "");
        known = true;
        worker_sources_changed(w->worker);
        world_run(w);
        world_expect(w, "run s0; start a#0");
        assert_true(worker_uses_sources(w->worker));
        worker_delete(w->worker);
        assert_false(worker_uses_sources(w->worker));
        world_run(w);
}

static void test_sources_are_not_waited_for_for_ever(void **state) {
        struct world *w = *state;

        known = false;
        w->world_ops.sources_known = are_known;
        begin(w, POD("\"containers\":[" C("a", "") "]"));
        world_pass(w, 1000);
        world_expect(w, "run s0; start a#0");
}

static int no_services(void *data, const struct pod *pod, struct arena *arena, string_map *ret, struct err **err) {
        return known ? 0 : err_set(err, EAGAIN, "services have not yet been read");
}

/* A container that could not be made for want of them is made as soon as they are there. */
static void test_a_container_waits_for_sources(void **state) {
        struct world *w = *state;

        known = false;
        w->world_ops.services = no_services;
        begin(w, POD("\"containers\":[" C("a", "") "]"));
        world_expect(w, "run s0");
        world_expect_status(w, "\"reason\":\"CreateContainerConfigError\"");
        known = true;
        worker_sources_changed(w->worker);
        world_run(w);
        world_expect(w, "start a#0");
}

static void test_init_containers_then_sidecar_then_main(void **state) {
        struct world *w = *state;

        begin(w, POD("\"initContainers\":[" C("i1", "") "," C("car", ",\"restartPolicy\":\"Always\"") "," C(
                         "i2", "") "],\"containers\":[" C("a", "") "]"));
        world_expect(w, "run s0; start i1#0");
        world_expect_status(w, "\"reason\":\"PodInitializing\"");
        world_exit(w, "i1", 0);
        world_expect(w, "start car#0; start i2#0");
        world_exit(w, "i2", 0);
        world_expect(w, "start a#0");
}

static void test_init_failure_restarts_with_back_off(void **state) {
        struct world *w = *state;

        begin(w, POD("\"initContainers\":[" C("i", "") "],\"containers\":[" C("a", "") "]"));
        world_expect(w, "run s0; start i#0");
        world_exit(w, "i", 1);
        world_expect(w, "start i#1");
        world_exit(w, "i", 1);
        world_expect(w, "");
        world_pass(w, 9999);
        world_expect(w, "");
        world_pass(w, 1);
        world_expect(w, "rm i#0; start i#2");
}

static void test_init_failure_with_never_ends_the_pod(void **state) {
        struct world *w = *state;

        begin(w,
              POD("\"restartPolicy\":\"Never\",\"initContainers\":[" C("i", "") "],\"containers\":[" C("a", "") "]"));
        world_exit(w, "i", 3);
        world_expect(w, "run s0; start i#0; stop sandbox");
        world_expect_status(w, "\"phase\":\"Failed\"");
        assert_false(w->gone);
}

/* kubelet's delays: none, 10 s, 20 s, ... 300 s, and none again after ten good minutes. */
static void test_crash_back_off(void **state) {
        static const int seconds[] = { 0, 10, 20, 40, 80, 160, 300, 300 };
        struct world *w = *state;
        char expect[64];

        begin(w, POD("\"containers\":[" C("a", "") "]"));
        world_expect(w, "run s0; start a#0");
        for (unsigned i = 0; i < ELEMENTS(seconds); i++) {
                world_exit(w, "a", 1);
                if (seconds[i]) {
                        world_expect(w, "");
                        world_expect_status(w, "\"reason\":\"CrashLoopBackOff\"");
                        world_pass(w, seconds[i] * 1000 - 1);
                        world_expect(w, "");
                        world_pass(w, 1);
                }
                snprintf(expect, sizeof(expect), i ? "rm a#%u; start a#%u" : "start a#1", i - 1, i + 1);
                world_expect(w, expect);
        }
        world_pass(w, 601 * 1000);
        world_exit(w, "a", 1);
        world_expect(w, "rm a#7; start a#9");
}

static void test_back_off_message(void **state) {
        struct world *w = *state;

        begin(w, POD("\"containers\":[" C("a", "") "]"));
        world_exit(w, "a", 1);
        world_exit(w, "a", 1);
        world_expect_status(w, "back-off 10s restarting failed container=a pod=p-node_default(");
        world_expect_status(w, "\"restartCount\":1");
}

static void test_restart_policies(void **state) {
        static const struct {
                const char *policy;
                int code;
                const char *then, *phase;
        } cases[] = {
                { "Always", 0, "start a#1", "Running" },    { "OnFailure", 0, "stop sandbox", "Succeeded" },
                { "OnFailure", 2, "start a#1", "Running" }, { "Never", 0, "stop sandbox", "Succeeded" },
                { "Never", 2, "stop sandbox", "Failed" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct world *w = world_new();
                char json[512], phase[64];

                snprintf(json, sizeof(json), POD("\"restartPolicy\":\"%s\",\"containers\":[" C("a", "") "]"),
                         cases[i].policy);
                begin(w, json);
                world_expect(w, "run s0; start a#0");
                world_exit(w, "a", cases[i].code);
                world_expect(w, cases[i].then);
                snprintf(phase, sizeof(phase), "\"phase\":\"%s\"", cases[i].phase);
                world_expect_status(w, phase);
                world_free(w);
        }
}

static void test_deletion_with_grace(void **state) {
        struct world *w = *state;

        begin(w, POD("\"terminationGracePeriodSeconds\":7,\"containers\":[" C("a", "") "]"));
        worker_delete(w->worker);
        world_run(w);
        world_expect(w, "run s0; start a#0; stop a 7; stop sandbox; rm sandbox");
        assert_true(w->gone);
}

static void test_pre_stop_uses_the_grace_period(void **state) {
        struct world *w = *state;

        begin(w, POD("\"terminationGracePeriodSeconds\":30,\"containers\":[" C(
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

        begin(w, POD("\"containers\":[" C("a", ",\"lifecycle\":{\"postStart\":{\"exec\":{\"command\":[\"up\"]}},"
                                               "\"preStop\":{\"exec\":{\"command\":[\"down\"]}}}") "]"));
        worker_delete(w->worker);
        world_run(w);
        world_expect(w, "run s0; start a#0; exec up; exec down; stop a 30; stop sandbox; rm sandbox");
}

static void test_failed_post_start_kills(void **state) {
        struct world *w = *state;

        w->exec_exit = 1;
        begin(w, POD("\"restartPolicy\":\"Never\",\"containers\":[" C(
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
        begin(w, POD("\"terminationGracePeriodSeconds\":20,\"restartPolicy\":\"Never\",\"containers\":[" C(
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

        begin(w, json);
        worker_delete(w->worker);
        world_run(w);
        world_expect(w, "run s0; start a#0; exec live; exec down; stop a 2; stop sandbox; rm sandbox");
        worker_free(w->worker);
        w->exec_exit = 1;
        begin(w, json);
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
                begin(w, json);
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

        begin(w, POD("\"terminationGracePeriodSeconds\":9,\"initContainers\":[" C(
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

        begin(w, POD("\"terminationGracePeriodSeconds\":9,\"initContainers\":[" C(
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

        begin(w,
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

        begin(w, POD("\"restartPolicy\":\"Never\",\"initContainers\":[" C(
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

static void test_image_pull_back_off(void **state) {
        struct world *w = *state;

        begin(w, POD("\"containers\":[{\"name\":\"a\",\"image\":\"missing:1\"}," C("b", "") "]"));
        world_expect(w, "run s0; pull missing:1; start b#0");
        world_expect_status(w, "\"reason\":\"ErrImagePull\"");
        world_pass(w, 2000);
        world_expect_status(w, "\"reason\":\"ImagePullBackOff\"");
        world_pass(w, 8000);
        world_expect(w, "pull missing:1");
        world_pass(w, 19999);
        world_expect(w, "");
        w->image_there = true;
        world_pass(w, 1);
        world_expect(w, "start a#0");
        world_expect_status(w, "\"phase\":\"Running\"");
}

static void test_image_never_and_always(void **state) {
        struct world *w = *state;

        begin(w, POD("\"containers\":[{\"name\":\"a\",\"image\":\"missing:1\",\"imagePullPolicy\":\"Never\"},"
                     "{\"name\":\"b\",\"image\":\"img\",\"imagePullPolicy\":\"Always\"}]"));
        world_expect(w, "run s0; pull img; start b#0");
        world_expect_status(w, "\"reason\":\"ErrImageNeverPull\"");
}

/* No registry is asked for what is no image's name, whatever the policy. */
static void test_image_name_that_is_none(void **state) {
        struct world *w = *state;

        begin(w, POD("\"containers\":[{\"name\":\"a\",\"image\":\"BAD//x\",\"imagePullPolicy\":\"Always\"}," C(
                         "b", "") "]"));
        world_expect(w, "run s0; start b#0");
        world_expect_status(
                w, "\"reason\":\"InvalidImageName\",\"message\":\"Failed to apply default image tag \\\"BAD//x\\\": "
                   "couldn't parse image name \\\"BAD//x\\\": invalid reference format\"");
        world_pass(w, 600000);
        world_expect(w, "");
}

static void test_deletion_during_a_pull(void **state) {
        struct world *w = *state;

        world_pod(w, POD("\"containers\":[{\"name\":\"a\",\"image\":\"missing:1\"}]"));
        worker_start(w->worker);
        world_run_until(w, CRI_PULL_IMAGE);
        world_expect(w, "run s0");
        worker_delete(w->worker);
        world_run(w);
        assert_true(w->gone);
}

/* Its place among the node's pulls is free when the pull ends, also when nobody hears of that any more. */
static void test_pull_of_a_forgotten_pod(void **state) {
        static const char json[] = POD("\"containers\":[{\"name\":\"a\",\"image\":\"missing:1\"}]");
        struct world *w = *state;

        w->node.pulls.most = 1;
        world_pod(w, json);
        worker_start(w->worker);
        world_run_until(w, CRI_PULL_IMAGE);
        worker_free(w->worker);
        world_run(w);
        world_expect(w, "run s0; pull missing:1");
        begin(w, json);
        world_expect(w, "run s1; pull missing:1");
}

static void test_sandbox_failure_is_tried_again(void **state) {
        struct world *w = *state;

        w->sandbox_error = "host port 80 is taken";
        begin(w, POD("\"containers\":[" C("a", "") "]"));
        world_expect(w, "run fails");
        world_expect_status(w, "\"phase\":\"Pending\"");
        world_pass(w, NODE_RETRY_MS);
        world_expect(w, "run s0; start a#0");
}

static void test_sandbox_death_starts_all_anew(void **state) {
        struct world *w = *state;

        begin(w, POD("\"initContainers\":[" C("i", "") "],\"containers\":[" C("a", "") "]"));
        world_exit(w, "i", 0);
        world_expect(w, "run s0; start i#0; start a#0");
        world_sandbox_dies(w);
        world_expect(w, "stop sandbox; rm sandbox; run s1; start i#1");
        world_exit(w, "i", 0);
        world_pass(w, 10000);
        world_expect(w, "start a#1");
}

static void test_active_deadline(void **state) {
        struct world *w = *state;

        begin(w, POD("\"activeDeadlineSeconds\":60,\"containers\":[" C("a", "") "]"));
        world_pass(w, 59999);
        world_expect(w, "run s0; start a#0");
        world_pass(w, 1);
        world_expect(w, "stop a 30; stop sandbox");
        world_expect_status(w, "\"reason\":\"DeadlineExceeded\"");
        world_expect_status(w, "\"phase\":\"Failed\"");
}

static void test_liveness_restarts(void **state) {
        struct world *w = *state;

        w->probe_outcome = PROBE_FAILURE;
        begin(w,
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
        begin(w, POD("\"containers\":[" C("a", ",\"livenessProbe\":{\"httpGet\":{\"path\":\"/h\",\"port\":80},"
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

        begin(w,
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
        begin(w, POD("\"containers\":[" C(
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
        begin(w, POD("\"containers\":[" C(
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

/* A second agent finds what the first one left, touches nothing, and goes on counting. */
static void test_take_up(void **state) {
        static const char json[] = POD("\"containers\":[" C("a", "") "," C("b", "") "]");
        struct worker_found_container containers[] = { { "a", "s0-a-0", 0 },
                                                       { "b", "s0-b-0", 0 },
                                                       { "b", "s0-b-1", 1 } };
        struct worker_found found = { .sandbox_id = "s0", .containers = containers, .n_containers = 3 };
        struct world *w = *state;

        begin(w, json);
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

        begin(w, json);
        world_exit(w, "a", 0);
        world_expect(w, "run s0; start a#0; stop sandbox");
        worker_free(w->worker);
        world_pod(w, json);
        assert_int_equal(worker_take_up(w->worker, &found), 0);
        world_run(w);
        world_expect(w, "stop sandbox");
        world_expect_status(w, "\"phase\":\"Succeeded\"");
}

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
        begin(w, restart_all);
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

        begin(w, restart_all);
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

                begin(w, json);
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

/* Ends within the eviction's grace; its containers and logs go, its status stays, after a restart too. */
static void test_eviction(void **state) {
        static const char json[] = POD("\"terminationGracePeriodSeconds\":60,\"containers\":[" C("a", "") "]");
        struct worker_found nothing = { .sandbox_id = NULL };
        struct world *w = *state;

        begin(w, json);
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

/* What is left of a pod that is done may go before the pod does; it is not run again for that. */
static void test_discarding_a_finished_pod(void **state) {
        static const char json[] = POD("\"restartPolicy\":\"Never\",\"containers\":[" C("a", "") "]");
        struct worker_found nothing = { .sandbox_id = NULL };
        struct world *w = *state;

        begin(w, json);
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
                cmocka_unit_test_setup_teardown(test_containers_start_in_order, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sources_are_waited_for, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sources_are_not_waited_for_for_ever, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_container_waits_for_sources, setup, teardown),
                cmocka_unit_test_setup_teardown(test_init_containers_then_sidecar_then_main, setup, teardown),
                cmocka_unit_test_setup_teardown(test_init_failure_restarts_with_back_off, setup, teardown),
                cmocka_unit_test_setup_teardown(test_init_failure_with_never_ends_the_pod, setup, teardown),
                cmocka_unit_test_setup_teardown(test_crash_back_off, setup, teardown),
                cmocka_unit_test_setup_teardown(test_back_off_message, setup, teardown),
                cmocka_unit_test(test_restart_policies),
                cmocka_unit_test_setup_teardown(test_deletion_with_grace, setup, teardown),
                cmocka_unit_test_setup_teardown(test_pre_stop_uses_the_grace_period, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hooks_by_exec, setup, teardown),
                cmocka_unit_test_setup_teardown(test_failed_post_start_kills, setup, teardown),
                cmocka_unit_test_setup_teardown(test_failed_post_start_runs_pre_stop, setup, teardown),
                cmocka_unit_test_setup_teardown(test_late_answer_of_a_hook, setup, teardown),
                cmocka_unit_test_setup_teardown(test_grace_of_zero_with_hooks, setup, teardown),
                cmocka_unit_test(test_grace_without_end),
                cmocka_unit_test_setup_teardown(test_pre_stop_of_sidecars_does_not_wait, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sidecar_does_not_outwait_the_grace_period, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sidecars_end_last_in_reverse, setup, teardown),
                cmocka_unit_test_setup_teardown(test_finished_pod_ends_its_sidecars_and_rests, setup, teardown),
                cmocka_unit_test_setup_teardown(test_image_pull_back_off, setup, teardown),
                cmocka_unit_test_setup_teardown(test_image_never_and_always, setup, teardown),
                cmocka_unit_test_setup_teardown(test_image_name_that_is_none, setup, teardown),
                cmocka_unit_test_setup_teardown(test_deletion_during_a_pull, setup, teardown),
                cmocka_unit_test_setup_teardown(test_pull_of_a_forgotten_pod, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sandbox_failure_is_tried_again, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sandbox_death_starts_all_anew, setup, teardown),
                cmocka_unit_test_setup_teardown(test_active_deadline, setup, teardown),
                cmocka_unit_test_setup_teardown(test_liveness_restarts, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_first_start_is_told_after_its_hook, setup, teardown),
                cmocka_unit_test_setup_teardown(test_what_a_probe_ends_is_renewed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_liveness_back_off, setup, teardown),
                cmocka_unit_test_setup_teardown(test_readiness_decides_ready, setup, teardown),
                cmocka_unit_test_setup_teardown(test_startup_gates_the_others, setup, teardown),
                cmocka_unit_test_setup_teardown(test_eviction, setup, teardown),
                cmocka_unit_test_setup_teardown(test_discarding_a_finished_pod, setup, teardown),
                cmocka_unit_test_setup_teardown(test_take_up, setup, teardown),
                cmocka_unit_test_setup_teardown(test_take_up_of_a_ready_container, setup, teardown),
                cmocka_unit_test_setup_teardown(test_take_up_of_a_finished_pod, setup, teardown),
                cmocka_unit_test(test_take_up_without_records),
                cmocka_unit_test_setup_teardown(test_restart_all_containers, setup, teardown),
                cmocka_unit_test_setup_teardown(test_restart_all_is_not_asked_for, setup, teardown),
                cmocka_unit_test_setup_teardown(test_take_up_of_a_restart, setup, teardown),
                cmocka_unit_test_setup_teardown(test_restart_all_during_a_start, setup, teardown),
                cmocka_unit_test_setup_teardown(test_delete_while_all_restart, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
