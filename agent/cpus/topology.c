#include "agent/cpus/topology.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/files.h"

#define SMALL_FILE_MAX 65536
#define CACHES_MAX 16 /* of a CPU that are looked at */

struct cpus_set cpus_topology_in(const struct cpus_topology *t, const struct cpus_set *from, enum cpus_level level,
                                 int id) {
        struct cpus_set set = { 0 };

        for (int c = -1; (c = cpus_set_next(from, c + 1)) >= 0;)
                if (t->of[c][level] == id)
                        cpus_set_add(&set, c);
        return set;
}

void cpus_topology_count(struct cpus_topology *t) {
        t->n_cpus = (int)cpus_set_count(&t->all);
        for (int level = 0; level < _CPUS_LEVELS; level++) {
                struct cpus_set left = t->all;

                t->n[level] = 0;
                for (int c; (c = cpus_set_next(&left, 0)) >= 0; t->n[level]++) {
                        struct cpus_set same = cpus_topology_in(t, &left, (enum cpus_level)level, t->of[c][level]);

                        left = cpus_set_without(&left, &same);
                }
        }
}

/* -- the kernel's files ------------------------------------------------------------------------------------ */

static int read_text(char *ret_text, size_t size, const char *path) {
        _cleanup_free_ char *text = NULL;
        int r = files_read(path, size - 1, &text, NULL, NULL);

        if (r < 0)
                return r;
        text[strcspn(text, "\n")] = '\0';
        snprintf(ret_text, size, "%s", text);
        return 0;
}

/* A list of CPUs. -ENOENT: there is no such file. */
static int read_set(const char *path, struct cpus_set *ret_set, struct err **err) {
        char text[SMALL_FILE_MAX];
        int r = read_text(text, sizeof(text), path);

        if (r == 0)
                r = cpus_set_parse(text, ret_set, err);
        return r < 0 ? err_wrap(err, r, "%s", path) : 0;
}

static int read_number(const char *sys, int cpu, const char *name, int missing) {
        char path[512], text[64];

        snprintf(path, sizeof(path), "%s/cpu/cpu%d/%s", sys, cpu, name);
        return read_text(text, sizeof(text), path) == 0 ? atoi(text) : missing;
}

static int lowest(const struct cpus_set *set, int missing) {
        int first = cpus_set_next(set, 0);

        return first < 0 ? missing : first;
}

static int find_core(const char *sys, const struct cpus_topology *t, int cpu) {
        char path[512];
        struct cpus_set threads = { 0 };

        snprintf(path, sizeof(path), "%s/cpu/cpu%d/topology/thread_siblings_list", sys, cpu);
        if (read_set(path, &threads, NULL) < 0)
                return cpu;
        threads = cpus_set_both(&threads, &t->all);
        return lowest(&threads, cpu);
}

/* The lowest CPU that shares its cache of level 3; without one, its socket counts. */
static int find_uncore(const char *sys, const struct cpus_topology *t, int cpu) {
        for (int i = 0; i < CACHES_MAX; i++) {
                char name[64], path[512];
                struct cpus_set sharers = { 0 };

                snprintf(name, sizeof(name), "cache/index%d/level", i);
                if (read_number(sys, cpu, name, -1) != 3)
                        continue;
                snprintf(path, sizeof(path), "%s/cpu/cpu%d/cache/index%d/shared_cpu_list", sys, cpu, i);
                if (read_set(path, &sharers, NULL) < 0)
                        continue;
                sharers = cpus_set_both(&sharers, &t->all);
                return lowest(&sharers, cpu);
        }
        return t->of[cpu][CPUS_SOCKET];
}

static void read_nodes(const char *sys, struct cpus_topology *t) {
        struct cpus_set nodes = { 0 };
        char path[512];

        snprintf(path, sizeof(path), "%s/node/online", sys);
        if (read_set(path, &nodes, NULL) < 0)
                return; /* all are of node 0 */
        for (int n = -1; (n = cpus_set_next(&nodes, n + 1)) >= 0;) {
                struct cpus_set cpus = { 0 };

                snprintf(path, sizeof(path), "%s/node/node%d/cpulist", sys, n);
                if (read_set(path, &cpus, NULL) < 0)
                        continue;
                for (int c = -1; (c = cpus_set_next(&cpus, c + 1)) >= 0;)
                        t->of[c][CPUS_NUMA] = n;
        }
}

int cpus_topology_read(const char *sys, struct cpus_topology *ret, struct err **err) {
        char path[512];
        int r;

        memset(ret, 0, sizeof(*ret));
        snprintf(path, sizeof(path), "%s/cpu/online", sys);
        if ((r = read_set(path, &ret->all, err)) < 0)
                return err && *err ? r : err_errno(err, -r, "cannot read %s", path);
        if (cpus_set_is_empty(&ret->all))
                return err_set(err, EINVAL, "%s: names no CPU", path);
        for (int c = -1; (c = cpus_set_next(&ret->all, c + 1)) >= 0;) {
                int socket = read_number(sys, c, "topology/physical_package_id", 0);

                ret->of[c][CPUS_SOCKET] = socket < 0 ? 0 : socket; /* -1: the machine does not say */
                ret->of[c][CPUS_CORE] = find_core(sys, ret, c);
                ret->of[c][CPUS_UNCORE] = find_uncore(sys, ret, c);
        }
        read_nodes(sys, ret);
        cpus_topology_count(ret);
        return 0;
}
