/* Strategic merge patches between two maps, and of three. */
#include "kube/patch/diff.h"

#include <stdlib.h>
#include <string.h>

#include "kube/patch/go_text.h"
#include "lib/arena.h"
#include "lib/err.h"

/* The patch of a map while it is made: of each member of the modified map at most three, of the original one null. */
struct difference {
        const struct patch_schema *schema;
        const struct value_keys *before, *after; /* of the two maps */
        struct value_member *members;
        uint32_t count;
};

static void put(struct difference *to, const char *key, const struct value *value) {
        to->members[to->count++] = (struct value_member){ .key = key, .value = *value };
}

/* What the types say counts only where the two differ. */
static int diff_unknown(const struct value *original, const struct value *modified, int error, struct patch_work *w) {
        if (!value_equal(original, modified))
                return error;
        if (w->err)
                *w->err = err_free(*w->err);
        return 0;
}

static int diff_map(struct patch_diff *d, struct difference *to, const struct value *original,
                    const struct value_member *modified) {
        struct patch_field field;
        struct value patch;
        int r = patch_lookup(to->schema, modified->key, false, &field, d->work.err);

        if (r < 0)
                return diff_unknown(original, &modified->value, r, &d->work);
        if (field.replace) {
                if (!d->no_changes)
                        put(to, modified->key, &modified->value);
                return 0;
        }
        r = patch_diff_maps(d, &field.below, original, &modified->value, field.retain_keys, &patch);
        if (r >= 0 && patch.count > 0)
                put(to, modified->key, &patch);
        return r;
}

/* A member of one of the maps may have a directive's name. It is a member like any other, and no key stands twice. */
static void put_made(struct difference *to, const char *key, const struct value *value) {
        if (value_keys_find(to->before, key) == VALUE_NONE && value_keys_find(to->after, key) == VALUE_NONE)
                put(to, key, value);
}

static int put_directive(struct patch_diff *d, struct difference *to, const char *prefix, const char *key,
                         const struct value *list) {
        const char *name = list->count > 0 ? arena_printf(d->work.arena, "%s/%s", prefix, key) : NULL;

        if (list->count == 0)
                return 0;
        if (!name)
                return patch_no_memory(&d->work);
        put_made(to, name, list);
        return 0;
}

static int diff_list(struct patch_diff *d, struct difference *to, const struct value *original,
                     const struct value_member *modified) {
        struct patch_list_diff lists = { 0 };
        struct patch_field field;
        int r = patch_lookup(to->schema, modified->key, true, &field, d->work.err);

        if (r < 0)
                return diff_unknown(original, &modified->value, r, &d->work);
        if (!field.merge) {
                if (!d->no_changes && !value_equal(original, &modified->value))
                        put(to, modified->key, &modified->value);
                return 0;
        }
        r = patch_diff_lists(d, &field, original, &modified->value, &lists);
        if (r < 0)
                return r;
        if (lists.changes.count > 0)
                put(to, modified->key, &lists.changes);
        r = put_directive(d, to, PATCH_DELETE_FROM, modified->key, &lists.deletions);
        return r < 0 ? r : put_directive(d, to, PATCH_SET_ORDER, modified->key, &lists.order);
}

static int diff_directive(struct patch_diff *d, struct difference *to, const struct value *original,
                          const struct value *modified) {
        if (original->kind != VALUE_STRING || modified->kind != VALUE_STRING)
                return patch_inconsistent(&d->work, "invalid value for special key: " PATCH_DIRECTIVE);
        if (!value_equal(original, modified))
                put(to, PATCH_DIRECTIVE, modified);
        return 0;
}

static int diff_member(struct patch_diff *d, struct difference *to, const struct value *original,
                       const struct value_member *modified) {
        if (original && strcmp(modified->key, PATCH_DIRECTIVE) == 0)
                return diff_directive(d, to, original, &modified->value);
        if (original && original->kind == modified->value.kind && modified->value.kind == VALUE_MAP)
                return diff_map(d, to, original, modified);
        if (original && original->kind == modified->value.kind && modified->value.kind == VALUE_LIST)
                return diff_list(d, to, original, modified);
        if (!d->no_changes && !patch_same(original, &modified->value))
                put(to, modified->key, &modified->value);
        return 0;
}

static int by_text(const void *a, const void *b) {
        return strcmp(((const struct value *)a)->text, ((const struct value *)b)->text);
}

/* The keys of @map that are not null, sorted. */
static int list_keys(struct patch_diff *d, const struct value *map, struct value *ret_keys) {
        struct value *keys = arena_alloc_array(d->work.arena, map->count, sizeof(*keys));
        uint32_t n = 0;

        if (!keys)
                return patch_no_memory(&d->work);
        for (uint32_t i = 0; i < map->count; i++)
                if (!value_is_null(&map->members[i].value))
                        keys[n++] = (struct value){ .kind = VALUE_STRING,
                                                    .count = (uint32_t)strlen(map->members[i].key),
                                                    .text = map->members[i].key };
        if (n > 0)
                qsort(keys, n, sizeof(*keys), by_text);
        *ret_keys = (struct value){ .kind = VALUE_LIST, .count = n, .items = keys };
        return 0;
}

