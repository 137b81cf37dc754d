#include "kube/patch/clean.h"

#include <errno.h>

#include "lib/arena.h"
#include "lib/value.h"

static const struct value *child(const struct value *value, uint32_t at) {
        return value->kind == VALUE_MAP ? &value->members[at].value : &value->items[at];
}

/* Nulls go first: a map whose "$patch" is null then has none. */
static bool is_directive(const struct value *value, unsigned what) {
        const struct value *directive = what & PATCH_CLEAN_DIRECTIVES ? value_get(value, "$patch") : NULL;

        return directive && !(what & PATCH_CLEAN_NULLS && value_is_null(directive));
}

static bool is_clean(const struct value *value, unsigned what) {
        uint32_t n = value_count(value);

        if (is_directive(value, what))
                return false;
        for (uint32_t i = 0; i < n; i++)
                if ((what & PATCH_CLEAN_NULLS && value->kind == VALUE_MAP && value_is_null(child(value, i))) ||
                    !is_clean(child(value, i), what))
                        return false;
        return true;
}

static bool clean(struct arena *arena, struct value *value, unsigned what);

static bool clean_members(struct arena *arena, struct value *map, unsigned what) {
        struct value_member *members = arena_alloc_array(arena, map->count, sizeof(*members));
        uint32_t n = 0;

        if (!members)
                return false;
        for (uint32_t i = 0; i < map->count; i++) {
                members[n] = map->members[i];
                if ((what & PATCH_CLEAN_NULLS && value_is_null(&members[n].value)) ||
                    is_directive(&members[n].value, what))
                        continue;
                if (!clean(arena, &members[n].value, what))
                        return false;
                n++;
        }
        map->members = members;
        map->count = n;
        return true;
}

static bool clean_items(struct arena *arena, struct value *list, unsigned what) {
        struct value *items = arena_alloc_array(arena, list->count, sizeof(*items));
        uint32_t n = 0;

        if (!items)
                return false;
        for (uint32_t i = 0; i < list->count; i++) {
                items[n] = list->items[i];
                if (is_directive(&items[n], what))
                        continue;
                if (!clean(arena, &items[n], what))
                        return false;
                n++;
        }
        list->items = items;
        list->count = n;
        return true;
}

/* Recursion is bounded by VALUE_DEPTH_MAX. */
static bool clean(struct arena *arena, struct value *value, unsigned what) {
        switch ((enum value_kind)value->kind) {
        case VALUE_MAP:
                return clean_members(arena, value, what);
        case VALUE_LIST:
                return clean_items(arena, value, what);
        default:
                return true;
        }
}

int patch_clean(struct arena *arena, const struct value *value, unsigned what, struct value *ret_value,
                bool *ret_gone) {
        struct value result = *value;

        *ret_gone = is_directive(value, what);
        if (*ret_gone)
                return 0;
        if (!is_clean(value, what) && !clean(arena, &result, what))
                return -ENOMEM;
        *ret_value = result;
        return 0;
}
