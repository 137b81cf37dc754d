#include "lib/members.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/value.h"
#include "lib/trail.h"

#define FOUND_MAX 80

struct reading {
        struct arena *arena;
        const char *document;
        char path[MEMBER_PATH_MAX];
        size_t length;
        struct err **err;
};

__attribute__((format(printf, 4, 5))) static int fail(struct reading *r, const struct value *at, int code,
                                                      const char *format, ...) {
        char text[256];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        return err_set(r->err, code, "%s:%u: %s%s%s", r->document, at->line, r->path, r->length > 0 ? ": " : "", text);
}

/* Numbers are shown as they are: most often they are just too large. */
static int expected(struct reading *r, const struct value *value, const char *what) {
        char found[FOUND_MAX];

        if (value->kind == VALUE_INT)
                snprintf(found, sizeof(found), "%" PRId64, value->integer);
        else if (value->kind == VALUE_NUMBER)
                snprintf(found, sizeof(found), "%.40s", value->text);
        else if (value->kind == VALUE_STRING)
                snprintf(found, sizeof(found), "the string \"%.40s\"", value->text);
        else
                snprintf(found, sizeof(found), "%s", value_kind_name(value));
        return fail(r, value, EINVAL, "expected %s, found %s", what, found);
}

static void *take(struct reading *r, size_t count, size_t size) {
        void *p = arena_alloc_array(r->arena, count, size);

        if (!p)
                err_set(r->err, ENOMEM, "%s: out of memory", r->document);
        return p;
}

static int read_string(struct reading *r, const struct value *value, const char **ret) {
        if (value->kind != VALUE_STRING)
                return expected(r, value, "a string");
        *ret = value->text;
        return 0;
}

static int read_bool(struct reading *r, const struct value *value, bool *ret) {
        if (value->kind != VALUE_BOOL)
                return expected(r, value, "true or false");
        *ret = value->boolean;
        return 0;
}

/* Only what is written as one is a whole number: neither 1.0 nor 1e3 is. */
static bool is_within(const struct value *value, const struct member_row *member, uint64_t *ret) {
        char *end;

        if (value->kind == VALUE_INT) {
                *ret = (uint64_t)value->integer;
                return value->integer >= member->min && (value->integer < 0 || *ret <= member->max);
        }
        if (value->kind != VALUE_NUMBER || value->text[strspn(value->text, "0123456789")] != '\0')
                return false;
        errno = 0;
        *ret = strtoull(value->text, &end, 10);
        return errno == 0 && *ret <= member->max;
}

static int read_number(struct reading *r, const struct value *value, const struct member_row *member,
                       struct member_number *ret) {
        char what[96];
        uint64_t n;

        if (!is_within(value, member, &n)) {
                snprintf(what, sizeof(what), "a whole number from %" PRId64 " to %" PRIu64, member->min, member->max);
                return expected(r, value, what);
        }
        *ret = (struct member_number){ .set = true, .u = n };
        return 0;
}

static int read_object(struct reading *r, const struct value *value, const struct member_type *type, void *object);

/* ---- lists and maps ---- */

static int read_item(struct reading *r, const struct value *value, const struct member_row *member, void *item) {
        switch ((enum member_kind)member->kind) {
        case MEMBER_STRINGS:
                return read_string(r, value, item);
        case MEMBER_NUMBERS:
                return read_number(r, value, member, item);
        case MEMBER_STRING_MAP:
                return read_string(r, value, &((struct member_pair *)item)->value);
        default:
                return read_object(r, value, member->type, item);
        }
}

static const struct {
        size_t size; /* of an item; 0: its type's */
        bool map;
        const char *what;
} lists[] = {
        [MEMBER_STRINGS] = { sizeof(const char *), false, "a list of strings" },
        [MEMBER_NUMBERS] = { sizeof(struct member_number), false, "a list of numbers" },
        [MEMBER_STRING_MAP] = { sizeof(struct member_pair), true, "a map of strings" },
        [MEMBER_OBJECTS] = { 0, false, "a list of maps" },
        [MEMBER_OBJECT_MAP] = { 0, true, "a map of maps" },
};

