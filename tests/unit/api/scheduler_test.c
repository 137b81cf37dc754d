/* The scheduler as a whole, by a made-up client, with a clock of the test's own: bindings, failures, the queue, who has
 * to go. */
#include "tests/unit/support/fake_client.h"

#include "api/kinds.h"
#include "api/scheduler/internal.h"
#include "kube/kinds.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define MS (SCHED_SECOND / 1000)

static uv_loop_t loop;
static struct fake fake;
static struct kube_registry *kinds;
static struct scheduler *scheduler;
static uint64_t now;

static uint64_t clock_now(void *data) {
        return now;
}

static int64_t clock_wall(void *data) {
        return INT64_C(1796000000) + (int64_t)(now / SCHED_SECOND);
}

static const struct kube_kind *kind_of(const char *resource) {
        return kube_registry_resource(kinds, "", "v1", resource);
}

static void turn(void) {
        for (unsigned i = 0; i < 4; i++) {
                uv_run(&loop, UV_RUN_NOWAIT);
                fake_answer_lists(&fake);
        }
        scheduler_turn(scheduler);
}

static void begin(void) {
        struct scheduler_config config = { .client = &fake.base, .now = clock_now, .wall = clock_wall };

        now = 1000 * SCHED_SECOND;
        uv_loop_init(&loop);
        fake_init(&fake, &loop);
        kinds = api_kinds_new(NULL);
        config.kinds = kinds;
        assert_int_equal(scheduler_new(&config, &scheduler, NULL), 0);
}

static void start(void) {
        assert_int_equal(scheduler_start(scheduler), 0);
        turn();
}

static void end(void) {
        scheduler_stop(scheduler);
        fake_done(&fake);
        uv_run(&loop, UV_RUN_DEFAULT);
        scheduler_free(scheduler);
        assert_int_equal(uv_loop_close(&loop), 0);
        kinds = kube_registry_free(kinds);
}

/* --- objects --- */

static void put_node(const char *name, const char *cpu, const char *spec) {
        char text[1024];

        snprintf(text, sizeof(text),
                 "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"kubernetes.io/hostname\":\"%s\"}},\"spec\":{%s},"
                 "\"status\":{\"allocatable\":{\"cpu\":\"%s\",\"memory\":\"4Gi\",\"pods\":\"10\"}}}",
                 name, name, spec, cpu);
        fake_put(&fake, kind_of("nodes"), "", name, text);
}

static void put_pod(const char *name, const char *cpu, const char *meta, const char *spec) {
        char text[2048];

        snprintf(text, sizeof(text),
                 "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"default\",\"uid\":\"uid-%s\"%s},\"spec\":{"
                 "\"schedulerName\":\"default-scheduler\",\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{"
                 "\"cpu\":\"%s\"}}}]%s}}",
                 name, name, meta, cpu, spec);
        fake_put(&fake, kind_of("pods"), "default", name, text);
}

static void remove_pod(const char *name) {
        fake_put(&fake, kind_of("pods"), "default", name, NULL);
}

/* The request under way whose target ends in @end; NULL. */
static struct fake_call *find(const char *end) {
        for (unsigned i = 0; i < fake.n_sent; i++) {
                struct fake_call *c = &fake.sent[i];
                size_t n = strlen(c->target);

                if (c->open && n >= strlen(end) && strcmp(c->target + n - strlen(end), end) == 0)
                        return c;
        }
        return NULL;
}

#define BINDING(pod) "/api/v1/namespaces/default/pods/" pod "/binding"
#define STATUS(pod) "/api/v1/namespaces/default/pods/" pod "/status"
#define EVENTS "/api/v1/namespaces/default/events"

static void answer(const char *end, int code, const char *reason) {
        struct fake_call *c = find(end);

        assert_non_null(c);
        fake_answer(c, code, reason, "{}");
}

/* The next event, which is taken. */
static void assert_event(const char *part) {
        struct fake_call *c = find(EVENTS);

        assert_non_null(c);
        if (!strstr(c->body, part))
                assert_string_equal(c->body, part);
        fake_answer(c, 201, "", "{}");
}

static void assert_bound(const char *binding, const char *node) {
        struct fake_call *c = find(binding);
        char target[128];

        assert_non_null(c);
        snprintf(target, sizeof(target), "\"target\":{\"kind\":\"Node\",\"name\":\"%s\"}", node);
        assert_non_null(strstr(c->body, target));
}

/* --- tests --- */

