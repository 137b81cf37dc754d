#include "api/admission/toleration.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"

static bool same_text(const char *a, const char *b) {
        return strcmp(a ?: "", b ?: "") == 0;
}

static bool is_empty(const char *text) {
        return !text || !*text;
}

static bool is_equal(const struct kube_toleration *a, const struct kube_toleration *b) {
        return same_text(a->key, b->key) && same_text(a->operator, b->operator) && same_text(a->value, b->value) &&
               same_text(a->effect, b->effect) && a->toleration_seconds.set == b->toleration_seconds.set &&
               a->toleration_seconds.value == b->toleration_seconds.value;
}

static bool lasts_as_long(const struct kube_toleration *wide, const struct kube_toleration *narrow) {
        const struct opt_int *w = &wide->toleration_seconds, *n = &narrow->toleration_seconds;

        return !kube_is(wide->effect, "NoExecute") || !w->set || (n->set && n->value <= w->value);
}

/* Whether @wide tolerates all that @narrow does. An empty key with Exists is any key, an empty effect any effect. */
static bool covers(const struct kube_toleration *wide, const struct kube_toleration *narrow) {
        bool exists = kube_is(wide->operator, "Exists");

        if (is_equal(wide, narrow))
                return true;
        if (!same_text(wide->key, narrow->key) && !(is_empty(wide->key) && exists))
                return false;
        if (!same_text(wide->effect, narrow->effect) && !is_empty(wide->effect))
                return false;
        if (!lasts_as_long(wide, narrow))
                return false;
        if (is_empty(wide->operator) || kube_is(wide->operator, "Equal"))
                return kube_is(narrow->operator, "Equal") && same_text(wide->value, narrow->value);
        return exists;
}

static bool is_needless(const struct kube_toleration *all, uint32_t n, uint32_t at,
                        const kube_toleration_items *merged) {
        list_for_each (one, merged)
                if (covers(one, &all[at]))
                        return true;
        for (uint32_t i = at + 1; i < n; i++)
                if (!is_equal(&all[i], &all[at]) && covers(&all[i], &all[at]))
                        return true;
        return false;
}

int toleration_merge(struct arena *arena, const kube_toleration_items *first, const kube_toleration_items *second,
                     kube_toleration_items *ret_merged) {
        uint32_t n = first->count + second->count;
        struct kube_toleration *all = arena_alloc_array(arena, n, sizeof(*all)),
                               *kept = arena_alloc_array(arena, n, sizeof(*kept));
        kube_toleration_items merged = { .items = kept };

        if (n > TOLERATION_MAX)
                return -E2BIG;
        if (!all || !kept)
                return -ENOMEM;
        if (first->count > 0)
                memcpy(all, first->items, first->count * sizeof(*all));
        if (second->count > 0)
                memcpy(all + first->count, second->items, second->count * sizeof(*all));
        for (uint32_t i = 0; i < n; i++)
                if (!is_needless(all, n, i, &merged))
                        kept[merged.count++] = all[i];
        *ret_merged = merged;
        return 0;
}
