/* An attempt to place a pod, step by step. For api/scheduler alone. */
#pragma once

#include "api/scheduler/plugin.h"

/* kube-scheduler's percentageOfNodesToScore where none is set: of a small cluster all nodes that fit are compared, of a
 * larger one so many of a hundred that the choice stays good. */
#define SCHED_COMPARED_MIN 100       /* nodes */
#define SCHED_COMPARED_PERCENT 50    /* less one for each 125 nodes, */
#define SCHED_COMPARED_PERCENT_MIN 5 /* but so many at least */

/* Asks all plugins what they have to ask. 0; -EACCES: the pod is refused, with cycle.refused; -ENOMEM. */
int sched_cycle_prepare(struct sched_cycle *c);

/* What the filters say of @node, as if pods were on it already that others left it for. -ENOMEM is SCHED_UNKNOWN. */
enum sched_verdict sched_cycle_check(struct sched_cycle *c, struct sched_node *node);

/* Finds nodes that fit, enough of them, from the cluster's @start-th on, or the one that is nominated. */
void sched_cycle_find(struct sched_cycle *c, uint32_t start);

/* The best of those that fit, by chance where there are several; NULL without memory. @random changes. */
struct sched_node *sched_cycle_best(struct sched_cycle *c, uint64_t *random);

/* "0/3 nodes are available: 1 Insufficient cpu, ...." in its arena; NULL without memory. */
const char *sched_reasons_format(struct arena *arena, const struct sched_reasons *reasons, uint32_t n_nodes);
const char *sched_cycle_words(const struct sched_cycle *c);
