/* Trees of values into structs, with a sentence for all that does not fit. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kube/codec/codec.h"
#include "kube/codec/entries.h"
#include "kube/problem.h"
#include "kube/scalar.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "lib/trail.h"

/* Where the reader is, as the way there: it becomes a text only when there is something to say. */
struct step {
        const struct step *up;
        const char *name; /* of a member; NULL: an item */
        uint32_t index;
        bool key; /* @name is a map's key, not a field */
};

struct reader {
        struct arena *arena;
        struct problems *problems;
        const char *base; /* the path of what is read */
        const struct step *step;
        char path[FIELD_PATH_MAX];
        size_t length;
        bool no_memory;
};

static void enter_step(struct reader *r, const struct step *step) {
        if (step->up)
                enter_step(r, step->up);
        if (!step->name)
                TRAIL_ENTER(r, "[%u]", step->index);
        else if (step->key)
                TRAIL_ENTER(r, "[%s]", step->name);
        else
                TRAIL_ENTER(r, "%s%.100s", r->length > 0 ? "." : "", step->name);
}

static const char *path_of(struct reader *r) {
        r->length = 0;
        TRAIL_ENTER(r, "%s", r->base);
        if (r->step)
                enter_step(r, r->step);
        return r->path;
}

/* A scalar where a string is due is most often a string that YAML reads as something else. */
static bool expected(struct reader *r, const struct value *value, const char *what) {
        const char *hint = "";

        if (strcmp(what, "a string") == 0 && value->kind == VALUE_BOOL)
                hint = "; put it in quotes (y, n, yes, no, on and off are booleans in YAML)";
        else if (strcmp(what, "a string") == 0 && (value->kind == VALUE_INT || value->kind == VALUE_NUMBER))
                hint = "; put it in quotes";
        problem_add(r->problems, false, value->line, path_of(r), "expected %s, found %s%s", what,
                    value_kind_name(value), hint);
        return false;
}

static bool is(struct reader *r, const struct value *value, enum value_kind kind, const char *what) {
        return value->kind == kind || expected(r, value, what);
}

static void *take(struct reader *r, size_t count, size_t size) {
        void *p = arena_alloc_array(r->arena, count, size);

        r->no_memory |= !p;
        return p;
}

static const char *copy_text(struct reader *r, const char *text) {
        const char *copy = arena_strdup(r->arena, text);

        r->no_memory |= !copy;
        return copy;
}

static void read_string(struct reader *r, const struct value *value, bool optional, const char **ret) {
        if (is(r, value, VALUE_STRING, "a string") && (optional || value->count > 0))
                *ret = copy_text(r, value->text);
}

static bool read_integer(struct reader *r, const struct value *value, bool narrow, int64_t *ret) {
        int64_t n = value->integer;

        if (!is(r, value, VALUE_INT, "a whole number")) /* YAML's reader makes one of 1e3; JSON's 1e3 is none for Go */
                return false;
        if (narrow && (n < INT32_MIN || n > INT32_MAX)) {
                problem_add(r->problems, false, value->line, path_of(r),
                            "Invalid value: %" PRId64 ": does not fit 32 bits", n);
                return false;
        }
        *ret = n;
        return true;
}

static bool read_double(struct reader *r, const struct value *value, double *ret) {
        if (!value_double(value, ret))
                return expected(r, value, "a number");
        if (isfinite(*ret))
                return true;
        problem_add(r->problems, false, value->line, path_of(r), "Invalid value: does not fit 64 bits");
        return false;
}

static bool read_bool(struct reader *r, const struct value *value, bool *ret) {
        if (!is(r, value, VALUE_BOOL, "a boolean (true or false)"))
                return false;
        *ret = value->boolean;
        return true;
}

/* Blanks around a quantity are none of it. */
static const char *trimmed(struct reader *r, const char *text) {
        size_t n;

        text += strspn(text, " \t\n\r");
        n = strlen(text);
        while (n > 0 && strchr(" \t\n\r", text[n - 1]))
                n--;
        text = arena_strndup(r->arena, text, n);
        r->no_memory |= !text;
        return text;
}

static bool read_quantity(struct reader *r, const struct value *value, struct quantity *ret) {
        struct err *err = NULL;
        char digits[24];
        const char *text;
        int error;

        if (value->kind == VALUE_INT) {
                snprintf(digits, sizeof(digits), "%" PRId64, value->integer);
                text = digits;
        } else if (value->kind != VALUE_STRING && value->kind != VALUE_NUMBER) {
                return expected(r, value, "a quantity");
        } else if (!(text = trimmed(r, value->text))) {
                return false;
        }
        error = quantity_parse(text, ret, &err);
        if (error < 0)
                problem_add(r->problems, false, value->line, path_of(r), "Invalid value: %s", err_text(err));
        if (error == -EINVAL)
                problem_in_go(r->problems, quantity_in_go(text));
        err_free(err);
        return error == 0;
}

