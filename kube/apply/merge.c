/* One value laid over another (typed/merge.go). What only one side has is shared with it; what the upper does not
 * change is the lower's itself, which spares those who come after all looking into it. */
#include <errno.h>
#include <string.h>

#include "kube/apply/items.h"
#include "kube/apply/typed.h"
#include "lib/arena.h"
#include "lib/value_keys.h"

/* One and the same, or the same scalar. */
static bool is_same(const struct value *a, const struct value *b) {
        if (a->kind != b->kind || a->count != b->count)
                return false;
        if (a->kind == VALUE_MAP)
                return a->members == b->members;
        return a->kind == VALUE_LIST ? a->items == b->items : value_equal(a, b);
}

/* ---- maps: in the order of the lower, then what the upper adds ---- */

static int merge_maps(struct arena *arena, const struct apply_atom *atom, const struct value *under,
                      const struct value *over, struct value *ret_value) {
        _cleanup_value_keys_ struct value_keys keys = { 0 };
        struct value_member *members;
        uint32_t count = under->count;
        bool changed = false;

        members = arena_alloc_array(arena, (size_t)under->count + over->count, sizeof(*members));
        if (!members)
                return -ENOMEM;
        if (count > 0)
                memcpy(members, under->members, count * sizeof(*members));
        value_keys_init(&keys, under);
        for (uint32_t i = 0; i < over->count; i++) {
                const struct value_member *member = &over->members[i];
                const struct apply_place place = apply_member(atom, member->key, NULL);
                const uint32_t at = value_keys_find(&keys, member->key);

                if (at == VALUE_NONE) {
                        members[count++] = *member;
                        changed = true;
                        continue;
                }
                if (apply_merge(arena, &place, &under->members[at].value, &member->value, &members[at].value) < 0)
                        return -ENOMEM;
                changed |= !is_same(&under->members[at].value, &members[at].value);
        }
        *ret_value = changed ? (struct value){ .kind = VALUE_MAP, .count = count, .members = members } : *under;
        return 0;
}

/* ---- lists ---- */

/* Both lists are gone through side by side. Items of both come in the upper's order; those of the lower alone stay
 * about where they are between them. */
struct merging {
        struct arena *arena;
        const struct apply_atom *atom;
        struct apply_items under, over;
        uint32_t left, right;   /* the next of each */
        const uint32_t *shared; /* places in the upper of what is in both, and how many are left */
        uint32_t n_shared;
        bool *merged; /* items of the upper that are in the result */
        struct value *items;
        uint32_t count;
};

static uint32_t place_in(const struct apply_items *items, const struct apply_step *step) {
        return apply_items_find(items, step, NULL);
}

/* The next of both, which are the same, or of the upper alone. */
static int take_upper(struct merging *m) {
        const struct apply_step *step = &m->over.steps[m->right];
        const struct value *over = &m->over.list->items[m->right];
        uint32_t n, at = apply_items_find(&m->under, step, &n);

        m->merged[m->right++] = true;
        if (n == 1) /* one that stands there more than once is replaced */
                return apply_merge(m->arena, &m->atom->items, &m->under.list->items[at], over, &m->items[m->count++]);
        m->items[m->count++] = *over;
        return 0;
}

static void pass_shared(struct merging *m, uint32_t place) {
        if (m->n_shared == 0 || *m->shared != place)
                return;
        m->shared++;
        m->n_shared--;
}

/* Looks at the next of the lower: true when that was all there is to do in this round. */
static bool take_lower(struct merging *m) {
        const struct apply_step *step = &m->under.steps[m->left];
        const uint32_t place = place_in(&m->over, step);

        if (place == APPLY_NO_ITEM) {
                m->items[m->count++] = m->under.list->items[m->left++];
                return true;
        }
        if (m->merged[place])
                m->left++;
        return false;
}

static int merge_step(struct merging *m) {
        const uint32_t n_under = value_count(m->under.list), n_over = m->over.list->count;
        const uint32_t right = m->right;

        if (m->left < n_under && right < n_over) {
                const struct apply_step *step = &m->under.steps[m->left];
                const uint32_t place = place_in(&m->over, step);

                if (place == right) {
                        m->left++;
                        if (m->n_shared > 0) {
                                m->shared++;
                                m->n_shared--;
                        }
                        return take_upper(m);
                }
                if (place != APPLY_NO_ITEM && m->n_shared > 0 && *m->shared != place) {
                        m->left++;
                        return 0;
                }
        }
        if (m->left < n_under && take_lower(m))
                return 0;
        if (m->right >= n_over)
                return 0;
        pass_shared(m, right);
        return take_upper(m);
}

static int list_shared(struct merging *m) {
        uint32_t *shared = arena_alloc_array(m->arena, m->over.list->count, sizeof(*shared));

        if (!shared)
                return -ENOMEM;
        for (uint32_t i = 0; i < m->over.list->count; i++)
                if (place_in(&m->under, &m->over.steps[i]) != APPLY_NO_ITEM)
                        shared[m->n_shared++] = i;
        m->shared = shared;
        return 0;
}

static bool same_items(const struct value *a, const struct value *b) {
        for (uint32_t i = 0; a->count == b->count && i < a->count; i++)
                if (!is_same(&a->items[i], &b->items[i]))
                        return false;
        return a->count == b->count;
}

static int merge_lists(struct arena *arena, const struct apply_atom *atom, const struct value *under,
                       const struct value *over, struct value *ret_value) {
        struct merging m = { .arena = arena, .atom = atom };

        if (apply_items_of(arena, atom, under, &m.under) < 0 || apply_items_of(arena, atom, over, &m.over) < 0)
                return -ENOMEM;
        m.items = arena_alloc_array(arena, (size_t)under->count + over->count, sizeof(*m.items));
        m.merged = arena_alloc_array(arena, over->count, sizeof(*m.merged));
        if (!m.items || !m.merged || list_shared(&m) < 0)
                return -ENOMEM;
        while (m.left < under->count || m.right < over->count)
                if (merge_step(&m) < 0)
                        return -ENOMEM;
        *ret_value = (struct value){ .kind = VALUE_LIST, .count = m.count, .items = m.items };
        if (same_items(ret_value, under))
                *ret_value = *under;
        return 0;
}

int apply_merge(struct arena *arena, const struct apply_place *place, const struct value *under,
                const struct value *over, struct value *ret_value) {
        const struct apply_atom atom = apply_atom_of(place);
        const uint8_t shape = apply_shape(apply_shapes_of(&atom, over));
        const enum value_kind kind = shape == APPLY_MAP ? VALUE_MAP : VALUE_LIST;
        const bool whole = shape == APPLY_MAP ? atom.whole_map : atom.whole_list;
        const bool lower = value_is(under, kind) && under->count > 0, upper = over->kind == kind && over->count > 0;

        *ret_value = *over;
        if (shape == APPLY_SCALAR || whole || !lower) {
                if (value_equal(under, over))
                        *ret_value = *under;
                return 0;
        }
        if (!upper) { /* null, or empty: adds nothing */
                *ret_value = *under;
                return 0;
        }
        return shape == APPLY_MAP ? merge_maps(arena, &atom, under, over, ret_value) :
                                    merge_lists(arena, &atom, under, over, ret_value);
}
