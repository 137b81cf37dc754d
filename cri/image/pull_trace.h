/* The layers of an image that is pulled, as steps of its call's span. */
#pragma once

#include "images/transfer.h"
#include "lib/trace/span.h"

struct arena;

#define PULL_TRACE_LAYERS_MAX 32 /* of one pull; further ones have no span */

struct pull_trace;

/* NULL when @span is, or without memory: then nothing is traced. In @arena. */
struct pull_trace *pull_trace_new(struct arena *arena, struct span *span);

/* A layer begins, goes on or ends. */
void pull_trace_progress(struct pull_trace *trace, const struct image_progress *progress);

/* The pull has ended: layers that did not are cut off by @err. NULL is fine. */
void pull_trace_end(struct pull_trace *trace, const struct err *err);