static void read_time(struct reader *r, const struct value *value, bool micro, struct kube_time *ret) {
        if (is(r, value, VALUE_STRING, "a time") && !kube_time_parse(value->text, value->count, micro, ret))
                problem_add(r->problems, false, value->line, path_of(r),
                            "Invalid value: \"%.64s\": must be a time as 2006-01-02T15:04:05%sZ", value->text,
                            micro ? ".000000" : "");
}

static void read_int_or_string(struct reader *r, const struct value *value, struct int_or_string *ret) {
        int64_t n;

        if (value->kind == VALUE_STRING)
                *ret = (struct int_or_string){ .text = copy_text(r, value->text), .set = true };
        else if (value->kind != VALUE_INT && value->kind != VALUE_NUMBER)
                expected(r, value, "a number or a name");
        else if (read_integer(r, value, true, &n))
                *ret = (struct int_or_string){ .number = (int32_t)n, .set = true };
}

static void read_bytes(struct reader *r, const struct value *value, struct kube_bytes *ret) {
        uint8_t *data;

        if (!is(r, value, VALUE_STRING, "a string") || !(data = take(r, value->count / 4 * 3 + 3, 1)))
                return;
        if (kube_base64_parse(value->text, value->count, data, &ret->length))
                ret->data = data;
        else {
                problem_add(r->problems, false, value->line, path_of(r), "Invalid value: must be base64");
                problem_in_go(r->problems, arena_printf(r->problems->arena, KUBE_BAD_BASE64 " at input byte %zu",
                                                        kube_base64_stop(value->text, value->count)));
        }
}

static void read_raw(struct reader *r, const struct value *value, struct kube_raw *ret) {
        char *text, *copy;
        size_t length;

        if (json_format(value, false, &text, &length) < 0) {
                r->no_memory = true;
                return;
        }
        copy = arena_strndup(r->arena, text, length);
        free(text);
        if (copy)
                *ret = (struct kube_raw){ copy, (uint32_t)length };
        else
                r->no_memory = true;
}

static void read_object(struct reader *r, const struct value *value, const struct kube_type *type, void *object);

static void read_one(struct reader *r, const struct value *value, const struct kube_field *field, void *at) {
        int64_t n;

        switch ((enum kube_element)field->element) {
        case KUBE_STRING:
                read_string(r, value, false, at);
                break;
        case KUBE_BOOL:
                read_bool(r, value, at);
                break;
        case KUBE_INT32:
                if (read_integer(r, value, true, &n))
                        *(int32_t *)at = (int32_t)n;
                break;
        case KUBE_INT64:
                read_integer(r, value, false, at);
                break;
        case KUBE_DOUBLE:
                read_double(r, value, at);
                break;
        case KUBE_QUANTITY:
                read_quantity(r, value, at);
                break;
        case KUBE_TIME:
        case KUBE_MICRO_TIME:
                read_time(r, value, field->element == KUBE_MICRO_TIME, at);
                break;
        case KUBE_INT_OR_STRING:
                read_int_or_string(r, value, at);
                break;
        case KUBE_BYTES:
                read_bytes(r, value, at);
                break;
        case KUBE_JSON:
        case KUBE_RAW:
        case KUBE_FIELDS:
                read_raw(r, value, at);
                break;
        case KUBE_OBJECT:
                read_object(r, value, field->type, at);
                break;
        }
}

static void read_below(struct reader *r, const struct value *value, const struct kube_type *type, void *at) {
        void *object = take(r, 1, type->size);

        if (!object)
                return;
        read_object(r, value, type, object);
        memcpy(at, &object, sizeof(object));
}

static void read_optional(struct reader *r, const struct value *value, const struct kube_field *field, void *at) {
        struct opt_quantity *quantity = at;
        struct opt_double *number = at;
        struct opt_int *integer = at;
        bool boolean;

        switch ((enum kube_element)field->element) {
        case KUBE_STRING:
                read_string(r, value, true, at);
                break;
        case KUBE_BOOL:
                if (read_bool(r, value, &boolean))
                        *(enum tri *)at = boolean ? TRI_TRUE : TRI_FALSE;
                break;
        case KUBE_INT32:
        case KUBE_INT64:
                integer->set = read_integer(r, value, field->element == KUBE_INT32, &integer->value);
                break;
        case KUBE_DOUBLE:
                number->set = read_double(r, value, &number->value);
                break;
        case KUBE_QUANTITY:
                quantity->set = read_quantity(r, value, &quantity->amount);
                break;
        case KUBE_OBJECT:
                read_below(r, value, field->type, at);
                break;
        default:
                read_one(r, value, field, at);
        }
}

