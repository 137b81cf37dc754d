/* ListMetricDescriptors and ListPodSandboxMetrics: cAdvisor's metrics of containers and pods, by its names. */
#include <string.h>

#include "cri/handlers.h"
#include "cri/measure.h"

#define STREAM_CHUNK 100

/* Readings of a container's cgroup. The label keys are the same for all: those that cAdvisor gives. */
static const char *const container_labels[] = { "id", "name", "image", "container", "pod", "namespace" };
static const char *const pod_labels[] = { "id", "pod", "namespace", "interface" };

struct row {
        const char *name, *help;
        Cri__MetricType type;
        size_t offset; /* of a uint64_t in struct cgroup_stats or struct net_device */
        uint64_t divisor;
};

#define C(name, help, type, field, divisor) { name, help, CRI__METRIC_TYPE__##type, offsetof(struct cgroup_stats, field), divisor }
#define N(name, help, field) { name, help, CRI__METRIC_TYPE__COUNTER, offsetof(struct net_device, field), 1 }

static const struct row rows[] = {
        C("container_cpu_usage_seconds_total", "CPU time used, in seconds", COUNTER, cpu_ns, 1000000000),
        C("container_cpu_user_seconds_total", "CPU time used in user mode, in seconds", COUNTER, cpu_user_ns, 1000000000),
        C("container_cpu_system_seconds_total", "CPU time used in the kernel, in seconds", COUNTER, cpu_system_ns, 1000000000),
        C("container_cpu_cfs_periods_total", "Periods of the CPU quota", COUNTER, cpu_periods, 1),
        C("container_cpu_cfs_throttled_periods_total", "Periods in which the quota was used up", COUNTER, cpu_throttled_periods, 1),
        C("container_cpu_cfs_throttled_seconds_total", "Time spent throttled, in seconds", COUNTER, cpu_throttled_ns, 1000000000),
        C("container_memory_usage_bytes", "Memory in use, page cache included", GAUGE, memory_usage, 1),
        C("container_memory_working_set_bytes", "Memory in use without inactive file pages", GAUGE, memory_working_set, 1),
        C("container_memory_rss", "Anonymous memory", GAUGE, memory_rss, 1),
        C("container_memory_cache", "Page cache", GAUGE, memory_cache, 1),
        C("container_memory_mapped_file", "Mapped files", GAUGE, memory_mapped_file, 1),
        C("container_memory_swap", "Swap in use", GAUGE, swap_usage, 1),
        C("container_memory_max_usage_bytes", "The most memory that was in use", GAUGE, memory_peak, 1),
        C("container_memory_failcnt", "Times the memory limit was hit", COUNTER, memory_failcnt, 1),
        C("container_spec_memory_limit_bytes", "Memory limit", GAUGE, memory_limit, 1),
        C("container_processes", "Processes", GAUGE, pids, 1),
        C("container_threads_max", "Limit of processes and threads", GAUGE, pids_limit, 1),
};

static const struct row net_rows[] = {
        N("container_network_receive_bytes_total", "Bytes received", rx_bytes),
        N("container_network_receive_packets_total", "Packets received", rx_packets),
        N("container_network_receive_errors_total", "Errors while receiving", rx_errors),
        N("container_network_receive_packets_dropped_total", "Packets dropped while receiving", rx_dropped),
        N("container_network_transmit_bytes_total", "Bytes sent", tx_bytes),
        N("container_network_transmit_packets_total", "Packets sent", tx_packets),
        N("container_network_transmit_errors_total", "Errors while sending", tx_errors),
        N("container_network_transmit_packets_dropped_total", "Packets dropped while sending", tx_dropped),
};

