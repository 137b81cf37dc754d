#include "lib/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define JOBS 500

static struct job {
        struct pool_job job;
        atomic_int *working, *most;
        int *done;
        int (*hold)[2]; /* a pipe whose read blocks the job, or NULL */
} jobs[JOBS];

static void work(struct pool_job *base) {
        struct job *job = (struct job *)base;
        int now = atomic_fetch_add(job->working, 1) + 1, most = atomic_load(job->most);
        char byte;

        while (now > most && !atomic_compare_exchange_weak(job->most, &most, now))
                ;
        if (job->hold)
                assert_int_equal(read((*job->hold)[0], &byte, 1), 1);
        atomic_fetch_sub(job->working, 1);
}

static void done(struct pool_job *base) {
        struct job *job = (struct job *)base;

        ++*job->done;
}

static void test_every_job_ends_on_the_loop(void **state) {
        atomic_int working = 0, most = 0;
        struct pool *pool;
        uv_loop_t loop;
        int n = 0;

        uv_loop_init(&loop);
        assert_int_equal(pool_new(&loop, &pool), 0);
        for (int i = 0; i < JOBS; i++) {
                jobs[i] = (struct job){
                        .job = { .work = work, .done = done }, .working = &working, .most = &most, .done = &n
                };
                pool_submit(pool, &jobs[i].job);
        }
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(n, JOBS);
        assert_true(atomic_load(&most) <= POOL_THREADS_MAX);
        pool_free(pool);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
}

/* One job that hangs leaves the others their threads; at the maximum the rest waits, and none is lost. */
static void test_hung_jobs_hold_only_their_thread(void **state) {
        atomic_int working = 0, most = 0;
        struct pool *pool;
        int n = 0, hold[2];
        uv_loop_t loop;

        assert_int_equal(pipe(hold), 0);
        uv_loop_init(&loop);
        assert_int_equal(pool_new(&loop, &pool), 0);
        for (int i = 0; i < POOL_THREADS_MAX + 10; i++) {
                jobs[i] = (struct job){
                        .job = { .work = work, .done = done }, .working = &working, .most = &most, .done = &n
                };
                jobs[i].hold = i < POOL_THREADS_MAX - 1 ? &hold : NULL;
                pool_submit(pool, &jobs[i].job);
        }
        while (n < 11)
                uv_run(&loop, UV_RUN_ONCE);
        assert_int_equal(n, 11);
        while (atomic_load(&working) < POOL_THREADS_MAX - 1)
                usleep(1000); /* a thread has its job, and has not begun it yet */
        for (int i = 0; i < POOL_THREADS_MAX - 1; i++)
                assert_int_equal(write(hold[1], "x", 1), 1);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(n, POOL_THREADS_MAX + 10);
        pool_free(pool);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
        close(hold[0]);
        close(hold[1]);
}

static struct divided {
        struct pool_job job;
        struct pool *pool;
        struct side {
                struct pool_side side;
                struct divided *whole;
                pthread_t by;
                int runs;
        } sides[2];
        atomic_int *meeting; /* where the job and its sides wait for each other; NULL: nowhere */
        bool whole;
        int *done;
} divided[POOL_THREADS_MAX * 2];

/* Until the job and both sides are under way at once. */
static void meet(atomic_int *meeting) {
        atomic_fetch_add(meeting, 1);
        while (atomic_load(meeting) < 3)
                usleep(100);
}

static void side_work(struct pool_side *base) {
        struct side *side = (struct side *)base;

        if (side->whole->meeting)
                meet(side->whole->meeting);
        side->by = pthread_self();
        side->runs++;
}

static void divided_work(struct pool_job *base) {
        struct divided *d = (struct divided *)base;

        for (int i = 0; i < 2; i++) {
                d->sides[i] = (struct side){ .side.work = side_work, .whole = d };
                pool_side_begin(d->pool, &d->sides[i].side);
        }
        if (d->meeting)
                meet(d->meeting);
        for (int i = 0; i < 2; i++)
                pool_side_end(d->pool, &d->sides[i].side);
        d->whole = d->sides[0].runs == 1 && d->sides[1].runs == 1;
}

static void divided_done(struct pool_job *base) {
        ++*((struct divided *)base)->done;
}

static void run_divided(size_t n, atomic_int *meeting) {
        struct pool *pool;
        uv_loop_t loop;
        int done_jobs = 0;

        uv_loop_init(&loop);
        assert_int_equal(pool_new(&loop, &pool), 0);
        for (size_t i = 0; i < n; i++) {
                divided[i] = (struct divided){ .job = { .work = divided_work, .done = divided_done },
                                               .pool = pool,
                                               .meeting = meeting,
                                               .done = &done_jobs };
                pool_submit(pool, &divided[i].job);
        }
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(done_jobs, n);
        for (size_t i = 0; i < n; i++)
                assert_true(divided[i].whole);
        pool_free(pool);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_sides_run_beside_their_job(void **state) {
        atomic_int meeting = 0;

        run_divided(1, &meeting);
        assert_false(pthread_equal(divided[0].sides[0].by, divided[0].sides[1].by));
}

/* More jobs than threads, each of which waits for its sides: those do them that have offered them. */
static void test_sides_need_no_thread(void **state) {
        run_divided(ELEMENTS(divided), NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_job_ends_on_the_loop),
                cmocka_unit_test(test_hung_jobs_hold_only_their_thread),
                cmocka_unit_test(test_sides_run_beside_their_job),
                cmocka_unit_test(test_sides_need_no_thread),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
