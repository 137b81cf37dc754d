#include "cri/stats/metrics.h"

#include <string.h>
#include <unistd.h>

#include "cri/cri.h"

#define LABELS 6 /* that every family has; its own follow */
#define OWN_MAX 2
#define SECOND 1000000000u
#define DEVICE_MAX 64

static const char *const base_labels[LABELS] = { "id", "name", "image", "container", "pod", "namespace" };

struct family {
        const char *name, *help;
        Cri__MetricType type;
        const char *own[OWN_MAX]; /* label keys */
};

#define COUNTER CRI__METRIC_TYPE__COUNTER
#define GAUGE CRI__METRIC_TYPE__GAUGE

/* Readings of the cgroup that are one number. */
static const struct row {
        struct family family;
        size_t offset; /* of a uint64_t in struct cgroup_stats */
        uint64_t divisor;
} rows[] = {
#define C(name, help, type, field, divisor)                                                                            \
        { { name, help, type, { NULL } }, offsetof(struct cgroup_stats, field), divisor }
        C("container_cpu_usage_seconds_total", "CPU time used, in seconds", COUNTER, cpu_ns, SECOND),
        C("container_cpu_user_seconds_total", "CPU time used in user mode, in seconds", COUNTER, cpu_user_ns, SECOND),
        C("container_cpu_system_seconds_total", "CPU time used in the kernel, in seconds", COUNTER, cpu_system_ns,
          SECOND),
        C("container_cpu_cfs_periods_total", "Periods of the CPU quota", COUNTER, cpu_periods, 1),
        C("container_cpu_cfs_throttled_periods_total", "Periods in which the quota was used up", COUNTER,
          cpu_throttled_periods, 1),
        C("container_cpu_cfs_throttled_seconds_total", "Time spent throttled, in seconds", COUNTER, cpu_throttled_ns,
          SECOND),
        C("container_memory_usage_bytes", "Memory in use, page cache included", GAUGE, memory_usage, 1),
        C("container_memory_working_set_bytes", "Memory in use without inactive file pages", GAUGE, memory_working_set,
          1),
        C("container_memory_rss", "Anonymous memory", GAUGE, memory_rss, 1),
        C("container_memory_cache", "Page cache", GAUGE, memory_cache, 1),
        C("container_memory_mapped_file", "Mapped files", GAUGE, memory_mapped_file, 1),
        C("container_memory_kernel_usage", "The kernel's memory for it", GAUGE, memory_kernel, 1),
        C("container_memory_swap", "Swap in use", GAUGE, swap_usage, 1),
        C("container_memory_max_usage_bytes", "The most memory that was in use", GAUGE, memory_peak, 1),
        C("container_memory_failcnt", "Times the memory limit was hit", COUNTER, memory_failcnt, 1),
        C("container_spec_memory_limit_bytes", "Memory limit", GAUGE, memory_limit, 1),
        C("container_spec_memory_swap_limit_bytes", "Limit of swap", GAUGE, swap_limit, 1),
        C("container_threads", "Threads", GAUGE, pids, 1),
        C("container_threads_max", "Limit of threads", GAUGE, pids_limit, 1),
#undef C
};

/* clang-format off */
enum { LAST_SEEN, START_TIME, OOM_EVENTS, PROCESSES, CPU_PERIOD, CPU_QUOTA, CPU_SHARES, FAILURES, FS_USAGE, FS_READS_BYTES, FS_READS,
       FS_WRITES_BYTES, FS_WRITES, HUGETLB_USAGE, CPU_WAITING, CPU_STALLED, MEMORY_WAITING, MEMORY_STALLED, IO_WAITING, IO_STALLED };

