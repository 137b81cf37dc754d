/* What may make it worth to try a pod again that has failed. For api/scheduler alone. */
#pragma once

#include <stdint.h>

enum sched_event {
        SCHED_NODE_ADDED = 1 << 0,
        SCHED_NODE_ALLOCATABLE = 1 << 1,
        SCHED_NODE_LABELS = 1 << 2,
        SCHED_NODE_TAINTS = 1 << 3, /* also that it takes pods again */
        SCHED_POD_PLACED = 1 << 4,
        SCHED_POD_LABELS = 1 << 5, /* of one on a node */
        SCHED_POD_LESS = 1 << 6,   /* it needs less now */
        SCHED_POD_GONE = 1 << 7,   /* from its node */
        SCHED_CLAIM = 1 << 8,      /* a PersistentVolumeClaim */
        SCHED_SPACE_LABELS = 1 << 9,
};
#define SCHED_EVENTS 10

#define SCHED_PLUGINS_MAX 32 /* bits of sched_pod.failed */

struct sched_node;
struct sched_pod;

struct sched_change {
        uint32_t event;
        const struct sched_node *node; /* that it happened to, or on; NULL: none */
        const struct sched_pod *pod;   /* as it was or is; NULL: none */
};
