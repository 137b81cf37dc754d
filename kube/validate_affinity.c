/* What the texts of affinity, spread constraints and managed fields may be; the rest of them only a scheduler reads. */
#include <string.h>

#include "kube/check.h"

static const char *const node_operators[] = { "DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn", NULL };
static const char *const label_operators[] = { "DoesNotExist", "Exists", "In", "NotIn", NULL };
static const char *const unsatisfiable_actions[] = { "DoNotSchedule", "ScheduleAnyway", NULL };
static const char *const inclusion_policies[] = { "Honor", "Ignore", NULL };
static const char *const operations[] = { "Apply", "Update", NULL };
static const char *const fields_types[] = { "FieldsV1", NULL };

static void check_among(struct check *c, const char *child, const char *text, const char *const *names) {
        if (!text)
                return;
        for (size_t i = 0; names[i]; i++)
                if (strcmp(names[i], text) == 0)
                        return;
        check_unsupported(c, child, text, names);
}

static void check_node_term(struct check *c, const struct kube_node_selector_term *term) {
        for (uint32_t i = 0; i < term->match_expressions.count; i++) {
                size_t before = TRAIL_ENTER(c, ".matchExpressions[%u]", i);

                check_among(c, ".operator", term->match_expressions.items[i].operator, node_operators);
                TRAIL_LEAVE(c, before);
        }
        for (uint32_t i = 0; i < term->match_fields.count; i++) {
                size_t before = TRAIL_ENTER(c, ".matchFields[%u]", i);

                check_among(c, ".operator", term->match_fields.items[i].operator, node_operators);
                TRAIL_LEAVE(c, before);
        }
}

static void check_selector(struct check *c, const char *child, const struct kube_label_selector *selector) {
        for (uint32_t i = 0; selector && i < selector->match_expressions.count; i++) {
                size_t before = TRAIL_ENTER(c, "%s.matchExpressions[%u]", child, i);

                check_among(c, ".operator", selector->match_expressions.items[i].operator, label_operators);
                TRAIL_LEAVE(c, before);
        }
}

static void check_pod_term(struct check *c, const struct kube_pod_affinity_term *term) {
        check_selector(c, ".labelSelector", term->label_selector);
        check_selector(c, ".namespaceSelector", term->namespace_selector);
}

#define REQUIRED ".requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED ".preferredDuringSchedulingIgnoredDuringExecution"

static void check_node_affinity(struct check *c, const struct kube_node_affinity *affinity) {
        const struct kube_node_selector *required = affinity->required_during_scheduling_ignored_during_execution;

        for (uint32_t i = 0; required && i < required->node_selector_terms.count; i++) {
                size_t before = TRAIL_ENTER(c, ".nodeAffinity" REQUIRED ".nodeSelectorTerms[%u]", i);

                check_node_term(c, &required->node_selector_terms.items[i]);
                TRAIL_LEAVE(c, before);
        }
        for (uint32_t i = 0; i < affinity->preferred_during_scheduling_ignored_during_execution.count; i++) {
                size_t before = TRAIL_ENTER(c, ".nodeAffinity" PREFERRED "[%u].preference", i);

                check_node_term(c, &affinity->preferred_during_scheduling_ignored_during_execution.items[i].preference);
                TRAIL_LEAVE(c, before);
        }
}

/* Affinity and anti-affinity are made of the same. */
static void check_pod_terms(struct check *c, const char *child, const struct kube_pod_affinity_term *required,
                            uint32_t n_required, const struct kube_weighted_pod_affinity_term *preferred,
                            uint32_t n_preferred) {
        for (uint32_t i = 0; i < n_required; i++) {
                size_t before = TRAIL_ENTER(c, "%s" REQUIRED "[%u]", child, i);

                check_pod_term(c, &required[i]);
                TRAIL_LEAVE(c, before);
        }
        for (uint32_t i = 0; i < n_preferred; i++) {
                size_t before = TRAIL_ENTER(c, "%s" PREFERRED "[%u].podAffinityTerm", child, i);

                check_pod_term(c, &preferred[i].pod_affinity_term);
                TRAIL_LEAVE(c, before);
        }
}

#define TERMS(affinity)                                                                                                \
        (affinity)->required_during_scheduling_ignored_during_execution.items,                                         \
                (affinity)->required_during_scheduling_ignored_during_execution.count,                                 \
                (affinity)->preferred_during_scheduling_ignored_during_execution.items,                                \
                (affinity)->preferred_during_scheduling_ignored_during_execution.count

static void check_spread(struct check *c, const struct kube_topology_spread_constraint *constraint) {
        check_among(c, ".nodeAffinityPolicy", constraint->node_affinity_policy, inclusion_policies);
        check_among(c, ".nodeTaintsPolicy", constraint->node_taints_policy, inclusion_policies);
        check_among(c, ".whenUnsatisfiable", constraint->when_unsatisfiable, unsatisfiable_actions);
        check_selector(c, ".labelSelector", constraint->label_selector);
}

void check_affinity(struct check *c) {
        const struct kube_pod_spec *spec = &c->pod->spec;
        const struct kube_affinity *affinity = spec->affinity;
        size_t before = TRAIL_ENTER(c, ".affinity");

        if (affinity && affinity->node_affinity)
                check_node_affinity(c, affinity->node_affinity);
        if (affinity && affinity->pod_affinity)
                check_pod_terms(c, ".podAffinity", TERMS(affinity->pod_affinity));
        if (affinity && affinity->pod_anti_affinity)
                check_pod_terms(c, ".podAntiAffinity", TERMS(affinity->pod_anti_affinity));
        TRAIL_LEAVE(c, before);
        for (uint32_t i = 0; i < spec->topology_spread_constraints.count; i++) {
                before = TRAIL_ENTER(c, ".topologySpreadConstraints[%u]", i);
                check_spread(c, &spec->topology_spread_constraints.items[i]);
                TRAIL_LEAVE(c, before);
        }
}

void check_managed_fields(struct check *c) {
        const struct kube_object_meta *meta = &c->pod->metadata;

        for (uint32_t i = 0; i < meta->managed_fields.count; i++) {
                size_t before = TRAIL_ENTER(c, ".managedFields[%u]", i);

                check_among(c, ".operation", meta->managed_fields.items[i].operation, operations);
                check_among(c, ".fieldsType", meta->managed_fields.items[i].fields_type, fields_types);
                TRAIL_LEAVE(c, before);
        }
}
