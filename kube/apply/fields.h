/* FieldsV1: a set of paths as JSON, a tree of maps with keys such as "f:spec" and "k:{\"name\":\"a\"}". */
#pragma once

#include "kube/apply/set.h"

struct err;

/* The set that @fields (a map; NULL and null: none) says. Keys of kinds that are not known are passed over. -EINVAL
 * with *err when it says none, or -ENOMEM. The set shares texts with @fields. */
int apply_fields_read(struct arena *arena, const struct value *fields, const struct apply_set **ret_set,
                      struct err **err);

/* The other way, in the order and form of structured-merge-diff. 0 or -ENOMEM. */
int apply_fields_write(struct arena *arena, const struct apply_set *set, struct value *ret_fields);
