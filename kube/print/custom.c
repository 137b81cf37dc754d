/* Columns that are given at run time. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kube/print/age.h"
#include "kube/print/column.h"
#include "kube/print/path.h"
#include "kube/print/table.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/json_writer.h"

/* As Go's fmt prints a float64: %v. */
static const char *go_float(double number, char text[KUBE_DOUBLE_TEXT_MAX]) {
        for (int digits = 1; digits <= 17; digits++) {
                snprintf(text, KUBE_DOUBLE_TEXT_MAX, "%.*e", digits - 1, number);
                if (strtod(text, NULL) == number)
                        break;
        }
        if (fabs(number) < 1e6 && (number == 0 || fabs(number) >= 1e-4))
                kube_double_format(number, text);
        return text;
}

/* A map or list as encoding/json writes it: keys sorted. */
static void write_sorted(struct print_row *row, struct json_writer *w, const struct value *value) {
        const struct value_member *const *members;
        char text[KUBE_DOUBLE_TEXT_MAX];
        double number;

        if (value->kind == VALUE_MAP) {
                json_begin_map(w);
                for (members = print_sorted_members(row, value); members && *members; members++) {
                        json_key(w, (*members)->key);
                        write_sorted(row, w, &(*members)->value);
                }
                json_end_map(w);
        } else if (value->kind == VALUE_LIST) {
                json_begin_list(w);
                for (uint32_t i = 0; i < value->count; i++)
                        write_sorted(row, w, &value->items[i]);
                json_end_list(w);
        } else if (value->kind == VALUE_NUMBER && value_double(value, &number)) {
                json_raw(w, text, kube_double_format(number, text));
        } else {
                json_value(w, value);
        }
}

static void write_json_text(struct print_row *row, const struct value *value) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        char *text = NULL;
        int r;

        write_sorted(row, &w, value);
        r = json_writer_finish(&w, &text, NULL);
        if (r < 0)
                json_writer_fail(row->out, r);
        else
                json_string(row->out, text);
        free(text);
}

static void write_as_text(struct print_row *row, const struct value *value) {
        char text[KUBE_DOUBLE_TEXT_MAX];
        double number;

        switch (value->kind) {
        case VALUE_NULL:
                json_string(row->out, "<no value>");
                break;
        case VALUE_STRING:
                json_string(row->out, value->text);
                break;
        case VALUE_BOOL:
                json_string(row->out, value->boolean ? "true" : "false");
                break;
        case VALUE_INT:
                snprintf(text, sizeof(text), "%" PRId64, value->integer);
                json_string(row->out, text);
                break;
        case VALUE_NUMBER:
                json_string(row->out, value_double(value, &number) ? go_float(number, text) : "");
                break;
        default:
                write_json_text(row, value);
        }
}

static void write_as_integer(struct print_row *row, const struct value *value) {
        double number;

        if (value->kind == VALUE_INT)
                json_int(row->out, value->integer);
        else if (value->kind == VALUE_NUMBER && value_double(value, &number))
                json_int(row->out, fabs(number) < 0x1p63 ? (int64_t)number : INT64_MIN);
        else
                json_null(row->out);
}

static void write_as_number(struct print_row *row, const struct value *value) {
        char text[KUBE_DOUBLE_TEXT_MAX];
        double number;

        if ((value->kind == VALUE_INT || value->kind == VALUE_NUMBER) && value_double(value, &number))
                json_raw(row->out, text, kube_double_format(number, text));
        else
                json_null(row->out);
}

static void write_as_boolean(struct print_row *row, const struct value *value) {
        if (value->kind == VALUE_BOOL)
                json_bool(row->out, value->boolean);
        else
                json_null(row->out);
}

static void write_as_date(struct print_row *row, const struct value *value) {
        struct kube_time time = { 0 };
        char text[PRINT_AGE_MAX];

        if (value->kind != VALUE_STRING) {
                json_null(row->out);
        } else if (value->count == 0 || strcmp(value->text, "null") == 0) {
                json_string(row->out, "<unknown>");
        } else if (!kube_time_parse(value->text, value->count, false, &time)) {
                json_string(row->out, "<invalid>");
        } else {
                time.set = true;
                json_string(row->out, print_age(&time, row->now, text));
        }
}

void print_custom_cell(struct print_row *row, const struct print_column *column) {
        static const struct {
                const char *type;
                void (*write)(struct print_row *row, const struct value *value);
        } types[] = {
                { "string", write_as_text },     { "integer", write_as_integer }, { "number", write_as_number },
                { "boolean", write_as_boolean }, { "date", write_as_date },
        };
        const struct value *value = NULL;

        if (print_path_first(row->arena, column->json_path, row->object, &value) < 0)
                json_writer_fail(row->out, -ENOMEM);
        for (size_t i = 0; value && i < sizeof(types) / sizeof(types[0]); i++)
                if (strcmp(types[i].type, column->type) == 0) {
                        types[i].write(row, value);
                        return;
                }
        json_null(row->out);
}

static const char *copy(struct arena *arena, const char *text) {
        return arena_strdup(arena, text ? text : "");
}

static int take_column(struct arena *arena, const struct print_definition *definition, struct print_column *column,
                       struct err **err) {
        const char *description = definition->description;

        *column = (struct print_column){
                .name = copy(arena, definition->name),
                .type = copy(arena, definition->type),
                .format = copy(arena, definition->format),
                .priority = definition->priority,
                .form = PRINT_CUSTOM,
        };
        column->description = description && *description ?
                                      copy(arena, description) :
                                      arena_printf(arena, "Custom resource definition column (in JSONPath format): %s",
                                                   definition->json_path);
        if (!column->name || !column->type || !column->format || !column->description)
                return err_set(err, ENOMEM, "columns: out of memory");
        return print_path_parse(arena, definition->json_path, &column->json_path, err);
}

int print_columns_new(const struct print_definition *definitions, size_t n, struct print_columns **ret_columns,
                      struct err **err) {
        static const struct print_column name = PRINT_NAME;
        _cleanup_arena_ struct arena *arena = arena_new();
        struct print_columns *columns = arena ? arena_new_of(arena, struct print_columns) : NULL;
        struct print_column *list = arena ? arena_alloc_array(arena, n + 1, sizeof(*list)) : NULL;

        if (n > PRINT_DEFINITIONS_MAX)
                return err_set(err, E2BIG, "%zu columns, more than the %d allowed", n, PRINT_DEFINITIONS_MAX);
        if (!columns || !list)
                return err_set(err, ENOMEM, "columns: out of memory");
        list[0] = name;
        for (size_t i = 0; i < n; i++) {
                int r = take_column(arena, &definitions[i], &list[i + 1], err);

                if (r < 0)
                        return err_wrap(err, r, "unrecognized column definition \"%s\"", definitions[i].json_path);
        }
        *columns = (struct print_columns){ .columns = list, .n = n + 1, .arena = arena };
        *ret_columns = columns;
        arena = NULL;
        return 0;
}

struct print_columns *print_columns_free(struct print_columns *columns) {
        if (columns)
                arena_free(columns->arena);
        return NULL;
}
