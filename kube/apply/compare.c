/* What is different between two values (typed/compare.go). */
#include <errno.h>

#include "kube/apply/items.h"
#include "kube/apply/typed.h"
#include "lib/arena.h"
#include "lib/value_keys.h"

enum { REMOVED, MODIFIED, ADDED, CHANGES };

/* Of a value: whether it is in each of the three sets, and what is below it. */
struct change {
        bool member[CHANGES];
        const struct apply_set *below[CHANGES];
};

struct changes {
        struct arena *arena;
        struct apply_builder b[CHANGES];
};

static int compare(struct arena *arena, const struct apply_place *place, const struct value *a, const struct value *b,
                   struct change *ret);

static struct changes begin(struct arena *arena) {
        return (struct changes){ arena, { { .arena = arena }, { .arena = arena }, { .arena = arena } } };
}

static int end(struct changes *changes, struct change *ret) {
        for (int i = 0; i < CHANGES; i++) {
                const struct apply_set *below;

                if (apply_builder_below(&changes->b[i], &below) < 0)
                        return -ENOMEM;
                /* Where both sides were looked at, as a map and as something else, both count. */
                ret->below[i] = ret->below[i] && below ? apply_set_union(changes->arena, ret->below[i], below) :
                                ret->below[i]          ?:
                                                         below;
                if (below && !ret->below[i])
                        return -ENOMEM;
        }
        return 0;
}

static void add(struct changes *changes, const struct apply_step *step, const struct change *change) {
        for (int i = 0; i < CHANGES; i++)
                apply_builder_add(&changes->b[i], step, change->member[i], change->below[i]);
}

static void mark(struct changes *changes, const struct apply_step *step, int which) {
        apply_builder_add(&changes->b[which], step, true, NULL);
}

static void compare_leaf(const struct value *a, const struct value *b, struct change *ret) {
        if (!a)
                ret->member[ADDED] = true;
        else if (!b)
                ret->member[REMOVED] = true;
        else if (!apply_value_same(a, b))
                ret->member[MODIFIED] = true;
}

/* ---- maps ---- */

static int compare_member(struct changes *changes, const struct apply_atom *atom, const char *name,
                          const struct value *a, const struct value *b) {
        const struct apply_step step = { .kind = APPLY_STEP_FIELD, .name = name };
        const struct apply_place place = apply_member(atom, name, NULL);
        struct change below = { 0 };

        if (place.kind == APPLY_PLACE_NONE)
                return 0;
        if (compare(changes->arena, &place, a, b, &below) < 0)
                return -ENOMEM;
        add(changes, &step, &below);
        return 0;
}

static int compare_maps(struct arena *arena, const struct apply_atom *atom, const struct value *a,
                        const struct value *b, struct change *ret) {
        _cleanup_value_keys_ struct value_keys before = { 0 }, after = { 0 };
        struct changes changes = begin(arena);

        if (a)
                value_keys_init(&before, a);
        if (b)
                value_keys_init(&after, b);
        for (uint32_t i = 0; i < value_count(a); i++) {
                const struct value_member *member = &a->members[i];
                uint32_t at = b ? value_keys_find(&after, member->key) : VALUE_NONE;

                if (compare_member(&changes, atom, member->key, &member->value,
                                   at == VALUE_NONE ? NULL : &b->members[at].value) < 0)
                        return -ENOMEM;
        }
        for (uint32_t i = 0; i < value_count(b); i++) {
                const struct value_member *member = &b->members[i];

                if (a && value_keys_find(&before, member->key) != VALUE_NONE)
                        continue;
                if (compare_member(&changes, atom, member->key, NULL, &member->value) < 0)
                        return -ENOMEM;
        }
        return end(&changes, ret);
}

/* ---- lists ---- */

/* Items of one step on each side. */
struct group {
        const struct apply_items *items;
        uint32_t first, count; /* in .order, from first */
};

static const struct value *group_item(const struct group *group, uint32_t i) {
        return &group->items->list->items[group->items->order[group->first + i]];
}

static const struct value *only(const struct group *group) {
        return group->count > 0 ? group_item(group, 0) : NULL;
}

static bool same_group(const struct group *a, const struct group *b) {
        if (a->count != b->count)
                return false;
        for (uint32_t i = 0; i < a->count; i++)
                if (!apply_value_same(group_item(a, i), group_item(b, i)))
                        return false;
        return true;
}

