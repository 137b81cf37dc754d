/* PersistentVolumes. */
#include <string.h>

#include "kube/type.h"
#include "kube/validate/core.h"
#include "kube/validate/other_volume.h"
#include "kube/validate/pod_rules.h"
#include "lib/cleanup.h"

#define MOUNT_OPTIONS "volume.beta.kubernetes.io/mount-options"

static const struct place spec_place = { .name = "spec" };

#define SPEC(field) FIELD(&spec_place, field)

/* --- spec --- */

static void check_capacity(struct validation *v, const struct kube_persistent_volume_spec *spec) {
        const struct place *at = SPEC("capacity");

        if (spec->capacity.count == 0)
                validate_required(v, at, "");
        if (!resource_get(&spec->capacity, "storage") || spec->capacity.count > 1)
                validate_unsupported_json(
                        v, at,
                        spec->capacity.items ?
                                validate_field_json(v, &kube_persistent_volume_spec_type, "capacity", spec) :
                                "null",
                        POD_TEXTS("storage"));
        list_for_each (r, &spec->capacity) {
                int64_t units = quantity_units(r->amount);

                if (units < 0)
                        validate_invalid_int(v, ENTRY(at, r->name), units, "must be a valid resource quantity");
                validate_quantity_positive(v, ENTRY(at, r->name), r->amount);
        }
}

static bool has_bad_value(const struct kube_volume_node_affinity *a) {
        if (!a || !a->required)
                return false;
        list_for_each (term, &a->required->node_selector_terms)
                list_for_each (e, &term->match_expressions)
                        list_for_each (value, &e->values)
                                if (name_problem(NAME_LABEL_VALUE, *value ?: ""))
                                        return true;
        return false;
}

/* "/" with nothing but slashes, dots and steps back. */
static bool is_root(const char *path) {
        int depth = 0;

        if (!path || *path != '/')
                return false;
        for (const char *p = path; *p;) {
                size_t n = strcspn(p, "/");

                if (n == 2 && p[0] == '.' && p[1] == '.')
                        depth -= depth > 0;
                else if (n > 0 && !(n == 1 && *p == '.'))
                        depth++;
                p += n;
                p += *p == '/';
        }
        return depth == 0;
}

static void check_class(struct validation *v, const struct kube_persistent_volume_spec *spec) {
        const char *class = spec->volume_attributes_class_name;

        if (spec->storage_class_name && *spec->storage_class_name)
                validate_name(v, SPEC("storageClassName"), NAME_SUBDOMAIN, spec->storage_class_name);
        if (spec->volume_mode)
                validate_choice(v, SPEC("volumeMode"), spec->volume_mode, POD_TEXTS("Block", "Filesystem"));
        if (!class)
                return;
        if (!*class)
                validate_required(v, SPEC("volumeAttributesClassName"), "an empty string is disallowed");
        else
                validate_name(v, SPEC("volumeAttributesClassName"), NAME_SUBDOMAIN, class);
        if (!spec->csi)
                validate_required(v, SPEC("csi"), "has to be specified when using volumeAttributesClassName");
}

static void check_affinity(struct validation *v, const struct kube_persistent_volume_spec *spec, bool any_value) {
        const struct place *at = FIELD(SPEC("nodeAffinity"), "required");

        if (!spec->node_affinity)
                return;
        if (spec->node_affinity->required)
                validate_node_selector(v, at, spec->node_affinity->required, any_value);
        else
                validate_required(v, at, "must specify required node constraints");
}

static void check_spec(struct validation *v, const struct kube_persistent_volume *pv, bool any_value) {
        const char *policy = pv->spec.persistent_volume_reclaim_policy;

        validate_access_modes(v, SPEC("accessModes"), &pv->spec.access_modes, "");
        check_capacity(v, &pv->spec);
        if (policy && *policy)
                validate_choice(v, SPEC("persistentVolumeReclaimPolicy"), policy,
                                POD_TEXTS("Delete", "Recycle", "Retain"));
        check_affinity(v, &pv->spec, any_value);
        validate_volume_sources(v, &spec_place, pv);
        if (pv->spec.host_path && is_root(pv->spec.host_path->path) && kube_is(policy, "Recycle"))
                validate_forbidden(v, SPEC("persistentVolumeReclaimPolicy"),
                                   "may not be 'recycle' for a hostPath mount of '/'");
        check_class(v, &pv->spec);
}

static void check_volume(struct validation *v, const struct kube_persistent_volume *pv, bool any_value) {
        validate_meta(v, &pv->metadata, NAME_SUBDOMAIN);
        check_spec(v, pv, any_value);
}

static void check_mount_options(struct validation *v, const struct kube_persistent_volume *pv) {
        if (!validate_volume_takes_options(pv) && string_map_get(&pv->metadata.annotations, MOUNT_OPTIONS))
                validate_forbidden(v, FIELD(FIELD(FIELD(NULL, "metadata"), "annotations"), MOUNT_OPTIONS),
                                   "may not specify mount options for this volume type");
}

/* --- changes --- */

/* What is not the source is @old's. */
static struct kube_persistent_volume_spec sources_of(const struct kube_persistent_volume_spec *new,
                                                     const struct kube_persistent_volume_spec *old) {
        struct kube_persistent_volume_spec like = *new;

        like.capacity = old->capacity;
        like.access_modes = old->access_modes;
        like.claim_ref = old->claim_ref;
        like.persistent_volume_reclaim_policy = old->persistent_volume_reclaim_policy;
        like.storage_class_name = old->storage_class_name;
        like.mount_options = old->mount_options;
        like.volume_mode = old->volume_mode;
        like.node_affinity = old->node_affinity;
        like.volume_attributes_class_name = old->volume_attributes_class_name;
        return like;
}

