/* A namespace that is being deleted goes when nothing is in it any more: pods first, then all else, as
 * kube-controller-manager's OrderedNamespaceDeletion has it. What holds it up is told in its conditions. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/controllers/kinds.h"
#include "api/controllers/namespace_conditions.h"
#include "kube/codec/codec.h"
#include "kube/core_v1.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/table.h"
#include "lib/value.h"

#define FINALIZER "kubernetes"
#define ESTIMATE_S 15                    /* until finalizers have done their part */
#define POD_GRACE_S 30                   /* of a pod that does not say */
#define SOON (20 * (WORK_SECOND / 1000)) /* others go with the one that has gone */

/* One whose content is waited for: looked at anew when some of it has gone. */
struct waiting {
        struct table_node in_table;
        char name[];
};

struct content_handler {
        struct informer_handler base;
        struct namespaces *namespaces;
};

struct namespaces {
        struct controller *controller;
        struct table waiting;
        struct content_handler handlers[CONTROLLER_KINDS_MAX];
};

/* One that is being cleared, in passes: pods are deleted, then those left are counted; then all else. */
struct clearing {
        const char *name;
        struct kube_namespace object;
        bool of_pods, counts, more; /* @more: not all could be sent at once */
        int64_t grace_s;            /* the longest of pods that are left */
        struct namespace_content content;
};

static int begin_pass(struct task *task);
static int end_pass(struct task *task);

/* --- which are waited for --- */

static struct waiting *find_waiting(const struct namespaces *all, const char *name) {
        return table_object(table_find(&all->waiting, name), struct waiting, in_table);
}

/* Without memory it is looked at when its time has come. */
static void begin_waiting(struct namespaces *all, const char *name) {
        struct waiting *w = find_waiting(all, name) ? NULL : malloc(sizeof(*w) + strlen(name) + 1);

        if (!w)
                return;
        strcpy(w->name, name);
        if (table_add(&all->waiting, &w->in_table, w->name) < 0)
                free(w);
}

static void end_waiting(struct namespaces *all, const char *name) {
        struct waiting *w = find_waiting(all, name);

        if (w)
                table_remove(&all->waiting, &w->in_table);
        free(w);
}

static void on_content(struct informer_handler *base, enum client_change change, struct client_object *object,
                       struct client_object *old) {
        struct namespaces *all = ((struct content_handler *)base)->namespaces;

        if (change == CLIENT_DELETED && all->waiting.n > 0 && find_waiting(all, object->namespace))
                controller_add_after(all->controller, object->namespace, SOON);
}

static void on_namespace(struct controller *controller, const struct client_object *object,
                         const struct client_object *old) {
        controller_add(controller, object->name);
}

static int start(struct controller *controller) {
        struct namespaces *all = calloc(1, sizeof(*all));
        unsigned n;
        const struct kube_kind *const *kinds = controller_all_kinds(controller, &n);
        int r = all ? 0 : -ENOMEM;

        controller_set_data(controller, all);
        if (all)
                all->controller = controller;
        for (unsigned i = 0; r == 0 && i < n; i++) {
                all->handlers[i] = (struct content_handler){ { .changed = on_content }, all };
                if (kinds[i]->namespaced && strcmp(kinds[i]->resource, "events") != 0)
                        r = controller_follow(controller, kinds[i], &all->handlers[i].base);
        }
        return r;
}

static void stop(struct controller *controller) {
        struct namespaces *all = controller_data(controller);

        for (size_t i = 0; all && i < all->waiting.n_buckets; i++)
                while (all->waiting.buckets[i])
                        end_waiting(all, all->waiting.buckets[i]->key);
        if (all)
                table_clear(&all->waiting);
        free(all);
}

/* --- what is in it --- */

static int on_removed(struct task *task, const struct client_answer *answer, void *data) {
        struct clearing *clearing = task_data(task);

        if (!client_succeeded(answer) && answer->code != 404 && answer->code != 405)
                namespace_content_failed(&clearing->content, answer->message);
        return 0;
}

