/* PodDisruptionBudgets, as evictions are measured against them. */
#pragma once

#include <stdbool.h>

#include "api/server/pipeline.h"

struct api_request;
struct object;
struct value;

/* The budget of @pod: 0 with *@ret_budget, one reference, NULL where there is none; -E2BIG: there are several. */
int budget_find(struct api_request *r, const struct object *pod, struct object **ret_budget);

/* Whether a pod that is not ready may go without asking it. */
bool budget_spares_unready(const struct value *budget);

/* Takes the pod called @name out of @budget: r->next in the place of r->current, to be committed; or refuses. */
enum api_step budget_take(struct api_request *r, struct object *budget, const char *name);

/* 429: others were faster. */
enum api_step budget_refuse_busy(struct api_request *r, const char *budget);
