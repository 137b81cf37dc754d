/* Which pods are of a kind, for spreading those that do not say how they are to be spread: what the selectors of the
 * Services that take a pod, and of what owns it, have in common with it (kube-scheduler's helper.DefaultSelector()).
 * Selectors alone are kept. For api/scheduler alone.
 */
#pragma once

#include <stdint.h>

#include "api/scheduler/pod.h"
#include "lib/table.h"

struct client_object;

enum sched_kin_kind { SCHED_SERVICE, SCHED_CONTROLLER, SCHED_REPLICA_SET, SCHED_STATEFUL_SET, _SCHED_KIN_KINDS };

/* Group and resource of each, of version v1. */
extern const struct sched_kin_row { const char *group, *resource, *kind; } sched_kin_rows[_SCHED_KIN_KINDS];

struct sched_kin {
        struct table selectors; /* by kind, namespace and name */
        struct table spaces;    /* with Services */
};

/* What @object says now; @seen: of which list. Selectors that cannot change are read once. 0; -EINVAL, -ENOMEM: it is
 * left out. */
int sched_kin_put(struct sched_kin *kin, enum sched_kin_kind kind, const struct client_object *object, uint32_t seen);
void sched_kin_drop(struct sched_kin *kin, enum sched_kin_kind kind, const char *namespace, const char *name);
/* Those of @kind that were seen in another list are gone. */
void sched_kin_sweep(struct sched_kin *kin, enum sched_kin_kind kind, uint32_t seen);
void sched_kin_clear(struct sched_kin *kin);

/* Of @pod, which waits: in @arena, with texts of @kin's until the loop goes on. Without a requirement there are none of
 * its kind. 0 or -ENOMEM. */
int sched_kin_selector(const struct sched_kin *kin, struct arena *arena, const struct sched_pod *pod,
                       struct selector_labels *ret_selector);
