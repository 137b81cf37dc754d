/* What CSI drivers say of themselves: CSIDriver, CSINode, CSIStorageCapacity
 * (k8s.io/kubernetes/pkg/apis/storage/validation, pkg/registry/storage). */
#include <string.h>

#include "kube/storage_v1.h"
#include "kube/validate/common.h"
#include "kube/validate/pod.h"
#include "kube/validate/rules.h"
#include "kube/validate/workload.h"
#include "lib/arena.h"

#define NODE_ID_MAX 256
#define UPDATE_PERIOD_MIN_S 10
#define TOKEN_MIN_S 600
#define TOKEN_MAX_S ((int64_t)1 << 32)

/* --- CSIDriver --- */

static void check_tokens(struct validation *v, const struct place *at,
                         const kube_storage_v1_token_request_items *requests) {
        const char **audiences = arena_alloc_array(v->arena, (size_t)requests->count + 1, sizeof(*audiences));
        const bool *repeated;

        for (uint32_t i = 0; audiences && i < requests->count; i++)
                audiences[i] = requests->items[i].audience;
        repeated = audiences ? validate_repeated(v, audiences, requests->count) : NULL;
        for (uint32_t i = 0; i < requests->count; i++) {
                const struct place *seconds = FIELD(ITEM(at, i), "expirationSeconds");
                const struct opt_int *expiration = &requests->items[i].expiration_seconds;

                if (repeated && repeated[i]) {
                        validate_duplicate(v, FIELD(ITEM(at, i), "audience"), requests->items[i].audience);
                        continue;
                }
                if (expiration->set && expiration->value < TOKEN_MIN_S)
                        validate_invalid_int(v, seconds, expiration->value,
                                             "may not specify a duration less than 10 minutes");
                if (expiration->set && expiration->value > TOKEN_MAX_S)
                        validate_invalid_int(v, seconds, expiration->value,
                                             "may not specify a duration larger than 2^32 seconds");
        }
}

static void check_has(struct validation *v, const struct place *at, enum tri given) {
        if (given == TRI_UNSET)
                validate_required(v, at, "");
}

static void check_driver_spec(struct validation *v, const struct place *at,
                              const struct kube_storage_v1_csi_driver_spec *spec) {
        static const char *const modes[] = { "Persistent", "Ephemeral", NULL }, *const policies[] = {
                "File", "None", "ReadWriteOnceWithFSType", NULL
        };
        const struct opt_int *period = &spec->node_allocatable_update_period_seconds;

        check_has(v, FIELD(at, "attachedRequired"), spec->attach_required);
        check_has(v, FIELD(at, "podInfoOnMount"), spec->pod_info_on_mount);
        check_has(v, FIELD(at, "storageCapacity"), spec->storage_capacity);
        if (spec->fs_group_policy)
                validate_choice(v, FIELD(at, "fsGroupPolicy"), spec->fs_group_policy, policies);
        check_tokens(v, FIELD(at, "tokenRequests"), &spec->token_requests);
        list_for_each (mode, &spec->volume_lifecycle_modes)
                validate_choice(v, FIELD(at, "volumeLifecycleModes"), *mode, modes);
        check_has(v, FIELD(at, "seLinuxMount"), spec->se_linux_mount);
        if (period->set && period->value < UPDATE_PERIOD_MIN_S)
                validate_invalid_int(v, FIELD(at, "nodeAllocatableUpdatePeriodSeconds"), period->value,
                                     "must be greater than or equal to 10 seconds");
        if (spec->service_account_token_in_secrets != TRI_UNSET && spec->token_requests.count == 0)
                validate_invalid_bool(v, FIELD(at, "serviceAccountTokenInSecrets"),
                                      spec->service_account_token_in_secrets == TRI_TRUE,
                                      "serviceAccountTokenInSecrets is set but no tokenRequests are specified");
}

static void check_driver(struct validation *v, const void *object, const void *before) {
        const struct kube_storage_v1_csi_driver *new = object, *old = before;
        const struct kube_type *type = &kube_storage_v1_csi_driver_spec_type;
        const struct place *at = FIELD(NULL, "spec");

        if (old)
                validate_meta_update(v, &new->metadata, &old->metadata);
        else
                validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        check_driver_spec(v, at, &new->spec);
        if (!old)
                return;
        validate_immutable_field(v, FIELD(at, "attachedRequired"), type, "attachRequired", &new->spec, &old->spec);
        validate_immutable_field(v, FIELD(at, "volumeLifecycleModes"), type, "volumeLifecycleModes", &new->spec,
                                 &old->spec);
}

/* --- CSINode --- */

