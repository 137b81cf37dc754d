/* What is to be done. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/controllers/deployment.h"
#include "lib/arena.h"

static int by_creation(const void *a, const void *b) {
        const struct kube_object_meta *x = &((const struct deployment_set *)a)->set.metadata,
                                      *y = &((const struct deployment_set *)b)->set.metadata;
        int64_t sx = x->creation_timestamp.seconds, sy = y->creation_timestamp.seconds;

        return sx != sy ? (sx > sy) - (sx < sy) : strcmp(x->name ?: "", y->name ?: "");
}

/* Conditions are changed in place. */
static int make_room(struct deployment_plan *plan) {
        kube_apps_v1_deployment_condition_items *list = &plan->d.status.conditions;
        deployment_condition *all =
                arena_alloc_array(plan->arena, list->count + DEPLOYMENT_CONDITIONS_MORE, sizeof(*all));

        if (!all)
                return -ENOMEM;
        if (list->count > 0)
                memcpy(all, list->items, list->count * sizeof(*all));
        list->items = all;
        return 0;
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
        int r = make_room(plan);

        if (r < 0)
                return r;
        if (plan->n_sets > 0)
                qsort(plan->sets, plan->n_sets, sizeof(*plan->sets), by_creation);
        if (plan->d.metadata.deletion_timestamp.set) {
                deployment_find_current(plan, false);
                deployment_count(plan);
        } else
                take_steps(plan);
        return plan->no_memory ? -ENOMEM : 0;
}