static const struct family families[] = {
        [LAST_SEEN] = { "container_last_seen", "When it was seen last, in seconds since 1970", GAUGE, { NULL } },
        [START_TIME] = { "container_start_time_seconds", "When it was started, in seconds since 1970", GAUGE, { NULL } },
        [OOM_EVENTS] = { "container_oom_events_total", "OOM kills", COUNTER, { NULL } },
        [PROCESSES] = { "container_processes", "Processes", GAUGE, { NULL } },
        [CPU_PERIOD] = { "container_spec_cpu_period", "Period of the CPU quota, in microseconds", GAUGE, { NULL } },
        [CPU_QUOTA] = { "container_spec_cpu_quota", "CPU quota, in microseconds", GAUGE, { NULL } },
        [CPU_SHARES] = { "container_spec_cpu_shares", "CPU shares", GAUGE, { NULL } },
        [FAILURES] = { "container_memory_failures_total", "Page faults", COUNTER, { "failure_type", "scope" } },
        [FS_USAGE] = { "container_fs_usage_bytes", "Bytes of the writable layer", GAUGE, { "device" } },
        [FS_READS_BYTES] = { "container_fs_reads_bytes_total", "Bytes read", COUNTER, { "device" } },
        [FS_READS] = { "container_fs_reads_total", "Reads", COUNTER, { "device" } },
        [FS_WRITES_BYTES] = { "container_fs_writes_bytes_total", "Bytes written", COUNTER, { "device" } },
        [FS_WRITES] = { "container_fs_writes_total", "Writes", COUNTER, { "device" } },
        [HUGETLB_USAGE] = { "container_hugetlb_usage_bytes", "Huge pages in use", GAUGE, { "pagesize" } },
        [CPU_WAITING] = { "container_pressure_cpu_waiting_seconds_total", "Time in which some thread waited for a CPU", COUNTER, { NULL } },
        [CPU_STALLED] = { "container_pressure_cpu_stalled_seconds_total", "Time in which all threads waited for a CPU", COUNTER, { NULL } },
        [MEMORY_WAITING] = { "container_pressure_memory_waiting_seconds_total", "Time in which some thread waited for memory", COUNTER, { NULL } },
        [MEMORY_STALLED] = { "container_pressure_memory_stalled_seconds_total", "Time in which all threads waited for memory", COUNTER, { NULL } },
        [IO_WAITING] = { "container_pressure_io_waiting_seconds_total", "Time in which some thread waited for IO", COUNTER, { NULL } },
        [IO_STALLED] = { "container_pressure_io_stalled_seconds_total", "Time in which all threads waited for IO", COUNTER, { NULL } },
};
/* clang-format on */

_Static_assert(ELEMENTS(rows) + ELEMENTS(families) <= METRICS_FAMILIES_MAX, "room for all families");
_Static_assert(ELEMENTS(rows) + ELEMENTS(families) + 4 * CGROUP_IO_STATS_MAX + CGROUP_HUGETLB_SIZES_MAX + 8 <=
                       METRICS_CONTAINER_MAX,
               "room for all metrics");

Cri__MetricDescriptor *metrics_descriptor(struct arena *arena, const char *name, const char *help,
                                          const char *const *labels, size_t n) {
        Cri__MetricDescriptor *descriptor = message_new(arena, &cri__metric_descriptor__descriptor);

        if (!descriptor)
                return NULL;
        descriptor->name = (char *)(uintptr_t)name;
        descriptor->help = (char *)(uintptr_t)help;
        descriptor->label_keys = (char **)(uintptr_t)labels;
        descriptor->n_label_keys = n;
        return descriptor;
}

static Cri__MetricDescriptor *descriptor_of(struct arena *arena, const struct family *family) {
        const char **labels = arena_alloc_array(arena, LABELS + OWN_MAX, sizeof(*labels));
        size_t n = LABELS;

        if (!labels)
                return NULL;
        memcpy(labels, base_labels, sizeof(base_labels));
        for (size_t i = 0; i < OWN_MAX && family->own[i]; i++)
                labels[n++] = family->own[i];
        return metrics_descriptor(arena, family->name, family->help, labels, n);
}

