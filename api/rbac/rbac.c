#include "api/rbac/rbac.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth/text.h"
#include "api/auth/user.h"
#include "api/rbac/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

INDEX_TEXT_ORDER(role, struct rbac_role, name)

struct rbac *rbac_new(void) {
        struct rbac *rbac = calloc(1, sizeof(*rbac));

        if (!rbac)
                return NULL;
        pthread_rwlock_init(&rbac->lock, NULL);
        rbac->cluster_roles = (struct index)INDEX_INIT(role_order);
        return rbac;
}

/* Keys: the namespace, what it is, the name. A newline is in no namespace. */
static char *key_of(struct arena *arena, const char *namespace, char what, const char *name) {
        return arena_printf(arena, "%s\n%c%s", namespace, what, name);
}

static void free_role(struct rbac *rbac, struct rbac_role *role) {
        if (!role->namespace[0])
                index_remove(&rbac->cluster_roles, role);
        table_remove(&rbac->roles, &role->node);
        arena_free(role->arena);
}

static void unlink_one(struct rbac *rbac, struct rbac_link *link) {
        rbac_links_remove(link);
        if (!rbac_links_is_empty(&link->subject->links))
                return;
        table_remove(&rbac->subjects, &link->subject->node);
        free(link->subject);
}

static void free_binding(struct rbac *rbac, struct rbac_binding *binding) {
        for (uint32_t i = 0; i < binding->n_links; i++)
                unlink_one(rbac, &binding->links[i]);
        if (table_find(&rbac->bindings, binding->node.key) == &binding->node)
                table_remove(&rbac->bindings, &binding->node);
        arena_free(binding->arena);
}

struct rbac *rbac_free(struct rbac *rbac) {
        if (!rbac)
                return NULL;
        for (size_t i = 0; i < rbac->roles.n_buckets; i++) {
                while (rbac->roles.buckets[i])
                        free_role(rbac, table_object(rbac->roles.buckets[i], struct rbac_role, node));
        }
        for (size_t i = 0; i < rbac->bindings.n_buckets; i++) {
                while (rbac->bindings.buckets[i])
                        free_binding(rbac, table_object(rbac->bindings.buckets[i], struct rbac_binding, node));
        }
        index_clear(&rbac->cluster_roles);
        table_clear(&rbac->roles);
        table_clear(&rbac->bindings);
        table_clear(&rbac->subjects);
        pthread_rwlock_destroy(&rbac->lock);
        free(rbac);
        return NULL;
}

