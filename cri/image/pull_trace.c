#include "cri/image/pull_trace.h"

#include <string.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

struct layer {
        const char *digest; /* NULL: there was no memory for it */
        struct span *span;  /* NULL: it has ended */
};

struct pull_trace {
        struct arena *arena;
        struct span *span;
        struct layer layers[PULL_TRACE_LAYERS_MAX];
        size_t n;
};

struct pull_trace *pull_trace_new(struct arena *arena, struct span *span) {
        struct pull_trace *trace = span ? arena_new_of(arena, struct pull_trace) : NULL;

        if (trace) {
                trace->arena = arena;
                trace->span = span;
        }
        return trace;
}

static struct layer *find(struct pull_trace *trace, const char *digest) {
        struct layer *layer;

        for (size_t i = 0; i < trace->n; i++)
                if (trace->layers[i].digest && strcmp(trace->layers[i].digest, digest) == 0)
                        return &trace->layers[i];
        if (trace->n == PULL_TRACE_LAYERS_MAX)
                return NULL;
        layer = &trace->layers[trace->n++];
        layer->digest = arena_strdup(trace->arena, digest);
        layer->span = layer->digest ? span_child(trace->span, "layer") : NULL;
        return layer;
}

void pull_trace_progress(struct pull_trace *trace, const struct image_progress *progress) {
        struct layer *layer = find(trace, progress->digest);
        const struct span_attribute attributes[] = {
                { "digest", progress->digest, 0 },
                { "bytes", NULL, (int64_t)progress->total },
                { "result", progress->phase, 0 },
        };

        if (layer && (strcmp(progress->phase, "done") == 0 || strcmp(progress->phase, "exists") == 0))
                span_end(TAKE_PTR(layer->span), attributes, ELEMENTS(attributes), NULL);
}

void pull_trace_end(struct pull_trace *trace, const struct err *err) {
        for (size_t i = 0; trace && i < trace->n; i++) {
                struct layer *layer = &trace->layers[i];
                const struct span_attribute digest = { "digest", layer->digest, 0 };

                span_end(TAKE_PTR(layer->span), &digest, 1, err ? err_text(err) : NULL);
        }
}
