/* What the agent has done so far, in the text format of Prometheus (exposition format 0.0.4). */
#pragma once

struct cri;
struct eviction_counters;
struct shutdown_times;

/* What there is of a node that has pods of its own, not those of CRI's clients alone. */
struct metrics_node {
        const char *name;
        unsigned pods; /* those that have a worker */
        const struct eviction_counters *evictions;
        const struct shutdown_times *shutdown;
};

/* @node: NULL: there is none. Allocated; NULL without memory. */
char *metrics_text(struct cri *cri, const struct metrics_node *node);