/* Members of @original that are not in @modified. *@ret_more: one of them says something. */
static void put_deletions(struct patch_diff *d, struct difference *to, const struct value *original,
                          const struct value_keys *modified, bool *ret_more) {
        static const struct value none = { .kind = VALUE_NULL };

        *ret_more = false;
        for (uint32_t i = 0; i < original->count; i++) {
                const struct value_member *member = &original->members[i];

                if (value_keys_find(modified, member->key) != VALUE_NONE)
                        continue;
                *ret_more = *ret_more || !value_is_null(&member->value);
                if (!d->no_deletions)
                        put(to, member->key, &none);
        }
}

int patch_diff_maps(struct patch_diff *d, const struct patch_schema *schema, const struct value *original,
                    const struct value *modified, bool retain, struct value *ret_patch) {
        _cleanup_value_keys_ struct value_keys before = { 0 }, after = { 0 };
        struct difference to = { .schema = schema, .before = &before, .after = &after };
        struct value keys = { 0 };
        bool more;
        int r = 0;

        to.members = arena_alloc_array(d->work.arena, (size_t)modified->count * 3 + original->count + 1,
                                       sizeof(*to.members));
        if (!to.members)
                return patch_no_memory(&d->work);
        value_keys_init(&before, original);
        value_keys_init(&after, modified);
        for (uint32_t i = 0; r >= 0 && i < modified->count; i++) {
                uint32_t at = value_keys_find(&before, modified->members[i].key);

                r = diff_member(d, &to, at == VALUE_NONE ? NULL : &original->members[at].value, &modified->members[i]);
        }
        if (r < 0)
                return r;
        put_deletions(d, &to, original, &after, &more);
        if (retain)
                r = list_keys(d, modified, &keys);
        if (r >= 0 && keys.count > 0 && (to.count > 0 || more))
                put_made(&to, PATCH_RETAIN_KEYS, &keys);
        *ret_patch = (struct value){ .kind = VALUE_MAP, .count = to.count, .members = to.members };
        return r;
}

static int check_maps(const struct value *a, const struct value *b, struct err **err) {
        if (!value_is(a, VALUE_MAP) || !value_is(b, VALUE_MAP))
                return err_set(err, PATCH_MALFORMED, "invalid JSON document");
        return 0;
}

int patch_diff_strategic(struct arena *arena, const struct kube_type *type, const struct value *original,
                         const struct value *modified, const struct value **ret_patch, struct err **err) {
        const struct patch_schema schema = patch_schema_of(type);
        struct patch_diff d = { .work = { .arena = arena, .err = err } };
        struct value *patch;
        int r = check_maps(original, modified, err);

        if (r < 0)
                return r;
        patch = arena_new_of(arena, struct value);
        if (!patch)
                return patch_no_memory(&d.work);
        r = patch_diff_maps(&d, &schema, original, modified, false, patch);
        if (r < 0)
                return r;
        *ret_patch = patch;
        return 0;
}

/* ---- three ways ---- */

static int refuse_conflict(struct patch_work *w, const struct patch_schema *schema, const struct patch_three *three,
                           const struct value *original, const struct value *patch) {
        struct patch_diff d = { .work = *w, .no_order = true };
        struct value theirs;
        bool conflict;
        int r = patch_diff_maps(&d, schema, original, three->current, false, &theirs);

        if (r < 0 || (r = patch_in_conflict(w, schema, patch, &theirs, &conflict)) < 0 || !conflict)
                return r;
        return err_set(w->err, PATCH_CONFLICT,
                       "patch:\n%s\nconflicts with changes made from original to current:\n%s\n",
                       patch_text(w->arena, patch) ?: "", patch_text(w->arena, &theirs) ?: "");
}

int patch_three_way_strategic(struct arena *arena, const struct kube_type *type, const struct patch_three *three,
                              const struct value **ret_patch, struct err **err) {
        static const struct value none = { .kind = VALUE_MAP };
        const struct patch_schema schema = patch_schema_of(type);
        const struct value *original = three->original ?: &none;
        struct patch_diff changing = { .work = { arena, err, false }, .no_deletions = true };
        struct patch_diff deleting = { .work = { arena, err, false }, .no_changes = true };
        struct patch_work w = { .arena = arena, .err = err, .combine = true };
        struct value changes, deletions, *patch = arena_new_of(arena, struct value);
        int r = check_maps(original, three->modified, err);

        if (r < 0 || (r = check_maps(three->current, three->modified, err)) < 0)
                return r;
        if (!patch)
                return patch_no_memory(&w);
        if ((r = patch_diff_maps(&changing, &schema, three->current, three->modified, false, &changes)) < 0 ||
            (r = patch_diff_maps(&deleting, &schema, original, three->modified, false, &deletions)) < 0 ||
            (r = patch_merge_maps(&w, &schema, &deletions, &changes, patch)) < 0 ||
            (!three->overwrite && (r = refuse_conflict(&w, &schema, three, original, patch)) < 0))
                return r;
        *ret_patch = patch;
        return 0;
}
