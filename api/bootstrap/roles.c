#include <errno.h>
#include <string.h>

#include "api/bootstrap/bootstrap.h"
#include "api/cache/collection.h"
#include "api/rest/put.h"
#include "api/rbac/defaults.h"
#include "api/server/codec.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/kinds.h"
#include "kube/meta_v1.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

/* --- roles and bindings: what is missing is made, what lacks something gets it --- */

struct roles {
        struct api_state *state;
        const char *resource;
        int (*look)(struct arena *arena, const void *wanted, const void *there, enum rbac_change *ret_change,
                    void *ret_object);
};

static const struct kube_object_meta *meta_of(struct api_resource *of, const void *object) {
        const struct kube_field *field = kube_type_field(of->kind->type, "metadata", strlen("metadata"));

        return (const void *)((const char *)object + field->offset);
}

static const char *name_of(struct api_resource *of, const void *object) {
        return meta_of(of, object)->name;
}

static const char *namespace_of(struct api_resource *of, const void *object) {
        return meta_of(of, object)->namespace ?: "";
}

static int reconcile_one(const struct roles *roles, struct arena *arena, const void *wanted) {
        struct api_resource *of = api_state_find(roles->state, "rbac.authorization.k8s.io", roles->resource);
        _cleanup_object_ struct object *current =
                collection_get(of->collection, namespace_of(of, wanted), name_of(of, wanted));
        void *there = current ? arena_alloc(arena, of->kind->type->size) : NULL,
             *made = arena_alloc(arena, of->kind->type->size);
        enum rbac_change change;
        const char *json;
        int r = made && (there || !current) ? 0 : -ENOMEM;

        if (r < 0 || (current && (r = api_struct_of(arena, of->kind->type, current, there)) < 0) ||
            (r = roles->look(arena, wanted, there, &change, made)) < 0 || change == RBAC_KEEP)
                return r;
        if (change != RBAC_CREATE)
                return api_put_typed(roles->state, arena, of, made, current->revision);
        json = api_put_text(arena, of->kind->type, made);
        return json ? api_put_new(roles->state, arena, of, json, strlen(json)) : -ENOMEM;
}

#define LOOK(kind)                                                                                                     \
        static int look_at_##kind(struct arena *arena, const void *wanted, const void *there,                          \
                                  enum rbac_change *ret_change, void *ret_object) {                                    \
                return rbac_reconcile_##kind(arena, wanted, there, ret_change, ret_object);                            \
        }
LOOK(cluster_role)
LOOK(role)
LOOK(cluster_role_binding)
LOOK(role_binding)

#define RECONCILE(list, name, kind)                                                                                    \
        list_for_each (object, &(list)) {                                                                              \
                const struct roles roles = { state, name, look_at_##kind };                                            \
                                                                                                                       \
                if (r == 0)                                                                                            \
                        r = reconcile_one(&roles, arena, object);                                                      \
        }

int api_bootstrap_roles(struct api_state *state, struct arena *arena) {
        struct rbac_defaults all;
        int r = rbac_defaults(arena, &all);

        if (r < 0)
                return r;
        RECONCILE(all.cluster_roles, "clusterroles", cluster_role)
        RECONCILE(all.cluster_role_bindings, "clusterrolebindings", cluster_role_binding)
        RECONCILE(all.roles, "roles", role)
        RECONCILE(all.role_bindings, "rolebindings", role_binding)
        return r;
}
