/* The spans of a pod's worker: syncPod, syncTerminatingPod and syncTerminatedPod, as kubelet names them. One lasts from
 * the first operation that brings the pod nearer to where it should be until none is under way; the operations are its
 * parts.
 */
#pragma once

#include "lib/trace/span.h"

struct err;
struct op;
struct op_owner;

/* An owner's own. Zeroed memory: nothing is under way. */
struct sync_trace {
        const char *wanted; /* the name of the sync that what begins now is a part of; the owner sets it */
        const char *name;   /* of the sync under way, sampled or not; NULL: none */
        struct span *span;
        struct err *failure; /* the first */
};

/* An operation begins: whose part its call is. A job's own span is begun too, when it has a name. */
struct trace_parent sync_trace_op(struct op *op);
void sync_trace_job(struct op *op);

/* An operation has given its result; and has gone from the owner's list. */
void sync_trace_result(struct op *op, const struct err *err);
void sync_trace_op_ended(struct op_owner *owner);

/* The owner is closed: nothing of it is traced any more. */
void sync_trace_leave(struct op_owner *owner);
