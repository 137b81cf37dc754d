/* Sources that pods and persistent volumes have alike. For kube/validate's volume files alone. */
#pragma once

#include "kube/core_v1.h"
#include "kube/validate/common.h"

struct validate_iscsi {
        const char *portal, *iqn, *initiator, *secret_name;
        const char *pv_name; /* of a persistent volume; NULL: a pod's */
        int32_t lun;
        bool chap, has_secret;
};

void validate_iscsi(struct validation *v, const struct place *at, const struct validate_iscsi *s);
void validate_host_path(struct validation *v, const struct place *at, const struct kube_host_path_volume_source *s);
void validate_fc(struct validation *v, const struct place *at, const struct kube_fc_volume_source *s);
void validate_nfs(struct validation *v, const struct place *at, const struct kube_nfs_volume_source *s);
void validate_flocker(struct validation *v, const struct place *at, const struct kube_flocker_volume_source *s);
void validate_quobyte(struct validation *v, const struct place *at, const struct kube_quobyte_volume_source *s);
void validate_azure_disk(struct validation *v, const struct place *at, const struct kube_azure_disk_volume_source *s);
void validate_options(struct validation *v, const struct place *at, const string_map *options);
void validate_storageos(struct validation *v, const struct place *at, const char *volume, const char *namespace);

/* A disk that is called by @field, and its partition. */
void validate_partitioned(struct validation *v, const struct place *at, const char *field, const char *id,
                          int32_t partition);
