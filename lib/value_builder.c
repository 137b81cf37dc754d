#include "lib/value_builder.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grow.h"
#include "lib/utf8.h"

/* The kind of a member that is to go. */
#define VALUE_DROPPED UINT8_MAX

int value_error(const struct value_options *options, uint32_t line, struct err **err, int code, const char *format,
                ...) {
        char text[ERR_TEXT_MAX];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        if (options && options->name)
                return err_set(err, code, "%s:%u: %s", options->name, line, text);
        return err_set(err, code, "line %u: %s", line, text);
}

int value_check_size(const struct value_options *options, size_t length, struct err **err) {
        size_t max = options && options->bytes_max ? options->bytes_max : VALUE_BYTES_MAX;

        if (length > max)
                return err_set(err, E2BIG, "%s%s%zu bytes, more than the %zu allowed",
                               options && options->name ? options->name : "", options && options->name ? ": " : "",
                               length, max);
        return 0;
}

void value_builder_init(struct value_builder *b, struct arena *arena, const struct value_options *options) {
        memset(b, 0, sizeof(*b));
        b->arena = arena;
        b->options = options;
}

void value_builder_done(struct value_builder *b) {
        free(b->stack);
        b->stack = NULL;
}

bool value_builder_wants_key(const struct value_builder *b) {
        return b->depth > 0 && b->frames[b->depth - 1].open.kind == VALUE_MAP && !b->frames[b->depth - 1].key;
}

struct value *value_builder_last(struct value_builder *b) {
        return b->count > 0 ? &b->stack[b->count - 1].value : NULL;
}

static int no_memory(struct value_builder *b, uint32_t line, struct err **err) {
        return value_error(b->options, line, err, ENOMEM, "out of memory");
}

/* FNV-1a; a slot holds the latest string that fell on it, which is enough for a manifest's few dozen keys. */
static uint32_t hash(const char *text, size_t length) {
        uint32_t h = 2166136261u;

        for (size_t i = 0; i < length; i++)
                h = (h ^ (unsigned char)text[i]) * 16777619u;
        return h;
}

int value_builder_text(struct value_builder *b, const char *text, size_t length, uint32_t line, const char **ret_text,
                       struct err **err) {
        const char **slot = NULL;
        const char *copy;

        if (length > 0 && memchr(text, '\0', length))
                return value_error(b->options, line, err, EINVAL, "a string holds a NUL character");
        if (!utf8_valid(text, length)) /* yajl lets overlong forms pass */
                return value_error(b->options, line, err, EINVAL, "a string is not valid UTF-8");
        if (length <= VALUE_INTERN_LENGTH_MAX) {
                slot = &b->interned[hash(text, length) % VALUE_INTERN_SLOTS];
                if (*slot && strncmp(*slot, text, length) == 0 && (*slot)[length] == '\0') {
                        *ret_text = *slot;
                        return 0;
                }
        }
        copy = arena_strndup(b->arena, length > 0 ? text : "", length);
        if (!copy)
                return no_memory(b, line, err);
        if (slot)
                *slot = copy;
        *ret_text = copy;
        return 0;
}

static int count_nodes(struct value_builder *b, uint32_t nodes, uint32_t line, struct err **err) {
        uint32_t max = b->options && b->options->nodes_max ? b->options->nodes_max : VALUE_NODES_MAX;

        if (nodes > max || b->nodes > max - nodes)
                return value_error(b->options, line, err, E2BIG, "more than %u values", max);
        b->nodes += nodes;
        return 0;
}

int value_builder_begin(struct value_builder *b, struct value open, struct err **err) {
        if (b->depth == VALUE_DEPTH_MAX)
                return value_error(b->options, open.line, err, E2BIG, "nested deeper than %d levels", VALUE_DEPTH_MAX);
        b->frames[b->depth++] = (struct value_frame){
                .open = open,
                .first = b->count,
                .nodes_before = b->nodes,
        };
        return 0;
}

int value_builder_key(struct value_builder *b, const char *key, size_t length, uint32_t line, uint16_t column,
                      struct err **err) {
        struct value_frame *frame = &b->frames[b->depth - 1];
        int r = value_builder_text(b, key, length, line, &frame->key, err);

        if (r < 0)
                return r;
        frame->key_line = line;
        frame->key_column = column;
        frame->key_kind = VALUE_STRING;
        return 0;
}

int value_builder_add(struct value_builder *b, struct value value, uint32_t nodes, struct err **err) {
        struct value_member *member;
        int r = count_nodes(b, nodes, value.line, err);

        if (r < 0)
                return r;
        if (GROW(b->stack, b->size, (size_t)b->count + 1, GROW_NO_MAX) < 0)
                return no_memory(b, value.line, err);
        member = &b->stack[b->count++];
        *member = (struct value_member){ .value = value };
        if (b->depth > 0) {
                struct value_frame *frame = &b->frames[b->depth - 1];

                member->key = frame->key;
                member->line = frame->key_line;
                member->column = frame->key_column;
                member->key_kind = frame->key_kind;
                frame->key = NULL;
        }
        return 0;
}

bool value_builder_warn(struct value_builder *b, uint32_t line, const char *format, ...) {
        char text[ERR_TEXT_MAX];
        va_list ap;

        if (!b->options || !b->options->warn)
                return false;
        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        b->options->warn(b->options->warn_data, line, text);
        return true;
}

/* By key, and those of one key by place. */
static int compare_keys(const void *a, const void *b) {
        const struct value_member *const *x = a, *const *y = b;
        int c = strcmp((*x)->key, (*y)->key);

        return c ? c : (*x > *y) - (*x < *y);
}

