/* What a Deployment says of itself. */
#include <string.h>

#include "api/controllers/deployment.h"
#include "lib/arena.h"

#define PROGRESSING "Progressing"
#define AVAILABLE "NewReplicaSetAvailable"
#define TIMED_OUT "ProgressDeadlineExceeded"
#define FAILURE "ReplicaFailure"

typedef struct kube_apps_v1_deployment_status own_status;

/* --- conditions --- */

const deployment_condition *deployment_condition_of(const deployment *d, const char *type) {
        list_for_each (c, &d->status.conditions)
                if (kube_is(c->type, type))
                        return c;
        return NULL;
}

/* Takes away those of @type, in a list of the plan's own, with room for one more: the Deployment as it was has the
 * other still. False without memory. */
static bool remove_condition(struct deployment_plan *plan, const char *type) {
        own_status *s = &plan->d.status;
        deployment_condition *left = arena_alloc_array(plan->arena, (size_t)s->conditions.count + 1, sizeof(*left));
        uint32_t n = 0;

        plan->no_memory |= !left;
        if (!left)
                return false;
        list_for_each (c, &s->conditions)
                if (!kube_is(c->type, type))
                        left[n++] = *c;
        s->conditions.items = left;
        s->conditions.count = n;
        return true;
}

/* One that says the same stays as it is. */
static void put_condition(struct deployment_plan *plan, deployment_condition c) {
        const deployment_condition *there = deployment_condition_of(&plan->d, c.type);

        plan->no_memory |= !c.message;
        if (there && kube_is(there->status, c.status) && kube_is(there->reason, c.reason))
                return;
        if (there && kube_is(there->status, c.status))
                c.last_transition_time = there->last_transition_time;
        if (remove_condition(plan, c.type))
                plan->d.status.conditions.items[plan->d.status.conditions.count++] = c;
}

void deployment_set_condition(struct deployment_plan *plan, const char *type, const char *status, const char *reason,
                              const char *message) {
        const struct kube_time now = { .seconds = plan->now, .set = true };

        put_condition(plan, (deployment_condition){ type, status, now, now, reason, message });
}

bool deployment_has_deadline(const deployment *d) {
        return d->spec.progress_deadline_seconds.set && d->spec.progress_deadline_seconds.value != INT32_MAX;
}

void deployment_check_pause(struct deployment_plan *plan) {
        const deployment_condition *c = deployment_condition_of(&plan->d, PROGRESSING);
        bool noted = c && kube_is(c->reason, "DeploymentPaused");

        if (!deployment_has_deadline(&plan->d) || (c && kube_is(c->reason, TIMED_OUT)))
                return;
        if (plan->d.spec.paused && !noted)
                deployment_set_condition(plan, PROGRESSING, "Unknown", "DeploymentPaused", "Deployment is paused");
        else if (!plan->d.spec.paused && noted)
                deployment_set_condition(plan, PROGRESSING, "Unknown", "DeploymentResumed", "Deployment is resumed");
}

/* --- numbers --- */

bool deployment_is_complete(const deployment *d, const own_status *s) {
        int32_t wanted = deployment_wanted(d);

        return s->updated_replicas == wanted && s->replicas == wanted && s->available_replicas == wanted &&
               s->observed_generation >= d->metadata.generation;
}

static void add(const struct deployment_plan *plan, const struct deployment_set *set, own_status *s) {
        const struct kube_apps_v1_replica_set_status *own = &set->set.status;

        s->replicas = deployment_sum(s->replicas, own->replicas);
        s->ready_replicas = deployment_sum(s->ready_replicas, own->ready_replicas);
        s->available_replicas = deployment_sum(s->available_replicas, own->available_replicas);
        /* One that was counted without these cannot be; one that was never counted has none. */
        s->terminating_replicas.set &= own->terminating_replicas.set || own->observed_generation == 0;
        s->terminating_replicas.value += own->terminating_replicas.value;
        if (set == plan->current)
                s->updated_replicas = own->replicas;
}