static void check_topology_keys(struct validation *v, const struct place *at, const string_list *keys) {
        const bool *repeated = validate_repeated(v, keys->items, keys->count);

        for (uint32_t i = 0; i < keys->count; i++) {
                if (!keys->items[i] || !*keys->items[i])
                        validate_required(v, at, "");
                if (repeated && repeated[i])
                        validate_duplicate(v, at, keys->items[i]);
                validate_name(v, at, NAME_QUALIFIED, keys->items[i]);
        }
}

static void check_node_driver(struct validation *v, const struct place *at,
                              const struct kube_storage_v1_csi_node_driver *driver, bool repeated) {
        const struct place *id = FIELD(at, "nodeID");

        validate_driver_name(v, FIELD(at, "name"), driver->name);
        if (!driver->node_id || !*driver->node_id)
                validate_required(v, id, "");
        else if (strlen(driver->node_id) > NODE_ID_MAX)
                validate_invalid(v, id, driver->node_id, "must be 256 characters or less");
        if (driver->allocatable)
                validate_not_negative_if(v, FIELD(FIELD(at, "allocatable"), "count"), &driver->allocatable->count);
        if (repeated)
                validate_duplicate(v, FIELD(at, "name"), driver->name);
        check_topology_keys(v, at, &driver->topology_keys);
}

#define DRIVERS_COMPARED 512 /* of either list */

/* What a driver has said of itself stays, but for how many volumes it takes. */
static void check_driver_changes(struct validation *v, const struct place *at,
                                 const struct kube_storage_v1_csi_node *new,
                                 const struct kube_storage_v1_csi_node *old) {
        for (uint32_t i = 0; i < old->spec.drivers.count && i < DRIVERS_COMPARED; i++)
                for (uint32_t j = 0; j < new->spec.drivers.count &&j < DRIVERS_COMPARED; j++) {
                        struct kube_storage_v1_csi_node_driver was = old->spec.drivers.items[i],
                                                               is = new->spec.drivers.items[j];

                        was.allocatable = is.allocatable = NULL;
                        if (strcmp(was.name ?: "", is.name ?: "") == 0 &&
                            !validate_equal(&kube_storage_v1_csi_node_driver_type, &is, &was))
                                validate_invalid_json(v, at,
                                                      validate_go_json(v, &kube_storage_v1_csi_node_driver_type, &is),
                                                      VALIDATE_IMMUTABLE);
                }
}

static void check_node(struct validation *v, const void *object, const void *before) {
        const struct kube_storage_v1_csi_node *new = object, *old = before;
        const struct place *at = FIELD(FIELD(NULL, "spec"), "drivers");
        uint32_t n = new->spec.drivers.count;
        const char **names = arena_alloc_array(v->arena, (size_t)n + 1, sizeof(*names));
        const bool *repeated;

        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        for (uint32_t i = 0; names && i < n; i++)
                names[i] = new->spec.drivers.items[i].name;
        repeated = names ? validate_repeated(v, names, n) : NULL;
        for (uint32_t i = 0; i < n; i++)
                check_node_driver(v, ITEM(at, i), &new->spec.drivers.items[i], repeated && repeated[i]);
        if (old)
                check_driver_changes(v, at, new, old);
}

/* --- CSIStorageCapacity --- */

static void check_capacity(struct validation *v, const void *object, const void *before) {
        const struct kube_storage_v1_csi_storage_capacity *new = object, *old = before;
        struct validate_selector_options lenient = { .any_value =
                                                             old && !validate_selector_is_sound(old->node_topology) };
        const struct place *topology = FIELD(NULL, "nodeTopology"), *class = FIELD(NULL, "storageClassName");

        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        validate_selector(v, topology, new->node_topology, &lenient);
        validate_name(v, class, NAME_SUBDOMAIN, new->storage_class_name);
        if (new->capacity.set)
                validate_quantity_not_negative(v, FIELD(NULL, "capacity"), new->capacity.amount);
        if (!old)
                return;
        validate_meta_update(v, &new->metadata, &old->metadata);
        validate_immutable(v, topology, &kube_label_selector_type, new->node_topology, old->node_topology);
        validate_immutable_text(v, class, new->storage_class_name, old->storage_class_name);
}

const struct validate_rules validate_csi_rules[] = {
        { "storage.k8s.io", "CSIDriver", NAME_SUBDOMAIN, check_driver, check_driver, NULL },
        { "storage.k8s.io", "CSINode", NAME_SUBDOMAIN, check_node, check_node, NULL },
        { "storage.k8s.io", "CSIStorageCapacity", NAME_SUBDOMAIN, check_capacity, check_capacity, NULL },
        { 0 },
};
