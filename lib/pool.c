#include "lib/pool.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

LIST_DEFINE(jobs, struct pool_job, in_queue)
LIST_DEFINE(sides, struct pool_side, in_queue)

struct pool {
        uv_timer_t retry;     /* when no thread could be started and jobs wait */
        uv_async_t async;     /* wakes the loop for @done; unref'd while no job is under way */
        pthread_mutex_t lock; /* guards all below */
        pthread_cond_t wake, ended;
        struct jobs waiting, done;
        struct sides sides; /* that nobody has begun with */
        unsigned threads, idle, under_way;
        struct thread *last; /* the newest that has ended, not yet joined */
        bool stop;
};

/* A thread on a stack of our own: glibc would keep the touched pages of ended threads' stacks for later ones. */
struct thread {
        struct pool *pool;
        pthread_t id;
        void *stack;
};

#define GUARD_SIZE 4096
#define POOL_RETRY_MS 100

static void on_retry(uv_timer_t *retry);

static bool has_work(const struct pool *pool) {
        return !jobs_is_empty(&pool->waiting) || !sides_is_empty(&pool->sides);
}

/* Waits for work under the lock; false when the thread is to end. */
static bool wait_for_work(struct pool *pool) {
        struct timespec until;
        int r = 0;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += POOL_IDLE_SECONDS;
        pool->idle++;
        while (!has_work(pool) && !pool->stop && r != ETIMEDOUT)
                r = pthread_cond_timedwait(&pool->wake, &pool->lock, &until);
        pool->idle--;
        return has_work(pool);
}

/* Under the lock, which it lets go meanwhile. */
static void do_side(struct pool *pool, struct pool_side *side) {
        pthread_mutex_unlock(&pool->lock);
        side->work(side);
        pthread_mutex_lock(&pool->lock);
        side->done = true;
        pthread_cond_signal(&side->ended);
}

static void do_job(struct pool *pool, struct pool_job *job) {
        pthread_mutex_unlock(&pool->lock);
        job->work(job);
        pthread_mutex_lock(&pool->lock);
        jobs_append(&pool->done, job);
        uv_async_send(&pool->async);
}

/* Waits the last moments of an ended thread, and frees it. */
static void bury(struct thread *thread) {
        if (!thread)
                return;
        pthread_join(thread->id, NULL);
        munmap(thread->stack, POOL_STACK_SIZE);
        free(thread);
}

/* What a burst of work has left free lies between what stays, and only this takes it out of memory. It is looked for
 * when the threads of the burst have gone, but for one that may have a little to do for ever. */
static void give_back(struct pool *pool) {
        bool last;

        pthread_mutex_lock(&pool->lock);
        last = pool->threads <= 2;
        pthread_mutex_unlock(&pool->lock);
        if (last)
                malloc_trim(0);
}

static void *thread_main(void *data) {
        struct thread *self = data, *before;
        struct pool *pool = self->pool;
        struct pool_side *side;

        pthread_mutex_lock(&pool->lock);
        while (wait_for_work(pool)) {
                /* Somebody waits for a side. */
                if ((side = sides_pop(&pool->sides)))
                        do_side(pool, side);
                else
                        do_job(pool, jobs_pop(&pool->waiting));
        }
        /* Each buries the one before it, so that one dead thread is left at most. */
        before = pool->last;
        pool->last = self;
        pthread_mutex_unlock(&pool->lock);
        bury(before);
        give_back(pool);
        pthread_mutex_lock(&pool->lock);
        pool->threads--;
        pthread_cond_signal(&pool->ended);
        pthread_mutex_unlock(&pool->lock);
        return NULL;
}

