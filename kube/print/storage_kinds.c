#include "kube/print/cells.h"
#include "lib/cleanup.h"

static const struct print_column persistent_volume_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Capacity", "string", 0, PRINT_TEXT, "spec.capacity.storage", "0",
                    "capacity is the description of the persistent volume's resources and capacity. More info: "
                    "https://kubernetes.io/docs/concepts/storage/persistent-volumes#capacity"),
        PRINT_MADE("Access Modes", "string", 0, print_access_modes, "spec.accessModes", NULL,
                   "accessModes contains all ways the volume can be mounted. More info: "
                   "https://kubernetes.io/docs/concepts/storage/persistent-volumes#access-modes"),
        PRINT_FIELD("Reclaim Policy", "string", 0, PRINT_TEXT, "spec.persistentVolumeReclaimPolicy", NULL,
                    "persistentVolumeReclaimPolicy defines what happens to a persistent volume when released from its "
                    "claim. Valid options are Retain (default for manually created PersistentVolumes), Delete (default "
                    "for dynamically provisioned PersistentVolumes), and Recycle (deprecated). Recycle must be "
                    "supported by the volume plugin underlying this PersistentVolume. More info: "
                    "https://kubernetes.io/docs/concepts/storage/persistent-volumes#reclaiming"),
        PRINT_MADE("Status", "string", 0, print_volume_phase, "status.phase metadata.deletionTimestamp", NULL,
                   "phase indicates if a volume is available, bound to a claim, or released by a claim. More info: "
                   "https://kubernetes.io/docs/concepts/storage/persistent-volumes#phase"),
        PRINT_MADE("Claim", "string", 0, print_volume_claim, "spec.claimRef", NULL,
                   "claimRef is part of a bi-directional binding between PersistentVolume and PersistentVolumeClaim. "
                   "Expected to be non-nil when bound. claim.VolumeName is the authoritative bind between PV and PVC. "
                   "More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#binding"),
        PRINT_MADE("StorageClass", "string", 0, print_volume_class, "spec.storageClassName metadata.annotations", NULL,
                   "StorageClass of the pv"),
        PRINT_FIELD("VolumeAttributesClass", "string", 0, PRINT_TEXT, "spec.volumeAttributesClassName", "<unset>",
                    "VolumeAttributesClass of the pv"),
        PRINT_FIELD("Reason", "string", 0, PRINT_TEXT, "status.reason", NULL,
                    "reason is a brief CamelCase string that describes any failure and is meant for machine parsing "
                    "and tidy display in the CLI."),
        PRINT_AGE_COLUMN,
        PRINT_FIELD("VolumeMode", "string", 1, PRINT_TEXT, "spec.volumeMode", "<unset>",
                    "volumeMode defines if a volume is intended to be used with a formatted filesystem or to remain in "
                    "raw block state. Value of Filesystem is implied when not included in spec."),
};

static const struct print_column persistent_volume_claim_columns[] = {
        PRINT_NAME,
        PRINT_MADE("Status", "string", 0, print_volume_phase, "status.phase metadata.deletionTimestamp", NULL,
                   "phase represents the current phase of PersistentVolumeClaim."),
        PRINT_FIELD("Volume", "string", 0, PRINT_TEXT, "spec.volumeName", NULL,
                    "volumeName is the binding reference to the PersistentVolume backing this claim."),
        PRINT_MADE("Capacity", "string", 0, print_claim_capacity, "spec.volumeName status.capacity", NULL,
                   "capacity represents the actual resources of the underlying volume."),
        PRINT_MADE("Access Modes", "string", 0, print_claim_modes, "status.accessModes spec.volumeName", NULL,
                   "accessModes contains the actual access modes the volume backing the PVC has. More info: "
                   "https://kubernetes.io/docs/concepts/storage/persistent-volumes#access-modes-1"),
        PRINT_MADE("StorageClass", "string", 0, print_volume_class, "spec.storageClassName metadata.annotations", NULL,
                   "StorageClass of the pvc"),
        PRINT_FIELD("VolumeAttributesClass", "string", 0, PRINT_TEXT, "spec.volumeAttributesClassName", "<unset>",
                    "VolumeAttributesClass of the pvc"),
        PRINT_AGE_COLUMN,
        PRINT_FIELD("VolumeMode", "string", 1, PRINT_TEXT, "spec.volumeMode", "<unset>",
                    "volumeMode defines what type of volume is required by the claim. Value of Filesystem is implied "
                    "when not included in claim spec."),
};

