/* What a strategic merge patch asks of a type: how a field is merged, and what is below it. */
#pragma once

#include <stdbool.h>

#include "kube/type.h"

struct err;

/* A place in a type: an object, or what is none and has nothing below that could be merged. */
struct patch_schema {
        const struct kube_type *type; /* NULL: no object */
        const char *go_kind;          /* Go's word for it: "struct", "map", "slice", "string" */
        const char *go_name;          /* of a struct without fields of its own: "Quantity"; NULL otherwise */
        bool pointer;                 /* Go has a pointer to it */
};

struct patch_field {
        struct patch_schema below; /* of a list: what its items are */
        const char *merge_key;     /* NULL: none */
        bool merge;                /* a list: is merged, by the key or, of scalars, by themselves */
        bool replace;              /* a map: is replaced */
        bool retain_keys;
};

struct patch_schema patch_schema_of(const struct kube_type *type);

/* The field @key of @schema, whose value is a map, or a list where @list is true. -PATCH_INCONSISTENT when there is no
 * such field. */
int patch_lookup(const struct patch_schema *schema, const char *key, bool list, struct patch_field *ret_field,
                 struct err **err);