static struct thread *thread_new(struct pool *pool) {
        struct thread *thread = malloc(sizeof(*thread));
        void *stack =
                mmap(NULL, POOL_STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

        if (!thread || stack == MAP_FAILED || mprotect(stack, GUARD_SIZE, PROT_NONE) < 0) {
                if (stack != MAP_FAILED)
                        munmap(stack, POOL_STACK_SIZE);
                free(thread);
                return NULL;
        }
        thread->pool = pool;
        thread->stack = stack;
        return thread;
}

/* Starts a thread under the lock. Its failure only leaves the job to the threads there are. */
static void start_thread(struct pool *pool) {
        struct thread *thread = thread_new(pool);
        sigset_t all, saved;
        pthread_attr_t attr;

        if (!thread)
                return;
        sigfillset(&all);
        pthread_attr_init(&attr);
        pthread_attr_setstack(&attr, thread->stack, POOL_STACK_SIZE);
        pthread_sigmask(SIG_SETMASK, &all, &saved); /* signals belong to the loop */
        if (pthread_create(&thread->id, &attr, thread_main, thread) == 0) {
                pool->threads++;
        } else {
                munmap(thread->stack, POOL_STACK_SIZE);
                free(thread);
        }
        pthread_sigmask(SIG_SETMASK, &saved, NULL);
        pthread_attr_destroy(&attr);
}

/* Whether more waits than threads are free. */
static bool is_short(const struct pool *pool) {
        unsigned n = 0;

        LIST_EACH (sides, side, &pool->sides)
                if (n++ == pool->idle)
                        return true;
        LIST_EACH (jobs, job, &pool->waiting)
                if (n++ == pool->idle)
                        return true;
        return false;
}

/* Jobs wait, and nobody is there or on the way to see that: the last thread may just be ending. On the loop, under the
 * lock. */
static void start_or_retry(struct pool *pool) {
        unsigned before = pool->threads;

        start_thread(pool);
        if (pool->threads == before && !pool->stop)
                uv_timer_start(&pool->retry, on_retry, POOL_RETRY_MS, 0);
}

static void on_retry(uv_timer_t *retry) {
        struct pool *pool = retry->data;

        pthread_mutex_lock(&pool->lock);
        if (!jobs_is_empty(&pool->waiting) && pool->idle == 0 && pool->threads < POOL_THREADS_MAX)
                start_or_retry(pool);
        pthread_mutex_unlock(&pool->lock);
}

static void on_async(uv_async_t *async) {
        struct pool *pool = async->data;
        struct jobs done = { 0 };
        struct pool_job *job;

        pthread_mutex_lock(&pool->lock);
        jobs_take(&done, &pool->done);
        if (!jobs_is_empty(&pool->waiting) && pool->threads == 0)
                start_or_retry(pool);
        pthread_mutex_unlock(&pool->lock);

        while ((job = jobs_pop(&done))) {
                if (--pool->under_way == 0)
                        uv_unref((uv_handle_t *)async);
                job->done(job);
        }
}

int pool_new(uv_loop_t *loop, struct pool **ret_pool) {
        struct pool *pool = calloc(1, sizeof(*pool));
        pthread_condattr_t attr;
        int r;

        if (!pool)
                return -ENOMEM;
        r = uv_async_init(loop, &pool->async, on_async);
        if (r < 0) {
                free(pool);
                return r;
        }
        uv_timer_init(loop, &pool->retry);
        pool->retry.data = pool;
        pool->async.data = pool;
        uv_unref((uv_handle_t *)&pool->async);
        pthread_mutex_init(&pool->lock, NULL);
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&pool->wake, &attr);
        pthread_cond_init(&pool->ended, NULL);
        pthread_condattr_destroy(&attr);
        *ret_pool = pool;
        return 0;
}

static void on_closed(uv_handle_t *handle) {
        struct pool *pool = handle->data;

        if (!uv_is_closing((uv_handle_t *)&pool->retry)) { /* one after the other: the last frees the pool */
                uv_close((uv_handle_t *)&pool->retry, on_closed);
                return;
        }
        pthread_cond_destroy(&pool->wake);
        pthread_cond_destroy(&pool->ended);
        pthread_mutex_destroy(&pool->lock);
        free(pool);
}

void pool_free(struct pool *pool) {
        if (!pool)
                return;
        pthread_mutex_lock(&pool->lock);
        pool->stop = true;
        pthread_cond_broadcast(&pool->wake);
        while (pool->threads > 0)
                pthread_cond_wait(&pool->ended, &pool->lock);
        pthread_mutex_unlock(&pool->lock);
        bury(pool->last);
        uv_close((uv_handle_t *)&pool->async, on_closed);
}

void pool_submit(struct pool *pool, struct pool_job *job) {
        if (pool->under_way++ == 0)
                uv_ref((uv_handle_t *)&pool->async);
        pthread_mutex_lock(&pool->lock);
        job->in_queue = (struct list_node){ 0 }; /* whatever the caller's memory held */
        jobs_append(&pool->waiting, job);
        if (is_short(pool) && pool->threads < POOL_THREADS_MAX)
                start_or_retry(pool);
        pthread_cond_signal(&pool->wake);
        pthread_mutex_unlock(&pool->lock);
}

void pool_side_begin(struct pool *pool, struct pool_side *side) {
        side->done = false;
        side->in_queue = (struct list_node){ 0 };
        pthread_cond_init(&side->ended, NULL);
        pthread_mutex_lock(&pool->lock);
        sides_append(&pool->sides, side);
        if (is_short(pool) && pool->threads < POOL_THREADS_MAX)
                start_thread(pool);
        pthread_cond_signal(&pool->wake);
        pthread_mutex_unlock(&pool->lock);
}

void pool_side_end(struct pool *pool, struct pool_side *side) {
        pthread_mutex_lock(&pool->lock);
        if (sides_contains(side)) {
                sides_remove(side);
                do_side(pool, side);
        }
        while (!side->done)
                pthread_cond_wait(&side->ended, &pool->lock);
        pthread_mutex_unlock(&pool->lock);
        pthread_cond_destroy(&side->ended);
}
