/* Deployments and ReplicaSets (k8s.io/kubernetes/pkg/apis/apps/validation, pkg/registry/apps). */

#include "kube/apps_v1.h"
#include "kube/validate/common.h"
#include "kube/validate/pod.h"
#include "kube/validate/rules.h"
#include "kube/validate/workload.h"

#define MORE_THAN_REPLICAS "cannot be greater than status.replicas"

/* --- what both have: a selector, and a template that it selects --- */

static void check_template(struct validation *v, const struct place *at, const struct kube_label_selector *selector,
                           const struct kube_pod_template_spec *template, const struct kube_pod_template_spec *past) {
        static const char *const always[] = { "Always", NULL };
        const struct place *spec = FIELD(at, "spec");

        if (!validate_selector_is_empty(selector) && !validate_selector_matches(selector, &template->metadata.labels))
                validate_unmatched_labels(v, at, template);
        validate_pod_template(v, at, template, past);
        validate_choice(v, FIELD(spec, "restartPolicy"), template->spec.restart_policy, always);
        if (template->spec.active_deadline_seconds.set)
                validate_forbidden(v, FIELD(spec, "activeDeadlineSeconds"),
                                   "activeDeadlineSeconds in ReplicaSet is not Supported");
}

static void check_selector(struct validation *v, const struct place *at, const struct kube_label_selector *selector,
                           const struct kube_pod_template_spec *template, const struct kube_pod_template_spec *past) {
        const struct place *place = FIELD(at, "selector");

        if (!selector)
                validate_required(v, place, "");
        validate_selector(v, place, selector, NULL);
        if (validate_selector_is_empty(selector))
                validate_invalid_object(v, place, &kube_label_selector_type, selector,
                                        "empty selector is invalid for deployment");
        if (!validate_selector_is_sound(selector))
                validate_invalid_object(v, place, &kube_label_selector_type, selector, "invalid label selector");
        else
                check_template(v, FIELD(at, "template"), selector, template, past);
}

/* --- Deployment --- */

static void check_rolling_update(struct validation *v, const struct place *at,
                                 const struct kube_apps_v1_rolling_update_deployment *update) {
        const struct place *unavailable = FIELD(at, "maxUnavailable");

        validate_int_or_percent(v, unavailable, &update->max_unavailable);
        validate_int_or_percent(v, FIELD(at, "maxSurge"), &update->max_surge);
        if (validate_percent_number(&update->max_unavailable) == 0 && validate_percent_number(&update->max_surge) == 0)
                validate_invalid_int_or_string(v, unavailable, &update->max_unavailable,
                                               "may not be 0 when `maxSurge` is 0");
        validate_percent_max(v, unavailable, &update->max_unavailable);
}

static void check_strategy(struct validation *v, const struct place *at,
                           const struct kube_apps_v1_deployment_strategy *strategy) {
        static const char *const types[] = { "Recreate", "RollingUpdate", NULL };
        const struct place *update = FIELD(at, "rollingUpdate");

        if (kube_is(strategy->type, "Recreate")) {
                if (strategy->rolling_update)
                        validate_forbidden(v, update, "may not be specified when strategy `type` is 'Recreate'");
        } else if (!kube_is(strategy->type, "RollingUpdate")) {
                validate_unsupported_json(v, at, validate_go_json(v, &kube_apps_v1_deployment_strategy_type, strategy),
                                          types);
        } else if (!strategy->rolling_update) {
                validate_required(v, update, "this should be defaulted and never be nil");
        } else {
                check_rolling_update(v, update, strategy->rolling_update);
        }
}

static void check_deployment(struct validation *v, const struct kube_apps_v1_deployment *new,
                             const struct kube_pod_template_spec *past) {
        const struct kube_apps_v1_deployment_spec *spec = &new->spec;
        const struct place *at = FIELD(NULL, "spec"), *deadline = FIELD(at, "progressDeadlineSeconds");

        validate_not_negative_if(v, FIELD(at, "replicas"), &spec->replicas);
        check_selector(v, at, spec->selector, &spec->template, past);
        check_strategy(v, FIELD(at, "strategy"), &spec->strategy);
        validate_not_negative(v, FIELD(at, "minReadySeconds"), spec->min_ready_seconds);
        validate_not_negative_if(v, FIELD(at, "revisionHistoryLimit"), &spec->revision_history_limit);
        /* No field of this version, and told of as the one that it is there. */
        validate_not_negative(
                v, FIELD(FIELD(at, "rollback"), "version"),
                validate_annotated_number(&new->metadata.annotations, "deprecated.deployment.rollback.to"));
        validate_not_negative_if(v, deadline, &spec->progress_deadline_seconds);
        if (spec->progress_deadline_seconds.set && spec->progress_deadline_seconds.value <= spec->min_ready_seconds)
                validate_invalid_int(v, deadline, spec->progress_deadline_seconds.value,
                                     "must be greater than minReadySeconds");
}

static void create_deployment(struct validation *v, const void *object, const void *old) {
        const struct kube_apps_v1_deployment *new = object;

        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        check_deployment(v, new, NULL);
}

