/* DaemonSets, and the ControllerRevisions that they and StatefulSets keep (k8s.io/kubernetes/pkg/apis/apps/validation,
 * pkg/registry/apps). */
#include <string.h>

#include "kube/apps_v1.h"
#include "kube/validate/common.h"
#include "kube/validate/pod.h"
#include "kube/validate/rules.h"
#include "kube/validate/workload.h"

static void check_rolling_update(struct validation *v, const struct place *at,
                                 const struct kube_apps_v1_rolling_update_daemon_set *update) {
        const struct place *unavailable = FIELD(at, "maxUnavailable"), *surge = FIELD(at, "maxSurge");
        bool some = validate_percent_number(&update->max_unavailable) != 0,
             more = validate_percent_number(&update->max_surge) != 0;

        validate_int_or_percent(v, unavailable, &update->max_unavailable);
        validate_int_or_percent(v, surge, &update->max_surge);
        validate_percent_max(v, unavailable, &update->max_unavailable);
        validate_percent_max(v, surge, &update->max_surge);
        if (some && more)
                validate_invalid_int_or_string(v, surge, &update->max_surge,
                                               "may not be set when maxUnavailable is non-zero");
        else if (!some && !more)
                validate_required(v, unavailable, "cannot be 0 when maxSurge is 0");
}

static void check_strategy(struct validation *v, const struct place *at,
                           const struct kube_apps_v1_daemon_set_update_strategy *strategy) {
        static const char *const types[] = { "RollingUpdate", "OnDelete", NULL };
        const struct place *update = FIELD(at, "rollingUpdate");

        if (kube_is(strategy->type, "OnDelete"))
                return;
        if (!kube_is(strategy->type, "RollingUpdate"))
                validate_unsupported_json(
                        v, at, validate_go_json(v, &kube_apps_v1_daemon_set_update_strategy_type, strategy), types);
        else if (!strategy->rolling_update)
                validate_required(v, update, "");
        else
                check_rolling_update(v, update, strategy->rolling_update);
}

/* Which template it is: no field of this version, and told of as the one that it is there. */
static int64_t templates_of(const struct kube_apps_v1_daemon_set *daemons) {
        return validate_annotated_number(&daemons->metadata.annotations, "deprecated.daemonset.template.generation");
}

static void check_spec(struct validation *v, const struct kube_apps_v1_daemon_set *new,
                       const struct kube_pod_template_spec *past, const struct validate_selector_options *lenient) {
        static const char *const always[] = { "Always", NULL };
        const struct kube_apps_v1_daemon_set_spec *spec = &new->spec;
        const struct place *at = FIELD(NULL, "spec"), *selector = FIELD(at, "selector"),
                           *template = FIELD(at, "template"), *pod = FIELD(template, "spec");

        validate_selector(v, selector, spec->selector, lenient);
        if (validate_selector_is_sound(spec->selector) &&
            !validate_selector_matches(spec->selector, &spec->template.metadata.labels))
                validate_unmatched_labels(v, template, &spec->template);
        if (validate_selector_is_empty(spec->selector))
                validate_invalid_object(v, selector, &kube_label_selector_type, spec->selector,
                                        "empty selector is invalid for daemonset");
        validate_pod_template(v, template, &spec->template, past);
        validate_choice(v, FIELD(pod, "restartPolicy"), spec->template.spec.restart_policy, always);
        if (spec->template.spec.active_deadline_seconds.set)
                validate_forbidden(v, FIELD(pod, "activeDeadlineSeconds"),
                                   "activeDeadlineSeconds in DaemonSet is not Supported");
        validate_not_negative(v, FIELD(at, "minReadySeconds"), spec->min_ready_seconds);
        validate_not_negative(v, FIELD(at, "templateGeneration"), templates_of(new));
        check_strategy(v, FIELD(at, "updateStrategy"), &spec->update_strategy);
        validate_not_negative_if(v, FIELD(at, "revisionHistoryLimit"), &spec->revision_history_limit);
}

static void create_daemon_set(struct validation *v, const void *object, const void *old) {
        const struct kube_apps_v1_daemon_set *new = object;

        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        check_spec(v, new, NULL, NULL);
}

static void update_daemon_set(struct validation *v, const void *object, const void *before) {
        const struct kube_apps_v1_daemon_set *new = object, *old = before;
        struct validate_selector_options lenient = { .any_value = validate_selector_has_bad_value(old->spec.selector) };

        validate_meta_update(v, &new->metadata, &old->metadata);
        if (templates_of(new) < templates_of(old))
                validate_invalid_int(v, FIELD(FIELD(NULL, "spec"), "templateGeneration"), templates_of(new),
                                     "must not be decremented");
        validate_immutable(v, FIELD(FIELD(NULL, "spec"), "selector"), &kube_label_selector_type, new->spec.selector,
                           old->spec.selector);
        check_spec(v, new, &old->spec.template, &lenient);
}

static void update_status(struct validation *v, const void *object, const void *before) {
        const struct kube_apps_v1_daemon_set *new = object, *old = before;
        const struct kube_apps_v1_daemon_set_status *s = &new->status;
        const struct place *at = FIELD(NULL, "status");

        validate_meta_update(v, &new->metadata, &old->metadata);
        validate_not_negative(v, FIELD(at, "currentNumberScheduled"), s->current_number_scheduled);
        validate_not_negative(v, FIELD(at, "numberMisscheduled"), s->number_misscheduled);
        validate_not_negative(v, FIELD(at, "desiredNumberScheduled"), s->desired_number_scheduled);
        validate_not_negative(v, FIELD(at, "numberReady"), s->number_ready);
        validate_not_negative(v, FIELD(at, "observedGeneration"), s->observed_generation);
        validate_not_negative(v, FIELD(at, "updatedNumberScheduled"), s->updated_number_scheduled);
        validate_not_negative(v, FIELD(at, "numberAvailable"), s->number_available);
        validate_not_negative(v, FIELD(at, "numberUnavailable"), s->number_unavailable);
        validate_not_negative_if(v, FIELD(at, "collisionCount"), &s->collision_count);
        validate_not_decremented(v, FIELD(at, "collisionCount"), &s->collision_count, &old->status.collision_count);
}

/* --- ControllerRevision --- */

static void check_revision(struct validation *v, const struct kube_apps_v1_controller_revision *revision) {
        validate_meta(v, &revision->metadata, NAME_SUBDOMAIN);
        validate_not_negative(v, FIELD(NULL, "revision"), revision->revision);
}

static void create_revision(struct validation *v, const void *object, const void *old) {
        const struct kube_apps_v1_controller_revision *new = object;
        const char *data = new->data.text;

        check_revision(v, new);
        if (!data || strcmp(data, "null") == 0)
                validate_required(v, FIELD(NULL, "data"), "data is mandatory");
        else if (*data != '{')
                validate_required(v, FIELD(NULL, "data"), "data must be a valid JSON object");
}

static void update_revision(struct validation *v, const void *object, const void *before) {
        const struct kube_apps_v1_controller_revision *new = object, *old = before;

        validate_meta_update(v, &new->metadata, &old->metadata);
        check_revision(v, new);
        validate_immutable_field(v, FIELD(NULL, "data"), &kube_apps_v1_controller_revision_type, "data", new, old);
}

static const struct validate_sub subs[] = { { "status", update_status }, { 0 } };

const struct validate_rules validate_daemon_set_rules[] = {
        { "apps", "DaemonSet", NAME_SUBDOMAIN, create_daemon_set, update_daemon_set, subs },
        { "apps", "ControllerRevision", NAME_SUBDOMAIN, create_revision, update_revision, NULL },
        { 0 },
};
