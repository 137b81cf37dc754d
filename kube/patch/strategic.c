/* Maps of a strategic merge patch. */
#include "kube/patch/strategic.h"

#include <string.h>

#include "kube/patch/clean.h"
#include "kube/patch/go_text.h"
#include "lib/arena.h"
#include "lib/err.h"

/* A map that is being made: the first members are those of @map, in their places; those without a key are gone. */
struct draft {
        const struct patch_schema *schema;
        const struct value *map, *patch;
        struct value_keys map_keys, patch_keys;
        struct value_member *members;
        uint32_t count;
        bool *done; /* which members of the patch have had their effect */
};

static bool has_prefix(const char *key, const char *prefix) {
        return strncmp(key, prefix, strlen(prefix)) == 0;
}

/* The field that a directive is about, "x" of "$setElementOrder/x"; NULL: it names none. */
static const char *field_of(const char *key, const char *prefix) {
        key += strlen(prefix);
        return *key == '/' ? key + 1 : NULL;
}

/* The place of @key. The few that were added by a directive are found as well. */
static uint32_t find(const struct draft *d, const char *key) {
        uint32_t at = value_keys_find(&d->map_keys, key);

        if (at != VALUE_NONE && d->members[at].key)
                return at;
        for (uint32_t i = d->map->count; i < d->count; i++)
                if (d->members[i].key && strcmp(d->members[i].key, key) == 0)
                        return i;
        return VALUE_NONE;
}

static void put(struct draft *d, uint32_t at, const char *key, const struct value *value) {
        if (at == VALUE_NONE) {
                at = d->count++;
                d->members[at] = (struct value_member){ .key = key };
        }
        d->members[at].value = *value;
}

/* ---- directives of the map ---- */

static int merge_whole(struct patch_work *w, const struct value *directive, const struct value *patch,
                       struct value *ret_value) {
        struct value_member *members;
        uint32_t n = 0;

        if (patch_is_text(directive, "delete")) {
                *ret_value = (struct value){ .kind = VALUE_MAP };
                return 0;
        }
        if (!patch_is_text(directive, "replace"))
                return patch_inconsistent(w, "unknown patch type: %s in map: %s",
                                          patch_string_text(w->arena, directive) ?: "",
                                          patch_text(w->arena, patch) ?: "");
        members = arena_alloc_array(w->arena, patch->count, sizeof(*members));
        if (!members)
                return patch_no_memory(w);
        for (uint32_t i = 0; i < patch->count; i++)
                if (strcmp(patch->members[i].key, PATCH_DIRECTIVE) != 0)
                        members[n++] = patch->members[i];
        *ret_value = (struct value){ .kind = VALUE_MAP, .count = n, .members = members };
        return 0;
}

static bool may_be_left_out(const struct value_member *member) {
        return value_is_null(&member->value) || has_prefix(member->key, PATCH_DELETE_FROM) ||
               has_prefix(member->key, PATCH_SET_ORDER);
}

static int retain(struct patch_work *w, struct draft *d, const struct value *kept) {
        _cleanup_patch_ids_ struct patch_ids ids = { 0 };
        int r;

        if (kept->kind != VALUE_LIST)
                return patch_malformed(w, "retainKeys");
        r = patch_identify(w, kept, NULL, &ids);
        for (uint32_t i = 0; r >= 0 && i < d->patch->count; i++) {
                const struct value_member *member = &d->patch->members[i];

                if (!d->done[i] && !may_be_left_out(member) && patch_first(&ids, member->key) == VALUE_NONE)
                        return patch_malformed(w, "retainKeys");
        }
        for (uint32_t i = 0; r >= 0 && i < d->map->count; i++)
                if (patch_first(&ids, d->map->members[i].key) == VALUE_NONE)
                        d->members[i].key = NULL;
        return r;
}

static int apply_retain_keys(struct patch_work *w, struct draft *d) {
        uint32_t at = value_keys_find(&d->patch_keys, PATCH_RETAIN_KEYS), old = find(d, PATCH_RETAIN_KEYS);
        const struct value *kept;

        if (at == VALUE_NONE)
                return 0;
        d->done[at] = true;
        kept = &d->patch->members[at].value;
        if (!w->combine)
                return retain(w, d, kept);
        if (old == VALUE_NONE)
                put(d, old, PATCH_RETAIN_KEYS, kept);
        else if (!value_equal(&d->members[old].value, kept))
                return patch_inconsistent(
                        w, "%s and %s are not deep equal: this may happen when calculating the 3-way diff patch",
                        patch_text(w->arena, &d->members[old].value) ?: "", patch_text(w->arena, kept) ?: "");
        return 0;
}

