#include "agent/eviction/rank.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#define MI ((int64_t)1 << 20)
#define PODS 8

static struct pod *make(const char *name, const char *spec) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct pod_static_options how = { .file = name, .node_name = "node" };
        struct problems problems;
        struct pod *pod = NULL;
        char text[2048];

        snprintf(text, sizeof(text), "apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec:\n  %s\n", name, spec);
        problems_init(&problems, arena, name, NULL);
        assert_int_equal(pod_read_static(text, strlen(text), &how, &problems, &pod, NULL), 0);
        return pod;
}

#define ASKS(what) "containers: [{name: c, image: i, resources: {requests: {" what "}}}]"
#define LIMITS(what) "containers: [{name: c, image: i, resources: {limits: {" what "}}}]"
#define PLAIN "containers: [{name: c, image: i}]"

static struct eviction_pod pods[PODS];
static struct eviction_container containers[PODS][2];
static struct eviction_volume volumes[PODS];
static size_t n;

static int set_up(void **state) {
        memset(containers, 0, sizeof(containers));
        n = 0;
        return 0;
}

static int tear_down(void **state) {
        for (size_t i = 0; i < n; i++)
                pod_unref((struct pod *)pods[i].pod);
        return 0;
}

/* A pod that uses @memory, @tasks and @disk in its layer. */
static struct eviction_pod *add(const char *name, const char *spec, int64_t memory, int64_t tasks, int64_t disk) {
        containers[n][0] = (struct eviction_container){ .name = "c", .memory = memory, .layer = { disk, disk / MI } };
        pods[n] = (struct eviction_pod){ .pod = make(name, spec),
                                         .known = true,
                                         .memory = memory,
                                         .tasks = tasks,
                                         .containers = containers[n],
                                         .n_containers = 1,
                                         .volumes = &volumes[n] };
        return &pods[n++];
}

static void expect_order(enum eviction_signal signal, enum eviction_layout layout, const char *wanted) {
        char names[64] = "";

        eviction_rank(pods, n, signal, layout);
        for (size_t i = 0; i < n; i++)
                strncat(names, pods[i].pod->metadata.name, 1);
        assert_string_equal(names, wanted);
}

static void test_memory(void **state) {
        add("a", ASKS("memory: 100Mi"), 90 * MI, 0, 0);
        add("b", PLAIN, 10 * MI, 0, 0);
        add("c", ASKS("memory: 100Mi"), 130 * MI, 0, 0);
        add("d", PLAIN "\n  priority: 10", 500 * MI, 0, 0);
        add("e", ASKS("memory: 100Mi") "\n  priority: -5", 1 * MI, 0, 0);
        add("f", PLAIN, 10 * MI, 0, 0);
        add("g", PLAIN "\n  priority: 100", 0, 0, 0)->known = false;
        expect_order(EVICTION_MEMORY, LAYOUT_SINGLE, "gcbfdea");
}

static void test_disk(void **state) {
        add("a", ASKS("ephemeral-storage: 100Mi"), 0, 0, 90 * MI);
        add("b", PLAIN, 0, 0, 20 * MI);
        add("c", PLAIN, 0, 0, 10 * MI)->containers[0].logs.bytes = 15 * MI;
        add("d", PLAIN, 0, 0, 0);
        volumes[3] = (struct eviction_volume){ "v", { 60 * MI, 1 } };
        pods[3].n_volumes = 1;
        expect_order(EVICTION_NODEFS, LAYOUT_SINGLE, "dcba");
        expect_order(EVICTION_IMAGEFS, LAYOUT_SINGLE, "dcba");
        expect_order(EVICTION_NODEFS_INODES, LAYOUT_SINGLE, "abcd");
        expect_order(EVICTION_NODEFS, LAYOUT_IMAGES_APART, "dcba");
        expect_order(EVICTION_IMAGEFS, LAYOUT_IMAGES_APART, "dcba"); /* nobody has anything there: as they are */
}

static void test_tasks(void **state) {
        add("a", PLAIN "\n  priority: 1", 0, 900, 0);
        add("b", PLAIN, 0, 3, 0);
        add("c", PLAIN, 0, 50, 0);
        expect_order(EVICTION_PIDS, LAYOUT_SINGLE, "cba");
}

static void test_critical(void **state) {
        static const struct {
                const char *spec;
                bool critical;
        } rows[] = {
                { PLAIN, false },
                { PLAIN "\n  priority: 1999999999", false },
                { PLAIN "\n  priority: 2000000000", true },
                { PLAIN "\n  priorityClassName: system-node-critical", true },
                { PLAIN "\n  priorityClassName: system-cluster-critical", true },
                { PLAIN "\n  priorityClassName: important", false },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct pod *pod = make("p", rows[i].spec);

                if (eviction_is_critical(pod) != rows[i].critical)
                        fail_msg("row %zu", i);
                pod_unref(pod);
        }
}

