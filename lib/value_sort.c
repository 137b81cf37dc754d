#include "lib/value_sort.h"

#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/value.h"

static bool sort(struct arena *arena, const struct value *from, struct value *to);

static int compare(const void *a, const void *b) {
        return strcmp(((const struct value_member *)a)->key, ((const struct value_member *)b)->key);
}

static bool sort_map(struct arena *arena, const struct value *from, struct value *to) {
        struct value_member *members = arena_alloc_array(arena, from->count, sizeof(*members));

        if (!members)
                return false;
        for (uint32_t i = 0; i < from->count; i++) {
                members[i] = from->members[i];
                if (!sort(arena, &from->members[i].value, &members[i].value))
                        return false;
        }
        qsort(members, from->count, sizeof(*members), compare);
        to->members = members;
        return true;
}

static bool sort_list(struct arena *arena, const struct value *from, struct value *to) {
        struct value *items = arena_alloc_array(arena, from->count, sizeof(*items));

        if (!items)
                return false;
        for (uint32_t i = 0; i < from->count; i++)
                if (!sort(arena, &from->items[i], &items[i]))
                        return false;
        to->items = items;
        return true;
}

/* Recursion is bounded by the depth of the tree. */
static bool sort(struct arena *arena, const struct value *from, struct value *to) {
        *to = *from;
        return from->kind == VALUE_MAP  ? sort_map(arena, from, to) :
               from->kind == VALUE_LIST ? sort_list(arena, from, to) :
                                          true;
}

const struct value *value_sorted(struct arena *arena, const struct value *value) {
        struct value *sorted = arena_new_of(arena, struct value);

        return sorted && sort(arena, value, sorted) ? sorted : NULL;
}

static int compare_places(const void *a, const void *b) {
        return compare(*(const struct value_member *const *)a, *(const struct value_member *const *)b);
}

const struct value_member *const *value_sorted_members(struct arena *arena, const struct value *map) {
        uint32_t n = value_is(map, VALUE_MAP) ? map->count : 0;
        const struct value_member **members = arena_alloc_array(arena, (size_t)n + 1, sizeof(*members));

        for (uint32_t i = 0; members && i < n; i++)
                members[i] = &map->members[i];
        if (members && n > 1)
                qsort(members, n, sizeof(*members), compare_places);
        return members;
}
