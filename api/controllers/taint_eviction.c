/* Pods go from nodes whose taints of effect NoExecute they do not tolerate: at once, or when the time is over for which
 * they do. Keys are pods, and nodes whose pods are to be looked at. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/controllers/kinds.h"
#include "api/controllers/pod_marks.h"
#include "kube/pod/tolerations.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/table.h"

enum { PODS, NODES }; /* the watches */

#define SECONDS_MAX INT64_C(1000000000) /* a toleration that is longer is for ever, nearly */
#define FOR_EVER INT64_C(-1)

static const struct pod_reason reason = { "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint" };

/* A pod that is to go, or was told to. */
struct eviction {
        struct table_node in_all;
        uint64_t due_ns;
        bool told; /* that it goes now */
        char *uid;
        char key[];
};

struct tainted {
        struct table_node in_all;
        char name[];
};

struct evictor {
        struct table evictions; /* by key */
        struct table tainted;   /* nodes with such taints, by name */
};

/* --- what is remembered --- */

static struct eviction *find(const struct evictor *e, const char *key) {
        return table_object(table_find(&e->evictions, key), struct eviction, in_all);
}

static void forget(struct evictor *e, struct eviction *eviction) {
        table_remove(&e->evictions, &eviction->in_all);
        free(eviction->uid);
        free(eviction);
}

static struct eviction *remember(struct evictor *e, const char *key, const char *uid, uint64_t due_ns) {
        size_t size = strlen(key) + 1;
        struct eviction *eviction = calloc(1, sizeof(*eviction) + size);

        if (!eviction)
                return NULL;
        eviction->due_ns = due_ns;
        eviction->uid = strdup(uid);
        memcpy(eviction->key, key, size);
        if (eviction->uid && table_add(&e->evictions, &eviction->in_all, eviction->key) == 0)
                return eviction;
        free(eviction->uid);
        free(eviction);
        return NULL;
}

static bool has_taints(const struct evictor *e, const char *node) {
        return table_find(&e->tainted, node);
}

static int set_tainted(struct evictor *e, const char *name, bool is) {
        struct tainted *tainted = table_object(table_find(&e->tainted, name), struct tainted, in_all);
        size_t size = strlen(name) + 1;

        if (is == !!tainted)
                return 0;
        if (!is) {
                table_remove(&e->tainted, &tainted->in_all);
                free(tainted);
                return 0;
        }
        tainted = calloc(1, sizeof(*tainted) + size);
        if (!tainted)
                return -ENOMEM;
        memcpy(tainted->name, name, size);
        if (table_add(&e->tainted, &tainted->in_all, tainted->name) == 0)
                return 0;
        free(tainted);
        return -ENOMEM;
}

/* --- what changes --- */

/* More often than there is such a taint, never less. */
static bool may_be_tainted(const struct client_object *node) {
        static const char mark[] = "\"NoExecute\"";

        return memmem(node->json->data, node->json->size, mark, sizeof(mark) - 1);
}

static void on_node(struct controller *controller, const struct client_object *object,
                    const struct client_object *old) {
        struct evictor *e = controller_data(controller);
        bool was = has_taints(e, object->name),
             is = informer_find(controller_informer(controller, NODES), "", object->name) && may_be_tainted(object);

        if (set_tainted(e, object->name, is) < 0)
                log_error("node %s: its taints cannot be remembered: no memory", object->name);
        if (was || is)
                controller_add(controller, object->name);
}

static void on_pod(struct controller *controller, const struct client_object *object, const struct client_object *old) {
        _cleanup_arena_ struct arena *arena = NULL;
        struct evictor *e = controller_data(controller);
        const char *key, *node;

        if (e->tainted.n == 0 && e->evictions.n == 0)
                return;
        arena = arena_new();
        key = arena ? arena_printf(arena, "%s/%s", object->namespace, object->name) : NULL;
        node = key ? pod_marks_node(arena, object) : NULL;
        if (!node)
                return log_error("pod %s/%s: its node cannot be told", object->namespace, object->name);
        if (find(e, key) || has_taints(e, node))
                controller_add(controller, key);
}

/* --- a node: all its pods --- */

/* --- a pod --- */

/* For how many seconds the pod stays: 0, or FOR_EVER. */
static int64_t stays_for(const struct kube_pod *pod, const struct kube_node *node) {
        int64_t least = FOR_EVER;

        list_for_each (taint, &node->spec.taints) {
                const struct kube_toleration *t;
                int64_t seconds;

                if (!kube_is(taint->effect, "NoExecute"))
                        continue;
                t = pod_toleration_of(&pod->spec.tolerations, taint);
                if (!t)
                        return 0;
                if (!t->toleration_seconds.set)
                        continue;
                seconds = t->toleration_seconds.value;
                seconds = seconds < 0 ? 0 : seconds > SECONDS_MAX ? SECONDS_MAX : seconds;
                if (least == FOR_EVER || seconds < least)
                        least = seconds;
        }
        return least;
}

