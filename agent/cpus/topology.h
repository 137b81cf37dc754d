/* How the host's CPUs lie: NUMA nodes, sockets, caches, cores, as kubelet knows them from cadvisor. */
#pragma once

#include "agent/cpus/set.h"

#define CPUS_SYS "/sys/devices/system"

enum cpus_level {
        CPUS_NUMA,
        CPUS_SOCKET,
        CPUS_UNCORE, /* a cache that several cores share: level 3 */
        CPUS_CORE,   /* its number is that of its lowest CPU */
        _CPUS_LEVELS,
};

struct cpus_topology {
        struct cpus_set all; /* those that are online */
        int n_cpus;
        int n[_CPUS_LEVELS];            /* how many there are */
        int of[CPUS_MAX][_CPUS_LEVELS]; /* where a CPU lies */
};

/* From the kernel's files below @sys. A host that says nothing of a level has one of it; one CPU a core. -EINVAL names
 * the file and what is wrong with it; -ENOENT. */
int cpus_topology_read(const char *sys, struct cpus_topology *ret_topology, struct err **err);

/* Counts what lies where: to be called when @of and @all are filled in. */
void cpus_topology_count(struct cpus_topology *topology);

/* The CPUs of @from that lie in @id of that level. */
struct cpus_set cpus_topology_in(const struct cpus_topology *topology, const struct cpus_set *from,
                                 enum cpus_level level, int id);
