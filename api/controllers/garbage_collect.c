/* What becomes of an object: it stays while one of its owners does; it goes when none is left; and when it is to go
 * itself, what it owns goes first (foreground) or is let go (orphan). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/controllers/garbage.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/log.h"
#include "lib/value.h"

enum owner_state { OWNER_THERE, OWNER_WAITS, OWNER_GONE };

/* The object that is looked at, as it is now. */
struct look {
        const struct kube_kind *kind;
        const char *namespace, *name, *uid; /* of the key */
        const struct value *meta;           /* as it is: metadata */
        struct garbage_meta now;
        enum owner_state *states; /* of its owners */
        unsigned n_asked;         /* of them */
        bool more, elsewhere;
};

static struct garbage *garbage_of(const struct task *task) {
        return controller_data(task_controller(task));
}

/* --- the key --- */

static int read_key(struct task *task, struct look *look) {
        unsigned n, number;
        const struct kube_kind *const *kinds = controller_all_kinds(task_controller(task), &n);
        char *rest = arena_strdup(task_arena(task), task_key(task));

        if (!rest)
                return -ENOMEM;
        number = (unsigned)strtoul(strsep(&rest, "/"), NULL, 10);
        look->namespace = strsep(&rest, "/");
        look->name = strsep(&rest, "/");
        look->uid = rest;
        if (number >= n || !look->uid)
                return -EINVAL;
        look->kind = kinds[number];
        return 0;
}

static int read_answer(struct arena *arena, const struct client_answer *answer, const struct value **ret_tree) {
        return json_parse(arena, (const char *)answer->body->data, answer->body->size, NULL, ret_tree, NULL);
}

static void get(struct task *task, const struct kube_kind *kind, const char *namespace, const char *name,
                task_answered answered, void *data) {
        const struct client_request request = {
                .verb = KUBE_VERB_GET, .kind = kind, .namespace = namespace, .name = name
        };

        task_send(task, &request, TASK_GONE_IS_FINE, answered, data);
}

/* --- patches: of the whole list, for just this version, so that they mean the same for every kind --- */

static void begin_patch(struct json_writer *w, const struct value *meta, const char *list) {
        json_begin_map(w);
        json_key(w, "metadata");
        json_begin_map(w);
        json_add_string(w, "uid", value_string_or(value_get(meta, "uid"), ""));
        json_add_string(w, "resourceVersion", value_string_or(value_get(meta, "resourceVersion"), ""));
        json_key(w, list);
        json_begin_list(w);
}

static void send_patch(struct task *task, const struct garbage_meta *of, struct json_writer *w) {
        _cleanup_free_ char *text = NULL;
        struct client_request request = { .verb = KUBE_VERB_PATCH,
                                          .kind = of->object.kind,
                                          .namespace = of->object.namespace,
                                          .name = of->object.name,
                                          .patch = CLIENT_PATCH_MERGE };

        json_end_list(w);
        json_end_map(w);
        json_end_map(w);
        if (json_writer_finish(w, &text, &request.length) < 0)
                return task_fail(task, ENOMEM, "no memory for a patch");
        request.body = text;
        task_send(task, &request, TASK_GONE_IS_FINE, NULL, NULL);
}

static void drop_finalizer(struct task *task, const struct look *look, const char *finalizer) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        const struct value *all = value_get(look->meta, "finalizers");

        begin_patch(&w, look->meta, "finalizers");
        for (uint32_t i = 0; i < value_count(all); i++)
                if (strcmp(value_string_or(value_at(all, i), ""), finalizer) != 0)
                        json_value(&w, value_at(all, i));
        send_patch(task, &look->now, &w);
}

/* Which owners stay: those that @keep has. */
static void keep_owners(struct task *task, const struct garbage_meta *of, const struct value *meta,
                        bool (*keep)(const void *data, unsigned i), const void *data) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        const struct value *all = value_get(meta, "ownerReferences");

        begin_patch(&w, meta, "ownerReferences");
        for (uint32_t i = 0; i < value_count(all); i++)
                if (keep(data, i))
                        json_value(&w, value_at(all, i));
        send_patch(task, of, &w);
}

