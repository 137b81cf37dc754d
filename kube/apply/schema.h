/* What server-side apply asks of a type: which values a place may hold, and how they are merged.
 *
 * Places are as k8s.io/kube-openapi's schemaconv makes them of OpenAPI: a type may say at run time that what it has no
 * row for is kept (KUBE_KEEP_UNKNOWN); what has no type at all is deduced from the value: maps are merged, lists are
 * not.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kube/type.h"

struct value;

enum apply_place_kind {
        APPLY_PLACE_NONE,    /* not in the schema */
        APPLY_PLACE_DEDUCED, /* anything */
        APPLY_PLACE_UNTYPED, /* anything, never merged */
        APPLY_PLACE_RAW,     /* a map of anything */
        APPLY_PLACE_TYPE,    /* an object of .type */
        APPLY_PLACE_FIELD,   /* the value of .field */
        APPLY_PLACE_ELEMENT, /* an item of its list, or a value of its map */
        APPLY_PLACE_INNER,   /* an item of a list in its map of lists */
};

struct apply_place {
        uint8_t kind; /* enum apply_place_kind */
        const struct kube_type *type;
        const struct kube_field *field;
};

enum { /* what a value may be */
       APPLY_SCALAR = 1 << 0,
       APPLY_LIST = 1 << 1,
       APPLY_MAP = 1 << 2,
};

enum apply_scalar { APPLY_ANY, APPLY_STRING, APPLY_NUMERIC, APPLY_BOOLEAN };

struct apply_atom {
        uint8_t shapes;
        uint8_t scalar;               /* enum apply_scalar */
        bool whole_map;               /* one field of one owner */
        bool whole_list;              /* so too; else a set, or by its keys */
        const char *const *keys;      /* ends with NULL; NULL: a set */
        const struct kube_type *type; /* of a map: what it declares; NULL: nothing */
        struct apply_place items;     /* of a list */
        struct apply_place others;    /* of a map: what it does not declare */
};

struct apply_place apply_place_of(const struct kube_type *type);
struct apply_atom apply_atom_of(const struct apply_place *place);

/* The one of @atom's shapes that @value (NULL: not there) has, as bits; all of them where it has none. */
uint8_t apply_shapes_of(const struct apply_atom *atom, const struct value *value);

/* Which of @shapes counts where there are several: map, scalar, list. */
uint8_t apply_shape(uint8_t shapes);

/* The place of member @name; *@ret_declared, which may be NULL: the type has a row for it. */
struct apply_place apply_member(const struct apply_atom *atom, const char *name, bool *ret_declared);
