/* ReplicaSets and ReplicationControllers have as many pods as they want. */
#include "api/controllers/replicaset.h"

#include <errno.h>
#include <stdlib.h>
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
#include "lib/texts.h"

static struct known *sets_of(const struct task *task) {
        return controller_known(task_controller(task), REPLICASET_SETS);
}

static struct known *pods_of(const struct task *task) {
        return controller_known(task_controller(task), REPLICASET_PODS);
}

const struct known_object *replicaset_of(struct task *task) {
        const struct replicaset_sync *sync = task_data(task);
        const struct known_object *set = known_find(sets_of(task), task_namespace(task), task_name(task));

        return set && strcmp(set->uid, sync->set.metadata.uid) == 0 ? set : NULL;
}

static void tell(struct task *task, const char *type, const char *reason, const char *message) {
        const struct replicaset_sync *sync = task_data(task);
        const struct kube_kind *kind = known_kind(sets_of(task));
        const struct recorder_object object = { .api_version = *kind->group ? "apps/v1" : kind->version,
                                                .kind = kind->kind,
                                                .namespace = task_namespace(task),
                                                .name = task_name(task),
                                                .uid = sync->set.metadata.uid };

        if (message)
                controller_tell(task_controller(task), &object, &(struct recorder_note){ type, reason, message });
}

/* Of the failures the first is told in the status. */
static void note_failure(struct task *task, const struct client_answer *answer) {
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

        if (!claim_reference(task_arena(task), known_kind(sets_of(task)), owner, &reference))
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
                pod = answer->body ? known_assume(pods_of(task), answer->body) : NULL;
                if (pod)
                        tell(task, "Normal", "SuccessfulCreate",
                             arena_printf(task_arena(task), "Created pod: %s", pod->name));
                return pod ? 0 : -ENOMEM; /* it is counted once the watch has told of it */
        }
        if (task_is_leaving(answer)) { /* of a namespace that goes nobody is told */
                sync->n_failed++;
                return 0;
        }
        note_failure(task, answer);
        tell(task, "Warning", "FailedCreate", arena_printf(task_arena(task), "Error creating: %s", answer->message));
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
                                                .kind = known_kind(pods_of(task)),
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

/* --- fewer --- */

struct deletion {
        const char *name, *uid;
};

static int on_deleted(struct task *task, const struct client_answer *answer, void *data) {
        const struct deletion *deletion = data;

        if (client_succeeded(answer) || answer->code == 404) {
                known_leave(pods_of(task), task_namespace(task), deletion->name, deletion->uid);
                tell(task, "Normal", "SuccessfulDelete",
                     arena_printf(task_arena(task), "Deleted pod: %s", deletion->name));
                return 0;
        }
        note_failure(task, answer);
        tell(task, "Warning", "FailedDelete", arena_printf(task_arena(task), "Error deleting: %s", answer->message));
        return 0;
}

static int delete (struct task *task, const struct known_object *pod) {
        struct deletion *deletion = arena_new_of(task_arena(task), struct deletion);
        const char *options = client_delete_options(task_arena(task), pod->uid, NULL, NULL);
        const struct client_request request = { .verb = KUBE_VERB_DELETE,
                                                .kind = known_kind(pods_of(task)),
                                                .namespace = task_namespace(task),
                                                .name = pod->name,
                                                .body = options,
                                                .length = options ? strlen(options) : 0 };

        if (!deletion || !options)
                return -ENOMEM;
        *deletion = (struct deletion){ arena_strdup(task_arena(task), pod->name),
                                       arena_strdup(task_arena(task), pod->uid) };
        if (!deletion->name || !deletion->uid)
                return -ENOMEM;
        task_send(task, &request, TASK_ALL_IS_FINE, on_deleted, deletion);
        return 0;
}

/* The nodes of pods, one each. */
struct nodes {
        const char **names; /* NULL: they are only counted */
        size_t n;
};

static void add_nodes(const struct known *pods, const struct known_object *set, struct nodes *nodes) {
        for (struct known_walk w = known_first_owned(pods, set->uid, set->namespace); w.object; known_next(&w)) {
                if (!known_is_active(w.object) || !*w.object->pod->node)
                        continue;
                if (nodes->names)
                        nodes->names[nodes->n] = w.object->pod->node;
                nodes->n++;
        }
}

/* Those of the sets that have its owner, itself among them. */
static void gather_nodes(const struct task *task, const struct known_object *owner, struct nodes *nodes) {
        for (struct known_walk w = known_first_owned(sets_of(task), owner->owner, owner->namespace); w.object;
             known_next(&w))
                add_nodes(pods_of(task), w.object, nodes);
}

