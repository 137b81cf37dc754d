/* ResourceSlices (k8s.io/kubernetes/pkg/apis/resource/validation, pkg/registry/resource/resourceslice). */
#include <string.h>

#include "kube/type.h"
#include "kube/validate/device.h"
#include "kube/validate/pod.h"
#include "kube/validate/pod_rules.h"
#include "kube/validate/rules.h"

#define DEVICES_MAX 128
#define DEVICES_MAX_ADVANCED 64 /* where devices have taints, consume counters, or have lists as attributes */
#define COUNTER_SETS_MAX 8

/* --- pool and counters --- */

static void check_pool(struct validation *v, const struct place *at,
                       const struct kube_resource_v1_resource_pool *pool) {
        validate_pool_name(v, FIELD(at, "name"), pool->name);
        if (pool->resource_slice_count <= 0)
                validate_invalid_int(v, FIELD(at, "resourceSliceCount"), pool->resource_slice_count,
                                     VALIDATE_NOT_POSITIVE);
        if (pool->generation < 0)
                validate_invalid_int(v, FIELD(at, "generation"), pool->generation,
                                     "must be greater than or equal to zero");
}

static void check_counter_sets(struct validation *v, const struct place *at,
                               const kube_resource_v1_counter_set_items *sets) {
        const char *names[COUNTER_SETS_MAX];

        if (!validate_device_count(v, at, sets->count, COUNTER_SETS_MAX))
                return;
        for (uint32_t i = 0; i < sets->count; i++) {
                const struct kube_resource_v1_counter_set *set = &sets->items[i];

                validate_name_required(v, FIELD(ITEM(at, i), "name"), NAME_LABEL, set->name);
                validate_device_counters(v, FIELD(ITEM(at, i), "counters"), set->counters.items, set->counters.count);
                names[i] = set->name;
        }
        validate_device_unique(v, at, names, sets->count);
}

/* --- on which nodes its devices are --- */

/* A choice that is made by being true. */
static bool is_chosen(struct validation *v, const struct place *at, enum tri choice) {
        if (choice == TRI_FALSE)
                validate_invalid_bool(v, at, false, "must be either unset or set to true");
        return choice == TRI_TRUE;
}

static bool has_node(struct validation *v, const struct place *at, const char *name) {
        if (!name)
                return false;
        if (*name)
                validate_name(v, at, NAME_SUBDOMAIN, name);
        else
                validate_invalid(v, at, name, "must be either unset or set to a non-empty string");
        return *name;
}

static bool has_selector(struct validation *v, const struct place *at, const struct kube_node_selector *selector) {
        if (!selector)
                return false;
        validate_node_selector(v, at, selector, false);
        if (selector->node_selector_terms.count != 1)
                validate_invalid_json(
                        v, FIELD(at, "nodeSelectorTerms"),
                        validate_go_json_field(v, &kube_node_selector_type, "nodeSelectorTerms", selector),
                        "must have exactly one node selector term");
        return true;
}

static void check_nodes(struct validation *v, const struct place *at,
                        const struct kube_resource_v1_resource_slice_spec *spec) {
        static const char one[] = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is "
                                  "required";
        const char *given[4];
        size_t n = 0;

        if (has_node(v, FIELD(at, "nodeName"), spec->node_name))
                given[n++] = "`nodeName`";
        if (has_selector(v, FIELD(at, "nodeSelector"), spec->node_selector))
                given[n++] = "`nodeSelector`";
        if (is_chosen(v, FIELD(at, "allNodes"), spec->all_nodes))
                given[n++] = "`allNodes`";
        if (is_chosen(v, FIELD(at, "perDeviceNodeSelection"), spec->per_device_node_selection))
                given[n++] = "`perDeviceNodeSelection`";
        if (n == 0)
                validate_required(v, at, one);
        else if (n > 1)
                validate_invalid(v, at, validate_text(v, "{%s}", validate_join(v, given, n, false)),
                                 validate_text(v, "%s, but multiple fields are set", one));
}

/* --- devices --- */

static bool is_advanced(const struct kube_resource_v1_resource_slice_spec *spec) {
        list_for_each (device, &spec->devices) {
                if (device->taints.count > 0 || device->consumes_counters.count > 0)
                        return true;
                list_for_each (a, &device->attributes)
                        if (a->value.bools.items || a->value.ints.items || a->value.strings.items ||
                            a->value.versions.items)
                                return true;
        }
        return false;
}

/* Both lists are short, but for old ones that were longer once. */
static const struct kube_resource_v1_device *find_device(const struct kube_resource_v1_resource_slice_spec *spec,
                                                         const char *name) {
        if (!spec)
                return NULL;
        list_for_each (device, &spec->devices)
                if (strcmp(device->name ?: "", name ?: "") == 0)
                        return device;
        return NULL;
}

static void check_devices(struct validation *v, const struct place *at,
                          const struct kube_resource_v1_resource_slice_spec *spec,
                          const struct kube_resource_v1_resource_slice_spec *old) {
        const char *names[DEVICES_MAX];

        if (!validate_device_count(v, at, spec->devices.count, is_advanced(spec) ? DEVICES_MAX_ADVANCED : DEVICES_MAX))
                return;
        for (uint32_t i = 0; i < spec->devices.count; i++) {
                const struct kube_resource_v1_device *device = &spec->devices.items[i];

                validate_device(v, ITEM(at, i), device, find_device(old, device->name),
                                spec->per_device_node_selection == TRI_TRUE);
                names[i] = device->name;
        }
        validate_device_unique(v, at, names, spec->devices.count);
}

/* --- the slice --- */

static void check_change(struct validation *v, const struct place *at,
                         const struct kube_resource_v1_resource_slice_spec *spec,
                         const struct kube_resource_v1_resource_slice_spec *old) {
        validate_immutable_text(v, FIELD(FIELD(at, "pool"), "name"), spec->pool.name, old->pool.name);
        validate_immutable_text(v, FIELD(at, "driver"), spec->driver, old->driver);
        validate_immutable_field(v, FIELD(at, "nodeName"), &kube_resource_v1_resource_slice_spec_type, "nodeName", spec,
                                 old);
}

static void check_spec(struct validation *v, const struct place *at,
                       const struct kube_resource_v1_resource_slice_spec *spec,
                       const struct kube_resource_v1_resource_slice_spec *old) {
        validate_driver_name(v, FIELD(at, "driver"), spec->driver);
        check_pool(v, FIELD(at, "pool"), &spec->pool);
        if (old)
                check_change(v, at, spec, old);
        check_nodes(v, at, spec);
        if (spec->shared_counters.items && spec->devices.items)
                validate_invalid(v, at, "", "only one of `sharedCounters` or `devices` is allowed");
        check_devices(v, FIELD(at, "devices"), spec, old);
        check_counter_sets(v, FIELD(at, "sharedCounters"), &spec->shared_counters);
}

static void check_slice(struct validation *v, const void *object, const void *before) {
        const struct kube_resource_v1_resource_slice *new = object, *old = before;

        if (old)
                validate_meta_update(v, &new->metadata, &old->metadata);
        else
                validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        check_spec(v, FIELD(NULL, "spec"), &new->spec, old ? &old->spec : NULL);
}

const struct validate_rules validate_device_slice_rules[] = {
        { "resource.k8s.io", "ResourceSlice", NAME_SUBDOMAIN, check_slice, check_slice, NULL },
        { 0 },
};
