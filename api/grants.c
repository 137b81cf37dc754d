/* Writes of roles and bindings: nobody gives what they do not have. */
#include <errno.h>
#include <string.h>

#include "api/access/access.h"
#include "api/admission/admission.h"
#include "api/rbac/escalation.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"

struct grant_write {
        struct api_request *r;
        struct rbac_grant grant;
        const void *object;
        const char *text;
};

static int check_role(struct grant_write *w) {
        const struct kube_rbac_v1_role *role = w->object;
        const rbac_rules rules = { role->rules.items, role->rules.count };

        return rbac_check_role(&w->grant, &rules, false, w->r->arena, &w->text);
}

static int check_cluster_role(struct grant_write *w) {
        const struct kube_rbac_v1_cluster_role *role = w->object;
        const rbac_rules rules = { role->rules.items, role->rules.count };
        static const char selectors[] = "aggregationRule.clusterRoleSelectors";
        bool aggregates = value_count(value_find(w->r->next, selectors)) > 0 ||
                          (!w->r->creates && value_count(value_find(w->r->current_tree, selectors)) > 0);

        return rbac_check_role(&w->grant, &rules, aggregates, w->r->arena, &w->text);
}

static int check_binding(struct grant_write *w) {
        const struct kube_rbac_v1_role_binding *binding = w->object;

        return rbac_check_binding(&w->grant, &binding->role_ref, w->r->arena, &w->text);
}

static int check_cluster_binding(struct grant_write *w) {
        const struct kube_rbac_v1_cluster_role_binding *binding = w->object;

        return rbac_check_binding(&w->grant, &binding->role_ref, w->r->arena, &w->text);
}

static const struct row {
        const char *resource;
        int (*check)(struct grant_write *w);
} rows[] = {
        { "roles", check_role },
        { "clusterroles", check_cluster_role },
        { "rolebindings", check_binding },
        { "clusterrolebindings", check_cluster_binding },
};

static const struct row *row_of(const struct kube_kind *kind) {
        for (size_t i = 0; strcmp(kind->group, "rbac.authorization.k8s.io") == 0 && i < ELEMENTS(rows); i++)
                if (strcmp(rows[i].resource, kind->resource) == 0)
                        return &rows[i];
        return NULL;
}

static bool is_one_of(const char *key, const char *const *keys, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(keys[i], key) == 0)
                        return true;
        return false;
}

/* Whether each member of @a, but @keys, is the same in @b. */
static bool has_same(const struct value *a, const struct value *b, const char *const *keys, size_t n) {
        for (uint32_t i = 0; i < value_count(a); i++)
                if (!is_one_of(a->members[i].key, keys, n) &&
                    !value_equal(&a->members[i].value, value_get(b, a->members[i].key)))
                        return false;
        return true;
}

/* What the collector of garbage does to let an object go gives nothing to anybody. */
static bool only_lets_go(const struct api_request *r) {
        static const char *const collectors[] = { "ownerReferences", "finalizers", "managedFields", "resourceVersion" };
        static const char *const outer[] = { "metadata" };
        const struct value *meta = value_get(r->next, "metadata"), *before = value_get(r->current_tree, "metadata");

        return has_same(r->next, r->current_tree, outer, ELEMENTS(outer)) &&
               has_same(r->current_tree, r->next, outer, ELEMENTS(outer)) &&
               has_same(meta, before, collectors, ELEMENTS(collectors)) &&
               has_same(before, meta, collectors, ELEMENTS(collectors));
}

static enum api_step refuse(struct api_request *r, int error, const char *text) {
        const struct kube_kind *kind = r->kind;

        if (error == -EACCES)
                return api_refuse_object(r, API_FORBIDDEN, r->name, "%s.%s \"%s\" is forbidden: %s", kind->resource,
                                         kind->group, r->name, text);
        if (error == -ENOENT)
                return api_refuse_object(r, API_NOT_FOUND, value_string_or(value_find(r->next, "roleRef.name"), ""),
                                         "%s", text);
        return api_fail(r, error, NULL);
}

enum api_step api_admit_grant(struct api_request *r) {
        struct api_access *access = r->server->config.data;
        const struct row *row = row_of(r->kind);
        struct grant_write w = { .r = r, .text = "" };
        struct problems problems;
        void *object;
        int error;

        if (!row || (!r->creates && only_lets_go(r)))
                return API_NEXT;
        object = arena_alloc(r->arena, r->resource->kind->type->size);
        problems_init(&problems, r->arena, NULL, NULL);
        error = object ? kube_value_read(r->arena, r->resource->kind->type, r->next, "", &problems, object) : -ENOMEM;
        if (error < 0)
                return api_fail(r, error, NULL);
        w.object = object;
        w.grant = (struct rbac_grant){ .rbac = api_access_roles(access),
                                       .user = &r->user,
                                       .resource = r->kind->resource,
                                       .namespace = r->kind->namespaced ? r->path.namespace : "",
                                       .name = r->name };
        w.grant.chain = api_access_chain(access, &w.grant.n_chain);
        error = row->check(&w);
        return error < 0 ? refuse(r, error, w.text) : API_NEXT;
}
