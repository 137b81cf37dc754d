/* The roles and bindings that every cluster has, as data, and what is done so that they stay.
 *
 * At each start, and where one was deleted, what is missing is made; what is there gets the rules and subjects that it
 * lacks, unless its annotation rbac.authorization.kubernetes.io/autoupdate is "false". A binding to another role is
 * made anew, since a roleRef cannot change.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "kube/rbac_v1.h"

struct arena;

#define RBAC_AUTOUPDATE "rbac.authorization.kubernetes.io/autoupdate" /* an annotation */

/* All of them, typed, made in @arena. -ENOMEM or 0. */
struct rbac_defaults {
        LIST_OF(struct kube_rbac_v1_cluster_role) cluster_roles;
        LIST_OF(struct kube_rbac_v1_cluster_role_binding) cluster_role_bindings;
        LIST_OF(struct kube_rbac_v1_role) roles;
        LIST_OF(struct kube_rbac_v1_role_binding) role_bindings;
};
int rbac_defaults(struct arena *arena, struct rbac_defaults *ret_defaults);

enum rbac_change { RBAC_KEEP, RBAC_CREATE, RBAC_UPDATE, RBAC_RECREATE };

/* What is to be done so that @there (NULL: nothing is) is as @wanted; *@ret_object is what is to be written. */
int rbac_reconcile_cluster_role(struct arena *arena, const struct kube_rbac_v1_cluster_role *wanted,
                                const struct kube_rbac_v1_cluster_role *there, enum rbac_change *ret_change,
                                struct kube_rbac_v1_cluster_role *ret_object);
int rbac_reconcile_role(struct arena *arena, const struct kube_rbac_v1_role *wanted,
                        const struct kube_rbac_v1_role *there, enum rbac_change *ret_change,
                        struct kube_rbac_v1_role *ret_object);
int rbac_reconcile_cluster_role_binding(struct arena *arena, const struct kube_rbac_v1_cluster_role_binding *wanted,
                                        const struct kube_rbac_v1_cluster_role_binding *there,
                                        enum rbac_change *ret_change,
                                        struct kube_rbac_v1_cluster_role_binding *ret_object);
int rbac_reconcile_role_binding(struct arena *arena, const struct kube_rbac_v1_role_binding *wanted,
                                const struct kube_rbac_v1_role_binding *there, enum rbac_change *ret_change,
                                struct kube_rbac_v1_role_binding *ret_object);
