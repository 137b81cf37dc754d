#include "lib/value.h"

#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/value_keys.h"

bool value_is(const struct value *value, enum value_kind kind) {
        return value && value->kind == kind;
}

bool value_is_null(const struct value *value) {
        return !value || value->kind == VALUE_NULL;
}

static const struct value *get(const struct value *value, const char *key, size_t length) {
        if (!value_is(value, VALUE_MAP))
                return NULL;
        for (uint32_t i = 0; i < value->count; i++) {
                const char *found = value->members[i].key;

                if (strncmp(found, key, length) == 0 && found[length] == '\0')
                        return &value->members[i].value;
        }
        return NULL;
}

const struct value *value_get(const struct value *value, const char *key) {
        return get(value, key, strlen(key));
}

const struct value *value_at(const struct value *value, uint32_t index) {
        return value_is(value, VALUE_LIST) && index < value->count ? &value->items[index] : NULL;
}

const struct value *value_find(const struct value *value, const char *path) {
        while (value && *path) {
                if (*path == '.') {
                        path++;
                } else if (*path == '[') {
                        char *end;
                        unsigned long index = strtoul(path + 1, &end, 10);

                        if (*end != ']' || index > UINT32_MAX)
                                return NULL;
                        value = value_at(value, (uint32_t)index);
                        path = end + 1;
                } else {
                        size_t n = strcspn(path, ".[");

                        value = get(value, path, n);
                        path += n;
                }
        }
        return value;
}

const char *value_string(const struct value *value) {
        return value_string_or(value, NULL);
}

const char *value_string_or(const struct value *value, const char *fallback) {
        return value_is(value, VALUE_STRING) ? value->text : fallback;
}

bool value_bool_or(const struct value *value, bool fallback) {
        return value_is(value, VALUE_BOOL) ? value->boolean : fallback;
}

bool value_integer(const struct value *value, int64_t *ret_integer) {
        double number;

        if (value_is(value, VALUE_INT)) {
                *ret_integer = value->integer;
                return true;
        }
        /* Above 2^53 a double no longer names one whole number. */
        if (!value_is(value, VALUE_NUMBER) || !value_double(value, &number) ||
            !(number >= -0x1p53 && number <= 0x1p53) || number != (double)(int64_t)number)
                return false;
        *ret_integer = (int64_t)number;
        return true;
}

int64_t value_integer_or(const struct value *value, int64_t fallback) {
        int64_t integer;

        return value_integer(value, &integer) ? integer : fallback;
}

bool value_double(const struct value *value, double *ret_double) {
        if (value_is(value, VALUE_INT))
                *ret_double = (double)value->integer;
        else if (value_is(value, VALUE_NUMBER))
                *ret_double = strtod(value->text, NULL);
        else
                return false;
        return true;
}

uint32_t value_count(const struct value *value) {
        return value_is(value, VALUE_LIST) || value_is(value, VALUE_MAP) ? value->count : 0;
}

const struct value *value_item(const struct value *list, const char *key, const char *text) {
        for (uint32_t i = 0; value_is(list, VALUE_LIST) && i < list->count; i++)
                if (strcmp(value_string_or(value_get(&list->items[i], key), ""), text) == 0)
                        return &list->items[i];
        return NULL;
}

bool value_has_text(const struct value *list, const char *text) {
        for (uint32_t i = 0; value_is(list, VALUE_LIST) && i < list->count; i++)
                if (strcmp(value_string_or(&list->items[i], ""), text) == 0)
                        return true;
        return false;
}

const char *value_kind_name(const struct value *value) {
        static const char *const names[] = {
                [VALUE_NULL] = "null",       [VALUE_BOOL] = "a boolean",  [VALUE_INT] = "a number",
                [VALUE_NUMBER] = "a number", [VALUE_STRING] = "a string", [VALUE_LIST] = "a list",
                [VALUE_MAP] = "a map",
        };

        return value ? names[value->kind] : "nothing";
}

/* Most often two maps have their members in one order; where not, a large one is asked by its hashed keys. */
static bool members_equal(const struct value *a, const struct value *b) {
        _cleanup_value_keys_ struct value_keys keys = { 0 };

        for (uint32_t i = 0; i < a->count; i++) {
                uint32_t at = i;

                if (strcmp(a->members[i].key, b->members[i].key) != 0) {
                        if (!keys.map)
                                value_keys_init(&keys, b);
                        at = value_keys_find(&keys, a->members[i].key);
                }
                if (at == VALUE_NONE || !value_equal(&a->members[i].value, &b->members[at].value))
                        return false;
        }
        return true;
}

bool value_equal(const struct value *a, const struct value *b) {
        if (!a || !b || a->kind != b->kind)
                return a == b;
        switch ((enum value_kind)a->kind) {
        case VALUE_NULL:
                return true;
        case VALUE_BOOL:
                return a->boolean == b->boolean;
        case VALUE_INT:
                return a->integer == b->integer;
        case VALUE_NUMBER:
        case VALUE_STRING:
                return a->count == b->count && memcmp(a->text, b->text, a->count) == 0;
        case VALUE_LIST:
                if (a->count != b->count)
                        return false;
                for (uint32_t i = 0; i < a->count; i++)
                        if (!value_equal(&a->items[i], &b->items[i]))
                                return false;
                return true;
        case VALUE_MAP:
                return a->count == b->count && members_equal(a, b);
        }
        return false;
}

uint32_t value_depth(const struct value *value) {
        uint32_t n = value_count(value), deepest = 0;

        for (uint32_t i = 0; i < n; i++) {
                uint32_t d = value_depth(value->kind == VALUE_MAP ? &value->members[i].value : &value->items[i]);

                deepest = d > deepest ? d : deepest;
        }
        return deepest + (value_is(value, VALUE_LIST) || value_is(value, VALUE_MAP));
}

static bool copy_into(struct arena *arena, struct value *value);

static bool copy_items(struct arena *arena, struct value *value) {
        struct value *items = arena_alloc_array(arena, value->count, sizeof(*items));

        if (!items)
                return false;
        for (uint32_t i = 0; i < value->count; i++) {
                items[i] = value->items[i];
                if (!copy_into(arena, &items[i]))
                        return false;
        }
        value->items = items;
        return true;
}

static bool copy_members(struct arena *arena, struct value *value) {
        struct value_member *members = arena_alloc_array(arena, value->count, sizeof(*members));

        if (!members)
                return false;
        for (uint32_t i = 0; i < value->count; i++) {
                members[i] = value->members[i];
                members[i].key = arena_strdup(arena, members[i].key);
                if (!members[i].key || !copy_into(arena, &members[i].value))
                        return false;
        }
        value->members = members;
        return true;
}

/* Replaces what @value points to by copies in @arena. Recursion is bounded by VALUE_DEPTH_MAX. */
static bool copy_into(struct arena *arena, struct value *value) {
        switch ((enum value_kind)value->kind) {
        case VALUE_NUMBER:
        case VALUE_STRING:
                value->text = arena_strndup(arena, value->text, value->count);
                return value->text;
        case VALUE_LIST:
                return copy_items(arena, value);
        case VALUE_MAP:
                return copy_members(arena, value);
        default:
                return true;
        }
}

const struct value *value_copy(struct arena *arena, const struct value *value) {
        struct value *copy = arena_new_of(arena, struct value);

        if (!copy || !value)
                return NULL;
        *copy = *value;
        return copy_into(arena, copy) ? copy : NULL;
}
