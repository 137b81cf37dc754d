/* The text is copied once, and each string of it stands where it stood: its closing quote becomes its NUL, and what was
 * escaped is shorter than its escape. Finished values wait on a stack until their list or map ends and takes them over.
 */
#include "lib/json_readers.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/json_scan.h"
#include "lib/value.h"

#define STACK_FIRST 64
#define PAIRS_MAX 24 /* members whose keys are compared each with each */

struct tree {
        struct json_scan scan;
        struct arena *arena;
        const char *line_begin;
        uint32_t line;
        uint32_t nodes; /* that there may still be */
        unsigned depth; /* of lists and maps, likewise */
        int error;
        struct value_member *stack;
        uint32_t count, size;
        struct value_member first[STACK_FIRST];
};

static bool fail(struct tree *t, int error) {
        t->error = error;
        return false;
}

static bool refuse(struct tree *t) {
        return fail(t, -EINVAL);
}

/* The next character that is no blank; '\0' at the end. */
static char peek(struct tree *t) {
        for (; t->scan.at < t->scan.end; t->scan.at++) {
                char c = *t->scan.at;

                if (c == '\n') {
                        t->line++;
                        t->line_begin = t->scan.at + 1;
                } else if (c != ' ' && c != '\t' && c != '\r') {
                        return c;
                }
        }
        return '\0';
}

static bool is(struct tree *t, char c) {
        if (peek(t) != c)
                return false;
        t->scan.at++;
        return true;
}

static uint16_t column(const struct tree *t) {
        size_t n = (size_t)(t->scan.at - t->line_begin) + 1;

        return n > UINT16_MAX ? UINT16_MAX : (uint16_t)n;
}

static bool read_text(struct tree *t, const char **ret_text, uint32_t *ret_length) {
        struct json_text text;
        char *plain;

        if (!json_scan_string(&t->scan, &text))
                return refuse(t);
        plain = (char *)text.text; /* in our copy */
        if (text.escapes)
                text.length = (uint32_t)json_text_copy(&text, plain);
        plain[text.length] = '\0';
        *ret_text = plain;
        *ret_length = text.length;
        return true;
}

static bool read_number(struct tree *t, struct value *value) {
        struct json_scan from = t->scan;
        const char *text;
        size_t length;
        bool whole;

        if (json_scan_int(&t->scan, &value->integer)) {
                value->kind = VALUE_INT;
                return true;
        }
        t->scan = from;
        if (!json_scan_number(&t->scan, &text, &length, &whole))
                return refuse(t);
        value->kind = VALUE_NUMBER;
        value->count = (uint32_t)length;
        value->text = arena_strndup(t->arena, text, length);
        return value->text || fail(t, -ENOMEM);
}

/* Room for one more. */
static struct value_member *push(struct tree *t) {
        struct value_member *stack;

        if (t->count < t->size)
                return &t->stack[t->count++];
        stack = reallocarray(t->stack == t->first ? NULL : t->stack, 2 * (size_t)t->size, sizeof(*stack));
        if (!stack)
                return NULL;
        if (t->stack == t->first)
                memcpy(stack, t->first, sizeof(t->first));
        t->stack = stack;
        t->size *= 2;
        return &t->stack[t->count++];
}

static bool read_value(struct tree *t, struct value *value);

static bool read_item(struct tree *t) {
        struct value_member item;
        struct value_member *place;

        if (!read_value(t, &item.value))
                return false;
        place = push(t);
        if (!place)
                return fail(t, -ENOMEM);
        place->value = item.value;
        return true;
}

static bool read_member(struct tree *t) {
        struct value_member member = { .key_kind = VALUE_STRING }, *place;
        uint32_t length;

        if (peek(t) != '"')
                return refuse(t);
        member.line = t->line;
        member.column = column(t);
        if (!read_text(t, &member.key, &length))
                return false;
        if (!is(t, ':'))
                return refuse(t);
        if (!read_value(t, &member.value))
                return false;
        place = push(t);
        if (!place)
                return fail(t, -ENOMEM);
        *place = member;
        return true;
}

static int compare_keys(const void *a, const void *b) {
        const char *const *x = a, *const *y = b;

        return strcmp(*x, *y);
}

