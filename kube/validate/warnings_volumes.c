/* Volumes' sources that are old, and claims (k8s.io/kubernetes/pkg/api/persistentvolume, persistentvolumeclaim). */
#include <string.h>

#include "kube/type.h"
#include "kube/validate/warnings.h"
#include "lib/cleanup.h"

#define GONE_16 "deprecated in v1.11, non-functional in v1.16+"
#define GONE_22 "deprecated in v1.16, non-functional in v1.22+"
#define GONE_25 "deprecated in v1.22, non-functional in v1.25+"
#define GONE_26 "deprecated in v1.25, non-functional in v1.26+"
#define GONE_31 "deprecated in v1.28, non-functional in v1.31+"

/* In the order in which they are told of a PersistentVolume; a pod's volume has one source. */
static const struct {
        const char *field, *shown, *text;
        bool of_pods; /* a PersistentVolume of it is not told of */
} old_sources[] = {
        { "cephfs", "cephfs", GONE_31, false },
        { "photonPersistentDisk", "photonPersistentDisk", GONE_16, false },
        { "scaleIO", "scaleIO", GONE_22, false },
        { "storageos", "storageOS", GONE_25, false },
        { "glusterfs", "glusterfs", GONE_26, false },
        { "rbd", "rbd", GONE_31, false },
        { "gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+", true },
        { "flocker", "flocker", GONE_25, true },
        { "quobyte", "quobyte", GONE_25, true },
};

void validate_warn_old_sources(struct validation *v, const struct place *at, const struct kube_type *type,
                               const void *volume) {
        for (size_t i = 0; i < ELEMENTS(old_sources); i++) {
                const struct kube_field *field =
                        kube_type_field(type, old_sources[i].field, strlen(old_sources[i].field));

                if (field && (type == &kube_volume_type || !old_sources[i].of_pods) && kube_below(field, volume))
                        validate_warn(v, FIELD(at, old_sources[i].shown), "%s", old_sources[i].text);
        }
}

static void warn_annotation(struct validation *v, const struct kube_object_meta *meta, const char *key,
                            const char *text) {
        if (string_map_get(&meta->annotations, key))
                validate_warn(v, ENTRY(FIELD(FIELD(NULL, "metadata"), "annotations"), key), "%s", text);
}

#define CLASS "volume.beta.kubernetes.io/storage-class"
#define CLASS_TEXT "deprecated since v1.8; use \"storageClassName\" attribute instead"
#define OPTIONS "volume.beta.kubernetes.io/mount-options"

void validate_warn_volume(struct validation *v, const void *object, const void *old) {
        const struct kube_persistent_volume *volume = object;
        const struct kube_persistent_volume_spec *s = &volume->spec;
        const struct place *spec = FIELD(NULL, "spec");
        const struct kube_node_selector *required = s->node_affinity ? s->node_affinity->required : NULL;

        (void)old;
        warn_annotation(v, &volume->metadata, CLASS, CLASS_TEXT);
        warn_annotation(v, &volume->metadata, OPTIONS,
                        "deprecated since v1.31; use \"mountOptions\" attribute instead");
        if (kube_is(s->persistent_volume_reclaim_policy, "Recycle"))
                validate_warn(v, FIELD(spec, "persistentVolumeReclaimPolicy"),
                              "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use "
                              "dynamic provisioning.");
        for (uint32_t i = 0; required && i < required->node_selector_terms.count; i++)
                validate_warn_term(v,
                                   ITEM(FIELD(FIELD(FIELD(spec, "nodeAffinity"), "required"), "nodeSelectorTerms"), i),
                                   &required->node_selector_terms.items[i], false);
        validate_warn_old_sources(v, spec, &kube_persistent_volume_spec_type, s);
}

void validate_warn_claim_spec(struct validation *v, const struct place *at,
                              const struct kube_persistent_volume_claim_spec *spec) {
        const struct place *resources = FIELD(at, "resources");

        validate_warn_fraction(v, FIELD(resources, "requests"), &spec->resources.requests, "storage");
        validate_warn_fraction(v, FIELD(resources, "limits"), &spec->resources.limits, "storage");
}

void validate_warn_claim(struct validation *v, const void *object, const void *old) {
        const struct kube_persistent_volume_claim *claim = object;

        (void)old;
        warn_annotation(v, &claim->metadata, CLASS, CLASS_TEXT);
        validate_warn_claim_spec(v, FIELD(NULL, "spec"), &claim->spec);
}
