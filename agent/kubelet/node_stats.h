/* What the node itself uses: a few reads of files in memory, quick enough for the loop. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define NODE_DEVICES_MAX 64
#define NODE_DEVICE_NAME_MAX 32
#define NODE_VETH_LENGTH 15 /* of the name of a pod's end */

struct kubelet_device {
        char name[NODE_DEVICE_NAME_MAX];
        uint64_t rx_bytes, rx_errors, tx_bytes, tx_errors;
};

struct kubelet_node_stats {
        int64_t time_ns;  /* since 1970 */
        int64_t start_ns; /* of the host; likewise */
        uint64_t cpu_ns;  /* all processors', since then */
        uint64_t memory_total, memory_available, memory_usage, memory_working_set, memory_rss; /* bytes */
        uint64_t page_faults, major_page_faults;
        uint64_t swap_total, swap_usage;
        int64_t pids_max, pids;
        struct kubelet_device devices[NODE_DEVICES_MAX];
        unsigned n_devices;
        int main_device; /* the index of the one of the default route; -1: none */
};

/* A file of the kernel's, its first 64 KiB, allocated; NULL: it cannot be read. */
char *kubelet_read_text(const char *path);

/* What tells the machine from others; "": it does not say. */
struct kubelet_machine {
        char machine_id[64], system_uuid[64], boot_id[64];
};
void kubelet_machine_read(struct kubelet_machine *ret_machine);

/* What cannot be read is 0. */
void kubelet_node_stats_read(struct kubelet_node_stats *ret_stats);

/* A file system, by a path on it. False: it cannot be asked. */
struct kubelet_fs {
        uint64_t available, capacity, used, inodes_free, inodes, inodes_used;
};
bool kubelet_fs_read(const char *path, struct kubelet_fs *ret_fs);
