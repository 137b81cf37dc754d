/* What spans and the tracer share. */
#pragma once

#include <sys/queue.h>

#include "lib/trace/span.h"

/* A span that has ended, packed. */
struct span_record {
        STAILQ_ENTRY(span_record) entry;
        uint64_t ended; /* CLOCK_MONOTONIC, ns */
        size_t size;
        uint8_t data[];
};

STAILQ_HEAD(span_queue, span_record);

/* Whether a trace of this id that begins here is wanted. */
bool tracer_samples(const struct tracer *tracer, const uint8_t trace_id[TRACE_ID_SIZE]);

/* Takes all records of @queue, to be sent; @dropped more were lost on the way. On the loop. */
void tracer_take(struct tracer *tracer, struct span_queue *queue, unsigned dropped);
