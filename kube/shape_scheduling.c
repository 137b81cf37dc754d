/* What only a scheduler, an API server or Windows reads. */
#include "kube/shape.h"

static const char *const node_operators[] = { "DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn", NULL };
static const char *const label_operators[] = { "DoesNotExist", "Exists", "In", "NotIn", NULL };
static const char *const unsatisfiable_actions[] = { "DoNotSchedule", "ScheduleAnyway", NULL };
static const char *const inclusion_policies[] = { "Honor", "Ignore", NULL };
static const char *const operations[] = { "Apply", "Update", NULL };
static const char *const fields_types[] = { "FieldsV1", NULL };

static const struct shape_field node_selector_requirement_fields[] = {
        { "key", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "operator", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, node_operators },
        { "values", SHAPE_STRINGS, 0, NULL, NULL, NULL },
};
static const struct shape node_selector_requirement = SHAPE(node_selector_requirement_fields);

static const struct shape_field node_selector_term_fields[] = {
        { "matchExpressions", SHAPE_LIST, 0, &node_selector_requirement, NULL, NULL },
        { "matchFields", SHAPE_LIST, 0, &node_selector_requirement, NULL, NULL },
};
static const struct shape node_selector_term = SHAPE(node_selector_term_fields);

static const struct shape_field node_selector_fields[] = {
        { "nodeSelectorTerms", SHAPE_LIST, SHAPE_ALWAYS, &node_selector_term, NULL, NULL },
};
static const struct shape node_selector = SHAPE(node_selector_fields);

static const struct shape_field preferred_scheduling_term_fields[] = {
        { "preference", SHAPE_OBJECT, SHAPE_ALWAYS, &node_selector_term, NULL, NULL },
        { "weight", SHAPE_INT32, SHAPE_ALWAYS, NULL, NULL, NULL },
};
static const struct shape preferred_scheduling_term = SHAPE(preferred_scheduling_term_fields);

static const struct shape_field node_affinity_fields[] = {
        { "preferredDuringSchedulingIgnoredDuringExecution", SHAPE_LIST, 0, &preferred_scheduling_term, NULL, NULL },
        { "requiredDuringSchedulingIgnoredDuringExecution", SHAPE_OBJECT, 0, &node_selector, NULL, NULL },
};
static const struct shape node_affinity = SHAPE(node_affinity_fields);

static const struct shape_field label_selector_requirement_fields[] = {
        { "key", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "operator", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, label_operators },
        { "values", SHAPE_STRINGS, 0, NULL, NULL, NULL },
};
static const struct shape label_selector_requirement = SHAPE(label_selector_requirement_fields);

static const struct shape_field label_selector_fields[] = {
        { "matchExpressions", SHAPE_LIST, 0, &label_selector_requirement, NULL, NULL },
        { "matchLabels", SHAPE_STRING_MAP, 0, NULL, NULL, NULL },
};
static const struct shape label_selector = SHAPE(label_selector_fields);

