/* A pod that is changed while it runs. */
#include "tests/unit/agent/world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "agent/node/events.h"
#include "lib/files.h"
#include "lib/json_writer.h"

#define META "\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\""
#define IMAGE(name, image, more)                                                                                       \
        "{\"name\":\"" name "\",\"image\":\"" image "\",\"imagePullPolicy\":\"IfNotPresent\"" more "}"
#define ONE "\"containers\":[" C("a", "") "]"

/* Whatever the restart policy, and at once. */
static void test_another_image_restarts(void **state) {
        struct world *w = *state;

        world_begin(w, POD("\"restartPolicy\":\"Never\",\"containers\":[" C("a", "") "," C("b", "") "]"));
        world_expect(w, "run s0; start a#0; start b#0");
        assert_int_equal(world_update(w, POD("\"restartPolicy\":\"Never\",\"containers\":[" IMAGE("a", "new", "") "," C(
                                                 "b", "") "]")),
                         0);
        world_expect(w, "stop a 30; start a#1");
        world_expect_status(w, "\"image\":\"new\"");
        world_exit(w, "a", 0);
        world_expect(w, "");
}

/* As kubelet tells it: neither before the new container is there nor before it runs has the pod an end, or is pending.
 */
static void test_the_phase_stays_while_a_container_is_made_anew(void **state) {
        static const enum cri_method steps[] = { CRI_CREATE_CONTAINER, CRI_START_CONTAINER };
        struct world *w = *state;

        world_begin(w, POD("\"restartPolicy\":\"Never\",\"containers\":[" C("a", "") "]"));
        w->hold_stops = true;
        assert_int_equal(world_update(w, POD("\"restartPolicy\":\"Never\",\"containers\":[" IMAGE("a", "new", "") "]")),
                         0);
        world_exit_quietly(w, "a", 137);
        for (size_t i = 0; i < ELEMENTS(steps); i++) {
                world_run_until(w, steps[i]);
                world_expect_status(w, "\"phase\":\"Running\"");
                world_expect_status(w, "\"reason\":\"ContainerCreating\"");
        }
        world_run(w);
        world_expect(w, "run s0; start a#0; stop a 30; start a#1");
}

static void test_the_same_image_restarts_nothing(void **state) {
        struct world *w = *state;

        world_begin(w, POD(ONE));
        assert_int_equal(world_update(w, "{" META ",\"labels\":{\"x\":\"y\"},\"generation\":3},\"spec\":{" ONE "}}"),
                         0);
        world_expect(w, "run s0; start a#0");
        world_expect_status(w, "\"x\":\"y\"");
}

/* The image is another one while a container of the old one is made: that one ends once it runs. */
static void test_another_image_while_it_starts(void **state) {
        struct world *w = *state;

        world_pod(w, POD(ONE));
        worker_start(w->worker);
        world_run_until(w, CRI_START_CONTAINER);
        assert_int_equal(world_update(w, POD("\"containers\":[" IMAGE("a", "new", "") "]")), 0);
        world_expect(w, "run s0; start a#0; stop a 30; start a#1");
}

static void test_a_failing_pull_is_tried_with_the_new_image_at_once(void **state) {
        struct world *w = *state;

        world_begin(w, POD("\"containers\":[{\"name\":\"a\",\"image\":\"missing:1\",\"imagePullPolicy\":\"Never\"}]"));
        world_expect_status(w, "ErrImageNeverPull");
        assert_int_equal(world_update(w, POD("\"containers\":[{\"name\":\"a\",\"image\":\"yes\",\"imagePullPolicy\":"
                                             "\"Never\"}]")),
                         0);
        world_expect(w, "run s0; start a#0");
}

static void test_a_deadline_that_comes_later(void **state) {
        struct world *w = *state;

        world_begin(w, POD(ONE));
        world_pass(w, 5000);
        assert_int_equal(world_update(w, POD("\"activeDeadlineSeconds\":7," ONE)), 0);
        world_pass(w, 1999);
        world_expect(w, "run s0; start a#0");
        world_pass(w, 1);
        world_expect_status(w, "\"reason\":\"DeadlineExceeded\"");
}

