#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/rbac/defaults.h"
#include "api/rbac/graph.h"
#include "api/rbac/internal.h"
#include "api/rbac/owners.h"
#include "lib/arena.h"
#include "lib/rwlock.h"
#include "lib/value.h"

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
        rwlock_init(&nodes->lock);
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

struct rbac_nodes *rbac_nodes_free(struct rbac_nodes *nodes) {
        if (!nodes)
                return NULL;
        for (size_t i = 0; i < nodes->owners.n_buckets; i++) {
                while (nodes->owners.buckets[i])
                        rbac_owner_drop(nodes, table_object(nodes->owners.buckets[i], struct rbac_owner, node));
        }
        table_clear(&nodes->owners);
        table_clear(&nodes->grants);
        table_clear(&nodes->secrets);
        arena_free(nodes->arena);
        pthread_rwlock_destroy(&nodes->lock);
        free(nodes);
        return NULL;
}

struct pod_visit {
        struct rbac_nodes *nodes;
        struct rbac_owner *owner;
        const char *namespace, *node;
};

static int give_reference(void *data, enum rbac_vertex vertex, const char *name) {
        const struct pod_visit *v = data;

        return rbac_owner_give(v->nodes, v->owner, vertex, v->namespace, name, v->node);
}

/* A mirror pod's references are not its node's reason to read anything: the node made them up itself. */
static int set_pod(struct rbac_nodes *nodes, const struct value *pod) {
        struct pod_visit v = {
                .nodes = nodes,
                .namespace = value_string_or(value_find(pod, "metadata.namespace"), ""),
                .node = value_string_or(value_find(pod, "spec.nodeName"), ""),
        };
        const struct value *annotations = value_find(pod, "metadata.annotations");
        int r = rbac_owner_replace(nodes, RBAC_POD, pod, &v.owner);

        if (r < 0 || !v.node[0])
                return r;
        if ((r = give_reference(&v, RBAC_POD, value_string(value_find(pod, "metadata.name")))) < 0 ||
            (!value_get(annotations, "kubernetes.io/config.mirror") &&
             (r = rbac_pod_references(pod, give_reference, &v)) < 0))
                rbac_owner_drop(nodes, v.owner);
        return r;
}

struct volume_visit {
        struct rbac_nodes *nodes;
        struct rbac_owner *owner;
};

static int link_secret(void *data, const char *namespace, const char *name) {
        const struct volume_visit *v = data;

        return rbac_owner_link(v->nodes, v->owner, namespace, name);
}

static int set_volume(struct rbac_nodes *nodes, const struct value *volume) {
        const struct value *claim = value_find(volume, "spec.claimRef");
        struct volume_visit v = { .nodes = nodes };
        int r = rbac_owner_replace(nodes, RBAC_VOLUME, volume, &v.owner);

        if (r < 0 || value_is_null(claim))
                return r;
        v.owner->claim_namespace = arena_strdup(v.owner->arena, value_string_or(value_get(claim, "namespace"), ""));
        v.owner->claim = arena_strdup(v.owner->arena, value_string_or(value_get(claim, "name"), ""));
        v.owner->links = arena_alloc_array(v.owner->arena, RBAC_LINKS_MAX, sizeof(*v.owner->links));
        if (!v.owner->claim_namespace || !v.owner->claim || !v.owner->links)
                r = -ENOMEM;
        if (r >= 0)
                r = rbac_volume_secrets(volume, link_secret, &v);
        if (r < 0)
                rbac_owner_drop(nodes, v.owner);
        return r;
}

/* Attachments and slices name their node themselves. */
static int set_named(struct rbac_nodes *nodes, enum rbac_vertex vertex, const struct value *object) {
        const char *node = value_string_or(value_find(object, "spec.nodeName"), "");
        struct rbac_owner *owner;
        int r = rbac_owner_replace(nodes, vertex, object, &owner);

        if (r < 0 || !node[0])
                return r;
        r = rbac_owner_give(nodes, owner, vertex, "", value_string(value_find(object, "metadata.name")), node);
        if (r < 0)
                rbac_owner_drop(nodes, owner);
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
        char *key = arena ? rbac_vertex_key(arena, vertex, namespace, name) : NULL;
        struct rbac_owner *owner;

        pthread_rwlock_wrlock(&nodes->lock);
        owner = key ? table_object(table_find(&nodes->owners, key), struct rbac_owner, node) : NULL;
        if (owner)
                rbac_owner_drop(nodes, owner);
        pthread_rwlock_unlock(&nodes->lock);
        arena_free(arena);
}

static bool has(const struct rbac_nodes *nodes, const char *node, enum rbac_vertex vertex, const char *namespace,
                const char *name, struct arena *arena) {
        char *key = rbac_relation_key(arena, vertex, namespace, name, node);

        return key && table_find(&nodes->grants, key);
}

/* A volume is its claim's pods' nodes'. */
static bool has_volume(const struct rbac_nodes *nodes, const char *node, const struct rbac_owner *volume,
                       struct arena *arena) {
        return volume && volume->claim && has(nodes, node, RBAC_CLAIM, volume->claim_namespace, volume->claim, arena);
}

/* A secret may also be a volume's. */
static bool has_by_volume(const struct rbac_nodes *nodes, const char *node, const char *namespace, const char *name,
                          struct arena *arena) {
        char *key = rbac_vertex_key(arena, RBAC_SECRET, namespace, name);
        struct rbac_volume_secret *secret =
                key ? table_object(table_find(&nodes->secrets, key), struct rbac_volume_secret, node) : NULL;

        if (!secret)
                return false;
        LIST_EACH (rbac_secret_links, link, &secret->links) {
                if (has_volume(nodes, node, link->owner, arena))
                        return true;
        }
        return false;
}

bool rbac_nodes_related(struct rbac_nodes *nodes, const char *node, enum rbac_vertex vertex, const char *namespace,
                        const char *name, struct arena *arena) {
        char *key = rbac_vertex_key(arena, vertex, namespace, name);
        bool related = false;

        if (!key)
                return false;
        pthread_rwlock_rdlock(&nodes->lock);
        if (vertex == RBAC_VOLUME)
                related = has_volume(nodes, node,
                                     table_object(table_find(&nodes->owners, key), struct rbac_owner, node), arena);
        else
                related = has(nodes, node, vertex, namespace, name, arena) ||
                          (vertex == RBAC_SECRET && has_by_volume(nodes, node, namespace, name, arena));
        pthread_rwlock_unlock(&nodes->lock);
        return related;
}
