/* What there is, for the files of this room: rbac.c keeps it, authorize.c, rules.c, escalation.c and aggregate.c read
 * it.
 *
 * Roles and bindings are found by namespace and name; bindings also by what they give it to: a link for each subject,
 * in a list for each namespace and subject. A question walks a list for the user and one for each of its groups, of the
 * cluster and of its namespace.
 */
#pragma once

#include <pthread.h>

#include "api/rbac/rbac.h"
#include "lib/index.h"
#include "lib/list.h"
#include "lib/table.h"

struct rbac_role {
        struct table_node node;
        struct arena *arena;
        const char *namespace, *name; /* "" is the cluster */
        rbac_rules rules;
        string_map labels;
};

struct rbac_binding;

struct rbac_link {
        struct list_node in_subject;
        struct rbac_binding *binding;
        struct rbac_subject *subject;
        const struct kube_rbac_v1_subject *as; /* of the binding's */
};
LIST_DEFINE(rbac_links, struct rbac_link, in_subject)

struct rbac_subject {
        struct table_node node;
        struct rbac_links links;
        char key[];
};

struct rbac_binding {
        struct table_node node;
        struct arena *arena;
        const char *namespace, *name;
        const char *role_key;
        struct kube_rbac_v1_role_ref ref;
        LIST_OF(struct kube_rbac_v1_subject) subjects;
        struct rbac_link *links;
        uint32_t n_links;
};

struct rbac {
        pthread_rwlock_t lock;
        struct table roles, bindings, subjects;
        struct index cluster_roles; /* by name, for aggregation */
};

/* Keys: the namespace, what it is (B, G, R, U), the name. A newline is in no namespace. NULL without memory. */
char *rbac_key(struct arena *arena, const char *namespace, char what, const char *name);

/* Out of everything. Below the lock. */
void rbac_role_free(struct rbac *rbac, struct rbac_role *role);
void rbac_binding_free(struct rbac *rbac, struct rbac_binding *binding);

/* The role that @binding gives, NULL when it is not there. Below the lock. */
const struct rbac_role *rbac_role_of(const struct rbac *rbac, const struct rbac_binding *binding);
const struct rbac_role *rbac_find_role(const struct rbac *rbac, const char *namespace,
                                       const struct kube_rbac_v1_role_ref *ref, struct arena *arena);

/* Each binding of @user in the cluster and in @namespace ("": none), until @visit says that it has seen enough. Below
 * the lock. -ENOMEM or 0. */
typedef bool (*rbac_visit)(void *data, const struct rbac_link *link);
int rbac_each(const struct rbac *rbac, const struct auth_user *user, const char *namespace, struct arena *arena,
              rbac_visit visit, void *data);

/* `clusterrole.rbac.authorization.k8s.io "x" not found` */
char *rbac_not_found(struct arena *arena, const struct kube_rbac_v1_role_ref *ref);

/* A deep copy. -ENOMEM or 0. */
int rbac_copy_rules(struct arena *arena, const rbac_rules *rules, rbac_rules *ret_copy);

/* Whether @rule is for what @attributes ask. */
bool rbac_rule_allows(const struct kube_rbac_v1_policy_rule *rule, const struct auth_attributes *attributes);
