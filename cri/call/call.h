/* A call under way: who asked, what it holds, where it goes on.
 *
 * A handler starts on the loop and ends with exactly one of call_reply(), call_stream(), call_fail(). On the way it may
 * wait for a sandbox's turn, run work on the pool, or wait for an event; each names the function to go on with.
 */
#pragma once

#include "cri/state/state.h"

struct cri_call {
        struct pool_job job; /* first: the pool gives it back */
        struct cri *cri;
        enum cri_method method;
        const ProtobufCMessage *request;
        cri_done_fn done;
        void *data;
        struct arena *arena;                   /* of the response and of what leads to it */
        struct cri_sandbox *sandbox;           /* a reference; what the call is about */
        struct cri_container *container;       /* likewise */
        bool has_turn;                         /* of @sandbox */
        struct list_node in_queue;             /* that it waits in */
        struct list_node under_way;            /* in cri's calls */
        void (*cancel)(struct cri_call *call); /* the answer is not wanted any more; it is still due. NULL: goes on */
        bool cancelled;
        void (*then)(struct cri_call *call);                  /* when what it waits for came */
        int (*work)(struct cri_call *call, struct err **err); /* on the pool */
        void (*after)(struct cri_call *call);                 /* on the loop, when work gave 0 */
        void (*failed)(struct cri_call *call);                /* on the loop, when it did not; default: call_fail() */
        void (*release)(struct cri_call *call);               /* of what @state refers to, after the answer */
        struct err *err;
        int result;
        void *state;                   /* the handler's, in the arena */
        uint64_t begun;                /* CLOCK_MONOTONIC ns */
        struct span *span, *turn_span; /* of the call, and of its wait for the turn; NULL: not traced */
};

LIST_FUNCTIONS(cri_queue, struct cri_call, in_queue)
LIST_FUNCTIONS(cri_calls, struct cri_call, under_way)

/* Zeroed memory in the call's arena; fails the call and returns NULL without memory. */
void *call_alloc(struct cri_call *call, size_t size);

/* Finds the object and refers to it; false when the call was failed instead. */
bool call_find_sandbox(struct cri_call *call, const char *id);
bool call_find_container(struct cri_call *call, const char *id); /* and its sandbox */

/* Goes on with @then once no other call works on call->sandbox. */
void call_take_turn(struct cri_call *call, void (*then)(struct cri_call *call));
void call_give_turn(struct cri_call *call);

/* Waits in @queue until somebody lets that go on. However many wait, they go on one after the other, not one within the
 * other, in their order, and the loop sees to other things in between: call_all_go_on() and call_give_turn() may return
 * before the last has gone on. */
void call_await(struct cri_call *call, struct cri_queue *queue, void (*then)(struct cri_call *call));
void call_all_go_on(struct cri *cri, struct cri_queue *queue);

/* Runs @work on the pool and goes on with @after. */
void call_run(struct cri_call *call, int (*work)(struct cri_call *call, struct err **err),
              void (*after)(struct cri_call *call));

/* Each ends the call. */
void call_reply(struct cri_call *call, const ProtobufCMessage *response);
void call_reply_empty(struct cri_call *call); /* with an empty message of the response's type */
void call_fail(struct cri_call *call);        /* with call->err */
void call_refuse(struct cri_call *call, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Ends the call with a stream of @items, an array of @n pointers to messages, CALL_STREAM_CHUNK in each of the method's
 * responses, which have this one field. */
void call_stream(struct cri_call *call, void *items, size_t n);
#define CALL_STREAM_CHUNK 100 /* metrics of so many pods stay below the 4 MiB that clients take at once */

/* A message of @type in the call's arena; fails the call and returns NULL without memory. */
void *call_message(struct cri_call *call, const ProtobufCMessageDescriptor *type);
