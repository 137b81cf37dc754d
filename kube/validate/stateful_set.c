/* StatefulSets (k8s.io/kubernetes/pkg/apis/apps/validation, pkg/registry/apps/statefulset). */
#include <string.h>

#include "kube/apps_v1.h"
#include "kube/validate/common.h"
#include "kube/problem.h"
#include "kube/validate/core.h"
#include "kube/validate/pod.h"
#include "kube/validate/rules.h"
#include "kube/validate/workload.h"
#include "lib/arena.h"

#define MORE_THAN_REPLICAS "cannot be greater than status.replicas"

/* What an update does not ask again of what it cannot change. */
struct leniency {
        bool service_name, claims, template;
};

static void check_rolling_update(struct validation *v, const struct place *at,
                                 const struct kube_apps_v1_rolling_update_stateful_set_strategy *update) {
        const struct place *unavailable = FIELD(at, "maxUnavailable");

        validate_not_negative_if(v, FIELD(at, "partition"), &update->partition);
        if (!update->max_unavailable.set)
                return;
        validate_int_or_percent(v, unavailable, &update->max_unavailable);
        if (validate_percent_number(&update->max_unavailable) == 0)
                validate_invalid_int_or_string(v, unavailable, &update->max_unavailable, "cannot be 0");
        validate_percent_max(v, unavailable, &update->max_unavailable);
}

/* In Go the partition is no pointer. */
static const char *rolling_update_text(struct validation *v,
                                       const struct kube_apps_v1_rolling_update_stateful_set_strategy *update) {
        struct kube_apps_v1_rolling_update_stateful_set_strategy told = *update;

        told.partition.set = true;
        return validate_go_json(v, &kube_apps_v1_rolling_update_stateful_set_strategy_type, &told);
}

static const char *strategy_text(struct validation *v,
                                 const struct kube_apps_v1_stateful_set_update_strategy *strategy) {
        struct kube_apps_v1_stateful_set_update_strategy told = *strategy;
        struct kube_apps_v1_rolling_update_stateful_set_strategy update;

        if (told.rolling_update) {
                update = *told.rolling_update;
                update.partition.set = true;
                told.rolling_update = &update;
        }
        return validate_go_json(v, &kube_apps_v1_stateful_set_update_strategy_type, &told);
}

static void check_update_strategy(struct validation *v, const struct place *at,
                                  const struct kube_apps_v1_stateful_set_update_strategy *strategy) {
        const struct place *update = FIELD(at, "rollingUpdate");

        if (!strategy->type || !*strategy->type) {
                validate_required(v, at, "");
        } else if (kube_is(strategy->type, "OnDelete")) {
                if (strategy->rolling_update)
                        validate_invalid_json(v, update, rolling_update_text(v, strategy->rolling_update),
                                              "only allowed for updateStrategy 'RollingUpdate'");
        } else if (!kube_is(strategy->type, "RollingUpdate")) {
                validate_invalid_json(v, at, strategy_text(v, strategy), "must be 'RollingUpdate' or 'OnDelete'");
        } else if (strategy->rolling_update) {
                check_rolling_update(v, update, strategy->rolling_update);
        }
}

static void check_management(struct validation *v, const struct place *at, const char *policy) {
        if (!policy || !*policy)
                validate_required(v, at, "");
        else if (strcmp(policy, "OrderedReady") != 0 && strcmp(policy, "Parallel") != 0)
                validate_invalid_word(v, at, policy, "must be 'OrderedReady' or 'Parallel'");
}

static void check_claims(struct validation *v, const struct place *at,
                         const struct kube_apps_v1_stateful_set_spec *spec, const struct leniency *lenient) {
        static const char *const retained[] = { "Retain", "Delete", NULL };
        const struct kube_apps_v1_stateful_set_persistent_volume_claim_retention_policy *policy =
                spec->persistent_volume_claim_retention_policy;
        const struct place *retention = FIELD(at, "persistentVolumeClaimRetentionPolicy"),
                           *templates = FIELD(at, "volumeClaimTemplates");

        if (policy) {
                validate_choice(v, FIELD(retention, "whenDeleted"), policy->when_deleted, retained);
                validate_choice(v, FIELD(retention, "whenScaled"), policy->when_scaled, retained);
        }
        for (uint32_t i = 0; i < spec->volume_claim_templates.count && !lenient->claims; i++)
                validate_claim_spec(v, FIELD(ITEM(templates, i), "spec"), &spec->volume_claim_templates.items[i].spec,
                                    NULL);
}

