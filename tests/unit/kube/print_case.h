/* A case of tests/conformance/kube_print, answered by kube/print and kube/selector. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "kube/kinds.h"
#include "kube/print/table.h"
#include "kube/scalar.h"
#include "kube/selector/field.h"
#include "kube/selector/label.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"

#define PRINT_CASE_COLUMNS 16

struct print_answer {
        const struct value *table; /* or */
        const char *string;        /* of a selector */
        bool matches[8];
        int error;
        struct err *err;
};

static inline const struct print_columns *print_case_columns(const struct value *test, struct print_columns **ret_made,
                                                             struct print_answer *answer) {
        const struct value *stored = value_get(test, "stored"), *list = value_get(test, "columns");
        struct print_definition definitions[PRINT_CASE_COLUMNS] = { 0 };
        const char *version;
        char group[256];
        uint32_t n = 0;

        if (strcmp(value_string_or(value_get(test, "op"), ""), "table") == 0) {
                kube_split_api_version(value_string_or(value_get(stored, "apiVersion"), "v1"), group, sizeof(group),
                                       &version);
                return print_columns_of(group, version, value_string_or(value_get(stored, "kind"), ""));
        }
        for (; n < value_count(list) && n < PRINT_CASE_COLUMNS; n++) {
                const struct value *column = value_at(list, n);
                int64_t priority = 0;

                value_integer(value_get(column, "priority"), &priority);
                definitions[n] = (struct print_definition){
                        .name = value_string_or(value_get(column, "name"), ""),
                        .type = value_string_or(value_get(column, "type"), ""),
                        .format = value_string(value_get(column, "format")),
                        .description = value_string(value_get(column, "description")),
                        .json_path = value_string_or(value_get(column, "jsonPath"), ""),
                        .priority = (int32_t)priority,
                };
        }
        answer->error = print_columns_new(definitions, n, ret_made, &answer->err);
        return answer->error < 0 ? NULL : *ret_made;
}

/* The object as kube-apiserver has it; one that was not taken over as the case has it. */
static inline const struct value *print_case_object(const struct value *test) {
        return value_get(test, "stored") ? value_get(test, "stored") : value_get(test, "object");
}

static inline void print_case_table(struct arena *arena, const struct value *test, struct print_answer *answer) {
        const struct value *stored = print_case_object(test);
        const struct print_head head = { .resource_version =
                                                 value_string(value_find(stored, "metadata.resourceVersion")) };
        const char *now = value_string_or(value_get(test, "now"), "");
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_print_table_ struct print_table_writer table = { .include = PRINT_NONE, .out = &w };
        struct print_columns *made = NULL;
        _cleanup_free_ char *object = NULL, *text = NULL;
        const struct value_options options = { .bytes_max = 64 << 20, .nodes_max = 1 << 22 };
        size_t length;

        kube_time_parse(now, strlen(now), true, &table.now);
        table.columns = print_case_columns(test, &made, answer);
        if (table.columns)
                answer->error = json_format(stored, false, &object, &length);
        if (object) {
                answer->error = print_table_begin(&table, &head, &answer->err);
                if (answer->error == 0)
                        answer->error = print_table_row(&table, object, length, &answer->err);
                if (answer->error == 0)
                        answer->error = print_table_end(&table);
        }
        if (answer->error == 0)
                answer->error = json_writer_finish(&w, &text, &length);
        if (answer->error == 0)
                answer->error = json_parse(arena, text, length, &options, &answer->table, &answer->err);
        print_columns_free(made);
}

static inline const char *print_case_lookup(const void *data, const char *key) {
        return value_string(value_get(data, key));
}

static inline void print_case_label(struct arena *arena, const struct value *test, struct print_answer *answer) {
        const char *text = value_string_or(value_get(test, "text"), "");
        const struct value *sets = value_get(test, "sets");
        struct selector_labels selector;

        if (strcmp(value_string(value_get(test, "op")), "label") == 0)
                answer->error =
                        selector_label_parse(arena, text, value_get(test, "text")->count, &selector, &answer->err);
        else
                answer->error = selector_label_from(arena, value_get(test, "object"), &selector, &answer->err);
        if (answer->error < 0)
                return;
        answer->error = selector_label_format(arena, &selector, &answer->string);
        for (uint32_t i = 0; i < value_count(sets) && i < ELEMENTS(answer->matches); i++)
                answer->matches[i] = selector_label_matches(&selector, print_case_lookup, value_at(sets, i));
}

static inline void print_case_field(struct arena *arena, const struct value *test, struct print_answer *answer) {
        const char *text = value_string_or(value_get(test, "text"), ""), *version;
        const struct value *sets = value_get(test, "sets");
        const struct selector_field_kind *kind;
        struct selector_fields selector;
        char group[256];

        kube_split_api_version(value_string_or(value_get(test, "group"), "v1"), group, sizeof(group), &version);
        kind = selector_field_kind_of(group, version, value_string_or(value_get(test, "kind"), ""));
        answer->error = selector_field_parse(arena, kind, &(struct selector_query){ version, text, strlen(text) },
                                             &selector, &answer->err);
        if (answer->error < 0)
                return;
        answer->error = selector_field_format(arena, &selector, &answer->string);
        for (uint32_t i = 0; i < value_count(sets) && i < ELEMENTS(answer->matches); i++) {
                const char *values[SELECTOR_FIELDS_MAX];

                for (size_t j = 0; j < kind->n; j++) {
                        const struct selector_field *field = &kind->fields[j];

                        values[j] = value_string_or(
                                value_get(value_at(sets, i), field->means ? field->means : field->label), "");
                }
                answer->matches[i] = selector_field_matches(&selector, values);
        }
}

static inline struct print_answer print_case_run(struct arena *arena, const struct value *test) {
        const char *op = value_string_or(value_get(test, "op"), "");
        struct print_answer answer = { 0 };

        if (strcmp(op, "table") == 0 || strcmp(op, "custom") == 0)
                print_case_table(arena, test, &answer);
        else if (strcmp(op, "field") == 0)
                print_case_field(arena, test, &answer);
        else
                print_case_label(arena, test, &answer);
        return answer;
}
