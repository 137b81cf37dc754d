/* Kinds with few rules: PriorityClass, Lease, RuntimeClass (k8s.io/kubernetes/pkg/apis/scheduling, coordination and
 * node, their validation, and pkg/registry). */
#include <string.h>

#include "kube/autoscaling_v1.h"
#include "kube/coordination_v1.h"
#include "kube/node_v1.h"
#include "kube/scheduling_v1.h"
#include "kube/validate/common.h"
#include "kube/validate/pod.h"
#include "kube/validate/resources.h"
#include "kube/validate/rules.h"
#include "kube/validate/workload.h"
#include "lib/cleanup.h"

/* --- PriorityClass --- */

#define PRIORITY_MAX 1000000000 /* of a user's class */
#define SYSTEM_PREFIX "system-"

/* What one with a name of the system's has to be; NULL: it is. */
static const char *system_problem(struct validation *v, const struct kube_scheduling_v1_priority_class *class) {
        static const struct {
                const char *name;
                int32_t value;
        } known[] = { { "system-node-critical", 2000001000 }, { "system-cluster-critical", 2000000000 } };

        for (size_t i = 0; i < ELEMENTS(known); i++) {
                if (!kube_is(class->metadata.name, known[i].name))
                        continue;
                if (class->value != known[i].value)
                        return validate_text(v, "value of %s PriorityClass must be %d", known[i].name, known[i].value);
                return class->global_default ?
                               validate_text(v, "globalDefault of %s PriorityClass must be false", known[i].name) :
                               NULL;
        }
        return validate_text(v, "%s is not a known system priority class", class->metadata.name ?: "");
}

static void create_priority_class(struct validation *v, const void *object, const void *old) {
        const struct kube_scheduling_v1_priority_class *new = object;
        bool system = strncmp(new->metadata.name ?: "", SYSTEM_PREFIX, strlen(SYSTEM_PREFIX)) == 0;
        const char *problem = system ? system_problem(v, new) : NULL;

        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        if (problem)
                validate_forbidden(v, FIELD(FIELD(NULL, "metadata"), "name"),
                                   validate_text(v,
                                                 "priority class names with 'system-' prefix are reserved for system "
                                                 "use only. error: %s",
                                                 problem));
        if (!system && new->value > PRIORITY_MAX)
                validate_forbidden(v, FIELD(NULL, "value"),
                                   "maximum allowed value of a user defined priority is 1000000000");
        if (new->preemption_policy)
                validate_preemption_policy(v, FIELD(NULL, "preemptionPolicy"), new->preemption_policy);
}

static void update_priority_class(struct validation *v, const void *object, const void *before) {
        const struct kube_scheduling_v1_priority_class *new = object, *old = before;

        validate_meta_update(v, &new->metadata, &old->metadata);
        if (new->value != old->value)
                validate_forbidden(v, FIELD(NULL, "value"), "may not be changed in an update.");
        validate_immutable_field(v, FIELD(NULL, "preemptionPolicy"), &kube_scheduling_v1_priority_class_type,
                                 "preemptionPolicy", new, old);
}

/* --- Lease --- */

static void check_strategy(struct validation *v, const struct place *at, const char *strategy) {
        static const char *const known[] = { "OldestEmulationVersion", NULL };
        const char *problems[NAME_PROBLEMS_MAX];
        unsigned n;

        if (!strchr(strategy, '/')) {
                validate_choice(v, at, strategy, known);
                return;
        }
        n = name_problems(NAME_QUALIFIED, strategy, problems);
        for (unsigned i = 0; i < n; i++)
                validate_invalid_word(v, at, strategy, problems[i]);
}

