/* Blocking work off the event loop.
 *
 * The loop (libuv, the main thread) owns all state machines and never blocks; what blocks (mounts, file
 * systems, netlink, cgroup files) runs here and its end is called back on the loop. Threads are started when
 * work waits and none is free, up to POOL_THREADS_MAX, and end after POOL_IDLE_SECONDS without work: an agent
 * at rest has none. A job stuck in the kernel (a hung mount) holds one thread, not its neighbours.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "lib/list.h"

#define POOL_THREADS_MAX 64
#define POOL_IDLE_SECONDS 10
#define POOL_STACK_SIZE (1024 * 1024) /* of address space; thread-local data of all modules lies in it too */

struct pool;

/* A job, embedded in the caller's own object, which must live until done() was called. */
struct pool_job {
        void (*work)(struct pool_job *job); /* on a pool thread */
        void (*done)(struct pool_job *job); /* on the loop; may free the job */
        struct list_node in_queue;          /* the pool's */
};

/* Creates a pool whose jobs end on @loop. Returns 0, or -ENOMEM or the negative errno of uv_async_init(). */
int pool_new(uv_loop_t *loop, struct pool **ret_pool);

/* Ends the threads after the jobs that are queued; must be called on the loop's thread, with none under way
 * that the caller still waits for. NULL is fine. */
void pool_free(struct pool *pool);

/* A part of a job that may run beside the rest of it, on another thread. */
struct pool_side {
        void (*work)(struct pool_side *side);
        struct list_node in_queue; /* the pool's, as the rest */
        pthread_cond_t ended;
        bool done;
};

/* On a pool thread: offers @side to the other threads. */
void pool_side_begin(struct pool *pool, struct pool_side *side);

/* Returns when @side's work was done; does it where no other thread has begun with it, so that jobs which all wait for
 * their sides do not wait for one another. */
void pool_side_end(struct pool *pool, struct pool_side *side);

/* Queues @job. Only on the loop's thread. Never fails: without a thread the job waits for one. */
void pool_submit(struct pool *pool, struct pool_job *job);