static int compare_groups(struct changes *changes, const struct apply_atom *atom, const struct apply_step *step,
                          const struct group *a, const struct group *b) {
        const bool many_before = a->count > 1, many_after = b->count > 1;
        struct change below = { 0 };

        if (many_before && many_after) {
                if (!same_group(a, b))
                        mark(changes, step, MODIFIED);
                return 0;
        }
        if ((!many_before || b->count > 0) && (!many_after || a->count > 0)) {
                if (compare(changes->arena, &atom->items, many_before ? NULL : only(a), many_after ? NULL : only(b),
                            &below) < 0)
                        return -ENOMEM;
                add(changes, step, &below);
        }
        if (many_before)
                mark(changes, step, REMOVED);
        if (many_after)
                mark(changes, step, ADDED);
        return 0;
}

static const struct apply_step *group_step(const struct apply_items *items, uint32_t at) {
        return at < items->count ? &items->steps[items->order[at]] : NULL;
}

static void take_group(struct group *group, const struct apply_step *step) {
        const struct apply_step *next;

        group->first += group->count;
        group->count = 0;
        while ((next = group_step(group->items, group->first + group->count)) && apply_step_compare(next, step) == 0)
                group->count++;
}

static int compare_lists(struct arena *arena, const struct apply_atom *atom, const struct value *a,
                         const struct value *b, struct change *ret) {
        struct changes changes = begin(arena);
        struct apply_items before, after;
        struct group x = { &before, 0, 0 }, y = { &after, 0, 0 };

        if (apply_items_of(arena, atom, a, &before) < 0 || apply_items_of(arena, atom, b, &after) < 0)
                return -ENOMEM;
        for (;;) {
                const struct apply_step *left = group_step(&before, x.first + x.count);
                const struct apply_step *right = group_step(&after, y.first + y.count);
                const struct apply_step *step = left ?: right;

                if (!step)
                        return end(&changes, ret);
                if (left && right && apply_step_compare(left, right) > 0)
                        step = right;
                take_group(&x, step);
                take_group(&y, step);
                if (compare_groups(&changes, atom, step, &x, &y) < 0)
                        return -ENOMEM;
        }
}

/* ---- both ---- */

/* As @shape. 1 when it was gone into, 0 for a leaf, -ENOMEM. */
static int compare_as(struct arena *arena, const struct apply_atom *atom, uint8_t shape, const struct value *a,
                      const struct value *b, struct change *ret) {
        const enum value_kind kind = shape == APPLY_MAP ? VALUE_MAP : VALUE_LIST;
        const struct value *left = value_is(a, kind) ? a : NULL, *right = value_is(b, kind) ? b : NULL;
        const bool whole = shape == APPLY_MAP ? atom->whole_map : atom->whole_list;
        int r;

        if (shape == APPLY_SCALAR || whole || (value_count(left) == 0 && value_count(right) == 0)) {
                compare_leaf(a, b, ret);
                return 0;
        }
        r = shape == APPLY_MAP ? compare_maps(arena, atom, left, right, ret) :
                                 compare_lists(arena, atom, left, right, ret);
        return r < 0 ? r : 1;
}

static bool is_shared(const struct value *a, const struct value *b) {
        if (a == b)
                return true;
        return a && b && a->kind == b->kind && a->count == b->count &&
               ((a->kind == VALUE_MAP && a->members == b->members) || (a->kind == VALUE_LIST && a->items == b->items));
}

static int compare(struct arena *arena, const struct apply_place *place, const struct value *a, const struct value *b,
                   struct change *ret) {
        const struct apply_atom atom = apply_atom_of(place);
        const uint8_t before = apply_shapes_of(&atom, a), after = apply_shapes_of(&atom, b);
        int r;

        if (is_shared(a, b))
                return 0;
        if (a && b && before != after && compare_as(arena, &atom, apply_shape(before), a, b, ret) < 0)
                return -ENOMEM;
        r = compare_as(arena, &atom, apply_shape(b ? after : before), a, b, ret);
        if (r < 0)
                return r;
        if (r > 0 && !a)
                ret->member[ADDED] = true;
        if (r > 0 && !b)
                ret->member[REMOVED] = true;
        return 0;
}

int apply_compare(struct arena *arena, const struct apply_place *place, const struct value *a, const struct value *b,
                  struct apply_changes *ret_changes) {
        struct change root = { 0 };

        if (compare(arena, place, a, b, &root) < 0)
                return -ENOMEM;
        *ret_changes = (struct apply_changes){
                .removed = root.below[REMOVED] ?: &apply_set_none,
                .modified = root.below[MODIFIED] ?: &apply_set_none,
                .added = root.below[ADDED] ?: &apply_set_none,
        };
        return 0;
}
