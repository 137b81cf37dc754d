/* ReplicationControllers, and templates of pods that stand by themselves. */
#include <string.h>

#include "kube/validate/core.h"
#include "kube/validate/pod_rules.h"

static const struct place spec_place = { .name = "spec" }, status_place = { .name = "status" };

static bool matches(const string_map *selector, const string_map *labels) {
        list_for_each (s, selector) {
                const char *value = string_map_get(labels, s->key);

                if (!value || strcmp(value, s->value ?: "") != 0)
                        return false;
        }
        return true;
}

static void check_template(struct validation *v, const struct kube_replication_controller_spec *spec,
                           const struct kube_replication_controller_spec *old) {
        const struct place *at = FIELD(&spec_place, "template"), *pod = FIELD(at, "spec");
        const struct kube_pod_template_spec *t = spec->template;

        if (!t) {
                validate_required(v, at, "");
                return;
        }
        if (!matches(&spec->selector, &t->metadata.labels))
                validate_invalid_json(v, FIELD(FIELD(at, "metadata"), "labels"),
                                      t->metadata.labels.items ?
                                              validate_field_json(v, &kube_object_meta_type, "labels", &t->metadata) :
                                              "null",
                                      "`selector` does not match template `labels`");
        validate_pod_template(v, at, t, old ? old->template : NULL);
        if (!kube_is(t->spec.restart_policy, "Always"))
                validate_unsupported(v, FIELD(pod, "restartPolicy"), t->spec.restart_policy, POD_TEXTS("Always"));
        if (t->spec.active_deadline_seconds.set)
                validate_forbidden(v, FIELD(pod, "activeDeadlineSeconds"),
                                   "activeDeadlineSeconds in ReplicationController is not Supported");
}

void validate_controller(struct validation *v, const void *object, const void *old_object) {
        const struct kube_replication_controller *c = object, *old = old_object;

        if (old)
                validate_meta_update(v, &c->metadata, &old->metadata);
        else
                validate_named_meta(v, &c->metadata, NAME_SUBDOMAIN);
        validate_not_negative(v, FIELD(&spec_place, "minReadySeconds"), c->spec.min_ready_seconds);
        if (c->spec.selector.count == 0)
                validate_required(v, FIELD(&spec_place, "selector"), "");
        if (!c->spec.replicas.set)
                validate_required(v, FIELD(&spec_place, "replicas"), "");
        else
                validate_not_negative(v, FIELD(&spec_place, "replicas"), c->spec.replicas.value);
        check_template(v, &c->spec, old ? &old->spec : NULL);
}

static void check_at_most(struct validation *v, const char *field, int32_t n, int32_t max, const char *text) {
        if (n > max)
                validate_invalid_int(v, FIELD(&status_place, field), n, text);
}

void validate_controller_status(struct validation *v, const void *object, const void *old_object) {
        const struct kube_replication_controller *c = object, *old = old_object;
        const struct kube_replication_controller_status *s = &c->status;
        static const char all[] = "cannot be greater than status.replicas";

        validate_meta_update(v, &c->metadata, &old->metadata);
        validate_not_negative(v, FIELD(&status_place, "replicas"), s->replicas);
        validate_not_negative(v, FIELD(&status_place, "fullyLabeledReplicas"), s->fully_labeled_replicas);
        validate_not_negative(v, FIELD(&status_place, "readyReplicas"), s->ready_replicas);
        validate_not_negative(v, FIELD(&status_place, "availableReplicas"), s->available_replicas);
        validate_not_negative(v, FIELD(&status_place, "observedGeneration"), s->observed_generation);
        check_at_most(v, "fullyLabeledReplicas", s->fully_labeled_replicas, s->replicas, all);
        check_at_most(v, "readyReplicas", s->ready_replicas, s->replicas, all);
        check_at_most(v, "availableReplicas", s->available_replicas, s->replicas, all);
        check_at_most(v, "availableReplicas", s->available_replicas, s->ready_replicas,
                      "cannot be greater than readyReplicas");
}

void validate_template_object(struct validation *v, const void *object, const void *old_object) {
        const struct kube_pod_template *t = object, *old = old_object;

        if (old)
                validate_meta_update(v, &t->metadata, &old->metadata);
        else
                validate_meta(v, &t->metadata, NAME_SUBDOMAIN);
        validate_pod_template(v, FIELD(NULL, "template"), &t->template, old ? &old->template : NULL);
}
