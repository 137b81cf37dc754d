/* What is to be done. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/controllers/deployment.h"

static int by_creation(const void *a, const void *b) {
        const struct kube_object_meta *x = &((const struct deployment_set *)a)->set.metadata,
                                      *y = &((const struct deployment_set *)b)->set.metadata;
        int64_t sx = x->creation_timestamp.seconds, sy = y->creation_timestamp.seconds;

        return sx != sy ? (sx > sy) - (sx < sy) : strcmp(x->name ?: "", y->name ?: "");
}

static void take_steps(struct deployment_plan *plan) {
        bool pauses = plan->d.spec.paused;

        deployment_check_pause(plan);
        if (pauses || deployment_scales(plan)) {
                deployment_find_current(plan, false);
                deployment_scale(plan);
                if (pauses)
                        deployment_clean(plan);
                deployment_count(plan);
                return;
        }
        if (kube_is(plan->d.spec.strategy.type, "Recreate"))
                deployment_recreate(plan);
        else
                deployment_roll(plan);
        deployment_tell_progress(plan);
}

int deployment_decide(struct deployment_plan *plan) {
        if (plan->n_sets > 0)
                qsort(plan->sets, plan->n_sets, sizeof(*plan->sets), by_creation);
        if (plan->d.metadata.deletion_timestamp.set) {
                deployment_find_current(plan, false);
                deployment_count(plan);
        } else
                take_steps(plan);
        return plan->no_memory ? -ENOMEM : 0;
}
