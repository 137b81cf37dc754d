/* ReplicaSets and ReplicationControllers have as many pods as they want. */
#include "api/controllers/replicaset.h"

#include <errno.h>
#include <string.h>

#include "api/controllers/claim.h"
#include "api/controllers/kinds.h"
#include "api/controllers/task_answers.h"
#include "client/recorder.h"
#include "kube/codec/codec.h"
#include "kube/core_v1.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

const struct known_object *replicaset_of(struct task *task) {
        const struct replicaset_sync *sync = task_data(task);
        const struct known_object *set = known_find(replicaset_sets(task), task_namespace(task), task_name(task));

        return set && strcmp(set->uid, sync->set.metadata.uid) == 0 ? set : NULL;
}

void replicaset_tell(struct task *task, const char *type, const char *reason, const char *message) {
        const struct replicaset_sync *sync = task_data(task);
        const struct kube_kind *kind = known_kind(replicaset_sets(task));
        const struct recorder_object object = { .api_version = *kind->group ? "apps/v1" : kind->version,
                                                .kind = kind->kind,
                                                .namespace = task_namespace(task),
                                                .name = task_name(task),
                                                .uid = sync->set.metadata.uid };

        if (message)
                controller_tell(task_controller(task), &object, &(struct recorder_note){ type, reason, message });
}

/* Of the failures the first is told in the status. */
void replicaset_note_failure(struct task *task, const struct client_answer *answer) {
        struct replicaset_sync *sync = task_data(task);

        sync->n_failed++;
        if (sync->error)
                return;
        sync->error = arena_strdup(task_arena(task), answer->message);
        sync->code = answer->code < 0 ? -answer->code : EIO;
}

/* --- more of them --- */

static int write_pod(struct task *task, const struct known_object *owner) {
        struct replicaset_sync *sync = task_data(task);
        const struct kube_pod_template_spec *template = &sync->set.spec.template;
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *json = NULL;
        struct kube_owner_reference reference;
        struct kube_pod pod = { .kind = "Pod", .api_version = "v1", .spec = template->spec };
        int r;

        if (!claim_reference(task_arena(task), known_kind(replicaset_sets(task)), owner, &reference))
                return -ENOMEM;
        pod.metadata = (struct kube_object_meta){ .generate_name = arena_printf(task_arena(task), "%s-", owner->name),
                                                  .namespace = task_namespace(task),
                                                  .labels = template->metadata.labels,
                                                  .annotations = template->metadata.annotations,
                                                  .finalizers = template->metadata.finalizers };
        pod.metadata.owner_references.items = &reference;
        pod.metadata.owner_references.count = 1;
        kube_json_write(&w, &kube_pod_type, &pod);
        r = json_writer_finish(&w, &json, NULL);
        sync->pod = r == 0 ? arena_strdup(task_arena(task), json) : NULL;
        return r ?: sync->pod ? 0 : -ENOMEM;
}

static int create_batch(struct task *task);

static int on_created(struct task *task, const struct client_answer *answer, void *data) {
        struct replicaset_sync *sync = task_data(task);
        const struct known_object *pod;

        if (client_succeeded(answer)) {
                pod = answer->body ? known_assume(replicaset_pods(task), answer->body) : NULL;
                if (pod)
                        replicaset_tell(task, "Normal", "SuccessfulCreate",
                                        arena_printf(task_arena(task), "Created pod: %s", pod->name));
                return pod ? 0 : -ENOMEM; /* it is counted once the watch has told of it */
        }
        if (task_is_leaving(answer)) { /* of a namespace that goes nobody is told */
                sync->n_failed++;
                return 0;
        }
        replicaset_note_failure(task, answer);
        replicaset_tell(task, "Warning", "FailedCreate",
                        arena_printf(task_arena(task), "Error creating: %s", answer->message));
        return 0;
}

/* One, then two, four and so on: what fails for one would for all, and many failures are a burden to the service. */
static int after_batch(struct task *task) {
        struct replicaset_sync *sync = task_data(task);

        sync->batch = sync->batch * 2 < TASK_SENDS_MAX ? sync->batch * 2 : TASK_SENDS_MAX;
        return sync->n_failed == 0 && sync->left > 0 ? create_batch(task) : replicaset_finish(task);
}

