/* A value without some of its members and items (typed/remove.go). */
#include <errno.h>

#include "kube/apply/items.h"
#include "kube/apply/typed.h"
#include "lib/arena.h"

static int remove_members(struct arena *arena, const struct apply_atom *atom, const struct value *map,
                          const struct apply_set *set, struct value *ret_value) {
        struct value_member *members = arena_alloc_array(arena, map->count, sizeof(*members));
        uint32_t n = 0;

        if (!members)
                return -ENOMEM;
        for (uint32_t i = 0; i < map->count; i++) {
                const struct value_member *member = &map->members[i];
                const struct apply_step step = { .kind = APPLY_STEP_FIELD, .name = member->key };
                const struct apply_node *node = apply_set_find(set, &step);
                const struct apply_place place = apply_member(atom, member->key, NULL);

                if (node && node->member)
                        continue;
                members[n] = *member;
                if (node && apply_remove(arena, &place, &member->value, node->below, &members[n].value) < 0)
                        return -ENOMEM;
                n++;
        }
        if (n > 0)
                *ret_value = (struct value){ .kind = VALUE_MAP, .count = n, .members = members };
        return 0;
}

static int remove_items(struct arena *arena, const struct apply_atom *atom, const struct value *list,
                        const struct apply_set *set, struct value *ret_value) {
        struct value *items = arena_alloc_array(arena, list->count, sizeof(*items));
        uint32_t n = 0;

        if (!items)
                return -ENOMEM;
        for (uint32_t i = 0; i < list->count; i++) {
                const struct apply_node *node;
                struct apply_item_step step;

                if (apply_item_step(arena, atom, &list->items[i], &step) < 0)
                        return -ENOMEM;
                node = step.problem ? NULL : apply_set_find(set, &step.step);
                if (node && node->member)
                        continue;
                items[n] = list->items[i];
                if (node && apply_remove(arena, &atom->items, &list->items[i], node->below, &items[n]) < 0)
                        return -ENOMEM;
                n++;
        }
        if (n > 0)
                *ret_value = (struct value){ .kind = VALUE_LIST, .count = n, .items = items };
        return 0;
}

int apply_remove(struct arena *arena, const struct apply_place *place, const struct value *value,
                 const struct apply_set *set, struct value *ret_value) {
        const struct apply_atom atom = apply_atom_of(place);
        const uint8_t shape = apply_shape(apply_shapes_of(&atom, value));

        *ret_value = (struct value){ .kind = VALUE_NULL };
        if (shape == APPLY_SCALAR)
                *ret_value = *value;
        else if (shape == APPLY_MAP && value->kind == VALUE_MAP && !atom.whole_map)
                return remove_members(arena, &atom, value, set, ret_value);
        else if (shape == APPLY_LIST && value->kind == VALUE_LIST && !atom.whole_list)
                return remove_items(arena, &atom, value, set, ret_value);
        return 0;
}
