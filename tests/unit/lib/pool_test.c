#include "lib/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>
#include <unistd.h>

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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_job_ends_on_the_loop),
                cmocka_unit_test(test_hung_jobs_hold_only_their_thread),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
