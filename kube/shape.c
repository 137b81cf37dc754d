#include "kube/shape.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/value.h"

struct reading {
        struct arena *arena;
        struct problems *problems;
        char path[FIELD_PATH_MAX];
        bool no_memory;
};

/* Extends the path; what it was before comes back by cutting it at the length returned. */
__attribute__((format(printf, 2, 3))) static size_t enter(struct reading *r, const char *format, ...) {
        size_t before = strlen(r->path);
        va_list ap;

        va_start(ap, format);
        vsnprintf(r->path + before, sizeof(r->path) - before, format, ap);
        va_end(ap);
        return before;
}

static void leave(struct reading *r, size_t before) {
        r->path[before] = '\0';
}

static bool fits(struct reading *r, const struct value *value, enum value_kind kind, const char *what) {
        if (value->kind == kind)
                return true;
        problem_add(r->problems, false, value->line, r->path, "expected %s, found %s", what, value_kind_name(value));
        return false;
}

static const struct value empty_text = { .kind = VALUE_STRING, .text = "" };

static void *take(struct reading *r, size_t count, size_t size) {
        void *p = arena_alloc_array(r->arena, count + 1, size);

        r->no_memory |= !p;
        return p;
}

static struct value keep(struct reading *r, const struct value *value) {
        const struct value *copy = value_copy(r->arena, value);

        r->no_memory |= !copy;
        return copy ? *copy : empty_text;
}

static struct value read_text(struct reading *r, const struct value *value) {
        if (value->kind == VALUE_NULL || !fits(r, value, VALUE_STRING, "a string"))
                return empty_text;
        return keep(r, value);
}

static struct value read_name(struct reading *r, const struct value *value, const char *const *names) {
        struct value text = read_text(r, value);
        char all[256] = "";
        size_t n = 0;

        for (size_t i = 0; names && names[i]; i++) {
                if (strcmp(names[i], text.text) == 0)
                        return text;
                n += (size_t)snprintf(all + n, sizeof(all) - n, "%s\"%s\"", n ? ", " : "", names[i]);
        }
        if (names && value->kind == VALUE_STRING)
                problem_add(r->problems, false, value->line, r->path,
                            "Unsupported value: \"%.64s\": supported values: %s", text.text, all);
        return text;
}

static struct value read_integer(struct reading *r, const struct value *value, bool narrow) {
        if (!fits(r, value, VALUE_INT, "a whole number"))
                return (struct value){ .kind = VALUE_INT };
        if (narrow && (value->integer < INT32_MIN || value->integer > INT32_MAX))
                problem_add(r->problems, false, value->line, r->path, "Invalid value: does not fit 32 bits");
        return *value;
}

static struct value read_time(struct reading *r, const struct value *value) {
        struct tm tm;
        const char *end;

        if (!fits(r, value, VALUE_STRING, "a time"))
                return empty_text;
        end = strptime(value->text, "%Y-%m-%dT%H:%M:%S", &tm);
        if (!end || !*end)
                problem_add(r->problems, false, value->line, r->path,
                            "Invalid value: \"%.64s\": must be a time as 2006-01-02T15:04:05Z", value->text);
        return keep(r, value);
}

static struct value read_strings(struct reading *r, const struct value *value) {
        struct value list = { .kind = VALUE_LIST, .line = value->line }, *items;

        if (!fits(r, value, VALUE_LIST, "a list") || !(items = take(r, value->count, sizeof(*items))))
                return list;
        for (uint32_t i = 0; i < value->count; i++) {
                size_t before = enter(r, "[%u]", i);

                items[i] = read_text(r, &value->items[i]);
                leave(r, before);
        }
        list.items = items;
        list.count = value->count;
        return list;
}

static struct value read_string_map(struct reading *r, const struct value *value) {
        struct value map = { .kind = VALUE_MAP, .line = value->line };
        struct value_member *members;

        if (!fits(r, value, VALUE_MAP, "a map") || !(members = take(r, value->count, sizeof(*members))))
                return map;
        for (uint32_t i = 0; i < value->count; i++) {
                size_t before = enter(r, "[%.100s]", value->members[i].key);

                members[i] = (struct value_member){ .key = arena_strdup(r->arena, value->members[i].key),
                                                    .value = read_text(r, &value->members[i].value) };
                r->no_memory |= !members[i].key;
                leave(r, before);
        }
        map.members = members;
        map.count = value->count;
        return map;
}

static struct value read_object(struct reading *r, const struct value *value, const struct shape *shape);

static struct value read_list(struct reading *r, const struct value *value, const struct shape *shape) {
        struct value list = { .kind = VALUE_LIST, .line = value->line }, *items;

        if (!fits(r, value, VALUE_LIST, "a list") || !(items = take(r, value->count, sizeof(*items))))
                return list;
        for (uint32_t i = 0; i < value->count; i++) {
                size_t before = enter(r, "[%u]", i);

                items[i] = read_object(r, &value->items[i], shape);
                leave(r, before);
        }
        list.items = items;
        list.count = value->count;
        return list;
}

