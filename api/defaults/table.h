/* The rows of the table of defaults. */
#pragma once

#include <stddef.h>

struct arena;
struct value;

struct defaults_row {
        const char *type;  /* "core.v1.Container": the end of its name */
        const char *field; /* of the type */
        const char *json;  /* what it is when it is not there or null; NULL: what @make gives */
        /* May be NULL. The value for @object in @arena; NULL: none. With @json: whether the row counts, then any value. */
        const struct value *(*make)(struct arena *arena, const struct value *object);
        const char *above; /* counts only in a field of this type; NULL: in any */
};

extern const struct defaults_row defaults_table[];
extern const size_t defaults_table_count;
