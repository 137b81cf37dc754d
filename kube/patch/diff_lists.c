/* Strategic merge patches between two lists. */
#include <stdlib.h>
#include <string.h>

#include "kube/patch/diff.h"
#include "kube/patch/go_text.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

/* An item by what Go sorts it by: the text of its merge key, or its own. */
struct keyed {
        const char *text;
        const struct value *item, *key;
        uint32_t at;
};

/* Equal ones stand the other way round: Go's sort, told that they are less than each other, leaves a dozen of them so.
 */
static int by_text(const void *a, const void *b) {
        const struct keyed *x = a, *y = b;
        int c = strcmp(x->text, y->text);

        return c ? c : (x->at < y->at) - (x->at > y->at);
}

static int sort_by_text(struct patch_diff *d, const struct value *list, const char *key, struct keyed **ret_keyed) {
        struct keyed *keyed = arena_alloc_array(d->work.arena, list->count + 1, sizeof(*keyed));

        if (!keyed)
                return patch_no_memory(&d->work);
        for (uint32_t i = 0; i < list->count; i++) {
                const struct value *item = &list->items[i], *by = key ? value_get(item, key) : item;

                if (!by)
                        return patch_no_merge_key(&d->work, item, key);
                if (by->kind == VALUE_MAP || by->kind == VALUE_LIST)
                        return patch_inconsistent(&d->work, "%s cannot be compared: %s", key ?: "an item",
                                                  patch_text(d->work.arena, by) ?: "");
                keyed[i] = (struct keyed){ patch_scalar_text(d->work.arena, by), item, by, i };
                if (!keyed[i].text)
                        return patch_no_memory(&d->work);
        }
        if (list->count > 0)
                qsort(keyed, list->count, sizeof(*keyed), by_text);
        *ret_keyed = keyed;
        return 0;
}

/* Two sorted lists, side by side. */
struct walk {
        struct keyed *old, *new;
        uint32_t n_old, n_new, i, j;
        struct value *changes, *deletions;
        uint32_t n_changes, n_deletions;
};

/* Below 0: the next is of the old list alone, above 0: of the new one. */
static int compare_next(const struct walk *walk) {
        if (walk->i == walk->n_old)
                return 1;
        if (walk->j == walk->n_new)
                return -1;
        return strcmp(walk->old[walk->i].text, walk->new[walk->j].text);
}

static int start_walk(struct patch_diff *d, const struct value *original, const struct value *modified, const char *key,
                      struct walk *walk) {
        int r = sort_by_text(d, original, key, &walk->old);

        if (r < 0 || (r = sort_by_text(d, modified, key, &walk->new)) < 0)
                return r;
        walk->n_old = original->count;
        walk->n_new = modified->count;
        walk->changes = arena_alloc_array(d->work.arena, (size_t)walk->n_old + walk->n_new, sizeof(struct value));
        walk->deletions = arena_alloc_array(d->work.arena, walk->n_old, sizeof(struct value));
        return walk->changes && walk->deletions ? 0 : patch_no_memory(&d->work);
}

/* ---- scalars ---- */

static bool is_new_deletion(const struct walk *walk, const struct value *item) {
        return walk->n_deletions == 0 || !patch_same(&walk->deletions[walk->n_deletions - 1], item);
}

/* Go sorts the original in place, and only then asks whether the two differ. */
static bool differs(const struct walk *walk, const struct value *modified) {
        if (walk->n_old != walk->n_new)
                return true;
        for (uint32_t i = 0; i < walk->n_old; i++)
                if (!patch_same(walk->old[i].item, &modified->items[i]))
                        return true;
        return false;
}

static int diff_scalars(struct patch_diff *d, const struct value *original, const struct value *modified,
                        struct patch_list_diff *ret) {
        struct walk walk = { 0 };
        int r = start_walk(d, original, modified, NULL, &walk);

        if (r < 0)
                return r;
        while (walk.i < walk.n_old || walk.j < walk.n_new) {
                int c = compare_next(&walk);

                if (c < 0 && !d->no_deletions && is_new_deletion(&walk, walk.old[walk.i].item))
                        walk.deletions[walk.n_deletions++] = *walk.old[walk.i].item;
                if (c > 0 && !d->no_changes)
                        walk.changes[walk.n_changes++] = *walk.new[walk.j].item;
                walk.i += c <= 0;
                walk.j += c >= 0;
        }
        ret->changes = (struct value){ .kind = VALUE_LIST, .count = walk.n_changes, .items = walk.changes };
        ret->deletions = (struct value){ .kind = VALUE_LIST, .count = walk.n_deletions, .items = walk.deletions };
        r = patch_sort(&d->work, NULL, false, &ret->changes, modified);
        if (r >= 0 && !d->no_order &&
            ((!d->no_deletions && walk.n_deletions > 0) || (!d->no_changes && differs(&walk, modified))))
                ret->order = *modified;
        return r;
}

/* ---- maps ---- */

