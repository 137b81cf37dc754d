/* One operation of a pod or of one of its containers that takes time: a CRI call or a job on the pool, with the memory
 * it needs.
 *
 * Whoever starts operations has a scope; the scopes of a pod and of its containers have one owner, whose list holds all
 * that is under way. An operation's end is called on the loop, unless its scope has begun another round since, or its
 * owner is closed: then it ends unheard.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/op/sync_trace.h"
#include "cri/cri.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/list.h"
#include "lib/pool.h"

struct node_world;
struct pod;
struct op;

LIST_TYPE(ops);

struct op_owner {
        const struct node_world *world;
        struct pod *pod; /* what is begun works with it, and keeps it: the owner may have another one by then */
        struct ops under_way;
        struct sync_trace trace;
        bool closed;                             /* set by op_owner_close() */
        void (*drained)(struct op_owner *owner); /* closed, and none is under way any more: it may be freed */
};

struct op_scope {
        struct op_owner *owner;
        void *data;     /* whose scope it is */
        uint32_t round; /* an operation of an older round is not heard */
};

struct op {
        struct pool_job job; /* first */
        struct list_node in_owner;
        struct op_scope *scope;
        uint32_t round;      /* of the scope when it began */
        bool heard_always;   /* also when that round is over */
        bool aside;          /* no part of bringing the pod to where it should be: probes, hints, measuring */
        const char *step;    /* a job's name in traces; NULL: none */
        struct span *span;   /* of the job */
        struct pod *pod;     /* a reference */
        struct arena *arena; /* the request and all it points to; freed with the operation */
        void *input;         /* of a job, in the arena */
        int (*work)(struct op *op, struct err **err);
        void (*done)(struct op *op, const ProtobufCMessage *response, const struct err *err); /* NULL: nobody asks */
        void (*dispose)(struct op *op); /* frees what the job made and done() did not take; NULL: nothing */
        struct err *err;

        /* the starter's own */
        const char *text; /* in the arena */
        void *pointer;
        uint32_t number;
        struct list_node in_queue; /* that it waits in */
};

LIST_FUNCTIONS(ops, struct op, in_owner)

/* A new operation with an empty arena; NULL without memory. */
struct op *op_new(struct op_scope *scope);

/* Starts it; @op is freed after done(). @request lies in op->arena. */
void op_call(struct op *op, enum cri_method method, const void *request);
void op_run(struct op *op);

/* Waits for what somebody else does, who calls op_awaited() at its end, on the loop; @op is freed by that. */
void op_await(struct op *op);
void op_awaited(void *op, const struct err *err);

/* Ends one that was not started. NULL is fine. Returns NULL. */
struct op *op_drop(struct op *op);
void op_dropp(struct op **op);
#define _cleanup_op_ __attribute__((cleanup(op_dropp)))

/* A new operation with the message of its call, initialized by @init, in *ret_request; NULL without memory. */
#define OP_NEW(scope, ret_request, init)                                                                               \
        ({                                                                                                             \
                struct op *_op = op_new(scope);                                                                        \
                *(ret_request) = _op ? arena_alloc(_op->arena, sizeof(**(ret_request))) : NULL;                        \
                if (*(ret_request))                                                                                    \
                        init(*(ret_request));                                                                          \
                else                                                                                                   \
                        _op = op_drop(_op);                                                                            \
                _op;                                                                                                   \
        })

/* Nothing that is under way is heard any more. drained() is called when all has ended, perhaps before it returns. */
void op_owner_close(struct op_owner *owner);
