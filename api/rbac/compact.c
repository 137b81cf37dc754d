/* Rules as people read them: the smallest ones of one resource as one, and each as text. */
#include "api/rbac/compact.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth/text.h"
#include "lib/arena.h"
#include "lib/texts.h"

static bool same(const string_list *a, const string_list *b) {
        return a->count == b->count && (a->count == 0 || strcmp(a->items[0], b->items[0]) == 0);
}

/* One resource of one group, with a name or without. */
static bool is_simple(const struct kube_rbac_v1_policy_rule *rule) {
        return rule->api_groups.count == 1 && rule->resources.count == 1 && rule->resource_names.count <= 1 &&
               rule->non_resource_urls.count == 0;
}

static bool is_alike(const struct kube_rbac_v1_policy_rule *a, const struct kube_rbac_v1_policy_rule *b) {
        return is_simple(a) && is_simple(b) && same(&a->api_groups, &b->api_groups) &&
               same(&a->resources, &b->resources) && same(&a->resource_names, &b->resource_names);
}

int rbac_compact(struct arena *arena, const rbac_rules *rules, rbac_rules *ret_compact) {
        rbac_rules compact = { arena_alloc_array(arena, rules->count + 1, sizeof(*compact.items)), 0 };

        if (!compact.items)
                return -ENOMEM;
        list_for_each (rule, rules) {
                uint32_t i = 0;

                while (i < compact.count && !is_alike(&compact.items[i], rule))
                        i++;
                if (i == compact.count) {
                        compact.items[compact.count++] = *rule;
                        continue;
                }
                list_for_each (verb, &rule->verbs) {
                        if (auth_list_add(arena, &compact.items[i].verbs, *verb) < 0)
                                return -ENOMEM;
                }
        }
        *ret_compact = compact;
        return 0;
}

/* `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`; NULL without memory. */
static char *describe(struct arena *arena, const struct kube_rbac_v1_policy_rule *rule) {
        const struct {
                const char *name;
                const string_list *list;
        } parts[] = {
                { "APIGroups", &rule->api_groups },
                { "Resources", &rule->resources },
                { "NonResourceURLs", &rule->non_resource_urls },
                { "ResourceNames", &rule->resource_names },
                { "Verbs", &rule->verbs },
        };
        char *text = arena_strdup(arena, "{");

        for (unsigned i = 0; text && i < sizeof(parts) / sizeof(parts[0]); i++) {
                char *list;

                if (parts[i].list->count == 0)
                        continue;
                list = auth_quote_list(arena, parts[i].list);
                text = list ? arena_printf(arena, "%s%s%s:%s", text, text[1] ? ", " : "", parts[i].name, list) : NULL;
        }
        return text ? arena_printf(arena, "%s}", text) : NULL;
}

char *rbac_describe(struct arena *arena, const rbac_rules *rules) {
        string_list lines = { arena_alloc_array(arena, rules->count + 1, sizeof(*lines.items)), 0 };
        uint32_t n = 0;

        for (; lines.items && lines.count < rules->count; lines.count++) {
                lines.items[lines.count] = describe(arena, &rules->items[lines.count]);
                if (!lines.items[lines.count])
                        return NULL;
        }
        if (!lines.items)
                return NULL;
        qsort(lines.items, lines.count, sizeof(*lines.items), texts_order);
        for (uint32_t i = 0; i < lines.count; i++) {
                if (n == 0 || strcmp(lines.items[n - 1], lines.items[i]) != 0)
                        lines.items[n++] = lines.items[i];
        }
        lines.count = n;
        return auth_join(arena, &lines, "\n");
}