static bool is_claim(const struct kube_apps_v1_stateful_set_spec *spec, const char *name) {
        list_for_each (claim, &spec->volume_claim_templates)
                if (strcmp(claim->metadata.name ?: "", name) == 0)
                        return true;
        return false;
}

/* The template as pods are made of it: a volume for each claim, and names that the controller gives. */
static struct kube_pod_template_spec make_template(struct validation *v,
                                                   const struct kube_apps_v1_stateful_set_spec *spec) {
        struct kube_pod_template_spec template = spec->template;
        uint32_t claims = spec->volume_claim_templates.count, n = 0;
        struct kube_volume *volumes;
        struct kube_persistent_volume_claim_volume_source *sources;

        template.spec.subdomain = template.spec.hostname = NULL;
        if (claims == 0)
                return template;
        volumes = arena_alloc_array(v->arena, (size_t)claims + template.spec.volumes.count, sizeof(*volumes));
        sources = arena_alloc_array(v->arena, claims, sizeof(*sources));
        if (!volumes || !sources)
                return template;
        for (uint32_t i = 0; i < claims; i++) {
                const char *name = spec->volume_claim_templates.items[i].metadata.name;
                bool known = false;

                for (uint32_t j = 0; j < n && !known; j++)
                        known = strcmp(volumes[j].name ?: "", name ?: "") == 0;
                if (known)
                        continue;
                sources[n].claim_name = name;
                volumes[n].name = name;
                volumes[n].persistent_volume_claim = &sources[n];
                n++;
        }
        list_for_each (volume, &spec->template.spec.volumes)
                if (!is_claim(spec, volume->name ?: ""))
                        volumes[n++] = *volume;
        template.spec.volumes.items = volumes;
        template.spec.volumes.count = n;
        return template;
}

static void check_template(struct validation *v, const struct place *at,
                           const struct kube_apps_v1_stateful_set_spec *spec, const struct kube_pod_template_spec *past,
                           const struct leniency *lenient) {
        struct kube_pod_template_spec template = make_template(v, spec);

        if (!validate_selector_is_empty(spec->selector) &&
            !validate_selector_matches(spec->selector, &template.metadata.labels))
                validate_unmatched_labels(v, at, &template);
        if (!lenient->template)
                validate_pod_template(v, at, &template, past);
        validate_labels(v, FIELD(at, "labels"), &template.metadata.labels);
        validate_annotations(v, FIELD(at, "annotations"), &template.metadata.annotations);
}

static void check_selector(struct validation *v, const struct place *at, const struct kube_label_selector *selector) {
        if (!selector)
                validate_required(v, at, "");
        validate_selector(v, at, selector, NULL);
        if (validate_selector_is_empty(selector))
                validate_invalid_object(v, at, &kube_label_selector_type, selector,
                                        "empty selector is invalid for statefulset");
        if (!validate_selector_is_sound(selector))
                validate_invalid_object(v, at, &kube_label_selector_type, selector, "");
}

static void check_spec(struct validation *v, const struct kube_apps_v1_stateful_set_spec *spec,
                       const struct kube_pod_template_spec *past, const struct leniency *lenient) {
        static const char *const always[] = { "Always", NULL };
        const struct place *at = FIELD(NULL, "spec"), *template = FIELD(at, "template"), *pod = FIELD(template, "spec");

        check_management(v, FIELD(at, "podManagementPolicy"), spec->pod_management_policy);
        check_update_strategy(v, FIELD(at, "updateStrategy"), &spec->update_strategy);
        check_claims(v, at, spec, lenient);
        validate_not_negative_if(v, FIELD(at, "replicas"), &spec->replicas);
        validate_not_negative(v, FIELD(at, "minReadySeconds"), spec->min_ready_seconds);
        if (spec->ordinals)
                validate_not_negative(v, FIELD(at, "ordinals.start"), spec->ordinals->start);
        if (!lenient->service_name && spec->service_name && *spec->service_name)
                validate_name(v, FIELD(at, "serviceName"), NAME_LABEL, spec->service_name);
        check_selector(v, FIELD(at, "selector"), spec->selector);
        if (validate_selector_is_sound(spec->selector))
                check_template(v, template, spec, past, lenient);
        validate_choice(v, FIELD(pod, "restartPolicy"), spec->template.spec.restart_policy, always);
        if (spec->template.spec.active_deadline_seconds.set)
                validate_forbidden(v, FIELD(pod, "activeDeadlineSeconds"),
                                   "activeDeadlineSeconds in StatefulSet is not Supported");
}