static void a_pod_is_bound(void **state) {
        begin();
        put_node("a", "1", "");
        put_pod("p", "100m", "", "");
        put_pod("q", "100m", "", ",\"nodeName\":\"a\"");
        fake_put(
                &fake, kind_of("pods"), "default", "theirs",
                "{\"metadata\":{\"name\":\"theirs\",\"namespace\":\"default\"},\"spec\":{\"schedulerName\":\"mine\"}}");
        assert_int_equal(scheduler_start(scheduler), 0);
        scheduler_turn(scheduler);
        assert_null(find(BINDING("p"))); /* not before all is known */
        turn();
        assert_bound(BINDING("p"), "a");
        assert_non_null(strstr(find(BINDING("p"))->body, "\"uid\":\"uid-p\""));
        assert_ptr_equal(fake_next(&fake), find(BINDING("p"))); /* nothing else */
        answer(BINDING("p"), 201, "");
        assert_event("\"message\":\"Successfully assigned default/p to a\"");
        put_pod("p", "100m", "", ",\"nodeName\":\"a\"");
        turn();
        assert_null(fake_next(&fake));
        end();
}

/* What is under way counts, and what failed gives back what it took. */
static void assumed_pods_count(void **state) {
        begin();
        put_node("a", "1", "");
        start();
        put_pod("p", "800m", "", "");
        turn();
        put_pod("q", "800m", "", "");
        turn();
        assert_null(find(BINDING("q")));
        assert_event("0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes "
                     "are available: "
                     "1 No preemption victims found for incoming pod.");
        answer(STATUS("q"), 200, "");
        now += SCHED_SECOND;
        answer(BINDING("p"), 500, "broken");
        assert_event("running Bind plugin \\\"DefaultBinder\\\": broken");
        assert_non_null(strstr(find(STATUS("p"))->body, "\"reason\":\"SchedulerError\""));
        answer(STATUS("p"), 200, "");
        turn();
        assert_bound(BINDING("q"), "a"); /* its place is free again */
        end();
}

static void who_fails_says_why(void **state) {
        struct fake_call *c;

        begin();
        put_node("a", "1", "\"taints\":[{\"key\":\"k\",\"effect\":\"NoSchedule\"}]");
        put_pod("p", "1", ",\"generation\":3", "");
        start();
        c = find(STATUS("p"));
        assert_non_null(c);
        assert_string_equal(
                c->body,
                "{\"metadata\":{\"uid\":\"uid-p\"},\"status\":{\"conditions\":[{\"type\":\"PodScheduled\",\"status\":"
                "\"False\","
                "\"observedGeneration\":3,\"lastTransitionTime\":\"2026-11-30T01:10:00Z\",\"reason\":\"Unschedulable\","
                "\"message\":\"0/1 nodes are available: 1 node(s) had untolerated taint(s). no new claims to "
                "deallocate, preemption: 0/1 nodes are "
                "available: 1 Preemption is not helpful for scheduling.\"}]}}");
        end();
}

/* A change that cannot help makes nobody try again, one that may does, and the back-off is cut short when there is
 * nothing else to do. */
static void changes_that_help(void **state) {
        begin();
        put_node("a", "1", "\"unschedulable\":true");
        put_pod("p", "100m", "", "");
        start();
        answer(STATUS("p"), 200, "");
        answer(EVENTS, 201, "");
        put_node("b", "1", "\"taints\":[{\"key\":\"k\",\"effect\":\"NoSchedule\"}]");
        put_node("b", "2", "\"taints\":[{\"key\":\"k\",\"effect\":\"NoSchedule\"}]");
        put_pod("q", "100m", "", ",\"nodeName\":\"a\"");
        remove_pod("q");
        turn();
        assert_int_equal(scheduler->metrics.attempts[SCHED_RESULT_UNSCHEDULABLE], 2); /* b: it was open */
        put_node("a", "1", "");
        turn();
        assert_bound(BINDING("p"), "a");
        assert_int_equal(scheduler->queue.incoming[SCHED_WHY_FAILED][SCHED_PART_HOPELESS], 2);
        assert_int_equal(scheduler->queue.hopeless_by[0], 0);
        end();
}

static void nothing_is_tried_for_ever(void **state) {
        begin();
        put_pod("p", "100m", "", "");
        start();
        assert_int_equal(scheduler->metrics.attempts[SCHED_RESULT_UNSCHEDULABLE], 1);
        for (unsigned i = 0; i < 299; i++) {
                now += SCHED_SECOND;
                scheduler_turn(scheduler);
        }
        assert_int_equal(scheduler->metrics.attempts[SCHED_RESULT_UNSCHEDULABLE], 1);
        now += SCHED_SECOND;
        scheduler_turn(scheduler);
        assert_int_equal(scheduler->metrics.attempts[SCHED_RESULT_UNSCHEDULABLE], 2);
        end();
}

/* After errors the back-off holds: 1 s, 2, 4, 8, 10, 10. */
static void errors_wait(void **state) {
        static const uint64_t seconds[] = { 1, 2, 4, 8, 10, 10 };

        begin();
        put_node("a", "1", "");
        put_pod("p", "100m", "", "");
        start();
        for (unsigned i = 0; i < ELEMENTS(seconds); i++) {
                answer(BINDING("p"), 500, "broken");
                scheduler_turn(scheduler);
                now += seconds[i] * SCHED_SECOND - 1;
                scheduler_turn(scheduler);
                assert_null(find(BINDING("p")));
                now += 1;
                scheduler_turn(scheduler);
                assert_bound(BINDING("p"), "a");
        }
        end();
}

