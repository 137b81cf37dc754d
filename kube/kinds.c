#include "kube/kinds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/table.h"

#define KEY_MAX 512 /* a group, a version and a kind or resource together: each is a DNS name or label */

/* The names a kind is found by, each a node in a table of its own. */
enum { BY_KIND, BY_RESOURCE, BY_LIST, N_NAMES };

struct entry {
        const struct kube_kind *kind;
        struct entry *next; /* in the order they were added */
        struct table_node nodes[N_NAMES];
        char *keys[N_NAMES];
};

struct kube_registry {
        struct table names[N_NAMES];
        struct entry *first, **last;
        uint64_t generation;
};

static bool make_key(const char *group, const char *version, const char *name, char ret_key[KEY_MAX]) {
        char *to = ret_key;

        if (strlen(group) + strlen(version) + strlen(name) + strlen("//") >= KEY_MAX)
                return false;
        to = stpcpy(stpcpy(to, group), "/");
        stpcpy(stpcpy(stpcpy(to, version), "/"), name);
        return true;
}

static struct entry *entry_free(struct kube_registry *registry, struct entry *entry) {
        for (int i = 0; i < N_NAMES; i++)
                if (entry->keys[i]) {
                        table_remove(&registry->names[i], &entry->nodes[i]);
                        free(entry->keys[i]);
                }
        free(entry);
        return NULL;
}

static int add_name(struct kube_registry *registry, struct entry *entry, int which, const char *name) {
        char key[KEY_MAX];
        int r;

        if (!name)
                return 0;
        if (!make_key(entry->kind->group, entry->kind->version, name, key))
                return -ENAMETOOLONG;
        if (!(entry->keys[which] = strdup(key)))
                return -ENOMEM;
        r = table_add(&registry->names[which], &entry->nodes[which], entry->keys[which]);
        if (r < 0) {
                free(entry->keys[which]);
                entry->keys[which] = NULL;
        }
        return r;
}

int kube_registry_add(struct kube_registry *registry, const struct kube_kind *kind) {
        const char *const names[N_NAMES] = { kind->kind, kind->resource, kind->list_kind };
        struct entry *entry = calloc(1, sizeof(*entry));
        int r = entry ? 0 : -ENOMEM;

        if (r < 0)
                return r;
        entry->kind = kind;
        for (int i = 0; i < N_NAMES && r == 0; i++)
                r = add_name(registry, entry, i, names[i]);
        if (r < 0) {
                entry_free(registry, entry);
                return r;
        }
        *registry->last = entry;
        registry->last = &entry->next;
        registry->generation++;
        return 0;
}

bool kube_registry_remove(struct kube_registry *registry, const struct kube_kind *kind) {
        for (struct entry **at = &registry->first; *at; at = &(*at)->next) {
                struct entry *entry = *at;

                if (entry->kind != kind)
                        continue;
                *at = entry->next;
                if (registry->last == &entry->next)
                        registry->last = at;
                entry_free(registry, entry);
                registry->generation++;
                return true;
        }
        return false;
}

uint64_t kube_registry_generation(const struct kube_registry *registry) {
        return registry->generation;
}

struct kube_registry *kube_registry_new(const struct kube_kind *kinds, size_t n) {
        struct kube_registry *registry = calloc(1, sizeof(*registry));

        if (!registry)
                return NULL;
        registry->last = &registry->first;
        for (size_t i = 0; i < n; i++)
                if (kube_registry_add(registry, &kinds[i]) < 0)
                        return kube_registry_free(registry);
        return registry;
}

struct kube_registry *kube_registry_free(struct kube_registry *registry) {
        struct entry *next;

        if (!registry)
                return NULL;
        for (struct entry *entry = registry->first; entry; entry = next) {
                next = entry->next;
                entry_free(registry, entry);
        }
        for (int i = 0; i < N_NAMES; i++)
                table_clear(&registry->names[i]);
        free(registry);
        return NULL;
}

void kube_registry_freep(struct kube_registry **registry) {
        *registry = kube_registry_free(*registry);
}

static const struct kube_kind *find(const struct kube_registry *registry, int which, const char *group,
                                    const char *version, const char *name) {
        struct table_node *node;
        char key[KEY_MAX];

        if (!make_key(group, version, name, key))
                return NULL;
        node = table_find(&registry->names[which], key);
        return node ? table_object(node - which, struct entry, nodes)->kind : NULL;
}

const struct kube_kind *kube_registry_kind(const struct kube_registry *registry, const char *group, const char *version,
                                           const char *kind) {
        const struct kube_kind *found = find(registry, BY_KIND, group, version, kind);

        return found ? found : find(registry, BY_KIND, KUBE_META_GROUP, "v1", kind);
}

const struct kube_kind *kube_registry_resource(const struct kube_registry *registry, const char *group,
                                               const char *version, const char *resource) {
        return find(registry, BY_RESOURCE, group, version, resource);
}

const struct kube_kind *kube_registry_list(const struct kube_registry *registry, const char *group, const char *version,
                                           const char *kind) {
        return find(registry, BY_LIST, group, version, kind);
}

void kube_registry_each(const struct kube_registry *registry, kube_kind_visit visit, void *data) {
        for (const struct entry *entry = registry->first; entry; entry = entry->next)
                visit(data, entry->kind);
}

int kube_split_api_version(const char *api_version, char *ret_group, size_t size, const char **ret_version) {
        const char *slash = strchr(api_version, '/'), *version = slash ? slash + 1 : api_version;
        size_t length = slash ? (size_t)(slash - api_version) : 0;

        if (version[0] == '\0' || strchr(version, '/') || (slash && length == 0) || length >= size)
                return -EINVAL;
        memcpy(ret_group, api_version, length);
        ret_group[length] = '\0';
        *ret_version = version;
        return 0;
}

const char *kube_api_version(struct arena *arena, const struct kube_kind *kind) {
        return *kind->group ? arena_printf(arena, "%s/%s", kind->group, kind->version) : kind->version;
}

const struct kube_subresource *kube_kind_subresource(const struct kube_kind *kind, const char *name) {
        for (size_t i = 0; i < kind->n_subresources; i++)
                if (strcmp(kind->subresources[i].name, name) == 0)
                        return &kind->subresources[i];
        return NULL;
}
