#include "lib/yaml_write.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "lib/cleanup.h"
#include "lib/go_text.h"
#include "lib/grow.h"
#include "lib/value.h"
#include "lib/yaml_quote.h"

#define NUMBER_MAX 512
#define EXPONENT_MIN (-4) /* Go's 'g' format: from there to EXPONENT_MAX without one */
#define EXPONENT_MAX 6
#define DEPTH_MAX 1000

struct writer {
        yaml_emitter_t emitter;
        char *text;
        size_t length, size;
        int error;
};

static int on_bytes(void *data, unsigned char *bytes, size_t n) {
        struct writer *w = data;
        int r = GROW(w->text, w->size, w->length + n + 1, GROW_NO_MAX);

        if (r < 0) {
                w->error = r;
                return 0;
        }
        memcpy(w->text + w->length, bytes, n);
        w->length += n;
        w->text[w->length] = '\0';
        return 1;
}

/* @made: whether the event could be. */
static void emit(struct writer *w, yaml_event_t *event, int made) {
        if (w->error < 0) {
                if (made)
                        yaml_event_delete(event);
                return;
        }
        if (!made || !yaml_emitter_emit(&w->emitter, event))
                w->error = w->error ?: !made || w->emitter.error == YAML_MEMORY_ERROR ? -ENOMEM : -EINVAL;
}

static void write_scalar(struct writer *w, const char *text, size_t length, yaml_scalar_style_t style) {
        yaml_event_t event;

        emit(w, &event,
             yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)length, 1, 1, style));
}

static void write_text(struct writer *w, const char *text, size_t length) {
        yaml_scalar_style_t style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;

        if (memchr(text, '\n', length))
                style = YAML_LITERAL_SCALAR_STYLE;
        else if (!yaml_needs_quotes(text))
                style = YAML_PLAIN_SCALAR_STYLE;
        write_scalar(w, text, length, style);
}

/* A number that is no int64, as Go's FormatFloat(n, 'g', -1, 64) has it; a whole one of 64 bits keeps its digits. */
static void write_number(struct writer *w, const char *text) {
        char e[NUMBER_MAX], number[NUMBER_MAX];
        double n = strtod(text, NULL);
        int digits = 0, exponent, places;
        char *end;

        if (!isfinite(n)) /* past all doubles: go-yaml takes it for a text */
                return write_text(w, text, strlen(text));
        errno = 0;
        strtoull(text, &end, 10);
        if (!*end && errno == 0 && *text != '-')
                return write_scalar(w, text, strlen(text), YAML_PLAIN_SCALAR_STYLE);
        do
                snprintf(e, sizeof(e), "%.*e", digits, n);
        while (strtod(e, NULL) != n && ++digits < 17);
        exponent = atoi(strchr(e, 'e') ? strchr(e, 'e') + 1 : "0");
        places = digits > exponent ? digits - exponent : 0;
        if (exponent >= EXPONENT_MIN && exponent < EXPONENT_MAX)
                snprintf(number, sizeof(number), "%.*f", places, n);
        else
                snprintf(number, sizeof(number), "%s", e);
        write_scalar(w, number, strlen(number), YAML_PLAIN_SCALAR_STYLE);
}

/* --- maps: go-yaml's order of keys, in which numbers within texts count as such --- */

/* unicode.IsLetter(), of what is not ASCII by range: most are, punctuation, symbols and pictures are not. */
static bool is_letter(int32_t c) {
        if (c < 0x80)
                return isalpha(c);
        if (c < 0xc0 || c == 0xd7 || c == 0xf7)
                return c == 0xaa || c == 0xb5 || c == 0xba;
        return c != 0xfeff && !(c >= 0x2000 && c < 0x2c00) && !(c >= 0x3000 && c < 0x3005) &&
               !(c >= 0xe000 && c < 0xf900) && !(c >= 0x1f000 && c < 0x20000);
}

static bool is_digit(int32_t c) {
        return c >= '0' && c <= '9';
}

/* The characters of @key; 0 behind the last. */
static int32_t *runes_of(const char *key) {
        size_t n = strlen(key), at = 0;
        int32_t *runes = calloc(n + 1, sizeof(*runes));

        for (size_t i = 0; runes && i < n;) {
                int32_t rune;

                i += go_text_rune(key + i, n - i, &rune);
                runes[at++] = rune;
        }
        return runes;
}

static int64_t number_at(const int32_t *runes, size_t i, int64_t before, size_t *ret_end) {
        uint64_t n = (uint64_t)before;

        for (; is_digit(runes[i]); i++)
                n = n * 10 + (uint64_t)(runes[i] - '0');
        *ret_end = i;
        return (int64_t)n;
}

/* Whether a digit other than 0 stands in the number before @i: then a 0 there has its weight. */
static bool continues(const int32_t *runes, size_t i) {
        while (i-- > 0 && is_digit(runes[i]))
                if (runes[i] != '0')
                        return true;
        return false;
}

