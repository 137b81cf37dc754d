/* Volumes that nothing here mounts: core/v1's sources, with their defaults (pkg/apis/core/v1, storage types). */
#include <string.h>

#include "kube/shape.h"
#include "lib/cleanup.h"

static const struct shape_field local_object_reference_fields[] = {
        { "name", SHAPE_STRING, 0, NULL, NULL, NULL },
};
static const struct shape local_object_reference = SHAPE(local_object_reference_fields);

static const struct shape_field aws_elastic_block_store_fields[] = {
        { "fsType", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "partition", SHAPE_INT32, 0, NULL, NULL, NULL },
        { "readOnly", SHAPE_BOOL, 0, NULL, NULL, NULL },
        { "volumeID", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
};
static const struct shape aws_elastic_block_store = SHAPE(aws_elastic_block_store_fields);

static const struct shape_field azure_disk_fields[] = {
        { "cachingMode", SHAPE_STRING, SHAPE_KEPT, NULL, "ReadWrite", NULL },
        { "diskName", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "diskURI", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "fsType", SHAPE_STRING, SHAPE_KEPT, NULL, "ext4", NULL },
        { "kind", SHAPE_STRING, SHAPE_KEPT, NULL, "Shared", NULL },
        { "readOnly", SHAPE_BOOL, SHAPE_KEPT, NULL, "false", NULL },
};
static const struct shape azure_disk = SHAPE(azure_disk_fields);

static const struct shape_field ceph_fs_fields[] = {
        { "monitors", SHAPE_STRINGS, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "path", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "readOnly", SHAPE_BOOL, 0, NULL, NULL, NULL },
        { "secretFile", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "secretRef", SHAPE_OBJECT, 0, &local_object_reference, NULL, NULL },
        { "user", SHAPE_STRING, 0, NULL, NULL, NULL },
};
static const struct shape ceph_fs = SHAPE(ceph_fs_fields);

static const struct shape_field cinder_fields[] = {
        { "fsType", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "readOnly", SHAPE_BOOL, 0, NULL, NULL, NULL },
        { "secretRef", SHAPE_OBJECT, 0, &local_object_reference, NULL, NULL },
        { "volumeID", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
};
static const struct shape cinder = SHAPE(cinder_fields);

static const struct shape_field fc_fields[] = {
        { "fsType", SHAPE_STRING, 0, NULL, NULL, NULL }, { "lun", SHAPE_INT32, SHAPE_KEPT, NULL, NULL, NULL },
        { "readOnly", SHAPE_BOOL, 0, NULL, NULL, NULL }, { "targetWWNs", SHAPE_STRINGS, 0, NULL, NULL, NULL },
        { "wwids", SHAPE_STRINGS, 0, NULL, NULL, NULL },
};
static const struct shape fc = SHAPE(fc_fields);

static const struct shape_field flex_fields[] = {
        { "driver", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "fsType", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "options", SHAPE_STRING_MAP, 0, NULL, NULL, NULL },
        { "readOnly", SHAPE_BOOL, 0, NULL, NULL, NULL },
        { "secretRef", SHAPE_OBJECT, 0, &local_object_reference, NULL, NULL },
};
static const struct shape flex = SHAPE(flex_fields);

static const struct shape_field flocker_fields[] = {
        { "datasetName", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "datasetUUID", SHAPE_STRING, 0, NULL, NULL, NULL },
};
static const struct shape flocker = SHAPE(flocker_fields);

static const struct shape_field gce_persistent_disk_fields[] = {
        { "fsType", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "partition", SHAPE_INT32, 0, NULL, NULL, NULL },
        { "pdName", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "readOnly", SHAPE_BOOL, 0, NULL, NULL, NULL },
};
static const struct shape gce_persistent_disk = SHAPE(gce_persistent_disk_fields);

static const struct shape_field git_repo_fields[] = {
        { "directory", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "repository", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "revision", SHAPE_STRING, 0, NULL, NULL, NULL },
};
static const struct shape git_repo = SHAPE(git_repo_fields);

static const struct shape_field iscsi_fields[] = {
        { "chapAuthDiscovery", SHAPE_BOOL, 0, NULL, NULL, NULL },
        { "chapAuthSession", SHAPE_BOOL, 0, NULL, NULL, NULL },
        { "fsType", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "initiatorName", SHAPE_STRING, SHAPE_KEPT, NULL, NULL, NULL },
        { "iqn", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "iscsiInterface", SHAPE_STRING, 0, NULL, "default", NULL },
        { "lun", SHAPE_INT32, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "portals", SHAPE_STRINGS, 0, NULL, NULL, NULL },
        { "readOnly", SHAPE_BOOL, 0, NULL, NULL, NULL },
        { "secretRef", SHAPE_OBJECT, 0, &local_object_reference, NULL, NULL },
        { "targetPortal", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
};
static const struct shape iscsi = SHAPE(iscsi_fields);

static const struct shape_field nfs_fields[] = {
        { "path", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "readOnly", SHAPE_BOOL, 0, NULL, NULL, NULL },
        { "server", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
};
static const struct shape nfs = SHAPE(nfs_fields);

static const struct shape_field photon_persistent_disk_fields[] = {
        { "fsType", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "pdID", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
};
static const struct shape photon_persistent_disk = SHAPE(photon_persistent_disk_fields);

static const struct shape_field portworx_fields[] = {
        { "fsType", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "readOnly", SHAPE_BOOL, 0, NULL, NULL, NULL },
        { "volumeID", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
};
static const struct shape portworx = SHAPE(portworx_fields);

static const struct shape_field quobyte_fields[] = {
        { "group", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "readOnly", SHAPE_BOOL, 0, NULL, NULL, NULL },
        { "registry", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "tenant", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "user", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "volume", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
};
static const struct shape quobyte = SHAPE(quobyte_fields);

static const struct shape_field rbd_fields[] = {
        { "fsType", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "image", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "keyring", SHAPE_STRING, 0, NULL, "/etc/ceph/keyring", NULL },
        { "monitors", SHAPE_STRINGS, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "pool", SHAPE_STRING, 0, NULL, "rbd", NULL },
        { "readOnly", SHAPE_BOOL, 0, NULL, NULL, NULL },
        { "secretRef", SHAPE_OBJECT, 0, &local_object_reference, NULL, NULL },
        { "user", SHAPE_STRING, 0, NULL, "admin", NULL },
};
static const struct shape rbd = SHAPE(rbd_fields);

static const struct shape_field scale_io_fields[] = {
        { "fsType", SHAPE_STRING, 0, NULL, "xfs", NULL },
        { "gateway", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "protectionDomain", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "readOnly", SHAPE_BOOL, 0, NULL, NULL, NULL },
        { "secretRef", SHAPE_OBJECT, 0, &local_object_reference, NULL, NULL },
        { "sslEnabled", SHAPE_BOOL, 0, NULL, NULL, NULL },
        { "storageMode", SHAPE_STRING, 0, NULL, "ThinProvisioned", NULL },
        { "storagePool", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "system", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
        { "volumeName", SHAPE_STRING, 0, NULL, NULL, NULL },
};
static const struct shape scale_io = SHAPE(scale_io_fields);

static const struct shape_field storage_os_fields[] = {
        { "fsType", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "readOnly", SHAPE_BOOL, 0, NULL, NULL, NULL },
        { "secretRef", SHAPE_OBJECT, 0, &local_object_reference, NULL, NULL },
        { "volumeName", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "volumeNamespace", SHAPE_STRING, 0, NULL, NULL, NULL },
};
static const struct shape storage_os = SHAPE(storage_os_fields);

static const struct shape_field vsphere_virtual_disk_fields[] = {
        { "fsType", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "storagePolicyID", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "storagePolicyName", SHAPE_STRING, 0, NULL, NULL, NULL },
        { "volumePath", SHAPE_STRING, SHAPE_ALWAYS, NULL, NULL, NULL },
};
static const struct shape vsphere_virtual_disk = SHAPE(vsphere_virtual_disk_fields);

static const struct {
        const char *name;
        const struct shape *shape;
} shapes[] = {
        { "awsElasticBlockStore", &aws_elastic_block_store },
        { "azureDisk", &azure_disk },
        { "cephfs", &ceph_fs },
        { "cinder", &cinder },
        { "fc", &fc },
        { "flexVolume", &flex },
        { "flocker", &flocker },
        { "gcePersistentDisk", &gce_persistent_disk },
        { "gitRepo", &git_repo },
        { "iscsi", &iscsi },
        { "nfs", &nfs },
        { "photonPersistentDisk", &photon_persistent_disk },
        { "portworxVolume", &portworx },
        { "quobyte", &quobyte },
        { "rbd", &rbd },
        { "scaleIO", &scale_io },
        { "storageos", &storage_os },
        { "vsphereVolume", &vsphere_virtual_disk },
};

const struct shape *shape_of_volume(const char *name) {
        for (size_t i = 0; i < ELEMENTS(shapes); i++)
                if (strcmp(shapes[i].name, name) == 0)
                        return shapes[i].shape;
        return NULL;
}
