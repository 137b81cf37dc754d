/* PodDisruptionBudgets: how many pods may be taken away. What is evicted counts it down; here it is counted anew. */
#include <errno.h>
#include <string.h>

#include "api/controllers/deployment.h"
#include "api/controllers/disruption.h"
#include "api/controllers/kinds.h"
#include "client/recorder.h"
#include "kube/policy_v1.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/table.h"

#define DELETION_S 120             /* a pod that was to go and is still there after that is counted again */
#define GATHER (WORK_SECOND / 100) /* pods that change at once are one count */
#define ALLOWED "DisruptionAllowed"

typedef struct kube_policy_v1_pod_disruption_budget budget;

struct count {
        struct task *task;
        const struct known_object *known;
        budget budget; /* as it was */
        int32_t pods, healthy, expected, desired;
        int64_t due; /* s since 1970: when a pod that was to go counts again; INT64_MAX: none */
        bool unmanaged;
        const char *error;
};

static struct known *known_of(const struct task *task, unsigned watch) {
        return controller_known(task_controller(task), watch);
}

static void tell(const struct count *c, const char *type, const char *reason, const char *message) {
        const struct recorder_object object = { "policy/v1", "PodDisruptionBudget", c->known->namespace, c->known->name,
                                                c->known->uid };

        if (message)
                controller_tell(task_controller(c->task), &object, &(struct recorder_note){ type, reason, message });
}

/* --- how many pods are wanted --- */

static int add_scale(struct count *c, const struct known_object *pod, struct table *seen) {
        struct table_node *node;
        int32_t scale = 0;
        const char *uid;

        if (!*pod->owner) {
                c->unmanaged = true;
                return 0;
        }
        uid = disruption_scale(c->task, pod, &scale);
        if (!uid) {
                c->error = arena_printf(task_arena(c->task), "found no controllers for pod \"%s\"", pod->name);
                return c->error ? 0 : -ENOMEM;
        }
        if (table_find(seen, uid))
                return 0;
        node = arena_new_of(task_arena(c->task), struct table_node);
        if (!node || table_add(seen, node, uid) < 0)
                return -ENOMEM;
        c->expected = deployment_sum(c->expected, scale);
        return 0;
}

static int count_scale(struct count *c) {
        struct table seen = { 0 }; /* who has pods of the budget's, by uid: each counts once */
        int r = 0;

        for (struct known_walk w = known_first(known_of(c->task, DISRUPTION_PODS), c->known->namespace);
             r == 0 && !c->error && w.object; known_next(&w))
                if (known_selects(&c->known->selector, w.object))
                        r = add_scale(c, w.object, &seen);
        table_clear(&seen);
        return r;
}

/* --- counting --- */

static int64_t disrupted_at(const budget *b, const char *pod) {
        list_for_each (d, &b->status.disrupted_pods)
                if (strcmp(d->key, pod) == 0)
                        return d->value.seconds;
        return 0;
}

/* Those that were evicted and are still there are remembered for a while. */
static void count_pods(struct count *c, int64_t now, budget *next) {
        struct kube_time_entry *kept = next->status.disrupted_pods.items;
        uint32_t n = 0;

        for (struct known_walk w = known_first(known_of(c->task, DISRUPTION_PODS), c->known->namespace); w.object;
             known_next(&w)) {
                int64_t at;

                if (!known_selects(&c->known->selector, w.object))
                        continue;
                c->pods++;
                if (w.object->deleting)
                        continue;
                at = disrupted_at(&c->budget, w.object->name);
                if (at != 0 && at + DELETION_S >= now) {
                        c->due = at + DELETION_S < c->due ? at + DELETION_S : c->due;
                        kept[n++] = (struct kube_time_entry){ w.object->name, { .seconds = at, .set = true } };
                }
                if (at == 0 || at + DELETION_S <= now)
                        c->healthy += w.object->pod->ready;
        }
        next->status.disrupted_pods.count = n;
        if (n == 0)
                next->status.disrupted_pods.items = NULL;
}

static int count_desired(struct count *c) {
        const struct int_or_string *most = &c->budget.spec.max_unavailable, *least = &c->budget.spec.min_available;
        int r = most->set || (least->set && least->text) ? count_scale(c) : 0;

        if (most->set)
                c->desired = c->expected - deployment_scaled(most, c->expected, true);
        else if (least->set && !least->text)
                c->expected = c->pods;
        if (!most->set && least->set)
                c->desired = deployment_scaled(least, c->expected, true);
        c->desired = c->desired < 0 ? 0 : c->desired;
        return r;
}

/* --- the status --- */

static int set_condition(struct arena *arena, budget *b, const char *reason, const char *message, int64_t now) {
        uint32_t n = b->status.conditions.count, at = 0;
        struct kube_condition *all = arena_alloc_array(arena, n + 1, sizeof(*all));
        const char *status = kube_is(reason, "SufficientPods") ? "True" : "False";

        if (!all)
                return -ENOMEM;
        if (n > 0)
                memcpy(all, b->status.conditions.items, n * sizeof(*all));
        while (at < n && !kube_is(all[at].type, ALLOWED))
                at++;
        if (at == n || !kube_is(all[at].status, status))
                all[at].last_transition_time = (struct kube_time){ .seconds = now, .set = true };
        all[at].type = ALLOWED;
        all[at].status = status;
        all[at].reason = reason;
        all[at].message = message;
        all[at].observed_generation = b->status.observed_generation;
        b->status.conditions.items = all;
        b->status.conditions.count = n + (at == n);
        return 0;
}

static bool same_pods(const budget *a, const budget *b) {
        if (a->status.disrupted_pods.count != b->status.disrupted_pods.count)
                return false;
        list_for_each (d, &a->status.disrupted_pods)
                if (disrupted_at(b, d->key) != d->value.seconds)
                        return false;
        return true;
}

