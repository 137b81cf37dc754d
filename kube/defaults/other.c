/* Kinds of the other groups whose defaults depend on more than one field. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "kube/apiextensions_v1.h"
#include "kube/apps_v1.h"
#include "kube/autoscaling_v2.h"
#include "kube/batch_v1.h"
#include "kube/defaults/rules.h"
#include "kube/networking_v1.h"
#include "kube/resource_v1.h"
#include "kube/resource_v1alpha3.h"
#include "kube/resource_v1beta1.h"
#include "kube/resource_v1beta2.h"
#include "lib/arena.h"

static const struct opt_int one = { 1, true };

static bool is(const char *text, const char *what) {
        return text && strcmp(text, what) == 0;
}

static bool is_empty(const char *text) {
        return !text || !*text;
}

/* ---- apps, batch ---- */

/* Only a strategy that is not given at all gets a rolling update; one that is given gets what it leaves out. */
static int fill_stateful_set(struct defaults_work *w, void *object) {
        struct kube_apps_v1_stateful_set_update_strategy *strategy = object;

        if (is_empty(strategy->type)) {
                strategy->type = "RollingUpdate";
                if (!strategy->rolling_update)
                        strategy->rolling_update =
                                arena_new_of(w->arena, struct kube_apps_v1_rolling_update_stateful_set_strategy);
                if (!strategy->rolling_update)
                        return -ENOMEM;
        }
        if (is(strategy->type, "RollingUpdate") && strategy->rolling_update && !strategy->rolling_update->partition.set)
                strategy->rolling_update->partition = (struct opt_int){ 0, true };
        return 0;
}

static int fill_job(struct defaults_work *w, void *object) {
        struct kube_batch_v1_job *job = object;
        struct kube_batch_v1_job_spec *spec = &job->spec;

        if (!spec->completions.set && !spec->parallelism.set)
                spec->completions = one;
        if (!spec->parallelism.set)
                spec->parallelism = one;
        if (!spec->backoff_limit.set)
                spec->backoff_limit = (struct opt_int){ spec->backoff_limit_per_index.set ? INT32_MAX : 6, true };
        if (spec->template.metadata.labels.items && job->metadata.labels.count == 0)
                job->metadata.labels = spec->template.metadata.labels;
        if (!spec->pod_replacement_policy)
                spec->pod_replacement_policy = spec->pod_failure_policy ? "Failed" : "TerminatingOrFailed";
        return 0;
}

/* ---- autoscaling ---- */

#define SCALING_SECONDS 15

static const struct kube_autoscaling_v2_hpa_scaling_policy pods_up = { "Pods", 4, SCALING_SECONDS };

/* What is not given of @rules; @up: of those that make more. */
static int fill_scaling(struct defaults_work *w, struct kube_autoscaling_v2_hpa_scaling_rules **rules, bool up) {
        struct kube_autoscaling_v2_hpa_scaling_policy *policies;
        const struct kube_autoscaling_v2_hpa_scaling_policy all = { "Percent", 100, SCALING_SECONDS };
        uint32_t n = 0;

        if (!*rules)
                *rules = arena_new_of(w->arena, struct kube_autoscaling_v2_hpa_scaling_rules);
        if (!*rules)
                return -ENOMEM;
        if (up && !(*rules)->stabilization_window_seconds.set)
                (*rules)->stabilization_window_seconds = (struct opt_int){ 0, true };
        if (!(*rules)->select_policy)
                (*rules)->select_policy = "Max";
        if ((*rules)->policies.items)
                return 0;
        policies = arena_alloc_array(w->arena, 2, sizeof(*policies));
        if (!policies)
                return -ENOMEM;
        if (up)
                policies[n++] = pods_up;
        policies[n++] = all;
        (*rules)->policies.items = policies;
        (*rules)->policies.count = n;
        return 0;
}

/* 80 percent of the CPU that is asked for. */
static int fill_metrics(struct defaults_work *w, struct kube_autoscaling_v2_horizontal_pod_autoscaler_spec *spec) {
        struct kube_autoscaling_v2_metric_spec *metric = arena_new_of(w->arena, struct kube_autoscaling_v2_metric_spec);
        struct kube_autoscaling_v2_resource_metric_source *resource;

        resource = arena_new_of(w->arena, struct kube_autoscaling_v2_resource_metric_source);
        if (!metric || !resource)
                return -ENOMEM;
        resource->name = "cpu";
        resource->target.type = "Utilization";
        resource->target.average_utilization = (struct opt_int){ 80, true };
        metric->type = "Resource";
        metric->resource = resource;
        spec->metrics.items = metric;
        spec->metrics.count = 1;
        return 0;
}