void deployment_count(struct deployment_plan *plan) {
        own_status *s = &plan->d.status;
        int32_t total = 0;

        s->replicas = s->updated_replicas = s->ready_replicas = s->available_replicas = 0;
        s->terminating_replicas = (struct opt_int){ 0, true };
        for (unsigned i = 0; i < plan->n_sets; i++) {
                add(plan, &plan->sets[i], s);
                total = deployment_sum(total, deployment_replicas(&plan->sets[i]));
        }
        if (!s->terminating_replicas.set)
                s->terminating_replicas.value = 0;
        s->unavailable_replicas = total > s->available_replicas ? total - s->available_replicas : 0;
        s->observed_generation = plan->d.metadata.generation;
        if (s->available_replicas >= deployment_wanted(&plan->d) - deployment_unavailable(&plan->d))
                deployment_set_condition(plan, "Available", "True", "MinimumReplicasAvailable",
                                         "Deployment has minimum availability.");
        else
                deployment_set_condition(plan, "Available", "False", "MinimumReplicasUnavailable",
                                         "Deployment does not have minimum availability.");
}

/* --- progress --- */

static bool progresses(const own_status *before, const own_status *now) {
        return now->updated_replicas > before->updated_replicas ||
               now->replicas - now->updated_replicas < before->replicas - before->updated_replicas ||
               now->ready_replicas > before->ready_replicas || now->available_replicas > before->available_replicas;
}

static bool is_timed_out(const struct deployment_plan *plan) {
        const deployment_condition *c = deployment_condition_of(&plan->d, PROGRESSING);

        if (!c || kube_is(c->reason, AVAILABLE))
                return false;
        return kube_is(c->reason, TIMED_OUT) ||
               c->last_update_time.seconds + plan->d.spec.progress_deadline_seconds.value < plan->now;
}

static const char *what(struct deployment_plan *plan, const char *words) {
        return arena_printf(plan->arena, "%s \"%s\" %s", plan->current ? "ReplicaSet" : "Deployment",
                            plan->current ? plan->current->set.metadata.name : plan->d.metadata.name, words);
}

/* Its time begins anew with each step. */
static void tell_step(struct deployment_plan *plan) {
        const deployment_condition *there = deployment_condition_of(&plan->d, PROGRESSING);
        const struct kube_time now = { .seconds = plan->now, .set = true };
        deployment_condition c = { PROGRESSING, "True", now, now, "ReplicaSetUpdated", what(plan, "is progressing.") };

        if (there && kube_is(there->status, "True"))
                c.last_transition_time = there->last_transition_time;
        remove_condition(plan, PROGRESSING);
        put_condition(plan, c);
}

static void tell_rollout(struct deployment_plan *plan, const own_status *before) {
        const deployment_condition *c = deployment_condition_of(&plan->d, PROGRESSING);
        const own_status *now = &plan->d.status;

        if (now->replicas == now->updated_replicas && c && kube_is(c->reason, AVAILABLE))
                return;
        if (deployment_is_complete(&plan->d, now))
                deployment_set_condition(plan, PROGRESSING, "True", AVAILABLE,
                                         what(plan, "has successfully progressed."));
        else if (progresses(before, now))
                tell_step(plan);
        else if (is_timed_out(plan))
                deployment_set_condition(plan, PROGRESSING, "False", TIMED_OUT,
                                         what(plan, "has timed out progressing."));
}

static bool take_failure(struct deployment_plan *plan, const struct deployment_set *set) {
        list_for_each (c, &set->set.status.conditions)
                if (kube_is(c->type, FAILURE)) {
                        put_condition(plan,
                                      (deployment_condition){ FAILURE, c->status, c->last_transition_time,
                                                              c->last_transition_time, c->reason, c->message ?: "" });
                        return true;
                }
        return false;
}

static void tell_failures(struct deployment_plan *plan) {
        bool any = plan->current && take_failure(plan, plan->current);

        for (unsigned i = 0; !any && i < plan->n_sets; i++)
                any = take_failure(plan, &plan->sets[i]);
        if (!any)
                remove_condition(plan, FAILURE);
}

/* When it will be late. */
static int64_t due(const struct deployment_plan *plan) {
        const deployment_condition *c = deployment_condition_of(&plan->d, PROGRESSING);
        int64_t left;

        if (!deployment_has_deadline(&plan->d) || !c || kube_is(c->reason, TIMED_OUT) ||
            deployment_is_complete(&plan->d, &plan->d.status))
                return 0;
        left = c->last_update_time.seconds + plan->d.spec.progress_deadline_seconds.value - plan->now;
        return left < 0 ? 1 : left + 1;
}

void deployment_tell_progress(struct deployment_plan *plan) {
        const own_status before = plan->d.status;

        deployment_count(plan);
        if (deployment_has_deadline(&plan->d))
                tell_rollout(plan, &before);
        else
                remove_condition(plan, PROGRESSING);
        tell_failures(plan);
        plan->due = due(plan);
}
