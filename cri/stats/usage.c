#include "cri/stats/usage.h"

#include "cri/call/call.h"

Cri__UInt64Value *usage_value(struct arena *arena, uint64_t number) {
        Cri__UInt64Value *value = number == CGROUP_UNKNOWN ? NULL : message_new(arena, &cri__uint64_value__descriptor);

        if (value)
                value->value = number;
        return value;
}

static Cri__PsiData *psi_data(struct arena *arena, const struct cgroup_pressure_line *line) {
        Cri__PsiData *data = message_new(arena, &cri__psi_data__descriptor);

        if (!data)
                return NULL;
        data->total = line->total_us * 1000;
        data->avg10 = line->avg10 / 100.0;
        data->avg60 = line->avg60 / 100.0;
        data->avg300 = line->avg300 / 100.0;
        return data;
}

Cri__PsiStats *usage_psi(struct arena *arena, const struct cgroup_stats *stats,
                         const struct cgroup_pressure *pressure) {
        Cri__PsiStats *psi = stats->has_pressure ? message_new(arena, &cri__psi_stats__descriptor) : NULL;

        if (psi) {
                psi->full = psi_data(arena, &pressure->full);
                psi->some = psi_data(arena, &pressure->some);
        }
        return psi;
}

Cri__CpuUsage *usage_cpu(struct arena *arena, const struct cgroup_stats *stats, uint64_t cores) {
        Cri__CpuUsage *cpu = message_new(arena, &cri__cpu_usage__descriptor);

        if (!cpu)
                return NULL;
        cpu->timestamp = (int64_t)stats->time_ns;
        cpu->usage_core_nano_seconds = usage_value(arena, stats->cpu_ns);
        cpu->usage_nano_cores = usage_value(arena, cores);
        cpu->psi = usage_psi(arena, stats, &stats->cpu_pressure);
        return cpu;
}

Cri__MemoryUsage *usage_memory(struct arena *arena, const struct cgroup_stats *stats) {
        Cri__MemoryUsage *memory = message_new(arena, &cri__memory_usage__descriptor);

        if (!memory)
                return NULL;
        memory->timestamp = (int64_t)stats->time_ns;
        memory->working_set_bytes = usage_value(arena, stats->memory_working_set);
        memory->available_bytes =
                usage_value(arena, stats->memory_available == CGROUP_UNKNOWN ? 0 : stats->memory_available);
        memory->usage_bytes = usage_value(arena, stats->memory_usage);
        memory->rss_bytes = usage_value(arena, stats->memory_rss);
        memory->page_faults = usage_value(arena, stats->page_faults);
        memory->major_page_faults = usage_value(arena, stats->major_page_faults);
        memory->psi = usage_psi(arena, stats, &stats->memory_pressure);
        return memory;
}

Cri__IoUsage *usage_io(struct arena *arena, const struct cgroup_stats *stats) {
        Cri__IoUsage *io = stats->has_pressure ? message_new(arena, &cri__io_usage__descriptor) : NULL;

        if (io) {
                io->timestamp = (int64_t)stats->time_ns;
                io->psi = usage_psi(arena, stats, &stats->io_pressure);
        }
        return io;
}

Cri__SwapUsage *usage_swap(struct arena *arena, const struct cgroup_stats *stats) {
        Cri__SwapUsage *swap = message_new(arena, &cri__swap_usage__descriptor);

        if (!swap)
                return NULL;
        swap->timestamp = (int64_t)stats->time_ns;
        swap->swap_usage_bytes = usage_value(arena, stats->swap_usage);
        swap->swap_available_bytes = usage_value(arena, stats->swap_available);
        return swap;
}
