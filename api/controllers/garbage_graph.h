/* Who owns whom, as far as it matters: objects with owners, and such as are to go only after, or without, what they
 * own. All others cost nothing here.
 *
 * An owner is known by its uid, whether or not it is an object that anybody has seen: where no object has that uid, its
 * dependents find out when they are looked at.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/index.h"
#include "lib/list.h"
#include "lib/table.h"

struct graph_owner;
struct kube_kind;

enum graph_waits { GRAPH_GOES, GRAPH_FOREGROUND, GRAPH_ORPHAN };

/* An owner that a node names. */
struct graph_edge {
        struct graph_node *node;
        struct graph_owner *owner;
        bool blocks; /* blockOwnerDeletion */
        struct list_node in_owner;
};

LIST_DEFINE(graph_edges, struct graph_edge, in_owner)

struct graph_owner {
        struct table_node in_graph; /* by uid */
        struct graph_edges edges;
        struct graph_node *node; /* of itself, where it waits to go; else NULL */
        const struct kube_kind *kind;
        const char *namespace, *name; /* as who came first said */
        bool seen;                    /* it is there, under these names */
};

struct graph_node {
        const struct kube_kind *kind;
        const char *namespace, *name, *uid;
        struct graph_owner *self; /* the record of its uid, where it waits; else NULL */
        enum graph_waits waits;
        bool deleting;
        uint64_t round; /* the list that has had it last */
        unsigned n_edges;
        struct graph_edge *edges; /* behind it in memory */
};

struct graph {
        struct index nodes;  /* by kind, namespace, name */
        struct table owners; /* by uid */
};

void graph_init(struct graph *graph);
void graph_clear(struct graph *graph);

/* What an object's metadata says. */
struct graph_reference {
        const struct kube_kind *kind; /* NULL: not known */
        const char *name, *uid;
        bool blocks, namespaced;
};

struct graph_object {
        const struct kube_kind *kind;
        const char *namespace, *name, *uid;
        enum graph_waits waits;
        bool deleting;
        const struct graph_reference *owners;
        unsigned n_owners;
};

struct graph_node *graph_find(const struct graph *graph, const struct kube_kind *kind, const char *namespace,
                              const char *name);
struct graph_owner *graph_owner(const struct graph *graph, const char *uid);

/* Puts a node of @object in, which is not there. All is copied. NULL without memory. */
struct graph_node *graph_add(struct graph *graph, const struct graph_object *object);
void graph_remove(struct graph *graph, struct graph_node *node);

/* @visit changes nothing. */
void graph_each_owner(struct graph *graph, void (*visit)(void *data, struct graph_owner *owner), void *data);

/* The node of @kind behind @before (NULL: the first); NULL: there is none. */
struct graph_node *graph_after(const struct graph *graph, const struct kube_kind *kind,
                               const struct graph_node *before);