static void test_a_shorter_grace_period(void **state) {
        struct world *w = *state;

        world_begin(w, POD(ONE));
        world_expect(w, "run s0; start a#0");
        w->hold_stops = true;
        worker_set_grace(w->worker, 20);
        worker_delete(w->worker);
        world_run(w);
        world_expect(w, "stop a 20");
        worker_set_grace(w->worker, 30);
        world_run(w);
        world_expect(w, "");
        worker_set_grace(w->worker, 3);
        world_run(w);
        world_expect(w, "stop a 3");
        world_exit(w, "a", 137);
        world_expect(w, "stop sandbox; rm sandbox");
}

static void test_a_shorter_grace_period_cuts_a_hook(void **state) {
        struct world *w = *state;

        world_begin(w, POD("\"containers\":[" C("a", ",\"lifecycle\":{\"preStop\":{\"sleep\":{\"seconds\":25}}}") "]"));
        worker_delete(w->worker);
        world_run(w);
        world_pass(w, 1000);
        world_expect(w, "run s0; start a#0");
        worker_set_grace(w->worker, 2);
        world_run(w);
        world_pass(w, 2000);
        world_expect(w, "stop a 2; stop sandbox; rm sandbox");
}

/* They start without waiting, run once, and do not keep the pod from its end. */
/* kubelet says neither of an ephemeral container. */
static void expect_neither_ready_nor_started(struct world *w) {
        _cleanup_free_ char *text = world_status(w);
        const char *told = strstr(text, "\"ephemeralContainerStatuses\":[{");

        assert_non_null(strstr(told, "\"running\":"));
        assert_non_null(strstr(told, "\"ready\":false"));
        assert_null(strstr(told, "\"started\":"));
}

static void test_ephemeral_containers(void **state) {
        struct world *w = *state;

        world_begin(w, POD("\"restartPolicy\":\"OnFailure\"," ONE));
        assert_int_equal(world_update(w, POD("\"restartPolicy\":\"OnFailure\"," ONE ",\"ephemeralContainers\":[" C(
                                                 "debug", ",\"targetContainerName\":\"a\"") "]")),
                         0);
        world_expect(w, "run s0; start a#0; start debug#0");
        world_expect_status(w, "\"ephemeralContainerStatuses\":[{");
        expect_neither_ready_nor_started(w);
        world_exit(w, "debug", 1);
        world_expect(w, "");
        assert_int_equal(world_update(w, POD("\"restartPolicy\":\"OnFailure\"," ONE ",\"ephemeralContainers\":[" C(
                                                 "debug", ",\"targetContainerName\":\"a\"") "," C("more", "") "]")),
                         0);
        world_expect(w, "start more#0");
        world_exit(w, "a", 0);
        world_expect(w, "stop more 30; stop sandbox");
        world_expect_status(w, "\"phase\":\"Succeeded\"");
}

static void test_ephemeral_containers_do_not_wait_for_init_containers(void **state) {
        struct world *w = *state;

        world_begin(w, POD("\"initContainers\":[" C("i", "") "]," ONE));
        assert_int_equal(world_update(w, POD("\"initContainers\":[" C("i", "") "]," ONE ",\"ephemeralContainers\":[" C(
                                                 "d", "") "]")),
                         0);
        world_expect(w, "run s0; start i#0; start d#0");
        world_exit(w, "i", 0);
        world_expect(w, "start a#0");
}

static void test_a_target_that_does_not_run(void **state) {
        struct world *w = *state;

        world_begin(w, POD("\"initContainers\":[" C("i", "") "]," ONE));
        assert_int_equal(world_update(w, POD("\"initContainers\":[" C("i", "") "]," ONE ",\"ephemeralContainers\":[" C(
                                                 "d", ",\"targetContainerName\":\"a\"") "]")),
                         0);
        world_expect_status(w, "unable to find target container a");
        world_exit(w, "i", 0);
        world_pass(w, NODE_RETRY_MS);
        world_expect(w, "run s0; start i#0; start a#0; start d#0");
}

static void test_what_cannot_change_is_refused(void **state) {
        static const char *const others[] = {
                POD("\"containers\":[" C("b", "") "]"),
                POD("\"containers\":[" C("a", "") "," C("b", "") "]"),
                POD("\"containers\":[" C("a", ",\"livenessProbe\":{\"exec\":{\"command\":[\"x\"]}}") "]"),
                POD("\"initContainers\":[" C("i", "") "]," ONE),
        };
        struct world *w = *state;

        world_begin(w, POD(ONE));
        for (size_t i = 0; i < ELEMENTS(others); i++)
                assert_int_equal(world_update(w, others[i]), -EINVAL);
        world_expect(w, "run s0; start a#0");
        world_expect_status(w, "\"name\":\"a\"");
}

