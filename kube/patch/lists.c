/* Lists of a strategic merge patch. */
#include <string.h>

#include "kube/patch/clean.h"
#include "kube/patch/go_text.h"
#include "kube/patch/strategic.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

static struct value *copy_items(struct patch_work *w, const struct value *list, size_t more) {
        uint32_t n = value_count(list);
        struct value *items = arena_alloc_array(w->arena, n + more, sizeof(*items));

        if (items && n > 0)
                memcpy(items, list->items, n * sizeof(*items));
        return items;
}

/* ---- scalars ---- */

static int drop_scalars(struct patch_work *w, const struct value *list, const struct value *gone,
                        struct value *ret_value) {
        _cleanup_patch_ids_ struct patch_ids ids = { 0 }, going = { 0 };
        struct value *items = copy_items(w, list, 0);
        uint32_t n = 0;
        int r = items ? patch_identify(w, list, NULL, &ids) : patch_no_memory(w);

        if (r < 0 || (r = patch_identify(w, gone, NULL, &going)) < 0)
                return r;
        for (uint32_t i = 0; i < list->count; i++)
                if (patch_first(&going, patch_id(&ids, i)) == VALUE_NONE)
                        items[n++] = list->items[i];
        *ret_value = (struct value){ .kind = VALUE_LIST, .count = n, .items = items };
        return 0;
}

static int join_scalars(struct patch_work *w, const struct value *list, const struct value *patch,
                        struct value *ret_value) {
        _cleanup_patch_ids_ struct patch_ids ids = { 0 };
        struct value *items = copy_items(w, list, patch->count);
        struct value both = { .kind = VALUE_LIST, .count = list->count + patch->count, .items = items };
        uint32_t n = 0;
        int r;

        if (!items)
                return patch_no_memory(w);
        if (patch->count > 0)
                memcpy(items + list->count, patch->items, patch->count * sizeof(*items));
        r = patch_identify(w, &both, NULL, &ids);
        if (r < 0)
                return r;
        for (uint32_t i = 0; i < both.count; i++)
                if (patch_first(&ids, patch_id(&ids, i)) == i)
                        items[n++] = items[i];
        both.count = n;
        *ret_value = both;
        return 0;
}

/* ---- maps ---- */

/* The list without what the patch deletes, the patch without its directives, and Go's array of the list: its survivors
 * close up, what was behind them stays, and what is added comes where there is space. */
struct division {
        struct value list, patch, array;
        bool replace;
};

static int read_directive(struct patch_work *w, const char *key, const struct value *item, bool *ret_deletes,
                          bool *ret_replaces) {
        const struct value *directive = value_get(item, PATCH_DIRECTIVE);

        *ret_deletes = patch_is_text(directive, "delete");
        *ret_replaces = *ret_replaces || patch_is_text(directive, "replace");
        if (*ret_deletes && !value_get(item, key))
                return patch_no_merge_key(w, item, key);
        if (*ret_deletes || patch_is_text(directive, "replace"))
                return 0;
        if (patch_is_text(directive, "merge"))
                return patch_inconsistent(w, "merging lists cannot yet be specified in the patch");
        return patch_inconsistent(w, "unknown patch type: %s in map: %s", patch_string_text(w->arena, directive) ?: "",
                                  patch_text(w->arena, item) ?: "");
}

/* For each item the next one of the same key. */
static uint32_t *chain(struct patch_work *w, const struct patch_ids *ids) {
        uint32_t n = ids->map.count, *next = arena_alloc_array(w->arena, (size_t)n * 2 + 1, sizeof(*next));
        uint32_t *last = next ? next + n : NULL;

        for (uint32_t i = 0; next && i < n; i++) {
                uint32_t first = patch_first(ids, patch_id(ids, i));

                next[i] = VALUE_NONE;
                if (first != VALUE_NONE && first != i)
                        next[last[first]] = i;
                if (first != VALUE_NONE)
                        last[first] = i;
        }
        return next;
}

struct deleting {
        struct patch_ids ids;
        uint32_t *next;
        bool *gone;
        uint32_t end;  /* behind the last that stays */
        uint32_t left; /* how many stay */
        struct value *array;
};

static void delete_all_of(struct deleting *d, const struct value *list, const char *id) {
        for (uint32_t i = patch_first(&d->ids, id); i != VALUE_NONE; i = d->next[i]) {
                if (d->gone[i])
                        continue;
                d->array[--d->left] = list->items[d->end - 1];
                d->gone[i] = true;
                while (d->end > 0 && d->gone[d->end - 1])
                        d->end--;
        }
}

