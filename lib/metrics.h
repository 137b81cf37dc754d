/* Metrics as Prometheus reads them: families and their samples, in the text format 0.0.4 or in OpenMetrics 1.0.
 *
 *     metrics_family(&w, "apiserver_request_total", METRICS_COUNTER, "Requests.");
 *     metrics_sample(&w, labels, 2, 17);
 *
 * Who counts keeps the numbers; here they are written, front to back. What cannot be written is told once, by whoever
 * closes the stream.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics_label {
        const char *name, *value; /* the value may be any text; the name is a label's */
};

struct metrics_writer {
        FILE *out;
        bool open; /* OpenMetrics */
        const char *family;
        enum metrics_type type;
};

/* Where a histogram's buckets end, rising; one more has no end. */
#define METRICS_BUCKETS_MAX 32
struct metrics_buckets {
        const double *ends;
        unsigned n;
};

/* What was observed; zeroed is nothing. */
struct metrics_histogram {
        uint64_t counts[METRICS_BUCKETS_MAX]; /* each bucket's own */
        double sum;
};

/* One thread counts, without a lock; others may read and add up meanwhile. */
void metrics_count(uint64_t *counter, int64_t more);
uint64_t metrics_read(const uint64_t *counter);
void metrics_observe(struct metrics_histogram *histogram, const struct metrics_buckets *buckets, double value);
void metrics_add(struct metrics_histogram *to, const struct metrics_histogram *histogram);

/* Begins a family; the texts live until the next begins. A counter's name ends in "_total" but for those that
 * Kubernetes has named otherwise. */
void metrics_family(struct metrics_writer *w, const char *name, enum metrics_type type, const char *help);
void metrics_sample(struct metrics_writer *w, const struct metrics_label *labels, unsigned n, double value);
/* The same as it was at @ms, milliseconds since 1970. */
void metrics_sample_at(struct metrics_writer *w, const struct metrics_label *labels, unsigned n, double value,
                       int64_t ms);
void metrics_sample_histogram(struct metrics_writer *w, const struct metrics_label *labels, unsigned n,
                              const struct metrics_buckets *buckets, const struct metrics_histogram *histogram);

/* A family of one sample that has no labels. */
void metrics_one(struct metrics_writer *w, const char *name, enum metrics_type type, const char *help, double value);

/* This process, by the names of Prometheus' client libraries. */
void metrics_process(struct metrics_writer *w);

/* Behind the last family. */
void metrics_end(struct metrics_writer *w);

/* Whether OpenMetrics is what @accept (NULL: anything) asks for; and the type of the answer. */
bool metrics_wants_open(const char *accept);
const char *metrics_content_type(bool open);
