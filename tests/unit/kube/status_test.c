/* Phase, conditions and the status's JSON, as kubelet has them. */
#include "kube/codec/codec.h"
#include "kube/pod/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kube/pod/restart.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

/* A container in a letter: w waiting, r running, s running and started (sidecars), 0 and 1 ended with that exit code,
 * Z and F waiting again after an exit with 0 or 1 (back-off). */
static struct pod_container_status make(char letter, const struct kube_container *container) {
        struct pod_container_status s = { .container = container, .exists = letter != 'w' };

        switch (letter) {
        case 's':
                s.started = TRI_TRUE;
                s.ready = true;
                s.state.kind = STATE_RUNNING;
                break;
        case 'r':
                s.state.kind = STATE_RUNNING;
                break;
        case '0':
        case '1':
                s.state.kind = STATE_TERMINATED;
                s.state.exit_code = letter - '0';
                s.ready = letter == '0';
                break;
        case 'Z':
        case 'F':
                s.has_last = true;
                s.last_state.kind = STATE_TERMINATED;
                s.last_state.exit_code = letter == 'F';
                break;
        }
        return s;
}

/* Init containers in small letters' row: 'I' an ordinary one, 'S' a sidecar, then their states in the same order. */
static const struct {
        const char *policy;
        const char *init_kinds, *init_states, *states;
        bool terminal;
        enum pod_phase phase;
} phases[] = {
        { "Always", "", "", "w", false, PHASE_PENDING },      { "Always", "", "", "r", false, PHASE_RUNNING },
        { "Always", "", "", "rw", false, PHASE_PENDING },     { "Always", "", "", "r1", false, PHASE_RUNNING },
        { "Always", "", "", "rF", false, PHASE_RUNNING },     { "Always", "", "", "00", false, PHASE_RUNNING },
        { "Always", "", "", "1F", false, PHASE_RUNNING },     { "Always", "", "", "00", true, PHASE_SUCCEEDED },
        { "Always", "", "", "01", true, PHASE_FAILED },       { "OnFailure", "", "", "00", false, PHASE_SUCCEEDED },
        { "OnFailure", "", "", "01", false, PHASE_RUNNING },  { "OnFailure", "", "", "0F", false, PHASE_RUNNING },
        { "Never", "", "", "00", false, PHASE_SUCCEEDED },    { "Never", "", "", "01", false, PHASE_FAILED },
        { "Never", "", "", "0r", false, PHASE_RUNNING },      { "Never", "", "", "1w", false, PHASE_PENDING },
        { "Always", "I", "w", "w", false, PHASE_PENDING },    { "Always", "I", "r", "w", false, PHASE_PENDING },
        { "Always", "I", "0", "w", false, PHASE_PENDING },    { "Always", "I", "0", "r", false, PHASE_RUNNING },
        { "Always", "I", "1", "w", false, PHASE_PENDING },    { "Always", "I", "F", "w", false, PHASE_PENDING },
        { "Never", "I", "1", "w", false, PHASE_FAILED },      { "Never", "I", "F", "w", false, PHASE_FAILED },
        { "OnFailure", "I", "1", "w", false, PHASE_PENDING }, { "Never", "II", "0w", "w", false, PHASE_PENDING },
        { "Always", "S", "w", "w", false, PHASE_PENDING },    { "Always", "S", "r", "w", false, PHASE_PENDING },
        { "Always", "S", "s", "w", false, PHASE_PENDING },    { "Always", "S", "s", "r", false, PHASE_RUNNING },
        { "Always", "S", "F", "r", false, PHASE_RUNNING },    { "Never", "S", "s", "0", false, PHASE_RUNNING },
        { "Never", "S", "0", "0", false, PHASE_SUCCEEDED },   { "Never", "S", "1", "0", false, PHASE_SUCCEEDED },
        { "Never", "S", "1", "1", false, PHASE_FAILED },      { "Never", "SI", "r0", "w", false, PHASE_PENDING },
};

#define CONTAINERS_MAX 4

