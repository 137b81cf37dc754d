/* One operation of a worker that takes time: a CRI call or a job on the pool, with the memory it needs.
 *
 * Its end is called on the loop. After worker_free() it is not called any more; the operation still ends.
 */
#pragma once

#include "cri/cri.h"
#include "lib/err.h"
#include "lib/pool.h"

struct arena;
struct member;
struct worker;

struct op {
        struct pool_job job;
        struct op *next, **at; /* in the worker's list */
        struct worker *worker;
        struct member *member; /* NULL: the pod's own */
        uint32_t round;        /* of the member when it began */
        bool heard_always;     /* also when the member's round is over */
        bool aside;            /* no part of bringing the pod to where it should be: probes, hints, measuring */
        const char *step;      /* a job's name in traces; NULL: none */
        struct span *span;     /* of the job */
        struct arena *arena;   /* the request and all it points to; freed with the operation */
        void *input;           /* of a job, in the arena */
        int (*work)(struct op *op, struct err **err);
        void (*done)(struct op *op, const ProtobufCMessage *response, const struct err *err);
        struct err *err;
        int64_t began;
        const char *text;     /* the callers', in the arena */
        uint32_t probe_round; /* of the prober it works for */
        struct op *waiting;   /* behind it in the queue of pulls */
        void *pointer;        /* the callers' */
};

/* A new operation with an empty arena; NULL without memory (logged). */
struct op *op_new(struct worker *worker, struct member *member);

/* Starts it; @op is freed after done(). @request lies in op->arena. */
void op_call(struct op *op, enum cri_method method, const void *request);
void op_run(struct op *op);

/* Ends one that was not started. */
void op_drop(struct op *op);
