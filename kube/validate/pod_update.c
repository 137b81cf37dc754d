/* What may become of a pod: changes of it, and of its ephemeral containers. */
#include <string.h>

#include "kube/pod/resources.h"
#include "kube/validate/pod_rules.h"

#define MIRROR "kubernetes.io/config.mirror"
#define APPARMOR "container.apparmor.security.beta.kubernetes.io/"

static const struct place metadata = { .name = "metadata" }, spec_place = { .name = "spec" };

/* --- annotations --- */

/* Both are sorted. What was there and is another now, then what is new. */
static void check_annotation_changes(struct validation *v, const string_map *new, const string_map *old) {
        const struct place *at = FIELD(&metadata, "annotations");

        list_for_each (a, old) {
                const char *now = string_map_get(new, a->key);

                if (now && strcmp(now, a->value ?: "") == 0)
                        continue;
                if (strncmp(a->key, APPARMOR, strlen(APPARMOR)) == 0)
                        validate_forbidden(v, ENTRY(at, a->key), "may not remove or update AppArmor annotations");
                if (strcmp(a->key, MIRROR) == 0)
                        validate_forbidden(v, ENTRY(at, a->key), "may not remove or update mirror pod annotation");
        }
        list_for_each (a, new) {
                if (string_map_get(old, a->key))
                        continue;
                if (strncmp(a->key, APPARMOR, strlen(APPARMOR)) == 0)
                        validate_forbidden(v, ENTRY(at, a->key), "may not add AppArmor annotations");
                if (strcmp(a->key, MIRROR) == 0)
                        validate_forbidden(v, ENTRY(at, a->key), "may not add mirror pod annotation");
        }
}

void validate_annotation_changes(struct validation *v, const struct kube_pod *pod, const struct kube_pod *old,
                                 const struct pod_options *options) {
        struct pod_case c = { .spec = &pod->spec, .meta = &pod->metadata, .options = *options, .is_pod = true };

        check_annotation_changes(v, &pod->metadata.annotations, &old->metadata.annotations);
        validate_pod_annotations(v, FIELD(&metadata, "annotations"), &pod->metadata.annotations, &c);
}

/* --- what may change of the spec --- */

/* False when the lists are no longer the same containers: nothing more is asked then. */
static bool check_containers(struct validation *v, const char *list, const kube_container_items *new,
                             const kube_container_items *old) {
        const struct place *at = FIELD(&spec_place, list);

        if (new->count != old->count) {
                validate_forbidden(v, at, "pod updates may not add or remove containers");
                return false;
        }
        for (uint32_t i = 0; i < new->count; i++) {
                if (!new->items[i].image || !*new->items[i].image)
                        validate_required(v, FIELD(ITEM(at, i), "image"), "");
                validate_image_blanks(v, ITEM(at, i), &new->items[i]);
        }
        return true;
}

/* It gets shorter, or begins. False when nothing more is asked. */
static bool check_deadline(struct validation *v, const struct opt_int *new, const struct opt_int *old) {
        const struct place *at = FIELD(&spec_place, "activeDeadlineSeconds");
        unsigned before = validate_errors(v);

        if (!new->set && old->set) {
                validate_invalid_json(v, at, "null", "must not update from a positive integer to nil value");
                return true;
        }
        if (!new->set)
                return true;
        validate_range(v, at, new->value, 0, INT32_MAX);
        if (validate_errors(v) == before && old->set && old->value < new->value)
                validate_invalid_int(v, at, new->value, "must be less than or equal to previous value");
        return validate_errors(v) == before;
}

static bool is_kept(const kube_toleration_items *new, const struct kube_toleration *old) {
        list_for_each (t, new) {
                struct kube_toleration like = *old;

                like.toleration_seconds = t->toleration_seconds;
                if (validate_equal(&kube_toleration_type, &like, t))
                        return true;
        }
        return false;
}

#define TOLERATIONS_COMPARED_MAX ((uint64_t)1000000) /* pairs; more are more than a pod of any use has */

static void check_tolerations(struct validation *v, const kube_toleration_items *new,
                              const kube_toleration_items *old) {
        const struct place *at = FIELD(&spec_place, "tolerations");

        if ((uint64_t) new->count * old->count > TOLERATIONS_COMPARED_MAX) {
                validate_too_many(v, at, (int)new->count, (int)(TOLERATIONS_COMPARED_MAX / old->count));
                return;
        }
        list_for_each (t, old)
                if (!is_kept(new, t)) {
                        validate_forbidden(v, at,
                                           "existing toleration can not be modified except its tolerationSeconds");
                        return;
                }
        validate_tolerations(v, at, new);
}

