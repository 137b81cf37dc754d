/* Objects of the API as tables: one engine decodes, and writes, every kind.
 *
 * A struct object_type lists its fields; a row says the JSON name, the kind and where in the C struct it lives. A kind
 * of the API is a table of rows (kube/pod_fields.c) and no code.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct json_writer;
struct problems;
struct value;

enum field_kind {
        FIELD_STRING,        /* const char * */
        FIELD_BOOL,          /* bool */
        FIELD_TRI,           /* enum tri */
        FIELD_INT32,         /* int32_t */
        FIELD_INT64,         /* int64_t */
        FIELD_OPT_INT32,     /* struct opt_int, checked as int32 */
        FIELD_OPT_INT64,     /* struct opt_int */
        FIELD_QUANTITY,      /* struct quantity */
        FIELD_ENUM,          /* an enum whose 0 is "not given"; @names from 1 on */
        FIELD_INT_OR_STRING, /* struct int_or_string */
        FIELD_STRINGS,       /* string_list */
        FIELD_INTS,          /* int_list */
        FIELD_STRING_MAP,    /* string_map */
        FIELD_RESOURCES,     /* resource_list */
        FIELD_OBJECT,        /* pointer to @type */
        FIELD_EMBED,         /* @type itself */
        FIELD_LIST,          /* LIST_OF(@type) */
        FIELD_KUBE,          /* pointer to the struct of @kube */
        FIELD_KUBE_LIST,     /* LIST_OF() it */
        FIELD_IGNORED,       /* known, of no use here */
        FIELD_IGNORED_MAP,   /* the same, but a map */
};

enum {
        FIELD_ALWAYS = 1 << 0,      /* written also when empty (required in the API) */
        FIELD_UNSUPPORTED = 1 << 1, /* read, but without effect: a warning where given */
        FIELD_DEFAULTED = 1 << 2,   /* its empty value is its default: written, but by object_write_given() */
};

struct object_type;
struct kube_type;

struct field {
        const char *name;
        uint8_t kind, flags;
        uint16_t offset;
        union {
                const struct object_type *type;
                const char *const *names; /* ends with NULL */
                const struct kube_type *kube;
        };
};

struct object_type {
        size_t size;
        const struct field *fields;
        size_t n_fields;
};

/* Reads @value, a map, into @object (zeroed, of @type), copying into @arena whatever it keeps. What does not fit its
 * kind is an error in @problems, what has no row a warning, each with path (from @path, "" for the root) and line.
 * Returns false without memory. */
bool object_decode(struct arena *arena, const struct value *value, const struct object_type *type, const char *path,
                   struct problems *problems, void *object);

/* Writes @object as a JSON map; fields not given are left out. */
void object_write(struct json_writer *w, const struct object_type *type, const void *object);

/* The same without the defaults that are empty values: what was read, as it was read. */
void object_write_given(struct json_writer *w, const struct object_type *type, const void *object);

/* Rows of a table: JSON name, kind, flags, struct and member; ROW_OF with the type below, ROW_ENUM with the names,
 * ROW_KUBE with the generated type. */
#define ROW(json, kind_, flags_, owner, member)                                                                        \
        {                                                                                                              \
                (json), FIELD_##kind_, (flags_), offsetof(struct owner, member), {                                     \
                        NULL                                                                                           \
                }                                                                                                      \
        }
#define ROW_OF(json, kind_, flags_, owner, member, below)                                                              \
        {                                                                                                              \
                (json), FIELD_##kind_, (flags_), offsetof(struct owner, member), {                                     \
                        .type = &(below)                                                                               \
                }                                                                                                      \
        }
#define ROW_KUBE(json, kind_, flags_, owner, member, type_)                                                            \
        {                                                                                                              \
                (json), FIELD_##kind_, (flags_), offsetof(struct owner, member), {                                     \
                        .kube = &(type_)                                                                               \
                }                                                                                                      \
        }
#define ROW_ENUM(json, flags_, owner, member, names_)                                                                  \
        {                                                                                                              \
                (json), FIELD_ENUM, (flags_), offsetof(struct owner, member), {                                        \
                        .names = (names_)                                                                              \
                }                                                                                                      \
        }
#define OBJECT_TYPE(owner, rows)                                                                                       \
        { sizeof(struct owner), (rows), sizeof(rows) / sizeof((rows)[0]) }
