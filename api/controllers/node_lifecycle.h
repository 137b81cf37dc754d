/* What the files of the node lifecycle controller share. */
#pragma once

#include "api/controllers/controller.h"
#include "api/controllers/node_zones.h"

struct kube_wanted;

enum { NODE_NODES, NODE_LEASES, NODE_PODS }; /* the watches */

struct node_lifecycle {
        struct node_zones zones;
        struct table nodes;
        unsigned lost; /* nodes whose Ready is not True */
        struct arena *kept, *scratch;
        struct kube_wanted *facts, *renewal;
};

/* controller_kind.start and stop */
int node_lifecycle_start(struct controller *controller);
void node_lifecycle_stop(struct controller *controller);

struct node_record *node_lifecycle_find(const struct node_lifecycle *l, const char *name);
void node_lifecycle_set_lost(struct node_lifecycle *l, struct node_record *node, bool lost);
void node_lifecycle_forget(struct node_lifecycle *l, struct node_record *node);

/* @object has come, has changed, or is gone: signs of life, its zone. *@ret_node is its record; NULL: nobody has known
 * it. 0, -EINVAL, -ENOMEM. */
int node_lifecycle_see(struct controller *controller, const struct client_object *object,
                       struct node_record **ret_node);

/* @lease was renewed, perhaps, and perhaps of a node. */
void node_lifecycle_see_lease(struct controller *controller, const struct client_object *lease);
