/* HorizontalPodAutoscalers of version 2, which is the one that is kept
 * (k8s.io/kubernetes/pkg/apis/autoscaling/validation, pkg/registry/autoscaling). */
#include <string.h>

#include "kube/autoscaling_v2.h"
#include "kube/validate/common.h"
#include "kube/validate/pod.h"
#include "kube/validate/resources.h"
#include "kube/validate/rules.h"
#include "kube/validate/workload.h"

#define WINDOW_MAX_S 3600
#define PERIOD_MAX_S 1800

typedef const struct kube_autoscaling_v2_cross_version_object_reference *reference;
typedef const struct kube_autoscaling_v2_metric_target *target_ref;
typedef const struct kube_autoscaling_v2_horizontal_pod_autoscaler_spec *autoscaler_spec;

/* How an object that is scaled or looked at may name its version. */
struct leniency {
        bool any_version, no_group;
};

struct leniencies {
        struct leniency target, object;
        int32_t least; /* replicas */
};

/* --- references --- */

static const char *version_problem(struct validation *v, const char *version, const struct leniency *lenient) {
        const char *slash = strchr(version, '/');

        if (lenient->any_version)
                return NULL;
        if (strcmp(version, "/") != 0 && slash && strchr(slash + 1, '/'))
                return validate_text(v, "unexpected GroupVersion string: %s", version);
        return lenient->no_group || (slash && slash != version) ? NULL : "apiVersion must specify API group";
}

static void check_reference(struct validation *v, const struct place *at, reference ref,
                            const struct leniency *lenient) {
        const char *problem = version_problem(v, ref->api_version ?: "", lenient);

        validate_name_required(v, FIELD(at, "kind"), NAME_SEGMENT, ref->kind);
        validate_name_required(v, FIELD(at, "name"), NAME_SEGMENT, ref->name);
        if (problem)
                validate_invalid(v, FIELD(at, "apiVersion"), ref->api_version, problem);
}

/* --- metrics --- */

static void check_positive(struct validation *v, const struct place *at, const struct opt_quantity *amount) {
        if (amount->set && quantity_sign(amount->amount) != 1)
                validate_invalid_quantity(v, at, amount->amount, "must be positive");
}

static void check_target(struct validation *v, const struct place *at, target_ref target) {
        static const char *const types[] = { "Utilization", "Value", "AverageValue", NULL };

        if (!target->type || !*target->type)
                validate_required(v, FIELD(at, "type"), "must specify a metric target type");
        if (!validate_is_one(target->type, types))
                validate_invalid_word(v, FIELD(at, "type"), target->type,
                                      "must be either Utilization, Value, or AverageValue");
        check_positive(v, FIELD(at, "value"), &target->value);
        check_positive(v, FIELD(at, "averageValue"), &target->average_value);
        if (target->average_utilization.set && target->average_utilization.value < 1)
                validate_invalid_int(v, FIELD(at, "averageUtilization"), target->average_utilization.value,
                                     "must be greater than 0");
}

static void check_metric(struct validation *v, const struct place *at,
                         const struct kube_autoscaling_v2_metric_identifier *metric) {
        if (!metric->name || !*metric->name)
                validate_required(v, FIELD(at, "name"), "must specify a metric name");
        else
                validate_name(v, FIELD(at, "name"), NAME_SEGMENT, metric->name);
}

static void check_object(struct validation *v, const struct place *at,
                         const struct kube_autoscaling_v2_object_metric_source *source,
                         const struct leniency *lenient) {
        const struct place *target = FIELD(at, "target");

        check_reference(v, FIELD(at, "describedObject"), &source->described_object, lenient);
        check_metric(v, FIELD(at, "metric"), &source->metric);
        check_target(v, target, &source->target);
        if (!source->target.value.set && !source->target.average_value.set)
                validate_required(v, FIELD(target, "averageValue"), "must set either a target value or averageValue");
}

static void check_external(struct validation *v, const struct place *at,
                           const struct kube_autoscaling_v2_external_metric_source *source) {
        const struct place *target = FIELD(at, "target");

        check_metric(v, FIELD(at, "metric"), &source->metric);
        check_target(v, target, &source->target);
        if (!source->target.value.set && !source->target.average_value.set)
                validate_required(v, FIELD(target, "averageValue"),
                                  "must set either a target value for metric or a per-pod target");
        if (source->target.value.set && source->target.average_value.set)
                validate_forbidden(v, FIELD(target, "value"),
                                   "may not set both a target value for metric and a per-pod target");
}

static void check_pods(struct validation *v, const struct place *at,
                       const struct kube_autoscaling_v2_pods_metric_source *source) {
        const struct place *target = FIELD(at, "target");

        check_metric(v, FIELD(at, "metric"), &source->metric);
        check_target(v, target, &source->target);
        if (!source->target.average_value.set)
                validate_required(v, FIELD(target, "averageValue"), "must specify a positive target averageValue");
}

