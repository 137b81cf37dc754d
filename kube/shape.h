/* Parts of objects that are handed through and never used here: what they may look like, as tables, so that a wrong
 * type is refused and /pods shows them as kubelet does. What is used has a C struct and kube/field.h instead.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct arena;
struct problems;
struct value;

enum shape_kind {
        SHAPE_STRING,
        SHAPE_BOOL,
        SHAPE_INT32,
        SHAPE_INT64,
        SHAPE_TIME, /* RFC 3339 */
        SHAPE_STRINGS,
        SHAPE_STRING_MAP,
        SHAPE_OBJECT,
        SHAPE_LIST, /* of objects */
        SHAPE_ANY,
};

enum {
        SHAPE_ALWAYS = 1 << 0, /* shown also when not given */
        SHAPE_KEPT = 1 << 1,   /* shown also when empty or zero, if given */
};

struct shape_field {
        const char *name;
        uint8_t kind, flags;
        const struct shape *below;
        const char *fallback;     /* its default, a string or "false"; NULL: none */
        const char *const *names; /* all that a string may be, ends with NULL; NULL: anything */
};

struct shape {
        const struct shape_field *fields;
        size_t n_fields;
};

#define SHAPE(fields)                                                                                                  \
        { (fields), sizeof(fields) / sizeof((fields)[0]) }

/* @value in its usual form, in @arena: without what is empty or null. What does not fit is an error in @problems, what
 * is unknown a warning, below @path. NULL without memory. */
const struct value *shape_read(struct arena *arena, const struct value *value, const struct shape *shape,
                               const char *path, struct problems *problems);

/* @value, which was read by @shape, with the defaults of what it does not have. NULL without memory. */
const struct value *shape_default(struct arena *arena, const struct value *value, const struct shape *shape);

extern const struct shape shape_affinity, shape_topology_spread_constraint, shape_scheduling_group,
        shape_windows_options, shape_owner_reference, shape_managed_fields;

/* The shape of a volume's source, by its field's name; NULL: it has none here. */
const struct shape *shape_of_volume(const char *name);
