/* Deployments: what was decided is done here. */
#include "api/controllers/deployment.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "api/controllers/claim.h"
#include "api/controllers/kinds.h"
#include "api/controllers/task_answers.h"
#include "client/recorder.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

#define SOON (WORK_SECOND / 100)

static struct known *known_of(const struct task *task, unsigned watch) {
        return controller_known(task_controller(task), watch);
}

void deployment_tell(struct task *task, const char *type, const char *reason, const char *message) {
        const struct deployment_sync *sync = task_data(task);
        const struct recorder_object object = { "apps/v1", "Deployment", task_namespace(task), task_name(task),
                                                sync->d.metadata.uid };

        if (message)
                controller_tell(task_controller(task), &object, &(struct recorder_note){ type, reason, message });
}

void deployment_tell_scaled(struct task *task, const char *name, int32_t from, int32_t to) {
        if (from != to)
                deployment_tell(task, "Normal", "ScalingReplicaSet",
                                arena_printf(task_arena(task), "Scaled %s replica set %s from %" PRId32 " to %" PRId32,
                                             to > from ? "up" : "down", name, from, to));
}

/* --- the status, last --- */

/* What the status' door lets through, as one text that can be compared. */
static const char *text_of(struct arena *arena, const deployment *d) {
        const deployment plain = { .metadata.annotations = d->metadata.annotations, .status = d->status };
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *json = NULL;

        kube_json_write(&w, &kube_apps_v1_deployment_type, &plain);
        return json_writer_finish(&w, &json, NULL) == 0 ? arena_strdup(arena, json) : NULL;
}

int deployment_finish(struct task *task) {
        struct deployment_sync *sync = task_data(task);
        const deployment *d = &sync->plan.d;
        const char *after = text_of(task_arena(task), d);
        const struct task_change change = { .known = known_of(task, DEPLOYMENT_DEPLOYMENTS),
                                            .verb = KUBE_VERB_UPDATE,
                                            .namespace = task_namespace(task),
                                            .name = task_name(task),
                                            .sub = "status",
                                            .object = d,
                                            .fine = TASK_GONE_IS_FINE };

        if (!after)
                return -ENOMEM;
        if (strcmp(after, sync->before) != 0)
                task_change(task, &change);
        if (sync->plan.due > 0)
                task_again(task, (uint64_t)sync->plan.due * WORK_SECOND);
        if (sync->error)
                task_fail(task, EIO, sync->error);
        return 0;
}

/* --- sets that are there --- */

static int on_resized(struct task *task, const struct client_answer *answer, void *data) {
        const struct deployment_set *set = data;

        if (client_succeeded(answer))
                deployment_tell_scaled(task, set->set.metadata.name, set->before, deployment_replicas(set));
        return 0;
}

static void remove_set(struct task *task, const struct deployment_set *set) {
        const struct task_removal removal = { .kind = known_kind(known_of(task, DEPLOYMENT_SETS)),
                                              .namespace = task_namespace(task),
                                              .name = set->set.metadata.name,
                                              .uid = set->set.metadata.uid };

        if (task_has_room(task))
                task_remove(task, &removal);
}

int deployment_change_sets(struct task *task) {
        struct deployment_sync *sync = task_data(task);
        struct task_change change = { .known = known_of(task, DEPLOYMENT_SETS),
                                      .verb = KUBE_VERB_UPDATE,
                                      .namespace = task_namespace(task),
                                      .fine = TASK_GONE_IS_FINE,
                                      .answered = on_resized };
        bool any = false;

        for (unsigned i = 0; i < sync->plan.n_sets; i++) {
                struct deployment_set *set = &sync->plan.sets[i];

                if (set->is_new || (!set->changed && !set->removed))
                        continue;
                any = true;
                change.name = set->set.metadata.name;
                change.object = &set->set;
                change.data = set;
                if (set->removed)
                        remove_set(task, set);
                else if (task_has_room(task))
                        task_change(task, &change);
                else
                        task_again(task, SOON);
        }
        if (!any)
                return deployment_finish(task);
        task_then(task, deployment_finish);
        return 0;
}

/* --- a sync --- */

static bool runs(const struct known *pods, const struct known_object *set) {
        for (struct known_walk w = known_first_owned(pods, set->uid, set->namespace); w.object; known_next(&w))
                if (w.object->pod->phase != KNOWN_SUCCEEDED && w.object->pod->phase != KNOWN_FAILED)
                        return true;
        return false;
}

static int add_set(struct task *task, struct deployment_plan *plan, const struct known_object *from) {
        struct deployment_set *set = &plan->sets[plan->n_sets++];
        int r = known_decode(plan->arena, from, &kube_apps_v1_replica_set_type, &set->set);

        set->before = deployment_replicas(set);
        set->runs = runs(known_of(task, DEPLOYMENT_PODS), from);
        return r;
}

