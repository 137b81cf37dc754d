/* Cells of bindings, certificates and admission. */
#include <stdbool.h>
#include <string.h>

#include "kube/print/age.h"
#include "kube/print/cells.h"
#include "kube/print/text.h"
#include "kube/selector/label.h"
#include "lib/json_writer.h"

void print_subjects(struct print_row *row, const struct print_column *column) {
        const struct value *subjects = print_find(row->object, column->path);
        bool spaced = strcmp(column->other, "ServiceAccount") == 0;
        struct print_text text = { .arena = row->arena };

        for (uint32_t i = 0; i < value_count(subjects); i++) {
                const struct value *subject = value_at(subjects, i);

                if (strcmp(print_find_text(subject, "kind", ""), column->other) != 0)
                        continue;
                print_text_join(&text, ", ", spaced ? print_find_text(subject, "namespace", "") : "");
                print_text_add(&text, "%s%s", spaced ? "/" : "", print_find_text(subject, "name", ""));
        }
        print_text_cell(row, &text, NULL);
}

void print_request_duration(struct print_row *row, const struct print_column *column) {
        const struct value *seconds = print_find(row->object, column->path);
        char text[PRINT_AGE_MAX];

        json_string(row->out, seconds ? print_duration(print_find_int(row->object, column->path), text) : "<none>");
}

static bool has_type(const struct value *conditions, const char *type) {
        return print_find_item(conditions, "type", type);
}

void print_request_condition(struct print_row *row, const struct print_column *column) {
        const struct value *conditions = print_find(row->object, "status.conditions");
        struct print_text text = { .arena = row->arena };

        print_text_put(&text, has_type(conditions, "Denied")   ? "Denied" :
                              has_type(conditions, "Approved") ? "Approved" :
                                                                 "Pending");
        if (has_type(conditions, "Failed"))
                print_text_put(&text, ",Failed");
        if (*print_find_text(row->object, "status.certificate", ""))
                print_text_put(&text, ",Issued");
        print_text_cell(row, &text, NULL);
}

/* The last condition that is one of three. */
void print_pod_certificate_state(struct print_row *row, const struct print_column *column) {
        const struct value *conditions = print_find(row->object, "status.conditions");
        const char *state = "Pending";

        for (uint32_t i = 0; i < value_count(conditions); i++) {
                const char *type = print_find_text(value_at(conditions, i), "type", "");

                if (strcmp(type, "Issued") == 0 || strcmp(type, "Denied") == 0 || strcmp(type, "Failed") == 0)
                        state = type;
        }
        json_string(row->out, state);
}

void print_param_kind(struct print_row *row, const struct print_column *column) {
        const struct value *kind = print_find(row->object, column->path);
        struct print_text text = { .arena = row->arena };

        if (kind)
                print_text_add(&text, "%s/%s", print_find_text(kind, "apiVersion", ""),
                               print_find_text(kind, "kind", ""));
        print_text_cell(row, &text, kind ? NULL : "<unset>");
}

static void put_expressions(struct print_text *text, const struct value *expressions) {
        for (uint32_t i = 0; i < value_count(expressions); i++) {
                const struct value *expression = value_at(expressions, i), *values = value_get(expression, "values");

                print_text_add(text, "LabelSelectorRequirement{Key:%s,Operator:%s,Values:[",
                               print_find_text(expression, "key", ""), print_find_text(expression, "operator", ""));
                for (uint32_t j = 0; j < value_count(values); j++)
                        print_text_add(text, "%s%s", j ? " " : "", value_string_or(value_at(values, j), ""));
                print_text_put(text, "],},");
        }
}

/* A selector as Go's generated code prints it. */
static void put_selector(struct print_text *text, struct print_row *row, const struct value *selector) {
        const struct value *labels = print_find(selector, "matchLabels");
        const struct value_member *const *sorted = print_sorted_members(row, labels);

        print_text_put(text, "&LabelSelector{MatchLabels:map[string]string{");
        for (uint32_t i = 0; sorted && sorted[i]; i++)
                print_text_add(text, "%s: %s,", sorted[i]->key, value_string_or(&sorted[i]->value, ""));
        print_text_put(text, "},MatchExpressions:[]LabelSelectorRequirement{");
        put_expressions(text, print_find(selector, "matchExpressions"));
        print_text_put(text, "},}");
}

void print_param_reference(struct print_row *row, const struct print_column *column) {
        const struct value *reference = print_find(row->object, column->path);
        const struct value *selector = print_find(reference, "selector");
        const char *name = print_find_text(reference, "name", ""), *space = print_find_text(reference, "namespace", "");
        struct print_text text = { .arena = row->arena };

        if (*name)
                print_text_add(&text, "%s/%s", *space ? space : "*", name);
        else if (selector)
                put_selector(&text, row, selector);
        else
                print_text_put(&text, "<unset>");
        print_text_cell(row, &text, NULL);
}