static const struct print_column storage_class_columns[] = {
        PRINT_CLASS_NAME(
                "storageclass.kubernetes.io/is-default-class storageclass.beta.kubernetes.io/is-default-class"),
        PRINT_FIELD("Provisioner", "string", 0, PRINT_TEXT, "provisioner", NULL,
                    "provisioner indicates the type of the provisioner."),
        PRINT_FIELD("ReclaimPolicy", "string", 0, PRINT_TEXT, "reclaimPolicy", "Delete",
                    "reclaimPolicy controls the reclaimPolicy for dynamically provisioned PersistentVolumes of this "
                    "storage class. Defaults to Delete."),
        PRINT_FIELD("VolumeBindingMode", "string", 0, PRINT_TEXT, "volumeBindingMode", "Immediate",
                    "volumeBindingMode indicates how PersistentVolumeClaims should be provisioned and bound.  When "
                    "unset, VolumeBindingImmediate is used. This field is only honored by servers that enable the "
                    "VolumeScheduling feature."),
        PRINT_FIELD("AllowVolumeExpansion", "string", 0, PRINT_BOOL, "allowVolumeExpansion", NULL,
                    "allowVolumeExpansion shows whether the storage class allow volume expand."),
        PRINT_AGE_COLUMN,
};

static const struct print_column volume_attributes_class_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("DriverName", "string", 0, PRINT_TEXT, "driverName", NULL,
                    "Name of the CSI driver This field is immutable."),
        PRINT_AGE_COLUMN,
};

static const struct print_column volume_attachment_columns[] = {
        PRINT_NAME,
        PRINT_NAMED("Attacher", 0, "spec.attacher",
                    "attacher indicates the name of the volume driver that MUST handle this request. This is the name "
                    "returned by GetPluginName()."),
        PRINT_FIELD("PV", "string", 0, PRINT_TEXT, "spec.source.persistentVolumeName", NULL,
                    "persistentVolumeName represents the name of the persistent volume to attach."),
        PRINT_FIELD("Node", "string", 0, PRINT_TEXT, "spec.nodeName", NULL,
                    "nodeName represents the node that the volume should be attached to."),
        PRINT_FIELD("Attached", "boolean", 0, PRINT_BOOL, "status.attached", NULL,
                    "attached indicates the volume is successfully attached. This field must only be set by the entity "
                    "completing the attach operation, i.e. the external-attacher."),
        PRINT_AGE_COLUMN,
};

static const struct print_column csi_node_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Drivers", "integer", 0, PRINT_COUNT, "spec.drivers#", NULL,
                    "Drivers indicates the number of CSI drivers registered on the node"),
        PRINT_AGE_COLUMN,
};

