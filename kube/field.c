#include "kube/field.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kube/codec.h"
#include "kube/problem.h"
#include "kube/type.h"
#include "kube/types.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/value.h"
#include "lib/trail.h"

#define ENUM_NAMES_MAX 16

struct decoder {
        struct arena *arena;
        struct problems *problems;
        char path[FIELD_PATH_MAX];
        size_t length;
        bool no_memory;
};

/* A scalar where a string is due is most often a string that YAML reads as something else. */
static void expected(struct decoder *d, const struct value *value, const char *what) {
        const char *hint = "";

        if (strcmp(what, "a string") == 0 && value->kind == VALUE_BOOL)
                hint = "; put it in quotes (y, n, yes, no, on and off are booleans in YAML)";
        else if (strcmp(what, "a string") == 0 && (value->kind == VALUE_INT || value->kind == VALUE_NUMBER))
                hint = "; put it in quotes";
        problem_add(d->problems, false, value->line, d->path, "expected %s, found %s%s", what, value_kind_name(value),
                    hint);
}

static void *take(struct decoder *d, size_t count, size_t size) {
        void *p = arena_alloc_array(d->arena, count, size);

        if (!p)
                d->no_memory = true;
        return p;
}

static const char *copy_text(struct decoder *d, const char *text) {
        const char *copy = arena_strdup(d->arena, text);

        if (!copy)
                d->no_memory = true;
        return copy;
}

static bool read_string(struct decoder *d, const struct value *value, const char **ret) {
        if (value->kind != VALUE_STRING) {
                expected(d, value, "a string");
                return false;
        }
        *ret = value->count > 0 ? copy_text(d, value->text) : NULL;
        return true;
}

static bool read_integer(struct decoder *d, const struct value *value, bool narrow, int64_t *ret) {
        int64_t n = value->integer;

        if (value->kind != VALUE_INT) { /* YAML's reader makes one of 1e3; JSON's 1e3 is none for Go */
                expected(d, value, "a whole number");
                return false;
        }
        if (narrow && (n < INT32_MIN || n > INT32_MAX)) {
                problem_add(d->problems, false, value->line, d->path,
                            "Invalid value: %" PRId64 ": does not fit 32 bits", n);
                return false;
        }
        *ret = n;
        return true;
}

static void read_opt_int(struct decoder *d, const struct value *value, bool narrow, struct opt_int *ret) {
        ret->set = read_integer(d, value, narrow, &ret->value);
}

static void read_int32(struct decoder *d, const struct value *value, int32_t *ret) {
        int64_t n;

        if (read_integer(d, value, true, &n))
                *ret = (int32_t)n;
}

static bool read_bool(struct decoder *d, const struct value *value, bool *ret) {
        if (value->kind != VALUE_BOOL) {
                expected(d, value, "a boolean (true or false)");
                return false;
        }
        *ret = value->boolean;
        return true;
}

/* Blanks around a quantity are none of it. */
static const char *trimmed(struct decoder *d, const char *text) {
        size_t n;

        text += strspn(text, " \t\n\r");
        n = strlen(text);
        while (n > 0 && strchr(" \t\n\r", text[n - 1]))
                n--;
        text = arena_strndup(d->arena, text, n);
        d->no_memory |= !text;
        return text;
}

