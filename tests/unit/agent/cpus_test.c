/* Sets of CPUs, and how a host's lie. What the policy gives is held to kubelet by
 * tests/conformance/test_cpus_as_kubelet.py. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cpus/cpus.h"
#include "agent/cpus/take.h"
#include "lib/cleanup.h"
#include "lib/files.h"

static void sets(void **state) {
        static const struct {
                const char *text, *canonical; /* NULL: refused */
                size_t n;
        } rows[] = {
                { "", "", 0 },           { "0", "0", 1 },
                { "0-3,7", "0-3,7", 5 }, { "7,3,2,1", "1-3,7", 4 },
                { "1-1", "1", 1 },       { "63-64", "63-64", 2 },
                { "4095", "4095", 1 },   { "0-4095", "0-4095", 4096 },
                { "4096", NULL, 0 },     { "0-4096", NULL, 0 },
                { "3-1", NULL, 0 },      { "-1", NULL, 0 },
                { "1,", NULL, 0 },       { ",1", NULL, 0 },
                { "1-", NULL, 0 },       { "a", NULL, 0 },
                { "1 2", NULL, 0 },      { "99999999999999999999", NULL, 0 },
        };
        char *text = malloc(CPUS_SET_TEXT_MAX);

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct cpus_set set = { { 1 } };
                _cleanup_err_ struct err *err = NULL;
                int r = cpus_set_parse(rows[i].text, &set, &err);

                if ((r == 0) != !!rows[i].canonical)
                        fail_msg("%s: %s", rows[i].text, err ? err_text(err) : "taken");
                if (r < 0) {
                        assert_int_equal(set.words[0], 1); /* untouched */
                        continue;
                }
                assert_int_equal(cpus_set_count(&set), rows[i].n);
                assert_string_equal(cpus_set_format(&set, text), rows[i].canonical);
        }
        free(text);
}

/* Every second CPU: the longest text there is. */
static void longest_text(void **state) {
        char *text = malloc(CPUS_SET_TEXT_MAX);
        struct cpus_set set = { 0 }, again;

        for (int c = 1; c < CPUS_MAX; c += 2)
                cpus_set_add(&set, c);
        assert_true(strlen(cpus_set_format(&set, text)) < CPUS_SET_TEXT_MAX);
        assert_int_equal(cpus_set_parse(text, &again, NULL), 0);
        assert_true(cpus_set_equal(&set, &again));
        free(text);
}

/* -- topology ---------------------------------------------------------------------------------------------- */

static char dir[64];

static void put(const char *name, const char *text) {
        char path[512], *slash;

        snprintf(path, sizeof(path), "%s/%s", dir, name);
        slash = strrchr(path, '/');
        *slash = '\0';
        assert_int_equal(files_make_dirs(path, 0755, NULL), 0);
        *slash = '/';
        assert_int_equal(files_replace(path, text, strlen(text), 0644, NULL), 0);
}

static void put_cpu(int cpu, const char *package, const char *siblings, const char *cache) {
        char name[128];

        snprintf(name, sizeof(name), "cpu/cpu%d/topology/physical_package_id", cpu);
        put(name, package);
        snprintf(name, sizeof(name), "cpu/cpu%d/topology/thread_siblings_list", cpu);
        put(name, siblings);
        snprintf(name, sizeof(name), "cpu/cpu%d/cache/index2/level", cpu);
        put(name, "2\n");
        snprintf(name, sizeof(name), "cpu/cpu%d/cache/index3/level", cpu);
        put(name, "3\n");
        snprintf(name, sizeof(name), "cpu/cpu%d/cache/index3/shared_cpu_list", cpu);
        put(name, cache);
}

static int set_up(void **state) {
        strcpy(dir, "/tmp/nacelle-cpus-XXXXXX");
        return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state) {
        return files_remove_tree(dir, NULL);
}

static void two_sockets(void **state) {
        struct cpus_topology *t = malloc(sizeof(*t));

        put("cpu/online", "0-3,5-7\n"); /* CPU 4, which would be 0's sibling, is offline */
        put_cpu(0, "0\n", "0\n", "0-1,5\n");
        put_cpu(1, "0\n", "1,5\n", "0-1,5\n");
        put_cpu(5, "0\n", "1,5\n", "0-1,5\n");
        put_cpu(2, "1\n", "2,6\n", "2-3,6-7\n");
        put_cpu(3, "1\n", "3,7\n", "2-3,6-7\n");
        put_cpu(6, "1\n", "2,6\n", "2-3,6-7\n");
        put_cpu(7, "1\n", "3,7\n", "2-3,6-7\n");
        put("node/online", "0-1\n");
        put("node/node0/cpulist", "0-1,5\n");
        put("node/node1/cpulist", "2-3,6-7\n");
        assert_int_equal(cpus_topology_read(dir, t, NULL), 0);
        assert_int_equal(t->n_cpus, 7);
        assert_int_equal(t->n[CPUS_NUMA], 2);
        assert_int_equal(t->n[CPUS_SOCKET], 2);
        assert_int_equal(t->n[CPUS_UNCORE], 2);
        assert_int_equal(t->n[CPUS_CORE], 4);
        assert_int_equal(t->of[5][CPUS_CORE], 1);
        assert_int_equal(t->of[7][CPUS_CORE], 3);
        assert_int_equal(t->of[7][CPUS_NUMA], 1);
        assert_int_equal(t->of[6][CPUS_UNCORE], 2);
        free(t);
}

