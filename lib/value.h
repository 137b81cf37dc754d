/* Trees of values, as JSON and YAML documents hold them: one model for both.
 *
 * A value is immutable and lives in the arena it was read into. Each knows the line and column it was read from, so
 * that whoever finds it wrong can say where. Strings hold no NUL character (the readers refuse it) and end with one.
 * Maps have about the order of the document; a key occurs once. All accessors take NULL for "not there" and answer
 * accordingly, so look-ups chain: value_string(value_get(value_get(config, "metadata"), "name")).
 *
 * Readers: lib/json.h, lib/yaml.h. Writer: lib/json_writer.h. Changed trees are made by lib/value_edit.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

/* What the readers take, unless struct value_options says otherwise. */
#define VALUE_BYTES_MAX ((size_t)4 << 20)
#define VALUE_NODES_MAX ((uint32_t)256 * 1024) /* with every alias counted as what it stands for */
#define VALUE_DEPTH_MAX 100

enum value_kind {
        VALUE_NULL,
        VALUE_BOOL,
        VALUE_INT,
        VALUE_NUMBER, /* a number that is not an int64: kept as its text */
        VALUE_STRING,
        VALUE_LIST,
        VALUE_MAP,
};

struct value_member;

struct value {
        uint32_t line;   /* from 1; 0: not from a document */
        uint16_t column; /* from 1, in bytes, up to UINT16_MAX */
        uint8_t kind;    /* enum value_kind */
        uint32_t count;  /* items of a list, members of a map, bytes of a string or number without the NUL */
        uint32_t room;   /* for lib/value_edit.c; 0 in every tree that is given out */
        union {
                bool boolean;
                int64_t integer;
                const char *text; /* VALUE_STRING, VALUE_NUMBER */
                const struct value *items;
                const struct value_member *members;
        };
};

struct value_member {
        const char *key;
        uint32_t line; /* of the key */
        uint16_t column;
        bool merged;      /* it came by a YAML merge key */
        uint8_t key_kind; /* VALUE_STRING, or what YAML has as the key: a number, a boolean; @key is its text */
        struct value value;
};

/* Told of what a reader passes over; @line is in the document, @text valid during the call. */
typedef void (*value_warn)(void *data, uint32_t line, const char *text);

/* Told of a member whose key another one before it in its map has; @member is valid during the call. */
typedef void (*value_second)(void *data, const struct value_member *member);

/* For the readers; NULL there means the defaults, and no name. */
struct value_options {
        const char *name;   /* goes before the line in errors: `web.yaml:3: ...`; without it `line 3: ...` */
        size_t bytes_max;   /* 0: VALUE_BYTES_MAX */
        uint32_t nodes_max; /* 0: VALUE_NODES_MAX */
        value_warn warn;    /* reads as kubelet reads manifests: of a key that is there twice the last one counts, of
                             * several    documents the first, and this hears of it; NULL: both are errors */
        void *warn_data;
        value_second second; /* hears instead of @warn of keys that are there twice, merged ones too, each when its map
                              * ends; a number and a text that reads the same are two keys */
};

/* The member of map @value; NULL when there is none or @value is no map. A member that is null is returned. */
const struct value *value_get(const struct value *value, const char *key);

/* Follows @path from @value: keys divided by dots, indexes in brackets: "config.Env[0]". Keys that hold a dot need
 * value_get(). NULL when anything on the way is missing. */
const struct value *value_find(const struct value *value, const char *path);

/* The item of list @value at @index; NULL past its end or when @value is no list. */
const struct value *value_at(const struct value *value, uint32_t index);

/* The text of a string; NULL for anything else. Lives as long as the arena. */
const char *value_string(const struct value *value);

/* As value_string(), but @fallback for anything else. */
const char *value_string_or(const struct value *value, const char *fallback);

/* The boolean; @fallback for anything else. */
bool value_bool_or(const struct value *value, bool fallback);

/* A whole number: an int, or a number such as 1e3 or 2.0 that is one. False for anything else. */
bool value_integer(const struct value *value, int64_t *ret_integer);

/* As value_integer(), but @fallback for anything else. */
int64_t value_integer_or(const struct value *value, int64_t fallback);

/* Any number as a double. False for anything else. */
bool value_double(const struct value *value, double *ret_double);

bool value_is(const struct value *value, enum value_kind kind);

/* NULL and null alike. */
bool value_is_null(const struct value *value);

/* The number of items or members; 0 for anything else. */
uint32_t value_count(const struct value *value);

/* The first item of @list whose @key is @text: a condition by its type, a container by its name. Without such a key, or
 * with another thing than a text there, it is "". NULL when there is none. */
const struct value *value_item(const struct value *list, const char *key, const char *text);

/* Whether one of @list's items is @text. */
bool value_has_text(const struct value *list, const char *text);

/* "a string", "a list": for messages. NULL reads "nothing". */
const char *value_kind_name(const struct value *value);

/* The order of members counts for nothing, that of items does. Numbers are equal when they are written alike. */
bool value_equal(const struct value *a, const struct value *b);

/* How many lists and maps are one in the other: 0 for a scalar, 1 for a list of them. */
uint32_t value_depth(const struct value *value);

/* Copies @value and all below it into @arena; NULL without memory. Strings are shared only within the copy's arena,
 * so the source's arena may be freed. */
const struct value *value_copy(struct arena *arena, const struct value *value);
