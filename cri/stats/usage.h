/* What a cgroup uses as CRI's messages, in an arena; NULL without memory, which leaves the field out. */
#pragma once

#include "cgroups/stats.h"
#include "cri/api.pb-c.h"

struct arena;

/* A value that is known; NULL when it is not. */
Cri__UInt64Value *usage_value(struct arena *arena, uint64_t number);

/* NULL, too, where the kernel does not tell. */
Cri__PsiStats *usage_psi(struct arena *arena, const struct cgroup_stats *stats, const struct cgroup_pressure *pressure);

/* @cores: CPUs in use, in billionths; CGROUP_UNKNOWN: not known. */
Cri__CpuUsage *usage_cpu(struct arena *arena, const struct cgroup_stats *stats, uint64_t cores);
Cri__MemoryUsage *usage_memory(struct arena *arena, const struct cgroup_stats *stats);
Cri__IoUsage *usage_io(struct arena *arena, const struct cgroup_stats *stats);
Cri__SwapUsage *usage_swap(struct arena *arena, const struct cgroup_stats *stats);
