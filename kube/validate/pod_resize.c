/* What a pod's containers, and the pod as a whole, may be resized to. */
#include <string.h>

#include "kube/pod/resources.h"
#include "kube/validate/pod_rules.h"

#define MIRROR "kubernetes.io/config.mirror"

static const struct place spec_place = { .name = "spec" };

static bool is_removed(const resource_list *new, const resource_list *old) {
        if (old->count > new->count)
                return true;
        list_for_each (r, old)
                if (!resource_get(new, r->name))
                        return true;
        return false;
}

static bool has_whole(const struct kube_pod *pod) {
        const struct kube_resource_requirements *r = pod->spec.resources;

        return r && r->requests.count + r->limits.count > 0;
}

static bool is_sized(const char *name) {
        return strcmp(name, "cpu") == 0 || strcmp(name, "memory") == 0;
}

/* The amounts are the same, but for CPU and memory: those that were there must be there. */
static bool same_unsized(const resource_list *new, const resource_list *old) {
        uint32_t others = 0, known = 0;

        list_for_each (r, new)
                others += !is_sized(r->name);
        list_for_each (r, old) {
                const struct quantity *now = resource_get(new, r->name);

                if (is_sized(r->name))
                        continue;
                if (!now || quantity_compare(*now, r->amount) != 0)
                        return false;
                known++;
        }
        return others == known;
}

static bool same_requirements(const struct kube_resource_requirements *new,
                              const struct kube_resource_requirements *old) {
        return same_unsized(&new->limits, &old->limits) && same_unsized(&new->requests, &old->requests);
}

/* The containers are the same but for their sizes; claims go with the old ones in neither. */
static bool same_container(const struct kube_container *new, const struct kube_container *old) {
        struct kube_container like = *new;

        if (!same_requirements(&new->resources, &old->resources) || old->resources.claims.count > 0)
                return false;
        like.resources = old->resources;
        return validate_equal(&kube_container_type, &like, old);
}

/* False when nothing more is asked. */
static bool check_order(struct validation *v, const char *list, const kube_container_items *new,
                        const kube_container_items *old) {
        const struct place *at = FIELD(&spec_place, list);
        unsigned before = validate_errors(v);

        if (new->count != old->count)
                validate_forbidden(v, at, validate_text(v, "%s may not be added or removed on resize", list));
        for (uint32_t i = 0; new->count == old->count &&i < old->count; i++)
                if (!kube_is(new->items[i].name ?: "", old->items[i].name ?: ""))
                        validate_forbidden(v, FIELD(ITEM(at, i), "name"),
                                           validate_text(v, "%s may not be renamed or reordered on resize", list));
        return validate_errors(v) == before;
}

static void check_sizes(struct validation *v, const char *list, const kube_container_items *new,
                        const kube_container_items *old) {
        for (uint32_t i = 0; i < old->count; i++) {
                const struct place *at = FIELD(ITEM(FIELD(&spec_place, list), i), "resources");

                if (is_removed(&new->items[i].resources.requests, &old->items[i].resources.requests))
                        validate_forbidden(v, FIELD(at, "requests"), "resource requests cannot be removed");
                if (is_removed(&new->items[i].resources.limits, &old->items[i].resources.limits))
                        validate_forbidden(v, FIELD(at, "limits"), "resource limits cannot be removed");
        }
}

static void check_whole(struct validation *v, const struct kube_pod *pod, const struct kube_pod *old) {
        static const struct kube_resource_requirements none;
        const struct place *at = FIELD(&spec_place, "resources");
        const struct kube_resource_requirements *new_r = pod->spec.resources, *old_r = old->spec.resources;

        if (old_r && !new_r) {
                validate_forbidden(v, at, "pod-level resources cannot be removed");
                return;
        }
        if (old_r && is_removed(&new_r->requests, &old_r->requests))
                validate_forbidden(v, FIELD(at, "requests"), "pod-level resource requests cannot be removed");
        if (old_r && is_removed(&new_r->limits, &old_r->limits))
                validate_forbidden(v, FIELD(at, "limits"), "pod-level resource limits cannot be removed");
        if (!same_requirements(new_r, old_r ?: &none) ||
            !validate_equal_field(&kube_resource_requirements_type, "claims", new_r, old_r ?: &none))
                validate_forbidden(v, &spec_place, "only cpu and memory resources are mutable at pod-level");
}

