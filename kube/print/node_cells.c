#include <stdlib.h>
#include <string.h>

#include "kube/print/cells.h"
#include "kube/print/text.h"
#include "kube/quantity.h"
#include "lib/arena.h"
#include "lib/json_writer.h"
#include "lib/texts.h"

#define ROLE_PREFIX "node-role.kubernetes.io/"
#define ROLE_LABEL "kubernetes.io/role"

void print_node_status(struct print_row *row, const struct print_column *column) {
        const struct value *conditions = print_find(row->object, "status.conditions"), *ready = NULL;
        struct print_text text = { .arena = row->arena };

        for (uint32_t i = 0; i < value_count(conditions); i++) /* the last one counts */
                if (strcmp(print_find_text(value_at(conditions, i), "type", ""), "Ready") == 0)
                        ready = value_at(conditions, i);
        if (!ready)
                print_text_put(&text, "Unknown");
        else
                print_text_put(&text, strcmp(print_find_text(ready, "status", ""), "True") == 0 ? "Ready" : "NotReady");
        if (value_bool_or(print_find(row->object, "spec.unschedulable"), false))
                print_text_put(&text, ",SchedulingDisabled");
        print_text_cell(row, &text, NULL);
}

/* The role that a label gives; "" for none. */
static const char *role_of(const struct value_member *label) {
        if (strncmp(label->key, ROLE_PREFIX, strlen(ROLE_PREFIX)) == 0)
                return label->key + strlen(ROLE_PREFIX);
        return strcmp(label->key, ROLE_LABEL) == 0 ? value_string_or(&label->value, "") : "";
}

void print_node_roles(struct print_row *row, const struct print_column *column) {
        const struct value *labels = print_find(row->object, column->path);
        uint32_t n = value_is(labels, VALUE_MAP) ? labels->count : 0;
        const char **roles = arena_alloc_array(row->arena, (size_t)n + 1, sizeof(*roles));
        struct print_text text = { .arena = row->arena, .failed = !roles };

        for (uint32_t i = 0; roles && i < n; i++)
                roles[i] = role_of(&labels->members[i]);
        if (roles && n > 1)
                qsort(roles, n, sizeof(*roles), texts_order);
        for (uint32_t i = 0; roles && i < n; i++)
                if (*roles[i] && (i == 0 || strcmp(roles[i], roles[i - 1]) != 0))
                        print_text_join(&text, ",", roles[i]);
        print_text_cell(row, &text, "<none>");
}

void print_node_address(struct print_row *row, const struct print_column *column) {
        const struct value *address = print_find_item(print_find(row->object, column->path), "type", column->other);

        json_string(row->out, address ? print_find_text(address, "address", "") : "<none>");
}

void print_node_kernel(struct print_row *row, const struct print_column *column) {
        const char *kernel = print_find_text(row->object, "status.nodeInfo.kernelVersion", "");
        const char *architecture = print_find_text(row->object, "status.nodeInfo.architecture", "");
        struct print_text text = { .arena = row->arena };

        print_text_put(&text, *kernel ? kernel : "<unknown>");
        if (*architecture)
                print_text_add(&text, " (%s)", architecture);
        print_text_cell(row, &text, NULL);
}

void print_sum(struct print_row *row, const struct print_column *column) {
        const struct value *containers = print_find(row->object, "containers");
        struct quantity sum = { 0 }, one;
        char text[QUANTITY_TEXT_MAX];

        for (uint32_t i = 0; i < value_count(containers); i++) {
                const struct value *used = value_get(value_get(value_at(containers, i), "usage"), column->other);

                if (quantity_parse(value_string_or(used, ""), &one, NULL) == 0)
                        sum = i == 0 ? one : quantity_add(sum, one);
        }
        json_string(row->out, quantity_format(sum, text));
}
