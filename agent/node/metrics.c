#include "agent/node/metrics.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/eviction/eviction.h"
#include "agent/shutdown/shutdown.h"
#include "client/remote.h"
#include "cri/cri.h"
#include "kube/version.h"
#include "lib/cleanup.h"
#include "lib/metrics.h"
#include "lib/trace/tracer.h"

#define OPERATION_MAX 64

/* Labels are the names of CRI's methods and states and no others, so that there are only so many series. */

/* "RunPodSandbox" as kubelet has it: run_podsandbox. */
static const char *operation_of(enum cri_method method, char text[OPERATION_MAX]) {
        const char *name = cri_methods[method].name;
        size_t n = 0;

        for (const char *p = name; *p && n < OPERATION_MAX - 2; p++) {
                bool joined = p > name + 2 && strncmp(p - 3, "PodSandbox", 10) == 0;

                if (isupper((unsigned char)*p) && p > name && !joined)
                        text[n++] = '_';
                text[n++] = (char)tolower((unsigned char)*p);
        }
        text[n] = '\0';
        return text;
}

static void write_labelled(struct metrics_writer *w, const char *label, const char *text, double value) {
        metrics_sample(w, &(struct metrics_label){ label, text }, 1, value);
}

static void write_family(struct metrics_writer *w, const char *name, const char *help, const uint64_t *values) {
        char operation[OPERATION_MAX];

        metrics_family(w, name, METRICS_COUNTER, help);
        for (enum cri_method i = 0; i < CRI_METHODS; i++)
                if (values[i])
                        write_labelled(w, "operation_type", operation_of(i, operation), (double)values[i]);
}

/* @label: of the method; NULL: of one method alone. */
static void write_histogram(struct metrics_writer *w, const struct metrics_label *label, const struct cri_counters *c,
                            enum cri_method method) {
        struct metrics_histogram histogram = { .sum = (double)c->nanoseconds[method] * 1e-9 };
        double ends[CRI_BUCKETS];
        const struct metrics_buckets buckets = { ends, CRI_BUCKETS };
        uint64_t sum = 0;

        for (unsigned i = 0; i < CRI_BUCKETS; i++) {
                ends[i] = (double)cri_bucket_end(i) * 1e-9;
                histogram.counts[i] = c->buckets[method][i];
                sum += c->buckets[method][i];
        }
        histogram.counts[CRI_BUCKETS] = c->ended[method] - sum;
        metrics_sample_histogram(w, label, label ? 1 : 0, &buckets, &histogram);
}

static void write_durations(struct metrics_writer *w, const struct cri_counters *c) {
        static const char name[] = "kubelet_runtime_operations_duration_seconds";
        char operation[OPERATION_MAX];

        metrics_family(w, name, METRICS_HISTOGRAM, "Time that CRI calls took.");
        for (enum cri_method i = 0; i < CRI_METHODS; i++) {
                if (!c->ended[i])
                        continue;
                write_histogram(w, &(struct metrics_label){ "operation_type", operation_of(i, operation) }, c, i);
        }
}

static void write_containers(struct metrics_writer *w, const struct cri_counters *c) {
        static const char name[] = "kubelet_running_containers";

        metrics_family(w, name, METRICS_GAUGE, "Containers by state.");
        write_labelled(w, "container_state", "created", c->created);
        write_labelled(w, "container_state", "running", c->running);
        write_labelled(w, "container_state", "exited", c->containers - c->created - c->running);
}