/* A spec's sources alone, in Go's order. */
static const char *sources_json(struct validation *v, const struct kube_persistent_volume_spec *spec) {
        static const char *const names[] = { "gcePersistentDisk",
                                             "awsElasticBlockStore",
                                             "hostPath",
                                             "glusterfs",
                                             "nfs",
                                             "rbd",
                                             "quobyte",
                                             "iscsi",
                                             "flexVolume",
                                             "cinder",
                                             "cephfs",
                                             "fc",
                                             "flocker",
                                             "azureFile",
                                             "vsphereVolume",
                                             "azureDisk",
                                             "photonPersistentDisk",
                                             "portworxVolume",
                                             "scaleIO",
                                             "local",
                                             "storageos",
                                             "csi" };
        struct kube_field rows[ELEMENTS(names)];
        struct kube_type type = kube_persistent_volume_spec_type;

        for (size_t i = 0; i < ELEMENTS(names); i++)
                rows[i] = *kube_type_field(&kube_persistent_volume_spec_type, names[i], strlen(names[i]));
        type.fields = rows;
        type.n_fields = ELEMENTS(names);
        type.slots = NULL;
        return validate_go_json(v, &type, spec);
}

static void check_source_change(struct validation *v, const struct kube_persistent_volume_spec *new,
                                const struct kube_persistent_volume_spec *old) {
        struct kube_persistent_volume_spec like = sources_of(new, old);
        struct kube_csi_persistent_volume_source csi;

        if (old->csi && !old->csi->controller_expand_secret_ref && new->csi &&new->csi->controller_expand_secret_ref) {
                csi = *new->csi;
                csi.controller_expand_secret_ref = NULL;
                like.csi = &csi;
        }
        if (!validate_equal(&kube_persistent_volume_spec_type, &like, old))
                validate_forbidden(v, SPEC("persistentvolumesource"),
                                   validate_text(v, "spec.persistentvolumesource is immutable after creation\n%s",
                                                 validate_difference(v, sources_json(v, old), sources_json(v, &like))));
}

static bool same_key(const char *new, const char *old) {
        static const struct {
                const char *beta, *stable;
        } labels[] = {
                { "beta.kubernetes.io/arch", "kubernetes.io/arch" },
                { "beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type" },
                { "beta.kubernetes.io/os", "kubernetes.io/os" },
                { "failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region" },
                { "failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone" },
        };

        if (strcmp(new ?: "", old ?: "") == 0)
                return true;
        for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++)
                if (kube_is(old, labels[i].beta))
                        return kube_is(new, labels[i].stable);
        return false;
}

static bool same_requirements(const kube_node_selector_requirement_items *new,
                              const kube_node_selector_requirement_items *old) {
        if (new->count != old->count)
                return false;
        for (uint32_t i = 0; i < new->count; i++) {
                struct kube_node_selector_requirement like = old->items[i];

                if (!same_key(new->items[i].key, like.key))
                        return false;
                like.key = new->items[i].key;
                if (!validate_equal(&kube_node_selector_requirement_type, &new->items[i], &like))
                        return false;
        }
        return true;
}

static bool same_affinity(const struct kube_volume_node_affinity *new, const struct kube_volume_node_affinity *old) {
        const struct kube_node_selector *now = new ? new->required : NULL, *before = old->required;

        if (!new || !now != !before)
                return false;
        if (!now)
                return true;
        if (now->node_selector_terms.count != before->node_selector_terms.count)
                return false;
        for (uint32_t i = 0; i < now->node_selector_terms.count; i++)
                if (!same_requirements(&now->node_selector_terms.items[i].match_expressions,
                                       &before->node_selector_terms.items[i].match_expressions) ||
                    !same_requirements(&now->node_selector_terms.items[i].match_fields,
                                       &before->node_selector_terms.items[i].match_fields))
                        return false;
        return true;
}

static void check_change(struct validation *v, const struct kube_persistent_volume_spec *new,
                         const struct kube_persistent_volume_spec *old) {
        check_source_change(v, new, old);
        validate_immutable_field(v, FIELD(NULL, "volumeMode"), &kube_persistent_volume_spec_type, "volumeMode", new,
                                 old);
        if (old->node_affinity && !same_affinity(new->node_affinity, old->node_affinity))
                validate_invalid_json(v, FIELD(NULL, "nodeAffinity"),
                                      validate_go_json(v, &kube_volume_node_affinity_type, new->node_affinity),
                                      VALIDATE_IMMUTABLE ", except for updating from beta label to GA");
        if (old->volume_attributes_class_name && !new->volume_attributes_class_name)
                validate_forbidden(v, SPEC("volumeAttributesClassName"),
                                   "update from non-nil value to nil is forbidden");
}

void validate_volume(struct validation *v, const void *object, const void *old_object) {
        const struct kube_persistent_volume *pv = object, *old = old_object;
        bool any_value = old && has_bad_value(old->spec.node_affinity);

        check_volume(v, pv, any_value);
        check_mount_options(v, pv);
        if (!old)
                return;
        check_volume(v, pv, any_value);
        check_change(v, &pv->spec, &old->spec);
}

void validate_volume_status(struct validation *v, const void *object, const void *old_object) {
        const struct kube_persistent_volume *pv = object, *old = old_object;

        validate_meta_update(v, &pv->metadata, &old->metadata);
}