static void create_stateful_set(struct validation *v, const void *object, const void *old) {
        static const struct leniency none = { false, false, false };
        const struct kube_apps_v1_stateful_set *new = object;

        validate_meta(v, &new->metadata, NAME_LABEL);
        check_spec(v, &new->spec, NULL, &none);
}

/* Whether anything but what may change has changed. */
static bool is_other(const struct kube_apps_v1_stateful_set_spec *new,
                     const struct kube_apps_v1_stateful_set_spec *old) {
        struct kube_apps_v1_stateful_set_spec same = *new;

        same.replicas = old->replicas;
        same.template = old->template;
        same.update_strategy = old->update_strategy;
        same.min_ready_seconds = old->min_ready_seconds;
        same.ordinals = old->ordinals;
        same.revision_history_limit = old->revision_history_limit;
        same.persistent_volume_claim_retention_policy = old->persistent_volume_claim_retention_policy;
        return !validate_equal(&kube_apps_v1_stateful_set_spec_type, &same, old);
}

static void update_stateful_set(struct validation *v, const void *object, const void *before) {
        const struct kube_apps_v1_stateful_set *new = object, *old = before;
        struct leniency lenient = { .service_name = true, .claims = true };
        struct problems unheard;
        struct validation unsaid = *v;

        validate_meta_update(v, &new->metadata, &old->metadata);
        problems_init(&unheard, v->arena, NULL, NULL);
        unsaid.problems = &unheard;
        check_spec(&unsaid, &old->spec, &old->spec.template, &lenient);
        lenient.template = unheard.errors > 0;
        check_spec(v, &new->spec, &old->spec.template, &lenient);
        if (is_other(&new->spec, &old->spec))
                validate_forbidden(v, FIELD(NULL, "spec"),
                                   "updates to statefulset spec for fields other than 'replicas', 'ordinals', "
                                   "'template', 'updateStrategy', 'revisionHistoryLimit', "
                                   "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden");
}

static void update_status(struct validation *v, const void *object, const void *before) {
        const struct kube_apps_v1_stateful_set *new = object, *old = before;
        const struct kube_apps_v1_stateful_set_status *s = &new->status;
        const struct place *at = FIELD(NULL, "status"), *available = FIELD(at, "availableReplicas");

        validate_not_negative(v, FIELD(at, "replicas"), s->replicas);
        validate_not_negative(v, FIELD(at, "readyReplicas"), s->ready_replicas);
        validate_not_negative(v, FIELD(at, "currentReplicas"), s->current_replicas);
        validate_not_negative(v, FIELD(at, "updatedReplicas"), s->updated_replicas);
        validate_not_negative(v, available, s->available_replicas);
        validate_not_negative(v, FIELD(at, "observedGeneration"), s->observed_generation);
        validate_not_negative_if(v, FIELD(at, "collisionCount"), &s->collision_count);
        validate_not_more(v, FIELD(at, "readyReplicas"), s->ready_replicas, s->replicas, MORE_THAN_REPLICAS);
        validate_not_more(v, FIELD(at, "currentReplicas"), s->current_replicas, s->replicas, MORE_THAN_REPLICAS);
        validate_not_more(v, FIELD(at, "updatedReplicas"), s->updated_replicas, s->replicas, MORE_THAN_REPLICAS);
        validate_not_more(v, available, s->available_replicas, s->replicas, MORE_THAN_REPLICAS);
        validate_not_more(v, available, s->available_replicas, s->ready_replicas,
                          "cannot be greater than status.readyReplicas");
        validate_meta_update(v, &new->metadata, &old->metadata);
        validate_not_decremented(v, FIELD(at, "collisionCount"), &s->collision_count, &old->status.collision_count);
}

static const struct validate_sub subs[] = { { "status", update_status }, { 0 } };

const struct validate_rules validate_stateful_set_rules[] = {
        { "apps", "StatefulSet", NAME_LABEL, create_stateful_set, update_stateful_set, subs },
        { 0 },
};