/* --- orphans: each dependent loses this owner, then the owner its finalizer --- */

struct orphan {
        const char *owner; /* uid */
        const struct kube_kind *kind;
        struct garbage_meta meta;
};

static bool is_not_owner(const void *data, unsigned i) {
        const struct orphan *orphan = data;

        return i >= orphan->meta.object.n_owners || strcmp(orphan->meta.owners[i].uid, orphan->owner) != 0;
}

static int on_dependent(struct task *task, const struct client_answer *answer, void *data) {
        struct orphan *orphan = data;
        const struct value *tree;
        int r;

        if (answer->code == 404)
                return 0;
        if ((r = read_answer(task_arena(task), answer, &tree)) < 0 ||
            (r = garbage_read_meta(garbage_of(task), task_arena(task), orphan->kind, tree, &orphan->meta)) < 0)
                return r;
        for (unsigned i = 0; i < orphan->meta.object.n_owners; i++)
                if (!is_not_owner(orphan, i)) {
                        keep_owners(task, &orphan->meta, value_get(tree, "metadata"), is_not_owner, orphan);
                        break;
                }
        return 0;
}

static int end_orphans(struct task *task) {
        const struct look *look = task_data(task);

        if (look->more)
                task_again(task, 0);
        else
                drop_finalizer(task, look, "orphan");
        return 0;
}

static int let_orphans_go(struct task *task, struct look *look) {
        const struct graph_owner *owner = graph_owner(&garbage_of(task)->graph, look->uid);

        for (const struct graph_edge *edge = owner ? graph_edges_first(&owner->edges) : NULL; edge;
             edge = graph_edges_next(&owner->edges, edge)) {
                struct orphan *orphan = task_has_room(task) ? arena_new_of(task_arena(task), struct orphan) : NULL;

                look->more |= !orphan;
                if (!orphan)
                        continue;
                orphan->owner = look->uid;
                orphan->kind = edge->node->kind;
                get(task, edge->node->kind, edge->node->namespace, edge->node->name, on_dependent, orphan);
        }
        task_then(task, end_orphans);
        return 0;
}

/* --- foreground: it goes when nothing that blocks it is left --- */

static int wait_for_dependents(struct task *task, struct look *look) {
        const struct graph_owner *owner = graph_owner(&garbage_of(task)->graph, look->uid);
        bool blocked = false;

        for (const struct graph_edge *edge = owner ? graph_edges_first(&owner->edges) : NULL; edge;
             edge = graph_edges_next(&owner->edges, edge)) {
                blocked |= edge->blocks;
                if (edge->blocks && edge->node->waits != GRAPH_FOREGROUND)
                        garbage_add_node(garbage_of(task), edge->node);
        }
        if (!blocked)
                drop_finalizer(task, look, "foregroundDeletion");
        return 0;
}

/* --- whose owners are what --- */

static bool stays(const void *data, unsigned i) {
        const struct look *look = data;

        return i >= look->now.object.n_owners || look->states[i] == OWNER_THERE;
}

static unsigned count(const struct look *look, enum owner_state state) {
        unsigned n = 0;

        for (unsigned i = 0; i < look->now.object.n_owners; i++)
                n += look->states[i] == state;
        return n;
}

static void remove_it(struct task *task, const struct look *look, const char *propagation) {
        const struct task_removal removal = { .kind = look->kind,
                                              .namespace = look->namespace,
                                              .name = look->name,
                                              .uid = look->uid,
                                              .revision = value_string(value_get(look->meta, "resourceVersion")),
                                              .propagation = propagation };

        task_remove(task, &removal);
}

static int remove_foreground(struct task *task) {
        remove_it(task, task_data(task), "Foreground");
        return 0;
}

