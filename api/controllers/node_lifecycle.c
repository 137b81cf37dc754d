/* Nodes that are not heard of: their conditions become Unknown when neither status nor lease has come for the grace
 * period; their pods are not ready then; and taints follow conditions, those that evict pods as fast as the zone's
 * state allows. One timer a node runs to when it would be lost. Keys are nodes, and pods of nodes that are not ready.
 *
 * What is seen is timed by this process's own clock: clocks of nodes count for nothing, nor does a jump of its own. */
#include <errno.h>
#include <string.h>

#include "api/controllers/kinds.h"
#include "api/controllers/node_lifecycle.h"
#include "api/controllers/node_state.h"
#include "api/controllers/pod_marks.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/log.h"

/* --- what changes --- */

static void on_lease(struct controller *controller, const struct client_object *object,
                     const struct client_object *old) {
        node_lifecycle_see_lease(controller, object);
}

/* The next of the zone has its turn. */
static void wake_next(struct controller *c, const struct node_zone *zone) {
        const struct node_record *next = zone ? node_records_first(&zone->waiting) : NULL;

        if (next)
                controller_add(c, next->name);
}

static void on_node(struct controller *controller, const struct client_object *object,
                    const struct client_object *old) {
        struct node_record *node = node_lifecycle_find(controller_data(controller), object->name);
        const struct node_zone *zone = node ? node->zone : NULL;
        int r = node_lifecycle_see(controller, object, &node);

        if (r < 0)
                return log_error("node %s: cannot be followed: %s", object->name, strerror(-r));
        if (!node)
                return;
        if (node->zone != zone)
                wake_next(controller, zone);
        controller_add(controller, object->name);
}

/* A pod that comes to a node that is not ready. */
static void on_pod(struct controller *controller, const struct client_object *object, const struct client_object *old) {
        struct node_lifecycle *l = controller_data(controller);
        _cleanup_arena_ struct arena *arena = NULL;
        const struct node_record *node;
        const char *name, *before;

        if (l->lost == 0)
                return;
        arena = arena_new();
        name = arena ? pod_marks_node(arena, object) : NULL;
        before = name && old ? pod_marks_node(arena, old) : "";
        if (!name || !before)
                return log_error("pod %s/%s: its node cannot be told", object->namespace, object->name);
        node = node_lifecycle_find(l, name);
        if (node && node->lost && strcmp(name, before) != 0)
                controller_add_object(controller, object, old);
}

/* --- events --- */

static void tell(struct task *task, const struct node_record *node, const char *reason, const char *message) {
        const struct recorder_object about = { "v1", "Node", "", node->name, node->uid ?: "" };

        controller_tell(task_controller(task), &about, &(struct recorder_note){ "Normal", reason, message ?: "" });
}

static void tell_status(struct task *task, const struct node_record *node, const char *status) {
        tell(task, node, status, arena_printf(task_arena(task), "Node %s status is now: %s", node->name, status));
}

static int on_unready(struct task *task, const struct client_answer *answer, void *data) {
        const struct recorder_object *about = data;

        if (client_succeeded(answer))
                controller_tell(task_controller(task), about,
                                &(struct recorder_note){ "Warning", "NodeNotReady", "Node is not ready" });
        return 0;
}

/* --- a pod --- */

static int reconcile_pod(struct task *task) {
        struct controller *c = task_controller(task);
        const struct client_object *object =
                informer_find(controller_informer(c, NODE_PODS), task_namespace(task), task_name(task));
        struct kube_pod *pod = arena_new_of(task_arena(task), struct kube_pod);
        struct recorder_object *about = arena_new_of(task_arena(task), struct recorder_object);
        const struct node_record *node;
        int r = pod && about ? 0 : -ENOMEM;

        r = r == 0 && object ? client_object_read(task_arena(task), object, &kube_pod_type, pod) : r;
        if (r < 0 || !object || !pod->spec.node_name)
                return r;
        node = node_lifecycle_find(controller_data(c), pod->spec.node_name);
        if (!node || !node->lost)
                return 0;
        *about =
                (struct recorder_object){ "v1", "Pod", task_namespace(task), task_name(task), pod->metadata.uid ?: "" };
        pod_marks_unready(task, informer_kind(controller_informer(c, NODE_PODS)), pod, on_unready, about);
        return 0;
}

/* --- a node --- */

static void write_node(struct task *task, const struct kube_node *node, const char *sub) {
        task_write(task, KUBE_VERB_UPDATE, informer_kind(controller_informer(task_controller(task), NODE_NODES)), sub,
                   node, TASK_GONE_IS_FINE);
}

/* Is written; those that were ready tell, and so do their pods. */
static int on_lost(struct task *task) {
        struct node_lifecycle *l = controller_data(task_controller(task));
        struct node_record *node = node_lifecycle_find(l, task_name(task));

        if (!node || node->gone)
                return 0;
        node_lifecycle_set_lost(l, node, true);
        tell_status(task, node, "NodeNotReady");
        return pod_marks_list(task, informer_kind(controller_informer(task_controller(task), NODE_PODS)),
                              task_add_listed);
}

