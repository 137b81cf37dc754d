#include "api/rbac/rbac.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth/text.h"
#include "api/auth/user.h"
#include "api/rbac/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/rwlock.h"

INDEX_TEXT_ORDER(role, struct rbac_role, name)

struct rbac *rbac_new(void) {
        struct rbac *rbac = calloc(1, sizeof(*rbac));

        if (!rbac)
                return NULL;
        rwlock_init(&rbac->lock);
        rbac->cluster_roles = (struct index)INDEX_INIT(role_order);
        return rbac;
}

char *rbac_key(struct arena *arena, const char *namespace, char what, const char *name) {
        return arena_printf(arena, "%s\n%c%s", namespace, what, name);
}

void rbac_role_free(struct rbac *rbac, struct rbac_role *role) {
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

void rbac_binding_free(struct rbac *rbac, struct rbac_binding *binding) {
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
                        rbac_role_free(rbac, table_object(rbac->roles.buckets[i], struct rbac_role, node));
        }
        for (size_t i = 0; i < rbac->bindings.n_buckets; i++) {
                while (rbac->bindings.buckets[i])
                        rbac_binding_free(rbac, table_object(rbac->bindings.buckets[i], struct rbac_binding, node));
        }
        index_clear(&rbac->cluster_roles);
        table_clear(&rbac->roles);
        table_clear(&rbac->bindings);
        table_clear(&rbac->subjects);
        pthread_rwlock_destroy(&rbac->lock);
        free(rbac);
        return NULL;
}

void rbac_forget(struct rbac *rbac, const char *resource, const char *namespace, const char *name) {
        _cleanup_arena_ struct arena *arena = arena_new();
        bool binding = strstr(resource, "bindings");
        char *key = arena ? rbac_key(arena, namespace, binding ? 'B' : 'R', name) : NULL;
        struct table_node *node;

        pthread_rwlock_wrlock(&rbac->lock);
        node = key ? table_find(binding ? &rbac->bindings : &rbac->roles, key) : NULL;
        if (node && binding)
                rbac_binding_free(rbac, table_object(node, struct rbac_binding, node));
        else if (node)
                rbac_role_free(rbac, table_object(node, struct rbac_role, node));
        pthread_rwlock_unlock(&rbac->lock);
}

const struct rbac_role *rbac_role_of(const struct rbac *rbac, const struct rbac_binding *binding) {
        return table_object(table_find(&rbac->roles, binding->role_key), struct rbac_role, node);
}

const struct rbac_role *rbac_find_role(const struct rbac *rbac, const char *namespace,
                                       const struct kube_rbac_v1_role_ref *ref, struct arena *arena) {
        char *key = rbac_key(arena, strcmp(ref->kind ?: "", "Role") == 0 ? namespace : "", 'R', ref->name ?: "");

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
                char *key = rbac_key(arena, scopes[i], 'U', user->name);

                if (!key)
                        return -ENOMEM;
                if (!each_of(rbac, key, visit, data))
                        return 0;
                list_for_each (group, &user->groups) {
                        key = rbac_key(arena, scopes[i], 'G', *group);
                        if (!key)
                                return -ENOMEM;
                        if (!each_of(rbac, key, visit, data))
                                return 0;
                }
        }
        return 0;
}
