/* What a pod has on the node's disk: ROOT/pods/UID with its volumes and containers' files, its directory of logs,
 * its cgroup. As kubelet lays it out:
 *
 *   ROOT/pods/UID/pod.json                                 the pod, for an agent that finds it without a manifest
 *   ROOT/pods/UID/state                                    hint.c's
 *   ROOT/pods/UID/etc-hosts
 *   ROOT/pods/UID/volumes/kubernetes.io~empty-dir/NAME
 *   ROOT/pods/UID/volume-subpaths/VOLUME/CONTAINER/INDEX
 *   ROOT/pods/UID/containers/CONTAINER/ATTEMPT             its termination message
 *
 * The functions with an err block and run on the pool; they use the copy that pod_files_new() made, never the worker.
 */
#pragma once

#include "kube/env.h"
#include "kube/pod.h"
#include "lib/err.h"

struct arena;
struct cgroups;
struct dns_choice;
struct member;
struct options;
struct worker;

/* A subPath to mount for a container. */
struct subpath_mount_job {
        const char *volume, *path, *target;
};

struct pod_files {
        const struct pod *pod;
        const struct options *options;
        const struct cgroups *cgroups;
        struct pod_facts facts;
        const char *dir, *logs, *cgroup;
        const char *const *ips; /* NULL-ended */
        int64_t node_memory, burstable_milli;
        struct dns_choice *dns; /* prepare: allocated, to be taken */

        /* for one container */
        const char *container, *message_file;
        struct subpath_mount_job *subpaths;
        size_t n_subpaths;
};

/* The pod's part, in @arena; NULL without memory. */
struct pod_files *pod_files_new(struct arena *arena, const struct worker *w);

int pod_files_write_pod(const struct pod_files *files, struct err **err);                /* pod.json */
int pod_files_keep(const char *path, const char *text, size_t length, struct err **err); /* replaced and synced */
int pod_files_prepare(struct pod_files *files, struct err **err);
int pod_files_prepare_container(struct pod_files *files, struct err **err);
int pod_files_release(struct pod_files *files, struct err **err); /* volumes and cgroup */
int pod_files_drop_logs(struct pod_files *files, struct err **err);
int pod_files_sweep(struct pod_files *files, struct err **err); /* the rest */

/* Makes the cgroup of all pods and keeps them from what is reserved for the node. */
int pod_files_make_root(const struct cgroups *cgroups, const struct options *options, int64_t node_memory,
                        struct err **err);

/* Paths, in @arena; NULL without memory. */
const char *pod_files_volume(struct arena *arena, const struct worker *w, const struct pod_volume *volume);
const char *pod_files_message(struct arena *arena, const struct member *m, uint32_t attempt);
const char *pod_files_path(struct arena *arena, const struct worker *w, const char *name);
const char *pod_files_logs(struct arena *arena, const struct worker *w);
const char *pod_files_cgroup(struct arena *arena, const struct worker *w); /* CRI's cgroup_parent */
const char *pod_files_subpath(struct arena *arena, const struct member *m, const char *volume, size_t index);