static Cri__MetricDescriptor *descriptor_of(struct arena *arena, const struct row *row, const char *const *labels, size_t n) {
        Cri__MetricDescriptor *descriptor = arena_message(arena, &cri__metric_descriptor__descriptor);

        if (!descriptor)
                return NULL;
        descriptor->name = (char *)(uintptr_t)row->name;
        descriptor->help = (char *)(uintptr_t)row->help;
        descriptor->label_keys = (char **)(uintptr_t)labels;
        descriptor->n_label_keys = n;
        return descriptor;
}

void handle_list_metric_descriptors(struct cri_call *call) {
        Cri__ListMetricDescriptorsResponse response = CRI__LIST_METRIC_DESCRIPTORS_RESPONSE__INIT;
        Cri__MetricDescriptor *descriptors[ELEMENTS(rows) + ELEMENTS(net_rows)];

        response.descriptors = descriptors;
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                descriptors[response.n_descriptors++] = descriptor_of(call->arena, &rows[i], container_labels, ELEMENTS(container_labels));
        for (size_t i = 0; i < ELEMENTS(net_rows); i++)
                descriptors[response.n_descriptors++] = descriptor_of(call->arena, &net_rows[i], pod_labels, ELEMENTS(pod_labels));
        for (size_t i = 0; i < response.n_descriptors; i++)
                if (!descriptors[i]) {
                        call_refuse(call, ENOMEM, "out of memory");
                        return;
                }
        call_reply(call, &response.base);
}

static Cri__Metric *metric_of(struct arena *arena, const struct row *row, const void *readings, int64_t time, char **labels,
                              size_t n_labels) {
        uint64_t number = *(const uint64_t *)((const char *)readings + row->offset);
        Cri__Metric *metric = arena_message(arena, &cri__metric__descriptor);
        Cri__UInt64Value *value = arena_message(arena, &cri__uint64_value__descriptor);

        if (!metric || !value)
                return NULL;
        value->value = number == CGROUP_UNKNOWN ? 0 : number / row->divisor;
        metric->name = (char *)(uintptr_t)row->name;
        metric->timestamp = time;
        metric->metric_type = row->type;
        metric->label_values = labels;
        metric->n_label_values = n_labels;
        metric->value = value;
        return metric;
}

static Cri__ContainerMetrics *container_metrics(struct arena *arena, const struct container_measure *measure) {
        const struct cri_container *c = measure->container;
        const Cri__PodSandboxMetadata *pod = c->sandbox->config->metadata;
        Cri__ContainerMetrics *metrics = arena_message(arena, &cri__container_metrics__descriptor);
        char **labels = arena_alloc_array(arena, ELEMENTS(container_labels), sizeof(*labels));

        if (!metrics || !labels || !(metrics->metrics = arena_alloc_array(arena, ELEMENTS(rows), sizeof(*metrics->metrics))))
                return NULL;
        metrics->container_id = (char *)(uintptr_t)c->id;
        labels[0] = labels[1] = metrics->container_id;
        labels[2] = c->config->image ? c->config->image->image : metrics->container_id;
        labels[3] = c->config->metadata->name;
        labels[4] = pod->name;
        labels[5] = pod->namespace_;
        for (size_t i = 0; measure->known && i < ELEMENTS(rows); i++) {
                Cri__Metric *metric = metric_of(arena, &rows[i], &measure->stats, (int64_t)measure->stats.time_ns, labels,
                                                ELEMENTS(container_labels));
                if (!metric)
                        return NULL;
                metrics->metrics[metrics->n_metrics++] = metric;
        }
        return metrics;
}