static void check_resource_target(struct validation *v, const struct place *at, target_ref target) {
        check_target(v, at, target);
        if (!target->average_utilization.set && !target->average_value.set)
                validate_required(v, FIELD(at, "averageUtilization"),
                                  "must set either a target raw value or a target utilization");
        if (target->average_utilization.set && target->average_value.set)
                validate_forbidden(v, FIELD(at, "averageValue"),
                                   "may not set both a target raw value and a target utilization");
}

static void check_resource(struct validation *v, const struct place *at,
                           const struct kube_autoscaling_v2_resource_metric_source *source) {
        if (!source->name || !*source->name)
                validate_required(v, FIELD(at, "name"), "must specify a resource name");
        check_resource_target(v, FIELD(at, "target"), &source->target);
}

static void check_container_resource(struct validation *v, const struct place *at,
                                     const struct kube_autoscaling_v2_container_resource_metric_source *source) {
        if (!source->name || !*source->name)
                validate_required(v, FIELD(at, "name"), "must specify a resource name");
        else
                validate_container_resource(v, FIELD(at, "name"), source->name);
        if (!source->container || !*source->container)
                validate_required(v, FIELD(at, "container"), "must specify a container");
        else
                validate_name(v, FIELD(at, "container"), NAME_LABEL, source->container);
        check_resource_target(v, FIELD(at, "target"), &source->target);
}

enum { SOURCE_OBJECT, SOURCE_EXTERNAL, SOURCE_PODS, SOURCE_RESOURCE, SOURCE_CONTAINER_RESOURCE, N_SOURCES };
static const struct {
        const char *type, *field;
} sources[N_SOURCES] = {
        [SOURCE_OBJECT] = { "Object", "object" },
        [SOURCE_EXTERNAL] = { "External", "external" },
        [SOURCE_PODS] = { "Pods", "pods" },
        [SOURCE_RESOURCE] = { "Resource", "resource" },
        [SOURCE_CONTAINER_RESOURCE] = { "ContainerResource", "containerResource" },
};

static void check_source(struct validation *v, const struct place *at, size_t source,
                         const struct kube_autoscaling_v2_metric_spec *metric, const struct leniency *lenient) {
        const struct place *below = FIELD(at, sources[source].field);

        switch (source) {
        case SOURCE_OBJECT:
                check_object(v, below, metric->object, lenient);
                break;
        case SOURCE_EXTERNAL:
                check_external(v, below, metric->external);
                break;
        case SOURCE_PODS:
                check_pods(v, below, metric->pods);
                break;
        case SOURCE_RESOURCE:
                check_resource(v, below, metric->resource);
                break;
        case SOURCE_CONTAINER_RESOURCE:
                check_container_resource(v, below, metric->container_resource);
                break;
        }
}

static void check_metric_spec(struct validation *v, const struct place *at,
                              const struct kube_autoscaling_v2_metric_spec *metric, const struct leniency *lenient) {
        static const char *const types[] = { "ContainerResource", "External", "Object", "Pods", "Resource", NULL };
        bool given[N_SOURCES] = { metric->object, metric->external, metric->pods, metric->resource,
                                  metric->container_resource };
        size_t n = 0;

        if (!metric->type || !*metric->type)
                validate_required(v, FIELD(at, "type"), "must specify a metric source type");
        validate_choice(v, FIELD(at, "type"), metric->type, types);
        for (size_t i = 0; i < N_SOURCES; i++)
                if (given[i] && n++ == 0) /* the first that is there */
                        check_source(v, at, i, metric, lenient);
        validate_choice(v, FIELD(at, "type"), metric->type, types);
        for (size_t i = 0; i < N_SOURCES; i++)
                if (kube_is(metric->type, sources[i].type) && !given[i])
                        validate_required(v, FIELD(at, sources[i].field),
                                          "must populate information for the given metric source");
        for (size_t i = 0; i < N_SOURCES && n != 1; i++)
                if (given[i] && !kube_is(metric->type, sources[i].type))
                        validate_forbidden(v, FIELD(at, sources[i].field),
                                           "must populate the given metric source only");
}

static void check_metrics(struct validation *v, const struct place *at, autoscaler_spec spec,
                          const struct leniency *lenient) {
        bool zero = spec->min_replicas.set && spec->min_replicas.value == 0, measured = false;

        for (uint32_t i = 0; i < spec->metrics.count; i++) {
                const char *type = spec->metrics.items[i].type;

                check_metric_spec(v, ITEM(at, i), &spec->metrics.items[i], lenient);
                measured = measured || kube_is(type, "Object") || kube_is(type, "External");
        }
        if (zero && !measured)
                validate_forbidden(v, at,
                                   "must specify at least one Object or External metric to support scaling to zero "
                                   "replicas");
}

/* --- behaviour --- */

static void check_policy(struct validation *v, const struct place *at,
                         const struct kube_autoscaling_v2_hpa_scaling_policy *policy) {
        static const char *const types[] = { "Percent", "Pods", NULL };

        validate_choice(v, FIELD(at, "type"), policy->type, types);
        validate_positive(v, FIELD(at, "value"), policy->value);
        validate_positive(v, FIELD(at, "periodSeconds"), policy->period_seconds);
        if (policy->period_seconds > PERIOD_MAX_S)
                validate_invalid_int(v, FIELD(at, "periodSeconds"), policy->period_seconds,
                                     "must be less than or equal to 1800");
}

