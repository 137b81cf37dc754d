#include "api/quota/use.h"

#include <errno.h>
#include <string.h>

#include "api/quota/kind.h"
#include "kube/pod/resource_list.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#define COUNT "count/"

static const struct quota_kind kinds[] = {
        { "", "pods", "pods", QUOTA_CREATE, quota_pod_counts, quota_pod_measures, quota_pod_usage, quota_pod_in_scope },
        { "", "services", "services", QUOTA_CREATE | QUOTA_UPDATE, NULL, quota_service_measures, quota_service_usage,
          NULL },
        { "", "persistentvolumeclaims", "persistentvolumeclaims", QUOTA_CREATE | QUOTA_UPDATE, quota_claim_counts,
          quota_claim_measures, quota_claim_usage, quota_claim_in_scope },
        { "resource.k8s.io", "resourceclaims", NULL, QUOTA_CREATE | QUOTA_UPDATE, NULL, quota_device_measures,
          quota_device_usage, NULL },
        { "", "configmaps", "configmaps", QUOTA_CREATE, NULL, NULL, NULL, NULL },
        { "", "resourcequotas", "resourcequotas", QUOTA_CREATE, NULL, NULL, NULL, NULL },
        { "", "replicationcontrollers", "replicationcontrollers", QUOTA_CREATE, NULL, NULL, NULL, NULL },
        { "", "secrets", "secrets", QUOTA_CREATE, NULL, NULL, NULL, NULL },
};

/* All others are counted alone. */
static const struct quota_kind counted = { .counts = QUOTA_CREATE };

const struct quota_kind *quota_kind_of(const char *group, const char *resource) {
        static const char *const ignored[] = { "bindings", "componentstatuses", "events" };

        for (size_t i = 0; i < ELEMENTS(ignored); i++)
                if (strcmp(ignored[i], resource) == 0 && (!*group || strcmp(group, "events.k8s.io") == 0))
                        return NULL;
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (strcmp(kinds[i].resource, resource) == 0 && strcmp(kinds[i].group, group) == 0)
                        return &kinds[i];
        return &counted;
}

bool quota_counts(const struct quota_item *item, const char *sub, const void *old) {
        const struct quota_kind *kind = item->kind;

        if (!*sub && kind->counts & (old ? QUOTA_UPDATE : QUOTA_CREATE))
                return true;
        return kind->counts_also && kind->counts_also(item->object, sub, old);
}

bool quota_reads(const struct quota_item *item) {
        return item->kind->usage;
}

/* "count/RESOURCE" or "count/RESOURCE.GROUP" */
static bool is_count(const struct quota_item *item, const char *name) {
        size_t length = strlen(item->resource);

        if (strncmp(name, COUNT, strlen(COUNT)) != 0)
                return false;
        name += strlen(COUNT);
        if (strncmp(name, item->resource, length) != 0)
                return false;
        name += length;
        return *item->group ? *name == '.' && strcmp(name + 1, item->group) == 0 : !*name;
}

bool quota_measures(const struct quota_item *item, const char *name) {
        const struct quota_kind *kind = item->kind;

        return is_count(item, name) || (kind->alias && strcmp(kind->alias, name) == 0) ||
               (kind->measures && kind->measures(name));
}

int quota_add(struct arena *arena, resource_list *list, const char *name, struct quantity amount) {
        const struct quantity *there = resource_get(list, name);

        return resource_list_add(arena, list, name, there ? quantity_add(*there, amount) : amount) ? 0 : -ENOMEM;
}

int quota_usage(struct arena *arena, const struct quota_item *item, resource_list *ret_usage) {
        const char *count = arena_printf(arena, COUNT "%s%s%s", item->resource, *item->group ? "." : "", item->group);
        const struct quantity one = quantity_from_units(1, QUANTITY_DECIMAL);
        resource_list usage = { 0 };
        int r = count ? quota_add(arena, &usage, count, one) : -ENOMEM;

        if (r < 0)
                return r;
        if (item->kind->usage)
                r = item->kind->usage(arena, item->object, &usage);
        else if (item->kind->alias)
                r = quota_add(arena, &usage, item->kind->alias, one);
        if (r < 0)
                return r;
        *ret_usage = usage;
        return 0;
}

/* --- scopes --- */

bool quota_scope_matches(const struct kube_scoped_resource_selector_requirement *scope, const char *const *values,
                         unsigned n) {
        bool found = false;

        if (kube_is(scope->operator, "Exists"))
                return n > 0;
        if (kube_is(scope->operator, "DoesNotExist"))
                return n == 0;
        for (unsigned i = 0; i < n; i++) {
                bool one = false;

                list_for_each (value, &scope->values)
                        one |= strcmp(*value, values[i]) == 0;
                if (kube_is(scope->operator, "NotIn") ? !one : one)
                        found = true;
        }
        return found || (n == 0 && kube_is(scope->operator, "NotIn"));
}

static bool in_scope(const struct quota_item *item, const struct kube_scoped_resource_selector_requirement *scope) {
        return item->kind->in_scope && item->kind->in_scope(item->object, scope);
}

bool quota_in_scopes(const struct kube_resource_quota *quota, const struct quota_item *item) {
        list_for_each (name, &quota->spec.scopes) {
                const struct kube_scoped_resource_selector_requirement scope = { .scope_name = *name,
                                                                                 .operator= "Exists" };

                if (!in_scope(item, &scope))
                        return false;
        }
        if (quota->spec.scope_selector)
                list_for_each (scope, &quota->spec.scope_selector->match_expressions)
                        if (!in_scope(item, scope))
                                return false;
        return true;
}

bool quota_matches(const struct kube_resource_quota *quota, const struct quota_item *item) {
        list_for_each (hard, &quota->status.hard)
                if (quota_measures(item, hard->name))
                        return quota_in_scopes(quota, item);
        return false;
}
