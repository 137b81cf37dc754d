#include <errno.h>
#include <string.h>

#include "api/auth/text.h"
#include "api/rbac/escalation.h"
#include "api/rbac/internal.h"
#include "lib/arena.h"

/* A label selector's requirement (meta/v1): of labels that are not there only "not" is true. */
static bool meets(const string_map *labels, const struct kube_label_selector_requirement *wanted) {
        const char *value = string_map_get(labels, wanted->key);

        if (strcmp(wanted->operator, "In") == 0)
                return value && auth_list_has(&wanted->values, value);
        if (strcmp(wanted->operator, "NotIn") == 0)
                return !value || !auth_list_has(&wanted->values, value);
        if (strcmp(wanted->operator, "Exists") == 0)
                return value;
        return strcmp(wanted->operator, "DoesNotExist") == 0 && !value;
}

static bool selects(const struct kube_label_selector *selector, const string_map *labels) {
        list_for_each (pair, &selector->match_labels) {
                const char *value = string_map_get(labels, pair->key);

                if (!value || strcmp(value, pair->value) != 0)
                        return false;
        }
        list_for_each (wanted, &selector->match_expressions) {
                if (!meets(labels, wanted))
                        return false;
        }
        return true;
}

static bool same_list(const string_list *a, const string_list *b) {
        if (a->count != b->count)
                return false;
        for (uint32_t i = 0; i < a->count; i++) {
                if (strcmp(a->items[i], b->items[i]) != 0)
                        return false;
        }
        return true;
}

static bool same_rule(const struct kube_rbac_v1_policy_rule *a, const struct kube_rbac_v1_policy_rule *b) {
        return same_list(&a->verbs, &b->verbs) && same_list(&a->api_groups, &b->api_groups) &&
               same_list(&a->resources, &b->resources) && same_list(&a->resource_names, &b->resource_names) &&
               same_list(&a->non_resource_urls, &b->non_resource_urls);
}

static int add_new(struct arena *arena, const rbac_rules *rules, rbac_rules *all) {
        struct kube_rbac_v1_policy_rule *items =
                arena_alloc_array(arena, all->count + rules->count + 1, sizeof(*items));

        if (!items)
                return -ENOMEM;
        if (all->count > 0)
                memcpy(items, all->items, all->count * sizeof(*items));
        all->items = items;
        list_for_each (rule, rules) {
                bool there = false;

                list_for_each (old, all)
                        there |= same_rule(old, rule);
                if (!there)
                        items[all->count++] = *rule;
        }
        return 0;
}

/* The rules of the ClusterRoles that @selector chooses, in the order of their names; not copied. */
static int add_selected(const struct rbac *rbac, const struct kube_label_selector *selector, const char *but,
                        struct arena *arena, rbac_rules *all) {
        struct index_cursor at = index_seek(&rbac->cluster_roles, NULL, NULL);
        int r = 0;

        for (struct rbac_role *role = index_at(&at); r >= 0 && role; role = index_next(&at)) {
                if (strcmp(role->name, but) != 0 && selects(selector, &role->labels))
                        r = add_new(arena, &role->rules, all);
        }
        return r;
}

int rbac_aggregate(struct rbac *rbac, const struct kube_rbac_v1_cluster_role *role, struct arena *arena,
                   rbac_rules *ret_rules) {
        rbac_rules all = { 0 };
        int r = 0;

        pthread_rwlock_rdlock(&rbac->lock);
        if (role->aggregation_rule) {
                list_for_each (selector, &role->aggregation_rule->cluster_role_selectors) {
                        if (r >= 0)
                                r = add_selected(rbac, selector, role->metadata.name, arena, &all);
                }
        }
        if (r >= 0)
                r = rbac_copy_rules(arena, &all, ret_rules);
        pthread_rwlock_unlock(&rbac->lock);
        return r;
}
