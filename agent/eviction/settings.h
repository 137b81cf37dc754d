/* What a node keeps for itself, and what it does when it runs short: kubelet's eviction, reservation and image garbage
 * collection settings as checked values. Names, forms and defaults are KubeletConfiguration's.
 *
 * https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kube/quantity.h"

struct err;

enum eviction_signal {
        EVICTION_MEMORY,         /* memory.available */
        EVICTION_NODEFS,         /* nodefs.available */
        EVICTION_NODEFS_INODES,  /* nodefs.inodesFree */
        EVICTION_IMAGEFS,        /* imagefs.available */
        EVICTION_IMAGEFS_INODES, /* imagefs.inodesFree */
        EVICTION_PIDS,           /* pid.available */
        _EVICTION_SIGNALS,
};

/* "memory.available". */
const char *eviction_signal_name(enum eviction_signal signal);

/* Settings that are maps, from a signal or a resource to a text. */
enum eviction_map {
        EVICTION_HARD,
        EVICTION_SOFT,
        EVICTION_SOFT_GRACE,
        EVICTION_MINIMUM_RECLAIM,
        EVICTION_SYSTEM_RESERVED,
        EVICTION_KUBE_RESERVED,
        _EVICTION_MAPS,
};

/* A quantity, or a share of what there is. */
struct eviction_amount {
        enum { AMOUNT_NONE, AMOUNT_QUANTITY, AMOUNT_SHARE } kind;
        struct quantity quantity;
        float share; /* 0 to 1 */
};

enum reserved_resource { RESERVED_CPU, RESERVED_MEMORY, RESERVED_STORAGE, RESERVED_PIDS, _RESERVED_RESOURCES };

struct eviction_settings {
        struct eviction_amount hard[_EVICTION_SIGNALS], soft[_EVICTION_SIGNALS], reclaim[_EVICTION_SIGNALS];
        int64_t soft_grace_ms[_EVICTION_SIGNALS]; /* -1: not given */
        uint32_t hard_given; /* a bit for each signal that evictionHard names, if only to turn it off */
        bool has_hard;       /* evictionHard was given at all */
        bool merge_defaults; /* mergeDefaultEvictionSettings */
        int64_t transition_ms;
        int max_pod_grace;                                /* seconds; negative: the pod's own */
        struct quantity reserved[2][_RESERVED_RESOURCES]; /* the system's and kubelet's */
        bool pids_reserved;                               /* one of them says how many */
        int image_high_percent, image_low_percent;
        int64_t image_min_age_ms, image_max_age_ms; /* max 0: no age is too high */
        bool local_storage; /* localStorageCapacityIsolation: pods are held to their limits of ephemeral-storage */
        bool enforce;       /* enforceNodeAllocatable: the cgroup of all pods is kept from what is reserved */
};

/* kubelet's defaults, but for evictionHard's: eviction_settings_finish() has those. */
void eviction_settings_init(struct eviction_settings *settings);

/* Empties @map: what follows replaces what was there. */
void eviction_settings_clear(struct eviction_settings *settings, enum eviction_map map);

/* One row of @map. -EINVAL names the key and what is wrong with it or with @value. */
int eviction_settings_put(struct eviction_settings *settings, enum eviction_map map, const char *key, const char *value,
                          struct err **err);

/* All of @map as a flag has it: "memory.available<100Mi,nodefs.available<10%", "memory.available=1m30s". */
int eviction_settings_put_list(struct eviction_settings *settings, enum eviction_map map, const char *list,
                               struct err **err);

/* Fills in evictionHard's defaults and checks what must go together. */
int eviction_settings_finish(struct eviction_settings *settings, struct err **err);

/* @n CPUs are reserved, whatever was said of them before. */
void eviction_reserve_cpus(struct eviction_settings *settings, int64_t n);

/* What is reserved of a resource: CPU in thousandths, the rest in bytes and counts. */
int64_t eviction_reserved(const struct eviction_settings *settings, enum reserved_resource resource);
