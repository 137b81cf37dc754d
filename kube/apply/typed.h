/* Work on values by the schema of their place. Trees stay as they are; results are in @arena. */
#pragma once

#include <stdbool.h>

#include "kube/apply/schema.h"
#include "kube/apply/set.h"

struct err;

/* Whether @value fits: 0, -ENOMEM, or -APPLY_FAILED with structured-merge-diff's words. @duplicates: items of one step
 * are allowed. */
int apply_validate(struct arena *arena, const struct apply_place *place, const struct value *value, bool duplicates,
                   struct err **err);

/* Every leaf and item that @value gives. */
int apply_extract(struct arena *arena, const struct apply_place *place, const struct value *value,
                  const struct apply_set **ret_set);

/* What is different in @b. */
struct apply_changes {
        const struct apply_set *removed, *modified, *added;
};

int apply_compare(struct arena *arena, const struct apply_place *place, const struct value *a, const struct value *b,
                  struct apply_changes *ret_changes);

/* @over laid over @under. */
int apply_merge(struct arena *arena, const struct apply_place *place, const struct value *under,
                const struct value *over, struct value *ret_value);

/* @value without the members and items in @set; null when nothing is left. */
int apply_remove(struct arena *arena, const struct apply_place *place, const struct value *value,
                 const struct apply_set *set, struct value *ret_value);

/* @set and all declared fields on its paths. NULL without memory. */
const struct apply_set *apply_with_parents(struct arena *arena, const struct apply_place *place,
                                           const struct apply_set *set);

/* @set, which may have been written by another schema: of what now is one field, the field. NULL without memory. */
const struct apply_set *apply_reconcile(struct arena *arena, const struct apply_place *place,
                                        const struct apply_set *set);
