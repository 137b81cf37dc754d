/* What the agent has done so far, in the text format of Prometheus (exposition format 0.0.4). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cri;
struct client;
struct eviction_counters;
struct metrics_buckets;
struct metrics_histogram;
struct shutdown_times;

/* From when the agent first saw a pod until it ran; kubelet's buckets, in seconds. */
#define METRICS_POD_START_BUCKETS 25
extern const struct metrics_buckets metrics_pod_start_buckets;

/* What there is of a node that has pods of its own, not those of CRI's clients alone. */
struct metrics_node {
        const char *name;
        unsigned pods; /* those that have a worker */
        struct metrics_pods {
                unsigned desired, active;
        } of_api, of_files;
        const struct metrics_histogram *pod_starts;
        const struct client *client;       /* of the API service; NULL: it belongs to no cluster */
        int64_t client_ends, serving_ends; /* its certificates, in seconds since 1970; 0: none */
        const struct eviction_counters *evictions;
        const struct shutdown_times *shutdown;
};

/* @node: NULL: there is none. Allocated; NULL without memory. */
char *metrics_text(struct cri *cri, const struct metrics_node *node);