static bool is_less_at(const int32_t *a, const int32_t *b, size_t i) {
        bool a_letter = is_letter(a[i]), b_letter = is_letter(b[i]);
        int64_t before = (a[i] == '0' || b[i] == '0') && continues(a, i), a_number, b_number;
        size_t a_end, b_end;

        if (a_letter && b_letter)
                return a[i] < b[i];
        if (a_letter || b_letter)
                return b_letter;
        a_number = number_at(a, i, before, &a_end);
        b_number = number_at(b, i, before, &b_end);
        if (a_number != b_number)
                return a_number < b_number;
        return a_end != b_end ? a_end < b_end : a[i] < b[i];
}

struct member {
        int32_t *key;
        const struct value_member *member;
};

static int order(const void *x, const void *y) {
        const struct member *a = x, *b = y;
        size_t i = 0;

        while (a->key[i] && a->key[i] == b->key[i])
                i++;
        if (a->key[i] == b->key[i])
                return 0;
        if (!a->key[i] || !b->key[i])
                return a->key[i] ? 1 : -1;
        return is_less_at(a->key, b->key, i) ? -1 : 1;
}

static void write_value(struct writer *w, const struct value *value, unsigned depth);

static void write_members(struct writer *w, const struct value *map, struct member *members, unsigned depth) {
        uint32_t n = 0;

        for (; n < map->count && w->error == 0; n++) {
                members[n] = (struct member){ runes_of(map->members[n].key), &map->members[n] };
                if (!members[n].key)
                        w->error = -ENOMEM;
        }
        if (w->error == 0)
                qsort(members, n, sizeof(*members), order);
        for (uint32_t i = 0; i < n; i++) {
                if (w->error == 0) {
                        write_text(w, members[i].member->key, strlen(members[i].member->key));
                        write_value(w, &members[i].member->value, depth + 1);
                }
                free(members[i].key);
        }
}

static void write_map(struct writer *w, const struct value *map, unsigned depth) {
        _cleanup_free_ struct member *members = calloc(map->count + 1, sizeof(*members));
        yaml_event_t event;

        if (!members)
                w->error = w->error ?: -ENOMEM;
        emit(w, &event, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
        if (w->error == 0)
                write_members(w, map, members, depth);
        emit(w, &event, yaml_mapping_end_event_initialize(&event));
}

static void write_list(struct writer *w, const struct value *list, unsigned depth) {
        yaml_event_t event;

        emit(w, &event, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE));
        for (uint32_t i = 0; i < list->count && w->error == 0; i++)
                write_value(w, &list->items[i], depth + 1);
        emit(w, &event, yaml_sequence_end_event_initialize(&event));
}

static void write_integer(struct writer *w, int64_t integer) {
        char text[32];
        int n = snprintf(text, sizeof(text), "%lld", (long long)integer);

        write_scalar(w, text, (size_t)n, YAML_PLAIN_SCALAR_STYLE);
}

static void write_word(struct writer *w, const char *word) {
        write_scalar(w, word, strlen(word), YAML_PLAIN_SCALAR_STYLE);
}

static void write_value(struct writer *w, const struct value *value, unsigned depth) {
        if (depth > DEPTH_MAX)
                w->error = -EINVAL;
        if (w->error < 0)
                return;
        switch (value->kind) {
        case VALUE_MAP:
                return write_map(w, value, depth);
        case VALUE_LIST:
                return write_list(w, value, depth);
        case VALUE_STRING:
                return write_text(w, value->text, value->count);
        case VALUE_NUMBER:
                return write_number(w, value->text);
        case VALUE_INT:
                return write_integer(w, value->integer);
        case VALUE_BOOL:
                return write_word(w, value->boolean ? "true" : "false");
        default:
                return write_word(w, "null");
        }
}

/* libyaml marks the end of a document that ends with empty lines, go-yaml does not. */
static void cut_end(struct writer *w) {
        static const char mark[] = "\n...\n";
        size_t n = sizeof(mark) - 1;

        if (w->length >= n && memcmp(w->text + w->length - n, mark, n) == 0) {
                w->length -= n - 1;
                w->text[w->length] = '\0';
        }
}

int yaml_write(const struct value *value, char **ret_text, size_t *ret_length) {
        struct writer w = { 0 };
        yaml_event_t event;

        if (!yaml_emitter_initialize(&w.emitter))
                return -ENOMEM;
        yaml_emitter_set_output(&w.emitter, on_bytes, &w);
        yaml_emitter_set_unicode(&w.emitter, 1);
        emit(&w, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
        emit(&w, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
        write_value(&w, value, 0);
        emit(&w, &event, yaml_document_end_event_initialize(&event, 1));
        emit(&w, &event, yaml_stream_end_event_initialize(&event));
        yaml_emitter_delete(&w.emitter);
        if (w.error < 0) {
                free(w.text);
                return w.error;
        }
        cut_end(&w);
        *ret_text = w.text;
        *ret_length = w.length;
        return 0;
}
