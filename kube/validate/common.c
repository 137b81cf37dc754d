#include "kube/validate/common.h"

#include <string.h>

#include "kube/type.h"
#include "lib/path.h"

/* --- names --- */

void validate_name(struct validation *v, const struct place *at, enum name_rule rule, const char *name) {
        const char *problems[NAME_PROBLEMS_MAX];
        unsigned n = name_problems(rule, name ?: "", problems);

        for (unsigned i = 0; i < n; i++)
                validate_invalid(v, at, name, problems[i]);
}

void validate_name_required(struct validation *v, const struct place *at, enum name_rule rule, const char *name) {
        if (!name || !*name)
                validate_required(v, at, "");
        else
                validate_name(v, at, rule, name);
}

void validate_name_prefix(struct validation *v, const struct place *at, enum name_rule rule, const char *name) {
        const char *problems[NAME_PROBLEMS_MAX];
        size_t length = strlen(name);
        const char *changed = name;
        char *masked;
        unsigned n;

        /* The last two become one "a": what Go's maskTrailingDash() makes of it. */
        if (rule != NAME_SEGMENT && length > 1 && name[length - 1] == '-') {
                masked = validate_copy(v, name, length - 1);
                if (*masked)
                        masked[length - 2] = 'a';
                changed = masked;
        }
        /* What follows makes another name of "." and "..". */
        if (rule == NAME_SEGMENT && (strcmp(name, ".") == 0 || strcmp(name, "..") == 0))
                return;
        n = name_problems(rule, changed, problems);
        for (unsigned i = 0; i < n; i++)
                validate_invalid(v, at, name, problems[i]);
}

/* --- label selectors --- */

void validate_requirement(struct validation *v, const struct place *at, const struct kube_label_selector_requirement *r,
                          const struct validate_selector_options *options) {
        if (kube_is(r->operator, "In") || kube_is(r->operator, "NotIn")) {
                if (r->values.count == 0)
                        validate_required(v, FIELD(at, "values"),
                                          "must be specified when `operator` is 'In' or 'NotIn'");
        } else if (kube_is(r->operator, "Exists") || kube_is(r->operator, "DoesNotExist")) {
                if (r->values.count > 0)
                        validate_forbidden(v, FIELD(at, "values"),
                                           "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        } else if (!options->any_operator) {
                validate_invalid_word(v, FIELD(at, "operator"), r->operator, "not a valid selector operator");
        }
        validate_name(v, FIELD(at, "key"), NAME_QUALIFIED, r->key);
        for (uint32_t i = 0; i < r->values.count && !options->any_value; i++)
                validate_name(v, ITEM(FIELD(at, "values"), i), NAME_LABEL_VALUE, r->values.items[i]);
}

void validate_selector(struct validation *v, const struct place *at, const struct kube_label_selector *selector,
                       const struct validate_selector_options *options) {
        static const struct validate_selector_options none = { false, false };

        if (!selector)
                return;
        validate_labels(v, FIELD(at, "matchLabels"), &selector->match_labels);
        for (uint32_t i = 0; i < selector->match_expressions.count; i++)
                validate_requirement(v, ITEM(FIELD(at, "matchExpressions"), i), &selector->match_expressions.items[i],
                                     options ?: &none);
}

/* --- conditions (meta/v1) --- */

#define REASON_BYTES_MAX 1024
#define MESSAGE_BYTES_MAX (32 * 1024)

static bool is_reason(const char *reason) {
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        static const char all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_,:";
        size_t n = strlen(reason);

        return n > 0 && strchr(letters, reason[0]) && strspn(reason, all) == n && !strchr(",:", reason[n - 1]);
}

static void check_condition(struct validation *v, const struct place *at, const struct kube_condition *c) {
        static const char *const statuses[] = { "False", "True", "Unknown", NULL };

        validate_name(v, FIELD(at, "type"), NAME_QUALIFIED, c->type);
        validate_choice(v, FIELD(at, "status"), c->status, statuses);
        if (c->observed_generation < 0)
                validate_invalid_int(v, FIELD(at, "observedGeneration"), c->observed_generation,
                                     "must be greater than or equal to zero");
        if (!c->last_transition_time.set)
                validate_required(v, FIELD(at, "lastTransitionTime"), "");
        if (!c->reason || !*c->reason)
                validate_required(v, FIELD(at, "reason"), "");
        else if (!is_reason(c->reason))
                validate_invalid(v, FIELD(at, "reason"), c->reason,
                                 "a condition reason must start with alphabetic character, optionally followed by a "
                                 "string of alphanumeric characters or '_,:', and must end with an alphanumeric "
                                 "character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or "
                                 "'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is "
                                 "'[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')");
        if (strlen(c->reason ?: "") > REASON_BYTES_MAX)
                validate_too_long(v, FIELD(at, "reason"), REASON_BYTES_MAX);
        if (strlen(c->message ?: "") > MESSAGE_BYTES_MAX)
                validate_too_long(v, FIELD(at, "message"), MESSAGE_BYTES_MAX);
}

void validate_conditions(struct validation *v, const struct place *at, const kube_condition_items *conditions) {
        _cleanup_validate_set_ struct validate_set types = { 0 };

        for (uint32_t i = 0; i < conditions->count; i++) {
                const struct kube_condition *c = &conditions->items[i];

                if (!validate_set_add(v, &types, c->type))
                        validate_duplicate(v, FIELD(ITEM(at, i), "type"), c->type);
                check_condition(v, ITEM(at, i), c);
        }
}

/* --- paths --- */

void validate_no_backsteps(struct validation *v, const struct place *at, const char *path) {
        if (path && path_steps_back(path))
                validate_invalid(v, at, path, "must not contain '..'");
}

void validate_relative(struct validation *v, const struct place *at, const char *path) {
        if (path && *path == '/')
                validate_invalid(v, at, path, "must be a relative path");
        validate_no_backsteps(v, at, path);
}

/* --- numbers, quantities, choices --- */

void validate_not_negative(struct validation *v, const struct place *at, int64_t value) {
        if (value < 0)
                validate_invalid_int(v, at, value, VALIDATE_NOT_NEGATIVE);
}

void validate_positive(struct validation *v, const struct place *at, int64_t value) {
        if (value <= 0)
                validate_invalid_int(v, at, value, VALIDATE_NOT_POSITIVE);
}

void validate_range(struct validation *v, const struct place *at, int64_t value, int64_t min, int64_t max) {
        if (value < min || value > max)
                validate_invalid_int(
                        v, at, value,
                        validate_text(v, "must be between %lld and %lld, inclusive", (long long)min, (long long)max));
}

void validate_port(struct validation *v, const struct place *at, int64_t port) {
        validate_range(v, at, port, 1, 65535);
}

void validate_quantity_not_negative(struct validation *v, const struct place *at, struct quantity value) {
        if (quantity_sign(value) < 0)
                validate_invalid_quantity(v, at, value, VALIDATE_NOT_NEGATIVE);
}

void validate_quantity_positive(struct validation *v, const struct place *at, struct quantity value) {
        if (quantity_sign(value) <= 0)
                validate_invalid_quantity(v, at, value, VALIDATE_NOT_POSITIVE);
}

bool validate_is_one(const char *value, const char *const *choices) {
        for (size_t i = 0; choices[i]; i++)
                if (strcmp(value ?: "", choices[i]) == 0)
                        return true;
        return false;
}

void validate_choice(struct validation *v, const struct place *at, const char *value, const char *const *choices) {
        if (!validate_is_one(value, choices))
                validate_unsupported(v, at, value, choices);
}
