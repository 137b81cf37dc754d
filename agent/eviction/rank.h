/* Which pod goes first, and what it is told. Pure: from what pods ask for and what they use.
 *
 * Order: those that use more than they asked for, then the lower priority, then who uses most beyond its request
 * (kubelet's rankMemoryPressure(), rankDiskPressureFunc(), rankPIDPressure(), in pkg/kubelet/eviction/helpers.go).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/eviction/decide.h"
#include "kube/pod/pod.h"

struct eviction_disk {
        int64_t bytes, inodes;
};

struct eviction_container {
        const char *name;
        int64_t memory; /* its working set */
        struct eviction_disk layer, logs;
};

struct eviction_volume {
        const char *name;
        struct eviction_disk used;
};

/* A pod and what it uses. */
struct eviction_pod {
        const struct pod *pod;
        bool known; /* false: it could not be measured, and goes before all others */
        int64_t memory, tasks;
        struct eviction_container *containers; /* those that run */
        size_t n_containers;
        struct eviction_volume *volumes; /* emptyDirs on disk */
        size_t n_volumes;
        struct eviction_disk other; /* /etc/hosts */
};

/* Where images and containers are: which of a pod's files count for nodefs and for imagefs. */
enum eviction_layout {
        LAYOUT_SINGLE,       /* all on one file system */
        LAYOUT_IMAGES_APART, /* images on imagefs; layers, logs and volumes on nodefs */
};

/* Pods that are never evicted: those of the system's priority classes. */
bool eviction_is_critical(const struct pod *pod);

/* Sorts @pods, who goes first in front. */
void eviction_rank(struct eviction_pod *pods, size_t n, enum eviction_signal signal, enum eviction_layout layout);

#define EVICTION_MESSAGE_MAX 1024

/* The message of the pod's status and event. @quantity and @available: eviction_met()'s. */
void eviction_message(const struct eviction_pod *pod, enum eviction_signal signal, struct quantity quantity,
                      struct quantity available, char ret_text[EVICTION_MESSAGE_MAX]);

/* Whether the pod has limits that its disk usage is held against: emptyDirs' sizeLimit, containers' and the pod's
 * ephemeral-storage. */
bool eviction_has_limits(const struct pod *pod);

enum eviction_limit { LIMIT_NONE, LIMIT_EMPTY_DIR, LIMIT_POD, LIMIT_CONTAINER, _EVICTION_LIMITS };

/* Which limit of its own it uses more than; then *ret_text says so. */
enum eviction_limit eviction_over_limit(const struct eviction_pod *pod, char ret_text[EVICTION_MESSAGE_MAX]);

/* Whether a node with @conditions (bits, not 0) takes the pod; else *ret_text says why not. */
bool eviction_admits(const struct pod *pod, uint32_t conditions, char ret_text[EVICTION_MESSAGE_MAX]);
