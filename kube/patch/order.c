/* The order of merged lists: that of the patch counts most, then that of the document. */
#include <stdlib.h>

#include "kube/patch/strategic.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

/* Where each item of @list is in @order; VALUE_NONE: nowhere. */
static int places_in(struct patch_work *w, const char *key, const struct value *list, const struct value *order,
                     uint32_t **ret_places) {
        _cleanup_patch_ids_ struct patch_ids ids = { 0 }, in = { 0 };
        uint32_t *places;
        int r = patch_identify(w, list, key, &ids);

        if (r < 0 || (r = patch_identify(w, order, key, &in)) < 0)
                return r;
        places = arena_alloc_array(w->arena, value_count(list) + 1, sizeof(*places));
        if (!places)
                return patch_no_memory(w);
        for (uint32_t i = 0; i < value_count(list); i++)
                places[i] = patch_first(&in, patch_id(&ids, i));
        *ret_places = places;
        return 0;
}

static int check_merge_key(struct patch_work *w, const char *key, const struct value *list) {
        for (uint32_t i = 0; i < value_count(list); i++) {
                const struct value *item = &list->items[i];

                if (item->kind != VALUE_MAP)
                        return patch_wrong_type(w, "map[string]interface {}", item);
                if (!value_get(item, key ?: ""))
                        return patch_no_merge_key(w, item, key);
        }
        return 0;
}

struct sorted {
        uint32_t place, at;
};

static int by_place(const void *a, const void *b) {
        const struct sorted *x = a, *y = b;

        if (x->place != y->place)
                return x->place < y->place ? -1 : 1;
        return (x->at > y->at) - (x->at < y->at);
}

/* Go's stable sort of up to so many; its "less" says true of all that stand in no order, so that they wander to the
 * front. Of more, they come first as well. */
#define INSERTED_MAX 20

static bool is_less(const struct sorted *a, const struct sorted *b) {
        return a->place == VALUE_NONE || b->place == VALUE_NONE || a->place < b->place;
}

static void insertion_sort(struct sorted *s, uint32_t n) {
        for (uint32_t i = 1; i < n; i++)
                for (uint32_t j = i; j > 0 && is_less(&s[j], &s[j - 1]); j--) {
                        struct sorted kept = s[j];

                        s[j] = s[j - 1];
                        s[j - 1] = kept;
                }
}

static void sort(struct sorted *s, uint32_t n) {
        if (n <= INSERTED_MAX) {
                insertion_sort(s, n);
                return;
        }
        for (uint32_t i = 0; i < n; i++)
                s[i].place++; /* VALUE_NONE becomes 0 */
        qsort(s, n, sizeof(*s), by_place);
}

static bool is_deletion(const struct value *item) {
        return patch_is_text(value_get(item, PATCH_DIRECTIVE), "delete");
}

int patch_sort(struct patch_work *w, const char *key, bool maps, struct value *list, const struct value *order) {
        _cleanup_free_ struct sorted *sorted = NULL;
        uint32_t *places, n = 0, count = list->count;
        struct value *items;
        int r = maps ? check_merge_key(w, key, list) : 0;

        if (r < 0 || (maps && (r = check_merge_key(w, key, order)) < 0) ||
            (r = places_in(w, maps ? key : NULL, list, order, &places)) < 0)
                return r;
        sorted = calloc(count + 1, sizeof(*sorted));
        items = arena_alloc_array(w->arena, count, sizeof(*items));
        if (!sorted || !items)
                return patch_no_memory(w);
        for (uint32_t i = 0; i < count; i++)
                if (!maps || !is_deletion(&list->items[i]))
                        sorted[n++] = (struct sorted){ places[i], i };
        sort(sorted, n);
        for (uint32_t i = 0; i < n; i++)
                items[i] = list->items[sorted[i].at];
        for (uint32_t i = 0; i < count; i++)
                if (maps && is_deletion(&list->items[i]))
                        items[n++] = list->items[i];
        list->items = items;
        return 0;
}

/* Both are in order; one of @left goes before one of @right where the server has both, and has them so. */
static int interleave(struct patch_work *w, const char *key, const struct value *left, const struct value *right,
                      const struct value *server, struct value *ret_value) {
        uint32_t *l, *r, i = 0, j = 0, n = left->count + right->count;
        struct value *items = arena_alloc_array(w->arena, n, sizeof(*items));
        int error = places_in(w, key, left, server, &l);

        if (error >= 0)
                error = places_in(w, key, right, server, &r);
        if (error < 0)
                return error;
        if (!items)
                return patch_no_memory(w);
        for (uint32_t k = 0; k < n; k++) {
                bool from_left = i < left->count;

                if (from_left && j < right->count)
                        from_left = l[i] != VALUE_NONE && r[j] != VALUE_NONE && l[i] < r[j];
                items[k] = from_left ? left->items[i++] : right->items[j++];
        }
        *ret_value = (struct value){ .kind = VALUE_LIST, .count = n, .items = items };
        return 0;
}

static int check_partition(struct patch_work *w, const char *key, const struct value *merged,
                           const struct value *wanted) {
        int r = check_merge_key(w, key, merged);

        for (uint32_t i = 0; r >= 0 && i < value_count(wanted); i++)
                if (value_count(merged) > 0 && wanted->items[i].kind != VALUE_MAP)
                        return patch_inconsistent(w, "value for key %u is not a map", i);
        return r;
}

/* Divides @merged into what is in @wanted and what is not. */
static int divide(struct patch_work *w, const char *key, const struct value *merged, const struct value *wanted,
                  struct value *ret_in, struct value *ret_out) {
        struct value *in, *out;
        uint32_t *places;
        int r = key ? check_partition(w, key, merged, wanted) : 0;

        if (r < 0 || (r = places_in(w, key, merged, wanted, &places)) < 0)
                return r;
        in = arena_alloc_array(w->arena, merged->count, sizeof(*in));
        out = arena_alloc_array(w->arena, merged->count, sizeof(*out));
        if (!in || !out)
                return patch_no_memory(w);
        *ret_in = (struct value){ .kind = VALUE_LIST, .items = in };
        *ret_out = (struct value){ .kind = VALUE_LIST, .items = out };
        for (uint32_t i = 0; i < merged->count; i++)
                if (places[i] == VALUE_NONE)
                        out[ret_out->count++] = merged->items[i];
                else
                        in[ret_in->count++] = merged->items[i];
        return 0;
}

int patch_put_in_order(struct patch_work *w, const struct patch_order *order, const struct value *merged,
                       struct value *ret_value) {
        struct value in, out;
        int r = divide(w, order->key, merged, order->wanted, &in, &out);

        if (r < 0 || (r = patch_sort(w, order->key, order->maps, &in, order->wanted)) < 0 ||
            (r = patch_sort(w, order->key, order->maps, &out, order->server)) < 0)
                return r;
        return interleave(w, order->maps ? order->key : NULL, &out, &in, order->server, ret_value);
}