static bool has_second_of_many(struct tree *t, const struct value_member *members, uint32_t n) {
        const char **keys = reallocarray(NULL, n, sizeof(*keys));
        bool second = false;

        if (!keys)
                return !fail(t, -ENOMEM);
        for (uint32_t i = 0; i < n; i++)
                keys[i] = members[i].key;
        qsort(keys, n, sizeof(*keys), compare_keys);
        for (uint32_t i = 1; i < n && !second; i++)
                second = strcmp(keys[i - 1], keys[i]) == 0;
        free(keys);
        return second;
}

static bool has_second(struct tree *t, const struct value_member *members, uint32_t n) {
        if (n > PAIRS_MAX)
                return has_second_of_many(t, members, n);
        for (uint32_t i = 1; i < n; i++)
                for (uint32_t j = 0; j < i; j++)
                        if (*members[i].key == *members[j].key && strcmp(members[i].key, members[j].key) == 0)
                                return true;
        return false;
}

static bool take_members(struct tree *t, uint32_t from, struct value *value) {
        const struct value_member *members = t->stack + from;
        uint32_t n = t->count - from;
        struct value_member *taken;

        if (has_second(t, members, n))
                return t->error < 0 ? false : refuse(t);
        taken = arena_alloc_uncleared(t->arena, n * sizeof(*taken));
        if (!taken)
                return fail(t, -ENOMEM);
        memcpy(taken, members, n * sizeof(*taken));
        value->members = taken;
        value->count = n;
        t->count = from;
        return true;
}

static bool take_items(struct tree *t, uint32_t from, struct value *value) {
        uint32_t n = t->count - from;
        struct value *taken = arena_alloc_uncleared(t->arena, n * sizeof(*taken));

        if (!taken)
                return fail(t, -ENOMEM);
        for (uint32_t i = 0; i < n; i++)
                taken[i] = t->stack[from + i].value;
        value->items = taken;
        value->count = n;
        t->count = from;
        return true;
}

/* Behind the bracket that opens. */
static bool read_all(struct tree *t, char end, bool (*read_one)(struct tree *t)) {
        if (t->depth == 0)
                return refuse(t);
        t->depth--;
        if (!is(t, end)) {
                do
                        if (!read_one(t))
                                return false;
                while (is(t, ','));
                if (!is(t, end))
                        return refuse(t);
        }
        t->depth++;
        return true;
}

static bool read_value(struct tree *t, struct value *value) {
        uint32_t from = t->count;
        char c = peek(t);

        *value = (struct value){ .line = t->line, .column = column(t) };
        if (t->nodes-- == 0)
                return refuse(t);
        switch (c) {
        case '{':
                t->scan.at++;
                value->kind = VALUE_MAP;
                return read_all(t, '}', read_member) && take_members(t, from, value);
        case '[':
                t->scan.at++;
                value->kind = VALUE_LIST;
                return read_all(t, ']', read_item) && take_items(t, from, value);
        case '"':
                value->kind = VALUE_STRING;
                return read_text(t, &value->text, &value->count);
        case 't':
        case 'f':
                value->kind = VALUE_BOOL;
                return json_scan_bool(&t->scan, &value->boolean) || refuse(t);
        case 'n':
                value->kind = VALUE_NULL;
                return json_scan_null(&t->scan) || refuse(t);
        default:
                return read_number(t, value);
        }
}

int json_read_fast(struct arena *arena, const char *text, size_t length, const struct value_options *options,
                   const struct value **ret_value) {
        struct value *value = arena_alloc_uncleared(arena, sizeof(*value));
        char *copy = value ? arena_strndup(arena, text, length) : NULL;
        struct tree t;

        if (!copy)
                return -ENOMEM;
        t.scan = (struct json_scan){ copy, copy + length };
        t.arena = arena;
        t.line_begin = copy;
        t.line = 1;
        t.nodes = options && options->nodes_max ? options->nodes_max : VALUE_NODES_MAX;
        t.depth = VALUE_DEPTH_MAX;
        t.error = 0;
        t.stack = t.first;
        t.count = 0;
        t.size = STACK_FIRST;
        if (read_value(&t, value) && (peek(&t), t.scan.at != t.scan.end))
                refuse(&t);
        if (t.stack != t.first)
                free(t.stack);
        if (t.error == 0)
                *ret_value = value;
        return t.error;
}
