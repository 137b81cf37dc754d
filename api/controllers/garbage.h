/* What the files of the garbage collector share. A key is an object that is to be looked at: "KIND/NAMESPACE/NAME/UID",
 * KIND its number among all kinds. */
#pragma once

#include "api/controllers/controller.h"
#include "api/controllers/garbage_graph.h"

struct garbage;
struct kube_wanted;
struct value;

struct garbage_handler {
        struct informer_handler base;
        struct garbage *garbage;
        const struct kube_kind *kind;
        uint64_t round; /* of lists */
};

struct garbage {
        struct controller *controller;
        struct graph graph;
        uint64_t searched;   /* ns: until when what was searched for counts */
        struct arena *arena; /* of one event */
        struct arena *kept;  /* of what is wanted of objects */
        struct kube_wanted *wanted;
        struct garbage_handler handlers[CONTROLLER_KINDS_MAX];
};

/* What the metadata of @tree, an object of @kind, says that is of interest: texts are the tree's, owners, as many as an
 * object has room for, are in @arena. -EINVAL: no uid; -ENOMEM. */
struct garbage_meta {
        struct graph_object object;
        struct graph_reference *owners;
};
int garbage_read_meta(const struct garbage *garbage, struct arena *arena, const struct kube_kind *kind,
                      const struct value *tree, struct garbage_meta *ret_meta);

/* Whether what @edge names cannot be the owner that is known: it is looked for in another namespace. */
bool garbage_is_odd(const struct graph_edge *edge);

/* Tells of the object of @edge that its owner is in another namespace. */
void garbage_report(struct garbage *garbage, const struct graph_edge *edge);

/* Whether an owner may be searched for in all namespaces now: so many at once, then one in the time; whoever invents
 * owners has no more of it. */
#define GARBAGE_SEARCHES 20
#define GARBAGE_SEARCH_NS (WORK_SECOND / 10)
bool garbage_may_search(struct garbage *garbage);

/* Have what is named looked at. */
void garbage_add_node(struct garbage *garbage, const struct graph_node *node);
void garbage_add_dependents(struct garbage *garbage, const struct graph_owner *owner);

int garbage_collect(struct task *task); /* controller_kind.reconcile */
