/* Nodes and their pods, by a made-up client, with a clock of the test's own: what is sent when, and that clocks that
 * are set count for nothing. */
#include "tests/unit/support/fake_client.h"

#include "api/controllers/internal.h"
#include "api/controllers/node_config.h"
#include "api/kinds.h"
#include "kube/kinds.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define WALL INT64_C(1796000000) /* 2026-11-30T00:53:20Z */
#define READY                                                                                                          \
        "{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\",\"uid\":\"u\"},\"spec\":{%s},"         \
        "\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\",\"lastHeartbeatTime\":\"%s\"}]}}"
#define POD                                                                                                            \
        "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"p\",\"namespace\":\"d\",\"uid\":\"v\"},"     \
        "\"spec\":{\"nodeName\":\"%s\",\"tolerations\":[{\"operator\":\"Exists\",\"tolerationSeconds\":%d}]},"         \
        "\"status\":{\"phase\":\"%s\"}}"
#define TAINT "\"taints\":[{\"key\":\"k\",\"effect\":\"NoExecute\"}]"
#define HEARD "2026-11-30T00:53:20Z"

static uv_loop_t loop;
static struct fake fake;
static struct kube_registry *kinds;
static struct controllers *controllers;
static uint64_t now;
static int64_t set; /* by how much the wall clock was */

static uint64_t clock_now(void *data) {
        return now;
}

static int64_t clock_wall(void *data) {
        return WALL + set + (int64_t)(now / WORK_SECOND);
}

static void turn(void) {
        for (unsigned i = 0; i < 4; i++) {
                uv_run(&loop, UV_RUN_NOWAIT);
                fake_answer_lists(&fake);
        }
        controllers_turn(controllers);
        fake_answer_lists(&fake);
        controllers_turn(controllers);
}

static void begin(const char *which) {
        struct controllers_config config = {
                .client = &fake.base, .which = which, .now = clock_now, .wall = clock_wall
        };

        now = 1000 * WORK_SECOND;
        set = 0;
        uv_loop_init(&loop);
        fake_init(&fake, &loop);
        kinds = api_kinds_new(NULL);
        config.kinds = kinds;
        assert_int_equal(controllers_new(&config, &controllers, NULL), 0);
}

static void end(void) {
        controllers_stop(controllers);
        fake_done(&fake);
        uv_run(&loop, UV_RUN_DEFAULT);
        controllers_free(controllers);
        assert_int_equal(uv_loop_close(&loop), 0);
        kinds = kube_registry_free(kinds);
}

static void start(void) {
        assert_int_equal(controllers_start(controllers), 0);
        turn();
}

static void put(const char *group, const char *kind, const char *namespace, const char *name, const char *format, ...) {
        char json[1024];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(json, sizeof(json), format, arguments);
        va_end(arguments);
        fake_put(&fake, kube_registry_kind(kinds, group, "v1", kind), namespace, name, json);
}

/* The request that waits and is no event. */
static struct fake_call *sent(void) {
        struct fake_call *found = NULL;

        for (unsigned i = 0; i < fake.n_sent; i++)
                if (fake.sent[i].open && !strstr(fake.sent[i].target, "/events")) {
                        assert_null(found);
                        found = &fake.sent[i];
                }
        return found;
}

static void until(uint64_t seconds) {
        now += seconds * WORK_SECOND;
        turn();
}

static void lost_at_the_end_of_the_grace_period(void **state) {
        struct fake_call *c;

        begin("node-lifecycle-controller");
        put("", "Node", "", "n", READY, "n", "", "True", HEARD);
        start();
        assert_null(sent());
        set = 30 * INT64_C(365) * 86400;
        until(50);
        assert_null(sent());
        until(1);
        c = sent();
        assert_non_null(c);
        assert_string_equal(c->target, "/api/v1/nodes/n/status");
        assert_non_null(strstr(c->body, "\"status\":\"Unknown\""));
        assert_non_null(strstr(c->body, "\"reason\":\"NodeStatusUnknown\""));
        fake_answer(c, 409, "Conflict", "{}"); /* it is tried again */
        until(1);
        c = sent();
        assert_non_null(c);
        fake_answer(c, 200, "", "{}");
        turn();
        assert_null(sent());
        end();
}

