/* When a worker begins what: sandbox, images, containers and what they name, and how long after a failure. */
#include "tests/unit/agent/world.h"

#include <errno.h>
#include <stdio.h>

#include "lib/cleanup.h"

static void test_containers_start_in_order(void **state) {
        struct world *w = *state;

        world_begin(w, POD("\"containers\":[" C("a", "") "," C("b", "") "]"));
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
        world_begin(w, POD("\"containers\":[" C("a", "") "]"));
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
        world_begin(w, POD("\"containers\":[" C("a", "") "]"));
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
        world_begin(w, POD("\"containers\":[" C("a", "") "]"));
        world_expect(w, "run s0");
        world_expect_status(w, "\"reason\":\"CreateContainerConfigError\"");
        known = true;
        worker_sources_changed(w->worker);
        world_run(w);
        world_expect(w, "start a#0");
}

static void test_init_containers_then_sidecar_then_main(void **state) {
        struct world *w = *state;

        world_begin(w, POD("\"initContainers\":[" C("i1", "") "," C("car", ",\"restartPolicy\":\"Always\"") "," C(
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

        world_begin(w, POD("\"initContainers\":[" C("i", "") "],\"containers\":[" C("a", "") "]"));
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

        world_begin(w, POD("\"restartPolicy\":\"Never\",\"initContainers\":[" C("i", "") "],\"containers\":[" C(
                               "a", "") "]"));
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

        world_begin(w, POD("\"containers\":[" C("a", "") "]"));
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

        world_begin(w, POD("\"containers\":[" C("a", "") "]"));
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
                world_begin(w, json);
                world_expect(w, "run s0; start a#0");
                world_exit(w, "a", cases[i].code);
                world_expect(w, cases[i].then);
                snprintf(phase, sizeof(phase), "\"phase\":\"%s\"", cases[i].phase);
                world_expect_status(w, phase);
                world_free(w);
        }
}

static void test_image_pull_back_off(void **state) {
        struct world *w = *state;

        world_begin(w, POD("\"containers\":[{\"name\":\"a\",\"image\":\"missing:1\"}," C("b", "") "]"));
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

        world_begin(w, POD("\"containers\":[{\"name\":\"a\",\"image\":\"missing:1\",\"imagePullPolicy\":\"Never\"},"
                           "{\"name\":\"b\",\"image\":\"img\",\"imagePullPolicy\":\"Always\"}]"));
        world_expect(w, "run s0; pull img; start b#0");
        world_expect_status(w, "\"reason\":\"ErrImageNeverPull\"");
}

/* No registry is asked for what is no image's name, whatever the policy. */
static void test_image_name_that_is_none(void **state) {
        struct world *w = *state;

        world_begin(w, POD("\"containers\":[{\"name\":\"a\",\"image\":\"BAD//x\",\"imagePullPolicy\":\"Always\"}," C(
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
        world_begin(w, json);
        world_expect(w, "run s1; pull missing:1");
}

static void test_sandbox_failure_is_tried_again(void **state) {
        struct world *w = *state;

        w->sandbox_error = "host port 80 is taken";
        world_begin(w, POD("\"containers\":[" C("a", "") "]"));
        world_expect(w, "run fails");
        world_expect_status(w, "\"phase\":\"Pending\"");
        world_pass(w, NODE_RETRY_MS);
        world_expect(w, "run s0; start a#0");
}

static void test_sandbox_death_starts_all_anew(void **state) {
        struct world *w = *state;

        world_begin(w, POD("\"initContainers\":[" C("i", "") "],\"containers\":[" C("a", "") "]"));
        world_exit(w, "i", 0);
        world_expect(w, "run s0; start i#0; start a#0");
        world_sandbox_dies(w);
        world_expect(w, "stop sandbox; rm sandbox; run s1; start i#1");
        world_exit(w, "i", 0);
        world_pass(w, 10000);
        world_expect(w, "start a#1");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                WORLD_TEST(test_containers_start_in_order),
                WORLD_TEST(test_sources_are_waited_for),
                WORLD_TEST(test_sources_are_not_waited_for_for_ever),
                WORLD_TEST(test_a_container_waits_for_sources),
                WORLD_TEST(test_init_containers_then_sidecar_then_main),
                WORLD_TEST(test_init_failure_restarts_with_back_off),
                WORLD_TEST(test_init_failure_with_never_ends_the_pod),
                WORLD_TEST(test_crash_back_off),
                WORLD_TEST(test_back_off_message),
                cmocka_unit_test(test_restart_policies),
                WORLD_TEST(test_image_pull_back_off),
                WORLD_TEST(test_image_never_and_always),
                WORLD_TEST(test_image_name_that_is_none),
                WORLD_TEST(test_deletion_during_a_pull),
                WORLD_TEST(test_pull_of_a_forgotten_pod),
                WORLD_TEST(test_sandbox_failure_is_tried_again),
                WORLD_TEST(test_sandbox_death_starts_all_anew),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
