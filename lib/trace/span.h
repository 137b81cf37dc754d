/* Spans as OpenTelemetry has them: how long a request and each step of it took, and whose step it was.
 *
 * A span is begun and ended by whoever does the work; NULL is a span that nobody wants, and costs nothing. Ending one
 * that is no child hands it and all that was done below it to the tracer (lib/trace/tracer.h), which is the loop's
 * thread's to do. A child is begun and ended by whoever works on its parent at that moment, on any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct span;
struct tracer;

#define SPAN_CHILDREN_MAX 64 /* ended below one span, at all depths; more are dropped and counted */
#define SPAN_ATTRIBUTES_MAX 16
#define SPAN_TEXT_MAX 256    /* bytes of an attribute's text; what is longer is cut */
#define SPAN_STATUS_MAX 1024 /* bytes of an error's text */

#define TRACE_ID_SIZE 16
#define SPAN_ID_SIZE 8
#define TRACE_PARENT_SIZE 55 /* characters of version 00's traceparent */

enum trace_decision {
        TRACE_NONE,    /* no parent: the tracer decides */
        TRACE_DROPPED, /* its spans are not wanted */
        TRACE_SAMPLED,
};

/* The span that another one is a part of, here or in another process. Zeroed memory is none. */
struct trace_parent {
        enum trace_decision decision;
        bool remote; /* in another process */
        uint8_t trace_id[TRACE_ID_SIZE], span_id[SPAN_ID_SIZE];
};

/* Reads a traceparent header (W3C Trace Context, 3.2). Returns 0, or -EINVAL for what is to be ignored. Versions past
 * 00 are taken by the part that they share with it. */
int trace_parent_parse(const char *text, size_t size, struct trace_parent *ret_parent);

/* Values of OTLP. */
enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER = 2 };

/* @text, or when that is NULL, @number. Keys are constants. */
struct span_attribute {
        const char *key, *text;
        int64_t number;
};

/* Begins a span that is no child of one that is held here: @parent says whose part it is (NULL: nobody's). @name must
 * outlive it. NULL when it is not sampled, @tracer is NULL, or without memory. */
struct span *span_begin(struct tracer *tracer, const char *name, enum span_kind kind,
                        const struct trace_parent *parent);

/* Begins a step of @parent, which must end before it. */
struct span *span_child(struct span *parent, const char *name);

/* For what is done elsewhere as a part of @span; of NULL: not to be sampled either. */
struct trace_parent span_context(const struct span *span);

bool span_is(const struct span *span, enum span_kind kind);

/* Ends @span and frees it; @failure is the error's text, NULL for none. Texts are copied. */
void span_end(struct span *span, const struct span_attribute *attributes, size_t n, const char *failure);

/* Ends a step with what its function returned; returns @r. */
int span_done(struct span *span, int r, struct err *const *err);

/* A function's call as a step of @parent: `r = SPAN_STEP(call->span, "network_attach", network_attach(..., err), err)`;
 * the arguments of a function would have no order. */
#define SPAN_STEP(parent, name, call, err)                                                                             \
        ({                                                                                                             \
                struct span *_step = span_child((parent), (name));                                                     \
                int _result = (call);                                                                                  \
                                                                                                                       \
                span_done(_step, _result, (err));                                                                      \
        })
