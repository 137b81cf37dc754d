/* What the files of the garbage collector share. A key is an object that is to be looked at: "KIND/NAMESPACE/NAME/UID",
 * KIND its number among all kinds. */
#pragma once

#include "api/controllers/controller.h"
#include "api/controllers/garbage_graph.h"

struct garbage;
struct kube_wanted;
struct value;

#define GARBAGE_OWNERS_MAX 64 /* of one object; those beyond are not looked at, and it is not collected */

struct garbage_handler {
        struct informer_handler base;
        struct garbage *garbage;
        const struct kube_kind *kind;
        uint64_t round; /* of lists */
};

struct garbage {
        struct controller *controller;
        struct graph graph;
        struct arena *arena; /* of one event */
        struct arena *kept;  /* of what is wanted of objects */
        struct kube_wanted *wanted;
        struct garbage_handler handlers[CONTROLLER_KINDS_MAX];
};

/* What @meta says that is of interest: texts are the tree's. -EINVAL: no uid. */
struct garbage_meta {
        struct graph_object object;
        struct graph_reference owners[GARBAGE_OWNERS_MAX];
        bool too_many;
};
int garbage_read_meta(const struct garbage *garbage, const struct kube_kind *kind, const struct value *tree,
                      struct garbage_meta *ret_meta);

/* Have what is named looked at. */
void garbage_add_node(struct garbage *garbage, const struct graph_node *node);
void garbage_add_dependents(struct garbage *garbage, const struct graph_owner *owner);

int garbage_collect(struct task *task); /* controller_kind.reconcile */
