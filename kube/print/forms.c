/* Cells that are forms: a path's value, written so. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kube/print/age.h"
#include "kube/print/column.h"
#include "kube/print/path.h"
#include "kube/print/text.h"
#include "kube/scalar.h"
#include "kube/selector/label.h"
#include "lib/arena.h"
#include "lib/json_writer.h"
#include "lib/texts.h"
#include "lib/value_sort.h"

const char print_name_text[] =
        "Name must be unique within a namespace. Is required when creating resources, although some resources may "
        "allow a client to request the generation of an appropriate name automatically. Name is primarily intended "
        "for creation idempotence and configuration definition. Cannot be updated. More info: "
        "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";

const char print_age_text[] =
        "CreationTimestamp is a timestamp representing the server time when this object was created. It is not "
        "guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It "
        "is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More "
        "info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

static const struct value *get(const struct value *map, const char *key, size_t length) {
        if (!map || map->kind != VALUE_MAP)
                return NULL;
        for (uint32_t i = 0; i < map->count; i++)
                if (strncmp(map->members[i].key, key, length) == 0 && !map->members[i].key[length])
                        return &map->members[i].value;
        return NULL;
}

/* Follows *@path to its end or to a list, and leaves there what is not followed yet. */
static const struct value *follow(const struct value *value, const char **path) {
        while (**path && **path != ' ' && **path != '#' && value && value->kind != VALUE_LIST) {
                size_t length = strcspn(*path, ".# ");

                value = get(value, *path, length);
                *path += length + ((*path)[length] == '.');
        }
        return value_is_null(value) ? NULL : value;
}

const struct value *print_find(const struct value *object, const char *path) {
        return follow(object, &path);
}

const char *print_find_text(const struct value *object, const char *path, const char *fallback) {
        return value_string_or(print_find(object, path), fallback);
}

int64_t print_find_int(const struct value *object, const char *path) {
        int64_t n = 0;

        value_integer(print_find(object, path), &n);
        return n;
}

struct kube_time print_find_time(const struct value *object, const char *path) {
        const char *text = print_find_text(object, path, "");
        struct kube_time time = { 0 };
        size_t length = strlen(text);

        if (!kube_time_parse(text, length, true, &time) && !kube_time_parse(text, length, false, &time))
                return (struct kube_time){ 0 };
        time.set = true;
        return time;
}

const struct value *print_find_item(const struct value *list, const char *key, const char *text) {
        for (uint32_t i = 0; i < value_count(list); i++)
                if (strcmp(print_find_text(value_at(list, i), key, ""), text) == 0)
                        return value_at(list, i);
        return NULL;
}

static void write_text(struct print_row *row, const struct print_column *column) {
        const struct value *value = print_find(row->object, column->path);
        const char *text = value_string(value);
        char number[32];

        if (value && value->kind == VALUE_INT) {
                snprintf(number, sizeof(number), "%" PRId64, value->integer);
                text = number;
        }
        if (!text || (!*text && column->form == PRINT_TEXT_SET))
                text = column->other ? column->other : "";
        json_string(row->out, text);
}

static void write_int(struct print_row *row, const struct print_column *column) {
        const struct value *value = print_find(row->object, column->path);

        if (!value && column->other)
                json_string(row->out, column->other);
        else
                json_int(row->out, print_find_int(row->object, column->path));
}

static void write_bool(struct print_row *row, const struct print_column *column) {
        json_bool(row->out, value_bool_or(print_find(row->object, column->path), column->other));
}

static const char *next_path(const char *path) {
        path += strcspn(path, " ");
        return *path ? path + 1 : path;
}

static void write_count(struct print_row *row, const struct print_column *column) {
        int64_t n = 0;

        for (const char *path = column->path; *path; path = next_path(path))
                n += value_count(print_find(row->object, path));
        json_int(row->out, n);
}

static void write_age(struct print_row *row, const struct print_column *column) {
        struct kube_time then = print_find_time(row->object, column->path);
        char text[PRINT_AGE_MAX];

        if (!then.set && column->other)
                json_string(row->out, column->other);
        else
                json_string(row->out, print_age(&then, row->now, text));
}

static void write_date(struct print_row *row, const struct print_column *column) {
        json_string(row->out, print_find_text(row->object, column->path, "0001-01-01T00:00:00Z"));
}

static void write_list(struct print_row *row, const struct print_column *column) {
        struct print_text text = { .arena = row->arena };
        const char *rest = column->path;
        const struct value *list = follow(row->object, &rest);

        for (uint32_t i = 0; i < value_count(list); i++) {
                const struct value *item = value_at(list, i);

                print_text_join(&text, ",", value_string_or(*rest ? print_find(item, rest) : item, ""));
        }
        print_text_cell(row, &text, value_count(list) == 0 ? column->other : NULL);
}

const struct value_member *const *print_sorted_members(struct print_row *row, const struct value *map) {
        const struct value_member *const *members = value_sorted_members(row->arena, map);

        if (!members)
                json_writer_fail(row->out, -ENOMEM);
        return members;
}

/* Sorted as they are written, not by their keys: "a.b=1" comes before "a=1". */
static void write_map(struct print_row *row, const struct print_column *column) {
        const struct value *map = print_find(row->object, column->path);
        uint32_t n = value_is(map, VALUE_MAP) ? map->count : 0;
        const char **texts = arena_alloc_array(row->arena, (size_t)n + 1, sizeof(*texts));
        struct print_text text = { .arena = row->arena, .failed = !texts };

        for (uint32_t i = 0; texts && i < n; i++) {
                texts[i] = arena_printf(row->arena, "%s=%s", map->members[i].key,
                                        value_string_or(&map->members[i].value, ""));
                if (!texts[i])
                        texts = NULL;
        }
        text.failed |= !texts;
        if (texts && n > 1)
                qsort(texts, n, sizeof(*texts), texts_order);
        for (uint32_t i = 0; texts && i < n; i++)
                print_text_join(&text, ",", texts[i]);
        print_text_cell(row, &text, "<none>");
}

static void write_selector(struct print_row *row, const struct print_column *column) {
        const char *text = NULL;
        int r = selector_label_text(row->arena, print_find(row->object, column->path), &text);

        if (r == -ENOMEM)
                json_writer_fail(row->out, r);
        else
                json_string(row->out, r < 0 ? "<error>" : *text ? text : "<none>");
}

static void write_ratio(struct print_row *row, const struct print_column *column) {
        char text[64];

        snprintf(text, sizeof(text), "%" PRId64 "/%" PRId64, print_find_int(row->object, column->path),
                 print_find_int(row->object, next_path(column->path)));
        json_string(row->out, text);
}

static void write_cell(struct print_row *row, const struct print_column *column) {
        column->cell(row, column);
}

static const print_cell writers[] = {
        [PRINT_TEXT] = write_text,          [PRINT_TEXT_SET] = write_text, [PRINT_INT] = write_int,
        [PRINT_BOOL] = write_bool,          [PRINT_COUNT] = write_count,   [PRINT_AGE] = write_age,
        [PRINT_DATE] = write_date,          [PRINT_LIST] = write_list,     [PRINT_MAP] = write_map,
        [PRINT_SELECTOR] = write_selector,  [PRINT_RATIO] = write_ratio,   [PRINT_CELL] = write_cell,
        [PRINT_CUSTOM] = print_custom_cell,
};

void print_column_cell(struct print_row *row, const struct print_column *column) {
        writers[column->form](row, column);
}
