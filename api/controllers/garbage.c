/* The garbage collector: what has no owner any more goes, and an owner goes after, or without, what it owns. This file
 * keeps the graph; api/controllers/garbage_collect.c decides. */
#include "api/controllers/garbage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/controllers/kinds.h"
#include "kube/kinds.h"
#include "kube/project.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/value.h"

#define WANTED                                                                                                         \
        "metadata.uid metadata.namespace metadata.name metadata.ownerReferences metadata.finalizers "                  \
        "metadata.deletionTimestamp"

/* --- what is to be looked at --- */

static unsigned number_of(const struct garbage *g, const struct kube_kind *kind) {
        unsigned n;
        const struct kube_kind *const *kinds = controller_all_kinds(g->controller, &n);

        for (unsigned i = 0; i < n; i++)
                if (kinds[i] == kind)
                        return i;
        return n;
}

static void add(struct garbage *garbage, const struct kube_kind *kind, const char *namespace, const char *name,
                const char *uid) {
        char key[CONTROLLER_KEY_MAX];
        int n = snprintf(key, sizeof(key), "%u/%s/%s/%s", number_of(garbage, kind), namespace, name, uid);

        if (n < (int)sizeof(key))
                controller_add(garbage->controller, key);
}

void garbage_add_node(struct garbage *garbage, const struct graph_node *node) {
        add(garbage, node->kind, node->namespace, node->name, node->uid);
}

void garbage_add_dependents(struct garbage *garbage, const struct graph_owner *owner) {
        LIST_EACH (graph_edges, edge, &owner->edges)
                garbage_add_node(garbage, edge->node);
}

/* --- metadata --- */

static void read_owner(const struct garbage *g, const struct value *reference, struct graph_reference *ret_reference) {
        const char *version = value_string_or(value_get(reference, "apiVersion"), ""),
                   *kind = value_string_or(value_get(reference, "kind"), "");

        *ret_reference = (struct graph_reference){
                .kind = controller_kind_named(g->controller, version, kind),
                .name = value_string_or(value_get(reference, "name"), ""),
                .uid = value_string_or(value_get(reference, "uid"), ""),
                .blocks = value_bool_or(value_get(reference, "blockOwnerDeletion"), false),
        };
        ret_reference->namespaced = ret_reference->kind && ret_reference->kind->namespaced;
}

int garbage_read_meta(const struct garbage *garbage, struct arena *arena, const struct kube_kind *kind,
                      const struct value *tree, struct garbage_meta *ret_meta) {
        const struct value *meta = value_get(tree, "metadata"), *owners = value_get(meta, "ownerReferences"),
                           *finalizers = value_get(meta, "finalizers");
        struct graph_object *object = &ret_meta->object;
        uint32_t n = value_count(owners);

        ret_meta->owners = arena_alloc_array(arena, n + 1, sizeof(*ret_meta->owners));
        if (!ret_meta->owners)
                return -ENOMEM;
        *object = (struct graph_object){ .kind = kind,
                                         .namespace = value_string_or(value_get(meta, "namespace"), ""),
                                         .name = value_string_or(value_get(meta, "name"), ""),
                                         .uid = value_string(value_get(meta, "uid")),
                                         .deleting = value_string(value_get(meta, "deletionTimestamp")),
                                         .owners = ret_meta->owners,
                                         .n_owners = n };
        if (!object->uid)
                return -EINVAL;
        if (object->deleting)
                object->waits = value_has_text(finalizers, "orphan")             ? GRAPH_ORPHAN :
                                value_has_text(finalizers, "foregroundDeletion") ? GRAPH_FOREGROUND :
                                                                                   GRAPH_GOES;
        for (uint32_t i = 0; i < n; i++)
                read_owner(garbage, value_at(owners, i), &ret_meta->owners[i]);
        return 0;
}

/* --- changes --- */

/* Whether anything in it may be of interest: told by its bytes, since most have nothing. */
static bool is_of_interest(const struct client_object *object) {
        return client_object_mentions(object, "\"ownerReferences\":[") ||
               client_object_mentions(object, "\"foregroundDeletion\"") || client_object_mentions(object, "\"orphan\"");
}

