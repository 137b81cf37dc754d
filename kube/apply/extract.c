/* The set of fields that a value gives (typed/tofieldset.go), and what the schema makes of sets. */
#include <errno.h>

#include "kube/apply/items.h"
#include "kube/apply/typed.h"
#include "lib/arena.h"

/* What is owned of a value: itself, and what is below it. */
struct extract {
        bool member;
        const struct apply_set *below;
};

static int extract(struct arena *arena, const struct apply_place *place, const struct value *value,
                   struct extract *ret);

static int extract_items(struct arena *arena, const struct apply_atom *atom, const struct value *list,
                         struct extract *ret) {
        struct apply_builder b = { .arena = arena };
        struct apply_items items;

        if (apply_items_of(arena, atom, list, &items) < 0)
                return -ENOMEM;
        for (uint32_t at = 0; at < items.count;) {
                const uint32_t i = items.order[at];
                const struct apply_step *step = &items.steps[i];
                struct extract item = { 0 };
                uint32_t n = 1;

                while (at + n < items.count && apply_step_compare(&items.steps[items.order[at + n]], step) == 0)
                        n++;
                at += n;
                if (n == 1 && extract(arena, &atom->items, &list->items[i], &item) < 0)
                        return -ENOMEM;
                apply_builder_add(&b, step, true, item.below);
        }
        return apply_builder_below(&b, &ret->below);
}

static int extract_members(struct arena *arena, const struct apply_atom *atom, const struct value *map,
                           struct extract *ret) {
        struct apply_builder b = { .arena = arena };

        for (uint32_t i = 0; i < map->count; i++) {
                const struct value_member *member = &map->members[i];
                const struct apply_step step = { .kind = APPLY_STEP_FIELD, .name = member->key };
                const bool empty = member->value.kind == VALUE_NULL ||
                                   (member->value.kind == VALUE_MAP && member->value.count == 0);
                struct extract below = { 0 };
                bool declared;
                const struct apply_place place = apply_member(atom, member->key, &declared);

                if (extract(arena, &place, &member->value, &below) < 0)
                        return -ENOMEM;
                apply_builder_add(&b, &step, below.member || empty || !declared, below.below);
        }
        return apply_builder_below(&b, &ret->below);
}

static int extract(struct arena *arena, const struct apply_place *place, const struct value *value,
                   struct extract *ret) {
        const struct apply_atom atom = apply_atom_of(place);
        const uint8_t shape = apply_shape(apply_shapes_of(&atom, value));

        if (shape == APPLY_SCALAR || (shape == APPLY_MAP && atom.whole_map) || (shape == APPLY_LIST && atom.whole_list))
                ret->member = true;
        else if (shape == APPLY_MAP && value->kind == VALUE_MAP)
                return extract_members(arena, &atom, value, ret);
        else if (shape == APPLY_LIST && value->kind == VALUE_LIST)
                return extract_items(arena, &atom, value, ret);
        return 0;
}

int apply_extract(struct arena *arena, const struct apply_place *place, const struct value *value,
                  const struct apply_set **ret_set) {
        struct extract root = { 0 };

        if (extract(arena, place, value, &root) < 0)
                return -ENOMEM;
        *ret_set = root.below ?: &apply_set_none;
        return 0;
}

/* Where @step leads in the schema. */
static struct apply_place place_below(const struct apply_atom *atom, const struct apply_step *step,
                                      bool *ret_declared) {
        const struct apply_place nowhere = { .kind = APPLY_PLACE_NONE };

        *ret_declared = false;
        if (step->kind == APPLY_STEP_FIELD && atom->shapes & APPLY_MAP)
                return apply_member(atom, step->name, ret_declared);
        if (step->kind == APPLY_STEP_KEY && atom->shapes & APPLY_LIST)
                return atom->items;
        return nowhere;
}

const struct apply_set *apply_with_parents(struct arena *arena, const struct apply_place *place,
                                           const struct apply_set *set) {
        const struct apply_atom atom = apply_atom_of(place);
        struct apply_builder b = { .arena = arena };
        const struct apply_set *below;

        for (uint32_t i = 0; i < set->count; i++) {
                const struct apply_node *node = &set->nodes[i];
                bool declared;
                const struct apply_place down = place_below(&atom, &node->step, &declared);

                below = node->below ? apply_with_parents(arena, &down, node->below) : NULL;
                if (node->below && !below)
                        return NULL;
                apply_builder_add(&b, &node->step, node->member || (declared && below), below);
        }
        return apply_builder_below(&b, &below) < 0 ? NULL : below ?: &apply_set_none;
}

/* ---- sets of another schema (typed/reconcile_schema.go) ---- */

static bool is_deduced(const struct apply_atom *atom) {
        return !atom->type && (atom->others.kind == APPLY_PLACE_DEDUCED);
}

/* Whether what is below @node has become one field with it. */
static bool is_collapsed(const struct apply_atom *atom, const struct apply_node *node) {
        const uint8_t shape = apply_shape(atom->shapes);

        if (node->member && !node->below)
                return false;
        if (shape == APPLY_MAP)
                return atom->whole_map && node->below;
        return shape == APPLY_LIST && atom->whole_list;
}

static int reconcile_node(struct apply_builder *b, const struct apply_place *place, const struct apply_node *node) {
        const struct apply_atom atom = apply_atom_of(place);
        const struct apply_set *below = node->below;

        if (place->kind == APPLY_PLACE_NONE || is_deduced(&atom)) {
                apply_builder_add(b, &node->step, node->member, node->below);
                return 0;
        }
        if (is_collapsed(&atom, node)) {
                apply_builder_add(b, &node->step, true, NULL);
                return 0;
        }
        if (below)
                below = apply_reconcile(b->arena, place, below);
        if (node->below && !below)
                return -ENOMEM;
        apply_builder_add(b, &node->step, node->member, below);
        return 0;
}

const struct apply_set *apply_reconcile(struct arena *arena, const struct apply_place *place,
                                        const struct apply_set *set) {
        const struct apply_atom atom = apply_atom_of(place);
        const uint8_t shape = apply_shape(atom.shapes);
        struct apply_builder b = { .arena = arena };
        const struct apply_set *below;

        for (uint32_t i = 0; i < set->count; i++) {
                const struct apply_node *node = &set->nodes[i];
                struct apply_place down = { .kind = APPLY_PLACE_NONE };

                if (shape == APPLY_LIST)
                        down = atom.items;
                else if (shape == APPLY_MAP)
                        down = node->step.kind == APPLY_STEP_FIELD ? apply_member(&atom, node->step.name, NULL) :
                                                                     atom.others;
                if (reconcile_node(&b, &down, node) < 0)
                        return NULL;
        }
        return apply_builder_below(&b, &below) < 0 ? NULL : below ?: &apply_set_none;
}