static void test_an_agent_that_starts_anew_finds_the_change(void **state) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        _cleanup_err_ struct err *err = NULL;
        struct world *w = *state;
        size_t length;

        world_begin(w, POD(ONE));
        assert_int_equal(world_update(w, "{" META ",\"labels\":{\"found\":\"again\"}},\"spec\":{" ONE "}}"), 0);
        assert_true(asprintf(&path, "%s/pods/%s/pod.json", w->root, worker_pod(w->worker)->metadata.uid) > 0);
        assert_int_equal(files_read(path, 1 << 20, &text, &length, &err), 0);
        assert_non_null(strstr(text, "\"found\":\"again\""));
}

/* -- resources --------------------------------------------------------------------------------------------- */

#define AMOUNTS(cpu, memory) "{\"cpu\":\"" cpu "\",\"memory\":\"" memory "\"}"
#define SIZED(name, cpu, memory, more)                                                                                 \
        C(name, ",\"resources\":{\"requests\":" AMOUNTS(cpu, memory) ",\"limits\":" AMOUNTS(cpu, memory) "}" more)
#define PODS(generation, containers)                                                                                   \
        "{" META ",\"generation\":" generation "},\"spec\":{\"containers\":[" containers "]}}"
#define RESTARTS(resource)                                                                                             \
        ",\"resizePolicy\":[{\"resourceName\":\"" resource "\",\"restartPolicy\":\"RestartContainer\"}]"

static void resize(struct world *w, const char *json) {
        assert_int_equal(world_update(w, json), 0);
        assert_true(worker_asks_resize(w->worker));
        assert_int_equal(worker_allocate(w->worker), 0);
        world_run(w);
}

static bool has_event(struct world *w, const char *part) {
        _cleanup_json_writer_ struct json_writer out = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        size_t length;

        events_write(w->node.world.events, &out);
        assert_int_equal(json_writer_finish(&out, &text, &length), 0);
        return strstr(text, part);
}

static bool status_has(struct world *w, const char *part) {
        _cleanup_free_ char *text = world_status(w);

        return strstr(text, part);
}

/* Memory before CPU, and of each those that shrink first. */
static void test_containers_are_resized_in_their_order(void **state) {
        struct world *w = *state;

        world_begin(w, PODS("1", SIZED("a", "100m", "64Mi", "") "," SIZED("b", "200m", "128Mi", "")));
        world_expect(w, "run s0; start a#0; start b#0");
        resize(w, PODS("2", SIZED("a", "150m", "96Mi", "") "," SIZED("b", "100m", "64Mi", "")));
        world_expect(w, "update b 204/20000 64Mi; update a 102/10000 96Mi; update b 102/10000 64Mi; "
                        "update a 153/15000 96Mi");
        world_expect_status(w, "\"allocatedResources\":{\"cpu\":\"150m\",\"memory\":\"96Mi\"}");
        assert_false(status_has(w, "PodResize"));
        assert_true(has_event(w, "ResizeStarted"));
        assert_true(has_event(w, "Pod resize completed: {\\\"containers\\\":[{\\\"name\\\":\\\"a\\\",\\\"resources\\\":"
                                 "{\\\"limits\\\":{\\\"cpu\\\":\\\"150m\\\",\\\"memory\\\":\\\"96Mi\\\"}"));
}

static void test_what_waits_keeps_its_size(void **state) {
        struct world *w = *state;

        world_begin(w, PODS("1", SIZED("a", "100m", "64Mi", "")));
        assert_int_equal(world_update(w, PODS("2", SIZED("a", "9", "64Mi", ""))), 0);
        assert_true(worker_asks_resize(w->worker));
        worker_defer(w->worker, "OutOfcpu", "too much");
        world_expect(w, "run s0; start a#0");
        world_expect_status(w, "\"type\":\"PodResizePending\",\"observedGeneration\":2,\"status\":\"True\"");
        world_expect_status(w, "\"allocatedResources\":{\"cpu\":\"100m\",\"memory\":\"64Mi\"}");
        assert_true(has_event(w, "Pod resize OutOfcpu: {"));
        assert_int_equal(world_update(w, PODS("3", SIZED("a", "0.1", "64Mi", ""))), 0);
        assert_false(worker_asks_resize(w->worker));
        assert_false(status_has(w, "PodResize"));
        world_expect(w, "");
}

