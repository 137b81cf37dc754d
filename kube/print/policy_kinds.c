#include "kube/print/cells.h"
#include "lib/cleanup.h"

static const struct print_column pod_disruption_budget_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Min Available", "string", 0, PRINT_TEXT, "spec.minAvailable", "N/A",
                    "The minimum number of pods that must be available."),
        PRINT_FIELD("Max Unavailable", "string", 0, PRINT_TEXT, "spec.maxUnavailable", "N/A",
                    "The maximum number of pods that may be unavailable."),
        PRINT_FIELD("Allowed Disruptions", "integer", 0, PRINT_INT, "status.disruptionsAllowed", NULL,
                    "Calculated number of pods that may be disrupted at this time."),
        PRINT_AGE_COLUMN,
};

static const struct print_column priority_class_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Value", "integer", 0, PRINT_INT, "value", NULL,
                    "value represents the integer value of this priority class. This is the actual priority that pods "
                    "receive when they have the name of this class in their pod spec."),
        PRINT_FIELD(
                "Global-Default", "boolean", 0, PRINT_BOOL, "globalDefault", NULL,
                "globalDefault specifies whether this PriorityClass should be considered as the default priority for "
                "pods that do not have any priority class. Only one PriorityClass can be marked as `globalDefault`. "
                "However, if more than one PriorityClasses exists with their `globalDefault` field set to true, the "
                "smallest value of such global default PriorityClasses will be used as the default priority."),
        PRINT_AGE_COLUMN,
        PRINT_FIELD("PreemptionPolicy", "string", 0, PRINT_TEXT, "preemptionPolicy", NULL,
                    "preemptionPolicy is the Policy for preempting pods with lower priority. One of Never, "
                    "PreemptLowerPriority. Defaults to PreemptLowerPriority if unset."),
};

static const struct print_column workload_columns[] = {
        PRINT_NAME,
        PRINT_AGE_COLUMN,
};

static const struct print_column pod_group_columns[] = {
        PRINT_NAME,
        PRINT_MADE("Policy", "string", 0, print_group_policy, "spec.schedulingPolicy.gang", NULL,
                   "SchedulingPolicy defines the scheduling policy for this instance of the PodGroup. Controllers are "
                   "expected to fill this field by copying it from a PodGroupTemplate. This field is immutable."),
        PRINT_FIELD("Workload", "string", 0, PRINT_TEXT, "spec.podGroupTemplateRef.workload.workloadName", "<none>",
                    "Name of the referenced Workload object"),
        PRINT_MADE("Status", "string", 0, print_group_status, "status.conditions", NULL, "Status of the PodGroup"),
        PRINT_AGE_COLUMN,
};

static const struct print_column mutating_webhook_configuration_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Webhooks", "integer", 0, PRINT_COUNT, "webhooks#", NULL,
                    "Webhooks indicates the number of webhooks registered in this configuration"),
        PRINT_AGE_COLUMN,
};

static const struct print_column validating_webhook_configuration_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Webhooks", "integer", 0, PRINT_COUNT, "webhooks#", NULL,
                    "Webhooks indicates the number of webhooks registered in this configuration"),
        PRINT_AGE_COLUMN,
};

static const struct print_column validating_admission_policy_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Validations", "integer", 0, PRINT_COUNT, "spec.validations#", NULL,
                    "Validations indicates the number of validation rules defined in this configuration"),
        PRINT_MADE("ParamKind", "string", 0, print_param_kind, "spec.paramKind", NULL,
                   "ParamKind specifies the kind of resources used to parameterize this policy"),
        PRINT_AGE_COLUMN,
};

static const struct print_column validating_admission_policy_binding_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("PolicyName", "string", 0, PRINT_TEXT, "spec.policyName", NULL,
                    "PolicyName indicates the policy definition which the policy binding binded to"),
        PRINT_MADE("ParamRef", "string", 0, print_param_reference, "spec.paramRef", NULL,
                   "ParamRef indicates the param resource which sets the configuration param"),
        PRINT_AGE_COLUMN,
};

static const struct print_column mutating_admission_policy_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Mutations", "integer", 0, PRINT_COUNT, "spec.mutations#", NULL,
                    "Mutation indicates the number of mutations rules defined in this configuration"),
        PRINT_MADE("ParamKind", "string", 0, print_param_kind, "spec.paramKind", NULL,
                   "ParamKind specifies the kind of resources used to parameterize this policy"),
        PRINT_AGE_COLUMN,
};

static const struct print_column mutating_admission_policy_binding_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("PolicyName", "string", 0, PRINT_TEXT, "spec.policyName", NULL,
                    "PolicyName indicates the policy definition which the policy binding binded to"),
        PRINT_MADE("ParamRef", "string", 0, print_param_reference, "spec.paramRef", NULL,
                   "ParamRef indicates the param resource which sets the configuration param"),
        PRINT_AGE_COLUMN,
};

const struct print_kind print_policy_kinds[] = {
        PRINT_KIND("policy", "PodDisruptionBudget", pod_disruption_budget_columns),
        PRINT_KIND("scheduling.k8s.io", "PriorityClass", priority_class_columns),
        PRINT_KIND("scheduling.k8s.io", "Workload", workload_columns),
        PRINT_KIND("scheduling.k8s.io", "PodGroup", pod_group_columns),
        PRINT_KIND("admissionregistration.k8s.io", "MutatingWebhookConfiguration",
                   mutating_webhook_configuration_columns),
        PRINT_KIND("admissionregistration.k8s.io", "ValidatingWebhookConfiguration",
                   validating_webhook_configuration_columns),
        PRINT_KIND("admissionregistration.k8s.io", "ValidatingAdmissionPolicy", validating_admission_policy_columns),
        PRINT_KIND("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding",
                   validating_admission_policy_binding_columns),
        PRINT_KIND("admissionregistration.k8s.io", "MutatingAdmissionPolicy", mutating_admission_policy_columns),
        PRINT_KIND("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding",
                   mutating_admission_policy_binding_columns),
        { .kind = NULL },
};
