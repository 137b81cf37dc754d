/* What a node may: the Node authorizer over a graph of what its pods need, and NodeRestriction's check of what it
 * writes.
 *
 * The graph has edges from objects to the nodes that have to do with them: a pod's to its node, from there to the
 * secrets, configmaps, claims and their volumes, service account of the pod; a volume attachment's to its node. It is
 * told of objects as the store has them, by one thread; any may ask.
 */
#pragma once

#include "api/auth/authorizer.h"

struct arena;
struct auth_nodes;
struct auth_user;
struct value;

struct auth_nodes *auth_nodes_new(void);
struct auth_nodes *auth_nodes_free(struct auth_nodes *nodes);

/* A pod with its node, or without one; replaced by namespace and name. -ENOMEM leaves the old edges. The pod is a tree:
 * what names other objects is found by its place in the spec. */
int auth_nodes_set_pod(struct auth_nodes *nodes, const struct value *pod);
int auth_nodes_set_volume(struct auth_nodes *nodes, const struct value *volume);
int auth_nodes_set_attachment(struct auth_nodes *nodes, const struct value *attachment);

/* @resource: pods, persistentvolumes, volumeattachments. */
void auth_nodes_forget(struct auth_nodes *nodes, const char *resource, const char *namespace, const char *name);

/* The authorizer: members of system:nodes that are a node; for all others no opinion. */
struct auth_authorizer auth_nodes_authorizer(struct auth_nodes *nodes);

/* NodeRestriction, for a create, update or delete by a node: @object as it is to be, @old as it is; NULL where there is
 * none. 0, or -EACCES with *@ret_message, the 403's words behind `RESOURCE "NAME" is forbidden: `. */
int auth_node_restriction(const struct auth_attributes *attributes, const struct value *object, const struct value *old,
                          struct arena *arena, const char **ret_message);
