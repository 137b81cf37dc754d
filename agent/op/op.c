#include "agent/op/op.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "agent/node/world.h"
#include "kube/pod/pod.h"

struct op *op_new(struct op_scope *scope) {
        struct op_owner *owner = scope->owner;
        struct op *op = calloc(1, sizeof(*op));

        assert(!owner->closed);
        if (!op || !(op->arena = arena_new())) {
                free(op);
                return NULL;
        }
        op->scope = scope;
        op->round = scope->round;
        op->pod = pod_ref(owner->pod);
        ops_prepend(&owner->under_way, op);
        return op;
}

struct op *op_drop(struct op *op) {
        struct op_owner *owner;

        if (!op)
                return NULL;
        owner = op->scope->owner;
        if (op->dispose) /* while it is in the list still: what it sets off does not end the owner */
                op->dispose(op);
        ops_remove(op);
        sync_trace_op_ended(owner);
        arena_free(op->arena);
        pod_unref(op->pod);
        err_free(op->err);
        free(op);
        if (owner->closed && ops_is_empty(&owner->under_way))
                owner->drained(owner);
        return NULL;
}

void op_dropp(struct op **op) {
        op_drop(*op);
}

void op_owner_close(struct op_owner *owner) {
        if (!owner->closed)
                sync_trace_leave(owner);
        owner->closed = true;
        if (ops_is_empty(&owner->under_way))
                owner->drained(owner);
}

static void end(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        bool heard = !op->scope->owner->closed && (op->heard_always || op->round == op->scope->round);

        sync_trace_result(op, err);
        if (heard && op->done)
                op->done(op, response, err);
        op_drop(op);
}

static void on_response(void *data, const ProtobufCMessage *response, const struct err *err) {
        end(data, response, err);
}

void op_call(struct op *op, enum cri_method method, const void *request) {
        const struct node_world *world = op->scope->owner->world;
        struct trace_parent parent = sync_trace_op(op);

        world->ops->call(world->data, method, request, &parent, on_response, op);
}

void op_await(struct op *op) {
        sync_trace_job(op);
}

void op_awaited(void *op, const struct err *err) {
        end(op, NULL, err);
}

static void job_work(struct pool_job *job) {
        struct op *op = (struct op *)job;

        if (op->work(op, &op->err) < 0 && !op->err)
                err_set(&op->err, ENOMEM, "out of memory");
}

static void job_done(struct pool_job *job) {
        struct op *op = (struct op *)job;

        end(op, NULL, op->err);
}

void op_run(struct op *op) {
        const struct node_world *world = op->scope->owner->world;

        sync_trace_job(op);
        op->job = (struct pool_job){ .work = job_work, .done = job_done };
        world->ops->submit(world->data, &op->job);
}