static void remove_one(struct task *task, const struct kube_kind *kind, const struct client_object *object) {
        const struct task_removal removal = { .kind = kind,
                                              .namespace = object->namespace,
                                              .name = object->name,
                                              .propagation = "Background",
                                              .fine = TASK_ALL_IS_FINE,
                                              .answered = on_removed };
        struct clearing *clearing = task_data(task);

        clearing->more |= !task_has_room(task);
        if (task_has_room(task))
                task_remove(task, &removal);
}

static void count_grace(struct clearing *clearing, const struct value *pod) {
        const char *phase = value_string_or(value_find(pod, "status.phase"), "");
        int64_t seconds = POD_GRACE_S;

        if (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0)
                return;
        value_integer(value_find(pod, "spec.terminationGracePeriodSeconds"), &seconds);
        clearing->grace_s = seconds > clearing->grace_s ? seconds : clearing->grace_s;
}

static void count_one(struct clearing *clearing, const struct kube_kind *kind, const struct value *tree) {
        const struct value *finalizers = value_find(tree, "metadata.finalizers");

        namespace_content_add(&clearing->content, kind);
        for (uint32_t i = 0; i < value_count(finalizers); i++)
                namespace_content_held(&clearing->content, value_string_or(value_at(finalizers, i), ""));
        if (clearing->of_pods)
                count_grace(clearing, tree);
}

static void on_object(struct task *task, const struct kube_kind *kind, struct client_object *object) {
        struct clearing *clearing = task_data(task);
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *tree;

        if (!arena || client_object_tree(arena, object, &tree) < 0) {
                clearing->content.no_memory = true;
                return;
        }
        if (clearing->counts)
                count_one(clearing, kind, tree);
        else if (!value_find(tree, "metadata.deletionTimestamp"))
                remove_one(task, kind, object);
}

static bool is_pods(const struct kube_kind *kind) {
        return !*kind->group && strcmp(kind->resource, "pods") == 0;
}

static int begin_pass(struct task *task) {
        struct clearing *clearing = task_data(task);
        unsigned n;
        const struct kube_kind *const *kinds = controller_all_kinds(task_controller(task), &n);

        clearing->more = false;
        for (unsigned i = 0; i < n; i++) {
                const struct client_scope scope = { .kind = kinds[i], .namespace = clearing->name };

                if (kinds[i]->namespaced && is_pods(kinds[i]) == clearing->of_pods)
                        task_list(task, &scope, on_object);
        }
        task_then(task, end_pass);
        return 0;
}

/* --- its end --- */

static int drop_finalizer(struct task *task, const struct client_answer *answer, void *data) {
        const struct kube_kind *kind = informer_kind(controller_informer(task_controller(task), 0));
        struct kube_namespace object = { 0 };
        uint32_t kept = 0;
        int r;

        if (answer->code == 404)
                return 0;
        r = kube_json_read(task_arena(task), kind->type, (const char *)answer->body->data, answer->body->size, NULL,
                           &object);
        if (r < 0 || !object.metadata.deletion_timestamp.set)
                return r;
        list_for_each (finalizer, &object.spec.finalizers)
                if (strcmp(*finalizer, FINALIZER) != 0)
                        object.spec.finalizers.items[kept++] = *finalizer;
        object.spec.finalizers.count = kept;
        task_write(task, KUBE_VERB_UPDATE, kind, "finalize", &object, TASK_GONE_IS_FINE);
        return 0;
}

/* As it is now: its status has just been written. */
static int finalize(struct task *task) {
        const struct client_request request = { .verb = KUBE_VERB_GET,
                                                .kind = informer_kind(controller_informer(task_controller(task), 0)),
                                                .name = task_name(task) };

        end_waiting(controller_data(task_controller(task)), task_name(task));
        task_send(task, &request, TASK_GONE_IS_FINE, drop_finalizer, NULL);
        return 0;
}