/* A map of the merge key, and a directive where @directive is not NULL. */
static int key_alone(struct patch_diff *d, const char *key, const struct value *value, const char *directive,
                     struct value *ret_map) {
        struct value_member *members = arena_alloc_array(d->work.arena, 2, sizeof(*members));

        if (!members)
                return patch_no_memory(&d->work);
        members[0] = (struct value_member){ .key = key, .value = *value };
        if (directive) {
                members[1].key = PATCH_DIRECTIVE;
                members[1].value =
                        (struct value){ .kind = VALUE_STRING, .count = (uint32_t)strlen(directive), .text = directive };
        }
        *ret_map = (struct value){ .kind = VALUE_MAP, .count = directive ? 2 : 1, .members = members };
        return 0;
}

/* The patch of two items, with the merge key in front; none where they are alike. */
static int diff_items(struct patch_diff *d, const struct patch_field *field, struct walk *walk) {
        const struct keyed *old = &walk->old[walk->i], *new = &walk->new[walk->j];
        struct value patch, *to = &walk->changes[walk->n_changes];
        struct value_member *members;
        uint32_t n = 1;
        int r = patch_diff_maps(d, &field->below, old->item, new->item, field->retain_keys, &patch);

        if (r < 0 || patch.count == 0)
                return r;
        members = arena_alloc_array(d->work.arena, patch.count + 1, sizeof(*members));
        if (!members)
                return patch_no_memory(&d->work);
        members[0] = (struct value_member){ .key = field->merge_key, .value = *new->key };
        for (uint32_t i = 0; i < patch.count; i++)
                if (strcmp(patch.members[i].key, field->merge_key) != 0)
                        members[n++] = patch.members[i];
        *to = (struct value){ .kind = VALUE_MAP, .count = n, .members = members };
        walk->n_changes++;
        return 0;
}

static int diff_next(struct patch_diff *d, const struct patch_field *field, struct walk *walk) {
        int c = compare_next(walk), r = 0;

        if (c == 0)
                r = diff_items(d, field, walk);
        if (c > 0 && !d->no_changes)
                walk->changes[walk->n_changes++] = *walk->new[walk->j].item;
        if (c < 0 && !d->no_deletions)
                r = key_alone(d, field->merge_key, walk->old[walk->i].key, "delete",
                              &walk->deletions[walk->n_deletions++]);
        walk->i += c <= 0;
        walk->j += c >= 0;
        return r;
}

static bool same_order(const struct value *original, const struct value *modified, const char *key) {
        if (original->count != modified->count)
                return false;
        for (uint32_t i = 0; i < modified->count; i++)
                if (!patch_same(value_get(&original->items[i], key), value_get(&modified->items[i], key)))
                        return false;
        return true;
}

static int order_of(struct patch_diff *d, const char *key, const struct value *modified, struct value *ret_order) {
        struct value *items = arena_alloc_array(d->work.arena, modified->count, sizeof(*items));

        if (!items)
                return patch_no_memory(&d->work);
        for (uint32_t i = 0; i < modified->count; i++) {
                int r = key_alone(d, key, value_get(&modified->items[i], key), NULL, &items[i]);

                if (r < 0)
                        return r;
        }
        *ret_order = (struct value){ .kind = VALUE_LIST, .count = modified->count, .items = items };
        return 0;
}

static int diff_maps(struct patch_diff *d, const struct patch_field *field, const struct value *original,
                     const struct value *modified, struct patch_list_diff *ret) {
        struct walk walk = { 0 };
        struct value *items;
        bool ordered;
        int r = start_walk(d, original, modified, field->merge_key ?: "", &walk);

        while (r >= 0 && (walk.i < walk.n_old || walk.j < walk.n_new))
                r = diff_next(d, field, &walk);
        if (r < 0)
                return r;
        ret->changes = (struct value){ .kind = VALUE_LIST, .count = walk.n_changes, .items = walk.changes };
        r = patch_sort(&d->work, field->merge_key, true, &ret->changes, modified);
        items = arena_alloc_array(d->work.arena, (size_t)walk.n_changes + walk.n_deletions, sizeof(*items));
        if (r < 0 || !items)
                return r < 0 ? r : patch_no_memory(&d->work);
        if (walk.n_changes > 0)
                memcpy(items, ret->changes.items, walk.n_changes * sizeof(*items));
        if (walk.n_deletions > 0)
                memcpy(items + walk.n_changes, walk.deletions, walk.n_deletions * sizeof(*items));
        ret->changes = (struct value){ .kind = VALUE_LIST, .count = walk.n_changes + walk.n_deletions, .items = items };
        ordered = same_order(original, modified, field->merge_key);
        if (!d->no_order &&
            ((!d->no_changes && (ret->changes.count > 0 || !ordered)) || (!d->no_deletions && ret->changes.count > 0)))
                r = order_of(d, field->merge_key, modified, &ret->order);
        return r;
}

int patch_diff_lists(struct patch_diff *d, const struct patch_field *field, const struct value *original,
                     const struct value *modified, struct patch_list_diff *ret_diff) {
        enum value_kind kind;
        int r;

        if (original->count == 0) {
                if (!d->no_changes)
                        ret_diff->changes = *modified;
                return 0;
        }
        r = patch_common_kind(&d->work, original, modified, &kind);
        if (r < 0)
                return r;
        return kind == VALUE_MAP ? diff_maps(d, field, original, modified, ret_diff) :
                                   diff_scalars(d, original, modified, ret_diff);
}
