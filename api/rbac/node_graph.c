#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/rbac/defaults.h"
#include "api/rbac/graph.h"
#include "api/rbac/internal.h"
#include "lib/arena.h"
#include "lib/list.h"
#include "lib/table.h"
#include "lib/value.h"

/* That a node has to do with an object, and for how many reasons. */
struct grant {
        struct table_node node;
        unsigned reasons;
        char key[];
};

/* A secret that volumes name. */
struct volume_secret;

struct owner;

struct secret_link {
        struct list_node in_secret;
        struct owner *owner;
        struct volume_secret *secret;
};
LIST_DEFINE(secret_links, struct secret_link, in_secret)

struct volume_secret {
        struct table_node node;
        struct secret_links links;
        char key[];
};

/* A pod, volume, attachment or slice, with what it brings about. */
struct owner {
        struct table_node node;
        struct arena *arena;
        struct grant **grants;
        uint32_t n_grants, room;
        const char *claim_namespace, *claim; /* of a volume; NULL: none */
        struct secret_link *links;
        uint32_t n_links;
};

struct rbac_nodes {
        pthread_rwlock_t lock;
        struct table owners, grants, secrets;
        struct arena *arena; /* of the rules */
        rbac_rules rules;
};

#define LINKS_MAX 16 /* secrets of a volume */

/* What each node may with what is no pod's: the rules of the ClusterRole that nodes had before they had an authorizer.
 */
static int learn_rules(struct rbac_nodes *nodes) {
        struct arena *arena = arena_new();
        struct rbac_defaults defaults;
        int r = arena ? rbac_defaults(arena, &defaults) : -ENOMEM;

        for (uint32_t i = 0; r >= 0 && i < defaults.cluster_roles.count; i++) {
                const struct kube_rbac_v1_cluster_role *role = &defaults.cluster_roles.items[i];
                const rbac_rules rules = { role->rules.items, role->rules.count };

                if (strcmp(role->metadata.name, "system:node") == 0)
                        r = rbac_copy_rules(nodes->arena, &rules, &nodes->rules);
        }
        arena_free(arena);
        return r;
}

struct rbac_nodes *rbac_nodes_new(void) {
        struct rbac_nodes *nodes = calloc(1, sizeof(*nodes));

        if (!nodes)
                return NULL;
        pthread_rwlock_init(&nodes->lock, NULL);
        nodes->arena = arena_new();
        return nodes->arena && learn_rules(nodes) >= 0 ? nodes : rbac_nodes_free(nodes);
}

bool rbac_nodes_rules_allow(const struct rbac_nodes *nodes, const struct auth_attributes *attributes) {
        list_for_each (rule, &nodes->rules) {
                if (rbac_rule_allows(rule, attributes))
                        return true;
        }
        return false;
}

static void drop_grant(struct rbac_nodes *nodes, struct grant *grant) {
        if (--grant->reasons > 0)
                return;
        table_remove(&nodes->grants, &grant->node);
        free(grant);
}

static void drop_link(struct rbac_nodes *nodes, struct secret_link *link) {
        secret_links_remove(link);
        if (!secret_links_is_empty(&link->secret->links))
                return;
        table_remove(&nodes->secrets, &link->secret->node);
        free(link->secret);
}

static void drop_owner(struct rbac_nodes *nodes, struct owner *owner) {
        for (uint32_t i = 0; i < owner->n_grants; i++)
                drop_grant(nodes, owner->grants[i]);
        for (uint32_t i = 0; i < owner->n_links; i++)
                drop_link(nodes, &owner->links[i]);
        if (owner->node.key)
                table_remove(&nodes->owners, &owner->node);
        arena_free(owner->arena);
}

struct rbac_nodes *rbac_nodes_free(struct rbac_nodes *nodes) {
        if (!nodes)
                return NULL;
        for (size_t i = 0; i < nodes->owners.n_buckets; i++) {
                while (nodes->owners.buckets[i])
                        drop_owner(nodes, table_object(nodes->owners.buckets[i], struct owner, node));
        }
        table_clear(&nodes->owners);
        table_clear(&nodes->grants);
        table_clear(&nodes->secrets);
        arena_free(nodes->arena);
        pthread_rwlock_destroy(&nodes->lock);
        free(nodes);
        return NULL;
}

static char *key_of(struct arena *arena, enum rbac_vertex vertex, const char *namespace, const char *name) {
        return arena_printf(arena, "%c%s\n%s", vertex, namespace, name);
}

static char *grant_key(struct arena *arena, enum rbac_vertex vertex, const char *namespace, const char *name,
                       const char *node) {
        return arena_printf(arena, "%c%s\n%s\n%s", vertex, namespace, name, node);
}

