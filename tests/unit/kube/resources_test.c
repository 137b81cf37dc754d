#include "kube/pod/resources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define C(name, resources) "  - {name: " name ", image: i, resources: {" resources "}}\n"
#define S(name, resources) "  - {name: " name ", image: i, restartPolicy: Always, resources: {" resources "}}\n"
#define PODS "  containers:\n"
#define INIT "  initContainers:\n"

/* Totals in milli-CPU and MiB; -1: no limit. */
static const struct {
        const char *spec;
        enum pod_qos qos;
        int64_t cpu_request, memory_request, cpu_limit, memory_limit;
} rows[] = {
        { PODS C("a", ""), QOS_BEST_EFFORT, 0, 0, -1, -1 },
        { PODS C("a", "requests: {cpu: 0}"), QOS_BEST_EFFORT, 0, 0, -1, -1 },
        { PODS C("a", "requests: {cpu: 100m}"), QOS_BURSTABLE, 100, 0, -1, -1 },
        { PODS C("a", "limits: {cpu: 100m}"), QOS_BURSTABLE, 100, 0, 100, -1 },
        { PODS C("a", "limits: {cpu: 1, memory: 1Mi}"), QOS_GUARANTEED, 1000, 1, 1000, 1 },
        { PODS C("a", "limits: {cpu: 1, memory: 1Mi}, requests: {cpu: 500m}"), QOS_BURSTABLE, 500, 1, 1000, 1 },
        { PODS C("a", "limits: {cpu: 1, memory: 1Mi}") C("b", ""), QOS_BURSTABLE, 1000, 1, -1, -1 },
        { PODS C("a", "limits: {cpu: 1, memory: 1Mi}") C("b", "limits: {cpu: 2, memory: 3Mi}"), QOS_GUARANTEED, 3000, 4,
          3000, 4 },
        /* Init containers run alone: the largest counts where it passes the sum. */
        { PODS C("a", "requests: {cpu: 1}") C("b", "requests: {cpu: 1}") INIT C("i", "requests: {cpu: 1500m}"),
          QOS_BURSTABLE, 2000, 0, -1, -1 },
        { PODS C("a", "requests: {cpu: 1}") INIT C("i", "requests: {cpu: 5}") C("j", "requests: {cpu: 4}"),
          QOS_BURSTABLE, 5000, 0, -1, -1 },
        /* Sidecars stay: they count beside the containers and beside the init containers after them. */
        { PODS C("a", "requests: {cpu: 1}") INIT S("s", "requests: {cpu: 500m}"), QOS_BURSTABLE, 1500, 0, -1, -1 },
        { PODS C("a", "requests: {cpu: 1}") INIT S("s", "requests: {cpu: 1}") C("i", "requests: {cpu: 3}"),
          QOS_BURSTABLE, 4000, 0, -1, -1 },
        { PODS C("a", "requests: {cpu: 1}") INIT C("i", "requests: {cpu: 3}") S("s", "requests: {cpu: 1}"),
          QOS_BURSTABLE, 3000, 0, -1, -1 },
        { "  overhead: {cpu: 250m, memory: 8Mi}\n" PODS C("a", "limits: {cpu: 1, memory: 1Mi}"), QOS_GUARANTEED, 1250,
          9, 1250, 9 },
        { "  resources: {limits: {cpu: 2, memory: 4Mi}}\n" PODS C("a", "") C("b", ""), QOS_GUARANTEED, 2000, 4, 2000,
          4 },
        { "  resources: {limits: {cpu: 2}}\n" PODS C("a", "requests: {cpu: 500m, memory: 1Mi}"), QOS_BURSTABLE, 500, 1,
          2000, -1 },
};

static struct pod *read_pod(const char *spec) {
        const struct pod_static_options options = { .file = "f", .node_name = "n" };
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_err_ struct err *err = NULL;
        struct problems problems;
        struct pod *pod = NULL;
        char text[2048];

