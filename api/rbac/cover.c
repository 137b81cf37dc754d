/* Whether rules cover others: these are taken apart into the smallest that there are, and each must be in one of those.
 */
#include <errno.h>
#include <string.h>

#include "api/auth/text.h"
#include "api/rbac/escalation.h"
#include "lib/arena.h"

typedef struct kube_rbac_v1_policy_rule rule;

static bool has_all(const string_list *list, const string_list *wanted) {
        list_for_each (text, wanted) {
                if (!auth_list_has(list, *text))
                        return false;
        }
        return true;
}

static bool has_or_all(const string_list *list, const string_list *wanted) {
        return auth_list_has(list, "*") || has_all(list, wanted);
}

static bool is_any_with(const char *owned, const char *subresource) {
        return strncmp(owned, "*/", 2) == 0 && strcmp(owned + 2, subresource) == 0;
}

static bool covers_resources(const string_list *owned, const string_list *asked) {
        if (has_or_all(owned, asked))
                return true;
        list_for_each (text, asked) {
                const char *slash = strchr(*text, '/');
                bool found = auth_list_has(owned, *text);

                list_for_each (own, owned)
                        found |= slash && is_any_with(*own, slash + 1);
                if (!found)
                        return false;
        }
        return true;
}

static bool covers_url(const char *owned, const char *asked) {
        size_t n = strlen(owned), all = n;

        if (strcmp(owned, asked) == 0)
                return true;
        while (n > 0 && owned[n - 1] == '*')
                n--;
        return n < all && strncmp(owned, asked, n) == 0;
}

static bool covers_urls(const string_list *owned, const string_list *asked) {
        list_for_each (url, asked) {
                bool found = false;

                list_for_each (own, owned)
                        found |= covers_url(*own, *url);
                if (!found)
                        return false;
        }
        return true;
}

static bool covers_names(const string_list *owned, const string_list *asked) {
        return owned->count == 0 || (asked->count > 0 && has_all(owned, asked));
}

static bool covers_rule(const rule *owned, const rule *asked) {
        return has_or_all(&owned->verbs, &asked->verbs) && has_or_all(&owned->api_groups, &asked->api_groups) &&
               covers_resources(&owned->resources, &asked->resources) &&
               covers_urls(&owned->non_resource_urls, &asked->non_resource_urls) &&
               covers_names(&owned->resource_names, &asked->resource_names);
}

struct search {
        struct arena *arena;
        const rbac_rules *owned;
        rbac_rules missing;
        uint32_t room;
        bool no_memory;
};

static string_list one(const char **text) {
        return text ? (string_list){ text, 1 } : (string_list){ 0 };
}

/* A smallest rule: its lists point at one text each. */
static void look_for(struct search *s, const rule *asked) {
        list_for_each (own, s->owned) {
                if (covers_rule(own, asked))
                        return;
        }
        if (s->missing.count == s->room) {
                uint32_t room = s->room ? 2 * s->room : 16;
                rule *items = arena_alloc_array(s->arena, room, sizeof(*items));

                if (!items) {
                        s->no_memory = true;
                        return;
                }
                if (s->missing.count > 0)
                        memcpy(items, s->missing.items, s->missing.count * sizeof(*items));
                s->missing.items = items;
                s->room = room;
        }
        s->missing.items[s->missing.count++] = *asked;
}

static void look_for_names(struct search *s, rule *small, const string_list *names) {
        if (names->count == 0)
                look_for(s, small);
        list_for_each (name, names) {
                small->resource_names = one(name);
                look_for(s, small);
        }
        small->resource_names = one(NULL);
}

static void look_for_parts(struct search *s, const rule *asked) {
        rule small = { 0 };

        list_for_each (group, &asked->api_groups) {
                list_for_each (resource, &asked->resources) {
                        list_for_each (verb, &asked->verbs) {
                                small.api_groups = one(group);
                                small.resources = one(resource);
                                small.verbs = one(verb);
                                look_for_names(s, &small, &asked->resource_names);
                        }
                }
        }
        small = (rule){ 0 };
        list_for_each (url, &asked->non_resource_urls) {
                list_for_each (verb, &asked->verbs) {
                        small.non_resource_urls = one(url);
                        small.verbs = one(verb);
                        look_for(s, &small);
                }
        }
}

int rbac_covers(struct arena *arena, const rbac_rules *owned, const rbac_rules *asked, rbac_rules *ret_missing) {
        struct search s = { .arena = arena, .owned = owned };

        list_for_each (r, asked)
                look_for_parts(&s, r);
        if (s.no_memory)
                return -ENOMEM;
        *ret_missing = s.missing;
        return s.missing.count == 0;
}
