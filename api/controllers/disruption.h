/* What the files of the PodDisruptionBudgets' controller share. */
#pragma once

#include "api/controllers/controller.h"
#include "api/controllers/known.h"

enum {
        DISRUPTION_BUDGETS,
        DISRUPTION_PODS,
        DISRUPTION_SETS,
        DISRUPTION_DEPLOYMENTS,
        DISRUPTION_CONTROLLERS,
        DISRUPTION_STATEFUL
};

/* The uid of what controls @pod at last (of a Deployment's ReplicaSet the Deployment), and how many pods it wants;
 * NULL: it is not there, or is of a kind that is not known. */
const char *disruption_scale(const struct task *task, const struct known_object *pod, int32_t *ret_scale);
