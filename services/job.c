#include "services/job.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/pool.h"

struct services_job {
        struct pool_job job;
        struct pool *pool;
        void (*work)(void *data);
        void (*done)(void *data);
        void *data; /* NULL: nobody wants it any more */
        bool runs;  /* the loop's */
        pthread_mutex_t lock;
        pthread_cond_t ended;
        bool works; /* under the lock */
};

static struct services_job *job_of(struct pool_job *job) {
        return (struct services_job *)((char *)job - offsetof(struct services_job, job));
}

static void destroy(struct services_job *job) {
        pthread_mutex_destroy(&job->lock);
        pthread_cond_destroy(&job->ended);
        free(job);
}

static void on_work(struct pool_job *pool_job) {
        struct services_job *job = job_of(pool_job);

        job->work(job->data);
        pthread_mutex_lock(&job->lock);
        job->works = false;
        pthread_cond_signal(&job->ended);
        pthread_mutex_unlock(&job->lock);
}

static void on_done(struct pool_job *pool_job) {
        struct services_job *job = job_of(pool_job);

        job->runs = false;
        if (job->data)
                job->done(job->data);
        else
                destroy(job);
}

struct services_job *services_job_new(struct pool *pool, void (*work)(void *data), void (*done)(void *data),
                                      void *data) {
        struct services_job *job = calloc(1, sizeof(*job));

        if (!job)
                return NULL;
        *job = (struct services_job){
                .job = { .work = on_work, .done = on_done }, .pool = pool, .work = work, .done = done, .data = data
        };
        pthread_mutex_init(&job->lock, NULL);
        pthread_cond_init(&job->ended, NULL);
        return job;
}

bool services_job_run(struct services_job *job) {
        if (job->runs)
                return false;
        job->runs = job->works = true;
        pool_submit(job->pool, &job->job);
        return true;
}

bool services_job_runs(const struct services_job *job) {
        return job->runs;
}

void services_job_free(struct services_job *job) {
        if (!job)
                return;
        if (!job->runs)
                return destroy(job);
        pthread_mutex_lock(&job->lock);
        while (job->works)
                pthread_cond_wait(&job->ended, &job->lock);
        pthread_mutex_unlock(&job->lock);
        job->data = NULL;
}