static void write_all(struct metrics_writer *w, const struct cri_counters *c, unsigned pods) {
        kube_version_write(w);
        metrics_family(w, "nacelle_build_info", METRICS_GAUGE, "The agent's version.");
        write_labelled(w, "version", NACELLE_VERSION, 1);
        write_family(w, "kubelet_runtime_operations_total", "CRI calls.", c->calls);
        write_family(w, "kubelet_runtime_operations_errors_total", "CRI calls that failed.", c->errors);
        write_durations(w, c);
        metrics_family(w, "nacelle_image_pull_duration_seconds", METRICS_HISTOGRAM, "Time that pulls of images took.");
        write_histogram(w, NULL, c, CRI_PULL_IMAGE);
        metrics_one(w, "nacelle_image_pulls_total", METRICS_COUNTER, "Images pulled.", (double)c->pulls);
        metrics_one(w, "nacelle_image_pull_bytes_total", METRICS_COUNTER, "Bytes of layers pulled, compressed.",
                    (double)c->pull_bytes);
        metrics_one(w, "nacelle_oom_kills_total", METRICS_COUNTER, "Processes killed for their memory.",
                    (double)c->oom_kills);
        metrics_one(w, "kubelet_started_containers_total", METRICS_COUNTER, "Containers started.", (double)c->started);
        metrics_one(w, "kubelet_started_pods_total", METRICS_COUNTER, "[ALPHA] Cumulative number of pods started",
                    (double)c->calls[CRI_RUN_POD_SANDBOX]);
        metrics_one(w, "kubelet_started_pods_errors_total", METRICS_COUNTER,
                    "[ALPHA] Cumulative number of errors when starting pods", (double)c->errors[CRI_RUN_POD_SANDBOX]);
        metrics_one(w, "nacelle_container_restarts_total", METRICS_COUNTER,
                    "Containers started after an earlier attempt.", (double)c->restarts);
        metrics_one(w, "nacelle_shims_recovered_total", METRICS_COUNTER, "Shims replaced after their death.",
                    (double)c->shims_recovered);
        metrics_one(w, "nacelle_shims", METRICS_GAUGE, "Shims: one for each ready sandbox.", c->ready);
        metrics_one(w, "kubelet_running_pods", METRICS_GAUGE, "Pods that have a ready sandbox.", c->ready);
        metrics_one(w, "nacelle_directory_pods", METRICS_GAUGE, "Pods of the watched directory.", pods);
        metrics_one(w, "nacelle_sandboxes", METRICS_GAUGE, "Pod sandboxes, stopped ones too.", c->sandboxes);
        write_containers(w, c);
        metrics_process(w);
}

static void write_tracer(struct metrics_writer *w, const struct tracer *tracer) {
        struct tracer_counters t;

        tracer_get_counters(tracer, &t);
        metrics_one(w, "nacelle_trace_spans_exported_total", METRICS_COUNTER, "Spans that the collector took.",
                    (double)t.exported);
        metrics_one(w, "nacelle_trace_spans_dropped_total", METRICS_COUNTER,
                    "Spans lost: no room for them, too old, or refused by the collector.", (double)t.dropped);
        metrics_one(w, "nacelle_trace_spans_waiting", METRICS_GAUGE, "Spans that wait to be sent.", t.waiting);
}

/* Series appear with their first event, as kubelet's do. */
static void write_evictions(struct metrics_writer *w, const struct eviction_counters *c) {
        static const char name[] = "kubelet_evictions", images[] = "kubelet_image_garbage_collected_total";
        static const char *const limits[_EVICTION_LIMITS] = {
                [LIMIT_EMPTY_DIR] = "emptydirfs.limit",
                [LIMIT_POD] = "ephemeralpodfs.limit",
                [LIMIT_CONTAINER] = "ephemeralcontainerfs.limit",
        };

        metrics_family(w, name, METRICS_COUNTER, "Pods evicted, by what was short or over its limit.");
        for (int i = 0; i < _EVICTION_SIGNALS; i++)
                if (c->evictions[i])
                        write_labelled(w, "eviction_signal", eviction_signal_name((enum eviction_signal)i),
                                       (double)c->evictions[i]);
        for (int i = LIMIT_EMPTY_DIR; i < _EVICTION_LIMITS; i++)
                if (c->by_limit[i])
                        write_labelled(w, "eviction_signal", limits[i], (double)c->by_limit[i]);
        metrics_family(w, images, METRICS_COUNTER, "Unused images deleted, by the reason.");
        if (c->images_by_age)
                write_labelled(w, "reason", "age", (double)c->images_by_age);
        if (c->images_by_space)
                write_labelled(w, "reason", "space", (double)c->images_by_space);
}