static void test_a_policy_restarts_for_its_resource_alone(void **state) {
        struct world *w = *state;

        world_begin(w, PODS("1", SIZED("a", "100m", "64Mi", RESTARTS("memory"))));
        resize(w, PODS("2", SIZED("a", "200m", "64Mi", RESTARTS("memory"))));
        world_expect(w, "run s0; start a#0; update a 204/20000 64Mi");
        resize(w, PODS("3", SIZED("a", "200m", "96Mi", RESTARTS("memory"))));
        world_expect(w, "stop a 30; start a#1");
        assert_true(has_event(w, "Container a resize requires restart"));
        assert_false(status_has(w, "PodResize"));
}

static void test_a_resize_that_fails_is_told_and_tried_again(void **state) {
        struct world *w = *state;

        world_begin(w, PODS("1", SIZED("a", "100m", "64Mi", "")));
        w->update_error = "no";
        resize(w, PODS("2", SIZED("a", "200m", "64Mi", "")));
        world_expect(w, "run s0; start a#0");
        world_expect_status(w, "\"type\":\"PodResizeInProgress\"");
        world_expect_status(w, "\"reason\":\"Error\",\"message\":\"no\"");
        world_expect_status(w, "\"resources\":{\"limits\":{\"cpu\":\"100m\"");
        assert_true(has_event(w, "ResizeError"));
        w->update_error = NULL;
        world_pass(w, NODE_RETRY_MS - 1);
        world_expect(w, "");
        world_pass(w, 1);
        world_expect(w, "update a 204/20000 64Mi");
        assert_false(status_has(w, "PodResize"));
}

static bool asks_for_update(const struct world *w) {
        for (size_t i = 0; i < w->n_pending; i++)
                if (!w->pending[i].job && w->pending[i].method == CRI_UPDATE_CONTAINER_RESOURCES)
                        return true;
        return false;
}

static void overtake(struct world *w) {
        world_begin(w, PODS("1", SIZED("a", "100m", "64Mi", "")));
        assert_int_equal(world_update(w, PODS("2", SIZED("a", "200m", "64Mi", ""))), 0);
        assert_int_equal(worker_allocate(w->worker), 0);
        world_run_until(w, CRI_UPDATE_CONTAINER_RESOURCES);
        assert_true(asks_for_update(w));
        assert_int_equal(world_update_quietly(w, PODS("3", SIZED("a", "300m", "64Mi", ""))), 0);
        assert_int_equal(worker_allocate(w->worker), 0);
}

/* The pod's cgroup has the new size before the container gets it. */
static void test_a_resize_overtakes_one_under_way(void **state) {
        struct world *w = *state;

        overtake(w);
        world_run_until(w, CRI_UPDATE_CONTAINER_RESOURCES);
        world_run_one(w);
        assert_false(asks_for_update(w));
        world_run(w);
        world_expect(w, "run s0; start a#0; update a 204/20000 64Mi; update a 307/30000 64Mi");
        assert_false(status_has(w, "PodResize"));
        assert_false(has_event(w, "ResizeError"));
}

static void test_a_resize_that_fails_when_it_is_overtaken(void **state) {
        struct world *w = *state;

        overtake(w);
        w->update_error = "no";
        world_run_until(w, CRI_UPDATE_CONTAINER_RESOURCES);
        world_run_one(w);
        w->update_error = NULL;
        world_run(w);
        world_expect(w, "run s0; start a#0; update a 307/30000 64Mi");
        assert_false(status_has(w, "PodResize"));
        assert_false(has_event(w, "ResizeError"));
}

/* What was allocated and what was set are on the disk: a new agent goes on with what is left. */
static void test_a_new_agent_goes_on_with_a_resize(void **state) {
        struct world *w = *state;
        struct worker_found_container container;
        struct worker_found found = { .containers = &container, .n_containers = 1 };
        struct pod *pod;

        world_begin(w, PODS("1", SIZED("a", "100m", "64Mi", "")));
        resize(w, PODS("2", SIZED("a", "100m", "96Mi", "")));
        world_expect(w, "run s0; start a#0; update a 102/10000 96Mi");
        w->update_error = "no";
        resize(w, PODS("3", SIZED("a", "200m", "96Mi", "")));
        container = (struct worker_found_container){ w->containers[0].name, w->containers[0].id, 0 };
        found.sandbox_id = w->sandbox;
        pod = pod_ref((struct pod *)worker_pod(w->worker));
        worker_free(w->worker);
        world_run(w);
        w->update_error = NULL;
        w->worker = worker_new(&w->node, pod);
        assert_int_equal(worker_take_up(w->worker, &found), 0);
        world_run(w);
        world_expect(w, "update a 204/20000 96Mi");
        assert_false(status_has(w, "PodResize"));
        pod_unref(pod);
}

