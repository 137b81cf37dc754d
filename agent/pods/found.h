/* What cri knows of pods of the watched directory from before the agent's start, by pod uid. */
#pragma once

#include <stddef.h>

#include "agent/directory/desired.h"
#include "agent/pod/worker.h"

struct cgroups;
struct cri;
struct options;

#define FOUND_MAX 4096

struct found_pod {
        char *uid, *name, *namespace_;
        char *file;               /* of the manifest, from the pod's hint; NULL: not known */
        struct pod *pod;          /* from its hint, or made of what its containers tell; NULL: neither was possible */
        bool kept_whole;          /* it is from its hint: all is as it was allocated */
        struct pod_sources *kept; /* what the API service had for it; NULL: nothing was kept */
        struct worker_found found;
        struct worker_found_container *containers;
        size_t n_containers;
        char *older_sandboxes[8]; /* left by a renewal that was interrupted: to be removed */
        size_t n_older;
        bool taken;
};

struct found_pods {
        struct found_pod *items;
        size_t n;
};

/* Reads cri's state and ROOT/pods. Blocks (start only). What is broken is a warning. -ENOMEM: what is left out would be
 * run a second time, so there is nothing to go on with; @ret_pods is to be cleared all the same. */
int found_pods_read(struct cri *cri, const struct options *options, struct found_pods *ret_pods);
void found_pods_clear(struct found_pods *pods);
struct found_pod *found_pods_get(struct found_pods *pods, const char *uid);

/* The pod that this file of the directory held; NULL: none that is known and not taken. */
struct found_pod *found_pods_of_file(struct found_pods *pods, const char *file);

/* What the pods of before say for giving @pod to @file rather than to another file that wants it, too. */
enum desired_claim found_pods_claim(const struct found_pods *pods, const char *file, const struct pod *pod);

/* Removes the cgroups of pods that are none of these nor any sandbox's parent: an agent that was killed between making
 * a pod's cgroup and its hint left them. Blocks (start only). */
void found_pods_sweep_cgroups(struct cri *cri, const struct cgroups *cgroups, const char *root,
                              struct found_pods *pods);

/* Fills found->found for worker_take_up(). */
const struct worker_found *found_pod_worker(struct found_pod *pod);