struct scene {
        struct pod pod;
        struct kube_container init[CONTAINERS_MAX], containers[CONTAINERS_MAX];
        struct pod_container_status init_status[CONTAINERS_MAX], status[CONTAINERS_MAX];
};

static void set_scene(struct scene *scene, const char *policy, const char *init_kinds, const char *init_states,
                      const char *states) {
        static const char *const names[] = { "a", "b", "c", "d" }, *const init_names[] = { "i", "j", "k", "l" };

        memset(scene, 0, sizeof(*scene));
        scene->pod.spec.restart_policy = policy;
        scene->pod.spec.init_containers.items = scene->init;
        scene->pod.spec.init_containers.count = (uint32_t)strlen(init_kinds);
        scene->pod.spec.containers.items = scene->containers;
        scene->pod.spec.containers.count = (uint32_t)strlen(states);
        for (size_t i = 0; init_kinds[i]; i++) {
                scene->init[i].name = init_names[i];
                scene->init[i].restart_policy = init_kinds[i] == 'S' ? "Always" : NULL;
                scene->init_status[i] = make(init_states[i], &scene->init[i]);
        }
        for (size_t i = 0; states[i]; i++) {
                scene->containers[i].name = names[i];
                scene->status[i] = make(states[i], &scene->containers[i]);
        }
}

static void test_phase(void **state) {
        for (size_t i = 0; i < ELEMENTS(phases); i++) {
                struct scene scene;

                set_scene(&scene, phases[i].policy, phases[i].init_kinds, phases[i].init_states, phases[i].states);
                if (pod_phase(&scene.pod, scene.init_status, scene.status, phases[i].terminal) != phases[i].phase)
                        fail_msg("row %zu: %s", i,
                                 pod_phase_name(
                                         pod_phase(&scene.pod, scene.init_status, scene.status, phases[i].terminal)));
        }
}

/* A static pod's end is not final. */
static void test_phase_static(void **state) {
        struct scene scene;

        set_scene(&scene, "Always", "", "", "0");
        scene.pod.file = "web.yaml";
        assert_int_equal(pod_phase(&scene.pod, scene.init_status, scene.status, true), PHASE_RUNNING);
}

/* Rows of letters as above: what they are told as at the pod's end, U: of an unknown one. */
static const struct {
        const char *init_kinds, *init_states, *states;
        bool initialized;
        const char *init_ends, *ends;
        enum pod_phase phase;
} ends[] = {
        { "", "", "0", true, "", "0", PHASE_FAILED },        { "", "", "w", true, "", "U", PHASE_FAILED },
        { "", "", "0w", true, "", "0U", PHASE_FAILED },      { "", "", "F1", true, "", "U1", PHASE_FAILED },
        { "I", "0", "w", false, "0", "w", PHASE_FAILED },    { "I", "w", "w", false, "U", "w", PHASE_FAILED },
        { "II", "0w", "w", false, "0w", "w", PHASE_FAILED }, { "II", "ww", "w", false, "Uw", "w", PHASE_FAILED },
        { "II", "F0", "w", true, "U0", "U", PHASE_FAILED },  { "S", "r", "0", true, "U", "0", PHASE_FAILED },
};

static char letter_of(const struct pod_container_status *s) {
        if (s->state.kind != STATE_TERMINATED)
                return s->state.kind == STATE_WAITING ? 'w' : 'r';
        if (s->state.reason && strcmp(s->state.reason, "ContainerStatusUnknown") == 0 && s->state.exit_code == 137)
                return 'U';
        return (char)('0' + s->state.exit_code);
}

static void test_end(void **state) {
        for (size_t i = 0; i < ELEMENTS(ends); i++) {
                struct pod_status status = { .phase = PHASE_RUNNING };
                struct scene scene;

                set_scene(&scene, "Always", ends[i].init_kinds, ends[i].init_states, ends[i].states);
                status.init = scene.init_status;
                status.containers = scene.status;
                pod_status_end(&scene.pod, &status, ends[i].initialized);
                assert_int_equal(status.phase, ends[i].phase);
                for (size_t k = 0; ends[i].init_ends[k]; k++)
                        assert_int_equal(letter_of(&scene.init_status[k]), ends[i].init_ends[k]);
                for (size_t k = 0; ends[i].ends[k]; k++)
                        assert_int_equal(letter_of(&scene.status[k]), ends[i].ends[k]);
        }
}

