/* Whether rules cover others: these are taken apart into the smallest that there are, and each must be in one of those.
 */
#include <errno.h>
#include <string.h>

#include "api/auth/text.h"
#include "api/rbac/escalation.h"
#include "lib/arena.h"

typedef struct kube_rbac_v1_policy_rule rule;

#define MISSING_WEIGHT 1000 /* what is missing is kept, and told: it counts as so many texts that are compared */

static bool has_all(const string_list *list, const string_list *wanted) {
        list_for_each (text, wanted) {
                if (!kube_has(list, *text))
                        return false;
        }
        return true;
}

static bool has_or_all(const string_list *list, const string_list *wanted) {
        return kube_has(list, "*") || has_all(list, wanted);
}

static bool is_any_with(const char *owned, const char *subresource) {
        return strncmp(owned, "*/", 2) == 0 && strcmp(owned + 2, subresource) == 0;
}

static bool covers_resources(const string_list *owned, const string_list *asked) {
        if (has_or_all(owned, asked))
                return true;
        list_for_each (text, asked) {
                const char *slash = strchr(*text, '/');
                bool found = kube_has(owned, *text);

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

struct search {
        struct arena *arena;
        const rbac_rules *owned;
        rbac_rules missing;
        uint32_t room;
        uint64_t left; /* texts that may still be compared */
        int error;     /* -ENOMEM, -E2BIG: it is over */
};

static bool pay(struct search *s, uint64_t texts) {
        if (s->left < texts)
                s->error = -E2BIG;
        else
                s->left -= texts;
        return s->error == 0;
}

static bool covers_rule(struct search *s, const rule *owned, const rule *asked) {
        if (!pay(s, 1 + (uint64_t)owned->verbs.count) || !has_or_all(&owned->verbs, &asked->verbs) ||
            !pay(s, owned->api_groups.count) || !has_or_all(&owned->api_groups, &asked->api_groups) ||
            !pay(s, (uint64_t)owned->resources.count + owned->non_resource_urls.count + owned->resource_names.count))
                return false;
        return covers_resources(&owned->resources, &asked->resources) &&
               covers_urls(&owned->non_resource_urls, &asked->non_resource_urls) &&
               covers_names(&owned->resource_names, &asked->resource_names);
}

static string_list one(const char **text) {
        return text ? (string_list){ text, 1 } : (string_list){ 0 };
}

/* A smallest rule: its lists point at one text each. */
static void look_for(struct search *s, const rule *asked) {
        list_for_each (own, s->owned) {
                if (covers_rule(s, own, asked) || s->error)
                        return;
        }
        if (!pay(s, MISSING_WEIGHT))
                return;
        if (s->missing.count == s->room) {
                uint32_t room = s->room ? 2 * s->room : 16;
                rule *items = arena_alloc_array(s->arena, room, sizeof(*items));

                if (!items) {
                        s->error = -ENOMEM;
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
                if (s->error)
                        break;
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
                                if (s->error)
                                        return;
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
                        if (s->error)
                                return;
                        small.non_resource_urls = one(url);
                        small.verbs = one(verb);
                        look_for(s, &small);
                }
        }
}

int rbac_covers(struct arena *arena, const rbac_rules *owned, const rbac_rules *asked, uint64_t texts_max,
                rbac_rules *ret_missing) {
        struct search s = { .arena = arena, .owned = owned, .left = texts_max };

        list_for_each (r, asked) {
                if (s.error == 0)
                        look_for_parts(&s, r);
        }
        if (s.error)
                return s.error;
        *ret_missing = s.missing;
        return s.missing.count == 0;
}
