/* Storage: classes, drivers, attachments (k8s.io/kubernetes/pkg/apis/storage/validation, pkg/registry/storage). */
#include <ctype.h>
#include <string.h>

#include "kube/storage_v1.h"
#include "kube/validate/common.h"
#include "kube/validate/pod.h"
#include "kube/validate/rules.h"
#include "kube/validate/workload.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#define PARAMETERS_MAX 512
#define MAP_BYTES_MAX (256 * 1024)
#define ERROR_MESSAGE_MAX 1024
#define NODE_ID_MAX 256
#define UPDATE_PERIOD_MIN_S 10
#define TOKEN_MIN_S 600
#define TOKEN_MAX_S ((int64_t)1 << 32)

static size_t map_bytes(const string_map *map) {
        size_t bytes = 0;

        list_for_each (pair, map)
                bytes += strlen(pair->key) + strlen(pair->value ?: "");
        return bytes;
}

/* --- classes --- */

/* A qualified name, whatever its case. */
static void check_provisioner(struct validation *v, const struct place *at, const char *name) {
        char *lower = arena_strdup(v->arena, name);

        if (!name || !*name) {
                validate_required(v, at, "");
                return;
        }
        for (char *c = lower; c && *c; c++)
                *c = (char)tolower((unsigned char)*c);
        validate_name(v, at, NAME_QUALIFIED, lower ?: name);
}

static void check_parameters(struct validation *v, const string_map *parameters, bool required) {
        const struct place *at = FIELD(NULL, "parameters");

        if (parameters->count > PARAMETERS_MAX) {
                validate_too_long(v, at, PARAMETERS_MAX);
                return;
        }
        if (string_map_get(parameters, ""))
                validate_invalid(v, at, "", "field can not be empty.");
        if (map_bytes(parameters) > MAP_BYTES_MAX)
                validate_too_long(v, at, MAP_BYTES_MAX);
        if (required && parameters->count == 0)
                validate_required(v, at, "must contain at least one key/value pair");
}

static void check_term(struct validation *v, const struct place *at, const struct kube_topology_selector_term *term) {
        uint32_t n = term->match_label_expressions.count;
        const char **keys = arena_alloc_array(v->arena, (size_t)n + 1, sizeof(*keys));
        const bool *again;

        for (uint32_t i = 0; keys && i < n; i++)
                keys[i] = term->match_label_expressions.items[i].key;
        again = keys ? validate_repeated(v, keys, n) : NULL;
        for (uint32_t i = 0; i < n; i++) {
                const string_list *values = &term->match_label_expressions.items[i].values;
                const struct place *item = ITEM(FIELD(at, "matchLabelExpressions"), i), *below = FIELD(item, "values");
                const bool *repeated = validate_repeated(v, values->items, values->count);

                if (values->count == 0)
                        validate_required(v, below, "");
                for (uint32_t j = 0; repeated && j < values->count; j++)
                        if (repeated[j])
                                validate_duplicate(v, ITEM(below, j), values->items[j]);
                validate_name(v, FIELD(item, "key"), NAME_QUALIFIED, term->match_label_expressions.items[i].key);
                if (again && again[i])
                        validate_duplicate(v, FIELD(item, "key"), term->match_label_expressions.items[i].key);
        }
}

typedef const struct kube_topology_selector_label_requirement *requirement_ref;

static bool has_value(const string_list *list, const char *value) {
        for (uint32_t i = 0; i < list->count; i++)
                if (strcmp(list->items[i] ?: "", value) == 0)
                        return true;
        return false;
}

/* The last requirement of @key is the one that counts. */
static requirement_ref last_of(const struct kube_topology_selector_term *term, const char *key) {
        for (uint32_t i = term->match_label_expressions.count; i > 0; i--)
                if (strcmp(term->match_label_expressions.items[i - 1].key ?: "", key) == 0)
                        return &term->match_label_expressions.items[i - 1];
        return NULL;
}

