/* What a node may: the Node authorizer over a graph of what its pods need, and NodeRestriction's check of what it
 * writes.
 *
 * The graph says of each object which nodes have to do with it: a pod's node with the pod and with the secrets,
 * configmaps, claims and service account that it names; with a claim's volume, and with the secrets of that; a volume
 * attachment's or resource slice's node with these. A question is one look-up, however many pods name the object. The
 * graph is told of objects as the store has them, by one thread; any may ask.
 */
#pragma once

#include "api/auth/authorizer.h"

struct arena;
struct rbac_nodes;
struct value;

struct rbac_nodes *rbac_nodes_new(void);
struct rbac_nodes *rbac_nodes_free(struct rbac_nodes *nodes);

/* What there is now; the same name replaces. Objects are trees: what names others is found by its place in them.
 * -EINVAL: it has no name. -ENOMEM: what was known of it may be gone; tell it again. */
int rbac_nodes_set_pod(struct rbac_nodes *nodes, const struct value *pod);
int rbac_nodes_set_volume(struct rbac_nodes *nodes, const struct value *volume);
int rbac_nodes_set_attachment(struct rbac_nodes *nodes, const struct value *attachment);
int rbac_nodes_set_slice(struct rbac_nodes *nodes, const struct value *slice);

/* @resource: pods, persistentvolumes, volumeattachments, resourceslices. */
void rbac_nodes_forget(struct rbac_nodes *nodes, const char *resource, const char *namespace, const char *name);

/* The authorizer: members of system:nodes that are a node; for all others no opinion. */
struct auth_authorizer rbac_nodes_authorizer(struct rbac_nodes *nodes);

/* NodeRestriction, of a create, update or delete (and the subresources'): @object as it is to be, @old as it is; NULL
 * where there is none. Of others than nodes 0. Else 0 or -EACCES with *@ret_message, what comes behind
 * `RESOURCE "NAME" is forbidden: ` in the 403; -ENOMEM. */
int rbac_node_restriction(const struct auth_attributes *attributes, const struct value *object, const struct value *old,
                          struct arena *arena, const char **ret_message);
