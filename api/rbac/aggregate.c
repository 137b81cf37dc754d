#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/auth/text.h"
#include "api/rbac/escalation.h"
#include "api/rbac/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/table.h"

/* A label selector's requirement (meta/v1): of labels that are not there only "not" is true. */
static bool meets(const string_map *labels, const struct kube_label_selector_requirement *wanted) {
        const char *value = string_map_get(labels, wanted->key);

        if (strcmp(wanted->operator, "In") == 0)
                return value && kube_has(&wanted->values, value);
        if (strcmp(wanted->operator, "NotIn") == 0)
                return !value || !kube_has(&wanted->values, value);
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

/* Rules that are there, each once, found by what they say. */
struct collected {
        struct arena *arena;
        rbac_rules all;
        uint32_t room;
        struct table known;
};

#define LENGTH_MAX 11 /* digits of a text's length, and what divides it from the text */

static size_t size_of(const string_list *list) {
        size_t size = LENGTH_MAX;

        list_for_each (text, list)
                size += strlen(*text) + LENGTH_MAX;
        return size;
}

static char *write_list(char *to, const string_list *list) {
        to += sprintf(to, "%u;", list->count);
        list_for_each (text, list)
                to += sprintf(to, "%zu:%s", strlen(*text), *text);
        return to;
}

/* All that @rule says, in a text that no other rule has. */
static const char *text_of(struct arena *arena, const struct kube_rbac_v1_policy_rule *rule) {
        const string_list *const lists[] = { &rule->verbs, &rule->api_groups, &rule->resources, &rule->resource_names,
                                             &rule->non_resource_urls };
        size_t size = 1;
        char *text, *to;

        for (size_t i = 0; i < ELEMENTS(lists); i++)
                size += size_of(lists[i]);
        text = to = arena_alloc(arena, size);
        for (size_t i = 0; text && i < ELEMENTS(lists); i++)
                to = write_list(to, lists[i]);
        return text;
}

/* 1: it is new; 0: it is there already. */
static int note(struct collected *c, const struct kube_rbac_v1_policy_rule *rule) {
        struct table_node *node = arena_new_of(c->arena, struct table_node);
        const char *text = text_of(c->arena, rule);
        int r = node && text ? table_add(&c->known, node, text) : -ENOMEM;

        return r == -EEXIST ? 0 : r < 0 ? r : 1;
}

static int make_room(struct collected *c) {
        uint32_t room = c->room ? 2 * c->room : 64;
        struct kube_rbac_v1_policy_rule *items;

        if (c->all.count < c->room)
                return 0;
        if (!(items = arena_alloc_array(c->arena, room, sizeof(*items))))
                return -ENOMEM;
        if (c->all.count > 0)
                memcpy(items, c->all.items, c->all.count * sizeof(*items));
        c->all.items = items;
        c->room = room;
        return 0;
}

static int add_new(struct collected *c, const rbac_rules *rules) {
        list_for_each (rule, rules) {
                int r = make_room(c);

                if (r < 0 || (r = note(c, rule)) < 0)
                        return r;
                if (r > 0)
                        c->all.items[c->all.count++] = *rule;
        }
        return 0;
}

/* The rules of the ClusterRoles that @selector chooses, in the order of their names; not copied. */
static int add_selected(const struct rbac *rbac, const struct kube_label_selector *selector, const char *but,
                        struct collected *c) {
        struct index_cursor at = index_seek(&rbac->cluster_roles, NULL, NULL);
        int r = 0;

        for (struct rbac_role *role = index_at(&at); r >= 0 && role; role = index_next(&at)) {
                if (strcmp(role->name, but) != 0 && selects(selector, &role->labels))
                        r = add_new(c, &role->rules);
        }
        return r;
}

int rbac_aggregate(struct rbac *rbac, const struct kube_rbac_v1_cluster_role *role, struct arena *arena,
                   rbac_rules *ret_rules) {
        struct collected c = { .arena = arena };
        int r = 0;

        pthread_rwlock_rdlock(&rbac->lock);
        if (role->aggregation_rule) {
                list_for_each (selector, &role->aggregation_rule->cluster_role_selectors) {
                        if (r >= 0)
                                r = add_selected(rbac, selector, role->metadata.name, &c);
                }
        }
        if (r >= 0)
                r = rbac_copy_rules(arena, &c.all, ret_rules);
        pthread_rwlock_unlock(&rbac->lock);
        table_clear(&c.known);
        return r;
}
