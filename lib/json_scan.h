/* JSON text, token by token, for readers that make no tree of it: strict as lib/json.h, and without words: who finds
 * a text wrong reads it again with json_parse(), which says where and why.
 *
 * A scan is two pointers into the caller's text. Every function looks at what comes next behind blanks; false means
 * that it is not what was asked for, or not JSON, and leaves the scan where no more can be read from it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_scan {
        const char *at, *end;
};

/* A string as it stands between its quotes; @escapes: what it means is shorter, json_text_copy() tells. */
struct json_text {
        const char *text;
        uint32_t length;
        bool escapes;
};

/* The next character that is no blank, not passed; '\0' at the end. */
static inline char json_scan_peek(struct json_scan *s) {
        while (s->at < s->end) {
                char c = *s->at;

                if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
                        return c;
                s->at++;
        }
        return '\0';
}

/* Passes @c. */
static inline bool json_scan_is(struct json_scan *s, char c) {
        if (json_scan_peek(s) != c)
                return false;
        s->at++;
        return true;
}

/* A string; its UTF-8 and its escapes are right, and none is a NUL. */
bool json_scan_string(struct json_scan *s, struct json_text *ret_text);

/* A number's text, checked by JSON's grammar; @ret_whole: it has neither point nor exponent. */
bool json_scan_number(struct json_scan *s, const char **ret_text, size_t *ret_length, bool *ret_whole);

/* A whole number that an int64 holds. */
bool json_scan_int(struct json_scan *s, int64_t *ret_number);

bool json_scan_bool(struct json_scan *s, bool *ret_boolean);
bool json_scan_null(struct json_scan *s);

/* Any value, at most @depth lists and maps deep. */
bool json_scan_skip(struct json_scan *s, unsigned depth);

/* What @text means, without a NUL, in @ret_text, which has room for text->length bytes. Returns the number of bytes. */
size_t json_text_copy(const struct json_text *text, char *ret_text);

/* Copies valid JSON without its blanks to @ret_text (room for @length bytes). Returns the number of bytes. */
size_t json_compact(const char *text, size_t length, char *ret_text);
