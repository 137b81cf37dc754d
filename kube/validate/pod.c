/* Pods and pod templates, made and as a whole. */
#include "kube/validate/pod.h"

#include "kube/problem.h"
#include "kube/validate/pod_rules.h"

static const struct place metadata = { .name = "metadata" }, spec_place = { .name = "spec" };

/* --- what was taken before --- */

/* Whether @check finds something wrong; what it says is not told. */
static bool breaks(struct validation *v, void (*check)(struct validation *v, const struct kube_pod_spec *spec),
                   const struct kube_pod_spec *spec) {
        struct problems problems = { .arena = v->arena };
        struct validation quiet = { .problems = &problems, .arena = v->arena };

        check(&quiet, spec);
        return problems.errors > 0;
}

static void check_affinity_selector(struct validation *v, const struct kube_pod_affinity_term *term) {
        validate_selector(v, NULL, term->label_selector, NULL);
        validate_selector(v, NULL, term->namespace_selector, NULL);
}

static void check_affinity_terms(struct validation *v, const kube_pod_affinity_term_items *required,
                                 const kube_weighted_pod_affinity_term_items *preferred) {
        list_for_each (term, required)
                check_affinity_selector(v, term);
        list_for_each (term, preferred)
                check_affinity_selector(v, &term->pod_affinity_term);
}

static void check_affinity_values(struct validation *v, const struct kube_pod_spec *spec) {
        const struct kube_affinity *a = spec->affinity;

        if (a && a->pod_affinity)
                check_affinity_terms(v, &a->pod_affinity->required_during_scheduling_ignored_during_execution,
                                     &a->pod_affinity->preferred_during_scheduling_ignored_during_execution);
        if (a && a->pod_anti_affinity)
                check_affinity_terms(v, &a->pod_anti_affinity->required_during_scheduling_ignored_during_execution,
                                     &a->pod_anti_affinity->preferred_during_scheduling_ignored_during_execution);
}

static void check_node_values(struct validation *v, const struct kube_pod_spec *spec) {
        const struct kube_node_affinity *a = spec->affinity ? spec->affinity->node_affinity : NULL;

        if (!a || !a->required_during_scheduling_ignored_during_execution)
                return;
        list_for_each (term, &a->required_during_scheduling_ignored_during_execution->node_selector_terms)
                list_for_each (e, &term->match_expressions)
                        list_for_each (value, &e->values)
                                validate_name(v, NULL, NAME_LABEL_VALUE, *value);
}

static void check_spread_selectors(struct validation *v, const struct kube_pod_spec *spec) {
        list_for_each (s, &spec->topology_spread_constraints)
                validate_selector(v, NULL, s->label_selector, NULL);
}

static void check_spread_keys(struct validation *v, const struct kube_pod_spec *spec) {
        list_for_each (s, &spec->topology_spread_constraints)
                validate_match_keys(v, NULL, &s->match_label_keys, NULL, s->label_selector);
}

static bool has_token_path(const struct kube_pod_spec *spec) {
        list_for_each (volume, &spec->volumes) {
                if (!volume->projected)
                        continue;
                list_for_each (source, &volume->projected->sources)
                        if (source->service_account_token && source->service_account_token->path &&
                            !validate_is_token_path(source->service_account_token->path))
                                return true;
        }
        return false;
}

static bool has_host_sysctls(const struct kube_pod_spec *spec) {
        if (spec->security_context)
                list_for_each (s, &spec->security_context->sysctls)
                        if (validate_is_host_sysctl(spec, s->name ?: ""))
                                return true;
        return false;
}

static bool is_indivisible(const resource_list *list) {
        list_for_each (r, list)
                if (validate_is_huge_page(r->name) && !validate_is_divisible(r->name, r->amount))
                        return true;
        return false;
}

static bool has_indivisible(const struct kube_pod_spec *spec) {
        for (struct container_visit visit = { 0 }; validate_next_container(spec, &visit);)
                if (is_indivisible(&visit.container->resources.limits) ||
                    is_indivisible(&visit.container->resources.requests))
                        return true;
        return is_indivisible(&spec->overhead);
}

static bool has_init_restarts(const struct kube_pod_spec *spec) {
        list_for_each (container, &spec->init_containers) {
                if (kube_is(container->restart_policy, "Always"))
                        continue;
                list_for_each (p, &container->resize_policy)
                        if (kube_is(p->restart_policy, "RestartContainer"))
                                return true;
        }
        return false;
}

static bool has_devices(const struct kube_pod_spec *spec) {
        for (struct container_visit visit = { 0 }; validate_next_container(spec, &visit);)
                if (visit.container->volume_devices.count > 0)
                        return true;
        return false;
}

static bool has_comparisons(const struct kube_pod_spec *spec) {
        list_for_each (t, &spec->tolerations)
                if (kube_is(t->operator, "Lt") || kube_is(t->operator, "Gt"))
                        return true;
        return false;
}