static int start_deleting(struct patch_work *w, const char *key, const struct value *list, struct deleting *d) {
        int r = patch_identify(w, list, key, &d->ids);

        if (r < 0)
                return r;
        d->next = chain(w, &d->ids);
        d->gone = arena_alloc_array(w->arena, list->count, sizeof(*d->gone));
        d->array = copy_items(w, list, 0);
        d->end = d->left = list->count;
        return d->next && d->gone && d->array ? 0 : patch_no_memory(w);
}

static void close_up(const struct value *list, const struct deleting *d, struct value *ret_list) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < list->count; i++)
                if (!d->gone[i])
                        d->array[n++] = list->items[i];
        *ret_list = (struct value){ .kind = VALUE_LIST, .count = n, .items = d->array };
}

static void deleting_done(struct deleting *d) {
        patch_ids_done(&d->ids);
}

static int divide(struct patch_work *w, const char *key, const struct value *list, const struct value *patch,
                  struct division *ret) {
        _cleanup_patch_ids_ struct patch_ids patched = { 0 };
        _cleanup_(deleting_done) struct deleting d = { 0 };
        struct value *kept = copy_items(w, patch, 0);
        uint32_t n = 0;
        int r;

        if (!kept)
                return patch_no_memory(w);
        if ((r = start_deleting(w, key, list, &d)) < 0 || (r = patch_identify(w, patch, key, &patched)) < 0)
                return r;
        for (uint32_t i = 0; i < patch->count; i++) {
                bool deletes;

                if (!value_get(&patch->items[i], PATCH_DIRECTIVE)) {
                        kept[n++] = patch->items[i];
                        continue;
                }
                if ((r = read_directive(w, key, &patch->items[i], &deletes, &ret->replace)) < 0)
                        return r;
                if (deletes)
                        delete_all_of(&d, list, patch_id(&patched, i));
        }
        close_up(list, &d, &ret->list);
        ret->patch = (struct value){ .kind = VALUE_LIST, .count = n, .items = kept };
        ret->array = (struct value){ .kind = VALUE_LIST, .count = list->count, .items = d.array };
        return 0;
}

/* Merges item by item; where the patch has a key twice, the second goes into the first. */
static int merge_items(struct patch_work *w, const struct patch_field *field, const struct value *list,
                       const struct value *patch, struct value *ret_value) {
        _cleanup_patch_ids_ struct patch_ids ids = { 0 }, patched = { 0 };
        struct value *items = copy_items(w, list, patch->count);
        uint32_t *places = arena_alloc_array(w->arena, patch->count + 1, sizeof(*places));
        uint32_t n = list->count;
        int r;

        if (!items || !places)
                return patch_no_memory(w);
        if ((r = patch_identify(w, list, field->merge_key, &ids)) < 0 ||
            (r = patch_identify(w, patch, field->merge_key, &patched)) < 0)
                return r;
        for (uint32_t i = 0; i < patch->count; i++) {
                const struct value *item = &patch->items[i];
                uint32_t first;

                if (!value_get(item, field->merge_key))
                        return patch_no_merge_key(w, item, field->merge_key);
                first = patch_first(&patched, patch_id(&patched, i));
                places[i] = first < i ? places[first] : patch_first(&ids, patch_id(&patched, i));
                if (places[i] == VALUE_NONE) {
                        places[i] = n;
                        items[n++] = *item;
                        continue;
                }
                if ((r = patch_merge_maps(w, &field->below, &items[places[i]], item, &items[places[i]])) < 0)
                        return r;
        }
        *ret_value = (struct value){ .kind = VALUE_LIST, .count = n, .items = items };
        return 0;
}

static int merge_maps(struct patch_work *w, const struct patch_field *field, const struct value *list,
                      const struct value *patch, struct patch_merged *ret_merged) {
        static const struct value none = { .kind = VALUE_LIST };
        struct division d = { 0 };
        struct value merged, *array;
        int r;

        if (!field->merge_key)
                return patch_inconsistent(w, "cannot merge lists without merge key for %s", field->below.go_kind);
        r = divide(w, field->merge_key, list, patch, &d);
        if (r < 0)
                return r;
        if (d.replace) {
                d.list = d.patch;
                d.patch = none;
        }
        r = merge_items(w, field, &d.list, &d.patch, &merged);
        if (r < 0)
                return r;
        array = copy_items(w, &d.array, 0);
        if (!array)
                return patch_no_memory(w);
        for (uint32_t i = d.list.count; !d.replace && i < merged.count && i < d.array.count; i++)
                array[i] = merged.items[i];
        ret_merged->server = (struct value){ .kind = VALUE_LIST, .count = d.array.count, .items = array };
        return patch_put_in_order(w, &(struct patch_order){ field->merge_key, true, &d.patch, &d.list }, &merged,
                                  &ret_merged->list);
}

