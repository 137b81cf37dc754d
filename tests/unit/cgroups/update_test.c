/* Changes of limits that are in force: all of one or nothing of it, in an order that the kernel takes. Real cgroups. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cgroups/cgroup.h"
#include "cgroups/limits.h"
#include "cgroups/stats.h"
#include "cgroups/tree.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define POD "pod"
#define WEB POD "/web"
#define MIB (INT64_C(1) << 20)

static struct cgroups *c;

static int open_tree(void **state) {
        char root[64];

        snprintf(root, sizeof(root), "/nacelle-test-update-%d", getpid());
        return cgroups_open(root, &c, NULL);
}

static int close_tree(void **state) {
        char root[64];
        int r;

        snprintf(root, sizeof(root), "/nacelle-test-update-%d", getpid());
        r = cgroup_remove(c, root, NULL);
        cgroups_free(c);
        return r;
}

static int make_web(void **state) {
        return cgroup_create(c, WEB, NULL);
}

static int remove_pod(void **state) {
        return cgroup_remove(c, POD, NULL);
}

static void update(struct cgroup_limits limits) {
        _cleanup_err_ struct err *err = NULL;

        if (cgroup_update(c, WEB, &limits, &err) < 0)
                fail_msg("%s", err_text(err));
}

static void refuse(struct cgroup_limits limits, const char *says) {
        _cleanup_err_ struct err *err = NULL;

        assert_true(cgroup_update(c, WEB, &limits, &err) < 0);
        if (!strstr(err_text(err), says))
                fail_msg("\"%s\" is not in: %s", says, err_text(err));
}

static const char *text_of(enum cgroup_controller controller, const char *v1, const char *v2) {
        const struct hierarchy *h = c->by_controller[controller];
        static char text[64];
        char rel[CGROUP_PATH_MAX];

        if (!h || cg_resolve(c, WEB, rel, NULL) < 0 || cg_read(h, rel, h->mount.v2 ? v2 : v1, text, sizeof(text)) < 0)
                return "";
        text[strcspn(text, "\n")] = '\0';
        return text;
}

static bool has_swap(void) {
        return text_of(CGROUP_MEMORY, "memory.memsw.limit_in_bytes", "memory.swap.max")[0] != '\0';
}

/* Memory, and memory with swap, in MiB; -1: none. */
static void assert_memory(int64_t memory, int64_t both) {
        struct cgroup_stats s;

        assert_int_equal(cgroup_get_stats(c, WEB, &s, NULL), 0);
        assert_int_equal(s.memory_limit, memory < 0 ? CGROUP_UNKNOWN : (uint64_t)(memory * MIB));
        if (has_swap() && memory >= 0)
                assert_int_equal(s.swap_limit, both < 0 ? CGROUP_UNKNOWN : (uint64_t)((both - memory) * MIB));
}

static void test_memory(void **state) {
        static const struct {
                int64_t memory, both;
        } steps[] = { { 64, 128 }, { 256, 512 }, { 32, 32 }, { 512, 512 }, { 16, 1024 }, { 1000, 1024 }, { 64, 64 } };

        for (size_t i = 0; i < ELEMENTS(steps); i++) {
                update((struct cgroup_limits){ .memory_max = steps[i].memory * MIB,
                                               .memory_swap = steps[i].both * MIB });
                assert_memory(steps[i].memory, steps[i].both);
        }
        /* One of the two goes by what there is of the other. */
        update((struct cgroup_limits){ .memory_swap = 100 * MIB });
        assert_memory(64, 100);
        update((struct cgroup_limits){ .memory_swap = CGROUP_UNLIMITED });
        assert_memory(64, -1);
        refuse((struct cgroup_limits){ .memory_swap = 63 * MIB }, "is below that of memory 67108864");
        refuse((struct cgroup_limits){ .memory_max = 2 * MIB, .memory_swap = 1 * MIB }, "is below that of memory");
        assert_memory(64, -1);
        update((struct cgroup_limits){ .memory_swap = 80 * MIB });
        update((struct cgroup_limits){ .memory_max = CGROUP_UNLIMITED });
        assert_memory(-1, -1);
        refuse((struct cgroup_limits){ .memory_swap = 63 * MIB }, "needs one of memory");
}

/* On v1 memory may not pass memory and swap; what was never asked for is not taken away for it. */
static void test_memory_above_swap(void **state) {
        if (!c->by_controller[CGROUP_MEMORY] || c->by_controller[CGROUP_MEMORY]->mount.v2 || !has_swap())
                skip();
        update((struct cgroup_limits){ .memory_max = 64 * MIB, .memory_swap = 64 * MIB });
        refuse((struct cgroup_limits){ .memory_max = 65 * MIB, .pids_max = 3 },
               "memory and swap, which has to be given");
        assert_memory(64, 64);
}