int rbac_copy_rules(struct arena *arena, const rbac_rules *rules, rbac_rules *ret_copy) {
        rbac_rules copy = { arena_alloc_array(arena, rules->count + 1, sizeof(*copy.items)), rules->count };
        int r = copy.items ? 0 : -ENOMEM;

        for (uint32_t i = 0; r >= 0 && i < copy.count; i++) {
                const struct kube_rbac_v1_policy_rule *from = &rules->items[i];
                struct kube_rbac_v1_policy_rule *to = &copy.items[i];

                r = auth_list_copy(arena, &from->verbs, &to->verbs);
                if (r >= 0)
                        r = auth_list_copy(arena, &from->api_groups, &to->api_groups);
                if (r >= 0)
                        r = auth_list_copy(arena, &from->resources, &to->resources);
                if (r >= 0)
                        r = auth_list_copy(arena, &from->resource_names, &to->resource_names);
                if (r >= 0)
                        r = auth_list_copy(arena, &from->non_resource_urls, &to->non_resource_urls);
        }
        if (r >= 0)
                *ret_copy = copy;
        return r;
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
                free_role(rbac, old);
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
        char *key = role ? key_of(arena, namespace, 'R', meta->name) : NULL;
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

/* The key of the list that @subject is in; NULL with *@ret_none true: it can be nobody. */
static char *subject_key(struct arena *arena, const struct rbac_binding *binding,
                         const struct kube_rbac_v1_subject *subject, bool *ret_none) {
        const char *of = subject->namespace[0] ? subject->namespace : binding->namespace;

        *ret_none = false;
        if (strcmp(subject->kind, "User") == 0)
                return key_of(arena, binding->namespace, 'U', subject->name);
        if (strcmp(subject->kind, "Group") == 0)
                return key_of(arena, binding->namespace, 'G', subject->name);
        if (strcmp(subject->kind, "ServiceAccount") == 0 && of[0])
                return arena_printf(arena, "%s\nU" AUTH_ACCOUNT_PREFIX "%s:%s", binding->namespace, of, subject->name);
        *ret_none = true;
        return NULL;
}

/* The list for @key, made where there is none. */
static struct rbac_subject *subject_for(struct rbac *rbac, const char *key) {
        struct rbac_subject *subject = table_object(table_find(&rbac->subjects, key), struct rbac_subject, node);

        if (subject)
                return subject;
        subject = calloc(1, sizeof(*subject) + strlen(key) + 1);
        if (!subject)
                return NULL;
        strcpy(subject->key, key);
        if (table_add(&rbac->subjects, &subject->node, subject->key) == 0)
                return subject;
        free(subject);
        return NULL;
}

static int link_subjects(struct rbac *rbac, struct rbac_binding *binding) {
        list_for_each (subject, &binding->subjects) {
                struct rbac_link *link = &binding->links[binding->n_links];
                bool none;
                char *key = subject_key(binding->arena, binding, subject, &none);

                if (none)
                        continue;
                link->subject = key ? subject_for(rbac, key) : NULL;
                if (!link->subject)
                        return -ENOMEM;
                link->binding = binding;
                link->as = subject;
                rbac_links_append(&link->subject->links, link);
                binding->n_links++;
        }
        return 0;
}

static int fill_binding(struct rbac_binding *b, const struct kube_object_meta *meta, const char *namespace,
                        const struct kube_rbac_v1_role_ref *ref, const struct kube_rbac_v1_subject *subjects,
                        uint32_t n) {
        struct arena *arena = b->arena;

        b->namespace = arena_strdup(arena, namespace);
        b->name = arena_strdup(arena, meta->name);
        b->ref.kind = arena_strdup(arena, ref->kind ?: "");
        b->ref.name = arena_strdup(arena, ref->name ?: "");
        b->role_key = key_of(arena, strcmp(ref->kind ?: "", "Role") == 0 ? namespace : "", 'R', ref->name ?: "");
        b->subjects.items = arena_alloc_array(arena, n + 1, sizeof(*b->subjects.items));
        b->links = arena_alloc_array(arena, n + 1, sizeof(*b->links));
        if (!b->namespace || !b->name || !b->ref.kind || !b->ref.name || !b->role_key || !b->subjects.items ||
            !b->links)
                return -ENOMEM;
        for (; b->subjects.count < n; b->subjects.count++) {
                const struct kube_rbac_v1_subject *from = &subjects[b->subjects.count];
                struct kube_rbac_v1_subject *to = &b->subjects.items[b->subjects.count];

                to->kind = arena_strdup(arena, from->kind ?: "");
                to->name = arena_strdup(arena, from->name ?: "");
                to->namespace = arena_strdup(arena, from->namespace ?: "");
                if (!to->kind || !to->name || !to->namespace)
                        return -ENOMEM;
        }
        return 0;
}

static int put_binding(struct rbac *rbac, struct rbac_binding *binding, char *key) {
        struct rbac_binding *old = table_object(table_find(&rbac->bindings, key), struct rbac_binding, node);
        int r = link_subjects(rbac, binding);

        if (r >= 0 && old)
                free_binding(rbac, old);
        if (r >= 0)
                r = table_add(&rbac->bindings, &binding->node, key);
        return r;
}

static int set_binding(struct rbac *rbac, const struct kube_object_meta *meta, const char *namespace,
                       const struct kube_rbac_v1_role_ref *ref, const struct kube_rbac_v1_subject *subjects,
                       uint32_t n) {
        struct arena *arena = arena_new();
        struct rbac_binding *binding = arena ? arena_new_of(arena, struct rbac_binding) : NULL;
        char *key = binding ? key_of(arena, namespace, 'B', meta->name) : NULL;
        int r = -ENOMEM;

        if (key) {
                binding->arena = arena;
                r = fill_binding(binding, meta, namespace, ref, subjects, n);
        }
        if (r < 0) {
                arena_free(arena);
                return r;
        }
        binding->node.key = key;
        pthread_rwlock_wrlock(&rbac->lock);
        r = put_binding(rbac, binding, key);
        if (r < 0)
                free_binding(rbac, binding);
        pthread_rwlock_unlock(&rbac->lock);
        return r;
}

int rbac_set_role_binding(struct rbac *rbac, const struct kube_rbac_v1_role_binding *b) {
        return set_binding(rbac, &b->metadata, b->metadata.namespace, &b->role_ref, b->subjects.items,
                           b->subjects.count);
}

int rbac_set_cluster_role_binding(struct rbac *rbac, const struct kube_rbac_v1_cluster_role_binding *b) {
        return set_binding(rbac, &b->metadata, "", &b->role_ref, b->subjects.items, b->subjects.count);
}

void rbac_forget(struct rbac *rbac, const char *resource, const char *namespace, const char *name) {
        _cleanup_arena_ struct arena *arena = arena_new();
        bool binding = strstr(resource, "bindings");
        char *key = arena ? key_of(arena, namespace, binding ? 'B' : 'R', name) : NULL;
        struct table_node *node;

        pthread_rwlock_wrlock(&rbac->lock);
        node = key ? table_find(binding ? &rbac->bindings : &rbac->roles, key) : NULL;
        if (node && binding)
                free_binding(rbac, table_object(node, struct rbac_binding, node));
        else if (node)
                free_role(rbac, table_object(node, struct rbac_role, node));
        pthread_rwlock_unlock(&rbac->lock);
}

const struct rbac_role *rbac_role_of(const struct rbac *rbac, const struct rbac_binding *binding) {
        return table_object(table_find(&rbac->roles, binding->role_key), struct rbac_role, node);
}

const struct rbac_role *rbac_find_role(const struct rbac *rbac, const char *namespace,
                                       const struct kube_rbac_v1_role_ref *ref, struct arena *arena) {
        char *key = key_of(arena, strcmp(ref->kind ?: "", "Role") == 0 ? namespace : "", 'R', ref->name ?: "");

        return key ? table_object(table_find(&rbac->roles, key), struct rbac_role, node) : NULL;
}

/* False: enough. */
static bool each_of(const struct rbac *rbac, const char *key, rbac_visit visit, void *data) {
        struct rbac_subject *subject = table_object(table_find(&rbac->subjects, key), struct rbac_subject, node);

        if (!subject)
                return true;
        LIST_EACH (rbac_links, link, &subject->links) {
                if (!visit(data, link))
                        return false;
        }
        return true;
}

int rbac_each(const struct rbac *rbac, const struct auth_user *user, const char *namespace, struct arena *arena,
              rbac_visit visit, void *data) {
        const char *scopes[] = { "", namespace };

        for (unsigned i = 0; i < (namespace[0] ? 2U : 1U); i++) {
                char *key = key_of(arena, scopes[i], 'U', user->name);

                if (!key)
                        return -ENOMEM;
                if (!each_of(rbac, key, visit, data))
                        return 0;
                list_for_each (group, &user->groups) {
                        key = key_of(arena, scopes[i], 'G', *group);
                        if (!key)
                                return -ENOMEM;
                        if (!each_of(rbac, key, visit, data))
                                return 0;
                }
        }
        return 0;
}