/* Its heartbeat, or its lease alone. */
static void heard_of_in_time(void **state) {
        begin("node-lifecycle-controller");
        put("", "Node", "", "n", READY, "n", "", "True", HEARD);
        start();
        until(40);
        put("", "Node", "", "n", READY, "n", "", "True", "2026-11-30T00:54:00Z");
        until(40);
        put("coordination.k8s.io", "Lease", "kube-node-lease", "n",
            "{\"spec\":{\"renewTime\":\"2026-11-30T00:54:40.000000Z\"}}");
        until(45);
        put("coordination.k8s.io", "Lease", "kube-node-lease", "n",
            "{\"spec\":{\"renewTime\":\"1991-01-01T00:00:00.000000Z\"}}"); /* its clock was set back */
        until(45);
        assert_null(sent());
        /* What was not renewed, or elsewhere, is no sign of life. */
        put("coordination.k8s.io", "Lease", "kube-node-lease", "n",
            "{\"spec\":{\"renewTime\":\"1991-01-01T00:00:00.000000Z\"},\"x\":1}");
        put("coordination.k8s.io", "Lease", "elsewhere", "n",
            "{\"spec\":{\"renewTime\":\"2026-11-30T00:59:40.000000Z\"}}");
        until(6);
        assert_non_null(sent());
        end();
}

static void tolerated_for_a_while(void **state) {
        struct fake_call *c;

        begin("taint-eviction-controller");
        put("", "Node", "", "n", READY, "n", TAINT, "True", HEARD);
        put("", "Pod", "d", "p", POD, "n", 300, "Running");
        start();
        set = -86400;
        until(299);
        assert_null(sent());
        until(2);
        c = sent();
        assert_non_null(c);
        assert_string_equal(c->target, "/api/v1/namespaces/d/pods/p/status");
        assert_non_null(strstr(c->body, "\"uid\":\"v\""));
        assert_non_null(strstr(c->body, "\"type\":\"DisruptionTarget\""));
        fake_answer(c, 200, "", "{}");
        c = sent();
        assert_non_null(c);
        assert_int_equal(c->verb, KUBE_VERB_DELETE);
        fake_answer(c, 200, "", "{}");
        end();
}

static void a_taint_that_goes_in_time(void **state) {
        begin("taint-eviction-controller");
        put("", "Node", "", "n", READY, "n", TAINT, "True", HEARD);
        put("", "Pod", "d", "p", POD, "n", 300, "Running");
        start();
        until(100);
        put("", "Node", "", "n", READY, "n", "", "True", HEARD);
        until(300);
        assert_null(sent());
        end();
}

/* The node is asked for once more before its pods go. */
static void orphans_go_after_quarantine(void **state) {
        struct fake_call *c;

        begin("pod-garbage-collector-controller");
        put("", "Pod", "d", "p", POD, "gone", 300, "Running");
        start();
        until(39);
        assert_null(sent());
        until(2);
        c = sent();
        assert_non_null(c);
        assert_string_equal(c->target, "/api/v1/nodes/gone");
        fake_answer(c, 404, "NotFound", "{}");
        fake_answer_lists(&fake);
        c = sent();
        assert_non_null(c);
        assert_non_null(strstr(c->body, "\"phase\":\"Failed\""));
        assert_non_null(strstr(c->body, "DeletionByPodGC"));
        fake_answer(c, 200, "", "{}");
        c = sent();
        assert_non_null(c);
        assert_non_null(strstr(c->body, "\"gracePeriodSeconds\":0"));
        fake_answer(c, 200, "", "{}");
        end();
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lost_at_the_end_of_the_grace_period),
                cmocka_unit_test(heard_of_in_time),
                cmocka_unit_test(tolerated_for_a_while),
                cmocka_unit_test(a_taint_that_goes_in_time),
                cmocka_unit_test(orphans_go_after_quarantine),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
