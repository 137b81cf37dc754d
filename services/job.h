/* Something that is done on the pool, again and again, never twice at a time, by an object that may go meanwhile. */
#pragma once

#include <stdbool.h>

struct pool;
struct services_job;

/* @work runs on the pool, @done then on the loop. NULL without memory. */
struct services_job *services_job_new(struct pool *pool, void (*work)(void *data), void (*done)(void *data),
                                      void *data);

/* False: it is under way. */
bool services_job_run(struct services_job *job);
bool services_job_runs(const struct services_job *job);

/* Waits until @work has ended; @done is not called any more. NULL is fine. */
void services_job_free(struct services_job *job);