static int create_batch(struct task *task) {
        struct replicaset_sync *sync = task_data(task);
        const struct client_request request = { .verb = KUBE_VERB_CREATE,
                                                .kind = known_kind(replicaset_pods(task)),
                                                .namespace = task_namespace(task),
                                                .body = sync->pod,
                                                .length = strlen(sync->pod) };
        unsigned n = sync->batch < sync->left ? sync->batch : sync->left;

        sync->left -= n;
        for (unsigned i = 0; i < n; i++)
                task_send(task, &request, TASK_ALL_IS_FINE, on_created, NULL);
        task_then(task, after_batch);
        return 0;
}

static int create(struct task *task, const struct known_object *owner, unsigned n) {
        struct replicaset_sync *sync = task_data(task);
        int r = write_pod(task, owner);

        sync->left = n;
        sync->batch = 1;
        return r ?: create_batch(task);
}

/* --- a sync --- */

/* What was claimed is counted, and made up for. */
static int manage(struct task *task) {
        const struct replicaset_sync *sync = task_data(task);
        const struct known_object *owner = replicaset_of(task);
        size_t active = 0, wanted = sync->set.spec.replicas.set ? (size_t)sync->set.spec.replicas.value : 1;

        if (!owner)
                return 0;
        for (struct known_walk w = known_first_owned(replicaset_pods(task), owner->uid, owner->namespace); w.object;
             known_next(&w))
                active += known_is_active(w.object) && known_selects(&owner->selector, w.object);
        if (owner->deleting || active == wanted)
                return replicaset_finish(task);
        if (active < wanted)
                return create(task, owner,
                              wanted - active < REPLICASET_BURST ? (unsigned)(wanted - active) : REPLICASET_BURST);
        return replicaset_delete(task, owner, active,
                                 active - wanted < REPLICASET_BURST ? active - wanted : REPLICASET_BURST);
}

static int reconcile(struct task *task) {
        const struct known_object *owner = known_find(replicaset_sets(task), task_namespace(task), task_name(task));
        const struct claim claim = { .dependents = replicaset_pods(task),
                                     .kind = known_kind(replicaset_sets(task)),
                                     .owner = owner,
                                     .next = manage };
        struct replicaset_sync *sync;
        int r;

        if (!owner)
                return 0;
        sync = arena_new_of(task_arena(task), struct replicaset_sync);
        if (!sync)
                return -ENOMEM;
        /* A ReplicationController's selector has no place in a ReplicaSet, and is passed over. */
        r = known_decode(task_arena(task), owner, &kube_apps_v1_replica_set_type, &sync->set);
        if (r < 0)
                return r;
        task_set_data(task, sync);
        return claim_settle(task, &claim);
}

/* --- what makes one due --- */

static bool is_same(const struct known_object *a, const struct known_object *b) {
        return strcmp(a->owner, b->owner) == 0 && a->deleting == b->deleting && !known_pod_differs(a->pod, b->pod) &&
               known_labels_equal(&a->labels, &b->labels);
}

static void on_pod(struct controller *controller, const struct client_object *object, const struct client_object *old) {
        const struct known_change change = known_change(controller_known(controller, REPLICASET_PODS));

        if (change.before && change.now && is_same(change.before, change.now))
                return;
        claim_add(controller, controller_known(controller, REPLICASET_SETS), &change, REPLICASET_GATHER);
}

const struct controller_kind controller_replicaset = {
        .name = "replicaset-controller",
        .alias = "replicaset",
        .account = "replicaset-controller",
        .watches = { { "apps", "replicasets", NULL, controller_add_object, .known = true },
                     { "", "pods", NULL, on_pod, .known = true } },
        .reconcile = reconcile,
};

const struct controller_kind controller_replication = {
        .name = "replicationcontroller-controller",
        .alias = "replicationcontroller",
        .component = "replication-controller",
        .account = "replication-controller",
        .watches = { { "", "replicationcontrollers", NULL, controller_add_object, .known = true },
                     { "", "pods", NULL, on_pod, .known = true } },
        .reconcile = reconcile,
};
