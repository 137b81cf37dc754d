/* Measuring of sandboxes and containers: chosen on the loop, read on the pool, told on the loop. */
#pragma once

#include "cgroups/stats.h"
#include "cri/call/call.h"
#include "lib/disk_usage.h"

/* A writable layer is measured at most this often: it means looking at every file. */
#define MEASURE_LAYER_SECONDS 10

struct net_device {
        char name[32];
        uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped;
};

#define MEASURE_DEVICES_MAX 16

struct container_measure {
        struct cri_container *container; /* a reference */
        char *layer;                     /* directory */
        bool measure_layer;
        bool known; /* @stats was read */
        struct cgroup_stats stats;
        struct disk_usage layer_usage;
        bool layer_known;
        uint64_t processes; /* with measure.count_processes */
};

struct sandbox_measure {
        struct cri_sandbox *sandbox; /* a reference */
        bool known;
        struct cgroup_stats stats;
        struct net_device devices[MEASURE_DEVICES_MAX];
        size_t n_devices;
        size_t first, n; /* its containers in measure.containers */
};

struct measure {
        struct container_measure *containers;
        size_t n_containers;
        struct sandbox_measure *sandboxes;
        size_t n_sandboxes;
        bool count_processes;
        void (*then)(struct cri_call *call);
};

/* Makes call->state a struct measure with room for everything there is; NULL when the call was failed. The references
 * in it are dropped when the call was answered: messages borrow from the objects. */
struct measure *measure_new(struct cri_call *call);

int measure_add_container(struct cri_call *call, struct measure *measure, struct cri_container *container);
int measure_add_sandbox(struct cri_call *call, struct measure *measure, struct cri_sandbox *sandbox);

/* Reads all of it on the pool and goes on with @then. */
void measure_run(struct cri_call *call, void (*then)(struct cri_call *call));
