/* Nobody gives what they do not have: checks of writes to roles and bindings, and the union that an aggregated role is.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/rbac/rbac.h"

/* Whether @owned covers all of @asked: 1; 0, with what it does not cover, taken apart, in *@ret_missing, which points
 * into @asked; -ENOMEM; -E2BIG when more than @texts_max texts would have to be compared: a rule of 300 groups,
 * resources and verbs is 27 million smallest ones. */
int rbac_covers(struct arena *arena, const rbac_rules *owned, const rbac_rules *asked, uint64_t texts_max,
                rbac_rules *ret_missing);

/* That a request may have compared: some tenths of a second of its loop. */
#define RBAC_TEXTS_MAX UINT64_C(50000000)

/* A role or binding that is to be written, and who writes it. */
struct rbac_grant {
        struct rbac *rbac;
        const struct auth_authorizer *chain;
        size_t n_chain;
        const struct auth_user *user;
        const char *resource, *namespace, *name; /* namespace "": of the cluster */
};

/* A role is to have @rules: allowed where the user may escalate, or has all of them; and may do everything, where the
 * role @aggregates others, now or before. 0, or -EACCES with the 403's words (`user "jane" (groups=["a"]) is attempting
 * to grant RBAC permissions not currently held:` ...) in *@ret_message. */
int rbac_check_role(const struct rbac_grant *grant, const rbac_rules *rules, bool aggregates, struct arena *arena,
                    const char **ret_message);

/* The same for a binding to @ref: allowed where the user may bind that role, or has all that is in it. -ENOENT when
 * there is no such role, with the 404's words. */
int rbac_check_binding(const struct rbac_grant *grant, const struct kube_rbac_v1_role_ref *ref, struct arena *arena,
                       const char **ret_message);

/* The rules of an aggregated ClusterRole: those of all others that its selectors choose, by name, each once. */
int rbac_aggregate(struct rbac *rbac, const struct kube_rbac_v1_cluster_role *role, struct arena *arena,
                   rbac_rules *ret_rules);