/* False when it surely has none: looked at pairwise in the usual small map, a large one is sorted. */
static bool may_have_duplicate(const struct value_member *members, uint32_t count) {
        for (uint32_t i = 1; i < count && count <= 24; i++)
                for (uint32_t j = 0; j < i; j++)
                        if (strcmp(members[i].key, members[j].key) == 0)
                                return true;
        return count > 24;
}

/* Of one key: merged ones give way, and come in, without a word. */
static bool is_second(const struct value_member *a, const struct value_member *b) {
        return strcmp(a->key, b->key) == 0 && !a->merged && !b->merged;
}

/* Takes each but the last of a key out of @members; @sorted has them by key. */
static uint32_t keep_last(struct value_builder *b, struct value_member *members, uint32_t count,
                          struct value_member *const *sorted) {
        uint32_t n = 0;

        for (uint32_t i = 1; i < count; i++) {
                if (strcmp(sorted[i]->key, sorted[i - 1]->key) != 0)
                        continue;
                if ((!b->options || !b->options->second) && is_second(sorted[i - 1], sorted[i]))
                        value_builder_warn(b, sorted[i]->line,
                                           "key \"%.100s\" already set in map, at line %u; this one counts",
                                           sorted[i]->key, sorted[i - 1]->line);
                sorted[i - 1]->value.kind = VALUE_DROPPED;
        }
        for (uint32_t i = 0; i < count; i++)
                if (members[i].value.kind != VALUE_DROPPED)
                        members[n++] = members[i];
        return n;
}

/* The first key in the document that is there a second time; NULL: none is, but by merges. */
static const struct value_member *find_second(struct value_member *const *sorted, uint32_t count) {
        const struct value_member *first = NULL;

        for (uint32_t i = 1; i < count; i++)
                if (is_second(sorted[i - 1], sorted[i]) && (!first || sorted[i] < first))
                        first = sorted[i];
        return first;
}

static int compare_places(const void *a, const void *b) {
        const struct value_member *const *x = a, *const *y = b;

        return (*x > *y) - (*x < *y);
}

static bool has_before(struct value_member *const *sorted, uint32_t i) {
        for (uint32_t j = i; j-- > 0 && strcmp(sorted[j]->key, sorted[i]->key) == 0;)
                if (sorted[j]->key_kind == sorted[i]->key_kind)
                        return true;
        return false;
}

/* Tells of all that are there a second time, in the order of the document. */
static int tell_seconds(struct value_builder *b, struct value_member *const *sorted, uint32_t count, struct err **err) {
        _cleanup_free_ struct value_member **seconds = calloc(count, sizeof(struct value_member *));
        uint32_t n = 0;

        if (!seconds)
                return no_memory(b, 0, err);
        for (uint32_t i = 0; i < count; i++)
                if (has_before(sorted, i))
                        seconds[n++] = sorted[i];
        qsort(seconds, n, sizeof(struct value_member *), compare_places);
        for (uint32_t i = 0; i < n; i++)
                b->options->second(b->options->warn_data, seconds[i]);
        return 0;
}

/* Makes the keys of the open map unique. */
static int make_unique(struct value_builder *b, struct err **err) {
        struct value_frame *frame = &b->frames[b->depth - 1];
        struct value_member *members = b->stack ? b->stack + frame->first : NULL;
        uint32_t count = b->count - frame->first;
        _cleanup_free_ struct value_member **sorted = NULL;
        const struct value_member *second;
        int r;

        if (!may_have_duplicate(members, count))
                return 0;
        sorted = calloc(count, sizeof(struct value_member *));
        if (!sorted)
                return no_memory(b, frame->open.line, err);
        for (uint32_t i = 0; i < count; i++)
                sorted[i] = &members[i];
        qsort(sorted, count, sizeof(struct value_member *), compare_keys);
        second = find_second(sorted, count);
        if (second && (!b->options || !b->options->warn))
                return value_error(b->options, second->line, err, EINVAL, "key \"%.100s\" already set in map",
                                   second->key);
        if (b->options && b->options->second && (r = tell_seconds(b, sorted, count, err)) < 0)
                return r;
        b->count = frame->first + keep_last(b, members, count, sorted);
        return 0;
}

static int take_members(struct value_builder *b, const struct value_member *from, struct value *value,
                        struct err **err) {
        struct value_member *members = arena_alloc_array(b->arena, value->count, sizeof(*members));

        if (!members)
                return no_memory(b, value->line, err);
        if (value->count > 0)
                memcpy(members, from, value->count * sizeof(*members));
        value->members = members;
        return 0;
}

static int take_items(struct value_builder *b, const struct value_member *from, struct value *value, struct err **err) {
        struct value *items = arena_alloc_array(b->arena, value->count, sizeof(*items));

        if (!items)
                return no_memory(b, value->line, err);
        for (uint32_t i = 0; i < value->count; i++)
                items[i] = from[i].value;
        value->items = items;
        return 0;
}

int value_builder_end(struct value_builder *b, struct err **err) {
        struct value_frame *frame = &b->frames[b->depth - 1];
        struct value value = frame->open;
        const struct value_member *from;
        int r = value.kind == VALUE_MAP ? make_unique(b, err) : 0;

        if (r < 0)
                return r;
        from = b->stack ? b->stack + frame->first : NULL;
        value.count = b->count - frame->first;
        if (value.kind == VALUE_MAP)
                r = take_members(b, from, &value, err);
        else
                r = take_items(b, from, &value, err);
        if (r < 0)
                return r;
        b->count = frame->first;
        b->depth--;
        return value_builder_add(b, value, 1, err);
}
