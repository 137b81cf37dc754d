/* Policies of admission (k8s.io/kubernetes/pkg/apis/admissionregistration/validation,
 * pkg/registry/admissionregistration). Expressions in CEL are not compiled: what is wrong in them is found by who
 * evaluates them. */
#include <ctype.h>
#include <string.h>

#include "kube/validate/admission.h"
#include "kube/validate/common.h"
#include "kube/validate/rules.h"
#include "kube/validate/workload.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#define ANNOTATIONS_MAX 20
#define VALUE_EXPRESSION_MAX (5 * 1024)

static bool given(const char *text) {
        return text && *text;
}

/* All that is wrong with a name, as one text. */
static const char *joined_problems(struct validation *v, enum name_rule rule, const char *name) {
        const char *problems[NAME_PROBLEMS_MAX], *text = NULL;
        unsigned n = name_problems(rule, name, problems);

        for (unsigned i = 0; i < n; i++)
                text = validate_text(v, "%s%s%s", text ?: "", text ? "," : "", problems[i]);
        return text;
}

static void check_expression(struct validation *v, const struct place *at, const char *expression,
                             const char *missing) {
        if (validate_is_blank(expression))
                validate_required(v, FIELD(at, "expression"), missing);
}

/* --- what both kinds of policies have --- */

static void check_group_version(struct validation *v, const struct place *at, const char *text) {
        const char *slash = strcmp(text, "/") == 0 ? text : strchr(text, '/'), *version = slash ? slash + 1 : text,
                   *group = slash ? arena_strndup(v->arena, text, (size_t)(slash - text)) : "", *problem;

        if (slash && strchr(version, '/')) {
                validate_invalid(v, at, text, validate_text(v, "unexpected GroupVersion string: %s", text));
                return;
        }
        problem = given(group) ? joined_problems(v, NAME_SUBDOMAIN, group) : NULL;
        if (problem)
                validate_invalid(v, at, group, problem);
        problem = *version ? joined_problems(v, NAME_LABEL_1035, version) : NULL;
        if (!*version)
                validate_invalid(v, at, text, "version must be specified");
        else if (problem)
                validate_invalid(v, at, version, problem);
}

static void check_param_kind(struct validation *v, const struct place *at,
                             const struct kube_admissionregistration_v1_param_kind *kind) {
        char *lower = arena_strdup(v->arena, kind->kind);
        const char *problem;

        if (given(kind->api_version))
                check_group_version(v, FIELD(at, "apiVersion"), kind->api_version);
        else
                validate_required(v, FIELD(at, "apiVersion"), "");
        if (!given(kind->kind)) {
                validate_required(v, FIELD(at, "kind"), "");
                return;
        }
        for (char *c = lower; c && *c; c++)
                *c = (char)tolower((unsigned char)*c);
        problem = joined_problems(v, NAME_LABEL_1035, lower ?: kind->kind);
        if (problem)
                validate_invalid(v, FIELD(at, "kind"), kind->kind,
                                 validate_text(v, "may have mixed case, but should otherwise match: %s", problem));
}

static void check_constraints(struct validation *v, const struct place *at,
                              const struct kube_admissionregistration_v1_match_resources *match) {
        if (!match) {
                validate_required(v, at, "");
                return;
        }
        validate_match_resources(v, at, match);
        if (match->resource_rules.count == 0)
                validate_required(v, FIELD(at, "resourceRules"), "");
}

static void check_failure(struct validation *v, const struct place *at, const char *policy) {
        static const char *const policies[] = { "Fail", "Ignore", NULL };

        if (!policy)
                validate_required(v, at, "");
        else
                validate_choice(v, at, policy, policies);
}

static bool is_identifier(const char *name) {
        static const char *const reserved[] = { "true",   "false",    "null",  "in",      "as",        "break",
                                                "const",  "continue", "else",  "for",     "function",  "if",
                                                "import", "let",      "loop",  "package", "namespace", "return",
                                                "var",    "void",     "while", NULL };

        return !name_problem(NAME_C_IDENTIFIER, name) && !validate_is_one(name, reserved);
}

static void check_variables(struct validation *v, const struct place *at,
                            const kube_admissionregistration_v1_variable_items *variables) {
        for (uint32_t i = 0; i < variables->count; i++) {
                const struct place *item = ITEM(at, i), *name = FIELD(item, "name");

                if (validate_is_blank(variables->items[i].name))
                        validate_required(v, name, "name is not specified");
                else if (!is_identifier(variables->items[i].name))
                        validate_invalid(v, name, variables->items[i].name, "must be a valid CEL identifier");
                check_expression(v, item, variables->items[i].expression, "expression is not specified");
        }
}

