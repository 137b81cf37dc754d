/* Maps of a document read into C structs by tables, strictly.
 *
 * A row says a member's name, its kind, its bounds and where in the struct it lives. A member of another kind or out of
 * bounds is an error with its path, so that nothing that was meant to confine is passed over. As in Go's encoding/json,
 * which the formats that are read this way were made for: members without a row are left alone, one that is null is as
 * good as none, and names are compared without regard to case. Several rows may read one member.
 *
 * What is read points into the document, which has to live as long.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct value;

#define MEMBER_PATH_MAX 256 /* of the path in errors, with its NUL; a longer one is cut */

enum member_kind {
        MEMBER_STRING,     /* const char *, NULL: none */
        MEMBER_BOOL,       /* bool */
        MEMBER_NUMBER,     /* struct member_number */
        MEMBER_STRINGS,    /* struct member_list of const char *, with a NULL behind the last */
        MEMBER_NUMBERS,    /* struct member_list of struct member_number */
        MEMBER_STRING_MAP, /* struct member_list of struct member_pair */
        MEMBER_OBJECT,     /* @type itself */
        MEMBER_OBJECTS,    /* struct member_list of @type */
        MEMBER_OBJECT_MAP, /* the same of a map's values; the keys are lost */
        MEMBER_VALUE,      /* const struct value *, of any kind */
};

enum {
        MEMBER_REFUSED = 1 << 0,  /* not supported: an error where it says anything but nothing (0, false, "", []) */
        MEMBER_REQUIRED = 1 << 1, /* an error where it is missing */
};

/* A whole number of 64 bits; what its row's bounds say tells which half of the union is meant. */
struct member_number {
        bool set;
        union {
                int64_t i;
                uint64_t u;
        };
};

struct member_list {
        const void *items;
        size_t n;
};

struct member_pair {
        const char *key, *value;
};

struct member_type;

struct member_row {
        const char *name;
        uint8_t kind, flags;
        uint16_t offset;
        union {
                const struct member_type *type;
                struct {
                        int64_t min;
                        uint64_t max;
                };
        };
};

struct member_type {
        size_t size;
        const struct member_row *members;
        size_t n_members;
};

/* What is read, and where it stands. */
struct members_source {
        const char *document;      /* goes before the line in errors */
        const char *path;          /* the map's own in it, "" for the whole */
        const struct value *value; /* a map; NULL and null: an empty one */
};

/* Reads @source into @object, which is zeroed and of @type. Returns 0, -EINVAL, -ENOTSUP for what is refused, or
 * -ENOMEM; what was read into @object by then is worth nothing. */
int members_read(struct arena *arena, const struct members_source *source, const struct member_type *type, void *object,
                 struct err **err);

/* Item @i of a list of @type. */
#define MEMBER_AT(list, type, i) (&((type const *)(list).items)[i])

/* Rows: name, kind, flags, struct and field; with bounds, or with the table below. */
#define MEMBER_ROW(json, kind_, flags_, owner, field)                                                                  \
        {                                                                                                              \
                (json), MEMBER_##kind_, (flags_), offsetof(struct owner, field), {                                     \
                        NULL                                                                                           \
                }                                                                                                      \
        }
#define MEMBER_ROW_NUMBER(json, kind_, flags_, owner, field, min_, max_)                                               \
        {                                                                                                              \
                .name = (json), .kind = MEMBER_##kind_, .flags = (flags_), .offset = offsetof(struct owner, field),    \
                .min = (min_), .max = (max_)                                                                           \
        }
#define MEMBER_ROW_OF(json, kind_, flags_, owner, field, below)                                                        \
        {                                                                                                              \
                (json), MEMBER_##kind_, (flags_), offsetof(struct owner, field), {                                     \
                        .type = &(below)                                                                               \
                }                                                                                                      \
        }
#define MEMBER_TYPE(owner, rows)                                                                                       \
        { sizeof(struct owner), (rows), sizeof(rows) / sizeof((rows)[0]) }
