/* What /metrics and /metrics/probes have of the node's pods. */
#include <stdlib.h>
#include <string.h>

#include "agent/cluster/cluster.h"
#include "agent/container/container.h"
#include "agent/eviction/eviction.h"
#include "agent/node/metrics.h"
#include "agent/pods/internal.h"
#include "agent/shutdown/shutdown.h"
#include "lib/cleanup.h"
#include "lib/metrics.h"

static bool is_of_api(const struct pod *pod) {
        const char *source = string_map_get(&pod->metadata.annotations, "kubernetes.io/config.source");

        return source && strcmp(source, "api") == 0;
}

static void count_pod(struct metrics_pods *of, const struct worker *worker) {
        of->desired++;
        of->active += worker_is_active(worker);
}

static void count(const struct pods *pods, struct metrics_node *node) {
        node->pods = (unsigned)pods_count(pods);
        node->pod_starts = &pods->node.starts;
        LIST_EACH (pods_slots, slot, &pods->slots)
                if (!slot->gone)
                        count_pod(is_of_api(worker_pod(slot->worker)) ? &node->of_api : &node->of_files, slot->worker);
        if (pods->cluster) {
                node->client = cluster_client(pods->cluster);
                cluster_certificates_end(pods->cluster, &node->client_ends, &node->serving_ends);
        }
}

char *pods_metrics(void *data) {
        struct eviction_counters evictions;
        struct shutdown_times shutdown;
        struct pods *pods = data;
        struct metrics_node node = { .name = pods->options->node_name, .evictions = &evictions, .shutdown = &shutdown };

        eviction_get_counters(pods->eviction, &evictions);
        shutdown_get_times(pods->shutdown, &shutdown);
        count(pods, &node);
        return metrics_text(pods->cri, &node);
}

/* -- of probes --------------------------------------------------------------------------------------------- */

_Static_assert(MEMBER_PROBE_BUCKETS < METRICS_BUCKETS_MAX, "a histogram has room for them");

struct probe_writer {
        struct metrics_writer w;
        const struct kube_object_meta *pod;
};

static void write_results(void *data, const struct worker_probe *probe) {
        static const char *const results[MEMBER_PROBE_RESULTS] = { "successful", "failed", "unknown" };
        struct probe_writer *p = data;

        for (int i = 0; i < MEMBER_PROBE_RESULTS; i++) {
                const struct metrics_label labels[] = {
                        { "container", probe->container }, { "namespace", p->pod->namespace }, { "pod", p->pod->name },
                        { "pod_uid", p->pod->uid },        { "probe_type", probe->type },      { "result", results[i] },
                };

                if (probe->results[i] > 0)
                        metrics_sample(&p->w, labels, ELEMENTS(labels), probe->results[i]);
        }
}

static void write_times(void *data, const struct worker_probe *probe) {
        static const struct metrics_buckets buckets = { member_probe_buckets, MEMBER_PROBE_BUCKETS };
        struct probe_writer *p = data;
        const struct metrics_label labels[] = { { "container", probe->container },
                                                { "namespace", p->pod->namespace },
                                                { "pod", p->pod->name },
                                                { "probe_type", probe->type } };
        struct metrics_histogram histogram = { .sum = probe->times->sum };
        uint64_t n = 0;

        for (unsigned i = 0; i <= MEMBER_PROBE_BUCKETS; i++)
                n += histogram.counts[i] = probe->times->counts[i];
        if (n > 0)
                metrics_sample_histogram(&p->w, labels, ELEMENTS(labels), &buckets, &histogram);
}

static void each_probe(struct pods *pods, struct probe_writer *p,
                       void (*each)(void *data, const struct worker_probe *probe)) {
        LIST_EACH (pods_slots, slot, &pods->slots) {
                p->pod = &worker_pod(slot->worker)->metadata;
                if (!slot->gone)
                        worker_each_probe(slot->worker, each, p);
        }
}

char *pods_probe_metrics(void *data) {
        size_t length = 0;
        char *text = NULL;
        struct probe_writer p = { .w.out = open_memstream(&text, &length) };

        if (!p.w.out)
                return NULL;
        metrics_family(&p.w, "prober_probe_duration_seconds", METRICS_HISTOGRAM,
                       "[ALPHA] Duration in seconds for a probe response.");
        each_probe(data, &p, write_times);
        metrics_family(&p.w, "prober_probe_total", METRICS_COUNTER,
                       "[BETA] Cumulative number of a liveness, readiness or startup probe for a container by result.");
        each_probe(data, &p, write_results);
        if (fclose(p.w.out) != 0) {
                free(text);
                return NULL;
        }
        return text;
}