static const struct shape_field pod_affinity_term_fields[] = {
        { "labelSelector", SHAPE_OBJECT, 0, &label_selector, NULL, NULL },
        { "matchLabelKeys", SHAPE_STRINGS, 0, NULL, NULL, NULL },
        { "mismatchLabelKeys", SHAPE_STRINGS, 0, NULL, NULL, NULL },
        { "namespaceSelector", SHAPE_OBJECT, 0, &label_selector, NULL, NULL },
        { "namespaces", SHAPE_STRINGS, 0, NULL, NULL, NULL },
        { "topologyKey", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
};
static const struct shape pod_affinity_term = SHAPE(pod_affinity_term_fields);

static const struct shape_field weighted_pod_affinity_term_fields[] = {
        { "podAffinityTerm", SHAPE_OBJECT, SHAPE_ALWAYS, &pod_affinity_term, NULL, NULL },
        { "weight", SHAPE_INT32, SHAPE_ALWAYS, NULL, NULL, NULL },
};
static const struct shape weighted_pod_affinity_term = SHAPE(weighted_pod_affinity_term_fields);

static const struct shape_field pod_affinity_fields[] = {
        { "preferredDuringSchedulingIgnoredDuringExecution", SHAPE_LIST, 0, &weighted_pod_affinity_term, NULL, NULL },
        { "requiredDuringSchedulingIgnoredDuringExecution", SHAPE_LIST, 0, &pod_affinity_term, NULL, NULL },
};
static const struct shape pod_affinity = SHAPE(pod_affinity_fields);

static const struct shape_field pod_anti_affinity_fields[] = {
        { "preferredDuringSchedulingIgnoredDuringExecution", SHAPE_LIST, 0, &weighted_pod_affinity_term, NULL, NULL },
        { "requiredDuringSchedulingIgnoredDuringExecution", SHAPE_LIST, 0, &pod_affinity_term, NULL, NULL },
};
static const struct shape pod_anti_affinity = SHAPE(pod_anti_affinity_fields);

static const struct shape_field affinity_fields[] = {
        { "nodeAffinity", SHAPE_OBJECT, 0, &node_affinity, NULL, NULL },
        { "podAffinity", SHAPE_OBJECT, 0, &pod_affinity, NULL, NULL },
        { "podAntiAffinity", SHAPE_OBJECT, 0, &pod_anti_affinity, NULL, NULL },
};
const struct shape shape_affinity = SHAPE(affinity_fields);

static const struct shape_field topology_spread_constraint_fields[] = {
        { "labelSelector", SHAPE_OBJECT, 0, &label_selector, NULL, NULL },
        { "matchLabelKeys", SHAPE_STRINGS, 0, NULL, NULL, NULL },
        { "maxSkew", SHAPE_INT32, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "minDomains", SHAPE_INT32, SHAPE_KEPT, NULL, NULL, NULL },
        { "nodeAffinityPolicy", SHAPE_STRING, SHAPE_KEPT, NULL, NULL, inclusion_policies },
        { "nodeTaintsPolicy", SHAPE_STRING, SHAPE_KEPT, NULL, NULL, inclusion_policies },
        { "topologyKey", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "whenUnsatisfiable", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, unsatisfiable_actions },
};
const struct shape shape_topology_spread_constraint = SHAPE(topology_spread_constraint_fields);

static const struct shape_field pod_scheduling_group_fields[] = {
        { "podGroupName", SHAPE_STRING, SHAPE_KEPT, NULL, NULL, NULL },
};
const struct shape shape_scheduling_group = SHAPE(pod_scheduling_group_fields);

static const struct shape_field windows_security_context_options_fields[] = {
        { "gmsaCredentialSpec", SHAPE_STRING, SHAPE_KEPT, NULL, NULL, NULL },
        { "gmsaCredentialSpecName", SHAPE_STRING, SHAPE_KEPT, NULL, NULL, NULL },
        { "hostProcess", SHAPE_BOOL, SHAPE_KEPT, NULL, NULL, NULL },
        { "runAsUserName", SHAPE_STRING, SHAPE_KEPT, NULL, NULL, NULL },
};
const struct shape shape_windows_options = SHAPE(windows_security_context_options_fields);

static const struct shape_field owner_reference_fields[] = {
        { "apiVersion", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "blockOwnerDeletion", SHAPE_BOOL, SHAPE_KEPT, NULL, NULL, NULL },
        { "controller", SHAPE_BOOL, SHAPE_KEPT, NULL, NULL, NULL },
        { "kind", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "name", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "uid", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
};
const struct shape shape_owner_reference = SHAPE(owner_reference_fields);

static const struct shape_field managed_fields_entry_fields[] = {
        { "apiVersion", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "fieldsType", SHAPE_STRING, 0, NULL, NULL, fields_types },
        { "fieldsV1", SHAPE_ANY, 0, NULL, NULL, NULL },
        { "manager", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "operation", SHAPE_STRING, 0, NULL, NULL, operations },
        { "subresource", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "time", SHAPE_TIME, 0, NULL, NULL, NULL },
};
const struct shape shape_managed_fields = SHAPE(managed_fields_entry_fields);