/* Whether @b has all that is in @a. */
static bool covers(const struct kube_topology_selector_term *a, const struct kube_topology_selector_term *b) {
        list_for_each (requirement, &a->match_label_expressions) {
                requirement_ref one = last_of(a, requirement->key ?: ""), other = last_of(b, requirement->key ?: "");

                if (!other)
                        return false;
                for (uint32_t i = 0; i < one->values.count; i++)
                        if (!has_value(&other->values, one->values.items[i] ?: ""))
                                return false;
        }
        return true;
}

#define TERMS_COMPARED 64 /* each with those before it */

static void check_topologies(struct validation *v, const kube_topology_selector_term_items *terms) {
        const struct place *at = FIELD(NULL, "allowedTopologies");

        for (uint32_t i = 0; i < terms->count; i++) {
                const struct kube_topology_selector_term *term = &terms->items[i];

                check_term(v, ITEM(at, i), term);
                /* One that is empty is told of as often as there are terms (kube-apiserver compares it with nothing).
                 */
                for (uint32_t j = 0; j < terms->count && j < TERMS_COMPARED && !term->match_label_expressions.count;
                     j++)
                        validate_duplicate(v, FIELD(ITEM(at, i), "matchLabelExpressions"), "");
                for (uint32_t j = 0; j < i && i < TERMS_COMPARED; j++)
                        if (covers(term, &terms->items[j]) && covers(&terms->items[j], term))
                                validate_duplicate(v, FIELD(ITEM(at, i), "matchLabelExpressions"), "");
        }
}

static void check_class_change(struct validation *v, const struct kube_storage_v1_storage_class *new,
                               const struct kube_storage_v1_storage_class *old) {
        const struct kube_type *type = &kube_storage_v1_storage_class_type;

        validate_meta_update(v, &new->metadata, &old->metadata);
        validate_immutable_field(v, FIELD(NULL, "parameters"), type, "parameters", new, old);
        validate_immutable_text(v, FIELD(NULL, "provisioner"), new->provisioner, old->provisioner);
        validate_immutable_field(v, FIELD(NULL, "reclaimPolicy"), type, "reclaimPolicy", new, old);
        validate_immutable_field(v, FIELD(NULL, "volumeBindingMode"), type, "volumeBindingMode", new, old);
}

static void check_storage_class(struct validation *v, const void *object, const void *before) {
        static const char *const policies[] = { "Delete", "Retain", NULL }, *const modes[] = { "Immediate",
                                                                                               "WaitForFirstConsumer",
                                                                                               NULL };
        const struct kube_storage_v1_storage_class *new = object, *old = before;

        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        check_provisioner(v, FIELD(NULL, "provisioner"), new->provisioner);
        check_parameters(v, &new->parameters, false);
        if (new->reclaim_policy &&*new->reclaim_policy)
                validate_choice(v, FIELD(NULL, "reclaimPolicy"), new->reclaim_policy, policies);
        if (!new->volume_binding_mode)
                validate_required(v, FIELD(NULL, "volumeBindingMode"), "");
        else
                validate_choice(v, FIELD(NULL, "volumeBindingMode"), new->volume_binding_mode, modes);
        check_topologies(v, &new->allowed_topologies);
        if (old)
                check_class_change(v, new, old);
}

static void check_attributes_class(struct validation *v, const void *object, const void *before) {
        const struct kube_storage_v1_volume_attributes_class *new = object, *old = before;
        const struct kube_type *type = &kube_storage_v1_volume_attributes_class_type;

        if (old) {
                validate_meta_update(v, &new->metadata, &old->metadata);
                if (!validate_equal_field(type, "driverName", new, old))
                        validate_forbidden(v, FIELD(NULL, "driverName"), "updates to driverName are forbidden.");
                if (!validate_equal_field(type, "parameters", new, old))
                        validate_forbidden(v, FIELD(NULL, "parameters"), "updates to parameters are forbidden.");
        }
        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        check_provisioner(v, FIELD(NULL, "driverName"), new->driver_name);
        check_parameters(v, &new->parameters, true);
}