static int network_metrics(struct arena *arena, const struct sandbox_measure *s, Cri__PodSandboxMetrics *metrics) {
        metrics->metrics = arena_alloc_array(arena, s->n_devices * ELEMENTS(net_rows) + 1, sizeof(*metrics->metrics));
        for (size_t d = 0; d < s->n_devices && metrics->metrics; d++) {
                char **labels = arena_alloc_array(arena, ELEMENTS(pod_labels), sizeof(*labels));

                if (!labels || !(labels[3] = arena_strdup(arena, s->devices[d].name)))
                        return -ENOMEM;
                labels[0] = (char *)(uintptr_t)s->sandbox->id;
                labels[1] = s->sandbox->config->metadata->name;
                labels[2] = s->sandbox->config->metadata->namespace_;
                for (size_t i = 0; i < ELEMENTS(net_rows); i++) {
                        Cri__Metric *metric = metric_of(arena, &net_rows[i], &s->devices[d], cri_now(), labels, ELEMENTS(pod_labels));

                        if (!metric)
                                return -ENOMEM;
                        metrics->metrics[metrics->n_metrics++] = metric;
                }
        }
        return metrics->metrics ? 0 : -ENOMEM;
}

static Cri__PodSandboxMetrics *sandbox_metrics(struct arena *arena, const struct measure *measure, const struct sandbox_measure *s) {
        Cri__PodSandboxMetrics *metrics = arena_message(arena, &cri__pod_sandbox_metrics__descriptor);

        if (!metrics || network_metrics(arena, s, metrics) < 0)
                return NULL;
        metrics->pod_sandbox_id = (char *)(uintptr_t)s->sandbox->id;
        metrics->container_metrics = arena_alloc_array(arena, s->n + 1, sizeof(*metrics->container_metrics));
        for (size_t i = 0; i < s->n && metrics->container_metrics; i++) {
                metrics->container_metrics[i] = container_metrics(arena, &measure->containers[s->first + i]);
                if (!metrics->container_metrics[metrics->n_container_metrics++])
                        return NULL;
        }
        return metrics->container_metrics ? metrics : NULL;
}

static Cri__PodSandboxMetrics **all_metrics(struct cri_call *call) {
        struct measure *measure = call->state;
        Cri__PodSandboxMetrics **all = arena_alloc_array(call->arena, measure->n_sandboxes + 1, sizeof(*all));

        for (size_t i = 0; all && i < measure->n_sandboxes; i++) {
                all[i] = sandbox_metrics(call->arena, measure, &measure->sandboxes[i]);
                if (!all[i])
                        all = NULL;
        }
        if (!all)
                call_refuse(call, ENOMEM, "out of memory");
        return all;
}

static void metrics_begin(struct cri_call *call, void (*done)(struct cri_call *call)) {
        struct measure *measure = measure_new(call);

        if (!measure)
                return;
        for (struct cri_sandbox *s = call->cri->first_sandbox; s; s = s->newer)
                if (s->ready && !s->hidden && measure_add_sandbox(call, measure, s) < 0) {
                        call_refuse(call, ENOMEM, "out of memory");
                        return;
                }
        measure_run(call, done);
}

static void list_done(struct cri_call *call) {
        Cri__ListPodSandboxMetricsResponse response = CRI__LIST_POD_SANDBOX_METRICS_RESPONSE__INIT;

        response.n_pod_metrics = ((struct measure *)call->state)->n_sandboxes;
        response.pod_metrics = all_metrics(call);
        if (response.pod_metrics)
                call_reply(call, &response.base);
}

void handle_list_pod_sandbox_metrics(struct cri_call *call) {
        metrics_begin(call, list_done);
}

static void stream_done(struct cri_call *call) {
        size_t n = ((struct measure *)call->state)->n_sandboxes;
        Cri__PodSandboxMetrics **all = all_metrics(call);

        if (!all)
                return;
        for (size_t i = 0; i < n; i += STREAM_CHUNK) {
                Cri__StreamPodSandboxMetricsResponse response = CRI__STREAM_POD_SANDBOX_METRICS_RESPONSE__INIT;

                response.pod_sandbox_metrics = all + i;
                response.n_pod_sandbox_metrics = n - i < STREAM_CHUNK ? n - i : STREAM_CHUNK;
                call_send(call, &response.base);
        }
        call_end(call);
}

void handle_stream_pod_sandbox_metrics(struct cri_call *call) {
        metrics_begin(call, stream_done);
}
