/* The steps of a pod's things on the node: directories, cgroup and volumes are made, and go. Where they lie:
 * agent/volumes/files.h. All functions block. */
#pragma once

#include "agent/volumes/files.h"

/* @burstable_milli: the CPU requests of all burstable pods, for their cgroup's shares. */
int pod_files_prepare(const struct pod_files *files, int64_t burstable_milli, struct err **err);

/* What the pod's cgroup has, as the kernel takes it; 0: no limit. */
struct pod_files_size {
        int64_t cpu_shares, cpu_quota, memory_max;
};
struct pod_files_size pod_files_size(const struct pod *pod);

/* Sets these (0: as it is) of a cgroup in use, and the shares of all burstable pods. */
int pod_files_resize(const struct pod_files *files, const struct pod_files_size *size, int64_t burstable_milli,
                     struct err **err);

int pod_files_release(const struct pod_files *files, struct err **err); /* volumes and cgroup */
int pod_files_drop_logs(const struct pod_files *files, struct err **err);
int pod_files_sweep(const struct pod_files *files, struct err **err); /* the rest */

int pod_files_write_pod(const struct pod_files *files, struct err **err);                /* pod.json */
int pod_files_keep(const char *path, const char *text, size_t length, struct err **err); /* replaced and synced */

/* What all pods together have. */
struct pod_files_root {
        int64_t cpu_milli; /* their weight beside the rest of the node, as kubelet's: what pods may ask for */
        int64_t pids_max, memory_max; /* tasks; bytes; 0: no limit */
};

/* Makes the cgroup of all pods. */
int pod_files_make_root(const struct cgroups *cgroups, const struct options *options, const struct pod_files_root *root,
                        struct err **err);
