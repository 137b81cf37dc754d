/* Role-based access control: Roles, ClusterRoles and their bindings, indexed by subject, and the authorizer over them.
 *
 * Objects are told as they come from the store (rbac.authorization.k8s.io/v1), by one thread; any thread may ask. A
 * question looks at the bindings of the user and its groups alone, whatever the number of others.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/auth/authorizer.h"
#include "kube/authorization_v1.h"
#include "kube/rbac_v1.h"

struct arena;
struct auth_user;
struct rbac;

typedef LIST_OF(struct kube_rbac_v1_policy_rule) rbac_rules;

struct rbac *rbac_new(void);
struct rbac *rbac_free(struct rbac *rbac);

/* What there is now, copied. The same name replaces. -ENOMEM: what was there may be gone with it; tell it again. */
int rbac_set_role(struct rbac *rbac, const struct kube_rbac_v1_role *role);
int rbac_set_cluster_role(struct rbac *rbac, const struct kube_rbac_v1_cluster_role *role);
int rbac_set_role_binding(struct rbac *rbac, const struct kube_rbac_v1_role_binding *binding);
int rbac_set_cluster_role_binding(struct rbac *rbac, const struct kube_rbac_v1_cluster_role_binding *binding);

/* Gone. @resource: roles, clusterroles, rolebindings, clusterrolebindings; @namespace "" where it has none. */
void rbac_forget(struct rbac *rbac, const char *resource, const char *namespace, const char *name);

/* The authorizer, for a chain; @rbac must outlive it. */
struct auth_authorizer rbac_authorizer(struct rbac *rbac);

/* All that @user may in @namespace ("": the cluster), for SelfSubjectRulesReview and escalation checks: copied to
 * @arena. *@ret_error: roles that are bound and not there, in one text; "" for none. */
int rbac_rules_for(struct rbac *rbac, const struct auth_user *user, const char *namespace, struct arena *arena,
                   rbac_rules *ret_rules, const char **ret_error);

/* The status of a SelfSubjectRulesReview: what @user may in @namespace, which must be given (400: "no namespace on
 * request"). -ENOMEM or 0. */
int rbac_review_rules(struct rbac *rbac, const struct auth_user *user, const char *namespace, struct arena *arena,
                      struct kube_authorization_v1_subject_rules_review_status *ret_status);
