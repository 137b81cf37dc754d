#include "agent/pod/op.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/pod/sync_trace.h"
#include "agent/pod/internal.h"
#include "lib/arena.h"
#include "lib/log.h"

struct op *op_new(struct worker *worker, struct member *member) {
        struct op *op = calloc(1, sizeof(*op));

        if (!op || !(op->arena = arena_new())) {
                log_error("pod %s/%s: out of memory", worker->pod->metadata.namespace, worker->pod->metadata.name);
                free(op);
                return NULL;
        }
        op->worker = worker;
        op->member = member;
        op->round = member ? member->round : 0;
        op->began = worker_now(worker);
        op->next = worker->ops;
        op->at = &worker->ops;
        if (op->next)
                op->next->at = &op->next;
        worker->ops = op;
        return op;
}

static void unlink_op(struct op *op) {
        *op->at = op->next;
        if (op->next)
                op->next->at = op->at;
}

void op_drop(struct op *op) {
        struct worker *w = op->worker;

        unlink_op(op);
        sync_trace_op_ended(op);
        arena_free(op->arena);
        err_free(op->err);
        free(op);
        if (w->dead && !w->ops)
                worker_free(w);
}

static void end(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        bool heard = !op->worker->dead && (!op->member || op->heard_always || op->round == op->member->round);

        sync_trace_result(op, err);
        if (heard && op->done)
                op->done(op, response, err);
        op_drop(op);
}

static void on_response(void *data, const ProtobufCMessage *response, const struct err *err) {
        end(data, response, err);
}

void op_call(struct op *op, enum cri_method method, const void *request) {
        const struct worker_node *node = op->worker->node;
        struct trace_parent parent = sync_trace_op(op);

        node->ops->call(node->data, method, request, &parent, on_response, op);
}

static void job_work(struct pool_job *job) {
        struct op *op = (struct op *)job;

        if (op->work(op, &op->err) < 0 && !op->err)
                err_set(&op->err, EIO, "failed");
}

static void job_done(struct pool_job *job) {
        struct op *op = (struct op *)job;

        end(op, NULL, op->err);
}

void op_run(struct op *op) {
        const struct worker_node *node = op->worker->node;

        sync_trace_job(op);
        op->job = (struct pool_job){ .work = job_work, .done = job_done };
        node->ops->submit(node->data, &op->job);
}