/* Owners that wait for it to go are looked at. */
static void remove_node(struct garbage *g, struct graph_node *node) {
        for (unsigned i = 0; i < node->n_edges; i++)
                if (node->edges[i].blocks && node->edges[i].owner->node)
                        garbage_add_node(g, node->edges[i].owner->node);
        graph_remove(&g->graph, node);
}

/* Dependents that are told of later look for it again: who made them may not have known. */
static void gone(struct garbage *g, const char *uid) {
        struct graph_owner *owner = graph_owner(&g->graph, uid);

        if (!owner)
                return;
        owner->seen = false;
        garbage_add_dependents(g, owner);
}

bool garbage_is_odd(const struct graph_edge *edge) {
        const struct graph_owner *owner = edge->owner;

        return *owner->namespace && strcmp(owner->namespace, edge->node->namespace) != 0;
}

void garbage_report(struct garbage *garbage, const struct graph_edge *edge) {
        const struct graph_node *node = edge->node;
        const struct graph_owner *owner = edge->owner;
        _cleanup_arena_ struct arena *arena = owner->kind ? arena_new() : NULL;
        const char *version = arena ? kube_api_version(arena, node->kind) : NULL,
                   *owners = arena ? kube_api_version(arena, owner->kind) : NULL;
        const char *message = owners ? arena_printf(arena,
                                                    "ownerRef [%s/%s, namespace: %s, name: %s, uid: %s] does not exist "
                                                    "in namespace \"%s\"",
                                                    owners, owner->kind->kind, node->namespace, owner->name,
                                                    owner->in_graph.key, node->namespace) :
                                       NULL;
        const struct recorder_object object = { version, node->kind->kind, node->namespace, node->name, node->uid };
        const struct recorder_note note = { "Warning", "OwnerRefInvalidNamespace", message };

        if (version && message)
                controller_tell(garbage->controller, &object, &note);
}

bool garbage_may_search(struct garbage *garbage) {
        uint64_t now = controller_now(garbage->controller);

        if (garbage->searched > now + (GARBAGE_SEARCHES - 1) * GARBAGE_SEARCH_NS)
                return false;
        garbage->searched = (garbage->searched > now ? garbage->searched : now) + GARBAGE_SEARCH_NS;
        return true;
}

/* An owner that nobody has seen yet is looked for; what cannot be its dependent is looked at itself. */
static void look_at_owner(struct garbage *g, const struct graph_edge *edge, const struct graph_reference *reference) {
        const struct graph_owner *owner = edge->owner;
        bool same = reference->kind && owner->kind == reference->kind && strcmp(owner->name, reference->name) == 0;

        if (garbage_is_odd(edge) && owner->seen)
                garbage_report(g, edge);
        if (!same || garbage_is_odd(edge) || owner->node)
                garbage_add_node(g, edge->node);
        if (owner->kind && !owner->seen && !owner->kind->namespaced == !*owner->namespace)
                add(g, owner->kind, owner->namespace, owner->name, owner->in_graph.key);
}

static void added(struct garbage *g, const struct graph_node *node, const struct graph_object *object,
                  enum graph_waits before) {
        for (unsigned i = 0; i < node->n_edges; i++)
                look_at_owner(g, &node->edges[i], &object->owners[i]);
        if (node->waits == GRAPH_GOES || node->waits == before)
                return;
        garbage_add_node(g, node);
        if (node->waits == GRAPH_FOREGROUND)
                garbage_add_dependents(g, node->self);
}

static void take(struct garbage *g, struct garbage_handler *h, const struct client_object *object,
                 struct graph_node *node) {
        enum graph_waits before = node ? node->waits : GRAPH_GOES;
        struct garbage_meta meta;
        struct value tree;
        int r;

        arena_reset(g->arena);
        r = kube_project(g->arena, g->wanted, (const char *)object->json->data, object->json->size, &tree);
        r = r ?: garbage_read_meta(g, g->arena, h->kind, &tree, &meta);
        if (r == 0 && node) {
                if (strcmp(node->uid, meta.object.uid) != 0) {
                        gone(g, node->uid);
                        before = GRAPH_GOES;
                }
                remove_node(g, node);
        }
        if (r == 0 && meta.object.n_owners == 0 && meta.object.waits == GRAPH_GOES)
                return;
        node = r == 0 ? graph_add(&g->graph, &meta.object) : NULL;
        if (!node) {
                log_error("%s %s/%s: cannot be kept in mind by the garbage collector: %s", h->kind->resource,
                          object->namespace, object->name, strerror(r < 0 ? -r : ENOMEM));
                return;
        }
        node->round = h->round;
        added(g, node, &meta.object, before);
}