static void test_end_keeps_what_is_final(void **state) {
        struct pod_status status = { .phase = PHASE_SUCCEEDED }, filed = { .phase = PHASE_RUNNING };
        struct scene scene;

        set_scene(&scene, "Never", "", "", "0");
        status.containers = filed.containers = scene.status;
        pod_status_end(&scene.pod, &status, true);
        assert_int_equal(status.phase, PHASE_SUCCEEDED);
        scene.pod.file = "web.yaml";
        pod_status_end(&scene.pod, &filed, true);
        assert_int_equal(filed.phase, PHASE_RUNNING);
}

static void test_restart_rules(void **state) {
        int32_t codes[] = { 42, 43 };
        struct kube_container_restart_rule_on_exit_codes in = { "In", { codes, 2 } };
        struct kube_container_restart_rule rule = { .action = "Restart", .exit_codes = &in };
        struct scene scene;
        struct kube_container *c = &scene.containers[0];

        set_scene(&scene, "Never", "", "", "1");
        c->restart_policy = "Never";
        c->restart_policy_rules.items = &rule;
        c->restart_policy_rules.count = 1;
        assert_true(pod_should_restart(&scene.pod, c, 42));
        assert_false(pod_should_restart(&scene.pod, c, 1));
        in.operator= "NotIn";
        assert_true(pod_should_restart(&scene.pod, c, 1));
        assert_false(pod_should_restart(&scene.pod, c, 42));
        c->restart_policy_rules.count = 0;
        c->restart_policy = "OnFailure";
        assert_true(pod_should_restart(&scene.pod, c, 1));
        assert_false(pod_should_restart(&scene.pod, c, 0));
}

static const struct {
        const char *policy;
        const char *init_kinds, *init_states, *states;
        const char *type;
        bool value;
        const char *reason, *message;
} conditions[] = {
        { "Always", "", "", "w", "Initialized", true, NULL, NULL },
        { "Always", "IS", "ww", "w", "Initialized", false, "ContainersNotInitialized",
          "containers with incomplete status: [i j]" },
        { "Always", "IS", "0r", "w", "Initialized", false, "ContainersNotInitialized",
          "containers with incomplete status: [j]" },
        { "Always", "IS", "0s", "w", "Initialized", true, NULL, NULL },
        { "Always", "IS", "0r", "r", "Initialized", true, NULL, NULL },
        { "Never", "I", "0", "0", "Initialized", true, "PodCompleted", NULL },
        { "Always", "", "", "sr", "Ready", false, "ContainersNotReady", "containers with unready status: [b]" },
        { "Always", "", "", "wr", "ContainersReady", false, "ContainersNotReady",
          "containers with unready status: [a b]" },
        { "Always", "S", "r", "s", "Ready", false, "ContainersNotReady", "containers with unready status: [i]" },
        { "Always", "S", "s", "s", "Ready", true, NULL, NULL },
        { "Never", "", "", "0", "Ready", false, "PodCompleted", NULL },
        { "Never", "", "", "1", "ContainersReady", false, "PodFailed", NULL },
        { "Always", "", "", "w", "PodScheduled", true, NULL, NULL },
        { "Always", "", "", "w", "PodReadyToStartContainers", false, NULL, NULL },
};

static void assert_text(const char *found, const char *wanted) {
        if (wanted)
                assert_string_equal(found, wanted);
        else
                assert_null(found);
}

