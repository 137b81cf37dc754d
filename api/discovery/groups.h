/* The groups and versions of a registry, in the order in which kube-apiserver lists them. */
#pragma once

#include <stddef.h>

struct arena;
struct kube_kind;
struct kube_registry;

struct discovery_version {
        const char *group, *name;
        const struct kube_kind **kinds; /* with a resource, by its name */
        size_t n_kinds;
};

struct discovery_group {
        const char *name;
        struct discovery_version **versions; /* the preferred one first */
        size_t n_versions;
};

struct discovery_groups {
        struct discovery_group *items;
        size_t n;
};

/* All in @arena; -ENOMEM or 0. */
int discovery_groups(struct arena *arena, const struct kube_registry *registry, struct discovery_groups *ret_groups);

const struct discovery_group *discovery_group(const struct discovery_groups *groups, const char *name);
