/* Columns: rows of a table, from which both the definitions and the cells of a kind's Table are made.
 *
 * A row says which path of the object stands in its cell, and in which form. What is no form is a small function, whose
 * row says which paths it looks at. For kube/print alone; kube/print/table.h is what others use.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kube/types.h"
#include "lib/value.h"

struct arena;
struct json_writer;
struct print_column;
struct print_path;
struct print_pod;

/* An object whose cells are written. */
struct print_row {
        const struct value *object; /* with what the kind's columns want of it */
        struct arena *arena;        /* until the next row */
        const struct kube_time *now;
        struct json_writer *out;
        const struct print_pod *pod; /* what was found of a pod for the first cell that asked */
};

enum print_form {
        PRINT_TEXT,     /* a string, or a number's text; without it @other, or "" */
        PRINT_TEXT_SET, /* the same, but an empty string is none */
        PRINT_INT,      /* a number; without it @other as a text where it is given, or 0 */
        PRINT_BOOL,     /* without it false, or true where @other is "true" */
        PRINT_COUNT,    /* members or items; of several paths the sum */
        PRINT_AGE,      /* how long ago; without it @other, or "<unknown>" */
        PRINT_DATE,     /* a time as it is; without it Go's zero time */
        PRINT_LIST,     /* items with commas between; without any @other, or "" */
        PRINT_MAP,      /* "a=b,c=d", sorted; without any "<none>" */
        PRINT_SELECTOR, /* a LabelSelector; one that selects all, or none at all, is "<none>" */
        PRINT_RATIO,    /* two paths, "1/3" */
        PRINT_CELL,     /* cell() */
        PRINT_CUSTOM,   /* a JSONPath, as a CustomResourceDefinition's column has it */
};

/* Writes one value to row->out. */
typedef void (*print_cell)(struct print_row *row, const struct print_column *column);

struct print_column {
        const char *name; /* NULL: a cell without a definition, which kube-apiserver has as well */
        const char *type, *format, *description;
        int32_t priority; /* 0: shown also where little room is */
        enum print_form form;
        const char *path; /* kube/project.h */
        const char *other;
        print_cell cell;
        const struct print_path *json_path;
};

struct print_columns {
        const struct print_column *columns;
        size_t n;
        const char *wants;                           /* paths that no column names; may be NULL */
        void (*conditions)(struct print_row *row);   /* writes the row's "conditions"; may be NULL */
        int64_t (*rank)(const struct value *object); /* rows are sorted by it, then by name; may be NULL */
        bool null_rows;                              /* without any rows "rows" is null */
        const char *const *hidden; /* annotations that are fields of another version, ended by NULL; may be NULL */
        struct arena *arena;       /* of columns made at run time */
};

/* A kind that has columns. */
struct print_kind {
        const char *group, *version, *kind; /* version NULL: any */
        struct print_columns columns;
};

#define PRINT_KIND(group, kind, rows, ...)                                                                             \
        {                                                                                                              \
                group, NULL, kind, {                                                                                   \
                        .columns = rows, .n = sizeof(rows) / sizeof(rows[0]), ##__VA_ARGS__                            \
                }                                                                                                      \
        }

/* Tables of kinds, a file a family of groups; they end with a NULL kind. */
extern const struct print_kind print_core_kinds[], print_node_kinds[], print_workload_kinds[], print_network_kinds[],
        print_storage_kinds[], print_access_kinds[], print_policy_kinds[], print_resource_kinds[], print_system_kinds[];

/* Writes the cell of @column. */
void print_column_cell(struct print_row *row, const struct print_column *column);

/* What is at @path, to the first list on the way; NULL when nothing or null is. */
const struct value *print_find(const struct value *object, const char *path);
const char *print_find_text(const struct value *object, const char *path, const char *fallback);
int64_t print_find_int(const struct value *object, const char *path);

/* A time at @path; not set when there is none. */
struct kube_time print_find_time(const struct value *object, const char *path);

/* The item of @list whose @key is @text; NULL when there is none. */
const struct value *print_find_item(const struct value *list, const char *key, const char *text);

/* The members of a map by their keys, and a NULL behind them; NULL without memory, which is told to row->out. */
const struct value_member *const *print_sorted_members(struct print_row *row, const struct value *map);

/* Rows: fields, and what is made by a function. */
#define PRINT_FIELD(name, type, priority, form, path, other, description)                                              \
        { name, type, "", description, priority, form, path, other, NULL, NULL }
#define PRINT_MADE(name, type, priority, cell, path, other, description)                                               \
        { name, type, "", description, priority, PRINT_CELL, path, other, cell, NULL }
#define PRINT_NAMED(name, priority, path, description)                                                                 \
        { name, "string", "name", description, priority, PRINT_TEXT, path, NULL, NULL, NULL }
#define PRINT_NAME PRINT_NAMED("Name", 0, "metadata.name", print_name_text)
#define PRINT_CLASS_NAME(annotations)                                                                                  \
        {                                                                                                              \
                "Name", "string", "name", print_name_text, 0, PRINT_CELL, "metadata.name metadata.annotations",        \
                        annotations, print_default_name, NULL                                                          \
        }
#define PRINT_AGE_COLUMN PRINT_FIELD("Age", "string", 0, PRINT_AGE, "metadata.creationTimestamp", NULL, print_age_text)
#define PRINT_UNNAMED_AGE                                                                                              \
        { .form = PRINT_AGE, .path = "metadata.creationTimestamp" }
extern const char print_name_text[], print_age_text[];
