/* /metrics/resource: what metrics.k8s.io is made of (KEP-727). */
#include <errno.h>
#include <stdlib.h>

#include "agent/kubelet/call.h"
#include "agent/kubelet/internal.h"
#include "agent/kubelet/node_stats.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/metrics.h"

#define MS INT64_C(1000000)

enum what { WHAT_NODE, WHAT_POD, WHAT_CONTAINER };

/* A value, and when it was so (ms; 0: that is not told). False: it is not known. */
struct sample {
        double value;
        int64_t ms;
};

static bool make(const Cri__UInt64Value *value, double unit, int64_t ns, struct sample *ret) {
        if (!value)
                return false;
        *ret = (struct sample){ (double)value->value / unit, ns / MS };
        return true;
}

static bool cpu_of(const Cri__CpuUsage *cpu, struct sample *ret) {
        return cpu && make(cpu->usage_core_nano_seconds, 1e9, cpu->timestamp, ret);
}

static bool memory_of(const Cri__MemoryUsage *memory, struct sample *ret) {
        return memory && make(memory->working_set_bytes, 1, memory->timestamp, ret);
}

static bool swap_of(const Cri__SwapUsage *swap, struct sample *ret) {
        return swap && make(swap->swap_usage_bytes, 1, swap->timestamp, ret);
}

/* -- the families ------------------------------------------------------------------------------------------ */

struct subject { /* what a sample is of; the pod is NULL for the node, the container for a pod */
        struct cri *cri;
        const struct kubelet_node_stats *node;
        const Cri__PodSandboxStats *pod;
        const Cri__ContainerStats *container;
};

static bool container_cpu(const struct subject *s, struct sample *ret) {
        return cpu_of(s->container->cpu, ret);
}

static bool container_memory(const struct subject *s, struct sample *ret) {
        return memory_of(s->container->memory, ret);
}

static bool container_swap(const struct subject *s, struct sample *ret) {
        return swap_of(s->container->swap, ret);
}

static bool container_swap_limit(const struct subject *s, struct sample *ret) {
        const Cri__SwapUsage *swap = s->container->swap;

        if (!swap_of(swap, ret))
                return false;
        ret->value += swap->swap_available_bytes ? (double)swap->swap_available_bytes->value : 0;
        return true;
}

static bool container_start(const struct subject *s, struct sample *ret) {
        struct cri_container_info info;

        if (cri_container_get(s->cri, s->container->attributes->id, &info) < 0 || info.started_at == 0)
                return false;
        *ret = (struct sample){ (double)info.started_at / 1e9, 0 };
        return true;
}

static bool pod_cpu(const struct subject *s, struct sample *ret) {
        return s->pod->linux && cpu_of(s->pod->linux->cpu, ret);
}

static bool pod_memory(const struct subject *s, struct sample *ret) {
        return s->pod->linux && memory_of(s->pod->linux->memory, ret);
}

static bool pod_swap(const struct subject *s, struct sample *ret) {
        bool any = false;

        *ret = (struct sample){ 0 };
        for (size_t i = 0; s->pod->linux && i < s->pod->linux->n_containers; i++) {
                struct sample one;

                if (!swap_of(s->pod->linux->containers[i]->swap, &one))
                        continue;
                *ret = (struct sample){ ret->value + one.value, one.ms };
                any = true;
        }
        return any;
}

static bool node_cpu(const struct subject *s, struct sample *ret) {
        *ret = (struct sample){ (double)s->node->cpu_ns / 1e9, s->node->time_ns / MS };
        return s->node->cpu_ns > 0;
}

static bool node_memory(const struct subject *s, struct sample *ret) {
        *ret = (struct sample){ (double)s->node->memory_working_set, s->node->time_ns / MS };
        return s->node->memory_total > 0;
}

static bool node_swap(const struct subject *s, struct sample *ret) {
        *ret = (struct sample){ (double)s->node->swap_usage, s->node->time_ns / MS };
        return s->node->memory_total > 0;
}

