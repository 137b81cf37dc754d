/* Rules as people read them: the smallest ones of one resource as one, and each as text. */
#include "api/rbac/compact.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth/text.h"
#include "lib/arena.h"
#include "lib/table.h"
#include "lib/texts.h"

/* One resource of one group, with a name or without. */
static bool is_simple(const struct kube_rbac_v1_policy_rule *rule) {
        return rule->api_groups.count == 1 && rule->resources.count == 1 && rule->resource_names.count <= 1 &&
               rule->non_resource_urls.count == 0;
}

/* A rule of those that become one, by what they are of. */
struct heap {
        struct table_node by_what;
        uint32_t place, verbs; /* among the compact ones; of all together */
};

/* Where a rule goes: to those before it that are of the same. -ENOMEM. */
static int place_rule(struct arena *arena, struct table *heaps, const struct kube_rbac_v1_policy_rule *rule,
                      struct heap **ret_heap) {
        const char *name = rule->resource_names.count > 0 ? rule->resource_names.items[0] : NULL;
        const char *what =
                arena_printf(arena, "%zu/%s/%zu/%s/%s%s", strlen(rule->api_groups.items[0]), rule->api_groups.items[0],
                             strlen(rule->resources.items[0]), rule->resources.items[0], name ? "=" : "", name ?: "");
        struct heap *heap = what ? table_object(table_find(heaps, what), struct heap, by_what) : NULL;

        if (what && !heap && (heap = arena_new_of(arena, struct heap))) {
                heap->place = UINT32_MAX;
                if (table_add(heaps, &heap->by_what, what) < 0)
                        return -ENOMEM;
        }
        if (!heap)
                return -ENOMEM;
        heap->verbs += rule->verbs.count;
        *ret_heap = heap;
        return 0;
}

/* Each rule's heap; NULL: it stays as it is. -ENOMEM. */
static int place_all(struct arena *arena, const rbac_rules *rules, struct heap **heaps) {
        struct table all = { 0 };
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < rules->count; i++)
                if (is_simple(&rules->items[i]))
                        r = place_rule(arena, &all, &rules->items[i], &heaps[i]);
        table_clear(&all);
        return r;
}

/* Room for the verbs of all that come. */
static int begin(struct arena *arena, const struct kube_rbac_v1_policy_rule *rule, uint32_t verbs,
                 struct kube_rbac_v1_policy_rule *ret_rule) {
        *ret_rule = *rule;
        ret_rule->verbs.items = arena_alloc_array(arena, (size_t)verbs + 1, sizeof(*ret_rule->verbs.items));
        ret_rule->verbs.count = 0;
        return ret_rule->verbs.items ? 0 : -ENOMEM;
}

int rbac_compact(struct arena *arena, const rbac_rules *rules, rbac_rules *ret_compact) {
        rbac_rules compact = { arena_alloc_array(arena, rules->count + 1, sizeof(*compact.items)), 0 };
        struct heap **heaps = arena_alloc_array(arena, rules->count + 1, sizeof(struct heap *));

        if (!compact.items || !heaps || place_all(arena, rules, heaps) < 0)
                return -ENOMEM;
        for (uint32_t i = 0; i < rules->count; i++) {
                const struct kube_rbac_v1_policy_rule *rule = &rules->items[i];
                struct heap *heap = heaps[i];

                if (!heap) {
                        compact.items[compact.count++] = *rule;
                        continue;
                }
                if (heap->place == UINT32_MAX) {
                        heap->place = compact.count++;
                        if (begin(arena, rule, heap->verbs, &compact.items[heap->place]) < 0)
                                return -ENOMEM;
                }
                list_for_each (verb, &rule->verbs) {
                        string_list *verbs = &compact.items[heap->place].verbs;

                        verbs->items[verbs->count++] = *verb;
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
