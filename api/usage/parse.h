/* What is wanted of a kubelet's /metrics/resource: the text format of Prometheus (version 0.0.4). */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct err;

#define USAGE_LABELS_MAX 32 /* of a sample */

enum usage_metric { USAGE_CPU, USAGE_MEMORY, USAGE_START };

/* One sample. Texts are in the text that is parsed; "": not given. */
struct usage_sample {
        enum usage_metric metric;
        const char *namespace, *pod, *container; /* all "": the node's */
        double value;                            /* s of CPU, bytes, s since 1970: finite, not negative */
        int64_t at_ms;                           /* since 1970; 0: not given */
};

typedef int (*usage_sampled)(void *data, const struct usage_sample *sample);

/* Calls @sampled with each sample of the five families that are known; all others are passed over. @text, which has a
 * byte more than @length, is changed. 0, -EINVAL with the line of *err, or what @sampled gave that was negative. */
int usage_parse(char *text, size_t length, usage_sampled sampled, void *data, struct err **err);
