/* Writing of JSON: a growing text, written front to back.
 *
 * A failure (no memory, text past json_writer.size_max) sticks and is reported once, by json_writer_finish(); calls in
 * between need no check. Commas and indentation are the writer's. Bytes that are no UTF-8 come out as U+FFFD, as Go
 * writes them. Members keep the order of the calls; calls must nest rightly (a key before each member's value).
 *
 *     _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
 *
 *     json_begin_map(&w);
 *     json_add_string(&w, "phase", "Running");
 *     json_end_map(&w);
 *     r = json_writer_finish(&w, &text, &length);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct bytes;
struct value;

#define JSON_WRITER_SIZE_MAX ((size_t)64 << 20)

struct json_writer {
        char *text;
        size_t length, size;
        size_t size_max; /* 0: JSON_WRITER_SIZE_MAX */
        uint16_t depth;
        bool indent;     /* two blanks a level; false: compact */
        bool go_escapes; /* as Go's encoder, also of <, >, & and U+2028, U+2029 */
        bool comma;      /* the next thing at this level needs one before it */
        bool keyed;      /* a key was written, its value is next */
        int error;       /* negative errno that sticks */
};

#define JSON_WRITER_INIT                                                                                               \
        { 0 }
#define JSON_WRITER_INDENTED                                                                                           \
        { .indent = true }

void json_begin_map(struct json_writer *w);
void json_end_map(struct json_writer *w);
void json_begin_list(struct json_writer *w);
void json_end_list(struct json_writer *w);
void json_key(struct json_writer *w, const char *key);

/* Values. NULL as a string writes null. */
void json_string(struct json_writer *w, const char *text);
void json_string_length(struct json_writer *w, const char *text, size_t length);
void json_int(struct json_writer *w, int64_t number);
void json_uint(struct json_writer *w, uint64_t number);
void json_bool(struct json_writer *w, bool boolean);
void json_null(struct json_writer *w);

/* @length bytes of @text as they are: they must be valid JSON (a number's text, a document made before). */
void json_raw(struct json_writer *w, const char *text, size_t length);

/* The same, with what go_escapes asks for. */
void json_document(struct json_writer *w, const char *text, size_t length);

/* A key in which nothing is to be escaped. */
void json_key_plain(struct json_writer *w, const char *key, size_t length);

/* @value and all below it, in its own order. */
void json_value(struct json_writer *w, const struct value *value);

/* A member: key and value in one call. */
void json_add_string(struct json_writer *w, const char *key, const char *text);
void json_add_int(struct json_writer *w, const char *key, int64_t number);
void json_add_bool(struct json_writer *w, const char *key, bool boolean);

/* A list of texts: all up to NULL (@texts NULL: none), or @n. */
void json_add_texts(struct json_writer *w, const char *key, const char *const *texts);
void json_add_n_texts(struct json_writer *w, const char *key, const char *const *texts, size_t n);

/* Nothing at all when @text is NULL or empty (Go's omitempty). */
void json_add_string_if(struct json_writer *w, const char *key, const char *text);

/* What the caller writes cannot be had: @error, a negative errno, sticks. */
void json_writer_fail(struct json_writer *w, int error);

/* Hands the text over, NUL-terminated; the caller frees it. @ret_length may be NULL. Returns 0, -ENOMEM or -E2BIG. */
int json_writer_finish(struct json_writer *w, char **ret_text, size_t *ret_length);

/* The same as bytes with a line end behind, and as a text in @arena; NULL where it has failed. */
struct bytes *json_writer_line(struct json_writer *w);
char *json_writer_text(struct json_writer *w, struct arena *arena);

void json_writer_done(struct json_writer *w);
#define _cleanup_json_writer_ __attribute__((cleanup(json_writer_done)))

/* @value as text, compact or indented. Returns as json_writer_finish(). */
int json_format(const struct value *value, bool indent, char **ret_text, size_t *ret_length);
