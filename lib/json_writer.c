#include "lib/json_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/utf8.h"
#include "lib/value.h"

static bool reserve(struct json_writer *w, size_t n) {
        size_t max = w->size_max ? w->size_max : JSON_WRITER_SIZE_MAX, size = w->size ? w->size : 256;
        char *text;

        if (w->error < 0)
                return false;
        if (n > max || w->length > max - n) {
                w->error = -E2BIG;
                return false;
        }
        while (size < w->length + n + 1)
                size *= 2;
        if (size == w->size)
                return true;
        text = realloc(w->text, size);
        if (!text) {
                w->error = -ENOMEM;
                return false;
        }
        w->text = text;
        w->size = size;
        return true;
}

static void put(struct json_writer *w, const char *text, size_t n) {
        if (!reserve(w, n))
                return;
        memcpy(w->text + w->length, text, n);
        w->length += n;
}

static void newline(struct json_writer *w) {
        if (!w->indent)
                return;
        put(w, "\n", 1);
        for (uint16_t i = 0; i < w->depth; i++)
                put(w, "  ", 2);
}

/* What stands before a value or a key: nothing behind a key, else a comma where one is due. */
static void before(struct json_writer *w) {
        if (w->keyed) {
                w->keyed = false;
                return;
        }
        if (w->comma)
                put(w, ",", 1);
        if (w->depth > 0)
                newline(w);
}

static void begin(struct json_writer *w, const char *bracket) {
        before(w);
        put(w, bracket, 1);
        w->depth++;
        w->comma = false;
}

static void end(struct json_writer *w, const char *bracket) {
        w->depth--;
        if (w->comma)
                newline(w);
        put(w, bracket, 1);
        w->comma = true;
}

void json_begin_map(struct json_writer *w) {
        begin(w, "{");
}

void json_end_map(struct json_writer *w) {
        end(w, "}");
}

void json_begin_list(struct json_writer *w) {
        begin(w, "[");
}

void json_end_list(struct json_writer *w) {
        end(w, "]");
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

static void put_string(struct json_writer *w, const char *text, size_t length) {
        const unsigned char *p = (const unsigned char *)text;
        size_t plain = 0;

        put(w, "\"", 1);
        for (size_t i = 0; i < length;) {
                size_t n = utf8_character(p + i, length - i);

                if (n > 0 && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\') {
                        i += n;
                        continue;
                }
                put(w, text + plain, i - plain);
                if (n == 0)
                        put(w, "\xef\xbf\xbd", 3);
                else
                        put_escape(w, p[i]);
                plain = ++i;
        }
        put(w, text + plain, length - plain);
        put(w, "\"", 1);
}

void json_key(struct json_writer *w, const char *key) {
        before(w);
        put_string(w, key, strlen(key));
        put(w, ": ", w->indent ? 2 : 1);
        w->keyed = true;
        w->comma = true;
}

void json_raw(struct json_writer *w, const char *text) {
        before(w);
        put(w, text, strlen(text));
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

void json_int(struct json_writer *w, int64_t number) {
        char text[24];

        snprintf(text, sizeof(text), "%" PRId64, number);
        json_raw(w, text);
}

void json_uint(struct json_writer *w, uint64_t number) {
        char text[24];

        snprintf(text, sizeof(text), "%" PRIu64, number);
        json_raw(w, text);
}

void json_bool(struct json_writer *w, bool boolean) {
        json_raw(w, boolean ? "true" : "false");
}

void json_null(struct json_writer *w) {
        json_raw(w, "null");
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
                json_raw(w, value->text);
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

void json_add_int(struct json_writer *w, const char *key, int64_t number) {
        json_key(w, key);
        json_int(w, number);
}

void json_add_bool(struct json_writer *w, const char *key, bool boolean) {
        json_key(w, key);
        json_bool(w, boolean);
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

void json_writer_done(struct json_writer *w) {
        free(w->text);
        w->text = NULL;
}

int json_format(const struct value *value, bool indent, char **ret_text, size_t *ret_length) {
        _cleanup_json_writer_ struct json_writer w = { .indent = indent };

        json_value(&w, value);
        return json_writer_finish(&w, ret_text, ret_length);
}
