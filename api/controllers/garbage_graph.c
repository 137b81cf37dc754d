#include "api/controllers/garbage_graph.h"

#include <stdlib.h>
#include <string.h>

#include "kube/kinds.h"

struct place {
        const struct kube_kind *kind;
        const char *namespace, *name;
};

static int node_key(const void *key, const void *object) {
        const struct place *place = key;
        const struct graph_node *node = object;
        int c = place->kind < node->kind ? -1 : place->kind > node->kind;

        c = c ?: strcmp(place->namespace, node->namespace);
        return c ?: strcmp(place->name, node->name);
}

static int node_order(const void *a, const void *b) {
        const struct graph_node *node = a;
        const struct place place = { node->kind, node->namespace, node->name };

        return node_key(&place, b);
}

void graph_init(struct graph *graph) {
        *graph = (struct graph){ .nodes = INDEX_INIT(node_order) };
}

void graph_clear(struct graph *graph) {
        for (struct index_cursor at; at = index_seek(&graph->nodes, NULL, NULL), index_at(&at);)
                graph_remove(graph, index_at(&at));
        index_clear(&graph->nodes);
        table_clear(&graph->owners);
}

struct graph_node *graph_find(const struct graph *graph, const struct kube_kind *kind, const char *namespace,
                              const char *name) {
        const struct place place = { kind, namespace, name };

        return index_find(&graph->nodes, node_key, &place);
}

struct graph_owner *graph_owner(const struct graph *graph, const char *uid) {
        return table_object(table_find(&graph->owners, uid), struct graph_owner, in_graph);
}

/* --- owners --- */

static char *put(char **to, const char *text) {
        char *at = *to;

        *to = stpcpy(at, text) + 1;
        return at;
}

/* The record of @uid, which is made where there is none. */
static struct graph_owner *take_owner(struct graph *graph, const struct place *place, const char *uid) {
        struct graph_owner *owner = graph_owner(graph, uid);
        char *texts;

        if (owner)
                return owner;
        owner = malloc(sizeof(*owner) + strlen(uid) + strlen(place->namespace) + strlen(place->name) + 3);
        if (!owner)
                return NULL;
        *owner = (struct graph_owner){ .kind = place->kind };
        texts = (char *)(owner + 1);
        owner->namespace = put(&texts, place->namespace);
        owner->name = put(&texts, place->name);
        if (table_add(&graph->owners, &owner->in_graph, put(&texts, uid)) < 0) {
                free(owner);
                return NULL;
        }
        return owner;
}

static void drop_owner(struct graph *graph, struct graph_owner *owner) {
        if (!owner || owner->node || !graph_edges_is_empty(&owner->edges))
                return;
        table_remove(&graph->owners, &owner->in_graph);
        free(owner);
}

/* --- nodes --- */

static struct graph_node *make_node(const struct graph_object *object) {
        size_t texts = strlen(object->namespace) + strlen(object->name) + strlen(object->uid) + 3;
        struct graph_node *node = malloc(sizeof(*node) + object->n_owners * sizeof(struct graph_edge) + texts);
        char *at;

        if (!node)
                return NULL;
        *node = (struct graph_node){ .kind = object->kind, .waits = object->waits, .deleting = object->deleting };
        node->edges = (struct graph_edge *)(node + 1);
        at = (char *)(node->edges + object->n_owners);
        node->namespace = put(&at, object->namespace);
        node->name = put(&at, object->name);
        node->uid = put(&at, object->uid);
        return node;
}

static bool add_edge(struct graph *graph, struct graph_node *node, const struct graph_reference *reference) {
        const struct place place = { reference->kind, reference->namespaced ? node->namespace : "", reference->name };
        struct graph_owner *owner = take_owner(graph, &place, reference->uid);
        struct graph_edge *edge = &node->edges[node->n_edges];

        if (!owner)
                return false;
        *edge = (struct graph_edge){ .node = node, .owner = owner, .blocks = reference->blocks };
        graph_edges_append(&owner->edges, edge);
        node->n_edges++;
        return true;
}

static bool add_self(struct graph *graph, struct graph_node *node) {
        const struct place place = { node->kind, node->namespace, node->name };

        node->self = take_owner(graph, &place, node->uid);
        if (!node->self)
                return false;
        node->self->node = node;
        return true;
}

struct graph_node *graph_add(struct graph *graph, const struct graph_object *object) {
        struct graph_node *node = make_node(object);
        bool fits = node && (object->waits == GRAPH_GOES || add_self(graph, node));

        for (unsigned i = 0; fits && i < object->n_owners; i++)
                fits = add_edge(graph, node, &object->owners[i]);
        if (fits && index_add(&graph->nodes, node) == 0)
                return node;
        if (node)
                graph_remove(graph, node);
        return NULL;
}

void graph_remove(struct graph *graph, struct graph_node *node) {
        if (graph_find(graph, node->kind, node->namespace, node->name) == node)
                index_remove(&graph->nodes, node);
        for (unsigned i = 0; i < node->n_edges; i++) {
                graph_edges_remove(&node->edges[i]);
                drop_owner(graph, node->edges[i].owner);
        }
        if (node->self) {
                node->self->node = NULL;
                drop_owner(graph, node->self);
        }
        free(node);
}

void graph_each_owner(struct graph *graph, void (*visit)(void *data, struct graph_owner *owner), void *data) {
        for (size_t i = 0; i < graph->owners.n_buckets; i++)
                for (struct table_node *n = graph->owners.buckets[i]; n; n = n->next)
                        visit(data, table_object(n, struct graph_owner, in_graph));
}

struct graph_node *graph_after(const struct graph *graph, const struct kube_kind *kind,
                               const struct graph_node *before) {
        const struct place place = { kind, before ? before->namespace : "", before ? before->name : "" };
        struct index_cursor at = before ? index_seek_after(&graph->nodes, node_key, &place) :
                                          index_seek(&graph->nodes, node_key, &place);
        struct graph_node *node = index_at(&at);

        return node && node->kind == kind ? node : NULL;
}
