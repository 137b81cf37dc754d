#include "kube/print/table.h"

#include <errno.h>
#include <string.h>

#include "kube/print/column.h"
#include "kube/print/partial.h"
#include "kube/print/path.h"
#include "kube/print/sorted.h"
#include "kube/project.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/json_writer.h"

static int no_memory(struct err **err) {
        return err_set(err, ENOMEM, "table: out of memory");
}

bool print_include_parse(const char *text, enum print_include *ret_include) {
        static const char *const names[] = {
                [PRINT_METADATA] = "Metadata",
                [PRINT_OBJECT] = "Object",
                [PRINT_NONE] = "None",
        };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (strcmp(names[i], *text ? text : "Metadata") == 0) {
                        *ret_include = (enum print_include)i;
                        return true;
                }
        return false;
}

int print_include_error(const char *text, struct err **err) {
        return err_set(err, EINVAL,
                       "Unable to convert to Table as requested: includeObject: Invalid value: \"%s\": must be "
                       "'Metadata', 'Object', 'None', or empty",
                       text);
}

static const char *api_version(const struct print_table_writer *t) {
        return t->version && strcmp(t->version, "v1") != 0 ? "meta.k8s.io/v1beta1" : "meta.k8s.io/v1";
}

static void write_head(struct json_writer *w, const struct print_head *head) {
        json_key(w, "metadata");
        if (head->json) {
                json_raw(w, head->json, strlen(head->json));
                return;
        }
        json_begin_map(w);
        json_add_string_if(w, "resourceVersion", head->resource_version);
        json_add_string_if(w, "continue", head->next);
        if (head->remaining > 0)
                json_add_int(w, "remainingItemCount", head->remaining);
        json_end_map(w);
}

static void write_definitions(struct json_writer *w, const struct print_columns *columns) {
        json_key(w, "columnDefinitions");
        json_begin_list(w);
        for (size_t i = 0; i < columns->n; i++) {
                const struct print_column *column = &columns->columns[i];

                if (!column->name)
                        continue;
                json_begin_map(w);
                json_add_string(w, "name", column->name);
                json_add_string(w, "type", column->type);
                json_add_string(w, "format", column->format);
                json_add_string(w, "description", column->description);
                json_add_int(w, "priority", column->priority);
                json_end_map(w);
        }
        json_end_list(w);
}

static int add_wanted(struct arena *arena, const struct print_columns *columns, struct kube_wanted *wanted) {
        int r;

        if (columns->wants && (r = kube_wanted_add(arena, wanted, columns->wants)) < 0)
                return r;
        for (size_t i = 0; i < columns->n; i++) {
                const struct print_column *column = &columns->columns[i];

                if (column->json_path)
                        r = print_path_want(arena, wanted, column->json_path);
                else
                        r = column->path ? kube_wanted_add(arena, wanted, column->path) : 0;
                if (r < 0)
                        return r;
        }
        return columns->rank ? kube_wanted_add(arena, wanted, "metadata.name") : 0;
}

/* What the columns want of an object; NULL without memory. */
static struct kube_wanted *want(struct arena *arena, const struct print_columns *columns) {
        struct kube_wanted *wanted = kube_wanted_new(arena);

        return wanted && add_wanted(arena, columns, wanted) == 0 ? wanted : NULL;
}

int print_table_begin(struct print_table_writer *t, const struct print_head *head, struct err **err) {
        struct json_writer *w = t->out;

        t->kept = arena_new();
        t->arena = arena_new();
        t->wanted = t->kept ? want(t->kept, t->columns) : NULL;
        t->sorted = t->columns->rank ? print_sorted_new() : NULL;
        if (!t->arena || !t->wanted || (t->columns->rank && !t->sorted))
                return no_memory(err);
        t->count = 0;
        json_begin_map(w);
        json_add_string(w, "kind", "Table");
        json_add_string(w, "apiVersion", api_version(t));
        write_head(w, head);
        if (t->no_headers) {
                json_key(w, "columnDefinitions");
                json_null(w);
        } else {
                write_definitions(w, t->columns);
        }
        return 0;
}

/* The bookmark behind the objects that a watch begins with says so in its annotations, which are sent in any case. */
#define INITIAL_EVENTS_END "\"k8s.io/initial-events-end\":\"true\""

static enum print_include include_of(const struct print_table_writer *t, const char *text, size_t length) {
        bool end = t->include == PRINT_NONE && memmem(text, length, INITIAL_EVENTS_END, strlen(INITIAL_EVENTS_END));

        return end ? PRINT_METADATA : t->include;
}

/* An object as it is kept, and as it is shown. */
struct row_text {
        const char *text, *shown;
        size_t length, shown_length;
};

static int write_object(const struct print_table_writer *t, struct json_writer *w, const struct row_text *texts,
                        struct err **err) {
        json_key(w, "object");
        switch (include_of(t, texts->text, texts->length)) {
        case PRINT_METADATA:
                return print_partial(w, t->columns, t->version ? t->version : "v1", texts->text, texts->length, err);
        case PRINT_OBJECT:
                json_raw(w, texts->shown, texts->shown_length);
                return 0;
        default:
                json_null(w);
                return 0;
        }
}

static int write_row(struct print_table_writer *t, struct json_writer *w, const struct value *object,
                     const struct row_text *texts, struct err **err) {
        struct print_row row = { .object = object, .arena = t->arena, .now = &t->now, .out = w };
        int r;

        json_begin_map(w);
        json_key(w, "cells");
        json_begin_list(w);
        for (size_t i = 0; i < t->columns->n; i++)
                print_column_cell(&row, &t->columns->columns[i]);
        json_end_list(w);
        if (t->columns->conditions)
                t->columns->conditions(&row);
        r = write_object(t, w, texts, err);
        json_end_map(w);
        return r;
}

int print_table_row_shown(struct print_table_writer *t, const char *text, size_t length, const char *shown,
                          size_t shown_length, struct err **err) {
        const struct row_text texts = { text, shown, length, shown_length };
        struct json_writer *w = t->out;
        struct value object;
        int r;

        arena_reset(t->arena);
        r = kube_project(t->arena, t->wanted, text, length, &object);
        if (r < 0)
                return err_set(err, -r,
                               r == -ENOMEM ? "table: out of memory" :
                               r == -E2BIG  ? "table: an object is nested too deep" :
                                              "table: an object is no JSON object");
        if (t->sorted) {
                w = print_sorted_add(t->sorted, t->columns->rank(&object),
                                     print_find_text(&object, "metadata.name", ""));
                if (!w)
                        return no_memory(err);
        } else if (t->count == 0) {
                json_key(w, "rows");
                json_begin_list(w);
        }
        t->count++;
        return write_row(t, w, &object, &texts, err);
}

int print_table_row(struct print_table_writer *t, const char *text, size_t length, struct err **err) {
        return print_table_row_shown(t, text, length, text, length, err);
}

static void write_no_rows(struct print_table_writer *t) {
        json_key(t->out, "rows");
        if (t->columns->null_rows) {
                json_null(t->out);
        } else {
                json_begin_list(t->out);
                json_end_list(t->out);
        }
}

int print_table_end(struct print_table_writer *t) {
        if (t->count == 0)
                write_no_rows(t);
        else if (t->sorted)
                print_sorted_write(t->sorted, t->out);
        else
                json_end_list(t->out);
        json_end_map(t->out);
        return t->out->error;
}

void print_table_done(struct print_table_writer *t) {
        t->arena = arena_free(t->arena);
        t->kept = arena_free(t->kept);
        t->sorted = print_sorted_free(t->sorted);
}