static void check_gates(struct validation *v, const kube_pod_scheduling_gate_items *new,
                        const kube_pod_scheduling_gate_items *old) {
        const struct place *at = FIELD(&spec_place, "schedulingGates");
        _cleanup_validate_set_ struct validate_set known = { 0 };

        list_for_each (gate, old)
                validate_set_add(v, &known, gate->name);
        /* Of two of one name the last is told. */
        for (uint32_t i = new->count; i-- > 0;)
                if (validate_set_add(v, &known, new->items[i].name))
                        validate_forbidden(v, FIELD(ITEM(at, i), "name"),
                                           validate_text(v,
                                                         "only deletion is allowed, but found new scheduling gate '%s'",
                                                         new->items[i].name ?: ""));
}

/* --- pods that wait for gates: where they may run can be narrowed --- */

static void check_narrower_selector(struct validation *v, const string_map *new, const string_map *old) {
        list_for_each (label, old) {
                const char *now = string_map_get(new, label->key);

                if (!now || strcmp(now, label->value ?: "") != 0) {
                        const struct kube_pod_spec shown = { .node_selector = *new };

                        validate_invalid_json(
                                v, FIELD(&spec_place, "nodeSelector"),
                                validate_field_json(v, &kube_pod_spec_type, "nodeSelector", &shown),
                                "only additions to spec.nodeSelector are allowed (no mutations or deletions)");
                        return;
                }
        }
}

static bool begins_with(const kube_node_selector_requirement_items *new,
                        const kube_node_selector_requirement_items *old) {
        if (new->count < old->count)
                return false;
        for (uint32_t i = 0; i < old->count; i++)
                if (!validate_equal(&kube_node_selector_requirement_type, &new->items[i], &old->items[i]))
                        return false;
        return true;
}

static bool is_narrower(const struct kube_node_selector_term *new, const struct kube_node_selector_term *old) {
        if (old->match_expressions.count == 0 && old->match_fields.count == 0 &&
            (new->match_expressions.count > 0 || new->match_fields.count > 0))
                return false;
        return begins_with(&new->match_expressions, &old->match_expressions) &&
               begins_with(&new->match_fields, &old->match_fields);
}

static const struct kube_node_selector *required_of(const struct kube_node_affinity *a) {
        return a ? a->required_during_scheduling_ignored_during_execution : NULL;
}

static void check_narrower_affinity(struct validation *v, const struct kube_node_affinity *new,
                                    const struct kube_node_affinity *old) {
        static const struct kube_node_selector none;
        const struct kube_node_selector *before = required_of(old), *now = required_of(new) ?: &none;
        const struct place *at = FIELD(FIELD(FIELD(FIELD(&spec_place, "affinity"), "nodeAffinity"),
                                             "requiredDuringSchedulingIgnoredDuringExecution"),
                                       "nodeSelectorTerms");

        if (!before)
                return;
        if (before->node_selector_terms.count > 0 &&
            before->node_selector_terms.count != now->node_selector_terms.count) {
                validate_invalid_json(v, at,
                                      validate_go_json_field(v, &kube_node_selector_type, "nodeSelectorTerms", now),
                                      "no additions/deletions to non-empty NodeSelectorTerms list are allowed");
                return;
        }
        for (uint32_t i = 0; i < before->node_selector_terms.count; i++)
                if (!is_narrower(&now->node_selector_terms.items[i], &before->node_selector_terms.items[i]))
                        validate_invalid_json(
                                v, ITEM(at, i),
                                validate_go_json(v, &kube_node_selector_term_type, &now->node_selector_terms.items[i]),
                                "only additions are allowed (no mutations or deletions)");
}

/* What was asked about is put back, so that the rest can be compared. */
static void settle_affinity(struct validation *v, struct kube_pod_spec *munged, const struct kube_affinity *old) {
        struct kube_affinity *a = validate_alloc(v, 1, sizeof(*a));

        if (!a)
                return;
        if (munged->affinity)
                *a = *munged->affinity;
        a->node_affinity = old ? old->node_affinity : NULL;
        munged->affinity = !old && !a->pod_affinity && !a->pod_anti_affinity ? NULL : a;
}

static void settle_gated(struct validation *v, struct kube_pod_spec *munged, const struct kube_pod_spec *old) {
        const struct kube_node_affinity *before = old->affinity ? old->affinity->node_affinity : NULL,
                                        *now = munged->affinity ? munged->affinity->node_affinity : NULL;

        if (!validate_equal_field(&kube_pod_spec_type, "nodeSelector", munged, old)) {
                check_narrower_selector(v, &munged->node_selector, &old->node_selector);
                munged->node_selector = old->node_selector;
        }
        if (!validate_equal(&kube_node_affinity_type, now, before)) {
                check_narrower_affinity(v, now, before);
                settle_affinity(v, munged, old->affinity);
        }
}