static struct pod_options options_after(struct validation *v, const struct kube_pod_spec *old) {
        bool own_users = old->host_users == TRI_FALSE;

        return (struct pod_options){
                .any_affinity_value = breaks(v, check_affinity_values, old),
                .any_node_affinity_value = breaks(v, check_node_values, old),
                .any_spread_selector = breaks(v, check_spread_selectors, old),
                .any_spread_keys = breaks(v, check_spread_keys, old),
                .any_token_path = has_token_path(old),
                .host_sysctls = has_host_sysctls(old),
                .indivisible_pages = has_indivisible(old),
                .init_restarts = has_init_restarts(old),
                .user_namespace_devices = own_users && has_devices(old),
                .user_namespace_network = own_users && old->host_network,
                .compared_tolerations = has_comparisons(old),
                .any_label_change = old->security_context && old->security_context->se_linux_change_policy,
        };
}

struct pod_options validate_pod_options(struct validation *v, const struct kube_pod_spec *old,
                                        const struct kube_object_meta *old_meta) {
        struct pod_options options = { 0 };

        if (old)
                options = options_after(v, old);
        options.any_deletion_cost = old_meta && !validate_is_deletion_cost(&old_meta->annotations);
        return options;
}

/* --- templates --- */

void validate_pod_template(struct validation *v, const struct place *at, const struct kube_pod_template_spec *template,
                           const struct kube_pod_template_spec *old) {
        const struct place *spec = FIELD(at, "spec");
        struct pod_case c = { .spec = &template->spec };

        c.options = validate_pod_options(v, old ? &old->spec : NULL, old ? &old->metadata : NULL);
        validate_labels(v, FIELD(at, "labels"), &template->metadata.labels);
        validate_annotations(v, FIELD(at, "annotations"), &template->metadata.annotations);
        validate_pod_annotations(v, FIELD(at, "annotations"), &template->metadata.annotations, &c);
        validate_pod_spec(v, spec, &c);
        validate_profiles_agree(v, spec, &template->metadata.annotations, &template->spec);
        if (template->spec.ephemeral_containers.count > 0)
                validate_forbidden(v, FIELD(spec, "ephemeralContainers"),
                                   "ephemeral containers not allowed in pod template");
}

/* --- pods --- */

/* A token is of an account. */
static void check_tokens(struct validation *v, const struct kube_pod_spec *spec) {
        if (spec->service_account_name && *spec->service_account_name)
                return;
        for (uint32_t i = 0; i < spec->volumes.count; i++) {
                const struct kube_projected_volume_source *p = spec->volumes.items[i].projected;
                const struct place *here = FIELD(ITEM(FIELD(&spec_place, "volumes"), i), "projected");

                for (uint32_t j = 0; p && j < p->sources.count; j++)
                        if (p->sources.items[j].service_account_token)
                                validate_forbidden(v, FIELD(ITEM(FIELD(here, "sources"), j), "serviceAccountToken"),
                                                   "must not be specified when serviceAccountName is not set");
        }
}

static void check_images(struct validation *v, const char *list, const kube_container_items *containers) {
        for (uint32_t i = 0; i < containers->count; i++)
                validate_image_blanks(v, ITEM(FIELD(&spec_place, list), i), &containers->items[i]);
}

void validate_pod_whole(struct validation *v, const struct kube_object_meta *meta, const struct kube_pod_spec *spec,
                        const struct pod_options *options) {
        struct pod_case c = { .spec = spec, .meta = meta, .options = *options, .is_pod = true };

        validate_meta(v, meta, NAME_SUBDOMAIN);
        validate_pod_annotations(v, FIELD(&metadata, "annotations"), &meta->annotations, &c);
        validate_pod_spec(v, &spec_place, &c);
        check_tokens(v, spec);
        check_images(v, "containers", &spec->containers);
        check_images(v, "initContainers", &spec->init_containers);
}

void validate_new_pod(struct validation *v, const struct kube_object_meta *meta, const struct kube_pod_spec *spec) {
        const struct pod_options options = { 0 };

        validate_pod_whole(v, meta, spec, &options);
        if (spec->ephemeral_containers.count > 0)
                validate_forbidden(v, FIELD(&spec_place, "ephemeralContainers"), "cannot be set on create");
        if (spec->node_name && *spec->node_name && spec->scheduling_gates.count > 0)
                validate_forbidden(v, FIELD(&spec_place, "nodeName"),
                                   "cannot be set until all schedulingGates have been cleared");
        validate_profiles_agree(v, &spec_place, &meta->annotations, spec);
}

void validate_pod(struct validation *v, const void *object, const void *old) {
        const struct kube_pod *pod = object;

        validate_new_pod(v, &pod->metadata, &pod->spec);
}
