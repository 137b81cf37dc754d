/* The items of a list that is merged by item: each with the step that leads to it. */
#pragma once

#include <stdint.h>

#include "kube/apply/set.h"

struct apply_atom;

#define APPLY_NO_ITEM UINT32_MAX

struct apply_items {
        const struct value *list;
        uint32_t count;
        struct apply_step *steps; /* one an item */
        uint32_t *order;          /* the items by step, then by place */
};

/* The step to @item, or what is wrong with it. */
struct apply_item_step {
        struct apply_step step;
        const char *problem; /* NULL: nothing */
};

/* 0 or -ENOMEM. */
int apply_item_step(struct arena *arena, const struct apply_atom *atom, const struct value *item,
                    struct apply_item_step *ret_step);

/* Of @list (NULL: none). Items without a step are an error that validation has found: they are left out of .order. 0 or
 * -ENOMEM. */
int apply_items_of(struct arena *arena, const struct apply_atom *atom, const struct value *list,
                   struct apply_items *ret_items);

/* The first item that @step leads to, and how many there are (may be NULL); APPLY_NO_ITEM. */
uint32_t apply_items_find(const struct apply_items *items, const struct apply_step *step, uint32_t *ret_count);
