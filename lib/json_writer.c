#include "lib/json_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/grow.h"
#include "lib/json_plain.h"
#include "lib/utf8.h"
#include "lib/value.h"

static bool grow(struct json_writer *w, size_t n) {
        size_t max = w->size_max ? w->size_max : JSON_WRITER_SIZE_MAX;

        if (w->error == 0)
                w->error = n > max || w->length > max - n ? -E2BIG :
                                                            GROW(w->text, w->size, w->length + n + 1, GROW_NO_MAX);
        return w->error == 0;
}

/* Room for @n bytes and a NUL. What fits the memory that is there fits the maximum too, but for a smaller one of the
 * caller's. */
static inline bool reserve(struct json_writer *w, size_t n) {
        if (w->error == 0 && n < w->size - w->length && w->size > 0 && w->size_max == 0)
                return true;
        return grow(w, n);
}

static inline void put(struct json_writer *w, const char *text, size_t n) {
        if (!reserve(w, n))
                return;
        memcpy(w->text + w->length, text, n);
        w->length += n;
}

static inline void put_char(struct json_writer *w, char c) {
        if (reserve(w, 1))
                w->text[w->length++] = c;
}

static void newline(struct json_writer *w) {
        if (!w->indent)
                return;
        put(w, "\n", 1);
        for (uint16_t i = 0; i < w->depth; i++)
                put(w, "  ", 2);
}

/* What stands before a value or a key: nothing behind a key, else a comma where one is due. */
static inline void before(struct json_writer *w) {
        if (w->keyed) {
                w->keyed = false;
                return;
        }
        if (w->comma)
                put_char(w, ',');
        if (w->depth > 0)
                newline(w);
}

static void begin(struct json_writer *w, char bracket) {
        before(w);
        put_char(w, bracket);
        w->depth++;
        w->comma = false;
}

static void end(struct json_writer *w, char bracket) {
        w->depth--;
        if (w->comma)
                newline(w);
        put_char(w, bracket);
        w->comma = true;
}

void json_begin_map(struct json_writer *w) {
        begin(w, '{');
}

void json_end_map(struct json_writer *w) {
        end(w, '}');
}

void json_begin_list(struct json_writer *w) {
        begin(w, '[');
}

void json_end_list(struct json_writer *w) {
        end(w, ']');
}

static void put_escape(struct json_writer *w, unsigned char c) {
        static const char shorts[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
        const char *at = c ? strchr(shorts, c) : NULL;
        char text[8];

        if (at)
                snprintf(text, sizeof(text), "\\%c", names[at - shorts]);
        else
                snprintf(text, sizeof(text), "\\u%04x", c);
        put(w, text, strlen(text));
}

/* Line and paragraph separator, which are U+2028 and U+2029. */
static bool is_separator(const unsigned char *p, size_t n) {
        return n == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] & 0xfe) == 0xa8;
}

