/* Pods that nobody ends go: those of a node that is there no more, or out of service; those that are deleted before
 * they had one; and of those that have ended, the first beyond so many. Keys are pods, nodes, and one for all that have
 * ended. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/controllers/kinds.h"
#include "api/controllers/node_config.h"
#include "api/controllers/pod_marks.h"
#include "kube/project.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/value.h"

enum { PODS, NODES }; /* the watches */

#define ENDED "/ended" /* no object's key */
#define OUT_OF_SERVICE "node.kubernetes.io/out-of-service"
#define SWEEP_NS WORK_SECOND /* between two looks at all that have ended, and as much again for each */
#define SWEEP_PODS 1000      /* of them */
#define FACTS "metadata.creationTimestamp metadata.deletionTimestamp spec.nodeName status.phase status.reason"

static const struct pod_reason node_is_gone = { "DeletionByPodGC", "PodGC: node no longer exists" };

struct gc {
        unsigned ended; /* pods that have */
        struct arena *kept, *scratch;
        struct kube_wanted *wanted;
};

/* What of a pod is looked at with each change. Texts are in gc.scratch. */
struct facts {
        const char *node, *phase, *reason, *created;
        bool going;
};

static int read_facts(struct gc *gc, const struct client_object *object, struct facts *ret_facts) {
        struct value pod;
        int r = kube_project(gc->scratch, gc->wanted, (const char *)object->json->data, object->json->size, &pod);

        if (r < 0)
                return r;
        *ret_facts = (struct facts){
                .node = value_string_or(value_find(&pod, "spec.nodeName"), ""),
                .phase = value_string_or(value_find(&pod, "status.phase"), ""),
                .reason = value_string_or(value_find(&pod, "status.reason"), ""),
                .created = value_string_or(value_find(&pod, "metadata.creationTimestamp"), ""),
                .going = value_find(&pod, "metadata.deletionTimestamp"),
        };
        return 0;
}

/* --- what changes --- */

/* More often than it is, never less. */
static bool may_be_out_of_service(const struct client_object *node) {
        return memmem(node->json->data, node->json->size, OUT_OF_SERVICE, strlen(OUT_OF_SERVICE));
}

static uint64_t quarantine(const struct controller *controller) {
        return (uint64_t)controller_config(controller)->nodes->quarantine_ns;
}

static void count(struct controller *controller, bool was, bool is) {
        unsigned most = controller_config(controller)->nodes->terminated_max;
        struct gc *gc = controller_data(controller);

        if (was && gc->ended > 0)
                gc->ended--;
        if (is)
                gc->ended++;
        if (most > 0 && gc->ended > most)
                controller_add_after(controller, ENDED, SWEEP_NS * (1 + gc->ended / SWEEP_PODS));
}

static void look(struct controller *controller, const struct client_object *object, const struct facts *pod) {
        const struct client_object *node = informer_find(controller_informer(controller, NODES), "", pod->node);

        if (!*pod->node ? pod->going : node && pod->going && may_be_out_of_service(node))
                controller_add_object(controller, object, NULL);
        else if (*pod->node && !node)
                controller_add_after(controller, pod->node, quarantine(controller));
}

static void on_pod(struct controller *controller, const struct client_object *object, const struct client_object *old) {
        bool there = informer_find(controller_informer(controller, PODS), object->namespace, object->name);
        struct facts pod = { 0 }, before = { .phase = "" };
        struct gc *gc = controller_data(controller);

        arena_reset(gc->scratch);
        if (read_facts(gc, object, &pod) < 0 || (old && read_facts(gc, old, &before) < 0))
                return log_error("pod %s/%s: cannot be read", object->namespace, object->name);
        count(controller, pod_marks_has_ended(before.phase), there && pod_marks_has_ended(pod.phase));
        if (there)
                look(controller, object, &pod);
}

static void on_node(struct controller *controller, const struct client_object *object,
                    const struct client_object *old) {
        if (!informer_find(controller_informer(controller, NODES), "", object->name))
                controller_add_after(controller, object->name, quarantine(controller));
        else if (may_be_out_of_service(object))
                controller_add(controller, object->name);
}

/* --- nodes --- */

static bool is_out_of_service(struct task *task, const struct client_object *object) {
        struct kube_node node = { 0 };
        bool tainted = false;

        if (client_object_read(task_arena(task), object, &kube_node_type, &node) < 0)
                return false;
        list_for_each (c, &node.status.conditions)
                if (kube_is(c->type, "Ready") && kube_is(c->status, "True"))
                        return false;
        list_for_each (t, &node.spec.taints)
                tainted = tainted || kube_is(t->key, OUT_OF_SERVICE);
        return tainted;
}

static void on_orphan(struct task *task, const struct kube_kind *kind, struct client_object *object) {
        struct kube_pod *pod = task_has_room(task) ? arena_new_of(task_arena(task), struct kube_pod) : NULL;

        if (!pod)
                return task_again(task, 0);
        if (client_object_read(task_arena(task), object, &kube_pod_type, pod) < 0)
                return log_error("pod %s/%s: cannot be read", object->namespace, object->name);
        pod_marks_end(task, &(struct pod_end){ kind, pod, &node_is_gone, true });
}

static int list_pods(struct task *task, task_listed listed) {
        return pod_marks_list(task, informer_kind(controller_informer(task_controller(task), PODS)), listed);
}