size_t metrics_container_descriptors(struct arena *arena,
                                     Cri__MetricDescriptor *ret_descriptors[METRICS_FAMILIES_MAX]) {
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTS(rows); i++)
                ret_descriptors[n++] = descriptor_of(arena, &rows[i].family);
        for (size_t i = 0; i < ELEMENTS(families); i++)
                ret_descriptors[n++] = descriptor_of(arena, &families[i]);
        for (size_t i = 0; i < n; i++)
                if (!ret_descriptors[i])
                        return 0;
        return n;
}

/* What stands behind each metric that is made here. */
struct exact_metric {
        Cri__Metric metric;
        double value;
};

double cri_metric_value(const Cri__Metric *metric) {
        return ((const struct exact_metric *)metric)->value;
}

Cri__Metric *metrics_make(struct arena *arena, const struct metrics_sample *sample, char **labels, size_t n_labels) {
        struct exact_metric *exact = arena_new_of(arena, struct exact_metric);
        Cri__UInt64Value *value = message_new(arena, &cri__uint64_value__descriptor);
        Cri__Metric *metric = exact ? &exact->metric : NULL;

        if (!metric || !value)
                return NULL;
        cri__metric__init(metric);
        exact->value = (double)sample->value / (double)sample->divisor;
        value->value = sample->value / sample->divisor;
        metric->name = (char *)(uintptr_t)sample->name;
        metric->timestamp = sample->time;
        metric->metric_type = sample->type;
        metric->label_values = labels;
        metric->n_label_values = n_labels;
        metric->value = value;
        return metric;
}

struct writer {
        struct arena *arena;
        Cri__ContainerMetrics *metrics;
        char *labels[LABELS];
        int64_t time;
        bool failed;
};

/* Adds one with its own labels, in units of 1/@divisor. What the kernel does not tell is left out; no limit is 0, as
 * cAdvisor has it. */
static void add_parts(struct writer *w, const struct family *family, uint64_t value, uint64_t divisor,
                      const char *first, const char *second) {
        char **labels = arena_alloc_array(w->arena, LABELS + OWN_MAX, sizeof(*labels));
        size_t n = LABELS;
        Cri__Metric *metric;

        if (!labels || w->failed || w->metrics->n_metrics == METRICS_CONTAINER_MAX) {
                w->failed |= !labels;
                return;
        }
        memcpy(labels, w->labels, sizeof(w->labels));
        if (first)
                labels[n++] = arena_strdup(w->arena, first);
        if (second)
                labels[n++] = arena_strdup(w->arena, second);
        metric = metrics_make(w->arena,
                              &(struct metrics_sample){ .name = family->name,
                                                        .type = family->type,
                                                        .value = value == CGROUP_UNKNOWN ? 0 : value,
                                                        .divisor = divisor,
                                                        .time = w->time },
                              labels, n);
        w->failed = !metric || (first && !labels[LABELS]) || (second && !labels[n - 1]);
        if (!w->failed)
                w->metrics->metrics[w->metrics->n_metrics++] = metric;
}

static void add(struct writer *w, const struct family *family, uint64_t value, const char *first, const char *second) {
        add_parts(w, family, value, 1, first, second);
}

static void add_spec(struct writer *w, const struct cri_container *c) {
        const Cri__LinuxContainerResources *resources = c->resources;

        add(w, &families[LAST_SEEN], (uint64_t)w->time / SECOND, NULL, NULL);
        add_parts(w, &families[START_TIME], (uint64_t)c->started_at, SECOND, NULL, NULL);
        add(w, &families[OOM_EVENTS], c->oom_kills, NULL, NULL);
        add(w, &families[FS_USAGE], c->layer_bytes, "", NULL);
        if (resources && resources->cpu_quota > 0) {
                add(w, &families[CPU_PERIOD], (uint64_t)resources->cpu_period, NULL, NULL);
                add(w, &families[CPU_QUOTA], (uint64_t)resources->cpu_quota, NULL, NULL);
        }
        if (resources && resources->cpu_shares > 0)
                add(w, &families[CPU_SHARES], (uint64_t)resources->cpu_shares, NULL, NULL);
}