/* A small virtual machine: no caches, no nodes, no sockets. */
static void nothing_said(void **state) {
        struct cpus_topology *t = malloc(sizeof(*t));

        put("cpu/online", "0-1\n");
        put("cpu/cpu0/topology/physical_package_id", "-1\n");
        assert_int_equal(cpus_topology_read(dir, t, NULL), 0);
        assert_int_equal(t->n[CPUS_NUMA], 1);
        assert_int_equal(t->n[CPUS_SOCKET], 1);
        assert_int_equal(t->n[CPUS_UNCORE], 1);
        assert_int_equal(t->n[CPUS_CORE], 2);
        free(t);
}

static void no_topology(void **state) {
        static const char *const texts[] = { "\n", "0-x\n", "0-9999\n" };
        struct cpus_topology *t = malloc(sizeof(*t));

        assert_int_equal(cpus_topology_read(dir, t, NULL), -ENOENT);
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                _cleanup_err_ struct err *err = NULL;

                put("cpu/online", texts[i]);
                assert_int_equal(cpus_topology_read(dir, t, &err), -EINVAL);
                assert_non_null(strstr(err_text(err), "/cpu/online: "));
        }
        free(t);
}

/* The kernel's most CPUs: 512 sockets of 4 cores with 2 threads. */
static void many(void **state) {
        struct cpus_topology *t = calloc(1, sizeof(*t));
        const struct cpus_taking how = { .group = 1 };
        struct cpus_set taken;

        for (int c = 0; c < CPUS_MAX; c++) {
                cpus_set_add(&t->all, c);
                t->of[c][CPUS_NUMA] = t->of[c][CPUS_SOCKET] = t->of[c][CPUS_UNCORE] = c / 8;
                t->of[c][CPUS_CORE] = c / 2 * 2;
        }
        cpus_topology_count(t);
        assert_int_equal(cpus_take(t, &how, &t->all, CPUS_MAX, &taken, NULL), 0);
        assert_true(cpus_set_equal(&taken, &t->all));
        assert_int_equal(cpus_take(t, &how, &t->all, 11, &taken, NULL), 0);
        assert_int_equal(cpus_set_count(&taken), 11);
        assert_true(cpus_set_has(&taken, 0) && cpus_set_has(&taken, 10) && !cpus_set_has(&taken, 11));
        assert_int_equal(cpus_take(t, &how, &t->all, CPUS_MAX + 1, &taken, NULL), -EBUSY);
        free(t);
}

static void options(void **state) {
        static const struct {
                const char *policy, *options, *words; /* NULL: taken */
        } rows[] = {
                { "none", NULL, NULL },
                { "static", NULL, NULL },
                { "static", "full-pcpus-only=true,strict-cpu-reservation=F", NULL },
                { "static", "full-pcpus-only=yes", "neither true nor false" },
                { "static", "full-pcpus-only", "is not NAME=VALUE" },
                { "static", "distribute-cpus-across-cores=true", "Alpha-level Options not enabled" },
                { "static", "prefer-align-cpus-by-uncorecache=1,distribute-cpus-across-numa=1", "at the same time" },
                { "none", "full-pcpus-only=true", "received unsupported options" },
                { "Static", NULL, "unknown policy: \"Static\"" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_err_ struct err *err = NULL;

                assert_int_equal(cpus_check(rows[i].policy, rows[i].options, &err), rows[i].words ? -EINVAL : 0);
                if (rows[i].words && !strstr(err_text(err), rows[i].words))
                        fail_msg("%s: %s", rows[i].options, err_text(err));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sets),
                cmocka_unit_test(longest_text),
                cmocka_unit_test_setup_teardown(two_sockets, set_up, tear_down),
                cmocka_unit_test_setup_teardown(nothing_said, set_up, tear_down),
                cmocka_unit_test_setup_teardown(no_topology, set_up, tear_down),
                cmocka_unit_test(many),
                cmocka_unit_test(options),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
