#include "kube/pod/node_selector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

static bool is_among(const char *text, const string_list *values) {
        for (uint32_t i = 0; text && i < values->count; i++)
                if (strcmp(values->items[i], text) == 0)
                        return true;
        return false;
}

static const char *first(const string_list *values) {
        return values->count > 0 ? values->items[0] : NULL;
}

static bool read_number(const char *text, int64_t *ret) {
        char *end;

        if (!text || !*text)
                return false;
        errno = 0;
        *ret = strtoll(text, &end, 10);
        return !errno && !*end;
}

static bool in(const char *label, const string_list *values) {
        return is_among(label, values);
}

static bool not_in(const char *label, const string_list *values) {
        return !is_among(label, values);
}

static bool exists(const char *label, const string_list *values) {
        return label && values->count == 0;
}

static bool does_not_exist(const char *label, const string_list *values) {
        return !label && values->count == 0;
}

static bool greater(const char *label, const string_list *values) {
        int64_t a, b;

        return read_number(label, &a) && read_number(first(values), &b) && a > b;
}

static bool less(const char *label, const string_list *values) {
        int64_t a, b;

        return read_number(label, &a) && read_number(first(values), &b) && a < b;
}

static const struct {
        const char *name;
        bool (*holds)(const char *label, const string_list *values); /* @label NULL: the node has none */
} operators[] = {
        { "In", in },      { "NotIn", not_in }, { "Exists", exists }, { "DoesNotExist", does_not_exist },
        { "Gt", greater }, { "Lt", less },
};

static bool holds(const struct kube_node_selector_requirement *expression, const string_map *labels) {
        for (size_t i = 0; expression->key && expression->operator&& i<ELEMENTS(operators); i++)
                if (strcmp(operators[i].name, expression->operator) == 0)
                        return operators[i].holds(string_map_get(labels, expression->key), &expression->values);
        return false;
}

static bool all_hold(const struct kube_node_selector_requirement *expressions, uint32_t n, const string_map *labels) {
        for (uint32_t i = 0; i < n; i++)
                if (!holds(&expressions[i], labels))
                        return false;
        return true;
}

bool pod_term_fits_node(const struct kube_node_selector_term *term, const string_map *labels, const char *name) {
        struct string_pair pair = { "metadata.name", name };
        const string_map own = { &pair, 1 };

        return term->match_expressions.count + term->match_fields.count > 0 &&
               all_hold(term->match_expressions.items, term->match_expressions.count, labels) &&
               all_hold(term->match_fields.items, term->match_fields.count, &own);
}

static const struct kube_node_selector *required_of(const struct kube_affinity *affinity) {
        const struct kube_node_affinity *of_node = affinity ? affinity->node_affinity : NULL;

        return of_node ? of_node->required_during_scheduling_ignored_during_execution : NULL;
}

bool pod_fits_node(const struct kube_pod_spec *spec, const string_map *labels, const char *name) {
        const struct kube_node_selector *required = required_of(spec->affinity);

        list_for_each (pair, &spec->node_selector) {
                const char *label = string_map_get(labels, pair->key);

                if (!label || strcmp(label, pair->value) != 0)
                        return false;
        }
        if (!required)
                return true;
        list_for_each (term, &required->node_selector_terms)
                if (pod_term_fits_node(term, labels, name))
                        return true;
        return false;
}