static void check_rules(struct validation *v, const struct place *at,
                        const struct kube_autoscaling_v2_hpa_scaling_rules *rules) {
        static const char *const selects[] = { "Disabled", "Max", "Min", NULL };
        const struct place *window = FIELD(at, "stabilizationWindowSeconds"), *policies = FIELD(at, "policies");
        const struct opt_int *seconds = &rules->stabilization_window_seconds;

        if (seconds->set && seconds->value < 0)
                validate_invalid_int(v, window, seconds->value, "must be greater than or equal to zero");
        if (seconds->set && seconds->value > WINDOW_MAX_S)
                validate_invalid_int(v, window, seconds->value, "must be less than or equal to 3600");
        if (rules->select_policy)
                validate_choice(v, FIELD(at, "selectPolicy"), rules->select_policy, selects);
        if (rules->policies.count == 0)
                validate_required(v, policies, "must specify at least one Policy");
        for (uint32_t i = 0; i < rules->policies.count; i++)
                check_policy(v, ITEM(policies, i), &rules->policies.items[i]);
        if (rules->tolerance.set)
                validate_quantity_not_negative(v, FIELD(at, "tolerance"), rules->tolerance.amount);
}

/* --- the autoscaler --- */

static void check_replicas(struct validation *v, const struct place *at, autoscaler_spec spec, int32_t least) {
        const struct place *max = FIELD(at, "maxReplicas");
        const struct opt_int *min = &spec->min_replicas;

        if (min->set && min->value < least)
                validate_invalid_int(v, FIELD(at, "minReplicas"), min->value,
                                     validate_text(v, "must be greater than or equal to %d", least));
        if (spec->max_replicas == 0)
                validate_required(v, max, "must be set and greater than 0");
        else if (spec->max_replicas < 0)
                validate_invalid_int(v, max, spec->max_replicas, "must be greater than or equal to 1");
        if (min->set && spec->max_replicas < min->value)
                validate_invalid_int(v, max, spec->max_replicas, "must be greater than or equal to `minReplicas`");
}

static bool same(const char *a, const char *b) {
        return strcmp(a ?: "", b ?: "") == 0;
}

static bool has_bad_version(struct validation *v, autoscaler_spec spec, const struct leniency *lenient) {
        list_for_each (metric, &spec->metrics)
                if (kube_is(metric->type, "Object") && metric->object &&
                    version_problem(v, metric->object->described_object.api_version ?: "", lenient))
                        return true;
        return false;
}

static struct leniencies leniencies_of(struct validation *v, autoscaler_spec new, autoscaler_spec old) {
        struct leniencies lenient = { .object.no_group = true, .least = 1 };

        if (old && same(old->scale_target_ref.api_version, new->scale_target_ref.api_version) &&
            same(old->scale_target_ref.kind, new->scale_target_ref.kind))
                lenient.target.any_version = true;
        else if (kube_is(new->scale_target_ref.kind, "ReplicationController"))
                lenient.target.no_group = true;
        if (!old)
                return lenient;
        if (old->min_replicas.set && old->min_replicas.value == 0)
                lenient.least = 0;
        lenient.object.any_version = has_bad_version(v, old, &lenient.object);
        return lenient;
}

static void check_autoscaler(struct validation *v, const void *object, const void *before) {
        const struct kube_autoscaling_v2_horizontal_pod_autoscaler *new = object, *old = before;
        const struct place *at = FIELD(NULL, "spec"), *behavior = FIELD(at, "behavior");
        struct leniencies lenient = leniencies_of(v, &new->spec, old ? &old->spec : NULL);

        if (old)
                validate_meta_update(v, &new->metadata, &old->metadata);
        else
                validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        check_replicas(v, at, &new->spec, lenient.least);
        check_reference(v, FIELD(at, "scaleTargetRef"), &new->spec.scale_target_ref, &lenient.target);
        check_metrics(v, FIELD(at, "metrics"), &new->spec, &lenient.object);
        if (new->spec.behavior &&new->spec.behavior->scale_up)
                check_rules(v, FIELD(behavior, "scaleUp"), new->spec.behavior->scale_up);
        if (new->spec.behavior &&new->spec.behavior->scale_down)
                check_rules(v, FIELD(behavior, "scaleDown"), new->spec.behavior->scale_down);
}

static void update_status(struct validation *v, const void *object, const void *before) {
        const struct kube_autoscaling_v2_horizontal_pod_autoscaler *new = object, *old = before;
        const struct place *at = FIELD(NULL, "status");

        validate_meta_update(v, &new->metadata, &old->metadata);
        validate_not_negative(v, FIELD(at, "currentReplicas"), new->status.current_replicas);
        validate_not_negative(v, FIELD(at, "desiredReplicas"), new->status.desired_replicas);
}

static const struct validate_sub subs[] = { { "status", update_status }, { 0 } };

const struct validate_rules validate_autoscaler_rules[] = {
        { "autoscaling", "HorizontalPodAutoscaler", NAME_SUBDOMAIN, check_autoscaler, check_autoscaler, subs },
        { 0 },
};