/* --- VolumeAttachment --- */

static void check_source(struct validation *v, const struct place *at,
                         const struct kube_storage_v1_volume_attachment_source *source) {
        const char *name = source->persistent_volume_name, *one = "must specify exactly one of inlineVolumeSpec and "
                                                                  "persistentVolumeName";

        if (!source->inline_volume_spec && !name)
                validate_required(v, at, one);
        else if (source->inline_volume_spec && name)
                validate_forbidden(v, at, one);
        else if (name && !*name)
                validate_required(v, FIELD(at, "persistentVolumeName"), "must specify non empty persistentVolumeName");
        else if (source->inline_volume_spec)
                validate_inline_volume(v, FIELD(at, "inlineVolumeSpec"), source->inline_volume_spec);
}

static void check_volume_error(struct validation *v, const struct place *at,
                               const struct kube_storage_v1_volume_error *error) {
        if (!error)
                return;
        if (strlen(error->message ?: "") > ERROR_MESSAGE_MAX)
                validate_too_long(v, FIELD(at, "message"), MAP_BYTES_MAX); /* the number that is told */
        if (error->error_code.set)
                validate_range(v, FIELD(at, "errorCode"), error->error_code.value, 0, INT32_MAX);
}

static void check_attachment(struct validation *v, const void *object, const void *before) {
        const struct kube_storage_v1_volume_attachment *new = object, *old = before;
        const struct place *at = FIELD(NULL, "spec"), *status = FIELD(NULL, "status");
        const char *volume = new->spec.source.persistent_volume_name;

        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        validate_driver_name(v, FIELD(at, "attacher"), new->spec.attacher);
        check_source(v, FIELD(at, "source"), &new->spec.source);
        validate_name(v, FIELD(at, "nodeName"), NAME_SUBDOMAIN, new->spec.node_name);
        if (map_bytes(&new->status.attachment_metadata) > MAP_BYTES_MAX)
                validate_too_long(v, FIELD(status, "attachmentMetadata"), MAP_BYTES_MAX);
        check_volume_error(v, FIELD(status, "attachError"), new->status.attach_error);
        check_volume_error(v, FIELD(status, "detachError"), new->status.detach_error);
        if (volume)
                validate_name(v, FIELD(FIELD(at, "source"), "persistentVolumeName"), NAME_SUBDOMAIN, volume);
        if (old && !validate_equal(&kube_storage_v1_volume_attachment_spec_type, &new->spec, &old->spec))
                validate_invalid_json(v, at,
                                      validate_go_json(v, &kube_storage_v1_volume_attachment_spec_type, &new->spec),
                                      VALIDATE_IMMUTABLE);
}

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

static const struct validate_sub attachment_subs[] = { { "status", check_attachment }, { 0 } };

const struct validate_rules validate_storage_rules[] = {
        { "storage.k8s.io", "CSIDriver", NAME_SUBDOMAIN, check_driver, check_driver, NULL },
        { "storage.k8s.io", "CSINode", NAME_SUBDOMAIN, check_node, check_node, NULL },
        { "storage.k8s.io", "CSIStorageCapacity", NAME_SUBDOMAIN, check_capacity, check_capacity, NULL },
        { "storage.k8s.io", "StorageClass", NAME_SUBDOMAIN, check_storage_class, check_storage_class, NULL },
        { "storage.k8s.io", "VolumeAttachment", NAME_SUBDOMAIN, check_attachment, check_attachment, attachment_subs },
        { "storage.k8s.io", "VolumeAttributesClass", NAME_SUBDOMAIN, check_attributes_class, check_attributes_class,
          NULL },
        { 0 },
};
