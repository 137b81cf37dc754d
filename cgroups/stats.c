#include "cgroups/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/tree.h"
#include "cgroups/v1.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/err.h"

static uint64_t times(uint64_t value, uint64_t factor) {
        return value == CGROUP_UNKNOWN ? value : value * factor;
}

uint64_t cg_minus(uint64_t a, uint64_t b) {
        return a == CGROUP_UNKNOWN || b == CGROUP_UNKNOWN ? CGROUP_UNKNOWN : a > b ? a - b : 0;
}

/* Every number unknown, every list empty. */
static void clear(struct cgroup_stats *s) {
        memset(s, 0xff, sizeof(*s));
        s->n_hugetlb = s->n_io = 0;
        s->has_pressure = false;
        s->cpu_pressure = s->memory_pressure = s->io_pressure = (struct cgroup_pressure){ 0 };
}

/* cgroup2 counts CPU time even where v1 has the cpu controller. */
static void get_cpu(const struct hierarchy *h, const char *rel, struct cgroup_stats *s) {
        char text[1024];

        if (cg_read(h, rel, "cpu.stat", text, sizeof(text)) < 0)
                return;
        s->cpu_ns = times(cg_field(text, "usage_usec"), 1000);
        s->cpu_user_ns = times(cg_field(text, "user_usec"), 1000);
        s->cpu_system_ns = times(cg_field(text, "system_usec"), 1000);
        s->cpu_periods = cg_field(text, "nr_periods");
        s->cpu_throttled_periods = cg_field(text, "nr_throttled");
        s->cpu_throttled_ns = times(cg_field(text, "throttled_usec"), 1000);
}

static void get_memory(const struct hierarchy *h, const char *rel, struct cgroup_stats *s) {
        char text[CG_FILE_MAX];

        cg_read_u64(h, rel, "memory.current", &s->memory_usage);
        cg_read_u64(h, rel, "memory.max", &s->memory_limit);
        cg_read_u64(h, rel, "memory.peak", &s->memory_peak);
        cg_read_u64(h, rel, "memory.swap.current", &s->swap_usage);
        cg_read_u64(h, rel, "memory.swap.max", &s->swap_limit);
        if (cg_read(h, rel, "memory.events", text, sizeof(text)) == 0)
                s->memory_failcnt = cg_field(text, "max");
        if (cg_read(h, rel, "memory.stat", text, sizeof(text)) < 0)
                return;
        s->memory_working_set = cg_minus(s->memory_usage, cg_field(text, "inactive_file"));
        s->memory_rss = cg_field(text, "anon");
        s->memory_cache = cg_field(text, "file");
        s->memory_mapped_file = cg_field(text, "file_mapped");
        s->memory_kernel = cg_field(text, "kernel");
        s->page_faults = cg_field(text, "pgfault");
        s->major_page_faults = cg_field(text, "pgmajfault");
}

/* Lines "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6". */
static void get_io(const struct hierarchy *h, const char *rel, struct cgroup_stats *s) {
        char text[CG_FILE_MAX];

        if (cg_read(h, rel, "io.stat", text, sizeof(text)) < 0)
                return;
        for (char *save, *line = strtok_r(text, "\n", &save); line && s->n_io < CGROUP_IO_STATS_MAX;
             line = strtok_r(NULL, "\n", &save)) {
                struct cgroup_io_stats io = { 0 };

                if (sscanf(line,
                           "%" SCNu32 ":%" SCNu32 " rbytes=%" SCNu64 " wbytes=%" SCNu64 " rios=%" SCNu64
                           " wios=%" SCNu64,
                           &io.major, &io.minor, &io.read_bytes, &io.written_bytes, &io.reads, &io.writes) == 6)
                        s->io[s->n_io++] = io;
        }
}

static void get_hugetlb(const struct hierarchy *h, const char *rel, struct cgroup_stats *s) {
        static const char *const sizes[] = { "2MB", "1GB", "64KB", "32MB" };

        for (size_t i = 0; i < ELEMENTS(sizes) && s->n_hugetlb < CGROUP_HUGETLB_SIZES_MAX; i++) {
                uint64_t usage, limit;
                char file[64];

                snprintf(file, sizeof(file), "hugetlb.%s.current", sizes[i]);
                if (cg_read_u64(h, rel, file, &usage) < 0)
                        continue;
                snprintf(file, sizeof(file), "hugetlb.%s.max", sizes[i]);
                cg_read_u64(h, rel, file, &limit);
                strcpy(s->hugetlb[s->n_hugetlb].page_size, sizes[i]);
                s->hugetlb[s->n_hugetlb].usage = usage;
                s->hugetlb[s->n_hugetlb++].limit = limit;
        }
}

