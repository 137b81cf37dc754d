/* Which pods would have to leave a node for another one. For api/scheduler alone. */
#pragma once

#include "api/scheduler/cycle.h"

/* A PodDisruptionBudget, as far as it counts here. */
struct sched_budget {
        const char *namespace;
        struct selector_labels pods;
        const string_list *disrupted; /* names of pods that it has counted already */
        int64_t allowed;
};

struct sched_budgets {
        struct sched_budget *all;
        uint32_t n;
};

struct sched_victims {
        struct sched_node *node;
        struct sched_pod **all;  /* the most important first */
        uint32_t n, n_violating; /* so many of them against a budget */
};

/* Finds the fewest and least important pods of @node without which @c's pod fits there. False: it would not even
 * without all of them, or there are none: why is in cycle.reasons. Nothing has changed when it returns. */
bool sched_victims_find(struct sched_cycle *c, struct sched_node *node, const struct sched_budgets *budgets,
                        struct sched_victims *ret_victims);

/* Whether @a is the better choice. */
bool sched_victims_are_better(const struct sched_victims *a, const struct sched_victims *b);
