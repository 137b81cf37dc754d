/* JSON Merge Patch: applied, and made. Maps that are touched are written anew, once; all else is shared. */
#include <string.h>

#include "kube/patch/clean.h"
#include "kube/patch/patch.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/value.h"
#include "lib/value_keys.h"

static int merge_maps(struct arena *arena, const struct value *map, const struct value *patch, struct value *ret_value);

static int merge_value(struct arena *arena, const struct value *value, const struct value *patch,
                       struct value *ret_value) {
        bool gone;

        if (value_is(value, VALUE_MAP) && patch->kind == VALUE_MAP)
                return merge_maps(arena, value, patch, ret_value);
        if (value_is(value, VALUE_MAP)) {
                *ret_value = *patch;
                return 0;
        }
        return patch_clean(arena, patch, PATCH_CLEAN_NULLS, ret_value, &gone);
}

/* Members without a key were taken away. */
static uint32_t close_gaps(struct value_member *members, uint32_t count) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < count; i++)
                if (members[i].key)
                        members[n++] = members[i];
        return n;
}

static int merge_maps(struct arena *arena, const struct value *map, const struct value *patch,
                      struct value *ret_value) {
        _cleanup_value_keys_ struct value_keys keys = { 0 };
        struct value_member *members;
        uint32_t count = map->count;

        members = arena_alloc_array(arena, (size_t)map->count + patch->count, sizeof(*members));
        if (!members)
                return -ENOMEM;
        if (map->count > 0)
                memcpy(members, map->members, map->count * sizeof(*members));
        value_keys_init(&keys, map);
        for (uint32_t i = 0; i < patch->count; i++) {
                const struct value_member *change = &patch->members[i];
                uint32_t at = value_keys_find(&keys, change->key);
                int r;

                if (value_is_null(&change->value)) {
                        if (at != VALUE_NONE)
                                members[at].key = NULL;
                        continue;
                }
                if (at == VALUE_NONE) {
                        at = count++;
                        members[at] = (struct value_member){ .key = change->key };
                }
                r = merge_value(arena, at < map->count ? &map->members[at].value : NULL, &change->value,
                                &members[at].value);
                if (r < 0)
                        return r;
        }
        *ret_value = *map;
        ret_value->members = members;
        ret_value->count = close_gaps(members, count);
        return 0;
}

int patch_merge(struct arena *arena, const struct value *document, const struct value *patch,
                const struct value **ret_value, struct err **err) {
        struct value *value;

        if (!value_is(patch, VALUE_MAP))
                return err_set(err, PATCH_MALFORMED, "Invalid JSON Patch");
        value = arena_new_of(arena, struct value);
        if (!value || merge_value(arena, document, patch, value) < 0)
                return err_set(err, ENOMEM, "out of memory");
        *ret_value = value;
        return 0;
}

/* ---- the patch between two maps ---- */

static int diff_maps(struct arena *arena, const struct value *original, const struct value *modified,
                     struct value *ret_patch) {
        _cleanup_value_keys_ struct value_keys before = { 0 }, after = { 0 };
        struct value_member *members;
        uint32_t n = 0;

        members = arena_alloc_array(arena, (size_t)original->count + modified->count, sizeof(*members));
        if (!members)
                return -ENOMEM;
        value_keys_init(&before, original);
        value_keys_init(&after, modified);
        for (uint32_t i = 0; i < modified->count; i++) {
                const struct value_member *member = &modified->members[i];
                uint32_t at = value_keys_find(&before, member->key);
                const struct value *old = at == VALUE_NONE ? NULL : &original->members[at].value;
                struct value difference = member->value;

                if (value_is(old, VALUE_MAP) && member->value.kind == VALUE_MAP) {
                        int r = diff_maps(arena, old, &member->value, &difference);

                        if (r < 0)
                                return r;
                        if (difference.count == 0)
                                continue;
                } else if (value_equal(old, &member->value)) {
                        continue;
                }
                members[n++] = (struct value_member){ .key = member->key, .value = difference };
        }
        for (uint32_t i = 0; i < original->count; i++)
                if (value_keys_find(&after, original->members[i].key) == VALUE_NONE)
                        members[n++] = (struct value_member){ .key = original->members[i].key };
        *ret_patch = (struct value){ .kind = VALUE_MAP, .count = n, .members = members };
        return 0;
}

static int check_maps(const struct value *original, const struct value *modified, struct err **err) {
        if (!value_is(original, VALUE_MAP) || !value_is(modified, VALUE_MAP))
                return err_set(err, PATCH_MALFORMED, "Invalid JSON Document");
        return 0;
}

int patch_diff_merge(struct arena *arena, const struct value *original, const struct value *modified,
                     const struct value **ret_patch, struct err **err) {
        struct value *patch;
        int r = check_maps(original, modified, err);

        if (r < 0)
                return r;
        patch = arena_new_of(arena, struct value);
        if (!patch || diff_maps(arena, original, modified, patch) < 0)
                return err_set(err, ENOMEM, "out of memory");
        *ret_patch = patch;
        return 0;
}

/* ---- the patch of three ---- */

/* Of a merge patch the nulls alone, or all but them. Empty maps are values, and go with these. */
static int sift(struct arena *arena, struct value *patch, bool nulls) {
        struct value_member *members = arena_alloc_array(arena, patch->count, sizeof(*members));
        uint32_t n = 0;

        if (!members)
                return -ENOMEM;
        for (uint32_t i = 0; i < patch->count; i++) {
                struct value_member member = patch->members[i];
                bool is_map = member.value.kind == VALUE_MAP && member.value.count > 0;

                if (!is_map && value_is_null(&member.value) != nulls)
                        continue;
                if (is_map && sift(arena, &member.value, nulls) < 0)
                        return -ENOMEM;
                if (!is_map || member.value.count > 0)
                        members[n++] = member;
        }
        patch->members = members;
        patch->count = n;
        return 0;
}

int patch_three_way_merge(struct arena *arena, const struct patch_three *three, const struct value **ret_patch,
                          struct err **err) {
        static const struct value none = { .kind = VALUE_MAP };
        const struct value *original = three->original ?: &none;
        struct value changes, deletions, *patch = arena_new_of(arena, struct value);
        int r = check_maps(original, three->modified, err);

        if (r < 0 || (r = check_maps(three->current, three->modified, err)) < 0)
                return r;
        if (!patch || diff_maps(arena, three->current, three->modified, &changes) < 0 ||
            sift(arena, &changes, false) < 0 || diff_maps(arena, original, three->modified, &deletions) < 0 ||
            sift(arena, &deletions, true) < 0 || merge_value(arena, &deletions, &changes, patch) < 0)
                return err_set(err, ENOMEM, "out of memory");
        *ret_patch = patch;
        return 0;
}