static void test_conditions(void **state) {
        for (size_t i = 0; i < ELEMENTS(conditions); i++) {
                struct pod_status status = { 0 };
                const struct pod_condition *c;
                struct scene scene;

                set_scene(&scene, conditions[i].policy, conditions[i].init_kinds, conditions[i].init_states,
                          conditions[i].states);
                status.init = scene.init_status;
                status.containers = scene.status;
                status.phase = pod_phase(&scene.pod, status.init, status.containers, false);
                assert_int_equal(pod_status_conditions(&scene.pod, &status, false, NULL, 1000), 0);
                c = pod_status_condition(&status, conditions[i].type);
                assert_int_equal(c->status, conditions[i].value);
                assert_text(c->reason, conditions[i].reason);
                assert_text(c->message, conditions[i].message);
                pod_status_done(&status);
        }
}

/* A time of transition stays until the condition turns. */
static void test_transitions(void **state) {
        struct pod_status first = { 0 }, second = { 0 };
        struct scene scene;

        set_scene(&scene, "Always", "", "", "r");
        first.containers = second.containers = scene.status;
        first.phase = second.phase = PHASE_RUNNING;
        assert_int_equal(pod_status_conditions(&scene.pod, &first, true, NULL, 1000), 0);
        scene.status[0].ready = true;
        assert_int_equal(pod_status_conditions(&scene.pod, &second, true, &first, 2000), 0);
        assert_int_equal(pod_status_condition(&second, "Ready")->last_transition, 2000);
        assert_int_equal(pod_status_condition(&second, "PodScheduled")->last_transition, 1000);
        pod_status_done(&first);
        pod_status_done(&second);
}

static void expect_ready(const struct scene *scene, bool wanted, const char *message) {
        struct pod_status status = { .phase = PHASE_RUNNING,
                                     .containers = (struct pod_container_status *)scene->status };
        const struct pod_condition *ready;

        assert_int_equal(pod_status_conditions(&scene->pod, &status, true, NULL, 1000), 0);
        ready = pod_status_condition(&status, "Ready");
        assert_int_equal(ready->status, wanted);
        if (message) {
                assert_string_equal(ready->reason, "ReadinessGatesNotReady");
                assert_string_equal(ready->message, message);
        }
        assert_true(pod_status_condition(&status, "ContainersReady")->status);
        pod_status_done(&status);
}

/* status/generate.go, GeneratePodReadyCondition(). */
static void test_gates(void **state) {
        struct kube_pod_readiness_gate gates[] = { { .condition_type = "a.b/x" }, { .condition_type = "a.b/y" } };
        struct string_pair told[] = { { "a.b/x", "False" }, { "a.b/y", "True" } };
        struct scene scene;

        set_scene(&scene, "Always", "", "", "s");
        scene.pod.spec.readiness_gates.items = gates;
        scene.pod.spec.readiness_gates.count = 2;
        expect_ready(
                &scene, false,
                "corresponding condition of pod readiness gate \"a.b/x\" does not exist., corresponding condition of "
                "pod readiness gate \"a.b/y\" does not exist.");
        scene.pod.gates = (string_map){ told, 2 };
        expect_ready(&scene, false, "the status of pod readiness gate \"a.b/x\" is not \"True\", but False");
        told[0].value = "True";
        expect_ready(&scene, true, NULL);
}