static struct grant *find_grant(struct rbac_nodes *nodes, const char *key) {
        struct grant *grant = table_object(table_find(&nodes->grants, key), struct grant, node);

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

static int give(struct rbac_nodes *nodes, struct owner *owner, enum rbac_vertex vertex, const char *namespace,
                const char *name, const char *node) {
        char *key = grant_key(owner->arena, vertex, namespace, name, node);
        struct grant *grant;

        if (owner->n_grants == owner->room) {
                uint32_t room = owner->room ? 2 * owner->room : 8;
                struct grant **grants = arena_alloc_array(owner->arena, room, sizeof(*grants));

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

/* A new owner in the place of the old one, with nothing yet. */
static int replace_owner(struct rbac_nodes *nodes, enum rbac_vertex vertex, const struct value *object,
                         struct owner **ret_owner) {
        const char *namespace = value_string_or(value_find(object, "metadata.namespace"), "");
        const char *name = value_string(value_find(object, "metadata.name"));
        struct arena *arena = name ? arena_new_small(256) : NULL;
        struct owner *owner = arena ? arena_new_of(arena, struct owner) : NULL, *old;
        char *key = owner ? key_of(arena, vertex, namespace, name) : NULL;
        int r = -ENOMEM;

        if (!name)
                return -EINVAL;
        if (key) {
                owner->arena = arena;
                old = table_object(table_find(&nodes->owners, key), struct owner, node);
                if (old)
                        drop_owner(nodes, old);
                r = table_add(&nodes->owners, &owner->node, key);
        }
        if (r < 0) {
                arena_free(arena);
                return r;
        }
        *ret_owner = owner;
        return 0;
}

struct pod_visit {
        struct rbac_nodes *nodes;
        struct owner *owner;
        const char *namespace, *node;
};

static int give_reference(void *data, enum rbac_vertex vertex, const char *name) {
        const struct pod_visit *v = data;

        return give(v->nodes, v->owner, vertex, v->namespace, name, v->node);
}

/* A mirror pod's references are not its node's reason to read anything: the node made them up itself. */
static int set_pod(struct rbac_nodes *nodes, const struct value *pod) {
        struct pod_visit v = {
                .nodes = nodes,
                .namespace = value_string_or(value_find(pod, "metadata.namespace"), ""),
                .node = value_string_or(value_find(pod, "spec.nodeName"), ""),
        };
        const struct value *annotations = value_find(pod, "metadata.annotations");
        int r = replace_owner(nodes, RBAC_POD, pod, &v.owner);

        if (r < 0 || !v.node[0])
                return r;
        r = give_reference(&v, RBAC_POD, value_string(value_find(pod, "metadata.name")));
        if (r >= 0 && !value_get(annotations, "kubernetes.io/config.mirror"))
                r = rbac_pod_references(pod, give_reference, &v);
        if (r < 0)
                drop_owner(nodes, v.owner);
        return r;
}

struct volume_visit {
        struct rbac_nodes *nodes;
        struct owner *owner;
};

static struct volume_secret *find_secret(struct rbac_nodes *nodes, const char *key) {
        struct volume_secret *secret = table_object(table_find(&nodes->secrets, key), struct volume_secret, node);

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

static int link_secret(void *data, const char *namespace, const char *name) {
        const struct volume_visit *v = data;
        struct secret_link *link = &v->owner->links[v->owner->n_links];
        char *key = key_of(v->owner->arena, RBAC_SECRET, namespace, name);

        if (v->owner->n_links == LINKS_MAX)
                return 0;
        link->secret = key ? find_secret(v->nodes, key) : NULL;
        if (!link->secret)
                return -ENOMEM;
        link->owner = v->owner;
        secret_links_append(&link->secret->links, link);
        v->owner->n_links++;
        return 0;
}

static int set_volume(struct rbac_nodes *nodes, const struct value *volume) {
        const struct value *claim = value_find(volume, "spec.claimRef");
        struct volume_visit v = { .nodes = nodes };
        int r = replace_owner(nodes, RBAC_VOLUME, volume, &v.owner);

        if (r < 0 || value_is_null(claim))
                return r;
        v.owner->claim_namespace = arena_strdup(v.owner->arena, value_string_or(value_get(claim, "namespace"), ""));
        v.owner->claim = arena_strdup(v.owner->arena, value_string_or(value_get(claim, "name"), ""));
        v.owner->links = arena_alloc_array(v.owner->arena, LINKS_MAX, sizeof(*v.owner->links));
        if (!v.owner->claim_namespace || !v.owner->claim || !v.owner->links)
                r = -ENOMEM;
        if (r >= 0)
                r = rbac_volume_secrets(volume, link_secret, &v);
        if (r < 0)
                drop_owner(nodes, v.owner);
        return r;
}

/* Attachments and slices name their node themselves. */
static int set_named(struct rbac_nodes *nodes, enum rbac_vertex vertex, const struct value *object) {
        const char *node = value_string_or(value_find(object, "spec.nodeName"), "");
        struct owner *owner;
        int r = replace_owner(nodes, vertex, object, &owner);

        if (r < 0 || !node[0])
                return r;
        r = give(nodes, owner, vertex, "", value_string(value_find(object, "metadata.name")), node);
        if (r < 0)
                drop_owner(nodes, owner);
        return r;
}

int rbac_nodes_set_pod(struct rbac_nodes *nodes, const struct value *pod) {
        int r;

        pthread_rwlock_wrlock(&nodes->lock);
        r = set_pod(nodes, pod);
        pthread_rwlock_unlock(&nodes->lock);
        return r;
}

int rbac_nodes_set_volume(struct rbac_nodes *nodes, const struct value *volume) {
        int r;

        pthread_rwlock_wrlock(&nodes->lock);
        r = set_volume(nodes, volume);
        pthread_rwlock_unlock(&nodes->lock);
        return r;
}

static int set_named_locked(struct rbac_nodes *nodes, enum rbac_vertex vertex, const struct value *object) {
        int r;

        pthread_rwlock_wrlock(&nodes->lock);
        r = set_named(nodes, vertex, object);
        pthread_rwlock_unlock(&nodes->lock);
        return r;
}

int rbac_nodes_set_attachment(struct rbac_nodes *nodes, const struct value *attachment) {
        return set_named_locked(nodes, RBAC_ATTACHMENT, attachment);
}

int rbac_nodes_set_slice(struct rbac_nodes *nodes, const struct value *slice) {
        return set_named_locked(nodes, RBAC_SLICE, slice);
}

void rbac_nodes_forget(struct rbac_nodes *nodes, const char *resource, const char *namespace, const char *name) {
        enum rbac_vertex vertex = strcmp(resource, "pods") == 0              ? RBAC_POD :
                                  strcmp(resource, "persistentvolumes") == 0 ? RBAC_VOLUME :
                                  strcmp(resource, "resourceslices") == 0    ? RBAC_SLICE :
                                                                               RBAC_ATTACHMENT;
        struct arena *arena = arena_new();
        char *key = arena ? key_of(arena, vertex, namespace, name) : NULL;
        struct owner *owner;

        pthread_rwlock_wrlock(&nodes->lock);
        owner = key ? table_object(table_find(&nodes->owners, key), struct owner, node) : NULL;
        if (owner)
                drop_owner(nodes, owner);
        pthread_rwlock_unlock(&nodes->lock);
        arena_free(arena);
}

static bool has(const struct rbac_nodes *nodes, const char *node, enum rbac_vertex vertex, const char *namespace,
                const char *name, struct arena *arena) {
        char *key = grant_key(arena, vertex, namespace, name, node);

        return key && table_find(&nodes->grants, key);
}

/* A volume is its claim's pods' nodes'. */
static bool has_volume(const struct rbac_nodes *nodes, const char *node, const struct owner *volume,
                       struct arena *arena) {
        return volume && volume->claim && has(nodes, node, RBAC_CLAIM, volume->claim_namespace, volume->claim, arena);
}

/* A secret may also be a volume's. */
static bool has_by_volume(const struct rbac_nodes *nodes, const char *node, const char *namespace, const char *name,
                          struct arena *arena) {
        char *key = key_of(arena, RBAC_SECRET, namespace, name);
        struct volume_secret *secret =
                key ? table_object(table_find(&nodes->secrets, key), struct volume_secret, node) : NULL;

        if (!secret)
                return false;
        LIST_EACH (secret_links, link, &secret->links) {
                if (has_volume(nodes, node, link->owner, arena))
                        return true;
        }
        return false;
}

bool rbac_nodes_related(struct rbac_nodes *nodes, const char *node, enum rbac_vertex vertex, const char *namespace,
                        const char *name, struct arena *arena) {
        char *key = key_of(arena, vertex, namespace, name);
        bool related = false;

        if (!key)
                return false;
        pthread_rwlock_rdlock(&nodes->lock);
        if (vertex == RBAC_VOLUME)
                related = has_volume(nodes, node, table_object(table_find(&nodes->owners, key), struct owner, node),
                                     arena);
        else
                related = has(nodes, node, vertex, namespace, name, arena) ||
                          (vertex == RBAC_SECRET && has_by_volume(nodes, node, namespace, name, arena));
        pthread_rwlock_unlock(&nodes->lock);
        return related;
}
