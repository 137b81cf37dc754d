/* Whatever allocation fails, what the controllers of workloads and Services decide fails for want of memory and leaves
 * nothing behind. */
#include "tests/unit/support/fake_client.h"

#include "api/controllers/deployment.h"
#include "api/controllers/endpoints.h"
#include "api/controllers/slices.h"
#include "api/kinds.h"
#include "client/informer.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "tests/unit/support/each_allocation.h"

#define TEMPLATE(image)                                                                                                \
        "\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":"   \
        "\"" image "\"}]}}"

static const char deployment_text[] =
        "{\"metadata\":{\"name\":\"d\",\"uid\":\"u\",\"generation\":2,\"annotations\":{\"x\":\"y\"}},\"spec\":{"
        "\"replicas\":10,\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"progressDeadlineSeconds\":600,"
        "\"revisionHistoryLimit\":0," TEMPLATE("new") ",\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{"
                                                      "\"maxSurge\":\"25%\",\"maxUnavailable\":1}}}}",
                  old_text[] = "{\"metadata\":{\"name\":\"o\",\"annotations\":{\"" DEPLOYMENT_REVISION
                               "\":\"1\"}},\"spec\":{\"replicas\":10," TEMPLATE("old") "}}",
                  other_text[] = "{\"metadata\":{\"name\":\"p\",\"annotations\":{\"" DEPLOYMENT_DESIRED
                                 "\":\"5\"}},\"spec\":{\"replicas\":3," TEMPLATE("other") "}}";

static int read_object(struct arena *arena, const struct kube_type *type, const char *text, void *object) {
        return kube_json_read(arena, type, text, strlen(text), NULL, object);
}

static int decide(const char *const *sets, unsigned n) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct deployment_plan plan = { .arena = arena, .now = 1796000000 };
        int r = arena ? read_object(arena, &kube_apps_v1_deployment_type, deployment_text, &plan.d) : -ENOMEM;

        plan.sets = r == 0 ? arena_alloc_array(arena, n + 1, sizeof(*plan.sets)) : NULL;
        if (!plan.sets)
                return -ENOMEM;
        for (unsigned i = 0; r == 0 && i < n; i++)
                r = read_object(arena, &kube_apps_v1_replica_set_type, sets[i], &plan.sets[plan.n_sets++].set);
        return r ?: deployment_decide(&plan);
}

static int decide_first(void) {
        return decide(NULL, 0);
}

static int decide_rolling(void) {
        return decide((const char *const[]){ old_text }, 1);
}

static int decide_scaling(void) {
        return decide((const char *const[]){ old_text, other_text }, 2);
}

static void test_deployments(void **state) {
        assert_true(fail_each_allocation(decide_first) > 10);
        assert_true(fail_each_allocation(decide_rolling) > 10);
        assert_true(fail_each_allocation(decide_scaling) > 10);
}

/* --- end points --- */

static uv_loop_t loop;
static struct fake fake;
static struct kube_registry *kinds;

static const char pod_text[] =
        "{\"metadata\":{\"namespace\":\"n\",\"name\":\"p\",\"uid\":\"u\",\"resourceVersion\":\"1\",\"labels\":{\"a\":"
        "\"b\"},\"ownerReferences\":[{\"kind\":\"ReplicaSet\",\"name\":\"r\",\"uid\":\"r\",\"controller\":true}]},"
        "\"spec\":{"
        "\"nodeName\":\"node\",\"containers\":[{\"ports\":[{\"name\":\"http\",\"containerPort\":80}]}]},\"status\":{"
        "\"phase\":\"Running\",\"podIPs\":[{\"ip\":\"10.0.0.1\"}]}}",
                  node_text[] = "{\"metadata\":{\"name\":\"node\",\"resourceVersion\":\"1\",\"labels\":{"
                                "\"topology.kubernetes.io/zone\":\"z\"}}}",
                  service_text[] =
                          "{\"metadata\":{\"namespace\":\"n\",\"name\":\"s\",\"uid\":\"s\",\"resourceVersion\":"
                          "\"1\"},\"spec\":{\"selector\":{\"a\":\"b\"},\"clusterIP\":\"10.96.0.1\",\"ports\":[{"
                          "\"port\":80,\"protocol\":\"TCP\",\"targetPort\":\"http\"}]}}";

struct all {
        struct informers *informers;
        struct known *pods, *services, *slices, *nodes;
};

static struct known *known_of(struct all *all, const char *group, const char *kind) {
        const struct kube_kind *k = kube_registry_kind(kinds, group, "v1", kind);
        struct informer *informer = informers_get(all->informers, k, NULL, true);

        return informer ? known_new(informer) : NULL;
}

static const struct known_object *put(struct known *known, const char *text) {
        struct bytes *json = bytes_copy(text, strlen(text));
        const struct known_object *o = json ? known_assume(known, json) : NULL;

        bytes_unref(json);
        return o;
}

static int place(struct arena *arena, const struct all *all, const struct known_object *service) {
        struct slices_plan plan = { .arena = arena,
                                    .service = service,
                                    .typed = known_typed(all->services, service),
                                    .pods = all->pods,
                                    .nodes = all->nodes,
                                    .slices = all->slices };
        struct endpoints_plan old = { .arena = arena, .service = service, .typed = plan.typed, .pods = all->pods };
        int r = plan.typed ? slices_gather(&plan) : -ENOMEM;

        r = r ?: slices_place(&plan);
        return r ?: endpoints_decide(&old);
}

static int know_and_place(void) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct all all = { .informers = informers_new(&fake.base, NULL, NULL) };
        const struct known_object *service = NULL;
        int r = -ENOMEM;

        if (arena && all.informers && (all.pods = known_of(&all, "", "Pod")) &&
            (all.services = known_of(&all, "", "Service")) && (all.nodes = known_of(&all, "", "Node")) &&
            (all.slices = known_of(&all, "discovery.k8s.io", "EndpointSlice")) && put(all.pods, pod_text) &&
            put(all.nodes, node_text))
                service = put(all.services, service_text);
        if (service)
                r = place(arena, &all, service);
        informers_free(all.informers);
        known_free(all.pods);
        known_free(all.services);
        known_free(all.nodes);
        known_free(all.slices);
        return r;
}

static void test_end_points(void **state) {
        tzset(); /* what libc keeps for the log's lines */
        uv_loop_init(&loop);
        fake_init(&fake, &loop);
        kinds = api_kinds_new(NULL);
        assert_true(fail_each_allocation(know_and_place) > 30);
        fake_done(&fake);
        uv_run(&loop, UV_RUN_DEFAULT);
        uv_loop_close(&loop);
        kinds = kube_registry_free(kinds);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_deployments), cmocka_unit_test(test_end_points) };

        return cmocka_run_group_tests_name("api/controllers, memory", tests, NULL, NULL);
}