static void test_write(void **state) {
        static const char *const ips[] = { "10.0.0.7", "fd00::7" };
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_free_ char *text = NULL;
        struct kube_pod_status made;
        struct pod_status status = { .phase = PHASE_RUNNING, .host_ip = "192.0.2.1", .pod_ips = ips, .n_pod_ips = 2 };
        struct kube_volume_mount mounts[] = { { .name = "v", .mount_path = "/v" },
                                              { .name = "v", .mount_path = "/w", .read_only = true } };
        struct scene scene;

        set_scene(&scene, "Always", "", "", "Fw");
        scene.containers[0].image = "web:1";
        scene.containers[0].volume_mounts.items = mounts;
        scene.containers[0].volume_mounts.count = 2;
        scene.containers[1].image = "web:2";
        scene.containers[1].name = "z";
        status.containers = scene.status;
        status.start_time = 1767323045000;
        scene.status[0].state = (struct pod_container_state){ .reason = "CrashLoopBackOff", .message = "back-off" };
        scene.status[0].last_state.reason = "Error";
        scene.status[0].last_state.finished_at = 1767323045999;
        scene.status[0].restart_count = 3;
        scene.status[0].started = TRI_FALSE;
        assert_int_equal(pod_status_make(arena, &scene.pod, &status, &made), 0);
        kube_json_write(&w, &kube_pod_status_type, &made);
        assert_int_equal(json_writer_finish(&w, &text, NULL), 0);
        assert_string_equal(
                text, "{\"phase\":\"Running\",\"hostIP\":\"192.0.2.1\",\"hostIPs\":[{\"ip\":\"192.0.2.1\"}],"
                      "\"podIP\":\"10.0.0.7\",\"podIPs\":[{\"ip\":\"10.0.0.7\"},{\"ip\":\"fd00::7\"}],"
                      "\"startTime\":\"2026-01-02T03:04:05Z\",\"containerStatuses\":[{\"name\":\"a\","
                      "\"state\":{\"waiting\":{\"reason\":\"CrashLoopBackOff\",\"message\":\"back-off\"}},"
                      "\"lastState\":{\"terminated\":{\"exitCode\":1,\"reason\":\"Error\","
                      "\"startedAt\":\"1970-01-01T00:00:00Z\","
                      "\"finishedAt\":\"2026-01-02T03:04:05Z\"}},\"ready\":false,\"restartCount\":3,"
                      "\"image\":\"web:1\",\"imageID\":\"\",\"started\":false,\"resources\":{},"
                      "\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\"},{\"name\":\"v\",\"mountPath\":\"/w\","
                      "\"readOnly\":true,\"recursiveReadOnly\":\"Disabled\"}]},"
                      "{\"name\":\"z\",\"state\":{\"waiting\":{}},\"lastState\":{},\"ready\":false,\"restartCount\":0,"
                      "\"image\":\"web:2\",\"imageID\":\"\"}],"
                      "\"qosClass\":\"BestEffort\",\"resources\":{}}");
}

/* What all containers say of their ends has a maximum together, and no character is cut in two. */
static void test_messages_share_their_room(void **state) {
        enum { EACH = POD_STATUS_MESSAGES_MAX / 4 };
        static char whole[EACH + 1], longer[EACH + 2], odd[EACH + 2];
        _cleanup_arena_ struct arena *arena = arena_new();
        struct pod_status status = { .phase = PHASE_RUNNING };
        struct kube_pod_status made;
        struct scene scene;

        memset(whole, 'x', EACH);
        memset(longer, 'x', EACH + 1);
        memset(odd, 'x', EACH - 1);
        memcpy(odd + EACH - 1, "\xc3\xa9", 2);
        set_scene(&scene, "Always", "I", "0", "FFF");
        status.init = scene.init_status;
        status.containers = scene.status;
        scene.init_status[0].state.message = longer;
        scene.status[0].last_state.message = whole;
        scene.status[1].last_state.message = longer;
        scene.status[2].last_state.message = odd;
        assert_int_equal(pod_status_make(arena, &scene.pod, &status, &made), 0);
        assert_string_equal(made.init_container_statuses.items[0].state.terminated->message, whole);
        assert_string_equal(made.container_statuses.items[0].last_state.terminated->message, whole);
        assert_string_equal(made.container_statuses.items[1].last_state.terminated->message, whole);
        assert_int_equal(strlen(made.container_statuses.items[2].last_state.terminated->message), EACH - 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_phase),         cmocka_unit_test(test_phase_static),
                cmocka_unit_test(test_end),           cmocka_unit_test(test_end_keeps_what_is_final),
                cmocka_unit_test(test_restart_rules), cmocka_unit_test(test_conditions),
                cmocka_unit_test(test_transitions),   cmocka_unit_test(test_write),
                cmocka_unit_test(test_gates),         cmocka_unit_test(test_messages_share_their_room),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