/* How many stand before @node; with @also, those on it among them. */
static size_t place_of(const struct nodes *nodes, const char *node, bool also) {
        size_t low = 0, high = nodes->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int c = strcmp(nodes->names[middle], node);

                if (c < 0 || (also && c == 0))
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static int rank(struct task *task, const struct known_object *owner, struct replicaset_ranked *pods, size_t n) {
        struct nodes nodes = { 0 };

        if (!*owner->owner) /* where a set is nobody's its pods do not count, as in kube-controller-manager */
                return 0;
        gather_nodes(task, owner, &nodes);
        nodes.names = arena_alloc_array(task_arena(task), nodes.n + 1, sizeof(*nodes.names));
        if (!nodes.names)
                return -ENOMEM;
        nodes.n = 0;
        gather_nodes(task, owner, &nodes);
        qsort(nodes.names, nodes.n, sizeof(*nodes.names), texts_order);
        for (size_t i = 0; i < n; i++)
                pods[i].rank = (unsigned)(place_of(&nodes, pods[i].pod->pod->node, true) -
                                          place_of(&nodes, pods[i].pod->pod->node, false));
        return 0;
}

static int delete_some(struct task *task, const struct known_object *owner, size_t n_active, size_t n) {
        struct replicaset_ranked *pods = arena_alloc_array(task_arena(task), n_active, sizeof(*pods));
        struct replicaset_sync *sync = task_data(task);
        size_t at = 0;
        int r = pods ? 0 : -ENOMEM;

        for (struct known_walk w = known_first_owned(pods_of(task), owner->uid, owner->namespace); r == 0 && w.object;
             known_next(&w))
                if (known_is_active(w.object) && known_selects(&owner->selector, w.object))
                        pods[at++].pod = w.object;
        if (r == 0 && n < at && (r = rank(task, owner, pods, at)) == 0)
                replicaset_sort(pods, at, controller_wall(task_controller(task)));
        sync->deletes = true;
        for (size_t i = 0; r == 0 && i < n && task_has_room(task); i++)
                r = delete (task, pods[i].pod);
        if (r == 0)
                task_then(task, replicaset_finish);
        return r;
}

/* --- a sync --- */

/* What was claimed is counted, and made up for. */
static int manage(struct task *task) {
        const struct replicaset_sync *sync = task_data(task);
        const struct known_object *owner = replicaset_of(task);
        size_t active = 0, wanted = sync->set.spec.replicas.set ? (size_t)sync->set.spec.replicas.value : 1;

        if (!owner)
                return 0;
        for (struct known_walk w = known_first_owned(pods_of(task), owner->uid, owner->namespace); w.object;
             known_next(&w))
                active += known_is_active(w.object) && known_selects(&owner->selector, w.object);
        if (owner->deleting || active == wanted)
                return replicaset_finish(task);
        if (active < wanted)
                return create(task, owner,
                              wanted - active < REPLICASET_BURST ? (unsigned)(wanted - active) : REPLICASET_BURST);
        return delete_some(task, owner, active,
                           active - wanted < REPLICASET_BURST ? active - wanted : REPLICASET_BURST);
}

static int reconcile(struct task *task) {
        const struct known_object *owner = known_find(sets_of(task), task_namespace(task), task_name(task));
        const struct claim claim = {
                .dependents = pods_of(task), .kind = known_kind(sets_of(task)), .owner = owner, .next = manage
        };
        struct replicaset_sync *sync;
        int r;

        if (!owner)
                return 0;
        sync = arena_new_of(task_arena(task), struct replicaset_sync);
        if (!sync)
                return -ENOMEM;
        /* A ReplicationController's selector has no place in a ReplicaSet, and is passed over. */
        r = kube_json_read(task_arena(task), &kube_apps_v1_replica_set_type, (const char *)owner->json->data,
                           owner->json->size, NULL, &sync->set);
        if (r < 0)
                return r;
        task_set_data(task, sync);
        return claim_settle(task, &claim);
}

/* --- what makes one due --- */

static void add_owner(struct controller *c, const struct known_object *pod) {
        const struct known *sets = controller_known(c, REPLICASET_SETS);
        const struct known_object *set = *pod->owner ? known_find(sets, pod->namespace, pod->owner_name) : NULL;

        if (set && strcmp(set->uid, pod->owner) == 0)
                controller_add_named(c, set->namespace, set->name, REPLICASET_GATHER);
}

static void add_who_selects(struct controller *c, const struct known_object *pod) {
        for (struct known_walk w = known_first(controller_known(c, REPLICASET_SETS), pod->namespace); w.object;
             known_next(&w))
                if (known_selects(&w.object->selector, pod))
                        controller_add_named(c, w.object->namespace, w.object->name, REPLICASET_GATHER);
}

static bool is_same(const struct known_object *a, const struct known_object *b) {
        return strcmp(a->owner, b->owner) == 0 && a->deleting == b->deleting && !known_pod_differs(a->pod, b->pod) &&
               known_labels_equal(&a->labels, &b->labels);
}

static void on_pod(struct controller *controller, const struct client_object *object, const struct client_object *old) {
        const struct known_change change = known_change(controller_known(controller, REPLICASET_PODS));

        if (change.before && change.now && is_same(change.before, change.now))
                return;
        if (change.before)
                add_owner(controller, change.before);
        if (change.now)
                add_owner(controller, change.now);
        if (change.now && !*change.now->owner && !change.now->deleting)
                add_who_selects(controller, change.now);
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
