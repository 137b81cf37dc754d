#include <errno.h>

#include "api/auth/text.h"
#include "api/rbac/internal.h"
#include "lib/arena.h"

static int copy_rule(struct arena *arena, const struct kube_rbac_v1_policy_rule *from,
                     struct kube_rbac_v1_policy_rule *to) {
        int r;

        if ((r = auth_list_copy(arena, &from->verbs, &to->verbs)) < 0 ||
            (r = auth_list_copy(arena, &from->api_groups, &to->api_groups)) < 0 ||
            (r = auth_list_copy(arena, &from->resources, &to->resources)) < 0 ||
            (r = auth_list_copy(arena, &from->resource_names, &to->resource_names)) < 0)
                return r;
        return auth_list_copy(arena, &from->non_resource_urls, &to->non_resource_urls);
}

int rbac_copy_rules(struct arena *arena, const rbac_rules *rules, rbac_rules *ret_copy) {
        rbac_rules copy = { arena_alloc_array(arena, rules->count + 1, sizeof(*copy.items)), rules->count };
        int r;

        if (!copy.items)
                return -ENOMEM;
        for (uint32_t i = 0; i < copy.count; i++)
                if ((r = copy_rule(arena, &rules->items[i], &copy.items[i])) < 0)
                        return r;
        *ret_copy = copy;
        return 0;
}

static int copy_labels(struct arena *arena, const string_map *labels, string_map *ret_copy) {
        string_map copy = { arena_alloc_array(arena, labels->count + 1, sizeof(*copy.items)), labels->count };

        for (uint32_t i = 0; copy.items && i < copy.count; i++) {
                copy.items[i].key = arena_strdup(arena, labels->items[i].key);
                copy.items[i].value = arena_strdup(arena, labels->items[i].value);
                if (!copy.items[i].key || !copy.items[i].value)
                        return -ENOMEM;
        }
        *ret_copy = copy;
        return copy.items ? 0 : -ENOMEM;
}

static int fill_role(struct rbac_role *role, const struct kube_object_meta *meta, const char *namespace,
                     const rbac_rules *rules) {
        int r = rbac_copy_rules(role->arena, rules, &role->rules);

        role->namespace = arena_strdup(role->arena, namespace);
        role->name = arena_strdup(role->arena, meta->name);
        if (r < 0 || !role->namespace || !role->name)
                return -ENOMEM;
        return copy_labels(role->arena, &meta->labels, &role->labels);
}

/* In place of what is there by its name: first what can fail, then the exchange. */
static int put_role(struct rbac *rbac, struct rbac_role *role, char *key) {
        struct rbac_role *old = table_object(table_find(&rbac->roles, key), struct rbac_role, node);
        int r;

        if (old)
                rbac_role_free(rbac, old);
        r = table_add(&rbac->roles, &role->node, key);
        if (r >= 0 && !role->namespace[0]) {
                r = index_add(&rbac->cluster_roles, role);
                if (r < 0)
                        table_remove(&rbac->roles, &role->node);
        }
        return r;
}

static int set_role(struct rbac *rbac, const struct kube_object_meta *meta, const char *namespace,
                    const rbac_rules *rules) {
        struct arena *arena = arena_new();
        struct rbac_role *role = arena ? arena_new_of(arena, struct rbac_role) : NULL;
        char *key = role ? rbac_key(arena, namespace, 'R', meta->name) : NULL;
        int r = -ENOMEM;

        if (key) {
                role->arena = arena;
                r = fill_role(role, meta, namespace, rules);
        }
        if (r >= 0) {
                pthread_rwlock_wrlock(&rbac->lock);
                r = put_role(rbac, role, key);
                pthread_rwlock_unlock(&rbac->lock);
        }
        if (r < 0)
                arena_free(arena);
        return r;
}

int rbac_set_role(struct rbac *rbac, const struct kube_rbac_v1_role *role) {
        const rbac_rules rules = { role->rules.items, role->rules.count };

        return set_role(rbac, &role->metadata, role->metadata.namespace, &rules);
}

int rbac_set_cluster_role(struct rbac *rbac, const struct kube_rbac_v1_cluster_role *role) {
        const rbac_rules rules = { role->rules.items, role->rules.count };

        return set_role(rbac, &role->metadata, "", &rules);
}