        snprintf(text, sizeof(text), "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n%s", spec);
        problems_init(&problems, arena, "f", NULL);
        if (pod_read_static(text, strlen(text), &options, &problems, &pod, &err) < 0)
                fail_msg("%s\n%s", text, err_text(err));
        return pod;
}

static void assert_limit(const struct pod *pod, const char *name, int64_t wanted, int64_t (*units)(struct quantity),
                         int64_t scale) {
        struct quantity limit;

        if (wanted < 0)
                assert_false(pod_limit(pod, name, &limit));
        else if (!pod_limit(pod, name, &limit) || units(limit) != wanted * scale)
                fail_msg("%s limit", name);
}

static void test_totals(void **state) {
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_pod_ struct pod *pod = read_pod(rows[i].spec);

                if (pod_qos(pod) != rows[i].qos || quantity_milli(pod_request(pod, "cpu")) != rows[i].cpu_request ||
                    quantity_units(pod_request(pod, "memory")) != rows[i].memory_request << 20)
                        fail_msg("row %zu: %s, cpu %lld, memory %lld", i, pod_qos_name(pod_qos(pod)),
                                 (long long)quantity_milli(pod_request(pod, "cpu")),
                                 (long long)quantity_units(pod_request(pod, "memory")));
                assert_limit(pod, "cpu", rows[i].cpu_limit, quantity_milli, 1);
                assert_limit(pod, "memory", rows[i].memory_limit, quantity_units, 1 << 20);
        }
}

static void test_numbers(void **state) {
        static const struct {
                int64_t milli;
                uint64_t shares;
                int64_t quota;
        } numbers[] = {
                { 0, 2, 0 },
                { 1, 2, 1000 },
                { 10, 10, 1000 },
                { 11, 11, 1100 },
                { 100, 102, 10000 },
                { 1000, 1024, 100000 },
                { 1500, 1536, 150000 },
                { 256000, 262144, 25600000 },
                { 300000, 262144, 30000000 },
        };

        for (size_t i = 0; i < ELEMENTS(numbers); i++) {
                assert_int_equal(pod_cpu_shares(numbers[i].milli), numbers[i].shares);
                assert_int_equal(pod_cpu_quota(numbers[i].milli, POD_CPU_PERIOD_DEFAULT), numbers[i].quota);
        }
}

static void test_oom_score(void **state) {
        static const struct {
                const char *spec, *container;
                int adjust;
        } scores[] = {
                { PODS C("a", ""), "a", 1000 },
                { PODS C("a", "limits: {cpu: 1, memory: 1Gi}"), "a", -997 },
                { PODS C("a", "requests: {memory: 1Gi}"), "a", 900 },
                { PODS C("a", "requests: {memory: 10Gi}"), "a", 3 },
                { PODS C("a", "requests: {cpu: 1}"), "a", 999 },
                { PODS C("a", "requests: {memory: 2Gi}") INIT S("s", "requests: {memory: 1Gi}"), "s", 800 },
                { PODS C("a", "requests: {memory: 1Gi}") INIT S("s", "requests: {memory: 2Gi}"), "s", 800 },
                { "  priorityClassName: system-node-critical\n" PODS C("a", ""), "a", -997 },
                { "  resources: {requests: {memory: 3Gi}, limits: {memory: 4Gi}}\n" PODS C(
                          "a", "requests: {memory: 1Gi}") C("b", ""),
                  "a", 800 },
        };

        for (size_t i = 0; i < ELEMENTS(scores); i++) {
                _cleanup_pod_ struct pod *pod = read_pod(scores[i].spec);
                int adjust = pod_oom_score_adj(pod, pod_find_container(pod, scores[i].container), (int64_t)10 << 30);

                if (adjust != scores[i].adjust)
                        fail_msg("row %zu: %d", i, adjust);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_totals),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_oom_score),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
