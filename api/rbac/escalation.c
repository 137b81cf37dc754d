#include "api/rbac/escalation.h"

#include <errno.h>
#include <string.h>

#include "api/auth/attributes.h"
#include "api/auth/text.h"
#include "api/auth/user.h"
#include "api/rbac/compact.h"
#include "api/rbac/internal.h"
#include "lib/arena.h"
#include "lib/go_text.h"

#define GROUP "rbac.authorization.k8s.io"

static int refuse(struct arena *arena, const struct auth_user *user, const rbac_rules *missing, const char *error,
                  const char **ret_message) {
        const char *name = go_text_quote(arena, user->name), *groups = auth_quote_list(arena, &user->groups), *lines;
        rbac_rules compact;

        if (!name || !groups || rbac_compact(arena, missing, &compact) < 0)
                return -ENOMEM;
        lines = rbac_describe(arena, &compact);
        if (!lines)
                return -ENOMEM;
        *ret_message = arena_printf(
                arena, "user %s (groups=%s) is attempting to grant RBAC permissions not currently held:\n%s%s%s%s",
                name, groups, lines, error[0] ? "; resolution errors: [" : "", error, error[0] ? "]" : "");
        return *ret_message ? -EACCES : -ENOMEM;
}

static int refuse_many(struct arena *arena, const struct auth_user *user, const char **ret_message) {
        const char *name = go_text_quote(arena, user->name);

        *ret_message = name ? arena_printf(arena,
                                           "user %s is attempting to grant more RBAC permissions than can be "
                                           "compared with those held; grant them by several roles",
                                           name) :
                              NULL;
        return *ret_message ? -EACCES : -ENOMEM;
}

/* Whether the user has all of @rules. */
static int check_rules(const struct rbac_grant *grant, const rbac_rules *rules, struct arena *arena,
                       const char **ret_message) {
        rbac_rules owned, missing;
        const char *error;
        int r = rbac_rules_for(grant->rbac, grant->user, grant->namespace, arena, &owned, &error);

        if (r >= 0)
                r = rbac_covers(arena, &owned, rules, RBAC_TEXTS_MAX, &missing);
        if (r == -E2BIG)
                return refuse_many(arena, grant->user, ret_message);
        if (r != 0)
                return r < 0 ? r : 0;
        return refuse(arena, grant->user, &missing, error, ret_message);
}

static bool may(const struct rbac_grant *grant, struct auth_attributes *a, struct arena *arena) {
        a->is_resource = true;
        a->namespace = grant->namespace;
        a->version = "*";
        return auth_user_in(grant->user, AUTH_GROUP_MASTERS) ||
               auth_authorize(grant->chain, grant->n_chain, a, arena).decision == AUTH_ALLOW;
}

/* What is aggregated may become anything. */
static int check_everything(const struct rbac_grant *grant, struct arena *arena, const char **ret_message) {
        static const char *any[] = { "*" };
        static struct kube_rbac_v1_policy_rule everything[] = {
                { .verbs = { any, 1 }, .api_groups = { any, 1 }, .resources = { any, 1 } },
                { .verbs = { any, 1 }, .non_resource_urls = { any, 1 } },
        };
        const rbac_rules rules = { everything, 2 };
        int r = check_rules(grant, &rules, arena, ret_message);

        if (r == -EACCES)
                *ret_message = "must have cluster-admin privileges to use the aggregationRule";
        return r;
}

int rbac_check_role(const struct rbac_grant *grant, const rbac_rules *rules, bool aggregates, struct arena *arena,
                    const char **ret_message) {
        struct auth_attributes a = AUTH_ATTRIBUTES(grant->user);
        int r;

        a.verb = "escalate";
        a.group = GROUP;
        a.resource = grant->resource;
        a.name = grant->name;
        if (may(grant, &a, arena))
                return 0;
        r = check_rules(grant, rules, arena, ret_message);
        return r < 0 || !aggregates ? r : check_everything(grant, arena, ret_message);
}

/* The name is the role's, the resource that of the request. */
static char *no_role(struct arena *arena, const char *namespace, const char *name) {
        const char *quoted = go_text_quote(arena, name ?: "");

        return quoted ? arena_printf(arena, "%s." GROUP " %s not found",
                                     namespace[0] ? "rolebindings" : "clusterrolebindings", quoted) :
                        NULL;
}

/* A copy of the rules of the role @ref. */
static int rules_of(struct rbac *rbac, const char *namespace, const struct kube_rbac_v1_role_ref *ref,
                    struct arena *arena, rbac_rules *ret_rules, const char **ret_message) {
        const struct rbac_role *role;
        int r = -ENOENT;

        pthread_rwlock_rdlock(&rbac->lock);
        role = rbac_find_role(rbac, namespace, ref, arena);
        if (role)
                r = rbac_copy_rules(arena, &role->rules, ret_rules);
        pthread_rwlock_unlock(&rbac->lock);
        if (r == -ENOENT)
                *ret_message = no_role(arena, namespace, ref->name);
        return r;
}

int rbac_check_binding(const struct rbac_grant *grant, const struct kube_rbac_v1_role_ref *ref, struct arena *arena,
                       const char **ret_message) {
        struct auth_attributes a = AUTH_ATTRIBUTES(grant->user);
        rbac_rules rules;
        int r;

        a.verb = "bind";
        a.group = ref->api_group ?: "";
        a.resource = strcmp(ref->kind ?: "", "Role") == 0 ? "roles" : "clusterroles";
        a.name = ref->name ?: "";
        if (may(grant, &a, arena))
                return 0;
        r = rules_of(grant->rbac, grant->namespace, ref, arena, &rules, ret_message);
        return r < 0 ? r : check_rules(grant, &rules, arena, ret_message);
}