static int fail_again(struct task *task) {
        const struct clearing *clearing = task_data(task);

        task_fail(task, EBUSY, clearing->content.n_failures > 0 ? clearing->content.failures[0] : "it is not empty");
        return 0;
}

/* Who is left without a reason should have gone. */
static int64_t estimate(struct task *task, struct clearing *clearing, unsigned left) {
        int64_t since = controller_wall(task_controller(task)) - clearing->object.metadata.deletion_timestamp.seconds;
        const struct namespace_content *content = &clearing->content;
        const char *text;

        if (clearing->of_pods && clearing->grace_s > since)
                return clearing->grace_s;
        if (left == 0)
                return 0;
        if (content->n_finalizers > 0)
                return ESTIMATE_S;
        text = arena_printf(
                task_arena(task), "unexpected items still remain in namespace: %s for gvr: %s/%s, Resource=%s",
                clearing->name, content->kinds[0]->group, content->kinds[0]->version, content->kinds[0]->resource);
        namespace_content_failed(&clearing->content, text ?: "");
        return 0;
}

/* What is left is told, and waited for; of nothing, the namespace goes. */
static int conclude(struct task *task) {
        struct clearing *clearing = task_data(task);
        struct controller *c = task_controller(task);
        unsigned left = namespace_content_count(&clearing->content);
        int64_t seconds = estimate(task, clearing, left);
        bool changed;
        int r = namespace_conditions_set(&clearing->content, !clearing->of_pods, controller_wall(c), &clearing->object,
                                         &changed);

        if (r < 0)
                return r;
        clearing->object.status.phase = "Terminating";
        if (changed)
                task_write(task, KUBE_VERB_UPDATE, informer_kind(controller_informer(c, 0)), "status",
                           &clearing->object, TASK_GONE_IS_FINE);
        if (left > 0)
                begin_waiting(controller_data(c), clearing->name);
        if (clearing->content.n_failures_all > 0)
                task_then(task, fail_again);
        else if (left > 0)
                task_again(task, (uint64_t)(seconds / 2 + 1) * WORK_SECOND);
        else
                task_then(task, finalize);
        return 0;
}

static int end_pass(struct task *task) {
        struct clearing *clearing = task_data(task);

        if (clearing->content.no_memory)
                return -ENOMEM;
        if (!clearing->counts) {
                clearing->counts = !clearing->more;
                return begin_pass(task);
        }
        if (!clearing->of_pods || namespace_content_count(&clearing->content) > 0)
                return conclude(task);
        clearing->of_pods = clearing->counts = false;
        namespace_content_clear_counts(&clearing->content);
        return begin_pass(task);
}

static int reconcile(struct task *task) {
        struct controller *c = task_controller(task);
        const struct client_object *object = informer_find(controller_informer(c, 0), "", task_name(task));
        struct clearing *clearing;
        int r;

        if (!object) {
                end_waiting(controller_data(c), task_name(task));
                return 0;
        }
        clearing = arena_new_of(task_arena(task), struct clearing);
        if (!clearing)
                return -ENOMEM;
        r = client_object_read(task_arena(task), object, &kube_namespace_type, &clearing->object);
        if (r < 0 || !clearing->object.metadata.deletion_timestamp.set || clearing->object.spec.finalizers.count == 0)
                return r;
        clearing->name = task_name(task);
        clearing->of_pods = true;
        clearing->content.arena = task_arena(task);
        task_set_data(task, clearing);
        return begin_pass(task);
}

const struct controller_kind controller_namespace = {
        .name = "namespace-controller",
        .alias = "namespace",
        .account = "namespace-controller",
        .watches = { { "", "namespaces", NULL, on_namespace, .passes = false } },
        .reconcile = reconcile,
        .start = start,
        .stop = stop,
};