static void test_bandwidth(void **state) {
        struct cgroup_limits above = { .cpu_quota_us = 60000, .cpu_period_us = 100000 };
        static const struct {
                int64_t quota;
                uint64_t period;
                const char *v1_quota, *v1_period, *v2;
        } steps[] = {
                { 50000, 100000, "50000", "100000", "50000 100000" },
                { 20000, 40000, "20000", "40000", "20000 40000" },
                { 110000, 200000, "110000", "200000", "110000 200000" },
                { 5000, 10000, "5000", "10000", "5000 10000" },
                { 2000, 0, "2000", "10000", "2000 10000" },
                { 0, 50000, "2000", "50000", "2000 50000" },
                { 30000, 0, "30000", "50000", "30000 50000" },
                { 60000, 100000, "60000", "100000", "60000 100000" },
        };

        assert_int_equal(cgroup_apply(c, POD, &above, NULL), 0);
        for (size_t i = 0; i < ELEMENTS(steps); i++) {
                bool v2 = c->by_controller[CGROUP_CPU]->mount.v2;

                update((struct cgroup_limits){ .cpu_quota_us = steps[i].quota, .cpu_period_us = steps[i].period });
                assert_string_equal(text_of(CGROUP_CPU, "cpu.cfs_quota_us", "cpu.max"),
                                    v2 ? steps[i].v2 : steps[i].v1_quota);
                if (!v2)
                        assert_string_equal(text_of(CGROUP_CPU, "cpu.cfs_period_us", ""), steps[i].v1_period);
        }
}

/* One above, one below: there is an order only by way of no quota at all. */
static void test_bandwidth_between(void **state) {
        struct cgroup_limits above = { .cpu_quota_us = 60000, .cpu_period_us = 100000 },
                             below = { .cpu_quota_us = 39000, .cpu_period_us = 100000 };

        assert_int_equal(cgroup_create(c, WEB "/below", NULL), 0);
        assert_int_equal(cgroup_apply(c, POD, &above, NULL), 0);
        update((struct cgroup_limits){ .cpu_quota_us = 40000, .cpu_period_us = 100000 });
        assert_int_equal(cgroup_apply(c, WEB "/below", &below, NULL), 0);
        update((struct cgroup_limits){ .cpu_quota_us = 22000, .cpu_period_us = 40000 });
        if (!c->by_controller[CGROUP_CPU]->mount.v2)
                assert_string_equal(text_of(CGROUP_CPU, "cpu.cfs_quota_us", ""), "22000");
        update((struct cgroup_limits){ .cpu_quota_us = 110000, .cpu_period_us = 200000 });
}

/* The last of the controllers refuses: the others are as they were. */
static void test_whole(void **state) {
        static const struct cgroup_unified nonsense = { "nonsense.max", "1" };
        struct cgroup_limits change = { .memory_max = 32 * MIB,
                                        .memory_swap = 32 * MIB,
                                        .memory_low = 1 * MIB,
                                        .cpu_shares = 77,
                                        .cpu_quota_us = 7000,
                                        .cpu_period_us = 20000,
                                        .pids_max = 7,
                                        .cpuset_cpus = "0",
                                        .unified = &nonsense,
                                        .n_unified = 1 };
        char cpus[64];

        update((struct cgroup_limits){ .memory_max = 64 * MIB,
                                       .memory_swap = 128 * MIB,
                                       .cpu_shares = 512,
                                       .cpu_quota_us = 50000,
                                       .cpu_period_us = 100000,
                                       .pids_max = CGROUP_UNLIMITED,
                                       .cpuset_cpus = "0" });
        snprintf(cpus, sizeof(cpus), "%s", text_of(CGROUP_CPUSET, "cpuset.cpus", "cpuset.cpus"));
        for (int i = 0; i < 2; i++) {
                refuse(change, i ? "cpuset.cpus" : "nonsense.max");
                assert_memory(64, 128);
                assert_string_equal(text_of(CGROUP_PIDS, "pids.max", "pids.max"), "max");
                assert_string_equal(text_of(CGROUP_CPU, "cpu.shares", "cpu.weight"),
                                    c->by_controller[CGROUP_CPU]->mount.v2 ? "59" : "512");
                assert_string_equal(text_of(CGROUP_CPU, "cpu.cfs_quota_us", "cpu.max"),
                                    c->by_controller[CGROUP_CPU]->mount.v2 ? "50000 100000" : "50000");
                assert_string_equal(text_of(CGROUP_CPUSET, "cpuset.cpus", "cpuset.cpus"), cpus);
                assert_string_not_equal(text_of(CGROUP_MEMORY, "memory.soft_limit_in_bytes", "memory.low"), "1048576");
                change.cpuset_cpus = "nonsense";
        }
}

static void test_too_small_to_make(void **state) {
        struct cgroup_limits tiny = { .memory_max = 4096 };
        _cleanup_err_ struct err *err = NULL;
        int r = 0;

        assert_int_equal(cgroup_create(c, POD "/tiny", NULL), 0);
        assert_int_equal(cgroup_apply(c, POD "/tiny", &tiny, NULL), 0);
        /* What is charged for a cgroup comes in batches: the first may still find room. */
        for (int i = 0; i < 64 && r == 0; i++) {
                char path[64];

                snprintf(path, sizeof(path), POD "/tiny/%d", i);
                r = cgroup_create(c, path, &err);
        }
        if (r == 0)
                skip(); /* a kernel that does not charge them */
        assert_int_equal(r, -ENOMEM);
        assert_non_null(strstr(err_text(err), "the memory limit of "));
        assert_non_null(strstr(err_text(err), POD "/tiny, 4096 bytes, is too small"));
}

#define EACH(name) cmocka_unit_test_setup_teardown(name, make_web, remove_pod)

int main(void) {
        const struct CMUnitTest tests[] = {
                EACH(test_memory), EACH(test_memory_above_swap), EACH(test_bandwidth), EACH(test_bandwidth_between),
                EACH(test_whole),  EACH(test_too_small_to_make),
        };

        return cmocka_run_group_tests(tests, open_tree, close_tree);
}
