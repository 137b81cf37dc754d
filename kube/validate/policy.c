/* PodDisruptionBudgets (k8s.io/kubernetes/pkg/apis/policy/validation, pkg/registry/policy). */
#include "kube/policy_v1.h"
#include "kube/validate/common.h"
#include "kube/validate/rules.h"
#include "kube/validate/workload.h"

static void check_number(struct validation *v, const struct place *at, const struct int_or_string *number) {
        if (!number->set)
                return;
        validate_int_or_percent(v, at, number);
        validate_percent_max(v, at, number);
}

/* Its metadata is no affair of the strategy's. */
static void check_budget(struct validation *v, const void *object, const void *before) {
        static const char *const policies[] = { "AlwaysAllow", "IfHealthyBudget", NULL };
        const struct kube_policy_v1_pod_disruption_budget *new = object, *old = before;
        const struct kube_policy_v1_pod_disruption_budget_spec *spec = &new->spec;
        struct validate_selector_options lenient = { .any_value =
                                                             old && !validate_selector_is_sound(old->spec.selector) };
        const struct place *at = FIELD(NULL, "spec");

        if (spec->min_available.set && spec->max_unavailable.set)
                validate_invalid_json(v, at, validate_go_json(v, &kube_policy_v1_pod_disruption_budget_spec_type, spec),
                                      "minAvailable and maxUnavailable cannot be both set");
        check_number(v, FIELD(at, "minAvailable"), &spec->min_available);
        check_number(v, FIELD(at, "maxUnavailable"), &spec->max_unavailable);
        validate_selector(v, FIELD(at, "selector"), spec->selector, &lenient);
        if (spec->unhealthy_pod_eviction_policy)
                validate_choice(v, FIELD(at, "unhealthyPodEvictionPolicy"), spec->unhealthy_pod_eviction_policy,
                                policies);
}

static void update_status(struct validation *v, const void *object, const void *old) {
        const struct kube_policy_v1_pod_disruption_budget *new = object;
        const struct place *at = FIELD(NULL, "status");

        validate_conditions(v, FIELD(at, "conditions"), &new->status.conditions);
        validate_not_negative(v, FIELD(at, "disruptionsAllowed"), new->status.disruptions_allowed);
        validate_not_negative(v, FIELD(at, "currentHealthy"), new->status.current_healthy);
        validate_not_negative(v, FIELD(at, "desiredHealthy"), new->status.desired_healthy);
        validate_not_negative(v, FIELD(at, "expectedPods"), new->status.expected_pods);
}

static const struct validate_sub subs[] = { { "status", update_status }, { 0 } };

const struct validate_rules validate_policy_rules[] = {
        { "policy", "PodDisruptionBudget", NAME_SUBDOMAIN, check_budget, check_budget, subs },
        { 0 },
};
