/* What became of ResourceClaims: which devices they got, who uses them, and what drivers tell of them
 * (k8s.io/kubernetes/pkg/apis/resource/validation). */
#include <string.h>

#include "kube/type.h"
#include "kube/validate/device.h"
#include "kube/validate/pod.h"
#include "kube/validate/pod_rules.h"

#define RESERVED_MAX 256
#define CONDITIONS_MAX 8
#define ADDRESSES_MAX 16
#define INTERFACE_NAME_MAX 256
#define HARDWARE_ADDRESS_MAX 128

/* Which device of which pool, and which share of it, as Go writes it. */
static const char *device_json(struct validation *v, const char *driver, const char *pool, const char *device,
                               const char *share) {
        return validate_key(v, "{\"Driver\":%s,\"Pool\":%s,\"Device\":%s,\"ShareID\":%s}",
                            validate_json_text(v, driver), validate_json_text(v, pool), validate_json_text(v, device),
                            validate_json_text(v, share));
}

const char *validate_device_id(struct validation *v, const char *driver, const char *pool, const char *device,
                               const char *share) {
        return validate_key(v, "%s\n%s\n%s\n%s", driver ?: "", pool ?: "", device ?: "", share ?: "");
}

/* --- who uses it --- */

static void check_reserved(struct validation *v, const struct place *at,
                           const kube_resource_v1_resource_claim_consumer_reference_items *refs) {
        _cleanup_validate_set_ struct validate_set uids = { 0 };

        if (!validate_device_count(v, at, refs->count, RESERVED_MAX))
                return;
        for (uint32_t i = 0; i < refs->count; i++) {
                const struct kube_resource_v1_resource_claim_consumer_reference *ref = &refs->items[i];

                if (!ref->resource || !*ref->resource)
                        validate_required(v, FIELD(ITEM(at, i), "resource"), "");
                if (!ref->name || !*ref->name)
                        validate_required(v, FIELD(ITEM(at, i), "name"), "");
                if (!ref->uid || !*ref->uid)
                        validate_required(v, FIELD(ITEM(at, i), "uid"), "");
        }
        for (uint32_t i = 0; i < refs->count; i++)
                if (!validate_set_add(v, &uids, refs->items[i].uid))
                        validate_duplicate_json(v, ITEM(at, i), validate_json_text(v, refs->items[i].uid));
}

static bool has_new(const kube_resource_v1_resource_claim_consumer_reference_items *refs,
                    const kube_resource_v1_resource_claim_consumer_reference_items *old) {
        const struct kube_type *type = &kube_resource_v1_resource_claim_consumer_reference_type;

        list_for_each (ref, refs) {
                bool known = false;

                list_for_each (before, old)
                        known |= validate_equal(type, ref, before);
                if (!known)
                        return true;
        }
        return false;
}

static void check_consumers(struct validation *v, const struct place *at,
                            const struct kube_resource_v1_resource_claim *new,
                            const struct kube_resource_v1_resource_claim *old) {
        if (new->status.reserved_for.count == 0)
                return;
        if (!new->status.allocation)
                validate_forbidden(v, at, "may not be specified when `allocated` is not set");
        else if (new->metadata.deletion_timestamp.set &&new->status.reserved_for.count <= RESERVED_MAX &&
                 has_new(&new->status.reserved_for, &old->status.reserved_for))
                validate_forbidden(v, at,
                                   "new entries may not be added while `deallocationRequested` or `deletionTimestamp` "
                                   "are set");
}

/* --- what drivers tell of devices --- */

static void check_network(struct validation *v, const struct place *at,
                          const struct kube_resource_v1_network_device_data *data) {
        const struct place *ips = FIELD(at, "ips");

        if (!data)
                return;
        if (strlen(data->interface_name ?: "") > INTERFACE_NAME_MAX)
                validate_too_long(v, FIELD(at, "interfaceName"), INTERFACE_NAME_MAX);
        if (strlen(data->hardware_address ?: "") > HARDWARE_ADDRESS_MAX)
                validate_too_long(v, FIELD(at, "hardwareAddress"), HARDWARE_ADDRESS_MAX);
        if (!validate_device_count(v, ips, data->ips.count, ADDRESSES_MAX))
                return;
        for (uint32_t i = 0; i < data->ips.count; i++)
                validate_interface_address(v, ITEM(ips, i), data->ips.items[i]);
        validate_device_unique_texts(v, ips, &data->ips);
}

static void check_told(struct validation *v, const struct place *at,
                       const struct kube_resource_v1_allocated_device_status *d, const struct validate_set *allocated) {
        const struct place *conditions = FIELD(at, "conditions");

        validate_driver_name(v, FIELD(at, "driver"), d->driver);
        validate_pool_name(v, FIELD(at, "pool"), d->pool);
        validate_name(v, FIELD(at, "device"), NAME_LABEL, d->device);
        if (d->share_id)
                validate_device_uid(v, FIELD(at, "shareID"), d->share_id);
        if (!validate_set_has(allocated, validate_device_id(v, d->driver, d->pool, d->device, d->share_id)))
                validate_invalid_json(v, at, device_json(v, d->driver, d->pool, d->device, d->share_id),
                                      "must be an allocated device in the claim");
        validate_device_count(v, conditions, d->conditions.count, CONDITIONS_MAX);
        validate_conditions(v, conditions, &d->conditions);
        if (d->data.text && strcmp(d->data.text, "null") != 0)
                validate_device_raw(v, FIELD(at, "data"), &d->data, false);
        check_network(v, FIELD(at, "networkData"), d->network_data);
}

