/* What the agent has done so far, in the text format of Prometheus (exposition format 0.0.4). */
#pragma once

struct cri;
struct eviction_counters;

/* @node: its name; NULL: it has none. @pods: those that the watched directory has running. @evictions: NULL without a
 * directory. Allocated; NULL without memory. */
char *metrics_text(struct cri *cri, const char *node, unsigned pods, const struct eviction_counters *evictions);