static void the_important_come_first(void **state) {
        begin();
        put_node("a", "1", "");
        put_pod("low", "600m", "", ",\"priority\":1");
        put_pod("high", "600m", "", ",\"priority\":2");
        start();
        assert_bound(BINDING("high"), "a");
        assert_null(find(BINDING("low")));
        end();
}

static void gates_hold(void **state) {
        begin();
        put_node("a", "1", "");
        put_pod("p", "100m", "", ",\"schedulingGates\":[{\"name\":\"g\"}]");
        start();
        assert_null(fake_next(&fake));
        put_pod("p", "100m", ",\"generation\":2", "");
        turn();
        assert_bound(BINDING("p"), "a");
        end();
}

static void who_is_gone_is_forgotten(void **state) {
        begin();
        put_node("a", "1", "");
        put_pod("p", "1", "", "");
        start();
        remove_pod("p"); /* while its binding is under way */
        put_pod("q", "1", "", "");
        turn();
        assert_bound(BINDING("q"), "a");
        answer(BINDING("p"), 404, "NotFound");
        turn();
        assert_ptr_equal(fake_next(&fake), find(BINDING("q")));
        end();
}

/* What a list does not have any more has gone. */
static void a_new_list_tells_what_went(void **state) {
        begin();
        put_node("a", "1", "");
        put_pod("p", "1", "", ",\"nodeName\":\"a\"");
        start();
        for (unsigned i = 0; i < fake.n_watches; i++)
                fake.watches[i].kind = NULL; /* it hears of nothing */
        remove_pod("p");
        fake_end_watches(&fake, -ESTALE);
        now += 2000 * MS;
        for (unsigned i = 0; i < 400 && scheduler->cluster.pods.n > 0; i++) {
                uv_run(&loop, UV_RUN_ONCE);
                fake_answer_lists(&fake);
        }
        assert_int_equal(scheduler->cluster.pods.n, 0);
        assert_true(sched_cluster_node(&scheduler->cluster, "a")->known);
        end();
}

/* --- preemption --- */

static void the_least_important_leave(void **state) {
        begin();
        put_node("a", "1", "");
        put_node("b", "1", "");
        put_pod("on-a", "1", "", ",\"nodeName\":\"a\",\"priority\":5");
        put_pod("on-b-1", "500m", "", ",\"nodeName\":\"b\",\"priority\":1");
        put_pod("on-b-2", "500m", "", ",\"nodeName\":\"b\",\"priority\":2");
        start();
        put_pod("p", "500m", "", ",\"priority\":10");
        turn();
        assert_null(find(BINDING("p")));
        assert_non_null(strstr(find(STATUS("p"))->body, "\"nominatedNodeName\":\"b\""));
        assert_non_null(strstr(find(STATUS("on-b-1"))->body, "\"reason\":\"PreemptionByScheduler\""));
        assert_null(find(STATUS("on-b-2")));
        answer(STATUS("on-b-1"), 200, "");
        assert_int_equal(find("/pods/on-b-1")->verb, KUBE_VERB_DELETE);
        answer("/pods/on-b-1", 200, "");
        put_pod("late", "500m", "", ",\"priority\":3"); /* the place is taken */
        remove_pod("on-b-1");
        turn();
        assert_bound(BINDING("p"), "b");
        assert_null(find(BINDING("late")));
        end();
}

static void nobody_leaves(const char *spec, const char *words) {
        begin();
        put_node("a", "1", "");
        put_pod("on-a", "1", "", ",\"nodeName\":\"a\",\"priority\":5");
        start();
        put_pod("p", "500m", "", spec);
        turn();
        assert_event(words);
        assert_null(find(STATUS("on-a")));
        end();
}

static void who_may_not_preempt(void **state) {
        nobody_leaves(",\"priority\":10,\"preemptionPolicy\":\"Never\"",
                      "1 Insufficient cpu. no new claims to deallocate, preemption: not eligible due to "
                      "preemptionPolicy=Never.");
        nobody_leaves(",\"priority\":5", "1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are "
                                         "available: 1 No preemption victims found for "
                                         "incoming pod.");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_pod_is_bound),
                cmocka_unit_test(assumed_pods_count),
                cmocka_unit_test(who_fails_says_why),
                cmocka_unit_test(changes_that_help),
                cmocka_unit_test(nothing_is_tried_for_ever),
                cmocka_unit_test(errors_wait),
                cmocka_unit_test(the_important_come_first),
                cmocka_unit_test(gates_hold),
                cmocka_unit_test(who_is_gone_is_forgotten),
                cmocka_unit_test(a_new_list_tells_what_went),
                cmocka_unit_test(the_least_important_leave),
                cmocka_unit_test(who_may_not_preempt),
        };

        log_init("scheduler_test", LOG_LEVEL_ERROR);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
