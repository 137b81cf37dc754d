/* Sets of paths to fields: what a manager owns.
 *
 * A set is a tree. A node is a step down: it is a member itself, or leads to members, or both. Nodes are sorted, none
 * is empty, and sets never change once they are made, so they share branches. All is in the arena that was given.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/value.h"

struct arena;

/* In this order, which is that of FieldsV1. */
enum apply_step_kind {
        APPLY_STEP_FIELD, /* f: a member of a map by its name */
        APPLY_STEP_KEY,   /* k: an item of a list, by those of its members that are keys */
        APPLY_STEP_VALUE, /* v: an item of a set */
        APPLY_STEP_INDEX, /* i: an item by its place */
};

/* Members that are keys, sorted by name; their values are scalars as a rule. */
struct apply_key {
        uint32_t count;
        struct value_member fields[];
};

struct apply_step {
        uint8_t kind; /* enum apply_step_kind */
        union {
                const char *name;
                const struct apply_key *key;
                const struct value *value;
                int64_t index;
        };
};

struct apply_set;

struct apply_node {
        struct apply_step step;
        bool member;
        const struct apply_set *below; /* NULL: nothing */
};

struct apply_set {
        const struct apply_node *nodes;
        uint32_t count;
};

extern const struct apply_set apply_set_none;

/* Steps in their order: of values numbers, strings, booleans, lists, maps, null; 1 and 1.0 are the same. */
int apply_step_compare(const struct apply_step *a, const struct apply_step *b);

/* Whether both say the same: numbers by what they are, members in any order. */
bool apply_value_same(const struct value *a, const struct value *b);

/* "[name=\"a\"]", as errors show it; NULL without memory. */
const char *apply_step_text(struct arena *arena, const struct apply_step *step);

/* A set that grows: nodes in any order, a step more than once. Begin with { .arena = arena }. */
struct apply_builder {
        struct arena *arena;
        struct apply_node *nodes;
        uint32_t count, room;
        bool unsorted, failed;
};

/* Nothing for a node that is empty. Without memory the builder fails, and apply_builder_below() says so. */
void apply_builder_add(struct apply_builder *b, const struct apply_step *step, bool member,
                       const struct apply_set *below);

/* What was added, as what a node has below it: NULL when that is nothing. It lives in the builder's arena. 0 or
 * -ENOMEM. */
int apply_builder_below(struct apply_builder *b, const struct apply_set **ret_below);

/* The node of @step; NULL: there is none. */
const struct apply_node *apply_set_find(const struct apply_set *set, const struct apply_step *step);

/* What is in a or b; in a and b; in a and not in b. NULL without memory; a NULL argument is none. */
const struct apply_set *apply_set_union(struct arena *arena, const struct apply_set *a, const struct apply_set *b);
const struct apply_set *apply_set_intersection(struct arena *arena, const struct apply_set *a,
                                               const struct apply_set *b);
const struct apply_set *apply_set_difference(struct arena *arena, const struct apply_set *a, const struct apply_set *b);

/* Whether all of a is in b. */
bool apply_set_within(const struct apply_set *a, const struct apply_set *b);

static inline bool apply_set_empty(const struct apply_set *set) {
        return !set || set->count == 0;
}
