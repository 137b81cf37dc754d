#include "agent/op/sync_trace.h"

#include <stdio.h>

#include "agent/node/world.h"
#include "agent/op/op.h"
#include "kube/pod/pod.h"
#include "lib/cleanup.h"

static void close_sync(struct op_owner *owner) {
        struct sync_trace *sync = &owner->trace;
        char both[SPAN_TEXT_MAX + 1];

        if (sync->span) {
                const struct span_attribute attributes[] = {
                        { "k8s.pod", both, 0 },
                        { "k8s.namespace.name", owner->pod->metadata.namespace, 0 },
                        { "k8s.pod.name", owner->pod->metadata.name, 0 },
                        { "k8s.pod.uid", owner->pod->metadata.uid, 0 },
                };

                snprintf(both, sizeof(both), "%s/%s", owner->pod->metadata.namespace, owner->pod->metadata.name);
                span_end(TAKE_PTR(sync->span), attributes, ELEMENTS(attributes),
                         sync->failure ? err_text(sync->failure) : NULL);
        }
        sync->failure = err_free(sync->failure);
        sync->name = NULL;
}

struct trace_parent sync_trace_op(struct op *op) {
        struct op_owner *owner = op->scope->owner;
        struct sync_trace *sync = &owner->trace;
        const struct trace_parent none = { .decision = TRACE_NONE };

        if (!owner->world->tracer || op->aside)
                return none;
        if (sync->name != sync->wanted) {
                close_sync(owner);
                sync->name = sync->wanted;
                sync->span = span_begin(owner->world->tracer, sync->name, SPAN_INTERNAL, NULL);
        }
        return span_context(sync->span);
}

void sync_trace_job(struct op *op) {
        struct trace_parent parent = sync_trace_op(op);

        if (op->step && parent.decision == TRACE_SAMPLED)
                op->span = span_begin(op->scope->owner->world->tracer, op->step, SPAN_INTERNAL, &parent);
}

void sync_trace_result(struct op *op, const struct err *err) {
        struct sync_trace *sync = &op->scope->owner->trace;

        span_end(TAKE_PTR(op->span), NULL, 0, err ? err_text(err) : NULL);
        if (err && sync->span && !op->aside && !sync->failure)
                err_repeat(&sync->failure, err);
}

void sync_trace_op_ended(struct op_owner *owner) {
        if (!owner->trace.name)
                return;
        LIST_EACH (ops, other, &owner->under_way)
                if (!other->aside)
                        return;
        close_sync(owner);
}

void sync_trace_leave(struct op_owner *owner) {
        LIST_EACH (ops, op, &owner->under_way)
                span_end(TAKE_PTR(op->span), NULL, 0, NULL);
        if (owner->trace.name)
                close_sync(owner);
}
