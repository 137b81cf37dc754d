#include "kube/pod_fields.h"

#include "kube/pod.h"

static const char *const host_path_types[] = {
        "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice", NULL,
};

static const struct field host_path_type_fields[] = {
        ROW("path", STRING, FIELD_ALWAYS, pod_host_path, path),
        ROW_ENUM("type", FIELD_DEFAULTED, pod_host_path, type, host_path_types),
};
static const struct object_type host_path_type = OBJECT_TYPE(pod_host_path, host_path_type_fields);

static const struct field downward_type_fields[] = {
        ROW("defaultMode", OPT_INT32, 0, pod_downward, default_mode),
        ROW_KUBE("items", KUBE_LIST, 0, pod_downward, items, kube_downward_api_volume_file_type),
};
static const struct object_type downward_type = OBJECT_TYPE(pod_downward, downward_type_fields);

static const struct field downward_projection_type_fields[] = {
        ROW_KUBE("items", KUBE_LIST, 0, pod_downward, items, kube_downward_api_volume_file_type),
};
static const struct object_type downward_projection_type = OBJECT_TYPE(pod_downward, downward_projection_type_fields);

static const struct field image_volume_type_fields[] = {
        ROW_ENUM("pullPolicy", 0, pod_image_volume, pull_policy, pull_policies),
        ROW("reference", STRING, 0, pod_image_volume, reference),
};
static const struct object_type image_volume_type = OBJECT_TYPE(pod_image_volume, image_volume_type_fields);

static const struct field config_map_type_fields[] = {
        ROW("defaultMode", OPT_INT32, 0, pod_keys, default_mode),
        ROW_KUBE("items", KUBE_LIST, 0, pod_keys, items, kube_key_to_path_type),
        ROW("name", STRING, 0, pod_keys, name),
        ROW("optional", TRI, 0, pod_keys, optional),
};
static const struct object_type config_map_type = OBJECT_TYPE(pod_keys, config_map_type_fields);

static const struct field secret_type_fields[] = {
        ROW("defaultMode", OPT_INT32, 0, pod_keys, default_mode),
        ROW_KUBE("items", KUBE_LIST, 0, pod_keys, items, kube_key_to_path_type),
        ROW("optional", TRI, 0, pod_keys, optional),
        ROW("secretName", STRING, 0, pod_keys, name),
};
static const struct object_type secret_type = OBJECT_TYPE(pod_keys, secret_type_fields);

static const struct field keys_projection_type_fields[] = {
        ROW_KUBE("items", KUBE_LIST, 0, pod_keys, items, kube_key_to_path_type),
        ROW("name", STRING, 0, pod_keys, name),
        ROW("optional", TRI, 0, pod_keys, optional),
};
static const struct object_type keys_projection_type = OBJECT_TYPE(pod_keys, keys_projection_type_fields);

static const struct field projection_type_fields[] = {
        ROW_KUBE("clusterTrustBundle", NAMED_VALUE, 0, pod_projection, other, kube_volume_projection_type),
        ROW_OF("configMap", OBJECT, 0, pod_projection, config_map, keys_projection_type),
        ROW_OF("downwardAPI", OBJECT, 0, pod_projection, downward_api, downward_projection_type),
        ROW_KUBE("podCertificate", NAMED_VALUE, 0, pod_projection, other, kube_volume_projection_type),
        ROW_OF("secret", OBJECT, 0, pod_projection, secret, keys_projection_type),
        ROW_KUBE("serviceAccountToken", NAMED_VALUE, 0, pod_projection, other, kube_volume_projection_type),
};
static const struct object_type projection_type = OBJECT_TYPE(pod_projection, projection_type_fields);

static const struct field projected_type_fields[] = {
        ROW("defaultMode", OPT_INT32, 0, pod_projected, default_mode),
        ROW_OF("sources", LIST, FIELD_DEFAULTED, pod_projected, sources, projection_type),
};
static const struct object_type projected_type = OBJECT_TYPE(pod_projected, projected_type_fields);

static const struct field volume_type_fields[] = {
        ROW_KUBE("awsElasticBlockStore", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_KUBE("azureDisk", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_KUBE("azureFile", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_KUBE("cephfs", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_KUBE("cinder", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_OF("configMap", OBJECT, 0, pod_volume, config_map, config_map_type),
        ROW_KUBE("csi", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_OF("downwardAPI", OBJECT, 0, pod_volume, downward_api, downward_type),
        ROW_KUBE("emptyDir", KUBE, 0, pod_volume, empty_dir, kube_empty_dir_volume_source_type),
        ROW_KUBE("ephemeral", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_KUBE("fc", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_KUBE("flexVolume", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_KUBE("flocker", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_KUBE("gcePersistentDisk", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_KUBE("gitRepo", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_KUBE("glusterfs", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_OF("hostPath", OBJECT, 0, pod_volume, host_path, host_path_type),
        ROW_OF("image", OBJECT, 0, pod_volume, image, image_volume_type),
        ROW_KUBE("iscsi", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW("name", STRING, FIELD_ALWAYS, pod_volume, name),
        ROW_KUBE("nfs", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_KUBE("persistentVolumeClaim", KUBE, 0, pod_volume, persistent_volume_claim,
                 kube_persistent_volume_claim_volume_source_type),
        ROW_KUBE("photonPersistentDisk", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_KUBE("portworxVolume", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_OF("projected", OBJECT, 0, pod_volume, projected, projected_type),
        ROW_KUBE("quobyte", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_KUBE("rbd", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_KUBE("scaleIO", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_OF("secret", OBJECT, 0, pod_volume, secret, secret_type),
        ROW_KUBE("storageos", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
        ROW_KUBE("vsphereVolume", NAMED_VALUE, 0, pod_volume, other, kube_volume_type),
};
const struct object_type volume_type = OBJECT_TYPE(pod_volume, volume_type_fields);
