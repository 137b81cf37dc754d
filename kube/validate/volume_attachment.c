/* VolumeAttachments (k8s.io/kubernetes/pkg/apis/storage/validation, pkg/registry/storage). */
#include <string.h>

#include "kube/storage_v1.h"
#include "kube/validate/common.h"
#include "kube/validate/core.h"
#include "kube/validate/pod.h"
#include "kube/validate/pod_rules.h"
#include "kube/validate/rules.h"
#include "kube/validate/workload.h"

#define METADATA_BYTES_MAX (256 * 1024)
#define ERROR_MESSAGE_MAX 1024
#define NOT_INLINE "may not be specified in the context of inline volumes"

/* --- a volume that is described where it is attached: of a CSI driver, and nothing that says which claim it is for
 * (ValidatePersistentVolumeSpec of inline volumes) --- */

static void check_inline_volume(struct validation *v, const struct place *at,
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

/* --- the attachment --- */

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
                check_inline_volume(v, FIELD(at, "inlineVolumeSpec"), source->inline_volume_spec);
}

static void check_volume_error(struct validation *v, const struct place *at,
                               const struct kube_storage_v1_volume_error *error) {
        if (!error)
                return;
        if (strlen(error->message ?: "") > ERROR_MESSAGE_MAX)
                validate_too_long(v, FIELD(at, "message"), METADATA_BYTES_MAX); /* the number that is told */
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
        if (validate_map_bytes(&new->status.attachment_metadata) > METADATA_BYTES_MAX)
                validate_too_long(v, FIELD(status, "attachmentMetadata"), METADATA_BYTES_MAX);
        check_volume_error(v, FIELD(status, "attachError"), new->status.attach_error);
        check_volume_error(v, FIELD(status, "detachError"), new->status.detach_error);
        if (volume)
                validate_name(v, FIELD(FIELD(at, "source"), "persistentVolumeName"), NAME_SUBDOMAIN, volume);
        if (old && !validate_equal(&kube_storage_v1_volume_attachment_spec_type, &new->spec, &old->spec))
                validate_invalid_json(v, at,
                                      validate_go_json(v, &kube_storage_v1_volume_attachment_spec_type, &new->spec),
                                      VALIDATE_IMMUTABLE);
}

static const struct validate_sub subs[] = { { "status", check_attachment }, { 0 } };

const struct validate_rules validate_volume_attachment_rules[] = {
        { "storage.k8s.io", "VolumeAttachment", NAME_SUBDOMAIN, check_attachment, check_attachment, subs },
        { 0 },
};
