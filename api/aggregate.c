/* ClusterRoles with an aggregationRule have the rules of those that it selects. */
#include <errno.h>
#include <string.h>

#include "api/cache/collection.h"
#include "api/chores.h"
#include "api/put.h"
#include "api/rbac/escalation.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"

typedef struct kube_rbac_v1_cluster_role cluster_role;

static bool is_same(struct arena *arena, const rbac_rules *a, const cluster_role *role) {
        const cluster_role with_a = { .rules = { a->items, a->count } },
                           with_own = { .rules = { role->rules.items, role->rules.count } };
        const char *x = api_put_text(arena, &kube_rbac_v1_cluster_role_type, &with_a),
                   *y = api_put_text(arena, &kube_rbac_v1_cluster_role_type, &with_own);

        return x && y && strcmp(x, y) == 0;
}

static int aggregate(const struct api_chores_config *config, struct arena *arena, struct api_resource *of,
                     const struct object *object) {
        cluster_role *role = arena_alloc(arena, sizeof(*role));
        rbac_rules rules;
        int r = role ? kube_json_read(arena, &kube_rbac_v1_cluster_role_type, (const char *)object->json->data,
                                      object->json->size, NULL, role) :
                       -ENOMEM;

        if (r < 0 || !role->aggregation_rule)
                return r;
        r = rbac_aggregate(config->roles, role, arena, &rules);
        if (r < 0 || is_same(arena, &rules, role))
                return r;
        role->rules.items = rules.items;
        role->rules.count = rules.count;
        return api_put_typed(config->state, arena, of, role, object->revision);
}

int api_aggregate_roles(const struct api_chores_config *config, struct arena *arena) {
        static const struct collection_query everything = { .limit = 0 };
        struct api_resource *of = api_state_find(config->state, "rbac.authorization.k8s.io", "clusterroles");
        struct collection_page page = { 0 };
        int r = collection_list(of->collection, &everything, &page);

        for (size_t i = 0; r == 0 && i < page.n; i++) {
                arena_reset(arena);
                r = aggregate(config, arena, of, page.objects[i]);
                r = r == -ESTALE || r == -ENOENT ? 0 : r; /* the change of somebody else's has made it due again */
        }
        collection_page_clear(&page);
        return r;
}