static int as_list(struct patch_work *w, const struct value *value) {
        return !value || value->kind == VALUE_LIST ? 0 : patch_wrong_type(w, "[]interface {}", value);
}

/* Two patches: their orders are one, and stay. */
static int keep_order(struct patch_work *w, struct draft *d, const struct value_member *order) {
        uint32_t old = find(d, order->key);

        if (old != VALUE_NONE && !value_equal(&d->members[old].value, &order->value))
                return patch_malformed(w, "setElementOrder list");
        if (old == VALUE_NONE)
                put(d, old, order->key, &order->value);
        return 0;
}

static int apply_order(struct patch_work *w, struct draft *d, const struct value_member *order) {
        const char *name = field_of(order->key, PATCH_SET_ORDER);
        const struct value *list, *patch;
        struct patch_field field;
        struct value ordered;
        uint32_t at, patch_at;
        int r = w->combine ? keep_order(w, d, order) : 0;

        if (r < 0 || (r = as_list(w, &order->value)) < 0)
                return r;
        if (!name)
                return patch_malformed(w, "setElementOrder list");
        at = find(d, name);
        patch_at = value_keys_find(&d->patch_keys, name);
        list = at == VALUE_NONE ? NULL : &d->members[at].value;
        patch = patch_at == VALUE_NONE ? NULL : &d->patch->members[patch_at].value;
        if ((r = as_list(w, list)) < 0 || (r = as_list(w, patch)) < 0 ||
            (r = patch_lookup(d->schema, name, true, &field, w->err)) < 0)
                return r;
        if (!list && !patch)
                return 0;
        r = patch_order_lists(w, &field, list, patch, &order->value, &ordered);
        if (r < 0)
                return r;
        put(d, at, name, &ordered);
        if (patch)
                d->done[patch_at] = true;
        return 0;
}

