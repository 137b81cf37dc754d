/* Nobody gives what they do not have: checks of writes to roles and bindings, and the union that an aggregated role is.
 */
#pragma once

#include "api/rbac/rbac.h"

/* Whether @owned covers all of @asked: 1; 0, with what it does not cover, taken apart, in *@ret_missing, which points
 * into @asked; -ENOMEM. */
int rbac_covers(struct arena *arena, const rbac_rules *owned, const rbac_rules *asked, rbac_rules *ret_missing);

/* A role in @namespace ("": a ClusterRole) is to have @rules, and @user writes it: allowed where it may escalate, or
 * has all of them. 0, or -EACCES with the 403's words (`user "jane" (groups=["a"]) is attempting to grant RBAC
 * permissions not currently held:` ...) in *@ret_message. */
int rbac_check_role(struct rbac *rbac, const struct auth_authorizer *chain, size_t n, const struct auth_user *user,
                    const char *resource, const char *namespace, const char *name, const rbac_rules *rules,
                    struct arena *arena, const char **ret_message);

/* The same for a binding to @ref: allowed where @user may bind that role, or has all that is in it. -ENOENT when there
 * is no such role, with the 404's words. */
int rbac_check_binding(struct rbac *rbac, const struct auth_authorizer *chain, size_t n, const struct auth_user *user,
                       const char *namespace, const struct kube_rbac_v1_role_ref *ref, struct arena *arena,
                       const char **ret_message);

/* The rules of an aggregated ClusterRole: those of all others that its selectors choose, by name, each once. */
int rbac_aggregate(struct rbac *rbac, const struct kube_rbac_v1_cluster_role *role, struct arena *arena,
                   rbac_rules *ret_rules);
