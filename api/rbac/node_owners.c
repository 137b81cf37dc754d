#include "api/rbac/owners.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/value.h"

char *rbac_vertex_key(struct arena *arena, enum rbac_vertex vertex, const char *namespace, const char *name) {
        return arena_printf(arena, "%c%s\n%s", vertex, namespace, name);
}

char *rbac_relation_key(struct arena *arena, enum rbac_vertex vertex, const char *namespace, const char *name,
                        const char *node) {
        return arena_printf(arena, "%c%s\n%s\n%s", vertex, namespace, name, node);
}

static void drop_grant(struct rbac_nodes *nodes, struct rbac_relation *grant) {
        if (--grant->reasons > 0)
                return;
        table_remove(&nodes->grants, &grant->node);
        free(grant);
}

static void drop_link(struct rbac_nodes *nodes, struct rbac_secret_link *link) {
        rbac_secret_links_remove(link);
        if (!rbac_secret_links_is_empty(&link->secret->links))
                return;
        table_remove(&nodes->secrets, &link->secret->node);
        free(link->secret);
}

void rbac_owner_drop(struct rbac_nodes *nodes, struct rbac_owner *owner) {
        for (uint32_t i = 0; i < owner->n_grants; i++)
                drop_grant(nodes, owner->grants[i]);
        for (uint32_t i = 0; i < owner->n_links; i++)
                drop_link(nodes, &owner->links[i]);
        if (owner->node.key)
                table_remove(&nodes->owners, &owner->node);
        arena_free(owner->arena);
}

static struct rbac_relation *find_grant(struct rbac_nodes *nodes, const char *key) {
        struct rbac_relation *grant = table_object(table_find(&nodes->grants, key), struct rbac_relation, node);

        if (grant)
                return grant;
        grant = calloc(1, sizeof(*grant) + strlen(key) + 1);
        if (!grant)
                return NULL;
        strcpy(grant->key, key);
        if (table_add(&nodes->grants, &grant->node, grant->key) == 0)
                return grant;
        free(grant);
        return NULL;
}

int rbac_owner_give(struct rbac_nodes *nodes, struct rbac_owner *owner, enum rbac_vertex vertex, const char *namespace,
                    const char *name, const char *node) {
        char *key = rbac_relation_key(owner->arena, vertex, namespace, name, node);
        struct rbac_relation *grant;

        if (owner->n_grants == owner->room) {
                uint32_t room = owner->room ? 2 * owner->room : 8;
                struct rbac_relation **grants = arena_alloc_array(owner->arena, room, sizeof(*grants));

                if (!grants)
                        return -ENOMEM;
                if (owner->n_grants > 0)
                        memcpy(grants, owner->grants, owner->n_grants * sizeof(*grants));
                owner->grants = grants;
                owner->room = room;
        }
        grant = key ? find_grant(nodes, key) : NULL;
        if (!grant)
                return -ENOMEM;
        grant->reasons++;
        owner->grants[owner->n_grants++] = grant;
        return 0;
}

int rbac_owner_replace(struct rbac_nodes *nodes, enum rbac_vertex vertex, const struct value *object,
                       struct rbac_owner **ret_owner) {
        const char *namespace = value_string_or(value_find(object, "metadata.namespace"), "");
        const char *name = value_string(value_find(object, "metadata.name"));
        struct arena *arena = name ? arena_new_small(256) : NULL;
        struct rbac_owner *owner = arena ? arena_new_of(arena, struct rbac_owner) : NULL, *old;
        char *key = owner ? rbac_vertex_key(arena, vertex, namespace, name) : NULL;
        int r = -ENOMEM;

        if (!name)
                return -EINVAL;
        if (key) {
                owner->arena = arena;
                old = table_object(table_find(&nodes->owners, key), struct rbac_owner, node);
                if (old)
                        rbac_owner_drop(nodes, old);
                r = table_add(&nodes->owners, &owner->node, key);
        }
        if (r < 0) {
                arena_free(arena);
                return r;
        }
        *ret_owner = owner;
        return 0;
}

static struct rbac_volume_secret *find_secret(struct rbac_nodes *nodes, const char *key) {
        struct rbac_volume_secret *secret =
                table_object(table_find(&nodes->secrets, key), struct rbac_volume_secret, node);

        if (secret)
                return secret;
        secret = calloc(1, sizeof(*secret) + strlen(key) + 1);
        if (!secret)
                return NULL;
        strcpy(secret->key, key);
        if (table_add(&nodes->secrets, &secret->node, secret->key) == 0)
                return secret;
        free(secret);
        return NULL;
}

int rbac_owner_link(struct rbac_nodes *nodes, struct rbac_owner *owner, const char *namespace, const char *name) {
        struct rbac_secret_link *link = &owner->links[owner->n_links];
        char *key = rbac_vertex_key(owner->arena, RBAC_SECRET, namespace, name);

        if (owner->n_links == RBAC_LINKS_MAX)
                return 0;
        link->secret = key ? find_secret(nodes, key) : NULL;
        if (!link->secret)
                return -ENOMEM;
        link->owner = owner;
        rbac_secret_links_append(&link->secret->links, link);
        owner->n_links++;
        return 0;
}
