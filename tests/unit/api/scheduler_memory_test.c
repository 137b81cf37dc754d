/* Whatever allocation fails, an attempt to place a pod fails for want of memory, and what it counted can be taken off.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/scheduler/cycle.h"
#include "api/scheduler/victims.h"
#include "client/client.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "tests/unit/support/each_allocation.h"

#define NODE(name)                                                                                                     \
        "{\"metadata\":{\"name\":\"" name "\",\"labels\":{\"kubernetes.io/hostname\":\"" name                          \
        "\",\"topology.kubernetes.io/zone\":\"z\"}},\"status\":{\"allocatable\":{\"cpu\":\"2\",\"memory\":\"4Gi\","    \
        "\"pods\":\"9\",\"example.com/gpu\":\"1\"},\"images\":[{\"names\":[\"i:latest\"],\"sizeBytes\":900000000}]}}"
#define TERM                                                                                                           \
        "{\"labelSelector\":{\"matchLabels\":{\"a\":\"b\"}},\"topologyKey\":\"kubernetes.io/hostname\","               \
        "\"namespaceSelector\":{\"matchExpressions\":[{\"key\":\"k\",\"operator\":\"In\",\"values\":[\"v\"]}]}}"
#define SPEC(more)                                                                                                     \
        "\"spec\":{\"schedulerName\":\"default-scheduler\"" more ",\"containers\":[{\"name\":\"c\",\"image\":\"i\","   \
        "\"ports\":[{\"containerPort\":1,\"hostPort\":1}],\"resources\":{\"requests\":{\"cpu\":\"1\","                 \
        "\"example.com/gpu\":\"1\"}}}],\"affinity\":{\"podAntiAffinity\":{"                                            \
        "\"requiredDuringSchedulingIgnoredDuringExecution\":[" TERM "]},\"podAffinity\":{"                             \
        "\"preferredDuringSchedulingIgnoredDuringExecution\":[{\"weight\":1,\"podAffinityTerm\":" TERM "}]}},"         \
        "\"topologySpreadConstraints\":[{\"maxSkew\":1,\"topologyKey\":\"kubernetes.io/hostname\","                    \
        "\"whenUnsatisfiable\":\"DoNotSchedule\",\"labelSelector\":{\"matchLabels\":{\"c\":\"d\"}}},"                  \
        "{\"maxSkew\":1,\"topologyKey\":\"topology.kubernetes.io/zone\",\"whenUnsatisfiable\":\"ScheduleAnyway\","     \
        "\"labelSelector\":{\"matchLabels\":{\"c\":\"d\"}}}]}"
#define POD(name, more) "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"n\",\"uid\":\"u\"}," SPEC(more) "}"

static struct sched_cluster cluster;
static struct sched_node *fitting[4];
static int64_t points[4], totals[4];
static uint8_t verdicts[4];

static struct client_object *object_of(const char *name, const char *json) {
        _cleanup_bytes_ struct bytes *bytes = bytes_copy(json, strlen(json));

        return bytes ? client_object_new(1, "", name, bytes) : NULL;
}

static int add_node(const char *name, const char *json) {
        _cleanup_client_object_ struct client_object *object = object_of(name, json);
        struct sched_node *node;
        uint32_t events;

        return object ? sched_cluster_put_node(&cluster, object, &node, &events) : -ENOMEM;
}

static int read_pod(const char *json, struct sched_pod **ret_pod) {
        _cleanup_client_object_ struct client_object *object = object_of("p", json);

        return object ? sched_pod_read(object, ret_pod) : -ENOMEM;
}

static int add_bound(void) {
        struct sched_node *node;
        struct sched_pod *pod;
        int r = read_pod(POD("p", ",\"nodeName\":\"a\""), &pod);

        if (r < 0)
                return r;
        r = sched_cluster_add(&cluster, pod);
        if (r < 0) {
                sched_pod_free(pod);
                return r;
        }
        node = sched_cluster_get_node(&cluster, pod->node_name);
        return node ? sched_cluster_place(&cluster, pod, node) : -ENOMEM;
}

static int add_service(const char *name) {
        static const char json[] = "{\"metadata\":{},\"spec\":{\"selector\":{\"k\":\"v\"}}}";
        _cleanup_client_object_ struct client_object *object = object_of(name, json);

        return object ? sched_kin_put(&cluster.kin, SCHED_SERVICE, object, 1) : -ENOMEM;
}

/* What spreads pods that do not say how: two Services of the same pods. */
static int add_kin(void) {
        return add_service("s") ?: add_service("t");
}

/* Of one with the Services' labels, which are asked for once. */
static int select_kin(struct arena *arena) {
        struct sched_pod *pod = NULL;
        struct selector_labels kin;
        int r = read_pod("{\"metadata\":{\"name\":\"r\",\"labels\":{\"k\":\"v\"}},\"spec\":{}}", &pod);

        if (r < 0)
                return r;
        r = sched_kin_selector(&cluster.kin, arena, pod, &kin);
        sched_pod_free(pod);
        return r < 0 || kin.n == 1 ? r : -EINVAL;
}

/* The pod fits the other node, and, once it is more important, this one without what is there. */
static int place(struct sched_cycle *c) {
        static const struct sched_budgets none;
        struct sched_victims victims;
        uint64_t random = 1;
        int r = sched_cycle_prepare(c);

        if (r < 0)
                return r;
        sched_cycle_find(c, 0);
        if (c->n_fitting != 1 || strcmp(fitting[0]->name, "b") != 0)
                return -ENOMEM;
        fitting[c->n_fitting++] = cluster.order[0]; /* so that there are scores */
        if (!sched_cycle_best(c, &random))
                return -ENOMEM;
        c->pod->priority = 1;
        return sched_victims_find(c, sched_cluster_node(&cluster, "a"), &none, &victims) ? 0 : -ENOMEM;
}

static int work(void) {
        struct sched_cycle c = { .cluster = &cluster,
                                 .arena = arena_new(),
                                 .scratch = arena_new(),
                                 .fitting = fitting,
                                 .scores = points,
                                 .totals = totals,
                                 .verdicts = verdicts };
        int r = c.arena && c.scratch ? 0 : -ENOMEM;

        cluster = (struct sched_cluster){ 0 };
        r = r ?: add_node("a", NODE("a"));
        r = r ?: add_node("b", NODE("b"));
        r = r ?: add_bound();
        r = r ?: add_kin();
        r = r ?: select_kin(c.arena);
        r = r ?: sched_cluster_settle(&cluster);
        r = r ?: read_pod(POD("q", ""), &c.pod);
        r = r ?: place(&c);
        sched_pod_free(c.pod);
        sched_cluster_clear(&cluster);
        arena_free(c.arena);
        arena_free(c.scratch);
        return r;
}

static void test_each_allocation(void **state) {
        assert_true(fail_each_allocation(work) > 50);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_allocation) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
