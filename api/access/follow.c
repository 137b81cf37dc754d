#include "api/access/follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache/follower.h"
#include "api/rbac/nodes.h"
#include "api/rbac/rbac.h"
#include "api/server/codec.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "kube/rbac_v1.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/value.h"

#define RBAC_GROUP "rbac.authorization.k8s.io"

struct api_follow;

/* What is told of a resource: as its struct, or as a tree. */
static const struct row {
        const char *group, *resource;
        int (*set_role)(struct rbac *rbac, const struct kube_rbac_v1_role *role);
        int (*set_cluster_role)(struct rbac *rbac, const struct kube_rbac_v1_cluster_role *role);
        int (*set_binding)(struct rbac *rbac, const struct kube_rbac_v1_role_binding *binding);
        int (*set_cluster_binding)(struct rbac *rbac, const struct kube_rbac_v1_cluster_role_binding *binding);
        int (*set_tree)(struct rbac_nodes *nodes, const struct value *tree);
} rows[] = {
        { RBAC_GROUP, "roles", .set_role = rbac_set_role },
        { RBAC_GROUP, "clusterroles", .set_cluster_role = rbac_set_cluster_role },
        { RBAC_GROUP, "rolebindings", .set_binding = rbac_set_role_binding },
        { RBAC_GROUP, "clusterrolebindings", .set_cluster_binding = rbac_set_cluster_role_binding },
        { "", "pods", .set_tree = rbac_nodes_set_pod },
        { "", "persistentvolumes", .set_tree = rbac_nodes_set_volume },
        { "storage.k8s.io", "volumeattachments", .set_tree = rbac_nodes_set_attachment },
        { "resource.k8s.io", "resourceslices", .set_tree = rbac_nodes_set_slice },
};

struct follower {
        struct collection_follower base; /* first */
        struct api_follow *follow;
        const struct row *row;
        struct api_resource *resource;
};

struct api_follow {
        struct rbac *rbac;
        struct rbac_nodes *nodes;
        struct arena *arena; /* of one object */
        struct follower all[ELEMENTS(rows)];
};

static int set_typed(struct follower *f, const void *object) {
        const struct row *row = f->row;

        return row->set_role         ? row->set_role(f->follow->rbac, object) :
               row->set_cluster_role ? row->set_cluster_role(f->follow->rbac, object) :
               row->set_binding      ? row->set_binding(f->follow->rbac, object) :
                                       row->set_cluster_binding(f->follow->rbac, object);
}

static int set(struct follower *f, const struct object *object) {
        const struct kube_type *type = f->resource->kind->type;
        struct arena *arena = f->follow->arena;
        const struct value *tree;
        void *typed;
        int r;

        arena_reset(arena);
        if (f->row->set_tree)
                return api_tree_of(arena, object, &tree) ?: f->row->set_tree(f->follow->nodes, tree);
        typed = arena_alloc(arena, type->size);
        if (!typed)
                return -ENOMEM;
        r = api_struct_of(arena, type, object, typed);
        return r ?: set_typed(f, typed);
}

static void forget(struct follower *f, const struct object *object) {
        if (f->row->set_tree)
                rbac_nodes_forget(f->follow->nodes, f->resource->name, object->namespace, object->name);
        else
                rbac_forget(f->follow->rbac, f->resource->name, object->namespace, object->name);
}

/* What cannot be told now would be answered wrongly from here on: told again at the next start. */
static int tell(struct collection_follower *base, struct object *now, struct object *before) {
        struct follower *f = (struct follower *)base;
        int r = now ? set(f, now) : 0;

        if (!now)
                forget(f, before);
        if (r < 0 && base->collection) {
                log_error("no memory for %s %s/%s: ending, to begin from what is on disk", f->resource->name,
                          now->namespace, now->name);
                abort();
        }
        return r;
}

struct api_follow *api_follow_new(struct api_state *state, struct rbac *rbac, struct rbac_nodes *nodes,
                                  struct err **err) {
        struct api_follow *follow = calloc(1, sizeof(*follow));
        int r = follow ? 0 : -ENOMEM;

        if (follow) {
                follow->rbac = rbac;
                follow->nodes = nodes;
                follow->arena = arena_new();
                r = follow->arena ? 0 : -ENOMEM;
        }
        for (size_t i = 0; r == 0 && i < ELEMENTS(rows); i++) {
                struct follower *f = &follow->all[i];

                f->follow = follow;
                f->row = &rows[i];
                f->resource = api_state_find(state, rows[i].group, rows[i].resource);
                f->base.told = tell;
                r = f->resource ? collection_follow(f->resource->collection, &f->base) : 0;
        }
        if (r < 0) {
                err_errno(err, -r, "cannot read roles and bindings");
                api_follow_free(follow);
                return NULL;
        }
        return follow;
}

void api_follow_free(struct api_follow *follow) {
        if (!follow)
                return;
        for (size_t i = 0; i < ELEMENTS(follow->all); i++)
                collection_unfollow(&follow->all[i].base);
        arena_free(follow->arena);
        free(follow);
}