static void update_deployment(struct validation *v, const void *object, const void *before) {
        const struct kube_apps_v1_deployment *new = object, *old = before;

        validate_meta_update(v, &new->metadata, &old->metadata);
        check_deployment(v, new, &old->spec.template);
        validate_immutable(v, FIELD(FIELD(NULL, "spec"), "selector"), &kube_label_selector_type, new->spec.selector,
                           old->spec.selector);
}

static void update_deployment_status(struct validation *v, const void *object, const void *before) {
        const struct kube_apps_v1_deployment *new = object, *old = before;
        const struct kube_apps_v1_deployment_status *s = &new->status;
        const struct place *at = FIELD(NULL, "status"), *available = FIELD(at, "availableReplicas");

        validate_meta_update(v, &new->metadata, &old->metadata);
        validate_not_negative(v, FIELD(at, "observedGeneration"), s->observed_generation);
        validate_not_negative(v, FIELD(at, "replicas"), s->replicas);
        validate_not_negative(v, FIELD(at, "updatedReplicas"), s->updated_replicas);
        validate_not_negative(v, FIELD(at, "readyReplicas"), s->ready_replicas);
        validate_not_negative(v, available, s->available_replicas);
        validate_not_negative(v, FIELD(at, "unavailableReplicas"), s->unavailable_replicas);
        validate_not_negative_if(v, FIELD(at, "terminatingReplicas"), &s->terminating_replicas);
        validate_not_negative_if(v, FIELD(at, "collisionCount"), &s->collision_count);
        validate_not_more(v, FIELD(at, "updatedReplicas"), s->updated_replicas, s->replicas, MORE_THAN_REPLICAS);
        validate_not_more(v, FIELD(at, "readyReplicas"), s->ready_replicas, s->replicas, MORE_THAN_REPLICAS);
        validate_not_more(v, available, s->available_replicas, s->replicas, MORE_THAN_REPLICAS);
        validate_not_more(v, available, s->available_replicas, s->ready_replicas,
                          "cannot be greater than readyReplicas");
        validate_not_decremented(v, FIELD(at, "collisionCount"), &s->collision_count, &old->status.collision_count);
}

/* --- ReplicaSet --- */

static void check_replica_set(struct validation *v, const struct kube_apps_v1_replica_set_spec *spec,
                              const struct kube_pod_template_spec *past) {
        const struct place *at = FIELD(NULL, "spec");

        validate_not_negative_if(v, FIELD(at, "replicas"), &spec->replicas);
        validate_not_negative(v, FIELD(at, "minReadySeconds"), spec->min_ready_seconds);
        check_selector(v, at, spec->selector, &spec->template, past);
}

static void create_replica_set(struct validation *v, const void *object, const void *old) {
        const struct kube_apps_v1_replica_set *new = object;

        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        check_replica_set(v, &new->spec, NULL);
}

static void update_replica_set(struct validation *v, const void *object, const void *before) {
        const struct kube_apps_v1_replica_set *new = object, *old = before;

        validate_meta_update(v, &new->metadata, &old->metadata);
        check_replica_set(v, &new->spec, &old->spec.template);
        validate_immutable(v, FIELD(FIELD(NULL, "spec"), "selector"), &kube_label_selector_type, new->spec.selector,
                           old->spec.selector);
}

static void update_replica_set_status(struct validation *v, const void *object, const void *before) {
        const struct kube_apps_v1_replica_set *new = object, *old = before;
        const struct kube_apps_v1_replica_set_status *s = &new->status;
        const struct place *at = FIELD(NULL, "status"), *available = FIELD(at, "availableReplicas");

        validate_meta_update(v, &new->metadata, &old->metadata);
        validate_not_negative(v, FIELD(at, "replicas"), s->replicas);
        validate_not_negative(v, FIELD(at, "fullyLabeledReplicas"), s->fully_labeled_replicas);
        validate_not_negative(v, FIELD(at, "readyReplicas"), s->ready_replicas);
        validate_not_negative(v, available, s->available_replicas);
        validate_not_negative(v, FIELD(at, "observedGeneration"), s->observed_generation);
        validate_not_negative_if(v, FIELD(at, "terminatingReplicas"), &s->terminating_replicas);
        validate_not_more(v, FIELD(at, "fullyLabeledReplicas"), s->fully_labeled_replicas, s->replicas,
                          MORE_THAN_REPLICAS);
        validate_not_more(v, FIELD(at, "readyReplicas"), s->ready_replicas, s->replicas, MORE_THAN_REPLICAS);
        validate_not_more(v, available, s->available_replicas, s->replicas, MORE_THAN_REPLICAS);
        validate_not_more(v, available, s->available_replicas, s->ready_replicas,
                          "cannot be greater than readyReplicas");
}

static const struct validate_sub deployment_subs[] = { { "status", update_deployment_status }, { 0 } },
                                 replica_set_subs[] = { { "status", update_replica_set_status }, { 0 } };

const struct validate_rules validate_deployment_rules[] = {
        { "apps", "Deployment", NAME_SUBDOMAIN, create_deployment, update_deployment, deployment_subs },
        { "apps", "ReplicaSet", NAME_SUBDOMAIN, create_replica_set, update_replica_set, replica_set_subs },
        { 0 },
};
