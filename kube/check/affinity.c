/* Affinity and spread constraints, which only a scheduler reads: texts that name a choice, selectors. */
#include "kube/check/check.h"

static const char *const node_operators[] = { "DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn", NULL };
static const char *const label_operators[] = { "DoesNotExist", "Exists", "In", "NotIn", NULL };
static const char *const unsatisfiable_actions[] = { "DoNotSchedule", "ScheduleAnyway", NULL };
static const char *const inclusion_policies[] = { "Honor", "Ignore", NULL };

static void check_node_term(struct check *c, const struct kube_node_selector_term *term) {
        for (uint32_t i = 0; i < term->match_expressions.count; i++) {
                size_t before = TRAIL_ENTER(c, ".matchExpressions[%u]", i);

                check_choice(c, ".operator", term->match_expressions.items[i].operator, node_operators);
                TRAIL_LEAVE(c, before);
        }
        for (uint32_t i = 0; i < term->match_fields.count; i++) {
                size_t before = TRAIL_ENTER(c, ".matchFields[%u]", i);

                check_choice(c, ".operator", term->match_fields.items[i].operator, node_operators);
                TRAIL_LEAVE(c, before);
        }
}

static void check_expression(struct check *c, const struct kube_label_selector_requirement *e) {
        bool of_values = kube_is(e->operator, "In") || kube_is(e->operator, "NotIn");

        check_name_if(c, ".key", NAME_QUALIFIED, e->key ?: "");
        check_choice(c, ".operator", e->operator?: "", label_operators);
        if (of_values && e->values.count == 0)
                check_required(c, ".values", "must be specified when `operator` is 'In' or 'NotIn'");
        if (!of_values && e->operator&& e->values.count> 0)
                check_forbidden(c, ".values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        list_for_each (value, &e->values)
                check_name_if(c, ".values", NAME_LABEL_VALUE, *value);
}

static void check_selector(struct check *c, const char *child, const struct kube_label_selector *selector) {
        size_t before = TRAIL_ENTER(c, "%s", child);

        if (selector)
                check_labels(c, ".matchLabels", &selector->match_labels);
        for (uint32_t i = 0; selector && i < selector->match_expressions.count; i++) {
                size_t inner = TRAIL_ENTER(c, ".matchExpressions[%u]", i);

                check_expression(c, &selector->match_expressions.items[i]);
                TRAIL_LEAVE(c, inner);
        }
        TRAIL_LEAVE(c, before);
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
static void check_pod_terms(struct check *c, const char *child, const kube_pod_affinity_term_items *required,
                            const kube_weighted_pod_affinity_term_items *preferred) {
        for (uint32_t i = 0; i < required->count; i++) {
                size_t before = TRAIL_ENTER(c, "%s" REQUIRED "[%u]", child, i);

                check_pod_term(c, &required->items[i]);
                TRAIL_LEAVE(c, before);
        }
        for (uint32_t i = 0; i < preferred->count; i++) {
                size_t before = TRAIL_ENTER(c, "%s" PREFERRED "[%u].podAffinityTerm", child, i);

                check_pod_term(c, &preferred->items[i].pod_affinity_term);
                TRAIL_LEAVE(c, before);
        }
}

#define TERMS(affinity)                                                                                                \
        &(affinity)->required_during_scheduling_ignored_during_execution,                                              \
                &(affinity)->preferred_during_scheduling_ignored_during_execution

static void check_match_label_keys(struct check *c, const struct kube_topology_spread_constraint *s) {
        if (s->match_label_keys.count > 0 && !s->label_selector)
                check_forbidden(c, ".matchLabelKeys", "must not be specified when labelSelector is not set");
        list_for_each (key, &s->match_label_keys)
                check_name_if(c, ".matchLabelKeys", NAME_QUALIFIED, *key);
}

static void check_spread(struct check *c, const struct kube_topology_spread_constraint *s) {
        if (s->max_skew <= 0)
                check_invalid_int(c, ".maxSkew", s->max_skew, "must be greater than zero");
        if (!s->topology_key)
                check_required(c, ".topologyKey", "can not be empty");
        check_choice(c, ".whenUnsatisfiable", s->when_unsatisfiable ?: "", unsatisfiable_actions);
        if (s->min_domains.set && s->min_domains.value <= 0)
                check_invalid_int(c, ".minDomains", s->min_domains.value, "must be greater than 0");
        if (s->min_domains.set && !kube_is(s->when_unsatisfiable, "DoNotSchedule"))
                check_invalid_int(c, ".minDomains", s->min_domains.value,
                                  "can only use minDomains if whenUnsatisfiable=DoNotSchedule");
        check_choice(c, ".nodeAffinityPolicy", s->node_affinity_policy, inclusion_policies);
        check_choice(c, ".nodeTaintsPolicy", s->node_taints_policy, inclusion_policies);
        check_match_label_keys(c, s);
        check_selector(c, ".labelSelector", s->label_selector);
}

/* No two of one key that ask for the same. */
static void check_spreads(struct check *c, const kube_topology_spread_constraint_items *list) {
        for (uint32_t i = 0; i < list->count; i++) {
                const struct kube_topology_spread_constraint *s = &list->items[i];
                size_t before = TRAIL_ENTER(c, ".topologySpreadConstraints[%u]", i);

                check_spread(c, s);
                for (uint32_t j = 0; j < i; j++)
                        if (s->topology_key && kube_is(list->items[j].topology_key, s->topology_key) &&
                            s->when_unsatisfiable && kube_is(list->items[j].when_unsatisfiable, s->when_unsatisfiable))
                                check_duplicate(c, ".{topologyKey, whenUnsatisfiable}", s->topology_key);
                TRAIL_LEAVE(c, before);
        }
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
        check_spreads(c, &spec->topology_spread_constraints);
        if (spec->scheduling_group && !spec->scheduling_group->pod_group_name)
                check_required(c, ".schedulingGroup.podGroupName", "must specify one of: `podGroupName`");
        else if (spec->scheduling_group)
                check_name_if(c, ".schedulingGroup.podGroupName", NAME_SUBDOMAIN,
                              spec->scheduling_group->pod_group_name);
}