static void check_init_resized(struct validation *v, const struct place *at, const struct kube_container *new,
                               const struct kube_container *old) {
        if (!same_container(new, old))
                validate_forbidden(v, at, "only cpu and memory resources for init or sidecar containers are mutable");
        if (kube_is(new->restart_policy, "Always") || validate_equal(&kube_container_type, new, old))
                return;
        list_for_each (p, &new->resize_policy)
                if (kube_is(p->restart_policy, "RestartContainer"))
                        validate_forbidden(v, at,
                                           "non-sidecar init containers with a resize policy of RestartContainer "
                                           "cannot be resized");
}

/* The spec but for sizes. */
static bool same_spec(const struct kube_pod_spec *new, const struct kube_pod_spec *old) {
        struct kube_pod_spec like = *new;

        like.containers = old->containers;
        like.init_containers = old->init_containers;
        like.resources = old->resources;
        return validate_equal(&kube_pod_spec_type, &like, old);
}

static void check_resized(struct validation *v, const struct kube_pod *pod, const struct kube_pod *old) {
        unsigned before = validate_errors(v);

        check_sizes(v, "initContainers", &pod->spec.init_containers, &old->spec.init_containers);
        check_sizes(v, "containers", &pod->spec.containers, &old->spec.containers);
        for (uint32_t i = 0; i < old->spec.containers.count; i++)
                if (!same_container(&pod->spec.containers.items[i], &old->spec.containers.items[i]))
                        validate_forbidden(v, &spec_place, "only cpu and memory resources are mutable");
        for (uint32_t i = 0; i < old->spec.init_containers.count; i++)
                check_init_resized(v, ITEM(FIELD(&spec_place, "initContainers"), i),
                                   &pod->spec.init_containers.items[i], &old->spec.init_containers.items[i]);
        if (validate_errors(v) == before && !same_spec(&pod->spec, &old->spec))
                validate_forbidden(v, &spec_place, "only cpu and memory resources are mutable");
}

static const char *qos_of(const struct kube_pod_spec *spec) {
        const struct pod pod = { .spec = *spec };

        return pod_qos_name(pod_qos(&pod));
}

/* A node that says nothing of a running container's sizes cannot change them. */
static bool is_resizable(const struct kube_pod *pod) {
        list_for_each (status, &pod->status.container_statuses)
                if (status->state.running)
                        return status->resources;
        return true;
}

static const char *refusal_of_resize(const struct kube_pod *old) {
        if (string_map_get(&old->metadata.annotations, MIRROR))
                return "static pods cannot be resized";
        return old->spec.os && kube_is(old->spec.os->name, "windows") ? "windows pods cannot be resized" : NULL;
}

void validate_pod_resize(struct validation *v, const void *object, const void *old_object) {
        const struct kube_pod *pod = object, *old = old_object;
        const char *refusal = refusal_of_resize(old), *was = old->status.qos_class;
        struct pod_options options;
        bool same;

        if (refusal) {
                validate_forbidden(v, ENTRY(NULL, ""), refusal);
                return;
        }
        options = validate_pod_options(v, &old->spec, &old->metadata);
        validate_meta_update(v, &pod->metadata, &old->metadata);
        validate_pod_whole(v, &pod->metadata, &pod->spec, &options);
        if (!kube_is(was && *was ? was : qos_of(&old->spec), qos_of(&pod->spec)))
                validate_invalid_word(v, &spec_place, pod->status.qos_class,
                                      "Pod QOS Class may not change as a result of resizing");
        if (!is_resizable(old))
                validate_forbidden(v, &spec_place, "Pod running on node without support for resize");
        if (has_whole(old) || has_whole(pod))
                check_whole(v, pod, old);
        if (old->status.node_allocatable_resource_claim_statuses.count > 0)
                validate_forbidden(v, &spec_place, "pods with node allocatable resource claims cannot be resized");
        same = check_order(v, "containers", &pod->spec.containers, &old->spec.containers);
        if (check_order(v, "initContainers", &pod->spec.init_containers, &old->spec.init_containers) && same)
                check_resized(v, pod, old);
}