/* --- ValidatingAdmissionPolicy --- */

typedef const struct kube_admissionregistration_v1_validating_admission_policy *policy_ref;

static void check_validation(struct validation *v, const struct place *at,
                             const struct kube_admissionregistration_v1_validation *validation) {
        static const char *const reasons[] = { "Forbidden", "Invalid", "RequestEntityTooLarge", NULL };
        const char *message = validation->message ?: "";
        size_t begin = strspn(message, " \t\n\v\f\r"), line = strcspn(message + begin, "\n\r");

        check_expression(v, at, validation->expression, "expression is not specified");
        if (given(validation->message_expression) && validate_is_blank(validation->message_expression))
                validate_invalid(v, FIELD(at, "messageExpression"), validation->message_expression,
                                 "must be non-empty if specified");
        if (*message && !message[begin])
                validate_invalid(v, FIELD(at, "message"), message, "must be non-empty if specified");
        else if (!validate_is_blank(message + begin + line))
                validate_invalid(v, FIELD(at, "message"), message, "must not contain line breaks");
        if (validation->reason)
                validate_choice(v, FIELD(at, "reason"), validation->reason, reasons);
}

static void check_annotation(struct validation *v, const struct place *at,
                             const struct kube_admissionregistration_v1_audit_annotation *annotation,
                             const char *policy) {
        const struct place *key = FIELD(at, "key"), *value = FIELD(at, "valueExpression");

        if (given(policy))
                validate_name(v, key, NAME_QUALIFIED, validate_text(v, "%s/%s", policy, annotation->key ?: ""));
        else
                validate_invalid(v, key, annotation->key, "requires metadata.name be non-empty");
        if (validate_is_blank(annotation->value_expression))
                validate_required(v, value, "valueExpression is not specified");
        else if (strlen(annotation->value_expression) > VALUE_EXPRESSION_MAX)
                validate_required(v, value, "must not exceed 5120 bytes in length");
}

static void check_annotations(struct validation *v, const struct place *at, policy_ref policy) {
        const kube_admissionregistration_v1_audit_annotation_items *all = &policy->spec.audit_annotations;
        _cleanup_validate_set_ struct validate_set keys = { 0 };

        if (all->count > ANNOTATIONS_MAX)
                validate_invalid_json(
                        v, at,
                        validate_go_json_field(v, &kube_admissionregistration_v1_validating_admission_policy_spec_type,
                                               "auditAnnotations", &policy->spec),
                        "must not have more than 20 auditAnnotations");
        for (uint32_t i = 0; i < all->count; i++) {
                check_annotation(v, ITEM(at, i), &all->items[i], policy->metadata.name);
                if (!validate_set_add(v, &keys, all->items[i].key))
                        validate_duplicate(v, FIELD(ITEM(at, i), "key"), all->items[i].key);
        }
}

static void check_policy(struct validation *v, const void *object, const void *before) {
        policy_ref new = object, old = before;
        const struct kube_admissionregistration_v1_validating_admission_policy_spec *spec = &new->spec;
        const struct kube_type *type = &kube_admissionregistration_v1_validating_admission_policy_spec_type;
        const struct place *at = FIELD(NULL, "spec"), *validations = FIELD(at, "validations"),
                           *annotations = FIELD(at, "auditAnnotations");
        const char *none = "validations or auditAnnotations must contain at least one item";

        validate_plain_meta(v, &new->metadata, NAME_SUBDOMAIN);
        check_failure(v, FIELD(at, "failurePolicy"), spec->failure_policy);
        if (spec->param_kind)
                check_param_kind(v, FIELD(at, "paramKind"), spec->param_kind);
        check_constraints(v, FIELD(at, "matchConstraints"), spec->match_constraints);
        if (!old || !validate_equal_field(type, "paramKind", spec, &old->spec) ||
            !validate_equal_field(type, "matchConditions", spec, &old->spec))
                validate_match_conditions(v, FIELD(at, "matchConditions"), &spec->match_conditions);
        check_variables(v, FIELD(at, "variables"), &spec->variables);
        if (spec->validations.count + spec->audit_annotations.count == 0) {
                validate_required(v, validations, none);
                validate_required(v, annotations, none);
        }
        for (uint32_t i = 0; i < spec->validations.count; i++)
                check_validation(v, ITEM(validations, i), &spec->validations.items[i]);
        check_annotations(v, annotations, new);
}