/* Two that wait for each other would do so for ever: this one blocks no owner any more. */
static void unblock(struct task *task, const struct look *look) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        const struct value *all = value_get(look->meta, "ownerReferences");

        begin_patch(&w, look->meta, "ownerReferences");
        for (uint32_t i = 0; i < value_count(all); i++) {
                const struct value *one = value_at(all, i);

                json_begin_map(&w);
                for (uint32_t j = 0; value_is(one, VALUE_MAP) && j < one->count; j++) {
                        json_key(&w, one->members[j].key);
                        if (strcmp(one->members[j].key, "blockOwnerDeletion") == 0)
                                json_bool(&w, false);
                        else
                                json_value(&w, &one->members[j].value);
                }
                json_end_map(&w);
        }
        send_patch(task, &look->now, &w);
}

static bool is_in_circle(const struct graph_owner *self) {
        LIST_EACH (graph_edges, edge, &self->edges)
                if (edge->node->waits == GRAPH_FOREGROUND)
                        return true;
        return false;
}

static bool blocks(const struct look *look) {
        for (unsigned i = 0; i < look->now.object.n_owners; i++)
                if (look->now.owners[i].blocks)
                        return true;
        return false;
}

/* An owner waits for it to go: what it owns goes before it. */
static int go_before(struct task *task, const struct look *look, const struct graph_owner *self) {
        if (is_in_circle(self) && blocks(look)) {
                unblock(task, look);
                task_again(task, 0);
                return 0;
        }
        return remove_foreground(task);
}

static int decide(struct task *task) {
        const struct look *look = task_data(task);
        const struct graph_owner *self = graph_owner(&garbage_of(task)->graph, look->uid);
        const struct value *finalizers = value_get(look->meta, "finalizers");
        unsigned waiting = count(look, OWNER_WAITS);

        if (count(look, OWNER_THERE) > 0) {
                if (waiting + count(look, OWNER_GONE) > 0)
                        keep_owners(task, &look->now, look->meta, stays, look);
                return 0;
        }
        if (waiting > 0 && self && !graph_edges_is_empty(&self->edges))
                return go_before(task, look, self);
        remove_it(task, look,
                  value_has_text(finalizers, "orphan")             ? "Orphan" :
                  value_has_text(finalizers, "foregroundDeletion") ? "Foreground" :
                                                                     "Background");
        return 0;
}

struct asked {
        struct look *look;
        unsigned i;
};

static int on_owner(struct task *task, const struct client_answer *answer, void *data) {
        const struct asked *asked = data;
        const struct graph_reference *reference = &asked->look->now.owners[asked->i];
        _cleanup_arena_ struct arena *arena = arena_new();
        enum owner_state *state = &asked->look->states[asked->i];
        const struct value *tree, *meta;
        bool leaves;
        int r;

        *state = OWNER_GONE;
        if (answer->code == 404)
                return 0;
        r = arena ? read_answer(arena, answer, &tree) : -ENOMEM;
        if (r < 0)
                return r;
        meta = value_get(tree, "metadata");
        if (strcmp(value_string_or(value_get(meta, "uid"), ""), reference->uid) != 0)
                return 0;
        leaves = value_get(meta, "deletionTimestamp") &&
                 value_has_text(value_get(meta, "finalizers"), "foregroundDeletion");
        *state = leaves ? OWNER_WAITS : OWNER_THERE;
        return 0;
}

static int ask_for_more(struct task *task);

/* As many as may be under way at a time. */
static int ask_for_owners(struct task *task, struct look *look) {
        for (; look->n_asked < look->now.object.n_owners && task_has_room(task); look->n_asked++) {
                const struct graph_reference *reference = &look->now.owners[look->n_asked];
                struct asked *asked = arena_new_of(task_arena(task), struct asked);

                if (!asked)
                        return -ENOMEM;
                *asked = (struct asked){ look, look->n_asked };
                if (!reference->kind) {
                        task_fail(task, ENOENT, "an owner is of a kind that is not known: it is looked at again");
                        return 0;
                }
                if (reference->namespaced && !*look->namespace) {
                        log_debug("%s %s: an owner of it is in a namespace, and it is in none", look->kind->resource,
                                  look->name);
                        return 0;
                }
                get(task, reference->kind, reference->namespaced ? look->namespace : NULL, reference->name, on_owner,
                    asked);
        }
        task_then(task, look->n_asked < look->now.object.n_owners ? ask_for_more : decide);
        return 0;
}

