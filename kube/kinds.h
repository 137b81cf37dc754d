/* The kinds of the API: what is served under which name, and the type of its objects.
 *
 * kube_kinds are Kubernetes' own, generated from kube/facts. A registry holds these and such as come and go at run time
 * (CustomResourceDefinitions); who serves or reads objects of any kind asks a registry, never the table. A program that
 * only uses types it knows by name links none of this.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct kube_type;

enum {
        KUBE_VERB_CREATE = 1 << 0,
        KUBE_VERB_DELETE = 1 << 1,
        KUBE_VERB_DELETECOLLECTION = 1 << 2,
        KUBE_VERB_GET = 1 << 3,
        KUBE_VERB_LIST = 1 << 4,
        KUBE_VERB_PATCH = 1 << 5,
        KUBE_VERB_UPDATE = 1 << 6,
        KUBE_VERB_WATCH = 1 << 7,
};

struct kube_subresource {
        const char *name;                   /* "status" */
        const char *group, *version, *kind; /* of what it takes and gives: pods/eviction is policy/v1 Eviction */
        const struct kube_type *type;
        uint16_t verbs;
};

struct kube_kind {
        const char *group, *version, *kind; /* "" is the core group */
        const char *list_kind;              /* NULL: none */
        const struct kube_type *type, *list_type;
        const char *resource; /* plural, in paths; NULL: not served by itself (Status, PodExecOptions) */
        const char *singular;
        const char *const *short_names, *const *categories; /* end with NULL; NULL: none */
        bool namespaced;
        uint16_t verbs;
        uint16_t n_subresources;
        const struct kube_subresource *subresources;
};

/* Its kinds (DeleteOptions, Status, Table) are part of every group. */
#define KUBE_META_GROUP "meta.k8s.io"

extern const struct kube_kind kube_kinds[];
extern const size_t kube_kinds_count;

struct kube_registry;

/* A registry with @kinds (borrowed, they must outlive it; @n may be 0). NULL without memory. */
struct kube_registry *kube_registry_new(const struct kube_kind *kinds, size_t n);
struct kube_registry *kube_registry_free(struct kube_registry *registry);
void kube_registry_freep(struct kube_registry **registry);
#define _cleanup_kube_registry_ __attribute__((cleanup(kube_registry_freep)))

/* Adds @kind, borrowed until it is removed. -EEXIST when its group and version have a kind or resource of that
 * name, -ENAMETOOLONG, -ENOMEM. */
int kube_registry_add(struct kube_registry *registry, const struct kube_kind *kind);

/* Removes what was added; false when it was not. */
bool kube_registry_remove(struct kube_registry *registry, const struct kube_kind *kind);

/* By kind, and by resource; NULL when there is none. Kinds of KUBE_META_GROUP are found in every group. */
const struct kube_kind *kube_registry_kind(const struct kube_registry *registry, const char *group, const char *version,
                                           const char *kind);
const struct kube_kind *kube_registry_resource(const struct kube_registry *registry, const char *group,
                                               const char *version, const char *resource);

/* The list kind called @kind ("PodList"): the kind whose list it is. */
const struct kube_kind *kube_registry_list(const struct kube_registry *registry, const char *group, const char *version,
                                           const char *kind);

/* Another number after each change, for who keeps what was made of the kinds. */
uint64_t kube_registry_generation(const struct kube_registry *registry);

/* Calls @visit with each kind, in the order they were added. */
typedef void (*kube_kind_visit)(void *data, const struct kube_kind *kind);
void kube_registry_each(const struct kube_registry *registry, kube_kind_visit visit, void *data);

/* "v1" and "apps/v1" as group and version: @ret_group gets a copy of at most @size bytes, the version is the rest of
 * @api_version. -EINVAL for more than one slash, an empty part or a group too long. */
int kube_split_api_version(const char *api_version, char *ret_group, size_t size, const char **ret_version);

/* The other way: in @arena where there is a group; NULL without memory. */
const char *kube_api_version(struct arena *arena, const struct kube_kind *kind);

const struct kube_subresource *kube_kind_subresource(const struct kube_kind *kind, const char *name);
