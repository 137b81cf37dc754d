#include "api/discovery/groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

/* kube-apiserver's priorities of groups; those it does not know stand behind, by name. */
static const char *const order[] = {
        "",
        "apiregistration.k8s.io",
        "apps",
        "events.k8s.io",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "networking.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "storage.k8s.io",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "scheduling.k8s.io",
        "coordination.k8s.io",
        "node.k8s.io",
        "discovery.k8s.io",
        "resource.k8s.io",
        "flowcontrol.apiserver.k8s.io",
};

static size_t place_of(const char *group) {
        size_t i = 0;

        while (i < ELEMENTS(order) && strcmp(order[i], group) != 0)
                i++;
        return i;
}

/* Stable versions before beta before alpha, the higher number first. */
static int compare_versions(const char *a, const char *b) {
        static const char *const stages[] = { "alpha", "beta" };
        const char *const texts[] = { a, b };
        long stage[2] = { 2, 2 }, major[2], minor[2] = { 0, 0 };

        for (size_t i = 0; i < 2; i++) {
                char *rest;

                major[i] = strtol(texts[i] + 1, &rest, 10);
                for (long s = 0; s < 2; s++)
                        if (strncmp(rest, stages[s], strlen(stages[s])) == 0) {
                                stage[i] = s;
                                minor[i] = strtol(rest + strlen(stages[s]), NULL, 10);
                        }
        }
        if (stage[0] != stage[1])
                return stage[0] > stage[1] ? -1 : 1;
        if (major[0] != major[1])
                return major[0] > major[1] ? -1 : 1;
        return minor[0] == minor[1] ? 0 : minor[0] > minor[1] ? -1 : 1;
}

static int compare_kinds(const void *a, const void *b) {
        const struct kube_kind *x = *(const struct kube_kind *const *)a, *y = *(const struct kube_kind *const *)b;
        size_t px = place_of(x->group), py = place_of(y->group);
        int c = px != py ? (px < py ? -1 : 1) : strcmp(x->group, y->group);

        return c ? c : (c = compare_versions(x->version, y->version)) ? c : strcmp(x->resource, y->resource);
}

struct gathering {
        const struct kube_kind **kinds;
        size_t n, size;
};

static void count(void *data, const struct kube_kind *kind) {
        ((struct gathering *)data)->size += kind->resource != NULL;
}

static void gather(void *data, const struct kube_kind *kind) {
        struct gathering *g = data;

        if (kind->resource && g->n < g->size)
                g->kinds[g->n++] = kind;
}

/* Kinds in order become versions, and these groups. */
static int divide(struct arena *arena, const struct gathering *g, struct discovery_groups *groups) {
        for (size_t i = 0; i < g->n; i++) {
                const struct kube_kind *kind = g->kinds[i];
                struct discovery_group *group = groups->n > 0 ? &groups->items[groups->n - 1] : NULL;
                struct discovery_version *version;

                if (!group || strcmp(group->name, kind->group) != 0) {
                        group = &groups->items[groups->n++];
                        group->name = kind->group;
                        group->versions = arena_alloc_array(arena, g->n - i, sizeof(struct discovery_version *));
                        if (!group->versions)
                                return -ENOMEM;
                }
                version = group->n_versions > 0 ? group->versions[group->n_versions - 1] : NULL;
                if (!version || strcmp(version->name, kind->version) != 0) {
                        version = arena_new_of(arena, struct discovery_version);
                        if (!version)
                                return -ENOMEM;
                        *version = (struct discovery_version){ kind->group, kind->version, &g->kinds[i], 0 };
                        group->versions[group->n_versions++] = version;
                }
                version->n_kinds++;
        }
        return 0;
}

int discovery_groups(struct arena *arena, const struct kube_registry *registry, struct discovery_groups *ret_groups) {
        struct discovery_groups groups = { 0 };
        struct gathering g = { 0 };
        int r;

        kube_registry_each(registry, count, &g);
        g.kinds = arena_alloc_array(arena, g.size + 1, sizeof(*g.kinds));
        groups.items = arena_alloc_array(arena, g.size + 1, sizeof(*groups.items));
        if (!g.kinds || !groups.items)
                return -ENOMEM;
        kube_registry_each(registry, gather, &g);
        qsort(g.kinds, g.n, sizeof(*g.kinds), compare_kinds);
        r = divide(arena, &g, &groups);
        *ret_groups = groups;
        return r;
}

const struct discovery_group *discovery_group(const struct discovery_groups *groups, const char *name) {
        for (size_t i = 0; i < groups->n; i++)
                if (strcmp(groups->items[i].name, name) == 0)
                        return &groups->items[i];
        return NULL;
}
