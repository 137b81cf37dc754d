/* Claims for volumes, services, claims for devices. */
#include <errno.h>
#include <string.h>

#include "api/quota/kind.h"
#include "kube/resource_v1.h"
#include "lib/arena.h"
#include "lib/texts.h"

#define CLASS ".storageclass.storage.k8s.io/"
#define DEVICES ".deviceclass.resource.k8s.io/devices"
#define DEVICES_MAX 32 /* that a claim is given: what "all" may come to */

static struct quantity count_of(int64_t n) {
        return quantity_from_units(n, QUANTITY_DECIMAL);
}

/* --- claims for volumes --- */

typedef struct kube_persistent_volume_claim volume_claim;

/* A volume that grows, or changes its class, is told of in the claim's status. */
bool quota_claim_counts(const void *object, const char *sub, const void *old) {
        return old && strcmp(sub, "status") == 0;
}

bool quota_claim_measures(const char *name) {
        return strcmp(name, "requests.storage") == 0 || texts_end_in(name, CLASS "persistentvolumeclaims") ||
               texts_end_in(name, CLASS "requests.storage");
}

/* Whole bytes; while a volume grows, what it grows to. */
static bool storage_of(const volume_claim *claim, struct quantity *ret_amount) {
        const struct quantity *asked = resource_get(&claim->spec.resources.requests, "storage"),
                              *given = resource_get(&claim->status.allocated_resources, "storage");

        if (!asked)
                return false;
        if (given && quantity_compare(*given, *asked) > 0)
                asked = given;
        *ret_amount = quantity_from_units(quantity_units(*asked), asked->style);
        return true;
}

static int add_storage(struct arena *arena, const volume_claim *claim, const char *class, resource_list *usage) {
        struct quantity amount;
        const char *name;
        int r;

        if (!storage_of(claim, &amount))
                return 0;
        r = quota_add(arena, usage, "requests.storage", amount);
        if (r < 0 || !*class)
                return r;
        name = arena_printf(arena, "%s" CLASS "requests.storage", class);
        return name ? quota_add(arena, usage, name, amount) : -ENOMEM;
}

int quota_claim_usage(struct arena *arena, const void *object, resource_list *usage) {
        const volume_claim *claim = object;
        const char *class = string_map_get(&claim->metadata.annotations, "volume.beta.kubernetes.io/storage-class") ?:
                                    claim->spec.storage_class_name                                                  ?:
                                                                                                                      "",
                   *name;
        int r = quota_add(arena, usage, "persistentvolumeclaims", count_of(1));

        if (r < 0)
                return r;
        if (*class) {
                name = arena_printf(arena, "%s" CLASS "persistentvolumeclaims", class);
                if ((r = name ? quota_add(arena, usage, name, count_of(1)) : -ENOMEM) < 0)
                        return r;
        }
        return add_storage(arena, claim, class, usage);
}

bool quota_claim_in_scope(const void *object, const struct kube_scoped_resource_selector_requirement *scope) {
        const volume_claim *claim = object;
        const struct kube_modify_volume_status *modify = claim->status.modify_volume_status;
        const char *all[] = { claim->spec.volume_attributes_class_name,
                              claim->status.current_volume_attributes_class_name,
                              modify ? modify->target_volume_attributes_class_name : NULL },
                   *given[3];
        unsigned n = 0;

        if (!kube_is(scope->scope_name, "VolumeAttributesClass"))
                return false;
        for (unsigned i = 0; i < 3; i++)
                if (all[i] && *all[i])
                        given[n++] = all[i];
        return quota_scope_matches(scope, given, n);
}

/* --- services --- */

bool quota_service_measures(const char *name) {
        return strcmp(name, "services.nodeports") == 0 || strcmp(name, "services.loadbalancers") == 0;
}

static int64_t node_ports_of(const struct kube_service_spec *spec) {
        bool balancer = kube_is(spec->type, "LoadBalancer");
        int64_t n = 0;

        if (kube_is(spec->type, "NodePort") || (balancer && spec->allocate_load_balancer_node_ports != TRI_FALSE))
                return spec->ports.count;
        if (balancer)
                list_for_each (port, &spec->ports)
                        n += port->node_port != 0;
        return n;
}

int quota_service_usage(struct arena *arena, const void *object, resource_list *usage) {
        const struct kube_service_spec *spec = &((const struct kube_service *)object)->spec;

        return quota_add(arena, usage, "services", count_of(1))                                     ?:
                       quota_add(arena, usage, "services.nodeports", count_of(node_ports_of(spec))) ?:
                       quota_add(arena, usage, "services.loadbalancers", count_of(kube_is(spec->type, "LoadBalancer")));
}

/* --- claims for devices --- */

bool quota_device_measures(const char *name) {
        return texts_end_in(name, DEVICES);
}

static int64_t devices_of(const char *mode, int64_t count) {
        return kube_is(mode, "ExactCount") ? count : kube_is(mode, "All") ? DEVICES_MAX : 0;
}

static int add_devices(struct arena *arena, resource_list *usage, const char *class, int64_t n) {
        const char *name = arena_printf(arena, "%s" DEVICES, class ?: "");

        return name ? quota_add(arena, usage, name, count_of(n)) : -ENOMEM;
}

/* Of several that would do the one that takes most, for each class. */
static int add_worst(struct arena *arena, resource_list *usage,
                     const kube_resource_v1_device_sub_request_items *requests) {
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < requests->count; i++) {
                const char *class = requests->items[i].device_class_name ?: "";
                int64_t most = 0;
                bool first = true;

                for (uint32_t j = 0; j < requests->count; j++) {
                        const struct kube_resource_v1_device_sub_request *other = &requests->items[j];
                        int64_t n = devices_of(other->allocation_mode, other->count);

                        if (strcmp(other->device_class_name ?: "", class) != 0)
                                continue;
                        first &= j >= i;
                        most = n > most ? n : most;
                }
                if (first && most > 0)
                        r = add_devices(arena, usage, class, most);
        }
        return r;
}

int quota_device_usage(struct arena *arena, const void *object, resource_list *usage) {
        const struct kube_resource_v1_resource_claim *claim = object;
        int r = 0;

        list_for_each (request, &claim->spec.devices.requests) {
                const struct kube_resource_v1_exact_device_request *exactly = request->exactly;

                if (request->first_available.count > 0)
                        r = add_worst(arena, usage, &request->first_available);
                else if (exactly)
                        r = add_devices(arena, usage, exactly->device_class_name,
                                        devices_of(exactly->allocation_mode, exactly->count));
                if (r < 0)
                        return r;
        }
        return 0;
}