static void tell(struct task *task, const char *what) {
        const struct recorder_object about = { "v1", "Pod", task_namespace(task), task_name(task), "" };
        const char *message = arena_printf(task_arena(task), "%s Pod %s", what, task_key(task));

        controller_tell(task_controller(task), &about,
                        &(struct recorder_note){ "Normal", "TaintManagerEviction", message ?: "" });
}

static void cancel(struct task *task, struct eviction *eviction) {
        if (!eviction)
                return;
        if (!eviction->told)
                tell(task, "Cancelling deletion of");
        forget(controller_data(task_controller(task)), eviction);
}

/* Once: what goes already is let go. */
static int evict(struct task *task, struct eviction *eviction, const struct kube_pod *pod) {
        if (eviction->told && pod->metadata.deletion_timestamp.set)
                return 0;
        if (!eviction->told)
                tell(task, "Marking for deletion");
        eviction->told = true;
        pod_marks_end(task, &(struct pod_end){ .kind = informer_kind(controller_informer(task_controller(task), PODS)),
                                               .pod = pod,
                                               .reason = &reason });
        return 0;
}

/* What is due earlier stays so: a toleration counts from when the taint was first seen. */
static int decide(struct task *task, struct eviction *eviction, const struct kube_pod *pod,
                  const struct kube_node *node) {
        struct controller *c = task_controller(task);
        uint64_t now = controller_now(c), due;
        int64_t seconds = stays_for(pod, node);

        if (seconds == FOR_EVER) {
                cancel(task, eviction);
                return 0;
        }
        due = now + (uint64_t)seconds * WORK_SECOND;
        if (!eviction)
                eviction = remember(controller_data(c), task_key(task), pod->metadata.uid ?: "", due);
        if (!eviction)
                return -ENOMEM;
        eviction->due_ns = due < eviction->due_ns ? due : eviction->due_ns;
        if (eviction->due_ns <= now)
                return evict(task, eviction, pod);
        task_again(task, eviction->due_ns - now);
        return 0;
}

static int look_at_pod(struct task *task) {
        struct controller *c = task_controller(task);
        struct evictor *e = controller_data(c);
        const struct client_object *object =
                informer_find(controller_informer(c, PODS), task_namespace(task), task_name(task));
        const struct client_object *on;
        struct eviction *eviction = find(e, task_key(task));
        struct kube_pod *pod = arena_new_of(task_arena(task), struct kube_pod);
        struct kube_node node = { 0 };
        int r = pod ? 0 : -ENOMEM;

        r = r == 0 && object ? client_object_read(task_arena(task), object, &kube_pod_type, pod) : r;
        if (r < 0)
                return r;
        if (eviction && object && strcmp(eviction->uid, pod->metadata.uid ?: "") != 0) {
                cancel(task, eviction); /* another pod of this name */
                eviction = NULL;
        }
        on = pod->spec.node_name ? informer_find(controller_informer(c, NODES), "", pod->spec.node_name) : NULL;
        if (on)
                r = client_object_read(task_arena(task), on, &kube_node_type, &node);
        if (r < 0)
                return r;
        return decide(task, eviction, pod, &node);
}

static int reconcile(struct task *task) {
        return *task_namespace(task) ?
                       look_at_pod(task) :
                       pod_marks_list(task, informer_kind(controller_informer(task_controller(task), PODS)),
                                      task_add_listed);
}

/* --- start and stop --- */

static int start(struct controller *controller) {
        struct evictor *e = calloc(1, sizeof(*e));

        controller_set_data(controller, e);
        return e ? 0 : -ENOMEM;
}

static void stop(struct controller *controller) {
        struct evictor *e = controller_data(controller);

        if (!e)
                return;
        for (size_t i = 0; i < e->evictions.n_buckets; i++)
                while (e->evictions.buckets[i])
                        forget(e, table_object(e->evictions.buckets[i], struct eviction, in_all));
        for (size_t i = 0; i < e->tainted.n_buckets; i++)
                while (e->tainted.buckets[i])
                        set_tainted(e, table_object(e->tainted.buckets[i], struct tainted, in_all)->name, false);
        table_clear(&e->evictions);
        table_clear(&e->tainted);
        free(e);
}

const struct controller_kind controller_taint_eviction = {
        .name = "taint-eviction-controller",
        .alias = "taint-eviction-controller",
        .account = "node-controller",
        .watches = { { "", "pods", NULL, on_pod, false, false }, { "", "nodes", NULL, on_node, false, false } },
        .reconcile = reconcile,
        .start = start,
        .stop = stop,
};