/* Items and values that are null are empty ones; a string among them is never NULL. */
static void read_item(struct reader *r, const struct value *value, const struct kube_field *field, void *at) {
        if (field->element == KUBE_STRING)
                *(const char **)at = "";
        if (value->kind == VALUE_NULL ||
            (field->element == KUBE_STRING && value->kind == VALUE_STRING && value->count == 0))
                return;
        read_one(r, value, field, at);
}

static void read_list(struct reader *r, const struct value *value, const struct kube_field *field, void *at) {
        size_t size = kube_element_size(field);
        struct list list = { .count = value->count };
        struct step step = { .up = r->step };

        if (!is(r, value, VALUE_LIST, "a list") || !(list.items = take(r, value->count, size)))
                return;
        r->step = &step;
        for (; step.index < value->count; step.index++)
                read_item(r, &value->items[step.index], field, (char *)list.items + step.index * size);
        r->step = step.up;
        memcpy(at, &list, sizeof(list));
}

static void read_map(struct reader *r, const struct value *value, const struct kube_field *field, void *at) {
        size_t size = kube_entry_size(field);
        struct list map = { .count = value->count };
        struct step step = { .up = r->step, .key = true };
        bool twice;

        if (!is(r, value, VALUE_MAP, "a map") || !(map.items = take(r, value->count, size)))
                return;
        r->step = &step;
        for (uint32_t i = 0; i < value->count; i++) {
                const struct value_member *member = &value->members[i];
                char *entry = (char *)map.items + i * size;

                step.name = member->key;
                *(const char **)entry = copy_text(r, member->key);
                if (field->form == KUBE_MAP)
                        read_item(r, &member->value, field, entry + KUBE_ENTRY_VALUE);
                else if (member->value.kind != VALUE_NULL)
                        read_list(r, &member->value, field, entry + KUBE_ENTRY_VALUE);
        }
        r->step = step.up;
        if (r->no_memory || !kube_settle_entries(r->arena, size, &map, &twice))
                r->no_memory = true;
        else
                memcpy(at, &map, sizeof(map));
}

static void read_field(struct reader *r, const struct value *value, const struct kube_field *field, void *at) {
        switch ((enum kube_form)field->form) {
        case KUBE_ONE:
                read_one(r, value, field, at);
                break;
        case KUBE_OPTIONAL:
                read_optional(r, value, field, at);
                break;
        case KUBE_LIST:
                read_list(r, value, field, at);
                break;
        case KUBE_MAP:
        case KUBE_MAP_OF_LISTS:
                read_map(r, value, field, at);
                break;
        }
}

static void warn_unknown(struct reader *r, const struct kube_type *type, const struct value_member *member) {
        const char *close = NULL;

        for (size_t i = 0; i < type->n_fields; i++)
                if (strcasecmp(type->fields[i].name, member->key) == 0)
                        close = type->fields[i].name;
        if (close)
                problem_add(r->problems, true, member->line, path_of(r), "unknown field; it is written %s", close);
        else
                problem_add(r->problems, true, member->line, path_of(r), "unknown field");
}

static void read_either(struct reader *r, const struct value *value, const struct kube_type *type, void *object) {
        const char first = value->kind == VALUE_MAP  ? '{' :
                           value->kind == VALUE_LIST ? '[' :
                           value->kind == VALUE_BOOL ? 't' :
                                                       '0';
        const struct kube_field *field = kube_either_field(type, first);

        if (!field) {
                expected(r, value, "a schema or what stands for one");
                return;
        }
        kube_either_init(type, field, object);
        read_field(r, value, field, (char *)object + field->offset);
}

/* Recursion is bounded by the depth of the tree. */
static void read_object(struct reader *r, const struct value *value, const struct kube_type *type, void *object) {
        struct step step = { .up = r->step };

        if (type->flags & KUBE_EITHER) {
                read_either(r, value, type, object);
                return;
        }
        if (!is(r, value, VALUE_MAP, "a map"))
                return;
        r->step = &step;
        for (uint32_t i = 0; i < value->count && !r->no_memory; i++) {
                const struct value_member *member = &value->members[i];
                const struct kube_field *field = kube_type_field(type, member->key, strlen(member->key));

                step.name = member->key;
                if (!field)
                        warn_unknown(r, type, member);
                else if (member->value.kind != VALUE_NULL)
                        read_field(r, &member->value, field, (char *)object + field->offset);
        }
        r->step = step.up;
}

int kube_value_read(struct arena *arena, const struct kube_type *type, const struct value *value, const char *path,
                    struct problems *problems, void *object) {
        struct reader r = { .arena = arena, .problems = problems, .base = path };

        read_object(&r, value, type, object);
        return r.no_memory ? -ENOMEM : 0;
}
