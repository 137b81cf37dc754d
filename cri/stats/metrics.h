/* cAdvisor's metrics of one container, by its names (KEP-2371). */
#pragma once

#include "cri/stats/measure.h"

#define METRICS_CONTAINER_MAX 512 /* of one container */
#define METRICS_FAMILIES_MAX 64

/* Fills @ret_descriptors with all families; returns their number, 0 without memory. */
size_t metrics_container_descriptors(struct arena *arena, Cri__MetricDescriptor *ret_descriptors[METRICS_FAMILIES_MAX]);

/* NULL without memory. */
Cri__ContainerMetrics *metrics_of_container(struct arena *arena, const struct container_measure *measure);

/* For families of other objects. */
Cri__MetricDescriptor *metrics_descriptor(struct arena *arena, const char *name, const char *help,
                                          const char *const *labels, size_t n);
struct metrics_sample {
        const char *name;
        Cri__MetricType type;
        uint64_t value, divisor; /* in units of 1/@divisor: of what the message has no more than whole ones */
        int64_t time;
};
Cri__Metric *metrics_make(struct arena *arena, const struct metrics_sample *sample, char **labels, size_t n_labels);