/* ---- both ---- */

int patch_merge_lists(struct patch_work *w, const struct patch_field *field, const struct value *list,
                      const struct value *patch, bool deleting, struct patch_merged *ret_merged) {
        struct value merged;
        enum value_kind kind;
        int r;

        ret_merged->server = *list;
        if (!field->merge && !deleting) {
                ret_merged->list = *patch;
                return 0;
        }
        if (list->count == 0 && patch->count == 0) {
                ret_merged->list = *list;
                return 0;
        }
        r = patch_common_kind(w, list, patch, &kind);
        if (r < 0)
                return r;
        if (kind == VALUE_MAP)
                return merge_maps(w, field, list, patch, ret_merged);
        if (deleting && !w->combine)
                return drop_scalars(w, list, patch, &ret_merged->list);
        r = join_scalars(w, list, patch, &merged);
        if (r < 0)
                return r;
        return patch_put_in_order(w, &(struct patch_order){ field->merge_key, false, patch, list }, &merged,
                                  &ret_merged->list);
}

/* ---- $setElementOrder ---- */

static int same_item(struct patch_work *w, const char *key, const struct value *a, const struct value *b,
                     bool *ret_same) {
        if (!key) {
                *ret_same = patch_same(a, b);
                return 0;
        }
        if (a->kind != VALUE_MAP || b->kind != VALUE_MAP)
                return patch_wrong_type(w, "map[string]interface {}", a->kind != VALUE_MAP ? a : b);
        if (!value_get(a, key) || !value_get(b, key))
                return patch_no_merge_key(w, value_get(a, key) ? b : a, key);
        *ret_same = patch_same(value_get(a, key), value_get(b, key));
        return 0;
}

/* What the patch has is in the order that it wants, but deletions. */
static int check_order(struct patch_work *w, const char *key, const struct value *patch, const struct value *order) {
        uint32_t i = 0, j = 0, n = value_count(patch);

        if (n == 0 || order->count == 0)
                return 0;
        for (uint32_t k = 0; key && k < n; k++)
                if (patch->items[k].kind != VALUE_MAP)
                        return patch_wrong_type(w, "map[string]interface {}", &patch->items[k]);
        while (i < n && j < order->count) {
                bool same = false;
                int r;

                if (value_get(&patch->items[i], PATCH_DIRECTIVE)) {
                        i++;
                        continue;
                }
                r = same_item(w, key, &patch->items[i], &order->items[j], &same);
                if (r < 0)
                        return r;
                i += same;
                j++;
        }
        /* Go has taken deletions out of the list before, but no other directives. */
        while (i < n && patch_is_text(value_get(&patch->items[i], PATCH_DIRECTIVE), "delete"))
                i++;
        if (i < n)
                return patch_inconsistent(
                        w, "The order in patch list:\n%s\n doesn't match " PATCH_SET_ORDER " list:\n%s\n",
                        patch_text(w->arena, patch) ?: "", patch_text(w->arena, order) ?: "");
        return 0;
}

int patch_order_lists(struct patch_work *w, const struct patch_field *field, const struct value *list,
                      const struct value *patch, const struct value *order, struct value *ret_value) {
        struct patch_merged merged = { { .kind = VALUE_LIST }, { .kind = VALUE_LIST } };
        struct patch_order wanted = { .key = field->merge_key, .wanted = order, .server = &merged.server };
        enum value_kind kind;
        bool gone;
        int r = check_order(w, field->merge_key, patch, order);

        if (r < 0)
                return r;
        if (list)
                merged = (struct patch_merged){ *list, *list };
        if (list && patch)
                r = patch_merge_lists(w, field, list, patch, false, &merged);
        else if (patch && patch_clean(w->arena, patch, PATCH_CLEAN_DIRECTIVES, &merged.list, &gone) < 0)
                return patch_no_memory(w);
        if (r >= 0)
                r = patch_common_kind(w, list ? &merged.server : NULL, patch, &kind);
        if (r < 0)
                return r;
        wanted.maps = kind == VALUE_MAP;
        return patch_put_in_order(w, &wanted, &merged.list, ret_value);
}