static void read_quantity(struct decoder *d, const struct value *value, struct quantity *ret) {
        struct err *err = NULL;
        char digits[24];
        const char *text;

        if (value->kind == VALUE_INT) {
                snprintf(digits, sizeof(digits), "%" PRId64, value->integer);
                text = digits;
        } else if (value->kind != VALUE_STRING && value->kind != VALUE_NUMBER) {
                expected(d, value, "a quantity");
                return;
        } else if (!(text = trimmed(d, value->text))) {
                return;
        }
        if (quantity_parse(text, ret, &err) < 0)
                problem_add(d->problems, false, value->line, d->path, "Invalid value: %s", err_text(err));
        err_free(err);
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in the order of the alphabet, as the API server lists them. */
static void refuse_name(struct decoder *d, const struct value *value, const char *const *names) {
        const char *sorted[ENUM_NAMES_MAX];
        char all[256] = "";
        size_t n = 0, at = 0;

        while (names[n] && n < ENUM_NAMES_MAX) {
                sorted[n] = names[n];
                n++;
        }
        qsort(sorted, n, sizeof(*sorted), compare_names);
        for (size_t i = 0; i < n && at < sizeof(all); i++)
                at += (size_t)snprintf(all + at, sizeof(all) - at, "%s\"%s\"", i > 0 ? ", " : "", sorted[i]);
        problem_add(d->problems, false, value->line, d->path, "Unsupported value: \"%.64s\": supported values: %s",
                    value->text, all);
}

static void read_enum(struct decoder *d, const struct value *value, const char *const *names, int *ret) {
        if (value->kind != VALUE_STRING) {
                expected(d, value, "a string");
                return;
        }
        for (int i = 0; names[i]; i++)
                if (strcmp(names[i], value->text) == 0) {
                        *ret = i + 1;
                        return;
                }
        if (value->count > 0)
                refuse_name(d, value, names);
}

static void read_int_or_string(struct decoder *d, const struct value *value, struct int_or_string *ret) {
        if (value->kind == VALUE_STRING)
                ret->text = copy_text(d, value->text);
        else if (value->kind == VALUE_INT || value->kind == VALUE_NUMBER)
                read_int32(d, value, &ret->number);
        else
                expected(d, value, "a number or a name");
}

static bool is_list(struct decoder *d, const struct value *value) {
        if (value->kind != VALUE_LIST)
                expected(d, value, "a list");
        return value->kind == VALUE_LIST;
}

static void read_strings(struct decoder *d, const struct value *value, struct list *ret) {
        const char **items;

        if (!is_list(d, value) || !(items = take(d, value->count, sizeof(*items))))
                return;
        for (uint32_t i = 0; i < value->count; i++) {
                size_t before = TRAIL_ENTER(d, "[%u]", i);

                items[i] = "";
                if (value->items[i].kind != VALUE_NULL && value->items[i].count > 0)
                        read_string(d, &value->items[i], &items[i]);
                else if (value->items[i].kind != VALUE_NULL && value->items[i].kind != VALUE_STRING)
                        expected(d, &value->items[i], "a string");
                TRAIL_LEAVE(d, before);
        }
        *ret = (struct list){ items, value->count };
}

static void read_ints(struct decoder *d, const struct value *value, struct list *ret) {
        int64_t *items;

        if (!is_list(d, value) || !(items = take(d, value->count, sizeof(*items))))
                return;
        for (uint32_t i = 0; i < value->count; i++) {
                size_t before = TRAIL_ENTER(d, "[%u]", i);

                if (value->items[i].kind != VALUE_NULL)
                        read_integer(d, &value->items[i], false, &items[i]);
                TRAIL_LEAVE(d, before);
        }
        *ret = (struct list){ items, value->count };
}

/* Maps begin with their key, a string: both kinds of map sort by it. */
static int compare_keys(const void *a, const void *b) {
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_map(struct decoder *d, const struct value *value) {
        if (value->kind != VALUE_MAP)
                expected(d, value, "a map");
        return value->kind == VALUE_MAP;
}

static void read_string_map(struct decoder *d, const struct value *value, struct list *ret) {
        struct string_pair *items;

        if (!is_map(d, value) || !(items = take(d, value->count, sizeof(*items))))
                return;
        for (uint32_t i = 0; i < value->count; i++) {
                const struct value_member *m = &value->members[i];
                size_t before = TRAIL_ENTER(d, "[%s]", m->key);

                items[i] = (struct string_pair){ copy_text(d, m->key), "" };
                if (m->value.kind != VALUE_STRING && m->value.kind != VALUE_NULL)
                        expected(d, &m->value, "a string");
                else if (m->value.kind == VALUE_STRING && m->value.count > 0)
                        items[i].value = copy_text(d, m->value.text);
                TRAIL_LEAVE(d, before);
        }
        if (!d->no_memory && value->count > 0)
                qsort(items, value->count, sizeof(*items), compare_keys);
        *ret = (struct list){ items, value->count };
}

static void read_resources(struct decoder *d, const struct value *value, struct list *ret) {
        struct resource_amount *items;

        if (!is_map(d, value) || !(items = take(d, value->count, sizeof(*items))))
                return;
        for (uint32_t i = 0; i < value->count; i++) {
                const struct value_member *m = &value->members[i];
                size_t before = TRAIL_ENTER(d, "[%s]", m->key);

                items[i].name = copy_text(d, m->key);
                if (m->value.kind != VALUE_NULL) /* null is none */
                        read_quantity(d, &m->value, &items[i].amount);
                TRAIL_LEAVE(d, before);
        }
        if (!d->no_memory && value->count > 0)
                qsort(items, value->count, sizeof(*items), compare_keys);
        *ret = (struct list){ items, value->count };
}

static void read_object(struct decoder *d, const struct value *value, const struct object_type *type, void *object);

static void read_list(struct decoder *d, const struct value *value, const struct object_type *type, struct list *ret) {
        char *items;

        if (!is_list(d, value) || !(items = take(d, value->count, type->size)))
                return;
        for (uint32_t i = 0; i < value->count; i++) {
                size_t before = TRAIL_ENTER(d, "[%u]", i);

                if (value->items[i].kind != VALUE_NULL)
                        read_object(d, &value->items[i], type, items + i * type->size);
                TRAIL_LEAVE(d, before);
        }
        *ret = (struct list){ items, value->count };
}

static void read_kube(struct decoder *d, const struct value *value, const struct kube_type *type, void *at) {
        void *object = take(d, 1, type->size);

        if (!object)
                return;
        d->no_memory |= kube_value_read(d->arena, type, value, d->path, d->problems, object) < 0;
        memcpy(at, &object, sizeof(object));
}

static void read_kube_list(struct decoder *d, const struct value *value, const struct kube_type *type, void *at) {
        struct list list = { .count = value->count };

        if (!is_list(d, value) || !(list.items = take(d, value->count, type->size)))
                return;
        for (uint32_t i = 0; i < value->count; i++) {
                size_t before = TRAIL_ENTER(d, "[%u]", i);

                if (value->items[i].kind != VALUE_NULL)
                        d->no_memory |= kube_value_read(d->arena, type, &value->items[i], d->path, d->problems,
                                                        (char *)list.items + i * type->size) < 0;
                TRAIL_LEAVE(d, before);
        }
        memcpy(at, &list, sizeof(list));
}

static void read_scalar(struct decoder *d, const struct value *value, const struct field *field, void *at) {
        bool boolean;

        switch ((enum field_kind)field->kind) {
        case FIELD_STRING:
                read_string(d, value, at);
                break;
        case FIELD_BOOL:
                read_bool(d, value, at);
                break;
        case FIELD_TRI:
                if (read_bool(d, value, &boolean))
                        *(enum tri *)at = boolean ? TRI_TRUE : TRI_FALSE;
                break;
        case FIELD_INT32:
                read_int32(d, value, at);
                break;
        case FIELD_INT64:
                read_integer(d, value, false, at);
                break;
        case FIELD_OPT_INT32:
        case FIELD_OPT_INT64:
                read_opt_int(d, value, field->kind == FIELD_OPT_INT32, at);
                break;
        case FIELD_QUANTITY:
                read_quantity(d, value, at);
                break;
        case FIELD_ENUM:
                read_enum(d, value, field->names, at);
                break;
        case FIELD_INT_OR_STRING:
                read_int_or_string(d, value, at);
                break;
        default:
                break;
        }
}

static void read_field(struct decoder *d, const struct value *value, const struct field *field, void *at) {
        void *child;

        switch ((enum field_kind)field->kind) {
        case FIELD_STRINGS:
                read_strings(d, value, at);
                break;
        case FIELD_INTS:
                read_ints(d, value, at);
                break;
        case FIELD_STRING_MAP:
                read_string_map(d, value, at);
                break;
        case FIELD_RESOURCES:
                read_resources(d, value, at);
                break;
        case FIELD_OBJECT:
                child = take(d, 1, field->type->size);
                if (child)
                        read_object(d, value, field->type, child);
                *(void **)at = child;
                break;
        case FIELD_EMBED:
                read_object(d, value, field->type, at);
                break;
        case FIELD_LIST:
                read_list(d, value, field->type, at);
                break;
        case FIELD_KUBE:
                read_kube(d, value, field->kube, at);
                break;
        case FIELD_KUBE_LIST:
                read_kube_list(d, value, field->kube, at);
                break;
        case FIELD_IGNORED_MAP:
                is_map(d, value);
                break;
        case FIELD_IGNORED:
                break;
        default:
                read_scalar(d, value, field, at);
        }
}

static void warn_unknown(struct decoder *d, const struct object_type *type, const struct value_member *member) {
        const char *close = NULL;

        for (size_t i = 0; i < type->n_fields; i++)
                if (strcasecmp(type->fields[i].name, member->key) == 0)
                        close = type->fields[i].name;
        if (close)
                problem_add(d->problems, true, member->line, d->path, "unknown field; it is written %s", close);
        else
                problem_add(d->problems, true, member->line, d->path, "unknown field");
}

static const struct field *find_field(const struct object_type *type, const char *name) {
        for (size_t i = 0; i < type->n_fields; i++)
                if (strcmp(type->fields[i].name, name) == 0)
                        return &type->fields[i];
        return NULL;
}

/* Recursion is bounded by the tables, which do not refer back to themselves. */
static void read_object(struct decoder *d, const struct value *value, const struct object_type *type, void *object) {
        if (!is_map(d, value))
                return;
        for (uint32_t i = 0; i < value->count && !d->no_memory; i++) {
                const struct value_member *member = &value->members[i];
                const struct field *field = find_field(type, member->key);
                size_t before = TRAIL_ENTER(d, "%s%.100s", d->length > 0 ? "." : "", member->key);

                if (!field)
                        warn_unknown(d, type, member);
                else if (member->value.kind != VALUE_NULL)
                        read_field(d, &member->value, field, (char *)object + field->offset);
                if (field && (field->flags & FIELD_UNSUPPORTED) && member->value.kind != VALUE_NULL)
                        problem_add(d->problems, true, member->line, d->path, "not supported, has no effect");
                TRAIL_LEAVE(d, before);
        }
}

bool object_decode(struct arena *arena, const struct value *value, const struct object_type *type, const char *path,
                   struct problems *problems, void *object) {
        struct decoder d = { .arena = arena, .problems = problems };

        TRAIL_ENTER(&d, "%s", path);
        read_object(&d, value, type, object);
        return !d.no_memory;
}
