/* What only a scheduler reads: affinity, spread constraints, tolerations. */

#include "kube/validate/pod_rules.h"

#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED "preferredDuringSchedulingIgnoredDuringExecution"

/* --- node selectors --- */

static void check_label_requirement(struct validation *v, const struct place *at,
                                    const struct kube_node_selector_requirement *r, bool any_value) {
        const struct place *values = FIELD(at, "values");

        if (kube_is(r->operator, "In") || kube_is(r->operator, "NotIn")) {
                if (r->values.count == 0)
                        validate_required(v, values, "must be specified when `operator` is 'In' or 'NotIn'");
        } else if (kube_is(r->operator, "Exists") || kube_is(r->operator, "DoesNotExist")) {
                if (r->values.count > 0)
                        validate_forbidden(v, values,
                                           "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        } else if (kube_is(r->operator, "Gt") || kube_is(r->operator, "Lt")) {
                if (r->values.count != 1)
                        validate_required(v, values, "must be specified single value when `operator` is 'Lt' or 'Gt'");
        } else {
                validate_invalid_word(v, FIELD(at, "operator"), r->operator, "not a valid selector operator");
        }
        validate_name(v, FIELD(at, "key"), NAME_QUALIFIED, r->key);
        for (uint32_t i = 0; i < r->values.count && !any_value; i++)
                validate_name(v, ITEM(values, i), NAME_LABEL_VALUE, r->values.items[i]);
}

static void check_field_requirement(struct validation *v, const struct place *at,
                                    const struct kube_node_selector_requirement *r) {
        const struct place *values = FIELD(at, "values");

        if (!kube_is(r->operator, "In") && !kube_is(r->operator, "NotIn"))
                validate_invalid_word(v, FIELD(at, "operator"), r->operator, "not a valid selector operator");
        else if (r->values.count != 1)
                validate_required(v, values,
                                  "must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
        if (!kube_is(r->key, "metadata.name")) {
                validate_invalid(v, FIELD(at, "key"), r->key, "not a valid field selector key");
                return;
        }
        for (uint32_t i = 0; i < r->values.count; i++)
                validate_name(v, ITEM(values, i), NAME_SUBDOMAIN, r->values.items[i]);
}

static void check_node_term(struct validation *v, const struct place *at, const struct kube_node_selector_term *term,
                            bool any_value) {
        for (uint32_t i = 0; i < term->match_expressions.count; i++)
                check_label_requirement(v, ITEM(FIELD(at, "matchExpressions"), i), &term->match_expressions.items[i],
                                        any_value);
        for (uint32_t i = 0; i < term->match_fields.count; i++)
                check_field_requirement(v, ITEM(FIELD(at, "matchFields"), i), &term->match_fields.items[i]);
}

void validate_node_selector(struct validation *v, const struct place *at, const struct kube_node_selector *selector,
                            bool any_value) {
        const struct place *terms = FIELD(at, "nodeSelectorTerms");

        if (selector->node_selector_terms.count == 0)
                validate_required(v, terms, "must have at least one node selector term");
        for (uint32_t i = 0; i < selector->node_selector_terms.count; i++)
                check_node_term(v, ITEM(terms, i), &selector->node_selector_terms.items[i], any_value);
}

static void check_weight(struct validation *v, const struct place *at, int32_t weight) {
        if (weight <= 0 || weight > 100)
                validate_invalid_int(v, FIELD(at, "weight"), weight, "must be in the range 1-100");
}

static void check_node_affinity(struct validation *v, const struct place *at, const struct kube_node_affinity *a,
                                const struct pod_options *o) {
        const kube_preferred_scheduling_term_items *preferred =
                &a->preferred_during_scheduling_ignored_during_execution;

        if (a->required_during_scheduling_ignored_during_execution)
                validate_node_selector(v, FIELD(at, REQUIRED), a->required_during_scheduling_ignored_during_execution,
                                       o->any_node_affinity_value);
        for (uint32_t i = 0; i < preferred->count; i++) {
                const struct place *here = ITEM(FIELD(at, PREFERRED), i);

                check_weight(v, here, preferred->items[i].weight);
                check_node_term(v, FIELD(here, "preference"), &preferred->items[i].preference, true);
        }
}

/* --- keys whose values are those of the pod --- */

static void check_keys(struct validation *v, const struct place *at, const string_list *keys,
                       const struct kube_label_selector *selector) {
        if (keys->count > 0 && !selector) {
                validate_forbidden(v, at, "must not be specified when labelSelector is not set");
                return;
        }
        for (uint32_t i = 0; i < keys->count; i++)
                validate_name(v, ITEM(at, i), NAME_QUALIFIED, keys->items[i]);
}

/* A key that the selector names twice, one of them merged in from @match. */
static void check_merged_keys(struct validation *v, const struct place *at, const struct validate_set *match,
                              const string_list *list, const struct kube_label_selector *selector) {
        _cleanup_validate_set_ struct validate_set seen = { 0 };

        list_for_each (label, &selector->match_labels)
                validate_set_add(v, &seen, label->key);
        list_for_each (e, &selector->match_expressions) {
                if (validate_set_has(match, e->key) && validate_set_has(&seen, e->key)) {
                        uint32_t last = 0;

                        for (uint32_t i = 0; i < list->count; i++)
                                if (kube_is(list->items[i] ?: "", e->key ?: ""))
                                        last = i;
                        validate_invalid(v, ITEM(at, last), e->key, "exists in both matchLabelKeys and labelSelector");
                }
                validate_set_add(v, &seen, e->key);
        }
}

void validate_match_keys(struct validation *v, const struct place *at, const string_list *match,
                         const string_list *mismatch, const struct kube_label_selector *selector) {
        _cleanup_validate_set_ struct validate_set keys = { 0 }, others = { 0 };

        check_keys(v, FIELD(at, "matchLabelKeys"), match, selector);
        if (mismatch)
                check_keys(v, FIELD(at, "mismatchLabelKeys"), mismatch, selector);
        list_for_each (key, match)
                validate_set_add(v, &keys, *key);
        if (selector && match->count > 0)
                check_merged_keys(v, at, &keys, match, selector);
        for (uint32_t i = 0; mismatch && i < mismatch->count; i++)
                validate_set_add(v, &others, mismatch->items[i]);
        for (uint32_t i = 0; i < match->count; i++)
                if (validate_set_has(&others, match->items[i]))
                        validate_invalid(v, ITEM(FIELD(at, "matchLabelKeys"), i), match->items[i],
                                         "exists in both matchLabelKeys and mismatchLabelKeys");
}

/* --- pod affinity --- */

static void check_term(struct validation *v, const struct place *at, const struct kube_pod_affinity_term *term,
                       const struct pod_options *o) {
        const struct validate_selector_options options = { .any_value = o->any_affinity_value };

        validate_selector(v, FIELD(at, "labelSelector"), term->label_selector, &options);
        validate_selector(v, FIELD(at, "namespaceSelector"), term->namespace_selector, &options);
        list_for_each (namespace, &term->namespaces)
                validate_name(v, FIELD(at, "namespace"), NAME_LABEL, *namespace);
        validate_match_keys(v, at, &term->match_label_keys, &term->mismatch_label_keys, term->label_selector);
        if (!term->topology_key || !*term->topology_key)
                validate_required(v, FIELD(at, "topologyKey"), "can not be empty");
        validate_name(v, FIELD(at, "topologyKey"), NAME_QUALIFIED, term->topology_key);
}

/* Affinity and anti-affinity are made of the same. */
static void check_terms(struct validation *v, const struct place *at, const kube_pod_affinity_term_items *required,
                        const kube_weighted_pod_affinity_term_items *preferred, const struct pod_options *o) {
        for (uint32_t i = 0; i < required->count; i++)
                check_term(v, ITEM(FIELD(at, REQUIRED), i), &required->items[i], o);
        for (uint32_t i = 0; i < preferred->count; i++) {
                const struct place *here = ITEM(FIELD(at, PREFERRED), i);

                check_weight(v, here, preferred->items[i].weight);
                check_term(v, FIELD(here, "podAffinityTerm"), &preferred->items[i].pod_affinity_term, o);
        }
}

void validate_affinity(struct validation *v, const struct place *at, const struct pod_case *c) {
        const struct kube_affinity *a = c->spec->affinity;

        if (!a)
                return;
        if (a->node_affinity)
                check_node_affinity(v, FIELD(at, "nodeAffinity"), a->node_affinity, &c->options);
        if (a->pod_affinity)
                check_terms(v, FIELD(at, "podAffinity"),
                            &a->pod_affinity->required_during_scheduling_ignored_during_execution,
                            &a->pod_affinity->preferred_during_scheduling_ignored_during_execution, &c->options);
        if (a->pod_anti_affinity)
                check_terms(v, FIELD(at, "podAntiAffinity"),
                            &a->pod_anti_affinity->required_during_scheduling_ignored_during_execution,
                            &a->pod_anti_affinity->preferred_during_scheduling_ignored_during_execution, &c->options);
}

/* --- spread constraints --- */

/* As before selectors had these keys merged in. */
static void check_unmerged_keys(struct validation *v, const struct place *at, const string_list *keys,
                                const struct kube_label_selector *selector) {
        _cleanup_validate_set_ struct validate_set of_selector = { 0 };

        if (keys->count == 0)
                return;
        if (!selector)
                validate_forbidden(v, at, "must not be specified when labelSelector is not set");
        for (uint32_t i = 0; selector && i < selector->match_labels.count; i++)
                validate_set_add(v, &of_selector, selector->match_labels.items[i].key);
        for (uint32_t i = 0; selector && i < selector->match_expressions.count; i++)
                validate_set_add(v, &of_selector, selector->match_expressions.items[i].key);
        for (uint32_t i = 0; i < keys->count; i++) {
                validate_name(v, ITEM(at, i), NAME_QUALIFIED, keys->items[i]);
                if (validate_set_has(&of_selector, keys->items[i]))
                        validate_invalid(v, ITEM(at, i), keys->items[i],
                                         "exists in both matchLabelKeys and labelSelector");
        }
}

static void check_min_domains(struct validation *v, const struct place *at,
                              const struct kube_topology_spread_constraint *s) {
        if (!s->min_domains.set)
                return;
        validate_positive(v, at, s->min_domains.value);
        if (!kube_is(s->when_unsatisfiable, "DoNotSchedule"))
                validate_invalid_int(v, at, s->min_domains.value,
                                     validate_text(v,
                                                   "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not %s",
                                                   s->when_unsatisfiable ?: ""));
}

static void check_inclusion(struct validation *v, const struct place *at, const char *policy) {
        if (policy)
                validate_choice(v, at, policy, POD_TEXTS("Honor", "Ignore"));
}

/* @again: a later one asks for the same. */
static void check_constraint(struct validation *v, const struct place *at,
                             const struct kube_topology_spread_constraint *s, const char *again,
                             const struct pod_options *o) {
        validate_positive(v, FIELD(at, "maxSkew"), s->max_skew);
        if (!s->topology_key || !*s->topology_key)
                validate_required(v, FIELD(at, "topologyKey"), "can not be empty");
        validate_choice(v, FIELD(at, "whenUnsatisfiable"), s->when_unsatisfiable,
                        POD_TEXTS("DoNotSchedule", "ScheduleAnyway"));
        if (again)
                validate_duplicate(v, FIELD(at, "{topologyKey, whenUnsatisfiable}"), again);
        check_min_domains(v, FIELD(at, "minDomains"), s);
        check_inclusion(v, FIELD(at, "nodeAffinityPolicy"), s->node_affinity_policy);
        check_inclusion(v, FIELD(at, "nodeTaintsPolicy"), s->node_taints_policy);
        if (o->any_spread_keys)
                check_unmerged_keys(v, FIELD(at, "matchLabelKeys"), &s->match_label_keys, s->label_selector);
        else
                validate_match_keys(v, at, &s->match_label_keys, NULL, s->label_selector);
        if (!o->any_spread_selector)
                validate_selector(v, FIELD(at, "labelSelector"), s->label_selector, NULL);
}

static const char *pair_of(struct validation *v, const struct kube_topology_spread_constraint *s) {
        return validate_text(v, "{%s, %s}", s->topology_key ?: "", s->when_unsatisfiable ?: "");
}

/* From behind each knows whether another one like it comes after it. */
static void find_pairs(struct validation *v, const kube_topology_spread_constraint_items *list, const char **again) {
        _cleanup_validate_set_ struct validate_set later = { 0 };

        for (uint32_t i = list->count; i-- > 0;) {
                const char *pair = pair_of(v, &list->items[i]);

                if (!validate_set_add(v, &later, pair))
                        again[i] = pair;
        }
}

void validate_spread(struct validation *v, const struct place *at, const struct pod_case *c) {
        const kube_topology_spread_constraint_items *list = &c->spec->topology_spread_constraints;
        const char **again = list->count > 0 ? validate_alloc(v, list->count, sizeof(*again)) : NULL;

        if (again)
                find_pairs(v, list, again);
        for (uint32_t i = 0; i < list->count; i++)
                check_constraint(v, ITEM(at, i), &list->items[i], again ? again[i] : NULL, &c->options);
}

/* --- tolerations --- */

static void check_toleration_value(struct validation *v, const struct place *at, const struct kube_toleration *t) {
        const char *problems[NAME_PROBLEMS_MAX];
        const struct place *operator= FIELD(at, "operator");
        unsigned n;

        if (!t->operator|| !* t->operator|| kube_is(t->operator, "Equal")) {
                n = name_problems(NAME_LABEL_VALUE, t->value ?: "", problems);
                if (n > 0)
                        validate_invalid(
                                v, operator, t->value,
                                validate_text(v, "%s%s%s", problems[0], n > 1 ? ";" : "", n > 1 ? problems[1] : ""));
        } else if (kube_is(t->operator, "Exists")) {
                if (t->value && *t->value)
                        validate_invalid(v, operator, t->value, "value must be empty when `operator` is 'Exists'");
        } else if (kube_is(t->operator, "Lt") || kube_is(t->operator, "Gt")) {
                validate_unsupported(v, operator, t->operator, POD_TEXTS("Equal", "Exists", "Lt", "Gt"));
        } else {
                validate_unsupported(v, operator, t->operator, POD_TEXTS("Equal", "Exists"));
        }
}

void validate_tolerations(struct validation *v, const struct place *at, const kube_toleration_items *tolerations) {
        for (uint32_t i = 0; i < tolerations->count; i++) {
                const struct kube_toleration *t = &tolerations->items[i];
                const struct place *here = ITEM(at, i);
                bool key = t->key && *t->key;

                if (key)
                        validate_name(v, FIELD(here, "key"), NAME_QUALIFIED, t->key);
                if (!key && !kube_is(t->operator, "Exists"))
                        validate_invalid_word(v, FIELD(here, "operator"), t->operator,
                                              "operator must be Exists when `key` is empty, which means \"match all "
                                              "values and all keys\"");
                if (t->toleration_seconds.set && !kube_is(t->effect, "NoExecute"))
                        validate_invalid_word(v, FIELD(here, "effect"), t->effect,
                                              "effect must be 'NoExecute' when `tolerationSeconds` is set");
                check_toleration_value(v, here, t);
                if (t->effect && *t->effect)
                        validate_choice(v, FIELD(here, "effect"), t->effect,
                                        POD_TEXTS("NoSchedule", "PreferNoSchedule", "NoExecute"));
        }
}
