/* The volume of a pod's spec, field by field: core/v1 Volume. See kube/pod.h for who owns it. */
#pragma once

#include "kube/container.h"

/* DefaultMode of files in configMap, secret, downwardAPI and projected volumes. */
#define POD_VOLUME_MODE_DEFAULT 0644

enum pod_host_path_type {
        HOST_PATH_UNSET, /* "": no check is made */
        HOST_PATH_DIRECTORY_OR_CREATE,
        HOST_PATH_DIRECTORY,
        HOST_PATH_FILE_OR_CREATE,
        HOST_PATH_FILE,
        HOST_PATH_SOCKET,
        HOST_PATH_CHAR_DEVICE,
        HOST_PATH_BLOCK_DEVICE,
};

struct pod_host_path {
        const char *path;
        enum pod_host_path_type type;
};

struct pod_downward {
        LIST_OF(struct kube_downward_api_volume_file) items;
        struct opt_int default_mode; /* not in a projected source */
};

struct pod_image_volume {
        const char *reference;
        enum pod_pull_policy pull_policy;
};

struct pod_keys { /* a ConfigMap's or Secret's keys as files */
        const char *name;
        LIST_OF(struct kube_key_to_path) items;
        struct opt_int default_mode;
        enum tri optional;
};

struct pod_projection { /* exactly one is given */
        struct pod_downward *downward_api;
        struct pod_keys *config_map, *secret;
        struct named_value other; /* serviceAccountToken, clusterTrustBundle, podCertificate */
};

struct pod_projected {
        LIST_OF(struct pod_projection) sources;
        struct opt_int default_mode;
};

struct pod_volume { /* exactly one source is given; emptyDir when the manifest names none */
        const char *name;
        struct kube_empty_dir_volume_source *empty_dir;
        struct pod_host_path *host_path;
        struct pod_downward *downward_api;
        struct pod_projected *projected;
        struct pod_image_volume *image;
        struct pod_keys *config_map, *secret;
        struct kube_persistent_volume_claim_volume_source *persistent_volume_claim;
        struct named_value other; /* nfs, csi, iscsi and so on: known by name */
};
