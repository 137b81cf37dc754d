#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth/text.h"
#include "api/auth/user.h"
#include "api/rbac/internal.h"
#include "lib/arena.h"

/* The key of the list that @subject is in; NULL with *@ret_none true: it can be nobody. */
static char *subject_key(struct arena *arena, const struct rbac_binding *binding,
                         const struct kube_rbac_v1_subject *subject, bool *ret_none) {
        const char *of = subject->namespace[0] ? subject->namespace : binding->namespace;

        *ret_none = false;
        if (strcmp(subject->kind, "User") == 0)
                return rbac_key(arena, binding->namespace, 'U', subject->name);
        if (strcmp(subject->kind, "Group") == 0)
                return rbac_key(arena, binding->namespace, 'G', subject->name);
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
        b->role_key = rbac_key(arena, strcmp(ref->kind ?: "", "Role") == 0 ? namespace : "", 'R', ref->name ?: "");
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

        if (r < 0)
                return r;
        if (old)
                rbac_binding_free(rbac, old);
        return table_add(&rbac->bindings, &binding->node, key);
}

static int set_binding(struct rbac *rbac, const struct kube_object_meta *meta, const char *namespace,
                       const struct kube_rbac_v1_role_ref *ref, const struct kube_rbac_v1_subject *subjects,
                       uint32_t n) {
        struct arena *arena = arena_new();
        struct rbac_binding *binding = arena ? arena_new_of(arena, struct rbac_binding) : NULL;
        char *key = binding ? rbac_key(arena, namespace, 'B', meta->name) : NULL;
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
                rbac_binding_free(rbac, binding);
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
