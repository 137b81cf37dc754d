/* What policies of admission match, and their bindings (k8s.io/kubernetes/pkg/apis/admissionregistration/validation,
 * pkg/registry/admissionregistration). */
#include "kube/validate/admission.h"
#include "kube/validate/common.h"
#include "kube/validate/rules.h"
#include "lib/cleanup.h"

/* --- which requests --- */

static void check_rule(struct validation *v, const struct place *at,
                       const struct kube_admissionregistration_v1_named_rule_with_operations *rule) {
        struct kube_admissionregistration_v1_rule_with_operations unnamed = {
                .operations = rule->operations,
                .api_groups = rule->api_groups,
                .api_versions = rule->api_versions,
                .resources = rule->resources,
                .scope = rule->scope,
        };
        _cleanup_validate_set_ struct validate_set names = { 0 };

        for (uint32_t i = 0; i < rule->resource_names.count; i++) {
                const struct place *item = ITEM(FIELD(at, "resourceNames"), i);

                validate_name(v, item, NAME_SEGMENT, rule->resource_names.items[i]);
                if (!validate_set_add(v, &names, rule->resource_names.items[i]))
                        validate_duplicate(v, item, rule->resource_names.items[i]);
        }
        validate_operation_rule(v, at, &unnamed);
}

static void check_present_selector(struct validation *v, const struct place *at,
                                   const struct kube_label_selector *selector) {
        if (!selector)
                validate_required(v, at, "");
        validate_selector(v, at, selector, NULL);
}

void validate_match_resources(struct validation *v, const struct place *at,
                              const struct kube_admissionregistration_v1_match_resources *match) {
        static const char *const policies[] = { "Equivalent", "Exact", NULL };

        if (!match->match_policy)
                validate_required(v, FIELD(at, "matchPolicy"), "");
        else
                validate_choice(v, FIELD(at, "matchPolicy"), match->match_policy, policies);
        check_present_selector(v, FIELD(at, "namespaceSelector"), match->namespace_selector);
        check_present_selector(v, FIELD(at, "objectSelector"), match->object_selector);
        for (uint32_t i = 0; i < match->resource_rules.count; i++)
                check_rule(v, ITEM(FIELD(at, "resourceRules"), i), &match->resource_rules.items[i]);
        for (uint32_t i = 0; i < match->exclude_resource_rules.count; i++)
                check_rule(v, ITEM(FIELD(at, "excludeResourceRules"), i), &match->exclude_resource_rules.items[i]);
}

void validate_mutating_operations(struct validation *v, const struct place *at,
                                  const struct kube_admissionregistration_v1_match_resources *match) {
        static const char *const operations[] = { "*", "CONNECT", "CREATE", "UPDATE", NULL };

        for (uint32_t i = 0; match && i < match->resource_rules.count; i++)
                list_for_each (operation, &match->resource_rules.items[i].operations)
                        validate_choice(v, FIELD(FIELD(at, "resourceRules"), "operations"), *operation, operations);
}

/* --- bindings --- */

static bool given(const char *text) {
        return text && *text;
}

static void check_param_ref(struct validation *v, const struct place *at,
                            const struct kube_admissionregistration_v1_param_ref *ref) {
        static const char *const actions[] = { "Deny", "Allow", NULL };
        const char *exclusive = "name and selector are mutually exclusive";
        const struct place *name = FIELD(at, "name"), *action = FIELD(at, "parameterNotFoundAction");

        if (given(ref->name))
                validate_name(v, name, NAME_SEGMENT, ref->name);
        if (given(ref->name) && ref->selector)
                validate_forbidden(v, name, exclusive);
        validate_selector(v, FIELD(at, "selector"), ref->selector, NULL);
        if (given(ref->name) && ref->selector)
                validate_forbidden(v, FIELD(at, "selector"), exclusive);
        if (!given(ref->name) && !ref->selector)
                validate_required(v, at, "one of name or selector must be specified");
        if (!given(ref->parameter_not_found_action))
                validate_required(v, action, "");
        else
                validate_choice(v, action, ref->parameter_not_found_action, actions);
}

static void check_actions(struct validation *v, const struct place *at, const string_list *actions) {
        static const char *const known[] = { "Audit", "Deny", "Warn", NULL };
        _cleanup_validate_set_ struct validate_set seen = { 0 };

        for (uint32_t i = 0; i < actions->count; i++) {
                validate_choice(v, ITEM(at, i), actions->items[i], known);
                if (!validate_set_add(v, &seen, actions->items[i]))
                        validate_duplicate(v, ITEM(at, i), actions->items[i]);
        }
        if (validate_set_has(&seen, "Deny") && validate_set_has(&seen, "Warn"))
                validate_invalid_json(v, at, validate_json_strings(v, actions),
                                      "must not contain both Deny and Warn (repeating the same validation failure "
                                      "information in the API response and headers serves no purpose)");
        if (actions->count == 0)
                validate_required(v, at, "at least one validation action is required");
}

/* What both kinds of bindings have. */
struct binding {
        const char *policy;
        const struct kube_admissionregistration_v1_param_ref *param;
        const struct kube_admissionregistration_v1_match_resources *match;
};

static void check_binding(struct validation *v, const struct binding *binding) {
        const struct place *at = FIELD(NULL, "spec");

        validate_name_required(v, FIELD(at, "policyName"), NAME_SUBDOMAIN, binding->policy);
        if (binding->param)
                check_param_ref(v, FIELD(at, "paramRef"), binding->param);
        if (binding->match)
                validate_match_resources(v, FIELD(at, "matchResources"), binding->match);
}

static void check_validating_binding(struct validation *v, const void *object, const void *old) {
        const struct kube_admissionregistration_v1_validating_admission_policy_binding *new = object;

        validate_plain_meta(v, &new->metadata, NAME_SUBDOMAIN);
        check_binding(v, &(struct binding){ new->spec.policy_name, new->spec.param_ref, new->spec.match_resources });
        check_actions(v, FIELD(FIELD(NULL, "spec"), "validationActions"), &new->spec.validation_actions);
}

static void check_mutating_binding(struct validation *v, const void *object, const void *old) {
        const struct kube_admissionregistration_v1_mutating_admission_policy_binding *new = object;

        validate_plain_meta(v, &new->metadata, NAME_SUBDOMAIN);
        check_binding(v, &(struct binding){ new->spec.policy_name, new->spec.param_ref, new->spec.match_resources });
        validate_mutating_operations(v, FIELD(FIELD(NULL, "spec"), "matchResources"), new->spec.match_resources);
}

#define GROUP "admissionregistration.k8s.io"

const struct validate_rules validate_admission_binding_rules[] = {
        { GROUP, "MutatingAdmissionPolicyBinding", NAME_SUBDOMAIN, check_mutating_binding, check_mutating_binding,
          NULL },
        { GROUP, "ValidatingAdmissionPolicyBinding", NAME_SUBDOMAIN, check_validating_binding, check_validating_binding,
          NULL },
        { 0 },
};