static int on_asked(struct task *task, const struct client_answer *answer, void *data) {
        return answer->code == 404 ? list_pods(task, on_orphan) : 0;
}

static int look_at_node(struct task *task) {
        const struct informer *nodes = controller_informer(task_controller(task), NODES);
        const struct client_object *object = informer_find(nodes, "", task_name(task));

        if (object)
                return is_out_of_service(task, object) ? list_pods(task, task_add_listed) : 0;
        task_send(task,
                  &(struct client_request){
                          .verb = KUBE_VERB_GET, .kind = informer_kind(nodes), .name = task_name(task) },
                  TASK_GONE_IS_FINE, on_asked, NULL);
        return 0;
}

/* --- a pod that is being deleted --- */

static int look_at_pod(struct task *task) {
        struct controller *c = task_controller(task);
        const struct client_object *object = informer_find(controller_informer(c, PODS), task_namespace(task),
                                                           task_name(task)),
                                   *node;
        struct kube_pod *pod = arena_new_of(task_arena(task), struct kube_pod);
        int r = pod ? 0 : -ENOMEM;

        r = r == 0 && object ? client_object_read(task_arena(task), object, &kube_pod_type, pod) : r;
        if (r < 0 || !object || !pod->metadata.deletion_timestamp.set)
                return r;
        if (pod->spec.node_name && *pod->spec.node_name) {
                node = informer_find(controller_informer(c, NODES), "", pod->spec.node_name);
                if (!node || !is_out_of_service(task, node))
                        return 0;
        }
        pod_marks_end(task, &(struct pod_end){ informer_kind(controller_informer(c, PODS)), pod, NULL, true });
        return 0;
}

/* --- those that have ended --- */

struct ended {
        const struct client_object *object;
        const char *created;
        bool evicted;
};

/* Evicted ones first, then by age and name. */
static int compare(const void *a, const void *b) {
        const struct ended *one = a, *other = b;
        int order = other->evicted - one->evicted;

        return order ?: strcmp(one->created, other->created) ?: strcmp(one->object->name, other->object->name);
}

static unsigned collect(struct task *task, struct ended *all, unsigned max) {
        struct controller *c = task_controller(task);
        struct gc *gc = controller_data(c);
        struct facts pod;
        unsigned n = 0;

        for (struct informer_walk w = informer_first(controller_informer(c, PODS), NULL); w.object && n < max;
             informer_next(&w)) {
                arena_reset(gc->scratch);
                if (read_facts(gc, w.object, &pod) < 0 || !pod_marks_has_ended(pod.phase))
                        continue;
                all[n++] = (struct ended){ .object = w.object,
                                           .created = arena_strdup(task_arena(task), pod.created) ?: "",
                                           .evicted = strcmp(pod.phase, "Failed") == 0 &&
                                                      strcmp(pod.reason, "Evicted") == 0 };
        }
        return n;
}

static void remove_ended(struct task *task, const struct client_object *object) {
        struct kube_pod *pod = arena_new_of(task_arena(task), struct kube_pod);

        if (!pod || client_object_read(task_arena(task), object, &kube_pod_type, pod) < 0)
                return task_fail(task, EINVAL, "a pod that has ended cannot be read");
        pod_marks_end(task, &(struct pod_end){ informer_kind(controller_informer(task_controller(task), PODS)), pod,
                                               NULL, true });
}

static int sweep(struct task *task) {
        unsigned most = controller_config(task_controller(task))->nodes->terminated_max, n;
        const struct gc *gc = controller_data(task_controller(task));
        struct ended *all = arena_alloc_array(task_arena(task), gc->ended + 1, sizeof(*all));

        if (!all)
                return -ENOMEM;
        n = collect(task, all, gc->ended);
        qsort(all, n, sizeof(*all), compare);
        for (unsigned i = 0; most > 0 && i + most < n; i++) {
                if (!task_has_room(task)) {
                        task_again(task, 0);
                        break;
                }
                remove_ended(task, all[i].object);
        }
        return 0;
}

static int reconcile(struct task *task) {
        if (strcmp(task_key(task), ENDED) == 0)
                return sweep(task);
        return *task_namespace(task) ? look_at_pod(task) : look_at_node(task);
}

/* --- start and stop --- */

static int start(struct controller *controller) {
        struct gc *gc = calloc(1, sizeof(*gc));

        if (!gc)
                return -ENOMEM;
        controller_set_data(controller, gc);
        gc->kept = arena_new();
        gc->scratch = arena_new();
        gc->wanted = gc->kept ? kube_wanted_new(gc->kept) : NULL;
        if (!gc->scratch || !gc->wanted)
                return -ENOMEM;
        return kube_wanted_add(gc->kept, gc->wanted, FACTS);
}

static void stop(struct controller *controller) {
        struct gc *gc = controller_data(controller);

        if (!gc)
                return;
        arena_free(gc->kept);
        arena_free(gc->scratch);
        free(gc);
}

const struct controller_kind controller_pod_gc = {
        .name = "pod-garbage-collector-controller",
        .alias = "podgc",
        .account = "pod-garbage-collector",
        .watches = { { "", "pods", NULL, on_pod, false, false }, { "", "nodes", NULL, on_node, false, false } },
        .reconcile = reconcile,
        .start = start,
        .stop = stop,
};
