/* A device of a ResourceSlice (validateDevice of k8s.io/kubernetes/pkg/apis/resource/validation). */
#include <string.h>

#include "kube/type.h"
#include "kube/validate/device.h"
#include "kube/validate/pod.h"
#include "kube/validate/resources.h"

#define PROPERTIES_MAX 32 /* attributes and capacities */
#define VALUES_MAX 48     /* of attributes, each of a list counting */
#define TAINTS_MAX 16
#define CONSUMPTIONS_MAX 2

/* --- how much it may say --- */

static int64_t count_values(const struct kube_resource_v1_device *device) {
        int64_t n = 0;

        list_for_each (a, &device->attributes) {
                int64_t listed = (int64_t)a->value.bools.count + a->value.ints.count + a->value.strings.count +
                                 a->value.versions.count;

                n += listed > 0 ? listed : 1;
        }
        return n;
}

static void check_sizes(struct validation *v, const struct place *at, const struct kube_resource_v1_device *device) {
        int64_t properties = (int64_t)device->attributes.count + device->capacity.count, values = count_values(device);

        if (properties > PROPERTIES_MAX)
                validate_invalid_int(v, at, properties,
                                     validate_text(v,
                                                   "the total number of attributes and capacities must not exceed %d",
                                                   PROPERTIES_MAX));
        if (values > VALUES_MAX)
                validate_invalid_int(
                        v, at, values,
                        validate_text(v, "the total number of attribute values must not exceed %d", VALUES_MAX));
}

/* --- taints and counters --- */

/* What was tainted before is left alone. */
static void check_taints(struct validation *v, const struct place *at, const struct kube_resource_v1_device *device,
                         const struct kube_resource_v1_device *old) {
        if ((old && validate_equal_field(&kube_resource_v1_device_type, "taints", device, old)) ||
            !validate_device_count(v, at, device->taints.count, TAINTS_MAX))
                return;
        for (uint32_t i = 0; i < device->taints.count; i++)
                validate_device_taint(v, ITEM(at, i), &device->taints.items[i]);
}

static void check_consumption(struct validation *v, const struct place *at,
                              const kube_resource_v1_device_counter_consumption_items *list) {
        const char *names[CONSUMPTIONS_MAX];

        if (!validate_device_count(v, at, list->count, CONSUMPTIONS_MAX))
                return;
        for (uint32_t i = 0; i < list->count; i++) {
                const struct kube_resource_v1_device_counter_consumption *c = &list->items[i];

                validate_name_required(v, FIELD(ITEM(at, i), "counterSet"), NAME_LABEL, c->counter_set);
                validate_device_counters(v, FIELD(ITEM(at, i), "counters"), c->counters.items, c->counters.count);
                names[i] = c->counter_set;
        }
        validate_device_unique(v, at, names, list->count);
}

/* --- on which nodes it is, where the slice leaves that to its devices --- */

static size_t list_nodes(struct validation *v, const struct place *at, const struct kube_resource_v1_device *device,
                         const char *ret_given[3]) {
        size_t n = 0;

        if (device->node_name && *device->node_name) {
                ret_given[n++] = "`nodeName`";
                validate_name(v, FIELD(at, "nodeName"), NAME_SUBDOMAIN, device->node_name);
        } else if (device->node_name) {
                validate_invalid(v, FIELD(at, "nodeName"), "", "must not be empty");
        }
        if (device->node_selector) {
                ret_given[n++] = "`nodeSelector`";
                validate_node_selector(v, FIELD(at, "nodeSelector"), device->node_selector, false);
        }
        if (device->all_nodes == TRI_TRUE)
                ret_given[n++] = "`allNodes`";
        else if (device->all_nodes == TRI_FALSE)
                validate_invalid_bool(v, FIELD(at, "allNodes"), false, "must be either unset or set to true");
        return n;
}

static void check_nodes(struct validation *v, const struct place *at, const struct kube_resource_v1_device *device,
                        bool selects) {
        static const char one[] = "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when "
                                  "`perDeviceNodeSelection` is set to true in the ResourceSlice spec";
        const char *given[3];
        size_t n;

        if (!selects) {
                if (device->node_name || device->node_selector || device->all_nodes != TRI_UNSET)
                        validate_invalid_json(v, at, "null",
                                              "`nodeName`, `nodeSelector` and `allNodes` can only be set if "
                                              "`perDeviceNodeSelection` is set to true in the ResourceSlice spec");
                return;
        }
        n = list_nodes(v, at, device, given);
        if (n == 0)
                validate_required(v, at, one);
        else if (n > 1)
                validate_invalid(v, at, validate_text(v, "{%s}", validate_join(v, given, n, false)), one);
}

/* --- what it takes of the node's own resources --- */

static bool has_capacity(const struct kube_resource_v1_device *device, const char *key) {
        list_for_each (entry, &device->capacity)
                if (strcmp(entry->key, key) == 0)
                        return true;
        return false;
}

static void check_mapping(struct validation *v, const struct place *at, const struct kube_resource_v1_device *device,
                          const struct kube_resource_v1_node_allocatable_resource_mapping *m) {
        const struct place *key = FIELD(at, "capacityKey");

        if (!m->allocation_multiplier.set && !m->capacity_key) {
                validate_invalid(v, at, "", "at least one of allocationMultiplier or capacityKey must be set");
                return;
        }
        if (m->allocation_multiplier.set && quantity_sign(m->allocation_multiplier.amount) <= 0)
                validate_invalid_quantity(v, FIELD(at, "allocationMultiplier"), m->allocation_multiplier.amount,
                                          "must be positive");
        if (m->capacity_key && !*m->capacity_key)
                validate_invalid(v, key, "", "capacityKey must not be an empty string");
        else if (m->capacity_key && !has_capacity(device, m->capacity_key))
                validate_not_found(v, key, m->capacity_key, "");
}

static void check_mappings(struct validation *v, const struct place *at, const struct kube_resource_v1_device *device) {
        list_for_each (entry, &device->node_allocatable_resource_mappings) {
                const struct place *here = ENTRY(at, entry->key);

                if (!validate_is_native(entry->key))
                        validate_invalid_word(v, here, entry->key, "must be a node allocatable resource name");
                check_mapping(v, here, device, &entry->value);
        }
}

/* --- the device --- */

void validate_device(struct validation *v, const struct place *at, const struct kube_resource_v1_device *device,
                     const struct kube_resource_v1_device *old, bool selects) {
        validate_name(v, FIELD(at, "name"), NAME_LABEL, device->name);
        check_sizes(v, at, device);
        validate_device_attributes(v, FIELD(at, "attributes"), device);
        validate_device_capacity(v, FIELD(at, "capacity"), device, device->allow_multiple_allocations == TRI_TRUE);
        check_taints(v, FIELD(at, "taints"), device, old);
        check_consumption(v, FIELD(at, "consumesCounters"), &device->consumes_counters);
        check_nodes(v, at, device, selects);
        validate_device_conditions(v, at, &device->binding_conditions, &device->binding_failure_conditions);
        check_mappings(v, FIELD(at, "nodeAllocatableResourceMappings"), device);
}
