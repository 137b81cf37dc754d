#include "kube/validate/workload.h"

#include <stdlib.h>
#include <string.h>

#include "kube/names.h"
#include "kube/validate/common.h"
#include "lib/arena.h"
#include "lib/go_number.h"

/* --- numbers and percentages --- */

static bool is_percent(const char *text) {
        size_t digits = strspn(text, "0123456789");

        return digits > 0 && strcmp(text + digits, "%") == 0;
}

int64_t validate_percent_number(const struct int_or_string *value) {
        const char *text = value->text;
        char *end;
        long long number;

        if (!text)
                return value->number;
        number = strtoll(text, &end, 10);
        return is_percent(text) || (end != text && !*end) ? number : 0;
}

void validate_invalid_int_or_string(struct validation *v, const struct place *at, const struct int_or_string *value,
                                    const char *detail) {
        if (value->text)
                validate_invalid_word(v, at, value->text, detail);
        else
                validate_invalid_int(v, at, value->number, detail);
}

void validate_int_or_percent(struct validation *v, const struct place *at, const struct int_or_string *value) {
        if (!value->text)
                validate_not_negative(v, at, value->number);
        else if (!is_percent(value->text))
                validate_invalid_word(v, at, value->text,
                                      "a valid percent string must be a numeric string followed by an ending '%' "
                                      "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')");
}

void validate_percent_max(struct validation *v, const struct place *at, const struct int_or_string *value) {
        if (value->text && is_percent(value->text) && validate_percent_number(value) > 100)
                validate_invalid_word(v, at, value->text, "must not be greater than 100%");
}

size_t validate_map_bytes(const string_map *map) {
        size_t bytes = 0;

        list_for_each (pair, map)
                bytes += strlen(pair->key) + strlen(pair->value ?: "");
        return bytes;
}

/* --- what stands twice --- */

struct standing {
        const char *text;
        uint32_t at;
};

static int standing_order(const void *a, const void *b) {
        const struct standing *one = a, *other = b;

        return strcmp(one->text, other->text) ?: (one->at > other->at) - (one->at < other->at);
}

const bool *validate_repeated(struct validation *v, const char *const *texts, uint32_t n) {
        struct standing *all = arena_alloc_array(v->arena, n, sizeof(*all));
        bool *repeated = arena_alloc_array(v->arena, n, sizeof(*repeated));

        if (!all || !repeated)
                return NULL;
        for (uint32_t i = 0; i < n; i++)
                all[i] = (struct standing){ texts[i] ?: "", i };
        qsort(all, n, sizeof(*all), standing_order);
        for (uint32_t i = 1; i < n; i++)
                repeated[all[i].at] = strcmp(all[i].text, all[i - 1].text) == 0;
        return repeated;
}

/* --- selectors --- */

static bool are_values(const string_list *values) {
        for (uint32_t i = 0; i < values->count; i++)
                if (name_problem(NAME_LABEL_VALUE, values->items[i] ?: ""))
                        return false;
        return true;
}

static bool is_sound(const struct kube_label_selector_requirement *r) {
        bool listed = kube_is(r->operator, "In") || kube_is(r->operator, "NotIn"),
             there = kube_is(r->operator, "Exists") || kube_is(r->operator, "DoesNotExist");

        return (listed || there) && listed == (r->values.count > 0) && !name_problem(NAME_QUALIFIED, r->key ?: "") &&
               are_values(&r->values);
}

bool validate_selector_is_sound(const struct kube_label_selector *selector) {
        if (!selector)
                return true;
        list_for_each (pair, &selector->match_labels)
                if (name_problem(NAME_QUALIFIED, pair->key) || name_problem(NAME_LABEL_VALUE, pair->value ?: ""))
                        return false;
        list_for_each (requirement, &selector->match_expressions)
                if (!is_sound(requirement))
                        return false;
        return true;
}

bool validate_selector_has_bad_value(const struct kube_label_selector *selector) {
        for (uint32_t i = 0; selector && i < selector->match_expressions.count; i++)
                if (!are_values(&selector->match_expressions.items[i].values))
                        return true;
        return false;
}

bool validate_selector_is_empty(const struct kube_label_selector *selector) {
        return selector && selector->match_labels.count + selector->match_expressions.count == 0;
}

static bool matches(const struct kube_label_selector_requirement *r, const char *value) {
        if (kube_is(r->operator, "Exists"))
                return value;
        if (kube_is(r->operator, "DoesNotExist"))
                return !value;
        if (kube_is(r->operator, "NotIn"))
                return !value || !kube_has(&r->values, value);
        return value && kube_has(&r->values, value);
}

bool validate_selector_matches(const struct kube_label_selector *selector, const string_map *labels) {
        if (!selector)
                return false;
        list_for_each (pair, &selector->match_labels) {
                const char *value = string_map_get(labels, pair->key);

                if (!value || strcmp(value, pair->value ?: "") != 0)
                        return false;
        }
        list_for_each (requirement, &selector->match_expressions)
                if (!matches(requirement, string_map_get(labels, requirement->key ?: "")))
                        return false;
        return true;
}

void validate_unmatched_labels(struct validation *v, const struct place *at,
                               const struct kube_pod_template_spec *template) {
        validate_invalid_json(v, FIELD(FIELD(at, "metadata"), "labels"),
                              validate_field_json(v, &kube_object_meta_type, "labels", &template->metadata),
                              "`selector` does not match template `labels`");
}

/* --- choices --- */

void validate_text_choice(struct validation *v, const struct place *at, const char *value, const char *const *choices) {
        if (!validate_is_one(value, choices))
                validate_unsupported_json(v, at, validate_quoted(v, value), choices);
}

/* --- names of several parts --- */

void validate_domain_path(struct validation *v, const struct place *at, const char *text) {
        static const char characters[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-._~%!$&'()*+,;=:";
        const char *slash = strchr(text ?: "", '/');

        if (!text || !*text) {
                validate_required(v, at, "");
                return;
        }
        if (!slash || slash == text || !slash[1]) {
                validate_invalid(v, at, text, "must be a domain-prefixed path (such as \"acme.io/foo\")");
                return;
        }
        validate_name(v, at, NAME_SUBDOMAIN, arena_strndup(v->arena, text, (size_t)(slash - text)));
        if (slash[1 + strspn(slash + 1, characters)])
                validate_invalid(v, at, slash + 1,
                                 "Invalid path (regex used for validation is "
                                 "'[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')");
}

/* --- annotations --- */

int64_t validate_annotated_number(const string_map *annotations, const char *key) {
        const char *text = string_map_get(annotations, key);
        int64_t number = 0;

        return text && go_number_int(text, &number) == 0 ? number : 0;
}

/* --- counters --- */

void validate_not_negative_if(struct validation *v, const struct place *at, const struct opt_int *value) {
        if (value->set)
                validate_not_negative(v, at, value->value);
}

void validate_not_decremented(struct validation *v, const struct place *at, const struct opt_int *new,
                              const struct opt_int *old) {
        int64_t value = new->set ? new->value : 0;

        if (old->set && (!new->set || value < old->value))
                validate_invalid_int(v, at, value, "cannot be decremented");
}

void validate_not_more(struct validation *v, const struct place *at, int64_t part, int64_t whole, const char *detail) {
        if (part > whole)
                validate_invalid_int(v, at, part, detail);
}
