#include "api/rbac/escalation.h"

#include <errno.h>
#include <string.h>

#include "api/auth/attributes.h"
#include "api/auth/text.h"
#include "api/auth/user.h"
#include "api/rbac/compact.h"
#include "api/rbac/internal.h"
#include "lib/arena.h"

#define GROUP "rbac.authorization.k8s.io"

static int refuse(struct arena *arena, const struct auth_user *user, const rbac_rules *missing, const char *error,
                  const char **ret_message) {
        const char *name = auth_quote(arena, user->name), *groups = auth_quote_list(arena, &user->groups), *lines;
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

/* Whether @user has all of @rules in @namespace. */
static int check_rules(struct rbac *rbac, const struct auth_user *user, const char *namespace, const rbac_rules *rules,
                       struct arena *arena, const char **ret_message) {
        rbac_rules owned, missing;
        const char *error;
        int r = rbac_rules_for(rbac, user, namespace, arena, &owned, &error);

        if (r >= 0)
                r = rbac_covers(arena, &owned, rules, &missing);
        if (r != 0)
                return r < 0 ? r : 0;
        return refuse(arena, user, &missing, error, ret_message);
}

int rbac_check_role(struct rbac *rbac, const struct auth_authorizer *chain, size_t n, const struct auth_user *user,
                    const char *resource, const char *namespace, const char *name, const rbac_rules *rules,
                    struct arena *arena, const char **ret_message) {
        struct auth_attributes a = AUTH_ATTRIBUTES(user);

        a.is_resource = true;
        a.verb = "escalate";
        a.namespace = namespace;
        a.group = GROUP;
        a.version = "*";
        a.resource = resource;
        a.name = name;
        if (auth_user_in(user, AUTH_GROUP_MASTERS) || auth_authorize(chain, n, &a, arena).decision == AUTH_ALLOW)
                return 0;
        return check_rules(rbac, user, namespace, rules, arena, ret_message);
}

/* The name is the role's, the resource that of the request. */
static char *no_role(struct arena *arena, const char *namespace, const char *name) {
        const char *quoted = auth_quote(arena, name ?: "");

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

int rbac_check_binding(struct rbac *rbac, const struct auth_authorizer *chain, size_t n, const struct auth_user *user,
                       const char *namespace, const struct kube_rbac_v1_role_ref *ref, struct arena *arena,
                       const char **ret_message) {
        struct auth_attributes a = AUTH_ATTRIBUTES(user);
        rbac_rules rules;
        int r;

        a.is_resource = true;
        a.verb = "bind";
        a.namespace = namespace;
        a.group = ref->api_group ?: "";
        a.version = "*";
        a.resource = strcmp(ref->kind ?: "", "Role") == 0 ? "roles" : "clusterroles";
        a.name = ref->name ?: "";
        if (auth_user_in(user, AUTH_GROUP_MASTERS) || auth_authorize(chain, n, &a, arena).decision == AUTH_ALLOW)
                return 0;
        r = rules_of(rbac, namespace, ref, arena, &rules, ret_message);
        return r < 0 ? r : check_rules(rbac, user, namespace, &rules, arena, ret_message);
}
