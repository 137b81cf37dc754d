/* What the graph of nodes.h is made of: owners, which are what the store has, and what each brings about. For
 * node_graph.c and node_owners.c; all below the lock.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>

#include "api/rbac/graph.h"
#include "api/rbac/rbac.h"
#include "lib/list.h"
#include "lib/table.h"

#define RBAC_LINKS_MAX 16 /* secrets of a volume */

/* That a node has to do with an object, and for how many reasons. */
struct rbac_relation {
        struct table_node node;
        unsigned reasons;
        char key[];
};

/* A secret that volumes name. */
struct rbac_volume_secret;

struct rbac_owner;

struct rbac_secret_link {
        struct list_node in_secret;
        struct rbac_owner *owner;
        struct rbac_volume_secret *secret;
};
LIST_DEFINE(rbac_secret_links, struct rbac_secret_link, in_secret)

struct rbac_volume_secret {
        struct table_node node;
        struct rbac_secret_links links;
        char key[];
};

/* A pod, volume, attachment or slice, with what it brings about. */
struct rbac_owner {
        struct table_node node;
        struct arena *arena;
        struct rbac_relation **grants;
        uint32_t n_grants, room;
        const char *claim_namespace, *claim; /* of a volume; NULL: none */
        struct rbac_secret_link *links;
        uint32_t n_links;
};

struct rbac_nodes {
        pthread_rwlock_t lock;
        struct table owners, grants, secrets;
        struct arena *arena; /* of the rules */
        rbac_rules rules;
};

/* Keys: of an object; of an object and a node. NULL without memory. */
char *rbac_vertex_key(struct arena *arena, enum rbac_vertex vertex, const char *namespace, const char *name);
char *rbac_relation_key(struct arena *arena, enum rbac_vertex vertex, const char *namespace, const char *name,
                        const char *node);

/* A new owner in the place of the old one, with nothing yet. -EINVAL: @object has no name; -ENOMEM. */
int rbac_owner_replace(struct rbac_nodes *nodes, enum rbac_vertex vertex, const struct value *object,
                       struct rbac_owner **ret_owner);

/* With all that it brought about. */
void rbac_owner_drop(struct rbac_nodes *nodes, struct rbac_owner *owner);

/* For the sake of @owner, @node has to do with the object. -ENOMEM or 0. */
int rbac_owner_give(struct rbac_nodes *nodes, struct rbac_owner *owner, enum rbac_vertex vertex, const char *namespace,
                    const char *name, const char *node);

/* The volume @owner names that secret; of more than RBAC_LINKS_MAX nothing comes. -ENOMEM or 0. */
int rbac_owner_link(struct rbac_nodes *nodes, struct rbac_owner *owner, const char *namespace, const char *name);
