/* Where a pod's things are on the node's disk, and what its files are made from. As kubelet lays it out:
 *
 *   ROOT/pods/UID/pod.json                                 the pod, for an agent that finds it without a manifest
 *   ROOT/pods/UID/state                                    agent/pod/hint.h's
 *   ROOT/pods/UID/etc-hosts
 *   ROOT/pods/UID/volumes/kubernetes.io~empty-dir/NAME
 *   ROOT/pods/UID/volume-subpaths/VOLUME/CONTAINER/INDEX
 *   ROOT/pods/UID/containers/CONTAINER/ATTEMPT             its termination message
 *
 * struct pod_files is what jobs on the pool have of a pod: a copy in their arena, while the pod's own may change.
 */
#pragma once

#include "kube/pod/env.h"
#include "kube/pod/pod.h"
#include "lib/err.h"

struct arena;
struct cgroups;
struct node_world;
struct options;

/* A pod's addresses. The texts are owned; pod_addresses_clear() frees them. */
struct pod_addresses {
        char **list; /* NULL-ended; NULL: none */
        size_t n;
        char *joined; /* all, divided by commas; NULL: none */
};

/* -ENOMEM leaves them as they were. */
int pod_addresses_add(struct pod_addresses *addresses, const char *ip);
void pod_addresses_clear(struct pod_addresses *addresses);

struct pod_files {
        const struct pod *pod;
        const struct options *options;
        const struct cgroups *cgroups;
        struct pod_facts facts;
        const char *dir, *logs, *cgroup;
        const char *const *ips; /* NULL-ended */
        int64_t node_memory;
        bool exclusive_cpus; /* some container has CPUs for itself: no quota holds the pod back */
};

/* In @arena, with what the API service has for the pod now; NULL without memory. @pod must outlive it. */
struct pod_files *pod_files_new(struct arena *arena, const struct node_world *world, const struct pod *pod,
                                const struct pod_addresses *addresses);

/* The variables of Services into @files, in @arena. -EAGAIN: they are not known yet; -ENOMEM. */
int pod_files_take_services(struct arena *arena, const struct node_world *world, struct pod_files *files,
                            struct err **err);

/* Paths, in @arena; NULL without memory. */
const char *pod_files_path(struct arena *arena, const struct options *options, const struct pod *pod, const char *name);
const char *pod_files_logs(struct arena *arena, const struct options *options, const struct pod *pod);
const char *pod_files_volume(struct arena *arena, const struct options *options, const struct pod *pod,
                             const struct kube_volume *volume);
const char *pod_files_cgroup(struct arena *arena, const struct options *options, const struct pod *pod);

/* Of a container's attempt: its termination message; its log. */
const char *pod_files_message(struct arena *arena, const struct options *options, const struct pod *pod,
                              const char *container, uint32_t attempt);
const char *pod_files_log(struct arena *arena, const struct options *options, const struct pod *pod,
                          const char *container, uint32_t attempt);

/* Where the subPath of @container's mount at @index is bound. */
const char *pod_files_subpath(struct arena *arena, const struct options *options, const struct pod *pod,
                              const char *container, const struct kube_volume_mount *mount, size_t index);