static int apply_orders(struct patch_work *w, struct draft *d) {
        for (uint32_t i = 0; i < d->patch->count; i++) {
                int r;

                if (!has_prefix(d->patch->members[i].key, PATCH_SET_ORDER))
                        continue;
                d->done[i] = true;
                r = apply_order(w, d, &d->patch->members[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- members ---- */

/* @value comes where nothing of its kind is. */
static int take_over(struct patch_work *w, struct draft *d, uint32_t at, const char *key, const struct value *value,
                     unsigned what) {
        struct value clean = { 0 };
        bool gone;

        if (patch_clean(w->arena, value, what, &clean, &gone) < 0)
                return patch_no_memory(w);
        if (!gone)
                put(d, at, key, &clean);
        else if (at != VALUE_NONE)
                d->members[at].key = NULL;
        return 0;
}

static int merge_list(struct patch_work *w, struct draft *d, uint32_t at, const char *key, const struct value *patch,
                      bool deleting) {
        struct patch_merged merged;
        struct patch_field field;
        int r = patch_lookup(d->schema, key, true, &field, w->err);

        if (r < 0 || (r = patch_merge_lists(w, &field, &d->members[at].value, patch, deleting, &merged)) < 0)
                return r;
        d->members[at].value = merged.list;
        return 0;
}

static int merge_map(struct patch_work *w, struct draft *d, uint32_t at, const char *key, const struct value *patch) {
        struct patch_field field;
        int r = patch_lookup(d->schema, key, false, &field, w->err);

        if (r < 0)
                return r;
        if (!field.replace)
                return patch_merge_maps(w, &field.below, &d->members[at].value, patch, &d->members[at].value);
        d->members[at].value = *patch;
        return 0;
}

static int merge_member(struct patch_work *w, struct draft *d, const char *key, const struct value *patch,
                        bool deleting) {
        const unsigned clean_up = PATCH_CLEAN_DIRECTIVES | (w->combine ? 0 : PATCH_CLEAN_NULLS);
        uint32_t at = deleting ? find(d, key) : value_keys_find(&d->map_keys, key);
        bool alike;

        if (at != VALUE_NONE && !d->members[at].key)
                at = VALUE_NONE;
        if (value_is_null(patch) && at != VALUE_NONE) {
                d->members[at].key = NULL;
                at = VALUE_NONE;
        }
        if (value_is_null(patch) && !w->combine)
                return 0;
        alike = at != VALUE_NONE && d->members[at].value.kind == patch->kind;
        if (!alike)
                return deleting ? 0 : take_over(w, d, at, key, patch, clean_up);
        if (patch->kind == VALUE_MAP)
                return merge_map(w, d, at, key, patch);
        if (patch->kind == VALUE_LIST)
                return merge_list(w, d, at, key, patch, deleting);
        return take_over(w, d, at, key, patch, PATCH_CLEAN_DIRECTIVES);
}

static int apply_deletion(struct patch_work *w, struct draft *d, const struct value_member *member) {
        const char *name = field_of(member->key, PATCH_DELETE_FROM);

        if (w->combine) {
                put(d, find(d, member->key), member->key, &member->value);
                return 0;
        }
        if (!name)
                return patch_malformed(w, "primitive list");
        return merge_member(w, d, *name ? name : member->key, &member->value, true);
}

/* Deletions first: what they find was there before, or was put in order by a directive. */
static int apply_members(struct patch_work *w, struct draft *d) {
        int r = 0;

        for (uint32_t i = 0; r >= 0 && i < d->patch->count; i++) {
                if (d->done[i] || !has_prefix(d->patch->members[i].key, PATCH_DELETE_FROM))
                        continue;
                d->done[i] = true;
                r = apply_deletion(w, d, &d->patch->members[i]);
        }
        for (uint32_t i = 0; r >= 0 && i < d->patch->count; i++)
                if (!d->done[i])
                        r = merge_member(w, d, d->patch->members[i].key, &d->patch->members[i].value, false);
        return r;
}

static int merge(struct patch_work *w, struct draft *d, struct value *ret_value) {
        uint32_t n = 0;
        int r = apply_retain_keys(w, d);

        if (r < 0 || (r = apply_orders(w, d)) < 0 || (r = apply_members(w, d)) < 0)
                return r;
        for (uint32_t i = 0; i < d->count; i++)
                if (d->members[i].key)
                        d->members[n++] = d->members[i];
        *ret_value = (struct value){ .kind = VALUE_MAP, .count = n, .members = d->members };
        return 0;
}

int patch_merge_maps(struct patch_work *w, const struct patch_schema *schema, const struct value *map,
                     const struct value *patch, struct value *ret_value) {
        const struct value *directive = value_get(patch, PATCH_DIRECTIVE);
        struct draft d = { .schema = schema, .map = map, .patch = patch, .count = map->count };
        int r;

        if (directive)
                return merge_whole(w, directive, patch, ret_value);
        if (patch->count == 0) {
                *ret_value = *map;
                return 0;
        }
        /* Each member of the patch adds at most two: an order, and the list that it puts in order. */
        d.members = arena_alloc_array(w->arena, map->count + (size_t)patch->count * 2, sizeof(*d.members));
        d.done = arena_alloc_array(w->arena, patch->count, sizeof(*d.done));
        if (!d.members || !d.done)
                return patch_no_memory(w);
        if (map->count > 0)
                memcpy(d.members, map->members, map->count * sizeof(*d.members));
        value_keys_init(&d.map_keys, map);
        value_keys_init(&d.patch_keys, patch);
        r = merge(w, &d, ret_value);
        value_keys_done(&d.map_keys);
        value_keys_done(&d.patch_keys);
        return r;
}

int patch_strategic(struct arena *arena, const struct kube_type *type, const struct value *document,
                    const struct value *patch, const struct value **ret_value, struct err **err) {
        const struct patch_schema schema = patch_schema_of(type);
        struct patch_work w = { .arena = arena, .err = err };
        struct value *value;
        int r;

        if (!value_is(document, VALUE_MAP) || !value_is(patch, VALUE_MAP))
                return err_set(err, PATCH_MALFORMED, "invalid JSON document");
        value = arena_new_of(arena, struct value);
        if (!value)
                return patch_no_memory(&w);
        r = patch_merge_maps(&w, &schema, document, patch, value);
        if (r < 0)
                return r;
        *ret_value = value;
        return 0;
}
