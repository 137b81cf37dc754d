#include <string.h>

#include "api/auth/attributes.h"
#include "api/auth/text.h"
#include "api/auth/user.h"
#include "api/rbac/internal.h"
#include "lib/arena.h"
#include "lib/go_text.h"

static bool has_or_all(const string_list *list, const char *text) {
        list_for_each (item, list) {
                if (strcmp(*item, "*") == 0 || strcmp(*item, text) == 0)
                        return true;
        }
        return false;
}

/* "pods/log" is given by itself, by every subresource of the name, and by everything. */
static bool resource_is(const char *rule, const struct auth_attributes *a) {
        size_t n = strlen(a->resource);

        if (strcmp(rule, "*") == 0)
                return true;
        if (!a->subresource[0])
                return strcmp(rule, a->resource) == 0;
        if (strncmp(rule, "*/", 2) == 0 && strcmp(rule + 2, a->subresource) == 0)
                return true;
        return strncmp(rule, a->resource, n) == 0 && rule[n] == '/' && strcmp(rule + n + 1, a->subresource) == 0;
}

static bool has_resource(const string_list *list, const struct auth_attributes *a) {
        list_for_each (rule, list) {
                if (resource_is(*rule, a))
                        return true;
        }
        return false;
}

static bool has_path(const string_list *list, const char *path) {
        list_for_each (rule, list) {
                size_t n = strlen(*rule), all = n;

                if (strcmp(*rule, path) == 0)
                        return true;
                while (n > 0 && (*rule)[n - 1] == '*')
                        n--;
                if (n < all && strncmp(*rule, path, n) == 0)
                        return true;
        }
        return false;
}

bool rbac_rule_allows(const struct kube_rbac_v1_policy_rule *rule, const struct auth_attributes *a) {
        if (!has_or_all(&rule->verbs, a->verb))
                return false;
        if (!a->is_resource)
                return has_path(&rule->non_resource_urls, a->path);
        return has_or_all(&rule->api_groups, a->group) && has_resource(&rule->resources, a) &&
               (rule->resource_names.count == 0 || kube_has(&rule->resource_names, a->name));
}

char *rbac_not_found(struct arena *arena, const struct kube_rbac_v1_role_ref *ref) {
        char *name = go_text_quote(arena, ref->name);

        return name ? arena_printf(arena, "%s.rbac.authorization.k8s.io %s not found",
                                   strcmp(ref->kind, "Role") == 0 ? "role" : "clusterrole", name) :
                      NULL;
}

struct question {
        const struct rbac *rbac;
        const struct auth_attributes *attributes;
        struct arena *arena;
        const struct rbac_link *allowed_by;
        string_list missing; /* roles */
};

static bool ask(void *data, const struct rbac_link *link) {
        struct question *q = data;
        const struct rbac_role *role = rbac_role_of(q->rbac, link->binding);

        if (!role) {
                char *text = rbac_not_found(q->arena, &link->binding->ref);

                if (text && !kube_has(&q->missing, text))
                        auth_list_add(q->arena, &q->missing, text);
                return true;
        }
        list_for_each (rule, &role->rules) {
                if (rbac_rule_allows(rule, q->attributes)) {
                        q->allowed_by = link;
                        return false;
                }
        }
        return true;
}

/* `RBAC: allowed by RoleBinding "read/default" of ClusterRole "view" to ServiceAccount "web/default"` */
static char *describe(struct arena *arena, const struct rbac_link *link) {
        const struct rbac_binding *b = link->binding;
        const struct kube_rbac_v1_subject *s = link->as;
        bool account = strcmp(s->kind, "ServiceAccount") == 0, scoped = b->namespace[0];
        char *binding = arena_printf(arena, "%s%s%s", b->name, scoped ? "/" : "", b->namespace);
        char *subject = arena_printf(arena, "%s%s%s", s->name, account ? "/" : "",
                                     account ? (s->namespace[0] ? s->namespace : b->namespace) : "");
        const char *role = go_text_quote(arena, b->ref.name);

        binding = binding ? go_text_quote(arena, binding) : NULL;
        subject = subject ? go_text_quote(arena, subject) : NULL;
        if (!binding || !subject || !role)
                return NULL;
        return arena_printf(arena, "RBAC: allowed by %s %s of %s %s to %s %s",
                            scoped ? "RoleBinding" : "ClusterRoleBinding", binding, b->ref.kind, role, s->kind,
                            subject);
}

/* Go's text of several errors. */
static char *describe_missing(struct arena *arena, const string_list *missing) {
        char *all = auth_join(arena, missing, ", ");

        if (!all)
                return NULL;
        return missing->count == 1 ? arena_printf(arena, "RBAC: %s", all) : arena_printf(arena, "RBAC: [%s]", all);
}

static void authorize(void *data, const struct auth_attributes *attributes, struct arena *arena,
                      struct auth_verdict *ret) {
        struct rbac *rbac = data;
        struct question q = { .rbac = rbac, .attributes = attributes, .arena = arena };

        pthread_rwlock_rdlock(&rbac->lock);
        rbac_each(rbac, attributes->user, attributes->is_resource ? attributes->namespace : "", arena, ask, &q);
        if (q.allowed_by) {
                ret->decision = AUTH_ALLOW;
                ret->reason = describe(arena, q.allowed_by) ?: "";
        } else if (q.missing.count > 0)
                ret->reason = describe_missing(arena, &q.missing) ?: "";
        pthread_rwlock_unlock(&rbac->lock);
}

struct auth_authorizer rbac_authorizer(struct rbac *rbac) {
        return (struct auth_authorizer){ .name = "RBAC", .authorize = authorize, .data = rbac };
}