static int gather(struct task *task, const struct known_object *owner, struct deployment_plan *plan) {
        const struct known *sets = known_of(task, DEPLOYMENT_SETS);
        unsigned n = 0;
        int r = 0;

        for (struct known_walk w = known_first_owned(sets, owner->uid, owner->namespace); w.object; known_next(&w))
                n++;
        plan->sets = arena_alloc_array(plan->arena, n + 1, sizeof(*plan->sets));
        if (!plan->sets)
                return -ENOMEM;
        for (struct known_walk w = known_first_owned(sets, owner->uid, owner->namespace); r == 0 && w.object;
             known_next(&w))
                if (claim_has(owner, w.object))
                        r = add_set(task, plan, w.object);
        return r;
}

static int decide(struct task *task) {
        const struct known_object *owner =
                known_find(known_of(task, DEPLOYMENT_DEPLOYMENTS), task_namespace(task), task_name(task));
        struct deployment_sync *sync = arena_new_of(task_arena(task), struct deployment_sync);
        int r = sync ? 0 : -ENOMEM;

        if (r < 0 || !owner)
                return r;
        task_set_data(task, sync);
        sync->plan.arena = task_arena(task);
        sync->plan.now = controller_wall(task_controller(task));
        if ((r = known_decode(task_arena(task), owner, &kube_apps_v1_deployment_type, &sync->d)) < 0 ||
            (r = gather(task, owner, &sync->plan)) < 0)
                return r;
        sync->plan.d = sync->d;
        sync->before = text_of(task_arena(task), &sync->d);
        r = sync->before ? deployment_decide(&sync->plan) : -ENOMEM;
        return r ?: deployment_carry_out(task);
}

static void warn_of_all(struct task *task) {
        static const char words[] = "This deployment is selecting all pods. A non-empty selector is required.";
        const struct known_object *owner =
                known_find(known_of(task, DEPLOYMENT_DEPLOYMENTS), task_namespace(task), task_name(task));
        const struct recorder_object object = { "apps/v1", "Deployment", owner->namespace, owner->name, owner->uid };

        controller_tell(task_controller(task), &object, &(struct recorder_note){ "Warning", "SelectingAll", words });
}

static int reconcile(struct task *task) {
        const struct known *all = known_of(task, DEPLOYMENT_DEPLOYMENTS);
        const struct known_object *owner = known_find(all, task_namespace(task), task_name(task));
        const struct claim claim = {
                .dependents = known_of(task, DEPLOYMENT_SETS), .kind = known_kind(all), .owner = owner, .next = decide
        };

        if (!owner)
                return 0;
        if (owner->selector.nothing || owner->selector.n == 0) {
                warn_of_all(task);
                return 0;
        }
        return claim_settle(task, &claim);
}

/* --- what makes one due --- */

static void on_set(struct controller *controller, const struct client_object *object, const struct client_object *old) {
        const struct known_change change = known_change(controller_known(controller, DEPLOYMENT_SETS));

        claim_add(controller, controller_known(controller, DEPLOYMENT_DEPLOYMENTS), &change, 0);
}

static bool has_ended(const struct known_object *pod) {
        return !pod || pod->pod->phase == KNOWN_SUCCEEDED || pod->pod->phase == KNOWN_FAILED;
}

/* One that is recreated waits for the last pod to end. */
static void on_pod(struct controller *controller, const struct client_object *object, const struct client_object *old) {
        static const char recreates[] = "\"strategy\":{\"type\":\"Recreate\"";
        const struct known_change change = known_change(controller_known(controller, DEPLOYMENT_PODS));
        const struct known *all = controller_known(controller, DEPLOYMENT_DEPLOYMENTS);
        const struct known_object *pod = change.before, *set, *d;

        if (!pod || !*pod->owner || !has_ended(change.now) || has_ended(pod))
                return;
        set = known_find(controller_known(controller, DEPLOYMENT_SETS), pod->namespace, pod->owner_name);
        d = set && *set->owner ? known_find(all, set->namespace, set->owner_name) : NULL;
        if (d && memmem(d->json->data, d->json->size, recreates, sizeof(recreates) - 1))
                controller_add_named(controller, d->namespace, d->name, 0);
}

const struct controller_kind controller_deployment = {
        .name = "deployment-controller",
        .alias = "deployment",
        .account = "deployment-controller",
        .watches = { { "apps", "deployments", NULL, controller_add_object, .known = true },
                     { "apps", "replicasets", NULL, on_set, .known = true },
                     { "", "pods", NULL, on_pod, .known = true } },
        .reconcile = reconcile,
};
