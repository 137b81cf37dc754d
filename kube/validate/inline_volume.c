/* A volume's spec that stands in a VolumeAttachment: of a CSI driver, and nothing that says which claim it is for
 * (ValidatePersistentVolumeSpec of inline volumes). */
#include <string.h>

#include "kube/validate/common.h"
#include "kube/validate/core.h"
#include "kube/validate/pod_rules.h"
#include "kube/validate/workload.h"

#define NOT_INLINE "may not be specified in the context of inline volumes"

void validate_inline_volume(struct validation *v, const struct place *at,
                            const struct kube_persistent_volume_spec *spec) {
        const struct kube_persistent_volume volume = { .spec = *spec };
        const char *policy = spec->persistent_volume_reclaim_policy;

        if (spec->claim_ref)
                validate_forbidden(v, FIELD(at, "claimRef"), NOT_INLINE);
        if (spec->capacity.count > 0)
                validate_forbidden(v, FIELD(at, "capacity"), NOT_INLINE);
        if (!spec->csi)
                validate_required(v, FIELD(at, "csi"), "has to be specified in the context of inline volumes");
        validate_access_modes(v, FIELD(at, "accessModes"), &spec->access_modes, "");
        if (policy && *policy && strcmp(policy, "Retain") != 0)
                validate_forbidden(v, FIELD(at, "persistentVolumeReclaimPolicy"),
                                   "may only be Retain in the context of inline volumes");
        if (spec->node_affinity)
                validate_forbidden(v, FIELD(at, "nodeAffinity"), NOT_INLINE);
        validate_volume_sources(v, at, &volume);
        if (spec->storage_class_name && *spec->storage_class_name)
                validate_forbidden(v, FIELD(at, "storageClassName"), NOT_INLINE);
        if (spec->volume_mode && strcmp(spec->volume_mode, "Filesystem") != 0)
                validate_forbidden(v, FIELD(at, "volumeMode"),
                                   "may not specify volumeMode other than Filesystem in the context of inline volumes");
}