static void check_lease(struct validation *v, const void *object, const void *before) {
        const struct kube_coordination_v1_lease *new = object, *old = before;
        const struct kube_coordination_v1_lease_spec *spec = &new->spec;
        const struct place *at = FIELD(NULL, "spec");

        if (old)
                validate_plain_meta_update(v, &new->metadata, &old->metadata);
        else
                validate_plain_meta(v, &new->metadata, NAME_SUBDOMAIN);
        if (spec->lease_duration_seconds.set && spec->lease_duration_seconds.value <= 0)
                validate_invalid_int(v, FIELD(at, "leaseDurationSeconds"), spec->lease_duration_seconds.value,
                                     "must be greater than 0");
        validate_not_negative_if(v, FIELD(at, "leaseTransitions"), &spec->lease_transitions);
        if (spec->strategy)
                check_strategy(v, FIELD(FIELD(at, "strategy"), "strategy"), spec->strategy);
        if (spec->preferred_holder && *spec->preferred_holder && (!spec->strategy || !*spec->strategy))
                validate_forbidden(v, FIELD(at, "preferredHolder"), "may only be specified if `strategy` is defined");
}

/* --- RuntimeClass --- */

#define TOLERATIONS_COMPARED 256 /* each with those before it */

static bool same(const char *a, const char *b) {
        return strcmp(a ?: "", b ?: "") == 0;
}

static bool is_same(const struct kube_toleration *a, const struct kube_toleration *b) {
        return same(a->key, b->key) && same(a->operator, b->operator) && same(a->value, b->value) &&
               same(a->effect, b->effect);
}

static void check_unique(struct validation *v, const struct place *at, const kube_toleration_items *tolerations) {
        for (uint32_t i = 0; i < tolerations->count && i < TOLERATIONS_COMPARED; i++)
                for (uint32_t j = 0; j < i; j++)
                        if (is_same(&tolerations->items[i], &tolerations->items[j])) {
                                validate_duplicate_json(
                                        v, ITEM(at, i),
                                        validate_go_json(v, &kube_toleration_type, &tolerations->items[i]));
                                break;
                        }
}

static void check_runtime_class(struct validation *v, const void *object, const void *before) {
        static const struct validate_requirements container = { .name = validate_container_resource };
        const struct kube_node_v1_runtime_class *new = object, *old = before;
        const struct place *scheduling = FIELD(NULL, "scheduling"), *tolerations = FIELD(scheduling, "tolerations");

        validate_plain_meta(v, &new->metadata, NAME_SUBDOMAIN);
        validate_name_required(v, FIELD(NULL, "handler"), NAME_LABEL, new->handler);
        if (new->overhead)
                validate_requirements(v, FIELD(NULL, "overhead"),
                                      &(struct kube_resource_requirements){ .limits = new->overhead->pod_fixed },
                                      &container);
        if (new->scheduling) {
                validate_labels(v, FIELD(scheduling, "nodeSelector"), &new->scheduling->node_selector);
                validate_tolerations(v, tolerations, &new->scheduling->tolerations);
                check_unique(v, tolerations, &new->scheduling->tolerations);
        }
        if (!old)
                return;
        validate_plain_meta_update(v, &new->metadata, &old->metadata);
        validate_immutable_text(v, FIELD(NULL, "handler"), new->handler, old->handler);
}

/* --- Scale --- */

static void check_scale(struct validation *v, const void *object, const void *before) {
        const struct kube_autoscaling_v1_scale *scale = object;

        (void)before;
        validate_meta(v, &scale->metadata, NAME_SUBDOMAIN);
        validate_not_negative(v, FIELD(FIELD(NULL, "spec"), "replicas"), scale->spec.replicas);
}

const struct validate_rules validate_small_group_rules[] = {
        { "autoscaling", "Scale", NAME_SUBDOMAIN, check_scale, check_scale, NULL },
        { "scheduling.k8s.io", "PriorityClass", NAME_SUBDOMAIN, create_priority_class, update_priority_class, NULL },
        { "coordination.k8s.io", "Lease", NAME_SUBDOMAIN, check_lease, check_lease, NULL },
        { "node.k8s.io", "RuntimeClass", NAME_SUBDOMAIN, check_runtime_class, check_runtime_class, NULL },
        { 0 },
};