/* "some avg10=0.12 avg60=0.00 avg300=0.00 total=123" */
static void parse_pressure(const char *text, const char *key, struct cgroup_pressure_line *ret_line) {
        unsigned whole[3], part[3];
        const char *line = strstr(text, key);
        uint64_t total;

        if (line && sscanf(line + strlen(key), " avg10=%u.%u avg60=%u.%u avg300=%u.%u total=%" SCNu64, &whole[0],
                           &part[0], &whole[1], &part[1], &whole[2], &part[2], &total) == 7)
                *ret_line = (struct cgroup_pressure_line){
                        .avg10 = whole[0] * 100 + part[0],
                        .avg60 = whole[1] * 100 + part[1],
                        .avg300 = whole[2] * 100 + part[2],
                        .total_us = total,
                };
}

static void parse_both(const char *text, struct cgroup_pressure *ret_pressure) {
        parse_pressure(text, "some", &ret_pressure->some);
        parse_pressure(text, "full", &ret_pressure->full);
}

static bool read_host_pressure(const char *path, struct cgroup_pressure *ret_pressure) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        char text[512];
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

        if (n < 0)
                return false;
        text[n] = '\0';
        parse_both(text, ret_pressure);
        return true;
}

void cgroup_get_host_pressure(struct cgroup_stats *s) {
        s->has_pressure = read_host_pressure("/proc/pressure/cpu", &s->cpu_pressure) &&
                          read_host_pressure("/proc/pressure/memory", &s->memory_pressure) &&
                          read_host_pressure("/proc/pressure/io", &s->io_pressure);
}

static bool get_pressure(const struct hierarchy *h, const char *rel, const char *file,
                         struct cgroup_pressure *ret_pressure) {
        char text[512];

        if (cg_read(h, rel, file, text, sizeof(text)) < 0)
                return false;
        parse_both(text, ret_pressure);
        return true;
}

static void get_v2(const struct cgroups *c, const char *rel, struct cgroup_stats *s) {
        const struct hierarchy *h = c->v2;

        get_cpu(h, rel, s);
        s->has_pressure = get_pressure(h, rel, "cpu.pressure", &s->cpu_pressure) &&
                          get_pressure(h, rel, "memory.pressure", &s->memory_pressure) &&
                          get_pressure(h, rel, "io.pressure", &s->io_pressure);
        if (c->by_controller[CGROUP_IO] == h)
                get_io(h, rel, s);
        if (c->by_controller[CGROUP_HUGETLB] == h)
                get_hugetlb(h, rel, s);
}

int cgroup_get_stats(const struct cgroups *c, const char *path, struct cgroup_stats *ret_stats, struct err **err) {
        const struct hierarchy *memory = c->by_controller[CGROUP_MEMORY], *pids = c->by_controller[CGROUP_PIDS];
        const struct hierarchy *cpu = c->by_controller[CGROUP_CPU], *io = c->by_controller[CGROUP_IO];
        struct cgroup_stats *s = ret_stats;
        char rel[CGROUP_PATH_MAX];
        int r = cg_resolve(c, path, rel, err);

        if (r < 0)
                return r;
        if (!cgroup_exists(c, path))
                return err_errno(err, ENOENT, "cgroup %s", rel);
        clear(s);
        s->time_ns = (uint64_t)clock_ns(CLOCK_REALTIME);
        if (c->v2)
                get_v2(c, rel, s);
        if (cpu && !cpu->mount.v2)
                cg_v1_get_cpu(cpu, c->by_controller[CGROUP_CPUACCT], rel, s);
        if (memory)
                (memory->mount.v2 ? get_memory : cg_v1_get_memory)(memory, rel, s);
        if (s->memory_limit != CGROUP_UNKNOWN)
                s->memory_available = cg_minus(s->memory_limit, s->memory_working_set);
        if (s->swap_limit != CGROUP_UNKNOWN)
                s->swap_available = cg_minus(s->swap_limit, s->swap_usage);
        cg_read_u64(pids, rel, "pids.current", &s->pids);
        cg_read_u64(pids, rel, "pids.max", &s->pids_limit);
        if (io && !io->mount.v2)
                cg_v1_get_io(io, rel, s);
        return 0;
}