static void check_policy_status(struct validation *v, const void *object, const void *old) {
        policy_ref new = object;
        const struct place *at = FIELD(NULL, "status"),
                           *warnings = FIELD(FIELD(at, "typeChecking"), "expressionWarnings");
        const struct kube_admissionregistration_v1_type_checking *checking = new->status.type_checking;

        for (uint32_t i = 0; checking && i < checking->expression_warnings.count; i++) {
                const struct place *item = ITEM(warnings, i);

                if (!given(checking->expression_warnings.items[i].warning))
                        validate_required(v, FIELD(item, "warning"), "");
                if (validate_is_blank(checking->expression_warnings.items[i].field_ref))
                        validate_required(v, FIELD(item, "fieldRef"), "");
        }
        validate_conditions(v, FIELD(at, "conditions"), &new->status.conditions);
}

/* --- MutatingAdmissionPolicy --- */

static void check_mutation(struct validation *v, const struct place *at,
                           const struct kube_admissionregistration_v1_mutation *mutation) {
        static const char *const types[] = { "ApplyConfiguration", "JSONPatch", NULL };
        const struct place *patch = FIELD(at, "jsonPatch"), *apply = FIELD(at, "applyConfiguration");
        bool patches = kube_is(mutation->patch_type, "JSONPatch");

        if (!given(mutation->patch_type)) {
                validate_required(v, FIELD(at, "patchType"), "");
                return;
        }
        if (!validate_is_one(mutation->patch_type, types)) {
                validate_unsupported(v, FIELD(at, "patchType"), mutation->patch_type, types);
                return;
        }
        if (patches && !mutation->json_patch)
                validate_required(v, patch, "must be specified when patchType is JSONPatch");
        else if (patches)
                check_expression(v, patch, mutation->json_patch->expression, "");
        if (patches && mutation->apply_configuration)
                validate_invalid(v, apply, "{applyConfiguration}", "must not be specified when patchType is JSONPatch");
        if (!patches && !mutation->apply_configuration)
                validate_required(v, apply, "must be specified when patchType is ApplyConfiguration");
        else if (!patches)
                check_expression(v, apply, mutation->apply_configuration->expression, "");
        if (!patches && mutation->json_patch)
                validate_invalid(v, patch, "{jsonPatch}", "must not be specified when patchType is ApplyConfiguration");
}

static void check_mutating_policy(struct validation *v, const void *object, const void *before) {
        static const char *const again[] = { "IfNeeded", "Never", NULL };
        const struct kube_admissionregistration_v1_mutating_admission_policy *new = object, *old = before;
        const struct kube_admissionregistration_v1_mutating_admission_policy_spec *spec = &new->spec;
        const struct kube_type *type = &kube_admissionregistration_v1_mutating_admission_policy_spec_type;
        const struct place *at = FIELD(NULL, "spec"), *constraints = FIELD(at, "matchConstraints"),
                           *mutations = FIELD(at, "mutations");

        validate_plain_meta(v, &new->metadata, NAME_SUBDOMAIN);
        check_failure(v, FIELD(at, "failurePolicy"), spec->failure_policy);
        if (spec->param_kind)
                check_param_kind(v, FIELD(at, "paramKind"), spec->param_kind);
        check_constraints(v, constraints, spec->match_constraints);
        validate_mutating_operations(v, constraints, spec->match_constraints);
        if (!old || !validate_equal_field(type, "paramKind", spec, &old->spec) ||
            !validate_equal_field(type, "matchConditions", spec, &old->spec))
                validate_match_conditions(v, FIELD(at, "matchConditions"), &spec->match_conditions);
        check_variables(v, FIELD(at, "variables"), &spec->variables);
        if (spec->mutations.count == 0)
                validate_required(v, mutations, "mutations must contain at least one item");
        for (uint32_t i = 0; i < spec->mutations.count; i++)
                check_mutation(v, ITEM(mutations, i), &spec->mutations.items[i]);
        if (!given(spec->reinvocation_policy))
                validate_required(v, FIELD(at, "reinvocationPolicy"), "");
        else
                validate_choice(v, FIELD(at, "reinvocationPolicy"), spec->reinvocation_policy, again);
}

static const struct validate_sub subs[] = { { "status", check_policy_status }, { 0 } };

#define GROUP "admissionregistration.k8s.io"

const struct validate_rules validate_admission_policy_rules[] = {
        { GROUP, "MutatingAdmissionPolicy", NAME_SUBDOMAIN, check_mutating_policy, check_mutating_policy, NULL },
        { GROUP, "ValidatingAdmissionPolicy", NAME_SUBDOMAIN, check_policy, check_policy, subs },
        { 0 },
};
