/* Sets: what two of them have together, and how one is made. */
#include "kube/apply/set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"

#define ROOM_FIRST 4

const struct apply_set apply_set_none = { .count = 0 };

/* ---- one grows ---- */

static bool make_room(struct apply_builder *b) {
        uint32_t room = b->room ? b->room * 2 : ROOM_FIRST;
        struct apply_node *nodes;

        if (b->count < b->room)
                return true;
        nodes = b->room > UINT32_MAX / 4 ? NULL : arena_alloc_uncleared(b->arena, (size_t)room * sizeof(*nodes));
        if (!nodes) {
                b->failed = true;
                return false;
        }
        if (b->count > 0)
                memcpy(nodes, b->nodes, b->count * sizeof(*nodes));
        b->nodes = nodes;
        b->room = room;
        return true;
}

void apply_builder_add(struct apply_builder *b, const struct apply_step *step, bool member,
                       const struct apply_set *below) {
        if (!member && apply_set_empty(below))
                return;
        if (!make_room(b))
                return;
        if (b->count > 0 && !b->unsorted && apply_step_compare(&b->nodes[b->count - 1].step, step) >= 0)
                b->unsorted = true;
        b->nodes[b->count++] = (struct apply_node){ *step, member, apply_set_empty(below) ? NULL : below };
}

static int by_step(const void *a, const void *b) {
        const struct apply_node *left = a, *right = b;

        return apply_step_compare(&left->step, &right->step);
}

/* Nodes of one step become one. */
static void join(struct apply_builder *b) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < b->count; i++) {
                struct apply_node *last = n > 0 ? &b->nodes[n - 1] : NULL, *node = &b->nodes[i];

                if (!last || apply_step_compare(&last->step, &node->step) != 0) {
                        b->nodes[n++] = *node;
                        continue;
                }
                last->member |= node->member;
                if (last->below && node->below)
                        last->below = apply_set_union(b->arena, last->below, node->below);
                else
                        last->below = last->below ?: node->below;
                if (!last->member && !last->below)
                        b->failed = true;
        }
        b->count = n;
}

static int builder_end(struct apply_builder *b, struct apply_set *ret_set) {
        if (b->unsorted && !b->failed) {
                qsort(b->nodes, b->count, sizeof(*b->nodes), by_step);
                join(b);
        }
        if (b->failed)
                return -ENOMEM;
        *ret_set = (struct apply_set){ b->nodes, b->count };
        return 0;
}

int apply_builder_below(struct apply_builder *b, const struct apply_set **ret_below) {
        struct apply_set *set;

        if (b->count == 0 && !b->failed) {
                *ret_below = NULL;
                return 0;
        }
        set = arena_new_of(b->arena, struct apply_set);
        if (!set || builder_end(b, set) < 0)
                return -ENOMEM;
        *ret_below = set;
        return 0;
}

/* ---- two together ---- */

static const struct apply_set *finish(struct apply_builder *b) {
        const struct apply_set *set;

        if (apply_builder_below(b, &set) < 0)
                return NULL;
        return set ?: &apply_set_none;
}

/* Nodes of both sides in their order: the one that is missing is NULL. */
struct pairs {
        const struct apply_set *a, *b;
        uint32_t i, j;
};

static bool next(struct pairs *p, const struct apply_node **ret_a, const struct apply_node **ret_b) {
        const struct apply_node *a = p->a && p->i < p->a->count ? &p->a->nodes[p->i] : NULL;
        const struct apply_node *b = p->b && p->j < p->b->count ? &p->b->nodes[p->j] : NULL;
        int order = a && b ? apply_step_compare(&a->step, &b->step) : 0;

        *ret_a = order > 0 ? NULL : a;
        *ret_b = order < 0 ? NULL : b;
        p->i += *ret_a != NULL;
        p->j += *ret_b != NULL;
        return a || b;
}

const struct apply_set *apply_set_union(struct arena *arena, const struct apply_set *a, const struct apply_set *b) {
        struct apply_builder made = { .arena = arena };
        struct pairs pairs = { .a = a, .b = b };
        const struct apply_node *x, *y;

        if (apply_set_empty(a) || a == b)
                return b ?: &apply_set_none;
        if (apply_set_empty(b))
                return a;
        while (next(&pairs, &x, &y)) {
                const struct apply_set *below = x ? x->below : NULL;

                if (y && y->below)
                        below = apply_set_union(arena, below, y->below);
                if (y && y->below && !below)
                        return NULL;
                apply_builder_add(&made, x ? &x->step : &y->step, (x && x->member) || (y && y->member), below);
        }
        return finish(&made);
}

const struct apply_set *apply_set_intersection(struct arena *arena, const struct apply_set *a,
                                               const struct apply_set *b) {
        struct apply_builder made = { .arena = arena };
        struct pairs pairs = { .a = a, .b = b };
        const struct apply_node *x, *y;

        while (next(&pairs, &x, &y)) {
                const struct apply_set *below = NULL;

                if (!x || !y)
                        continue;
                if (x->below && y->below) {
                        below = apply_set_intersection(arena, x->below, y->below);
                        if (!below)
                                return NULL;
                }
                apply_builder_add(&made, &x->step, x->member && y->member, below);
        }
        return finish(&made);
}

const struct apply_set *apply_set_difference(struct arena *arena, const struct apply_set *a,
                                             const struct apply_set *b) {
        struct apply_builder made = { .arena = arena };
        struct pairs pairs = { .a = a, .b = b };
        const struct apply_node *x, *y;

        if (apply_set_empty(a) || apply_set_empty(b))
                return a ?: &apply_set_none;
        while (next(&pairs, &x, &y)) {
                const struct apply_set *below = x ? x->below : NULL;

                if (!x)
                        continue;
                if (below && y && y->below) {
                        below = apply_set_difference(arena, below, y->below);
                        if (!below)
                                return NULL;
                }
                apply_builder_add(&made, &x->step, x->member && !(y && y->member), below);
        }
        return finish(&made);
}

bool apply_set_within(const struct apply_set *a, const struct apply_set *b) {
        struct pairs pairs = { .a = a, .b = b };
        const struct apply_node *x, *y;

        while (next(&pairs, &x, &y)) {
                if (!x)
                        continue;
                if (!y || (x->member && !y->member) || (x->below && !apply_set_within(x->below, y->below)))
                        return false;
        }
        return true;
}

const struct apply_node *apply_set_find(const struct apply_set *set, const struct apply_step *step) {
        uint32_t low = 0, high = set ? set->count : 0;

        while (low < high) {
                uint32_t middle = low + (high - low) / 2;
                int order = apply_step_compare(&set->nodes[middle].step, step);

                if (order == 0)
                        return &set->nodes[middle];
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}