static const struct print_column csi_driver_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("AttachRequired", "boolean", 0, PRINT_BOOL, "spec.attachRequired", "true",
                    "attachRequired indicates this CSI volume driver requires an attach operation (because it "
                    "implements the CSI ControllerPublishVolume() method), and that the Kubernetes attach detach "
                    "controller should call the attach volume interface which checks the volumeattachment status and "
                    "waits until the volume is attached before proceeding to mounting. The CSI external-attacher "
                    "coordinates with CSI volume driver and updates the volumeattachment status when the attach "
                    "operation is complete. If the value is specified to false, the attach operation will be skipped. "
                    "Otherwise the attach operation will be called.\n\nThis field is immutable."),
        PRINT_FIELD(
                "PodInfoOnMount", "boolean", 0, PRINT_BOOL, "spec.podInfoOnMount", NULL,
                "podInfoOnMount indicates this CSI volume driver requires additional pod information (like podName, "
                "podUID, etc.) during mount operations, if set to true. If set to false, pod information will not be "
                "passed on mount. Default is false.\n\nThe CSI driver specifies podInfoOnMount as part of driver "
                "deployment. If true, Kubelet will pass pod information as VolumeContext in the CSI "
                "NodePublishVolume() calls. The CSI driver is responsible for parsing and validating the information "
                "passed in as VolumeContext.\n\nThe following VolumeContext will be passed if podInfoOnMount is set to "
                "true. This list might grow, but the prefix will be used. \"csi.storage.k8s.io/pod.name\": pod.Name "
                "\"csi.storage.k8s.io/pod.namespace\": pod.Namespace \"csi.storage.k8s.io/pod.uid\": string(pod.UID) "
                "\"csi.storage.k8s.io/ephemeral\": \"true\" if the volume is an ephemeral inline volume\n              "
                "                  defined by a CSIVolumeSource, otherwise "
                "\"false\"\n\n\"csi.storage.k8s.io/ephemeral\" is a new feature in Kubernetes 1.16. It is only "
                "required for drivers which support both the \"Persistent\" and \"Ephemeral\" VolumeLifecycleMode. "
                "Other drivers can leave pod info disabled and/or ignore this field. As Kubernetes 1.15 doesn't "
                "support this field, drivers can only support one mode when deployed on such a cluster and the "
                "deployment determines which mode that is, for example via a command line parameter of the "
                "driver.\n\nThis field was immutable in Kubernetes < 1.29 and now is mutable."),
        PRINT_FIELD(
                "StorageCapacity", "boolean", 0, PRINT_BOOL, "spec.storageCapacity", NULL,
                "storageCapacity indicates that the CSI volume driver wants pod scheduling to consider the storage "
                "capacity that the driver deployment will report by creating CSIStorageCapacity objects with capacity "
                "information, if set to true.\n\nThe check can be enabled immediately when deploying a driver. In that "
                "case, provisioning new volumes with late binding will pause until the driver deployment has published "
                "some suitable CSIStorageCapacity object.\n\nAlternatively, the driver can be deployed with the field "
                "unset or false and it can be flipped later when storage capacity information has been "
                "published.\n\nThis field was immutable in Kubernetes <= 1.22 and now is mutable."),
        PRINT_FIELD("TokenRequests", "string", 0, PRINT_LIST, "spec.tokenRequests.audience", "<unset>",
                    "tokenRequests indicates the CSI driver needs pods' service account tokens it is mounting volume "
                    "for to do necessary authentication. Kubelet will pass the tokens in VolumeContext in the CSI "
                    "NodePublishVolume calls. The CSI driver should parse and validate the following VolumeContext: "
                    "\"csi.storage.k8s.io/serviceAccount.tokens\": {\n  \"<audience>\": {\n    \"token\": <token>,\n   "
                    " \"expirationTimestamp\": <expiration timestamp in RFC3339>,\n  },\n  ...\n}\n\nNote: Audience in "
                    "each TokenRequest should be different and at most one token is empty string. To receive a new "
                    "token after expiry, RequiresRepublish can be used to trigger NodePublishVolume periodically."),
        PRINT_FIELD("RequiresRepublish", "boolean", 0, PRINT_BOOL, "spec.requiresRepublish", NULL,
                    "requiresRepublish indicates the CSI driver wants `NodePublishVolume` being periodically called to "
                    "reflect any possible change in the mounted volume. This field defaults to false.\n\nNote: After a "
                    "successful initial NodePublishVolume call, subsequent calls to NodePublishVolume should only "
                    "update the contents of the volume. New mount points will not be seen by a running container."),
        PRINT_FIELD("Modes", "string", 0, PRINT_LIST, "spec.volumeLifecycleModes", "<none>",
                    "volumeLifecycleModes defines what kind of volumes this CSI volume driver supports. The default if "
                    "the list is empty is \"Persistent\", which is the usage defined by the CSI specification and "
                    "implemented in Kubernetes via the usual PV/PVC mechanism.\n\nThe other mode is \"Ephemeral\". In "
                    "this mode, volumes are defined inline inside the pod spec with CSIVolumeSource and their "
                    "lifecycle is tied to the lifecycle of that pod. A driver has to be aware of this because it is "
                    "only going to get a NodePublishVolume call for such a volume.\n\nFor more information about "
                    "implementing this mode, see https://kubernetes-csi.github.io/docs/ephemeral-local-volumes.html A "
                    "driver can support one or more of these modes and more modes may be added in the future.\n\nThis "
                    "field is beta. This field is immutable."),
        PRINT_AGE_COLUMN,
};

const struct print_kind print_storage_kinds[] = {
        PRINT_KIND("", "PersistentVolume", persistent_volume_columns),
        PRINT_KIND("", "PersistentVolumeClaim", persistent_volume_claim_columns),
        PRINT_KIND("storage.k8s.io", "StorageClass", storage_class_columns),
        PRINT_KIND("storage.k8s.io", "VolumeAttributesClass", volume_attributes_class_columns),
        PRINT_KIND("storage.k8s.io", "VolumeAttachment", volume_attachment_columns),
        PRINT_KIND("storage.k8s.io", "CSINode", csi_node_columns),
        PRINT_KIND("storage.k8s.io", "CSIDriver", csi_driver_columns),
        { .kind = NULL },
};
