/* The fallback: limits and figures of cgroup v2's model in v1's files (Documentation/admin-guide/cgroup-v1). */
#pragma once

#include "cgroups/change.h"
#include "cgroups/limits.h"
#include "cgroups/oom.h"
#include "cgroups/stats.h"
#include "cgroups/tree.h"

int cg_v1_set_cpu(struct cg_change *change, const struct hierarchy *h, const struct cgroup_limits *limits,
                  struct err **err);
int cg_v1_set_memory(struct cg_change *change, const struct hierarchy *h, const struct cgroup_limits *limits,
                     struct err **err);
int cg_v1_set_io(struct cg_change *change, const struct hierarchy *h, const struct cgroup_limits *limits,
                 struct err **err);
int cg_v1_set_devices(const struct hierarchy *h, const char *rel, const struct cgroup_device *rules, size_t n_rules,
                      struct err **err);

/* What a limit of memory and swap together goes on from: the limit of memory that goes with it, or that there is in
 * @file. -EINVAL when there is none, or one above. Of v2 too: limits.c. */
int cg_swap_base(const struct cg_change *change, const struct hierarchy *h, const char *file,
                 const struct cgroup_limits *limits, int64_t *ret_memory, struct err **err);

void cg_v1_get_cpu(const struct hierarchy *cpu, const struct hierarchy *cpuacct, const char *rel,
                   struct cgroup_stats *stats);
void cg_v1_get_memory(const struct hierarchy *h, const char *rel, struct cgroup_stats *stats);
void cg_v1_get_io(const struct hierarchy *h, const char *rel, struct cgroup_stats *stats);
int cg_v1_get_oom(const struct hierarchy *h, const char *rel, struct cgroup_oom_state *ret_state);