/* 0: the host has not gone down since the agent's start. */
static void write_shutdown(struct metrics_writer *w, const struct shutdown_times *times) {
        metrics_one(w, "kubelet_graceful_shutdown_start_time_seconds", METRICS_GAUGE,
                    "When the last graceful shutdown began, since 1970.", (double)times->began);
        metrics_one(w, "kubelet_graceful_shutdown_end_time_seconds", METRICS_GAUGE,
                    "When all of its pods had ended, since 1970.", (double)times->ended);
}

static const double pod_starts[METRICS_POD_START_BUCKETS] = {
        0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600,
};
const struct metrics_buckets metrics_pod_start_buckets = { pod_starts, METRICS_POD_START_BUCKETS };

static void write_pods(struct metrics_writer *w, const struct metrics_node *node) {
        metrics_family(w, "kubelet_pod_start_duration_seconds", METRICS_HISTOGRAM,
                       "[ALPHA] Duration in seconds from kubelet seeing a pod for the first time to the pod starting "
                       "to run");
        metrics_sample_histogram(w, NULL, 0, &metrics_pod_start_buckets, node->pod_starts);
        metrics_family(w, "kubelet_desired_pods", METRICS_GAUGE,
                       "[ALPHA] The number of pods the kubelet is being instructed to run. static is true if the pod "
                       "is not from the apiserver.");
        write_labelled(w, "static", "", node->of_api.desired);
        write_labelled(w, "static", "true", node->of_files.desired);
        metrics_family(w, "kubelet_active_pods", METRICS_GAUGE,
                       "[ALPHA] The number of pods the kubelet considers active and which are being considered when "
                       "admitting new pods. static is true if the pod is not from the apiserver.");
        write_labelled(w, "static", "", node->of_api.active);
        write_labelled(w, "static", "true", node->of_files.active);
}

/* As client-go counts them: who has no answer has "<error>". */
static void write_requests(struct metrics_writer *w, const struct client *client) {
        const struct client_remote_count *counts;
        const char *host;
        unsigned n = client_remote_counts(client, &counts, &host);

        metrics_family(w, "rest_client_requests_total", METRICS_COUNTER,
                       "[ALPHA] Number of HTTP requests, partitioned by status code, method, and host.");
        for (unsigned i = 0; i < n; i++) {
                char code[16] = "<error>";

                if (counts[i].status)
                        snprintf(code, sizeof(code), "%d", counts[i].status);
                metrics_sample(w,
                               (const struct metrics_label[]){
                                       { "code", code }, { "host", host }, { "method", counts[i].method } },
                               3, (double)counts[i].n);
        }
}

/* Seconds that are left; where there is none it has all the time. */
static void write_ttl(struct metrics_writer *w, const char *name, const char *help, int64_t ends) {
        metrics_one(w, name, METRICS_GAUGE, help, ends ? (double)(ends - time(NULL)) : INFINITY);
}

char *metrics_text(struct cri *cri, const struct metrics_node *node) {
        struct cri_counters c;
        size_t length = 0;
        char *text = NULL;
        struct metrics_writer writer = { .out = open_memstream(&text, &length) }, *w = &writer;

        if (!writer.out)
                return NULL;
        cri_get_counters(cri, &c);
        write_all(w, &c, node ? node->pods : 0);
        if (node) {
                metrics_family(w, "kubelet_node_name", METRICS_GAUGE, "The node's name; always 1.");
                write_labelled(w, "node", node->name, 1);
                write_pods(w, node);
                write_evictions(w, node->evictions);
                write_shutdown(w, node->shutdown);
        }
        if (node && node->client) {
                write_requests(w, node->client);
                write_ttl(w, "kubelet_certificate_manager_client_ttl_seconds",
                          "[ALPHA] Gauge of the TTL (time-to-live) of the Kubelet's client certificate. The value is "
                          "in seconds until certificate expiry (negative if already expired).",
                          node->client_ends);
                write_ttl(w, "kubelet_certificate_manager_server_ttl_seconds",
                          "[ALPHA] Gauge of the shortest TTL (time-to-live) of the Kubelet's serving certificate. The "
                          "value is in seconds until certificate expiry (negative if already expired).",
                          node->serving_ends);
        }
        if (cri_tracer(cri))
                write_tracer(w, cri_tracer(cri));
        if (fclose(writer.out) != 0) {
                free(text);
                return NULL;
        }
        return text;
}