static void test_message(void **state) {
        struct eviction_pod *pod = add("p", ASKS("memory: 10Mi, ephemeral-storage: 1Mi"), 30 * MI, 7, 3 * MI);
        struct quantity of = quantity_from_units(100 * MI, QUANTITY_BINARY),
                        left = quantity_from_units(1024, QUANTITY_BINARY);
        char text[EVICTION_MESSAGE_MAX];

        pod->containers[0].logs.bytes = 4096;
        eviction_message(pod, EVICTION_MEMORY, of, left, text);
        assert_string_equal(text, "The node was low on resource: memory. Threshold quantity: 100Mi, available: 1Ki. "
                                  "Container c was using 30Mi, request is 10Mi, has larger consumption of memory. ");
        eviction_message(pod, EVICTION_NODEFS, of, left, text);
        assert_string_equal(text,
                            "The node was low on resource: ephemeral-storage. Threshold quantity: 100Mi, available: "
                            "1Ki. Container c was using 3076Ki, request is 1Mi, has larger consumption of "
                            "ephemeral-storage. ");
        eviction_message(pod, EVICTION_PIDS, quantity_from_units(500, QUANTITY_DECIMAL),
                         quantity_from_units(3, QUANTITY_DECIMAL), text);
        assert_string_equal(text, "The node was low on resource: pids. Threshold quantity: 500, available: 3. ");
        pod->containers[0].memory = 10 * MI; /* not more than it asked for */
        eviction_message(pod, EVICTION_MEMORY, of, left, text);
        assert_string_equal(text, "The node was low on resource: memory. Threshold quantity: 100Mi, available: 1Ki. ");
}

static void test_limits(void **state) {
        static const struct {
                const char *spec;
                int64_t layer, logs, volume;
                enum eviction_limit limit;
                const char *text;
        } rows[] = {
                { PLAIN, 100 * MI, 0, 0, LIMIT_NONE, "" },
                { LIMITS("ephemeral-storage: 1Mi"), MI, 0, 0, LIMIT_NONE, "" },
                { LIMITS("ephemeral-storage: 1Mi"), MI + 1, 0, 0, LIMIT_POD,
                  "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. " },
                { LIMITS("ephemeral-storage: 1Mi"), MI / 2, MI / 2 + 1, 0, LIMIT_POD,
                  "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. " },
                { LIMITS("ephemeral-storage: 1Mi") "\n  volumes: [{name: v, emptyDir: {}}]", 0, 0, 2 * MI, LIMIT_POD,
                  "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. " },
                { LIMITS("ephemeral-storage: 1Mi") "\n  overhead: {ephemeral-storage: 1Mi}", 2 * MI, 0, 0,
                  LIMIT_CONTAINER, "Container c exceeded its local ephemeral storage limit \"1Mi\". " },
                { "containers: [{name: c, image: i, resources: {limits: {ephemeral-storage: 2M}}}, {name: d, image: i, "
                  "resources: {limits: {ephemeral-storage: 1Gi}}}]",
                  2000001, 0, 0, LIMIT_CONTAINER, "Container c exceeded its local ephemeral storage limit \"2M\". " },
                { PLAIN "\n  volumes: [{name: v, emptyDir: {sizeLimit: 1Mi}}]", 0, 0, MI, LIMIT_NONE, "" },
                { PLAIN "\n  volumes: [{name: v, emptyDir: {sizeLimit: 1Mi}}]", 0, 0, MI + 1, LIMIT_EMPTY_DIR,
                  "Usage of EmptyDir volume \"v\" exceeds the limit \"1Mi\". " },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char text[EVICTION_MESSAGE_MAX] = "";
                struct eviction_pod *pod;
                bool has = rows[i].spec != rows[0].spec && strcmp(rows[i].spec, PLAIN) != 0;

                set_up(NULL);
                pod = add("p", rows[i].spec, 0, 0, rows[i].layer);
                pod->containers[0].logs.bytes = rows[i].logs;
                volumes[0] = (struct eviction_volume){ "v", { rows[i].volume, 1 } };
                pod->n_volumes = rows[i].volume ? 1 : 0;
                if (eviction_over_limit(pod, text) != rows[i].limit || strcmp(text, rows[i].text) != 0 ||
                    eviction_has_limits(pod->pod) != has)
                        fail_msg("row %zu: %s", i, text);
                pod->known = false;
                assert_int_equal(eviction_over_limit(pod, text), LIMIT_NONE);
                tear_down(NULL);
        }
        n = 0;
}

static void test_admission(void **state) {
        static const char tolerant[] =
                PLAIN "\n  tolerations: [{key: node.kubernetes.io/memory-pressure, operator: Exists}]";
        static const struct {
                const char *spec;
                uint32_t conditions;
                const char *text; /* NULL: it is taken */
        } rows[] = {
                { PLAIN, 1u << MEMORY_PRESSURE, "The node had condition: [MemoryPressure]. " },
                { ASKS("cpu: 1m"), 1u << MEMORY_PRESSURE, NULL },
                { tolerant, 1u << MEMORY_PRESSURE, NULL },
                { tolerant, 1u << DISK_PRESSURE, "The node had condition: [DiskPressure]. " },
                { ASKS("cpu: 1m"), 1u << MEMORY_PRESSURE | 1u << PID_PRESSURE,
                  "The node had condition: [MemoryPressure PIDPressure]. " },
                { PLAIN "\n  priorityClassName: system-node-critical", 7, NULL },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct pod *pod = make("p", rows[i].spec);
                char text[EVICTION_MESSAGE_MAX] = "";
                bool taken = eviction_admits(pod, rows[i].conditions, text);

                if (taken != !rows[i].text || strcmp(text, rows[i].text ? rows[i].text : "") != 0)
                        fail_msg("row %zu: %s", i, text);
                pod_unref(pod);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_memory, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_disk, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_tasks, set_up, tear_down),
                cmocka_unit_test(test_critical),
                cmocka_unit_test_setup_teardown(test_message, set_up, tear_down),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_admission),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
