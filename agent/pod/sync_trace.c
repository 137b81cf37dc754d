#include "agent/pod/sync_trace.h"

#include <stdio.h>

#include "agent/pod/internal.h"
#include "lib/cleanup.h"

static const char *sync_name(const struct worker *w) {
        return w->state < WORKER_STOPPING  ? "syncPod" :
               w->state < WORKER_RELEASING ? "syncTerminatingPod" :
                                             "syncTerminatedPod";
}

static void close_sync(struct worker *w) {
        const struct object_meta *pod = &w->pod->metadata;
        struct sync_trace *sync = &w->sync_trace;
        char both[SPAN_TEXT_MAX + 1];

        if (sync->span) {
                const struct span_attribute attributes[] = {
                        { "k8s.pod", both, 0 },
                        { "k8s.namespace.name", pod->namespace, 0 },
                        { "k8s.pod.name", pod->name, 0 },
                        { "k8s.pod.uid", pod->uid, 0 },
                };

                snprintf(both, sizeof(both), "%s/%s", pod->namespace, pod->name);
                span_end(TAKE_PTR(sync->span), attributes, ELEMENTS(attributes),
                         sync->failure ? err_text(sync->failure) : NULL);
        }
        sync->failure = err_free(sync->failure);
        sync->name = NULL;
}

struct trace_parent sync_trace_op(struct op *op) {
        struct worker *w = op->worker;
        struct sync_trace *sync = &w->sync_trace;
        const struct trace_parent none = { .decision = TRACE_NONE };

        if (!w->node->tracer || op->aside)
                return none;
        if (sync->name != sync_name(w)) {
                close_sync(w);
                sync->name = sync_name(w);
                sync->span = span_begin(w->node->tracer, sync->name, SPAN_INTERNAL, NULL);
        }
        return span_context(sync->span);
}

void sync_trace_job(struct op *op) {
        struct trace_parent parent = sync_trace_op(op);

        if (op->step && parent.decision == TRACE_SAMPLED)
                op->span = span_begin(op->worker->node->tracer, op->step, SPAN_INTERNAL, &parent);
}

void sync_trace_result(struct op *op, const struct err *err) {
        struct sync_trace *sync = &op->worker->sync_trace;

        span_end(TAKE_PTR(op->span), NULL, 0, err ? err_text(err) : NULL);
        if (err && sync->span && !op->aside && !sync->failure)
                err_set(&sync->failure, err_code(err) ? err_code(err) : EIO, "%s", err_text(err));
}

void sync_trace_op_ended(const struct op *op) {
        struct worker *w = op->worker;

        if (!w->sync_trace.name)
                return;
        for (const struct op *other = w->ops; other; other = other->next)
                if (!other->aside)
                        return;
        close_sync(w);
}

void sync_trace_leave(struct worker *w) {
        for (struct op *op = w->ops; op; op = op->next)
                span_end(TAKE_PTR(op->span), NULL, 0, NULL);
        if (w->sync_trace.name)
                close_sync(w);
}
