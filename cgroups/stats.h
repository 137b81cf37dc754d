/* What a cgroup uses. One read a file; what the kernel or a missing controller does not tell is CGROUP_UNKNOWN. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cgroups;
struct err;

#define CGROUP_UNKNOWN UINT64_MAX
#define CGROUP_HUGETLB_SIZES_MAX 4
#define CGROUP_IO_STATS_MAX 32

/* Pressure stall information: shares of time in percent × 100 over 10, 60 and 300 s, total in µs. */
struct cgroup_pressure_line {
        uint32_t avg10, avg60, avg300;
        uint64_t total_us;
};
struct cgroup_pressure {
        struct cgroup_pressure_line some, full;
};

struct cgroup_io_stats {
        uint32_t major, minor;
        uint64_t read_bytes, written_bytes, reads, writes;
};

struct cgroup_stats {
        uint64_t time_ns; /* CLOCK_REALTIME of the reading */
        uint64_t cpu_ns;  /* used since creation */
        uint64_t cpu_user_ns, cpu_system_ns;
        uint64_t cpu_periods, cpu_throttled_periods, cpu_throttled_ns;

        uint64_t memory_usage;       /* bytes, page cache included */
        uint64_t memory_working_set; /* usage without inactive file pages, as kubelet counts it */
        uint64_t memory_available;   /* limit minus working set; unknown without a limit */
        uint64_t memory_limit;       /* CGROUP_UNKNOWN: none */
        uint64_t memory_peak;
        uint64_t memory_rss; /* anonymous memory */
        uint64_t memory_cache, memory_mapped_file, memory_kernel;
        uint64_t page_faults, major_page_faults;
        uint64_t swap_usage, swap_limit, swap_available;
        uint64_t memory_failcnt; /* times the limit was hit */

        uint64_t pids, pids_limit;

        struct {
                char page_size[16];
                uint64_t usage, limit;
        } hugetlb[CGROUP_HUGETLB_SIZES_MAX];
        uint32_t n_hugetlb;

        struct cgroup_io_stats io[CGROUP_IO_STATS_MAX];
        uint32_t n_io;

        bool has_pressure; /* only where cgroup v2 holds the processes */
        struct cgroup_pressure cpu_pressure, memory_pressure, io_pressure;
};

/* The host's own pressure, which is no cgroup's, in @stats' has_pressure and what belongs to it. */
void cgroup_get_host_pressure(struct cgroup_stats *stats);

/* Returns 0; -ENOENT when there is no such cgroup. */
int cgroup_get_stats(const struct cgroups *cgroups, const char *path, struct cgroup_stats *ret_stats, struct err **err);
