/* Sends spans to a collector: OTLP over gRPC (opentelemetry.proto.collector.trace.v1.TraceService/Export), without TLS.
 *
 * All on the loop, over one connection that is made when the first spans are sent. Ended spans wait up to
 * TRACER_DELAY_MS for others to go with; a timer runs only meanwhile. While the collector is away they are kept,
 * sending is tried again after longer and longer times, and the log has one line. What does not fit or gets old is
 * dropped and counted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct err;
struct pool;
struct tracer;

#define TRACER_DEFAULT_ENDPOINT "localhost:4317"
#define TRACER_SPANS_MAX 4096 /* kept in all */
#define TRACER_BATCH_MAX 512  /* sent at once */
#define TRACER_DELAY_MS 1000
#define TRACER_TIMEOUT_MS 10000 /* for the collector to answer */
#define TRACER_BACK_OFF_MIN_MS 1000
#define TRACER_BACK_OFF_MAX_MS 60000
#define TRACER_KEEP_SECONDS 600 /* then a span that could not be sent is dropped, and an idle agent sleeps again */
#define TRACER_PER_MILLION_MAX 1000000
#define TRACER_ENDPOINT_MAX 280 /* characters: a DNS name and a port, with some room */

struct tracer_options {
        const char *endpoint; /* as tracer_check_endpoint() takes it */
        unsigned per_million; /* of the traces that begin here; those that begin elsewhere say it themselves */
        const char *host_name;
};

/* Whether @endpoint is one: "HOST:PORT" with a name or an address, dns:///HOST:PORT, or unix:///PATH. 0 or -EINVAL. */
int tracer_check_endpoint(const char *endpoint, struct err **err);

/* Copies @options. Connects to nothing yet. */
int tracer_new(uv_loop_t *loop, struct pool *pool, const struct tracer_options *options, struct tracer **ret_tracer,
               struct err **err);

/* Drops what waits. All spans must have ended. Memory goes once the loop has ended what is under way. NULL is fine. */
void tracer_free(struct tracer *tracer);

/* Sends what waits now and not later. True while there is something to wait for: spans on their way to a collector that
 * was there when it was last tried. */
bool tracer_flush(struct tracer *tracer);

struct tracer_counters {
        uint64_t exported, dropped;
        unsigned waiting;
};

void tracer_get_counters(const struct tracer *tracer, struct tracer_counters *ret_counters);