/* A copy of @list whose images are @old's. */
static kube_container_items with_images(struct validation *v, const kube_container_items *list,
                                        const kube_container_items *old) {
        kube_container_items copy = *list;

        if (list->count == 0)
                return copy;
        copy.items = validate_alloc(v, list->count, sizeof(*copy.items));
        if (!copy.items)
                return *list;
        memcpy(copy.items, list->items, list->count * sizeof(*copy.items));
        for (uint32_t i = 0; i < copy.count; i++)
                copy.items[i].image = old->items[i].image;
        return copy;
}

static const char *spec_json(struct validation *v, const struct kube_pod_spec *spec) {
        return validate_go_template_json(v, &(const struct kube_pod_template_spec){ .spec = *spec }, true);
}

static void check_rest(struct validation *v, const struct kube_pod_spec *spec, const struct kube_pod_spec *old) {
        struct kube_pod_spec munged = *spec;

        munged.containers = with_images(v, &spec->containers, &old->containers);
        munged.init_containers = with_images(v, &spec->init_containers, &old->init_containers);
        munged.active_deadline_seconds = old->active_deadline_seconds;
        munged.scheduling_gates = old->scheduling_gates;
        munged.tolerations = old->tolerations;
        if (old->termination_grace_period_seconds.set && old->termination_grace_period_seconds.value < 0 &&
            spec->termination_grace_period_seconds.set && spec->termination_grace_period_seconds.value == 1)
                munged.termination_grace_period_seconds = old->termination_grace_period_seconds;
        if (old->scheduling_gates.count > 0)
                settle_gated(v, &munged, old);
        if (validate_equal(&kube_pod_spec_type, &munged, old))
                return;
        validate_forbidden(
                v, &spec_place,
                validate_text(v,
                              "pod updates may not change fields other than `spec.containers[*].image`,"
                              "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
                              "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be "
                              "set to 1 if it was previously negative)\n%s",
                              validate_difference(v, spec_json(v, old), spec_json(v, &munged))));
}

void validate_pod_update(struct validation *v, const void *object, const void *old_object) {
        const struct kube_pod *pod = object, *old = old_object;
        const struct pod_options options = validate_pod_options(v, &old->spec, &old->metadata);

        validate_meta_update(v, &pod->metadata, &old->metadata);
        validate_pod_whole(v, &pod->metadata, &pod->spec, &options);
        validate_annotation_changes(v, pod, old, &options);
        if (!check_containers(v, "containers", &pod->spec.containers, &old->spec.containers) ||
            !check_containers(v, "initContainers", &pod->spec.init_containers, &old->spec.init_containers) ||
            !check_deadline(v, &pod->spec.active_deadline_seconds, &old->spec.active_deadline_seconds))
                return;
        check_tolerations(v, &pod->spec.tolerations, &old->spec.tolerations);
        check_gates(v, &pod->spec.scheduling_gates, &old->spec.scheduling_gates);
        if (!validate_equal(&kube_pod_spec_type, &pod->spec, &old->spec))
                check_rest(v, &pod->spec, &old->spec);
}

/* --- ephemeral containers --- */

void validate_pod_ephemeral(struct validation *v, const void *object, const void *old_object) {
        const struct kube_pod *pod = object, *old = old_object;
        const struct place *at = FIELD(&spec_place, "ephemeralContainers");
        const kube_ephemeral_container_items *list = &pod->spec.ephemeral_containers;
        _cleanup_validate_set_ struct validate_set names = { 0 };
        struct pod_options options;

        if (string_map_get(&old->metadata.annotations, MIRROR)) {
                validate_forbidden(v, ENTRY(NULL, ""), "static pods do not support ephemeral containers");
                return;
        }
        options = validate_pod_options(v, &old->spec, &old->metadata);
        validate_meta_update(v, &pod->metadata, &old->metadata);
        validate_pod_whole(v, &pod->metadata, &pod->spec, &options);
        validate_annotation_changes(v, pod, old, &options);
        /* Of two of one name the last counts. */
        for (uint32_t i = list->count; i-- > 0;)
                validate_set_add(v, &names, list->items[i].container.name);
        list_for_each (before, &old->spec.ephemeral_containers) {
                const char *name = before->container.name ?: "";
                const struct kube_ephemeral_container *now = NULL;

                for (uint32_t i = list->count; validate_set_has(&names, name) && i-- > 0 && !now;)
                        if (kube_is(list->items[i].container.name ?: "", name))
                                now = &list->items[i];
                if (!now)
                        validate_forbidden(v, at,
                                           validate_text(v, "existing ephemeral containers %s may not be removed\n",
                                                         validate_quoted(v, name)));
                else if (!validate_equal(&kube_ephemeral_container_type, before, now))
                        validate_forbidden(
                                v, at,
                                validate_text(v, "existing ephemeral containers %s may not be changed\n%s",
                                              validate_quoted(v, name),
                                              validate_difference(
                                                      v, validate_go_json(v, &kube_ephemeral_container_type, before),
                                                      validate_go_json(v, &kube_ephemeral_container_type, now))));
        }
}