static void check_devices(struct validation *v, const struct place *at,
                          const struct kube_resource_v1_resource_claim_status *status) {
        _cleanup_validate_set_ struct validate_set allocated = { 0 }, seen = { 0 };

        if (status->allocation)
                list_for_each (r, &status->allocation->devices.results)
                        validate_set_add(v, &allocated,
                                         validate_device_id(v, r->driver, r->pool, r->device, r->share_id));
        for (uint32_t i = 0; i < status->devices.count; i++)
                check_told(v, ITEM(at, i), &status->devices.items[i], &allocated);
        for (uint32_t i = 0; i < status->devices.count; i++) {
                const struct kube_resource_v1_allocated_device_status *d = &status->devices.items[i];

                if (!validate_set_add(v, &seen, validate_device_id(v, d->driver, d->pool, d->device, d->share_id)))
                        validate_duplicate_json(v, ITEM(at, i),
                                                device_json(v, d->driver, d->pool, d->device, d->share_id));
        }
}

/* --- which devices it got --- */

static void check_result(struct validation *v, const struct place *at,
                         const struct kube_resource_v1_device_request_allocation_result *r,
                         const struct validate_set *requests) {
        validate_device_request_ref(v, FIELD(at, "request"), r->request, requests);
        validate_driver_name(v, FIELD(at, "driver"), r->driver);
        validate_pool_name(v, FIELD(at, "pool"), r->pool);
        validate_name(v, FIELD(at, "device"), NAME_LABEL, r->device);
        validate_device_conditions(v, at, &r->binding_conditions, &r->binding_failure_conditions);
        if (r->share_id)
                validate_device_uid(v, FIELD(at, "shareID"), r->share_id);
}

static void check_configs(struct validation *v, const struct place *at,
                          const kube_resource_v1_device_allocation_configuration_items *configs,
                          const struct validate_set *requests) {
        /* Those of classes and those of the claim. */
        if (!validate_device_count(v, at, configs->count, 2 * DEVICE_CONFIGS_MAX))
                return;
        for (uint32_t i = 0; i < configs->count; i++) {
                const struct kube_resource_v1_device_allocation_configuration *c = &configs->items[i];
                const struct place *here = ITEM(at, i);

                if (!c->source || !*c->source)
                        validate_required(v, FIELD(here, "source"), "");
                else
                        validate_choice(v, FIELD(here, "source"), c->source, POD_TEXTS("FromClaim", "FromClass"));
                validate_device_request_refs(v, FIELD(here, "requests"), &c->requests, requests);
                validate_device_config(v, here, c->opaque, false);
        }
}

static void check_allocation(struct validation *v, const struct place *at,
                             const struct kube_resource_v1_allocation_result *allocation,
                             const struct kube_resource_v1_resource_claim_spec *spec) {
        const struct place *devices = FIELD(at, "devices"), *results = FIELD(devices, "results");
        _cleanup_validate_set_ struct validate_set requests = { 0 };

        validate_device_requests(v, spec, &requests);
        if (validate_device_count(v, results, allocation->devices.results.count, DEVICE_REQUESTS_MAX))
                for (uint32_t i = 0; i < allocation->devices.results.count; i++)
                        check_result(v, ITEM(results, i), &allocation->devices.results.items[i], &requests);
        check_configs(v, FIELD(devices, "config"), &allocation->devices.config, &requests);
        if (allocation->node_selector)
                validate_node_selector(v, FIELD(at, "nodeSelector"), allocation->node_selector, false);
}

void validate_device_claim_status(struct validation *v, const void *object, const void *before) {
        const struct kube_resource_v1_resource_claim *new = object, *old = before;
        const struct place *at = FIELD(NULL, "status"), *allocation = FIELD(at, "allocation");
        const struct kube_type *type = &kube_resource_v1_allocation_result_type;

        validate_device_rights(v, new, old);
        validate_meta_update(v, &new->metadata, &old->metadata);
        check_reserved(v, FIELD(at, "reservedFor"), &new->status.reserved_for);
        check_devices(v, FIELD(at, "devices"), &new->status);
        check_consumers(v, FIELD(at, "reservedFor"), new, old);
        if (!new->status.allocation)
                return;
        if (!old->status.allocation)
                check_allocation(v, allocation, new->status.allocation, &new->spec);
        else if (!validate_equal(type, new->status.allocation, old->status.allocation))
                validate_invalid_json(v, allocation, validate_go_json(v, type, new->status.allocation),
                                      VALIDATE_IMMUTABLE);
}