static int ask_for_more(struct task *task) {
        return ask_for_owners(task, task_data(task));
}

/* --- the object itself --- */

static int end_search(struct task *task) {
        const struct look *look = task_data(task);
        struct graph_owner *owner = graph_owner(&garbage_of(task)->graph, look->uid);

        if (owner)
                garbage_add_dependents(garbage_of(task), owner);
        return 0;
}

static bool has_uid(const struct client_object *object, const char *uid) {
        _cleanup_arena_ struct arena *arena = NULL;
        const struct value *tree;

        if (!memmem(object->json->data, object->json->size, uid, strlen(uid)))
                return false;
        arena = arena_new();
        return arena && client_object_tree(arena, object, &tree) == 0 &&
               strcmp(value_string_or(value_find(tree, "metadata.uid"), ""), uid) == 0;
}

/* The owner itself, where its dependents do not look for it. */
static void on_elsewhere(struct task *task, const struct kube_kind *kind, struct client_object *object) {
        const struct look *look = task_data(task);
        const struct graph_owner *owner = graph_owner(&garbage_of(task)->graph, look->uid);

        if (!owner || !has_uid(object, look->uid))
                return;
        LIST_EACH (graph_edges, edge, &owner->edges)
                if (strcmp(edge->node->namespace, object->namespace) != 0)
                        garbage_report(garbage_of(task), edge);
}

/* There is none of that uid there: those that call it their owner are looked at, and told if it is elsewhere. */
static int look_at_dependents(struct task *task, const struct look *look) {
        const struct graph_owner *owner = graph_owner(&garbage_of(task)->graph, look->uid);
        const struct client_scope everywhere = { .kind = look->kind };

        if (owner && !owner->seen && look->kind->namespaced && garbage_may_search(garbage_of(task)))
                task_list(task, &everywhere, on_elsewhere);
        task_then(task, end_search);
        return 0;
}

/* It is there, under the name that it is known by. */
static void see(struct task *task, struct graph_owner *owner) {
        if (!owner || owner->seen)
                return;
        owner->seen = true;
        LIST_EACH (graph_edges, edge, &owner->edges)
                if (garbage_is_odd(edge))
                        garbage_report(garbage_of(task), edge);
}

static int on_object(struct task *task, const struct client_answer *answer, void *data) {
        struct look *look = data;
        const struct value *tree;
        int r;

        if (answer->code == 404)
                return look_at_dependents(task, look);
        if ((r = read_answer(task_arena(task), answer, &tree)) < 0 ||
            (r = garbage_read_meta(garbage_of(task), task_arena(task), look->kind, tree, &look->now)) < 0)
                return r;
        if (strcmp(look->now.object.uid, look->uid) != 0)
                return look_at_dependents(task, look);
        see(task, graph_owner(&garbage_of(task)->graph, look->uid));
        look->meta = value_get(tree, "metadata");
        if (look->now.object.waits == GRAPH_ORPHAN)
                return let_orphans_go(task, look);
        if (look->now.object.waits == GRAPH_FOREGROUND)
                return wait_for_dependents(task, look);
        if (look->now.object.deleting || look->now.object.n_owners == 0)
                return 0;
        look->states = arena_alloc_array(task_arena(task), look->now.object.n_owners, sizeof(*look->states));
        return look->states ? ask_for_owners(task, look) : -ENOMEM;
}

int garbage_collect(struct task *task) {
        struct look *look = arena_new_of(task_arena(task), struct look);
        int r = look ? read_key(task, look) : -ENOMEM;

        if (r < 0)
                return r;
        task_set_data(task, look);
        get(task, look->kind, *look->namespace ? look->namespace : NULL, look->name, on_object, look);
        return 0;
}