static const struct family {
        const char *name;
        enum metrics_type type;
        const char *help;
        enum what what;
        bool (*sample)(const struct subject *s, struct sample *ret);
} families[] = {
        { "container_cpu_usage_seconds_total", METRICS_COUNTER,
          "[STABLE] Cumulative cpu time consumed by the container in core-seconds", WHAT_CONTAINER, container_cpu },
        { "container_memory_working_set_bytes", METRICS_GAUGE, "[STABLE] Current working set of the container in bytes",
          WHAT_CONTAINER, container_memory },
        { "container_start_time_seconds", METRICS_GAUGE,
          "[STABLE] Start time of the container since unix epoch in seconds", WHAT_CONTAINER, container_start },
        { "container_swap_limit_bytes", METRICS_GAUGE,
          "[ALPHA] Current amount of the container swap limit in bytes. Reported only on non-windows systems",
          WHAT_CONTAINER, container_swap_limit },
        { "container_swap_usage_bytes", METRICS_GAUGE,
          "[ALPHA] Current amount of the container swap usage in bytes. Reported only on non-windows systems",
          WHAT_CONTAINER, container_swap },
        { "node_cpu_usage_seconds_total", METRICS_COUNTER,
          "[STABLE] Cumulative cpu time consumed by the node in core-seconds", WHAT_NODE, node_cpu },
        { "node_memory_working_set_bytes", METRICS_GAUGE, "[STABLE] Current working set of the node in bytes",
          WHAT_NODE, node_memory },
        { "node_swap_usage_bytes", METRICS_GAUGE,
          "[ALPHA] Current swap usage of the node in bytes. Reported only on non-windows systems", WHAT_NODE,
          node_swap },
        { "pod_cpu_usage_seconds_total", METRICS_COUNTER,
          "[STABLE] Cumulative cpu time consumed by the pod in core-seconds", WHAT_POD, pod_cpu },
        { "pod_memory_working_set_bytes", METRICS_GAUGE, "[STABLE] Current working set of the pod in bytes", WHAT_POD,
          pod_memory },
        { "pod_swap_usage_bytes", METRICS_GAUGE,
          "[ALPHA] Current amount of the pod swap usage in bytes. Reported only on non-windows systems", WHAT_POD,
          pod_swap },
};

/* -- writing ----------------------------------------------------------------------------------------------- */

/* A family begins with its first sample. */
static void write_sample(struct metrics_writer *w, const struct family *f, const struct subject *s) {
        struct metrics_label labels[3];
        struct sample sample;
        unsigned n = 0;

        if (!f->sample(s, &sample))
                return;
        if (w->family != f->name)
                metrics_family(w, f->name, f->type, f->help);
        if (s->container)
                labels[n++] = (struct metrics_label){ "container", s->container->attributes->metadata->name };
        if (s->pod) {
                labels[n++] = (struct metrics_label){ "namespace", s->pod->attributes->metadata->namespace_ };
                labels[n++] = (struct metrics_label){ "pod", s->pod->attributes->metadata->name };
        }
        if (sample.ms)
                metrics_sample_at(w, labels, n, sample.value, sample.ms);
        else
                metrics_sample(w, labels, n, sample.value);
}

/* Whether the container is its pod's newest of that name, and runs: only of it something is used. */
static bool is_running(struct cri *cri, const Cri__ContainerStats *c) {
        struct cri_container_info info;

        return cri_container_get(cri, c->attributes->id, &info) == 0 &&
               info.state == CRI__CONTAINER_STATE__CONTAINER_RUNNING;
}

static void write_pod(struct metrics_writer *w, const struct family *f, struct subject *s) {
        if (f->what == WHAT_POD)
                return write_sample(w, f, s);
        for (size_t i = 0; s->pod->linux && i < s->pod->linux->n_containers; i++) {
                s->container = s->pod->linux->containers[i];
                if (is_running(s->cri, s->container))
                        write_sample(w, f, s);
        }
}

static void write_family(struct metrics_writer *w, const struct family *f, struct cri *cri,
                         const struct kubelet_node_stats *node, const Cri__ListPodSandboxStatsResponse *response) {
        struct subject s = { .cri = cri, .node = node };

        if (f->what == WHAT_NODE)
                return write_sample(w, f, &s);
        for (size_t i = 0; i < response->n_stats; i++) {
                struct cri_sandbox_info info;

                s = (struct subject){ .cri = cri, .node = node, .pod = response->stats[i] };
                if (cri_sandbox_get(cri, s.pod->attributes->id, &info) == 0 && info.ready)
                        write_pod(w, f, &s);
        }
}

static void on_stats(struct kubelet_call *call, const ProtobufCMessage *message, const struct err *err) {
        const Cri__ListPodSandboxStatsResponse *response = (const Cri__ListPodSandboxStatsResponse *)message;
        struct kubelet_node_stats node;
        char *text = NULL;
        size_t size;
        struct metrics_writer w = { .out = open_memstream(&text, &size) };

        if (!w.out)
                return http_reset(call->q->x, -ENOMEM);
        kubelet_node_stats_read(&node);
        for (size_t i = 0; i < ELEMENTS(families) && !err; i++)
                write_family(&w, &families[i], call->q->kubelet->world.cri, &node, response);
        metrics_one(&w, "resource_scrape_error", METRICS_GAUGE,
                    "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise", err ? 1 : 0);
        if (fclose(w.out) != 0) {
                free(text);
                text = NULL;
        }
        kubelet_answer_metrics(call->q, text);
}

void kubelet_serve_resource_metrics(struct kubelet_request *q) {
        struct kubelet_call *call = kubelet_call_new(q);

        if (!call)
                return;
        call->done = on_stats;
        kubelet_call_stats(call);
}