static int fill_autoscaler(struct defaults_work *w, void *object) {
        struct kube_autoscaling_v2_horizontal_pod_autoscaler_spec *spec = object;

        if (spec->metrics.count == 0 && fill_metrics(w, spec) < 0)
                return -ENOMEM;
        if (!spec->behavior)
                return 0;
        if (fill_scaling(w, &spec->behavior->scale_up, true) < 0)
                return -ENOMEM;
        return fill_scaling(w, &spec->behavior->scale_down, false);
}

/* ---- networking ---- */

static int fill_network_policy(struct defaults_work *w, void *object) {
        struct kube_networking_v1_network_policy_spec *spec = object;
        const char **types;

        if (spec->policy_types.count > 0)
                return 0;
        types = arena_alloc_array(w->arena, 2, sizeof(char *));
        if (!types)
                return -ENOMEM;
        types[0] = "Ingress";
        types[1] = "Egress";
        spec->policy_types.items = types;
        spec->policy_types.count = spec->egress.count > 0 ? 2 : 1;
        return 0;
}

/* ---- custom resources ---- */

static int fill_names(struct arena *arena, struct kube_apiextensions_v1_custom_resource_definition_names *names) {
        if (is_empty(names->singular) && !is_empty(names->kind)) {
                char *singular = arena_strdup(arena, names->kind);

                if (!singular)
                        return -ENOMEM;
                for (char *p = singular; *p; p++)
                        *p = (char)tolower((unsigned char)*p);
                names->singular = singular;
        }
        if (is_empty(names->list_kind) && !is_empty(names->kind)) {
                names->list_kind = arena_printf(arena, "%sList", names->kind);
                if (!names->list_kind)
                        return -ENOMEM;
        }
        return 0;
}

static int fill_definition(struct defaults_work *w, void *object) {
        struct kube_apiextensions_v1_custom_resource_definition *definition = object;
        string_list *stored = &definition->status.stored_versions;

        list_for_each (version, &definition->spec.versions) {
                if (stored->count > 0 || !version->storage)
                        continue;
                stored->items = arena_alloc_array(w->arena, 1, sizeof(char *));
                if (!stored->items)
                        return -ENOMEM;
                stored->items[0] = version->name ?: "";
                stored->count = 1;
        }
        return fill_names(w->arena, &definition->spec.names);
}

/* ---- resource ---- */

static int fill_v1beta1_request(struct defaults_work *w, void *object) {
        struct kube_resource_v1beta1_device_request *request = object;

        if (is_empty(request->device_class_name))
                return 0;
        if (is_empty(request->allocation_mode))
                request->allocation_mode = "ExactCount";
        if (is(request->allocation_mode, "ExactCount") && request->count == 0)
                request->count = 1;
        return 0;
}

#define FILL_TAINT(version)                                                                                            \
        static int fill_##version##_taint(struct defaults_work *w, void *object) {                                     \
                struct kube_resource_##version##_device_taint *taint = object;                                         \
                                                                                                                       \
                if (!taint->time_added.set)                                                                            \
                        taint->time_added = (struct kube_time){ .seconds = w->now, .set = true };                      \
                return 0;                                                                                              \
        }

FILL_TAINT(v1)
FILL_TAINT(v1alpha3)
FILL_TAINT(v1beta1)
FILL_TAINT(v1beta2)

const struct defaults_rule defaults_other_rules[] = {
        { &kube_apiextensions_v1_custom_resource_definition_type, fill_definition },
        { &kube_apps_v1_stateful_set_update_strategy_type, fill_stateful_set },
        { &kube_autoscaling_v2_horizontal_pod_autoscaler_spec_type, fill_autoscaler },
        { &kube_batch_v1_job_type, fill_job },
        { &kube_networking_v1_network_policy_spec_type, fill_network_policy },
        { &kube_resource_v1_device_taint_type, fill_v1_taint },
        { &kube_resource_v1alpha3_device_taint_type, fill_v1alpha3_taint },
        { &kube_resource_v1beta1_device_request_type, fill_v1beta1_request },
        { &kube_resource_v1beta1_device_taint_type, fill_v1beta1_taint },
        { &kube_resource_v1beta2_device_taint_type, fill_v1beta2_taint },
        { .type = NULL },
};