static bool same_condition(const budget *a, const budget *b) {
        const struct kube_condition *x = NULL, *y = NULL;

        list_for_each (c, &a->status.conditions)
                x = kube_is(c->type, ALLOWED) ? c : x;
        list_for_each (c, &b->status.conditions)
                y = kube_is(c->type, ALLOWED) ? c : y;
        return x && y && kube_is(x->status, y->status) && kube_is(x->reason, y->reason) &&
               kube_is(x->message ?: "", y->message ?: "");
}

static bool same_status(const budget *a, const budget *b) {
        return a->status.current_healthy == b->status.current_healthy &&
               a->status.desired_healthy == b->status.desired_healthy &&
               a->status.expected_pods == b->status.expected_pods &&
               a->status.disruptions_allowed == b->status.disruptions_allowed &&
               a->status.observed_generation == b->status.observed_generation && same_pods(a, b) &&
               same_condition(a, b);
}

static void fill(const struct count *c, budget *next) {
        int32_t allowed = c->healthy - c->desired;

        if (c->error) { /* nothing may go before it is known what there is */
                next->status = c->budget.status;
                next->status.disruptions_allowed = 0;
                return;
        }
        next->status.current_healthy = c->healthy;
        next->status.desired_healthy = c->desired;
        next->status.expected_pods = c->expected;
        next->status.disruptions_allowed = c->expected > 0 && allowed > 0 ? allowed : 0;
        next->status.observed_generation = c->budget.metadata.generation;
}

static int finish(struct count *c, budget *next, int64_t now) {
        const struct task_change change = { .known = known_of(c->task, DISRUPTION_BUDGETS),
                                            .verb = KUBE_VERB_UPDATE,
                                            .namespace = task_namespace(c->task),
                                            .name = task_name(c->task),
                                            .sub = "status",
                                            .object = next,
                                            .fine = TASK_GONE_IS_FINE };
        const char *reason;
        int r;

        fill(c, next);
        reason = c->error ? "SyncFailed" : next->status.disruptions_allowed > 0 ? "SufficientPods" : "InsufficientPods";
        r = set_condition(task_arena(c->task), next, reason, c->error, now);
        if (r == 0 && !same_status(&c->budget, next))
                task_change(c->task, &change);
        if (c->due != INT64_MAX)
                task_again(c->task, (uint64_t)(c->due > now ? c->due - now : 1) * WORK_SECOND);
        return r;
}

static void tell_all(const struct count *c) {
        struct arena *arena = task_arena(c->task);

        if (c->pods == 0)
                tell(c, "Normal", "NoPods", "No matching pods found");
        if (c->error)
                tell(c, "Warning", "CalculateExpectedPodCountFailed",
                     arena_printf(arena, "Failed to calculate the number of expected pods: %s", c->error));
        else if (c->unmanaged)
                tell(c, "Warning", "UnmanagedPods",
                     "Pods selected by this PodDisruptionBudget were found to be unmanaged. As a result, the status of "
                     "the PDB cannot be calculated correctly, which may result in undefined behavior. To account for "
                     "these pods please set \".spec.minAvailable\" field of the PDB to an integer value.");
}

static int reconcile(struct task *task) {
        const struct known *all = known_of(task, DISRUPTION_BUDGETS);
        const struct known_object *known = known_find(all, task_namespace(task), task_name(task));
        const budget *typed = known ? known_typed(all, known) : NULL;
        struct count *c = arena_new_of(task_arena(task), struct count);
        int64_t now = controller_wall(task_controller(task));
        budget next;
        int r;

        if (!typed || !c)
                return c ? 0 : -ENOMEM;
        *c = (struct count){ .task = task, .known = known, .budget = *typed, .due = INT64_MAX };
        next = *typed;
        next.status.disrupted_pods.items = arena_alloc_array(task_arena(task), next.status.disrupted_pods.count + 1,
                                                             sizeof(struct kube_time_entry));
        if (!next.status.disrupted_pods.items)
                return -ENOMEM;
        count_pods(c, now, &next);
        r = count_desired(c);
        if (r < 0)
                return r;
        tell_all(c);
        return finish(c, &next, now);
}

/* --- what makes one due --- */

static bool same_pod(const struct known_object *a, const struct known_object *b) {
        return a->deleting == b->deleting && strcmp(a->owner, b->owner) == 0 && !known_pod_differs(a->pod, b->pod) &&
               known_labels_equal(&a->labels, &b->labels);
}

static void on_pod(struct controller *controller, const struct client_object *object, const struct client_object *old) {
        const struct known_change change = known_change(controller_known(controller, DISRUPTION_PODS));
        const struct known_object *any = change.now ?: change.before;

        if (!any || (change.before && change.now && same_pod(change.before, change.now)))
                return;
        for (struct known_walk w = known_first(controller_known(controller, DISRUPTION_BUDGETS), any->namespace);
             w.object; known_next(&w))
                if ((change.before && known_selects(&w.object->selector, change.before)) ||
                    (change.now && known_selects(&w.object->selector, change.now)))
                        controller_add_named(controller, w.object->namespace, w.object->name, GATHER);
}

const struct controller_kind controller_disruption = {
        .name = "disruption-controller",
        .alias = "disruption",
        .component = "controllermanager",
        .account = "disruption-controller",
        .watches = { { "policy", "poddisruptionbudgets", NULL, controller_add_object, .known = true },
                     { "", "pods", NULL, on_pod, .known = true },
                     { "apps", "replicasets", .known = true },
                     { "apps", "deployments", .known = true },
                     { "", "replicationcontrollers", .known = true },
                     { "apps", "statefulsets", .known = true } },
        .reconcile = reconcile,
};
