#include "kube/node_selector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/value.h"

static bool is_among(const char *text, const struct value *values) {
        for (uint32_t i = 0; text && i < value_count(values); i++) {
                const char *one = value_string(value_at(values, i));

                if (one && strcmp(one, text) == 0)
                        return true;
        }
        return false;
}

static bool read_number(const char *text, int64_t *ret) {
        char *end;

        if (!text || !*text)
                return false;
        errno = 0;
        *ret = strtoll(text, &end, 10);
        return !errno && !*end;
}

static bool in(const char *label, const struct value *values) {
        return is_among(label, values);
}

static bool not_in(const char *label, const struct value *values) {
        return !is_among(label, values);
}

static bool exists(const char *label, const struct value *values) {
        return label && value_count(values) == 0;
}

static bool does_not_exist(const char *label, const struct value *values) {
        return !label && value_count(values) == 0;
}

static bool greater(const char *label, const struct value *values) {
        int64_t a, b;

        return read_number(label, &a) && read_number(value_string(value_at(values, 0)), &b) && a > b;
}

static bool less(const char *label, const struct value *values) {
        int64_t a, b;

        return read_number(label, &a) && read_number(value_string(value_at(values, 0)), &b) && a < b;
}

static const struct {
        const char *name;
        bool (*holds)(const char *label, const struct value *values); /* @label NULL: the node has none */
} operators[] = {
        { "In", in },      { "NotIn", not_in }, { "Exists", exists }, { "DoesNotExist", does_not_exist },
        { "Gt", greater }, { "Lt", less },
};

static bool holds(const struct value *expression, const string_map *labels) {
        const char *key = value_string(value_get(expression, "key")),
                   *operator= value_string_or(value_get(expression, "operator"), "");

        for (size_t i = 0; key && i < ELEMENTS(operators); i++)
                if (strcmp(operators[i].name, operator) == 0)
                        return operators[i].holds(string_map_get(labels, key), value_get(expression, "values"));
        return false;
}

static bool all_hold(const struct value *expressions, const string_map *labels) {
        for (uint32_t i = 0; i < value_count(expressions); i++)
                if (!holds(value_at(expressions, i), labels))
                        return false;
        return true;
}

static bool term_matches(const struct value *term, const string_map *labels, const char *name) {
        const struct value *expressions = value_get(term, "matchExpressions"), *fields = value_get(term, "matchFields");
        struct string_pair pair = { "metadata.name", name };
        const string_map own = { &pair, 1 };

        return value_count(expressions) + value_count(fields) > 0 && all_hold(expressions, labels) &&
               all_hold(fields, &own);
}

bool pod_fits_node(const struct pod_spec *spec, const string_map *labels, const char *name) {
        const struct value *required =
                value_find(spec->affinity, "nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution");
        const struct value *terms = value_get(required, "nodeSelectorTerms");

        list_for_each (pair, &spec->node_selector) {
                const char *label = string_map_get(labels, pair->key);

                if (!label || strcmp(label, pair->value) != 0)
                        return false;
        }
        if (value_is_null(required))
                return true;
        for (uint32_t i = 0; i < value_count(terms); i++)
                if (term_matches(value_at(terms, i), labels, name))
                        return true;
        return false;
}