/* "/dev/sda", as cAdvisor has it and dashboards choose by; a device that has no name any more is its numbers. */
static void name_device(const struct cgroup_io_stats *io, char ret_name[DEVICE_MAX]) {
        char path[64], to[256];
        const char *name;
        ssize_t n;

        snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", io->major, io->minor);
        n = readlink(path, to, sizeof(to) - 1);
        to[n > 0 ? n : 0] = '\0';
        name = strrchr(to, '/');
        if (name && strlen(name) < DEVICE_MAX - sizeof("/dev"))
                snprintf(ret_name, DEVICE_MAX, "/dev%s", name);
        else
                snprintf(ret_name, DEVICE_MAX, "%u:%u", io->major, io->minor);
}

static void add_io(struct writer *w, const struct cgroup_stats *stats) {
        for (uint32_t i = 0; i < stats->n_io; i++) {
                const struct cgroup_io_stats *io = &stats->io[i];
                char device[DEVICE_MAX];

                name_device(io, device);
                add(w, &families[FS_READS_BYTES], io->read_bytes, device, NULL);
                add(w, &families[FS_READS], io->reads, device, NULL);
                add(w, &families[FS_WRITES_BYTES], io->written_bytes, device, NULL);
                add(w, &families[FS_WRITES], io->writes, device, NULL);
        }
        for (uint32_t i = 0; i < stats->n_hugetlb; i++)
                add(w, &families[HUGETLB_USAGE], stats->hugetlb[i].usage, stats->hugetlb[i].page_size, NULL);
}

static void add_pressure(struct writer *w, const struct cgroup_stats *stats) {
        const struct {
                const struct cgroup_pressure *pressure;
                int waiting, stalled;
        } all[] = { { &stats->cpu_pressure, CPU_WAITING, CPU_STALLED },
                    { &stats->memory_pressure, MEMORY_WAITING, MEMORY_STALLED },
                    { &stats->io_pressure, IO_WAITING, IO_STALLED } };

        for (size_t i = 0; stats->has_pressure && i < ELEMENTS(all); i++) {
                add_parts(w, &families[all[i].waiting], all[i].pressure->some.total_us, 1000000, NULL, NULL);
                add_parts(w, &families[all[i].stalled], all[i].pressure->full.total_us, 1000000, NULL, NULL);
        }
}

static void add_readings(struct writer *w, const struct container_measure *measure) {
        const struct cgroup_stats *stats = &measure->stats;

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                uint64_t number = *(const uint64_t *)((const char *)stats + rows[i].offset);

                add_parts(w, &rows[i].family, number, rows[i].divisor, NULL, NULL);
        }
        add(w, &families[PROCESSES], measure->processes, NULL, NULL);
        add(w, &families[FAILURES], stats->page_faults, "pgfault", "container");
        add(w, &families[FAILURES], stats->major_page_faults, "pgmajfault", "container");
        add_io(w, stats);
        add_pressure(w, stats);
}

Cri__ContainerMetrics *metrics_of_container(struct arena *arena, const struct container_measure *measure) {
        const struct cri_container *c = measure->container;
        const Cri__PodSandboxMetadata *pod = c->sandbox->config->metadata;
        struct writer w = { .arena = arena, .metrics = message_new(arena, &cri__container_metrics__descriptor) };

        if (!w.metrics ||
            !(w.metrics->metrics = arena_alloc_array(arena, METRICS_CONTAINER_MAX, sizeof(*w.metrics->metrics))))
                return NULL;
        w.metrics->container_id = (char *)(uintptr_t)c->id;
        w.time = measure->known ? (int64_t)measure->stats.time_ns : cri_now();
        w.labels[0] = w.labels[1] = w.metrics->container_id;
        w.labels[2] = c->config->image ? c->config->image->image : w.metrics->container_id;
        w.labels[3] = c->config->metadata->name;
        w.labels[4] = pod->name;
        w.labels[5] = pod->namespace_;
        add_spec(&w, c);
        if (measure->known)
                add_readings(&w, measure);
        return w.failed ? NULL : w.metrics;
}
