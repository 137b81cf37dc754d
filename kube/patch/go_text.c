#include "kube/patch/go_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"
#include "lib/value_sort.h"

#define NUMBER_MAX 40   /* characters of a double as Go prints it */
#define EXPONENT_FROM 6 /* 1e+06 has an exponent, 100000 has none */

struct printer {
        char text[PATCH_TEXT_MAX];
        size_t length;
};

static void put(struct printer *p, const char *text) {
        size_t n = strlen(text), room = sizeof(p->text) - 1 - p->length;

        n = n < room ? n : room;
        memcpy(p->text + p->length, text, n);
        p->length += n;
        p->text[p->length] = '\0';
}

/* The fewest digits that are the same number again, with an exponent below 1e-4 and from 1e+06 on. */
static void print_double(double number, char ret_text[NUMBER_MAX]) {
        char digits[NUMBER_MAX], *exponent;
        int precision = 0, e;

        do
                snprintf(digits, sizeof(digits), "%.*e", precision, number);
        while (strtod(digits, NULL) != number && ++precision < 17);
        exponent = strchr(digits, 'e');
        e = exponent ? atoi(exponent + 1) : 0;
        if (exponent && e >= -4 && e < EXPONENT_FROM)
                snprintf(ret_text, NUMBER_MAX, "%.*f", precision > e ? precision - e : 0, number);
        else
                snprintf(ret_text, NUMBER_MAX, "%s", digits);
}

const char *patch_scalar_text(struct arena *arena, const struct value *value) {
        char number[NUMBER_MAX];
        double d = 0;

        switch (value ? (enum value_kind)value->kind : VALUE_NULL) {
        case VALUE_NULL:
                return "<nil>";
        case VALUE_BOOL:
                return value->boolean ? "true" : "false";
        case VALUE_INT:
                return arena_printf(arena, "%" PRId64, value->integer);
        case VALUE_NUMBER:
                value_double(value, &d);
                print_double(d, number);
                return arena_strdup(arena, number);
        case VALUE_STRING:
                return value->text;
        default:
                return "";
        }
}

static void print(struct arena *arena, struct printer *p, const struct value *value);

static void print_map(struct arena *arena, struct printer *p, const struct value *map) {
        const struct value_member *const *sorted = value_sorted_members(arena, map);

        put(p, "map[");
        for (uint32_t i = 0; sorted && i < map->count && p->length < sizeof(p->text) - 1; i++) {
                put(p, i > 0 ? " " : "");
                put(p, sorted[i]->key);
                put(p, ":");
                print(arena, p, &sorted[i]->value);
        }
        put(p, "]");
}

static void print(struct arena *arena, struct printer *p, const struct value *value) {
        if (value_is(value, VALUE_MAP)) {
                print_map(arena, p, value);
        } else if (value_is(value, VALUE_LIST)) {
                put(p, "[");
                for (uint32_t i = 0; i < value->count && p->length < sizeof(p->text) - 1; i++) {
                        put(p, i > 0 ? " " : "");
                        print(arena, p, &value->items[i]);
                }
                put(p, "]");
        } else {
                put(p, patch_scalar_text(arena, value) ?: "");
        }
}

char *patch_text(struct arena *arena, const struct value *value) {
        struct printer p = { .length = 0 };

        p.text[0] = '\0';
        print(arena, &p, value);
        return arena_strdup(arena, p.text);
}

const char *patch_type_text(const struct value *value) {
        static const char *const names[] = {
                [VALUE_NULL] = "%!s(<nil>)",
                [VALUE_BOOL] = "bool",
                [VALUE_INT] = "int64",
                [VALUE_NUMBER] = "float64",
                [VALUE_STRING] = "string",
                [VALUE_LIST] = "[]interface {}",
                [VALUE_MAP] = "map[string]interface {}",
        };

        return names[value ? value->kind : VALUE_NULL];
}

char *patch_string_text(struct arena *arena, const struct value *value) {
        char *text = patch_text(arena, value);

        switch (value ? (enum value_kind)value->kind : VALUE_NULL) {
        case VALUE_NULL:
                return arena_strdup(arena, "%!s(<nil>)");
        case VALUE_BOOL:
        case VALUE_INT:
        case VALUE_NUMBER:
                return arena_printf(arena, "%%!s(%s=%s)", patch_type_text(value), text ?: "");
        default:
                return text;
        }
}

/* ---- JSON ---- */

/* Go escapes what HTML could take for its own, and the line separators. */
static size_t string_size(const char *text, size_t length) {
        size_t n = 2;

        for (size_t i = 0; i < length; i++) {
                unsigned char c = (unsigned char)text[i];

                if (c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f')
                        n += 2;
                else if (c < 0x20 || c == '<' || c == '>' || c == '&')
                        n += 6;
                else
                        n += 1;
                if (c == 0xe2 && length - i > 2 && (unsigned char)text[i + 1] == 0x80 &&
                    ((unsigned char)text[i + 2] | 1) == 0xa9)
                        n += 3;
        }
        return n;
}

size_t patch_json_size(const struct value *value) {
        size_t n = 2 + (value->count > 1 ? value->count - 1 : 0);

        switch ((enum value_kind)value->kind) {
        case VALUE_NULL:
                return 4;
        case VALUE_BOOL:
                return value->boolean ? 4 : 5;
        case VALUE_INT:
                return (size_t)snprintf(NULL, 0, "%" PRId64, value->integer);
        case VALUE_NUMBER:
                return value->count;
        case VALUE_STRING:
                return string_size(value->text, value->count);
        case VALUE_LIST:
                for (uint32_t i = 0; i < value->count; i++)
                        n += patch_json_size(&value->items[i]);
                return n;
        case VALUE_MAP:
                for (uint32_t i = 0; i < value->count; i++)
                        n += string_size(value->members[i].key, strlen(value->members[i].key)) + 1 +
                             patch_json_size(&value->members[i].value);
                return n;
        }
        return n;
}
