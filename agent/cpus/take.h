/* Which CPUs a container gets for itself: whole sockets and NUMA nodes first, then cores, then single CPUs, each from
 * where the least is free (cpumanager/cpu_assignment.go). Held to kubelet's code by
 * tests/conformance/test_cpus_as_kubelet.py.
 */
#pragma once

#include "agent/cpus/topology.h"

/* NUMA nodes among which CPUs are distributed, and choices of nodes that are looked at, of which there are powers of
 * their number; with more of either they are packed. */
#define CPUS_DISTRIBUTED_NODES_MAX 64
#define CPUS_DISTRIBUTED_TRIES_MAX 4000000

struct cpus_taking {
        bool by_uncore;  /* prefer-align-cpus-by-uncorecache */
        bool distribute; /* distribute-cpus-across-numa */
        int group;       /* distributed in groups of as many: a core's CPUs with full-pcpus-only, else 1 */
};

/* Takes @n of @available. -EBUSY: there are not as many. */
int cpus_take(const struct cpus_topology *topology, const struct cpus_taking *how, const struct cpus_set *available,
              int n, struct cpus_set *ret_taken, struct err **err);