/* Of one character that is not plain; returns its length. */
static size_t put_special(struct json_writer *w, const unsigned char *p, size_t length) {
        size_t n = utf8_character(p, length);

        if (n == 0) {
                put(w, "\xef\xbf\xbd", 3);
                return 1;
        }
        if (n == 1)
                put_escape(w, *p);
        else if (w->go_escapes && is_separator(p, n))
                put(w, p[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
        else
                put(w, (const char *)p, n);
        return n;
}

/* Most texts need no escape, and go out in one piece. */
static bool put_plain(struct json_writer *w, const char *text, size_t length) {
        char *to;

        if (json_plain_length(text, length, w->go_escapes) < length || !reserve(w, length + 2))
                return false;
        to = w->text + w->length;
        *to++ = '"';
        to = mempcpy(to, text, length);
        *to = '"';
        w->length += length + 2;
        return true;
}

static void put_string(struct json_writer *w, const char *text, size_t length) {
        const unsigned char *p = (const unsigned char *)text;

        if (put_plain(w, text, length))
                return;
        put_char(w, '"');
        for (size_t i = 0; i < length;) {
                size_t n = json_plain_length(text + i, length - i, w->go_escapes);

                put(w, text + i, n);
                i += n;
                if (i < length)
                        i += put_special(w, p + i, length - i);
        }
        put_char(w, '"');
}

void json_key(struct json_writer *w, const char *key) {
        before(w);
        put_string(w, key, strlen(key));
        put(w, ": ", w->indent ? 2 : 1);
        w->keyed = true;
        w->comma = true;
}

/* A key of which nothing needs an escape goes out in one piece. */
void json_key_plain(struct json_writer *w, const char *key, size_t length) {
        before(w);
        if (reserve(w, length + 3)) {
                char *to = w->text + w->length;

                *to++ = '"';
                to = mempcpy(to, key, length);
                *to++ = '"';
                *to++ = ':';
                w->length += length + 3;
        }
        if (w->indent)
                put_char(w, ' ');
        w->keyed = true;
        w->comma = true;
}

void json_raw(struct json_writer *w, const char *text, size_t length) {
        before(w);
        put(w, text, length);
        w->comma = true;
}

/* What go_escapes is about stands within strings alone. */
void json_document(struct json_writer *w, const char *text, size_t length) {
        const unsigned char *p = (const unsigned char *)text;
        size_t plain = 0;

        before(w);
        for (size_t i = 0; w->go_escapes && i < length; i++) {
                bool separator = p[i] == 0xe2 && length - i >= 3 && is_separator(p + i, 3);

                if (p[i] != '<' && p[i] != '>' && p[i] != '&' && !separator)
                        continue;
                put(w, text + plain, i - plain);
                if (separator)
                        i += put_special(w, p + i, 3) - 1;
                else
                        put_escape(w, p[i]);
                plain = i + 1;
        }
        put(w, text + plain, length - plain);
        w->comma = true;
}

void json_string_length(struct json_writer *w, const char *text, size_t length) {
        before(w);
        put_string(w, text, length);
        w->comma = true;
}

void json_string(struct json_writer *w, const char *text) {
        if (text)
                json_string_length(w, text, strlen(text));
        else
                json_null(w);
}

/* The digits of @number up to @end; returns where they begin. */
static char *put_digits(char *end, uint64_t number) {
        do
                *--end = (char)('0' + number % 10);
        while ((number /= 10) > 0);
        return end;
}

void json_int(struct json_writer *w, int64_t number) {
        char text[24], *end = text + sizeof(text),
                       *at = put_digits(end, number < 0 ? -(uint64_t)number : (uint64_t)number);

        if (number < 0)
                *--at = '-';
        json_raw(w, at, (size_t)(end - at));
}

void json_uint(struct json_writer *w, uint64_t number) {
        char text[24], *end = text + sizeof(text), *at = put_digits(end, number);

        json_raw(w, at, (size_t)(end - at));
}

void json_bool(struct json_writer *w, bool boolean) {
        json_raw(w, boolean ? "true" : "false", boolean ? 4 : 5);
}

void json_null(struct json_writer *w) {
        json_raw(w, "null", 4);
}

void json_value(struct json_writer *w, const struct value *value) {
        switch (value ? (enum value_kind)value->kind : VALUE_NULL) {
        case VALUE_NULL:
                json_null(w);
                break;
        case VALUE_BOOL:
                json_bool(w, value->boolean);
                break;
        case VALUE_INT:
                json_int(w, value->integer);
                break;
        case VALUE_NUMBER:
                json_raw(w, value->text, value->count);
                break;
        case VALUE_STRING:
                json_string_length(w, value->text, value->count);
                break;
        case VALUE_LIST:
                json_begin_list(w);
                for (uint32_t i = 0; i < value->count; i++)
                        json_value(w, &value->items[i]);
                json_end_list(w);
                break;
        case VALUE_MAP:
                json_begin_map(w);
                for (uint32_t i = 0; i < value->count; i++) {
                        json_key(w, value->members[i].key);
                        json_value(w, &value->members[i].value);
                }
                json_end_map(w);
                break;
        }
}

void json_add_string(struct json_writer *w, const char *key, const char *text) {
        json_key(w, key);
        json_string(w, text);
}

void json_add_string_if(struct json_writer *w, const char *key, const char *text) {
        if (text && *text)
                json_add_string(w, key, text);
}

void json_add_texts(struct json_writer *w, const char *key, const char *const *texts) {
        size_t n = 0;

        while (texts && texts[n])
                n++;
        json_add_n_texts(w, key, texts, n);
}

void json_add_n_texts(struct json_writer *w, const char *key, const char *const *texts, size_t n) {
        json_key(w, key);
        json_begin_list(w);
        for (size_t i = 0; i < n; i++)
                json_string(w, texts[i]);
        json_end_list(w);
}

void json_add_int(struct json_writer *w, const char *key, int64_t number) {
        json_key(w, key);
        json_int(w, number);
}

void json_add_bool(struct json_writer *w, const char *key, bool boolean) {
        json_key(w, key);
        json_bool(w, boolean);
}

void json_writer_fail(struct json_writer *w, int error) {
        if (w->error == 0)
                w->error = error;
}

int json_writer_finish(struct json_writer *w, char **ret_text, size_t *ret_length) {
        if (!reserve(w, 0))
                return w->error;
        w->text[w->length] = '\0';
        if (ret_length)
                *ret_length = w->length;
        *ret_text = TAKE_PTR(w->text);
        w->length = w->size = 0;
        return 0;
}

struct bytes *json_writer_line(struct json_writer *w) {
        struct bytes *bytes = reserve(w, 0) ? bytes_new(w->length + 1) : NULL;

        if (!bytes)
                return NULL;
        memcpy(bytes->data, w->text, w->length);
        bytes->data[w->length] = '\n';
        return bytes;
}

char *json_writer_text(struct json_writer *w, struct arena *arena) {
        return reserve(w, 0) ? arena_strndup(arena, w->text, w->length) : NULL;
}

void json_writer_done(struct json_writer *w) {
        free(w->text);
        w->text = NULL;
}

int json_format(const struct value *value, bool indent, char **ret_text, size_t *ret_length) {
        _cleanup_json_writer_ struct json_writer w = { .indent = indent };

        json_value(&w, value);
        return json_writer_finish(&w, ret_text, ret_length);
}