/* Its uid, of the node or else of its bytes. */
static void drop(struct garbage *g, const struct client_object *object, struct graph_node *node) {
        struct value tree;
        const char *uid;

        if (!node && g->graph.owners.n == 0)
                return;
        arena_reset(g->arena);
        if (kube_project(g->arena, g->wanted, (const char *)object->json->data, object->json->size, &tree) < 0)
                return;
        uid = value_string_or(value_find(&tree, "metadata.uid"), "");
        if (node)
                remove_node(g, node);
        gone(g, uid);
}

static void on_changed(struct informer_handler *base, enum client_change change, struct client_object *object,
                       struct client_object *old) {
        struct garbage_handler *h = (struct garbage_handler *)base;
        struct graph_node *node = graph_find(&h->garbage->graph, h->kind, object->namespace, object->name);

        if (change == CLIENT_DELETED)
                drop(h->garbage, object, node);
        else if (node || is_of_interest(object))
                take(h->garbage, h, object, node);
}

/* --- a list anew: what was not in it has gone, and what went unseen may have owned something --- */

static void on_list(struct informer_handler *base) {
        ((struct garbage_handler *)base)->round++;
}

static void look_for(void *data, struct graph_owner *owner) {
        struct garbage_handler *h = data;

        if (owner->kind == h->kind)
                add(h->garbage, owner->kind, owner->namespace, owner->name, owner->in_graph.key);
}

static void on_list_end(struct informer_handler *base) {
        struct garbage_handler *h = (struct garbage_handler *)base;
        struct graph *graph = &h->garbage->graph;
        struct graph_node *next;

        for (struct graph_node *node = graph_after(graph, h->kind, NULL); node; node = next) {
                next = graph_after(graph, h->kind, node);
                if (node->round == h->round)
                        continue;
                gone(h->garbage, node->uid);
                remove_node(h->garbage, node);
        }
        graph_each_owner(graph, look_for, h);
}

/* --- its life --- */

static bool is_collected(const struct kube_kind *kind) {
        return strcmp(kind->resource, "events") != 0;
}

static int follow(struct garbage *g, struct controller *controller) {
        unsigned n;
        const struct kube_kind *const *kinds = controller_all_kinds(controller, &n);
        int r = 0;

        for (unsigned i = 0; r == 0 && i < n; i++) {
                g->handlers[i] = (struct garbage_handler){
                        .base = { .changed = on_changed, .list_begins = on_list, .list_ends = on_list_end },
                        .garbage = g,
                        .kind = kinds[i]
                };
                if (is_collected(kinds[i]))
                        r = controller_follow(controller, kinds[i], &g->handlers[i].base);
        }
        return r;
}

static int start(struct controller *controller) {
        struct garbage *g = calloc(1, sizeof(*g));

        controller_set_data(controller, g);
        if (!g)
                return -ENOMEM;
        g->controller = controller;
        graph_init(&g->graph);
        g->arena = arena_new();
        g->kept = arena_new();
        g->wanted = g->kept ? kube_wanted_new(g->kept) : NULL;
        if (!g->arena || !g->wanted)
                return -ENOMEM;
        return kube_wanted_add(g->kept, g->wanted, WANTED) ?: follow(g, controller);
}

static void stop(struct controller *controller) {
        struct garbage *g = controller_data(controller);

        if (!g)
                return;
        graph_clear(&g->graph);
        arena_free(g->arena);
        arena_free(g->kept);
        free(g);
}

const struct controller_kind controller_garbage = {
        .name = "garbage-collector-controller",
        .alias = "garbagecollector",
        .account = "generic-garbage-collector",
        .reconcile = garbage_collect,
        .start = start,
        .stop = stop,
        .at_once = 64,
};
