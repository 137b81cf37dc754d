/* ListMetricDescriptors and ListPodSandboxMetrics: cAdvisor's metrics of containers and pods, by its names. */
#include <string.h>

#include "cri/call/handlers.h"
#include "cri/stats/metrics.h"

static const char *const pod_labels[] = { "id", "pod", "namespace", "interface" };

static const struct row {
        const char *name, *help;
        size_t offset; /* of a uint64_t in struct net_device */
} net_rows[] = {
#define N(name, help, field)                                                                                           \
        { name, help, offsetof(struct net_device, field) }
        N("container_network_receive_bytes_total", "Bytes received", rx_bytes),
        N("container_network_receive_packets_total", "Packets received", rx_packets),
        N("container_network_receive_errors_total", "Errors while receiving", rx_errors),
        N("container_network_receive_packets_dropped_total", "Packets dropped while receiving", rx_dropped),
        N("container_network_transmit_bytes_total", "Bytes sent", tx_bytes),
        N("container_network_transmit_packets_total", "Packets sent", tx_packets),
        N("container_network_transmit_errors_total", "Errors while sending", tx_errors),
        N("container_network_transmit_packets_dropped_total", "Packets dropped while sending", tx_dropped),
#undef N
};

void handle_list_metric_descriptors(struct cri_call *call) {
        Cri__ListMetricDescriptorsResponse response = CRI__LIST_METRIC_DESCRIPTORS_RESPONSE__INIT;
        Cri__MetricDescriptor *descriptors[METRICS_FAMILIES_MAX + ELEMENTS(net_rows)];
        size_t n = metrics_container_descriptors(call->arena, descriptors);

        for (size_t i = 0; n > 0 && i < ELEMENTS(net_rows); i++) {
                descriptors[n] = metrics_descriptor(call->arena, net_rows[i].name, net_rows[i].help, pod_labels,
                                                    ELEMENTS(pod_labels));
                n = descriptors[n] ? n + 1 : 0;
        }
        response.descriptors = descriptors;
        response.n_descriptors = n;
        if (n > 0)
                call_reply(call, &response.base);
        else
                call_refuse(call, ENOMEM, "out of memory");
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
                        const struct metrics_sample sample = {
                                .name = net_rows[i].name,
                                .type = CRI__METRIC_TYPE__COUNTER,
                                .value = *(const uint64_t *)((const char *)&s->devices[d] + net_rows[i].offset),
                                .divisor = 1,
                                .time = cri_now(),
                        };
                        Cri__Metric *metric = metrics_make(arena, &sample, labels, ELEMENTS(pod_labels));

                        if (!metric)
                                return -ENOMEM;
                        metrics->metrics[metrics->n_metrics++] = metric;
                }
        }
        return metrics->metrics ? 0 : -ENOMEM;
}

static Cri__PodSandboxMetrics *sandbox_metrics(struct arena *arena, const struct measure *measure,
                                               const struct sandbox_measure *s) {
        Cri__PodSandboxMetrics *metrics = message_new(arena, &cri__pod_sandbox_metrics__descriptor);

        if (!metrics || network_metrics(arena, s, metrics) < 0)
                return NULL;
        metrics->pod_sandbox_id = (char *)(uintptr_t)s->sandbox->id;
        metrics->container_metrics = arena_alloc_array(arena, s->n + 1, sizeof(*metrics->container_metrics));
        for (size_t i = 0; i < s->n && metrics->container_metrics; i++) {
                metrics->container_metrics[i] = metrics_of_container(arena, &measure->containers[s->first + i]);
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
        measure->count_processes = true;
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
        call_stream(call, all, n);
}

void handle_stream_pod_sandbox_metrics(struct cri_call *call) {
        metrics_begin(call, stream_done);
}
