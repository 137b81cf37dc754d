/* The fallback: limits and figures of cgroup v2's model in v1's files (Documentation/admin-guide/cgroup-v1). */
#pragma once

#include "cgroups/limits.h"
#include "cgroups/oom.h"
#include "cgroups/stats.h"
#include "cgroups/tree.h"

int cg_v1_set_cpu(const struct hierarchy *h, const char *rel, const struct cgroup_limits *limits, struct err **err);
int cg_v1_set_memory(const struct hierarchy *h, const char *rel, const struct cgroup_limits *limits, struct err **err);
int cg_v1_set_io(const struct hierarchy *h, const char *rel, const struct cgroup_limits *limits, struct err **err);
int cg_v1_set_devices(const struct hierarchy *h, const char *rel, const struct cgroup_device *rules, size_t n_rules,
                      struct err **err);

void cg_v1_get_cpu(const struct hierarchy *cpu, const struct hierarchy *cpuacct, const char *rel,
                   struct cgroup_stats *stats);
void cg_v1_get_memory(const struct hierarchy *h, const char *rel, struct cgroup_stats *stats);
void cg_v1_get_io(const struct hierarchy *h, const char *rel, struct cgroup_stats *stats);
int cg_v1_get_oom(const struct hierarchy *h, const char *rel, struct oom_state *ret_state);