static int read_list(struct reading *r, const struct value *value, const struct member_row *member,
                     struct member_list *ret) {
        bool map = lists[member->kind].map;
        size_t size = lists[member->kind].size ?: member->type->size;
        char *items;

        if (value->kind != (map ? VALUE_MAP : VALUE_LIST))
                return expected(r, value, lists[member->kind].what);
        items = take(r, (size_t)value->count + 1, size);
        if (!items)
                return -ENOMEM;
        for (uint32_t i = 0; i < value->count; i++) {
                const struct value *item = map ? &value->members[i].value : &value->items[i];
                size_t before = map ? TRAIL_ENTER(r, "[%.100s]", value->members[i].key) : TRAIL_ENTER(r, "[%u]", i);
                int error;

                if (member->kind == MEMBER_STRING_MAP)
                        ((struct member_pair *)(items + i * size))->key = value->members[i].key;
                error = read_item(r, item, member, items + i * size);
                if (error < 0)
                        return error;
                TRAIL_LEAVE(r, before);
        }
        *ret = (struct member_list){ items, value->count };
        return 0;
}

/* ---- objects ---- */

static int read_member(struct reading *r, const struct value *value, const struct member_row *member, void *at) {
        switch ((enum member_kind)member->kind) {
        case MEMBER_STRING:
                return read_string(r, value, at);
        case MEMBER_BOOL:
                return read_bool(r, value, at);
        case MEMBER_NUMBER:
                return read_number(r, value, member, at);
        case MEMBER_OBJECT:
                return read_object(r, value, member->type, at);
        case MEMBER_VALUE:
                *(const struct value **)at = value;
                return 0;
        default:
                return read_list(r, value, member, at);
        }
}

/* Whether a member says something. What has no kind here may mean anything. */
static bool says(const struct value *value, enum member_kind kind) {
        if (kind == MEMBER_VALUE)
                return true;
        if (value->kind == VALUE_INT)
                return value->integer != 0;
        if (value->kind == VALUE_BOOL)
                return value->boolean;
        return value->count > 0;
}

static int read_rows(struct reading *r, const struct value_member *found, const struct member_type *type,
                     void *object) {
        for (size_t i = 0; i < type->n_members; i++) {
                const struct member_row *member = &type->members[i];
                size_t before;
                int error;

                if (strcasecmp(member->name, found->key) != 0)
                        continue;
                before = TRAIL_ENTER(r, "%s%s", r->length > 0 ? "." : "", member->name);
                error = read_member(r, &found->value, member, (char *)object + member->offset);
                if (error == 0 && member->flags & MEMBER_REFUSED && says(&found->value, member->kind))
                        error = fail(r, &found->value, ENOTSUP, "not supported");
                if (error < 0)
                        return error;
                TRAIL_LEAVE(r, before);
        }
        return 0;
}

static bool has(const struct value *value, const char *name) {
        for (uint32_t i = 0; i < value->count; i++)
                if (strcasecmp(value->members[i].key, name) == 0 && value->members[i].value.kind != VALUE_NULL)
                        return true;
        return false;
}

/* Recursion is bounded by the tables, which do not refer back to themselves. */
static int read_object(struct reading *r, const struct value *value, const struct member_type *type, void *object) {
        if (value->kind != VALUE_MAP)
                return expected(r, value, "a map");
        for (uint32_t i = 0; i < value->count; i++) {
                int error =
                        value->members[i].value.kind == VALUE_NULL ? 0 : read_rows(r, &value->members[i], type, object);

                if (error < 0)
                        return error;
        }
        for (size_t i = 0; i < type->n_members; i++)
                if (type->members[i].flags & MEMBER_REQUIRED && !has(value, type->members[i].name))
                        return fail(r, value, EINVAL, "%s is missing", type->members[i].name);
        return 0;
}

int members_read(struct arena *arena, const struct members_source *source, const struct member_type *type, void *object,
                 struct err **err) {
        static const struct value empty = { .kind = VALUE_MAP };
        struct reading r = { .arena = arena, .document = source->document, .err = err };

        TRAIL_ENTER(&r, "%s", source->path);
        return read_object(&r, value_is_null(source->value) ? &empty : source->value, type, object);
}
