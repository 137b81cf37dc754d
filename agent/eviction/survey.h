/* What pods use, measured on the pool: memory and tasks by their cgroups, writable layers, logs and emptyDirs by their
 * files. Everything that is looked at is copied on the loop before, so workers may go meanwhile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/eviction/rank.h"
#include "lib/pool.h"

struct cgroups;
struct options;
struct survey;
struct worker;

/* @changed_only: pods that used no CPU time since their files were counted last are left out (known is false): they
 * have written nothing. NULL without memory. */
struct survey *survey_new(const struct cgroups *cgroups, const struct options *options, bool changed_only);

/* Adds the worker's pod. -ENOMEM or 0. */
int survey_add(struct survey *survey, struct worker *worker);

/* Measures all and calls @done on the loop, which frees it. */
void survey_run(struct survey *survey, struct pool *pool, void (*done)(void *data, struct survey *survey), void *data);

/* What was found, in the order they were added; may be sorted. */
struct eviction_pod *survey_pods(struct survey *survey, size_t *ret_n);

/* Notes with the worker that its files were counted, for changed_only. */
void survey_note(const struct survey *survey, struct worker *worker);

void survey_free(struct survey *survey);