/* The node keeps what it holds until the change is made. */
static void test_what_shrinks_holds_until_it_is_smaller(void **state) {
        struct world *w = *state;

        world_begin(w, PODS("1", SIZED("a", "200m", "64Mi", "")));
        assert_null(worker_before(w->worker));
        assert_int_equal(world_update(w, PODS("2", SIZED("a", "100m", "64Mi", ""))), 0);
        assert_int_equal(worker_allocate(w->worker), 0);
        assert_non_null(worker_before(w->worker));
        world_run(w);
        assert_null(worker_before(w->worker));
}

static void test_a_preempted_pod(void **state) {
        struct world *w = *state;

        world_begin(w, POD(ONE));
        assert_true(worker_preempt(w->worker));
        assert_false(worker_preempt(w->worker));
        world_run(w);
        world_expect(w, "run s0; start a#0; stop a 30; stop sandbox");
        world_expect_status(w, "\"reason\":\"Preempting\"");
        world_expect_status(w, "\"message\":\"Preempted in order to admit critical pod\"");
        world_expect_status(w, "Pod was preempted by Kubelet to accommodate a critical pod.");
        assert_false(worker_holds(w->worker));
}

static void test_a_pod_goes_down_with_the_host(void **state) {
        struct world *w = *state;

        world_begin(w, POD(ONE));
        assert_true(worker_shut_down(w->worker, 7));
        assert_true(worker_is_shut_down(w->worker));
        world_run(w);
        world_expect(w, "run s0; start a#0; stop a 7; stop sandbox");
        world_expect_status(w, "\"phase\":\"Failed\"");
        world_expect_status(w, "\"reason\":\"Terminated\"");
        world_expect_status(w, "\"message\":\"Pod was terminated in response to imminent node shutdown.\"");
        world_expect_status(w, "\"type\":\"DisruptionTarget\"");
        assert_false(worker_holds(w->worker));
}

/* It has its own reason for its end; only the time gets shorter. */
static void test_a_pod_that_ends_already_is_hurried_by_the_host_s_end(void **state) {
        struct world *w = *state;

        world_begin(w, POD(ONE));
        worker_delete(w->worker);
        assert_true(worker_shut_down(w->worker, 0));
        assert_false(worker_is_shut_down(w->worker));
        world_run(w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                WORLD_TEST(test_another_image_restarts),
                WORLD_TEST(test_the_phase_stays_while_a_container_is_made_anew),
                WORLD_TEST(test_the_same_image_restarts_nothing),
                WORLD_TEST(test_another_image_while_it_starts),
                WORLD_TEST(test_a_failing_pull_is_tried_with_the_new_image_at_once),
                WORLD_TEST(test_a_deadline_that_comes_later),
                WORLD_TEST(test_a_shorter_grace_period),
                WORLD_TEST(test_a_shorter_grace_period_cuts_a_hook),
                WORLD_TEST(test_ephemeral_containers),
                WORLD_TEST(test_ephemeral_containers_do_not_wait_for_init_containers),
                WORLD_TEST(test_a_target_that_does_not_run),
                WORLD_TEST(test_what_cannot_change_is_refused),
                WORLD_TEST(test_an_agent_that_starts_anew_finds_the_change),
                WORLD_TEST(test_containers_are_resized_in_their_order),
                WORLD_TEST(test_what_waits_keeps_its_size),
                WORLD_TEST(test_a_policy_restarts_for_its_resource_alone),
                WORLD_TEST(test_a_resize_that_fails_is_told_and_tried_again),
                WORLD_TEST(test_a_resize_overtakes_one_under_way),
                WORLD_TEST(test_a_resize_that_fails_when_it_is_overtaken),
                WORLD_TEST(test_a_new_agent_goes_on_with_a_resize),
                WORLD_TEST(test_what_shrinks_holds_until_it_is_smaller),
                WORLD_TEST(test_a_preempted_pod),
                WORLD_TEST(test_a_pod_goes_down_with_the_host),
                WORLD_TEST(test_a_pod_that_ends_already_is_hurried_by_the_host_s_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
