/* What requests come to, counted on each loop by its own thread, without a lock: the lock is for who adds a series to
 * the table, once, and for who reads all at /metrics.
 *
 * Labels are those of kinds, verbs and pages that there are, and none that a client makes up.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/metrics.h"
#include "lib/table.h"

struct api_request;
struct api_server;

#define API_SERIES_MAX 16384 /* of a loop; what would be one more is not counted */
#define API_CODES_MAX 16     /* of a series */

/* In the order of their names. */
enum api_label {
        API_LABEL_COMPONENT,
        API_LABEL_DRY_RUN,
        API_LABEL_GROUP,
        API_LABEL_RESOURCE,
        API_LABEL_SCOPE,
        API_LABEL_SUBRESOURCE,
        API_LABEL_VERB,
        API_LABEL_VERSION,
        _API_LABELS
};

struct api_code {
        uint64_t code, answers, terminated; /* by the server, for its own sake */
};

struct api_series {
        struct table_node in_counts;
        const char *labels[_API_LABELS];
        struct metrics_histogram durations, sizes, event_sizes;
        struct api_code codes[API_CODES_MAX];
        uint64_t n_codes;
        uint64_t running;                /* long-running ones, at this moment */
        struct metrics_histogram stored; /* of changes, how long the store took */
};

enum api_outcome { API_GRANTED, API_DENIED, API_FAILED, _API_OUTCOMES };

struct api_counts {
        pthread_mutex_t lock; /* of the table */
        struct table series;
        uint64_t authentications[_API_OUTCOMES], authorizations[_API_OUTCOMES];
        uint64_t audit_events, audit_lost;
};

extern const struct metrics_buckets api_duration_buckets, api_size_buckets, api_event_buckets, api_store_buckets;

void api_counts_init(struct api_counts *counts);
void api_counts_deinit(struct api_counts *counts);

/* The sum of both, in @to, which nobody else has. -ENOMEM or 0. */
int api_counts_add(struct api_counts *to, struct api_counts *counts);

/* What else /metrics shows: of who runs beside the server. From any thread; write() is called by one at a time, and not
 * any more once it was replaced. */
struct api_source {
        pthread_mutex_t lock;
        void (*write)(void *data, struct metrics_writer *w); /* NULL: nothing */
        void *data;
};
void api_source_set(struct api_source *source, void (*write)(void *data, struct metrics_writer *w), void *data);
void api_source_write(struct api_source *source, struct metrics_writer *w);

/* A request: it is long-running, and has begun; the store has made its change, which took @ns; it is over. On its
 * loop. */
void api_count_begun(struct api_request *r);
void api_count_stored(struct api_request *r, uint64_t ns);
void api_count_ended(struct api_request *r);

/* What is left of a long-running request that goes on without its struct: how it counts. */
struct api_long {
        struct api_series *series; /* NULL: it is not counted */
        uint64_t began_ns;
        int code;
        uint8_t load; /* enum api_load */
        bool entered; /* it is counted as under way */
};

/* It takes over from @r, whose end counts for nothing then. */
void api_long_take(struct api_long *l, struct api_request *r);

/* An event of @size bytes was sent; it is over. On its loop. */
void api_long_event(const struct api_long *l, size_t size);
void api_long_end(struct api_long *l, struct api_server *server);