static int lose(struct task *task, struct kube_node *object) {
        const struct kube_node_condition *ready = node_state_condition(object, "Ready");
        bool was_ready = ready && kube_is(ready->status, "True"), changed;
        int r = node_state_lose(task_arena(task), object, controller_wall(task_controller(task)), &changed);

        if (r < 0 || !changed)
                return r;
        write_node(task, object, "status");
        if (was_ready)
                task_then(task, on_lost);
        return 0;
}

/* The taint that evicts which it is to have: "" none, NULL as it is. */
static const char *executes(struct task *task, struct node_record *node, const struct kube_node *object) {
        struct controller *c = task_controller(task);
        struct node_lifecycle *l = controller_data(c);
        const struct kube_node_condition *ready = node_state_condition(object, "Ready");
        const char *wanted;
        uint64_t wait;

        if (!ready)
                return NULL;
        if (kube_is(ready->status, "True")) {
                node->granted = false;
                if (node_records_contains(node))
                        node_records_remove(node);
                return "";
        }
        wanted = kube_is(ready->status, "False") ? NODE_NOT_READY : NODE_UNREACHABLE;
        if (l->zones.all_down) {
                node->granted = false;
                return "";
        }
        if (node_state_executes(object) || node->granted)
                return wanted;
        if (!node->zone)
                return NULL;
        node->granted = node_zones_turn(&l->zones, node, controller_now(c), &wait);
        if (node->granted)
                return wanted;
        if (wait > 0)
                task_again(task, wait);
        return NULL;
}

static int write_taints(struct task *task, struct node_record *node, struct kube_node *object, const char *execute) {
        bool changed;
        int r = node_state_taint(task_arena(task), object, execute, controller_wall(task_controller(task)), &changed);

        if (r < 0)
                return r;
        if (changed)
                write_node(task, object, NULL);
        else
                node->granted = false;
        return 0;
}

static int taint(struct task *task, struct node_record *node, struct kube_node *object) {
        bool waited = node_records_contains(node);
        int r = write_taints(task, node, object, executes(task, node, object));

        if (waited && !node_records_contains(node))
                wake_next(task_controller(task), node->zone);
        return r;
}

/* What zones have come to concerns others. */
static void update_zones(struct controller *c) {
        struct node_lifecycle *l = controller_data(c);
        uint64_t now = controller_now(c);
        enum node_zones_change change = node_zones_update(&l->zones, now);

        if (change == NODE_ZONES_RATES)
                LIST_EACH (node_zone_list, zone, &l->zones.list)
                        wake_next(c, zone);
        if (change != NODE_ZONES_DOWN && change != NODE_ZONES_UP)
                return;
        log_info("%s", change == NODE_ZONES_DOWN ? "all nodes are lost: no pod is evicted until one comes back" :
                                                   "some nodes are ready again: pods are evicted from the others");
        for (size_t i = 0; i < l->nodes.n_buckets; i++)
                for (struct table_node *n = l->nodes.buckets[i]; n; n = n->next) {
                        struct node_record *node = table_object(n, struct node_record, in_all);

                        if (change == NODE_ZONES_UP)
                                node->seen_ns = now;
                        controller_add(c, node->name);
                }
}

static int end_node(struct task *task, struct node_record *node) {
        struct controller *c = task_controller(task);

        if (node->known)
                tell(task, node, "RemovingNode",
                     arena_printf(task_arena(task), "Node %s event: Removing Node %s from Controller", node->name,
                                  node->name));
        node_lifecycle_forget(controller_data(c), node);
        return 0;
}

static int reconcile_node(struct task *task) {
        struct controller *c = task_controller(task);
        struct node_record *node = node_lifecycle_find(controller_data(c), task_name(task));
        const struct client_object *object = informer_find(controller_informer(c, NODE_NODES), "", task_name(task));
        const struct node_config *config = controller_config(c)->nodes;
        struct kube_node *read = arena_new_of(task_arena(task), struct kube_node);
        uint64_t now = controller_now(c), lost_ns;
        int r;

        update_zones(c);
        if (!node || !object)
                return node ? end_node(task, node) : 0;
        r = read ? client_object_read(task_arena(task), object, &kube_node_type, read) : -ENOMEM;
        if (r < 0)
                return r;
        if (!node->known)
                tell(task, node, "RegisteredNode",
                     arena_printf(task_arena(task), "Node %s event: Registered Node %s in Controller", node->name,
                                  node->name));
        node->known = true;
        lost_ns = node->seen_ns + (uint64_t)(node->has_ready ? config->grace_ns : config->startup_ns);
        if (now > lost_ns && !(node->has_ready && kube_is(node_state_condition(read, "Ready")->status, "Unknown")))
                return lose(task, read);
        if (now <= lost_ns)
                task_again(task, lost_ns - now + 1);
        return taint(task, node, read);
}

static int reconcile(struct task *task) {
        return *task_namespace(task) ? reconcile_pod(task) : reconcile_node(task);
}

const struct controller_kind controller_node_lifecycle = {
        .name = "node-lifecycle-controller",
        .alias = "nodelifecycle",
        .component = "node-controller",
        .account = "node-controller",
        .watches = { { "", "nodes", NULL, on_node, false, false },
                     { "coordination.k8s.io", "leases", NULL, on_lease, false, false },
                     { "", "pods", NULL, on_pod, false, false } },
        .reconcile = reconcile,
        .start = node_lifecycle_start,
        .stop = node_lifecycle_stop,
};
