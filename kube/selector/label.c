#include "kube/selector/label.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/selector/text.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json_writer.h"
#include "lib/texts.h"
#include "lib/value.h"

static const struct {
        const char *text, *name; /* name: in a LabelSelector */
} operators[] = {
        [SELECTOR_IN] = { " in ", "In" },
        [SELECTOR_EQUALS] = { "=", NULL },
        [SELECTOR_DOUBLE_EQUALS] = { "==", NULL },
        [SELECTOR_NOT_IN] = { " notin ", "NotIn" },
        [SELECTOR_NOT_EQUALS] = { "!=", NULL },
        [SELECTOR_EXISTS] = { "", "Exists" },
        [SELECTOR_DOES_NOT_EXIST] = { "", "DoesNotExist" },
        [SELECTOR_GREATER] = { ">", NULL },
        [SELECTOR_LESS] = { "<", NULL },
};

static bool has_value(const struct selector_requirement *r, const char *value) {
        uint32_t low = 0, high = r->n;

        while (low < high) {
                uint32_t middle = low + (high - low) / 2;
                int order = strcmp(r->values[middle], value);

                if (order == 0)
                        return true;
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return false;
}

static bool requirement_matches(const struct selector_requirement *r, const char *value) {
        int64_t number;

        switch (r->op) {
        case SELECTOR_IN:
        case SELECTOR_EQUALS:
        case SELECTOR_DOUBLE_EQUALS:
                return value && has_value(r, value);
        case SELECTOR_NOT_IN:
        case SELECTOR_NOT_EQUALS:
                return !value || !has_value(r, value);
        case SELECTOR_EXISTS:
                return value;
        case SELECTOR_DOES_NOT_EXIST:
                return !value;
        case SELECTOR_GREATER:
                return value && selector_number(value, &number) && number > r->number;
        case SELECTOR_LESS:
                return value && selector_number(value, &number) && number < r->number;
        }
        return false;
}

bool selector_label_matches(const struct selector_labels *selector, selector_lookup lookup, const void *data) {
        if (selector->nothing)
                return false;
        for (uint32_t i = 0; i < selector->n; i++)
                if (!requirement_matches(&selector->requirements[i], lookup(data, selector->requirements[i].key)))
                        return false;
        return true;
}

const char *selector_label_exact(const struct selector_labels *selector, const char *key) {
        for (uint32_t i = 0; i < selector->n; i++) {
                const struct selector_requirement *r = &selector->requirements[i];

                if (strcmp(r->key, key) == 0 && r->n == 1 && r->op <= SELECTOR_DOUBLE_EQUALS)
                        return r->values[0];
        }
        return NULL;
}

/* The values of an expression, in their order: only what is written sorts them. */
static int take_values(struct arena *arena, const struct value *list, struct selector_requirement *requirement) {
        uint32_t n = value_count(list);
        const char **values = arena_alloc_array(arena, (size_t)n + 1, sizeof(*values));

        if (!values)
                return -ENOMEM;
        for (uint32_t i = 0; i < n; i++)
                values[i] = value_string_or(value_at(list, i), "");
        if (n > 1)
                qsort(values, n, sizeof(*values), texts_order);
        requirement->values = values;
        requirement->n = n;
        return 0;
}

static bool count_fits(const struct selector_requirement *r) {
        return r->op == SELECTOR_EXISTS || r->op == SELECTOR_DOES_NOT_EXIST ? r->n == 0 : r->n > 0;
}

static int take_expression(struct arena *arena, const struct value *expression,
                           struct selector_requirement *requirement, struct err **err) {
        const char *name = value_string_or(value_get(expression, "operator"), "");
        size_t i = 0;
        int r;

        while (i < ELEMENTS(operators) && (!operators[i].name || strcmp(operators[i].name, name) != 0))
                i++;
        if (i == ELEMENTS(operators))
                return err_set(err, EINVAL, "\"%s\" is not a valid label selector operator", name);
        *requirement = (struct selector_requirement){
                .key = value_string_or(value_get(expression, "key"), ""),
                .op = (enum selector_operator)i,
        };
        r = take_values(arena, value_get(expression, "values"), requirement);
        if (r < 0)
                return err_set(err, ENOMEM, "label selector: out of memory");
        if (count_fits(requirement))
                return 0;
        return err_set(err, EINVAL, "values: Invalid value: %s",
                       requirement->n ? "values set must be empty for exists and does not exist" :
                                        "for 'in', 'notin' operators, values set can't be empty");
}

static int take_label(struct arena *arena, const struct value_member *label, struct selector_requirement *requirement,
                      struct err **err) {
        const char **values = arena_alloc_array(arena, 1, sizeof(*values));

        if (!values)
                return err_set(err, ENOMEM, "label selector: out of memory");
        values[0] = value_string_or(&label->value, "");
        *requirement = (struct selector_requirement){ label->key, SELECTOR_EQUALS, values, 1, 0, 0 };
        return 0;
}

/* The requirement at place @i: matchLabels' come first. */
static int take_at(struct arena *arena, const struct value *labels, const struct value *expressions, uint32_t i,
                   struct selector_requirement *requirement, struct err **err) {
        uint32_t n_labels = value_is(labels, VALUE_MAP) ? labels->count : 0;
        struct selector_words words = { 0 };
        int r = i < n_labels ? take_label(arena, &labels->members[i], requirement, err) :
                               take_expression(arena, &expressions->items[i - n_labels], requirement, err);

        if (r < 0)
                return r;
        if (!selector_requirement_check(requirement, &words))
                return err_set(err, EINVAL, "%s", words.text);
        return 0;
}

int selector_label_from(struct arena *arena, const struct value *selector, struct selector_labels *ret_selector,
                        struct err **err) {
        const struct value *labels = value_get(selector, "matchLabels");
        const struct value *expressions = value_get(selector, "matchExpressions");
        uint32_t n = (value_is(labels, VALUE_MAP) ? labels->count : 0) +
                     (value_is(expressions, VALUE_LIST) ? expressions->count : 0);
        struct selector_requirement *requirements = arena_alloc_array(arena, (size_t)n + 1, sizeof(*requirements));
        int r;

        if (!requirements)
                return err_set(err, ENOMEM, "label selector: out of memory");
        for (uint32_t i = 0; i < n; i++)
                if ((r = take_at(arena, labels, expressions, i, &requirements[i], err)) < 0)
                        return r;
        selector_sort(requirements, n);
        *ret_selector = (struct selector_labels){ value_is_null(selector), requirements, n };
        return 0;
}

static size_t text_size(const struct selector_labels *selector) {
        size_t size = 1;

        for (uint32_t i = 0; i < selector->n; i++) {
                const struct selector_requirement *r = &selector->requirements[i];

                size += strlen(r->key) + 16;
                for (uint32_t j = 0; j < r->n; j++)
                        size += strlen(r->values[j]) + 1;
        }
        return size;
}

static char *put_requirement(char *to, const struct selector_requirement *r) {
        bool list = r->op == SELECTOR_IN || r->op == SELECTOR_NOT_IN;

        if (r->op == SELECTOR_DOES_NOT_EXIST)
                to = stpcpy(to, "!");
        to = stpcpy(stpcpy(to, r->key), operators[r->op].text);
        if (list)
                to = stpcpy(to, "(");
        for (uint32_t i = 0; i < r->n; i++)
                to = stpcpy(stpcpy(to, i ? "," : ""), r->values[i]);
        return list ? stpcpy(to, ")") : to;
}

int selector_label_format(struct arena *arena, const struct selector_labels *selector, const char **ret_text) {
        char *text = arena_alloc(arena, text_size(selector)), *to = text;

        if (!text)
                return -ENOMEM;
        for (uint32_t i = 0; i < selector->n; i++)
                to = put_requirement(stpcpy(to, i ? "," : ""), &selector->requirements[i]);
        *ret_text = text;
        return 0;
}

int selector_label_text(struct arena *arena, const struct value *selector, const char **ret_text) {
        struct selector_labels labels;
        int r = selector_label_from(arena, selector, &labels, NULL);

        return r < 0 ? r : selector_label_format(arena, &labels, ret_text);
}
