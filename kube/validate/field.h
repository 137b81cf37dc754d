/* What is wrong with an object, field by field: apimachinery's field.Path and field.Error, for rules that are functions
 * of typed structs.
 *
 * A place is where one is in the object. It lives on the stack of the function that made it, costs nothing until an
 * error is told of, and ends with the block in which it was made:
 *
 *     const struct place *port = ITEM(FIELD(at, "ports"), i);     spec.ports[2]
 *     validate_required(v, FIELD(port, "name"), "");              spec.ports[2].name: Required value
 *
 * An error's words, causes and values are those of Go's field.ErrorList, in the order in which rules are asked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kube/types.h"

struct arena;
struct kube_type;
struct problems;
struct validate_asks;
struct validate_warnings;

struct place {
        const struct place *up; /* NULL: the object */
        const char *name;       /* of a field; NULL: a subscript */
        const char *key;        /* of an entry of a map; NULL: by index */
        uint32_t index;
};

#define FIELD(at, field) (&(const struct place){ .up = (at), .name = (field) })
#define ITEM(at, i) (&(const struct place){ .up = (at), .index = (uint32_t)(i) })
#define ENTRY(at, k) (&(const struct place){ .up = (at), .key = (k) ?: "" })

/* Texts of all errors together; past it errors are counted, not kept. The first is always kept. */
#define VALIDATE_TEXT_MAX ((size_t)1 << 20)

struct validation {
        struct problems *problems;
        struct arena *arena;                /* holds the texts */
        struct validate_warnings *warnings; /* NULL: none are wanted */
        const struct validate_asks *asks;   /* NULL: nothing can be asked */
        void *asker;
        bool namespaced;   /* the kind is */
        bool update;       /* there is an old object */
        size_t text_bytes; /* so far */
        int error;         /* -ENOMEM: what was found is not all */
};

/* Errors so far: more of them behind a rule than before it, and it was broken. */
unsigned validate_errors(const struct validation *v);

/* No more are kept: what is only told need not be looked for. */
bool validate_is_full(const struct validation *v);

/* @detail may be ""; texts may be NULL, which is "". Nothing is kept but in the arena. */

void validate_required(struct validation *v, const struct place *at, const char *detail);
void validate_forbidden(struct validation *v, const struct place *at, const char *detail);
void validate_internal(struct validation *v, const struct place *at, const char *detail);

/* Invalid value, a string in Go. */
void validate_invalid(struct validation *v, const struct place *at, const char *value, const char *detail);

/* Of a type of its own in Go (core.Protocol): quoted as JSON is, not as Go's %q. */
void validate_invalid_word(struct validation *v, const struct place *at, const char *value, const char *detail);
void validate_invalid_int(struct validation *v, const struct place *at, int64_t value, const char *detail);
void validate_invalid_bool(struct validation *v, const struct place *at, bool value, const char *detail);
void validate_invalid_quantity(struct validation *v, const struct place *at, struct quantity value, const char *detail);

/* @json as it stands: "null", "[1,2]". */
void validate_invalid_json(struct validation *v, const struct place *at, const char *json, const char *detail);

/* @object of @type, as its JSON; NULL: null. */
void validate_invalid_object(struct validation *v, const struct place *at, const struct kube_type *type,
                             const void *object, const char *detail);

void validate_duplicate(struct validation *v, const struct place *at, const char *value);
void validate_duplicate_json(struct validation *v, const struct place *at, const char *json);
void validate_duplicate_detail(struct validation *v, const struct place *at, const char *json, const char *detail);
void validate_not_found(struct validation *v, const struct place *at, const char *value, const char *detail);

/* @supported ends with NULL and stands in the order in which they are told. */
void validate_unsupported(struct validation *v, const struct place *at, const char *value,
                          const char *const *supported);
void validate_unsupported_json(struct validation *v, const struct place *at, const char *json,
                               const char *const *supported);

void validate_too_long(struct validation *v, const struct place *at, int max);

/* @actual < 0 is not told. */
void validate_too_many(struct validation *v, const struct place *at, int actual, int max);

/* A warning, where they are wanted. @at NULL: the text alone; without memory it is noted in @v. */
void validate_warn(struct validation *v, const struct place *at, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* No more are kept. */
bool validate_has_warned(const struct validation *v);

/* For details that are made: text in the arena, "" without memory, and when no more errors are kept. */
const char *validate_text(struct validation *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An amount as such a detail. */
const char *validate_amount_text(struct validation *v, struct quantity amount);

/* Zeroed memory, a copy of @length bytes, a text, in the arena; they want of no more being told nothing. NULL, and ""
 * for texts, without memory, which is noted in @v. */
void *validate_alloc(struct validation *v, size_t count, size_t size);
char *validate_copy(struct validation *v, const char *text, size_t length);
const char *validate_key(struct validation *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* @at as text: "spec.ports[2].name". In the arena; "" without memory. */
const char *validate_place_text(struct validation *v, const struct place *at);

/* The @n @texts with ", " between them, in quotes if @quoted; in the arena. */
const char *validate_join(struct validation *v, const char *const *texts, size_t n, bool quoted);

/* Strings as a JSON list, names in quotes as Go's %q; in the arena. */
const char *validate_json_strings(struct validation *v, const string_list *list);
const char *validate_quoted(struct validation *v, const char *text);

/* @text as a JSON string; in the arena. */
const char *validate_json_text(struct validation *v, const char *text);
