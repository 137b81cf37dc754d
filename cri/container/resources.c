#include "cri/container/resources.h"

#include "cgroups/limits.h"
#include "cri/state/state.h"
#include "lib/arena.h"
#include "lib/err.h"

static int fill_lists(struct arena *arena, const Cri__LinuxContainerResources *resources, struct cgroup_limits *limits,
                      struct err **err) {
        struct cgroup_hugetlb *hugetlb = arena_alloc_array(arena, resources->n_hugepage_limits + 1, sizeof(*hugetlb));
        struct cgroup_unified *unified = arena_alloc_array(arena, resources->n_unified + 1, sizeof(*unified));

        if (!hugetlb || !unified)
                return err_set(err, ENOMEM, "out of memory");
        if (resources->n_unified > CGROUP_UNIFIED_MAX)
                return err_set(err, EINVAL, "%zu unified resources are more than %d", resources->n_unified,
                               CGROUP_UNIFIED_MAX);
        for (size_t i = 0; i < resources->n_hugepage_limits; i++)
                hugetlb[i] = (struct cgroup_hugetlb){ resources->hugepage_limits[i]->page_size,
                                                      resources->hugepage_limits[i]->limit };
        for (size_t i = 0; i < resources->n_unified; i++)
                unified[i] = (struct cgroup_unified){ resources->unified[i]->key, resources->unified[i]->value };
        limits->hugetlb = hugetlb;
        limits->n_hugetlb = resources->n_hugepage_limits;
        limits->unified = unified;
        limits->n_unified = resources->n_unified;
        return 0;
}

int resources_to_limits(struct arena *arena, const Cri__LinuxContainerResources *resources,
                        struct cgroup_limits *ret_limits, struct err **err) {
        struct cgroup_limits limits = { 0 };
        int r;

        if (resources->cpu_period < 0 || resources->cpu_shares < 0 || resources->memory_limit_in_bytes < -1 ||
            resources->cpu_quota < -1 || resources->memory_swap_limit_in_bytes < -1)
                return err_set(err, EINVAL, "resources below zero");
        limits.cpu_period_us = (uint64_t)resources->cpu_period;
        limits.cpu_quota_us = resources->cpu_quota;
        limits.cpu_shares = (uint64_t)resources->cpu_shares;
        limits.cpuset_cpus = resources->cpuset_cpus;
        limits.cpuset_mems = resources->cpuset_mems;
        limits.memory_max = resources->memory_limit_in_bytes;
        limits.memory_swap = resources->memory_swap_limit_in_bytes;
        limits.oom_group = true;
        r = fill_lists(arena, resources, &limits, err);
        if (r >= 0)
                *ret_limits = limits;
        return r;
}

Cri__LinuxContainerResources *resources_merge(struct arena *arena, const Cri__LinuxContainerResources *old,
                                              const Cri__LinuxContainerResources *update) {
        static const Cri__LinuxContainerResources none = CRI__LINUX_CONTAINER_RESOURCES__INIT;
        Cri__LinuxContainerResources merged = old ? *old : none;

        if (update->cpu_period)
                merged.cpu_period = update->cpu_period;
        if (update->cpu_quota)
                merged.cpu_quota = update->cpu_quota;
        if (update->cpu_shares)
                merged.cpu_shares = update->cpu_shares;
        if (update->memory_limit_in_bytes)
                merged.memory_limit_in_bytes = update->memory_limit_in_bytes;
        if (update->memory_swap_limit_in_bytes)
                merged.memory_swap_limit_in_bytes = update->memory_swap_limit_in_bytes;
        if (update->oom_score_adj)
                merged.oom_score_adj = update->oom_score_adj;
        if (!text_empty(update->cpuset_cpus))
                merged.cpuset_cpus = update->cpuset_cpus;
        if (!text_empty(update->cpuset_mems))
                merged.cpuset_mems = update->cpuset_mems;
        if (update->n_hugepage_limits) {
                merged.n_hugepage_limits = update->n_hugepage_limits;
                merged.hugepage_limits = update->hugepage_limits;
        }
        if (update->n_unified)
                MESSAGE_MAP_BORROW(&merged, update, unified);
        return message_copy(arena, &merged.base);
}