static struct value read_field(struct reading *r, const struct value *value, const struct shape_field *field) {
        switch ((enum shape_kind)field->kind) {
        case SHAPE_STRING:
                return read_name(r, value, field->names);
        case SHAPE_BOOL:
                return fits(r, value, VALUE_BOOL, "a boolean (true or false)") ? *value :
                                                                                 (struct value){ .kind = VALUE_BOOL };
        case SHAPE_INT32:
        case SHAPE_INT64:
                return read_integer(r, value, field->kind == SHAPE_INT32);
        case SHAPE_TIME:
                return read_time(r, value);
        case SHAPE_STRINGS:
                return read_strings(r, value);
        case SHAPE_STRING_MAP:
                return read_string_map(r, value);
        case SHAPE_OBJECT:
                return read_object(r, value, field->below);
        case SHAPE_LIST:
                return read_list(r, value, field->below);
        case SHAPE_ANY:
                break;
        }
        return keep(r, value);
}

/* What Go leaves out of JSON. */
static bool is_empty(const struct value *value) {
        switch ((enum value_kind)value->kind) {
        case VALUE_BOOL:
                return !value->boolean;
        case VALUE_INT:
                return value->integer == 0;
        case VALUE_STRING:
        case VALUE_LIST:
        case VALUE_MAP:
                return value->count == 0;
        default:
                return value->kind == VALUE_NULL;
        }
}

static struct value nothing(struct reading *r, const struct shape_field *field) {
        static const struct value none = { .kind = VALUE_MAP };

        switch ((enum shape_kind)field->kind) {
        case SHAPE_STRING:
                return empty_text;
        case SHAPE_BOOL:
                return (struct value){ .kind = VALUE_BOOL };
        case SHAPE_INT32:
        case SHAPE_INT64:
                return (struct value){ .kind = VALUE_INT };
        case SHAPE_OBJECT:
                return read_object(r, &none, field->below);
        default:
                return (struct value){ .kind = VALUE_NULL };
        }
}

static bool is_shown(const struct shape_field *field, const struct value *given, const struct value *read) {
        if (field->flags & SHAPE_ALWAYS)
                return true;
        return given && given->kind != VALUE_NULL &&
               (!is_empty(read) || (field->flags & SHAPE_KEPT) || field->kind == SHAPE_OBJECT);
}

static void warn_unknown(struct reading *r, const struct value *value, const struct shape *shape) {
        for (uint32_t i = 0; i < value->count; i++) {
                bool known = false;

                for (size_t k = 0; k < shape->n_fields && !known; k++)
                        known = strcmp(shape->fields[k].name, value->members[i].key) == 0;
                if (!known) {
                        size_t before = enter(r, ".%.100s", value->members[i].key);

                        problem_add(r->problems, true, value->members[i].line, r->path, "unknown field");
                        leave(r, before);
                }
        }
}

/* Recursion is bounded by the tables, which do not refer back to themselves. */
static struct value read_object(struct reading *r, const struct value *value, const struct shape *shape) {
        struct value map = { .kind = VALUE_MAP, .line = value->line };
        struct value_member *members;

        if (value->kind != VALUE_NULL && !fits(r, value, VALUE_MAP, "a map"))
                return map;
        if (!(members = take(r, shape->n_fields, sizeof(*members))))
                return map;
        for (size_t i = 0; i < shape->n_fields; i++) {
                const struct shape_field *field = &shape->fields[i];
                const struct value *given = value_get(value, field->name);
                size_t before = enter(r, ".%s", field->name);
                struct value read = value_is_null(given) ? nothing(r, field) : read_field(r, given, field);

                leave(r, before);
                if (is_shown(field, given, &read))
                        members[map.count++] =
                                (struct value_member){ .key = field->name, .line = read.line, .value = read };
        }
        if (value->kind == VALUE_MAP)
                warn_unknown(r, value, shape);
        map.members = members;
        return map;
}

static const struct value *finish(const struct reading *r, struct value value) {
        struct value *result = r->no_memory ? NULL : arena_new_of(r->arena, struct value);

        if (result)
                *result = value;
        return result;
}

const struct value *shape_read(struct arena *arena, const struct value *value, const struct shape *shape,
                               const char *path, struct problems *problems) {
        struct reading r = { .arena = arena, .problems = problems };

        enter(&r, "%s", path);
        return finish(&r, read_object(&r, value, shape));
}

const struct value *shape_default(struct arena *arena, const struct value *value, const struct shape *shape) {
        struct reading r = { .arena = arena };
        struct value map = { .kind = VALUE_MAP, .line = value->line };
        struct value_member *members = take(&r, shape->n_fields, sizeof(*members));

        for (size_t i = 0; i < shape->n_fields && members; i++) {
                const struct shape_field *field = &shape->fields[i];
                const struct value *given = value_get(value, field->name);
                struct value text = { .kind = VALUE_STRING, .text = field->fallback };

                if (!given && !field->fallback)
                        continue;
                if (field->fallback)
                        text.count = (uint32_t)strlen(field->fallback);
                members[map.count++] = (struct value_member){
                        .key = field->name,
                        .value = given                     ? *given :
                                 field->kind == SHAPE_BOOL ? (struct value){ .kind = VALUE_BOOL } :
                                                             text,
                };
        }
        map.members = members;
        return finish(&r, map);
}
