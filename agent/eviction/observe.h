/* What the node has left, read from the kernel: a few reads of files in memory, quick enough for the loop. ROOT is a
 * file system that overlayfs can write to, so it is a local one.
 */
#pragma once

#include <stdint.h>

#include "agent/eviction/rank.h"

struct err;

struct observer {
        int nodefs, imagefs, logs; /* of ROOT, ROOT/images, the pods' logs; O_PATH */
        enum eviction_layout layout;
};

/* How full the file systems of pods' files are, to be compared: equal means that nothing was written. */
struct observed_files {
        uint64_t blocks[2], inodes[2];
};

int eviction_observer_open(const char *root_dir, const char *logs_dir, struct observer *ret_observer, struct err **err);
void eviction_observer_close(struct observer *observer);

void eviction_observer_read(const struct observer *observer,
                            struct eviction_observation ret_observations[_EVICTION_SIGNALS]);
/* When content was last added to the image store or taken away; 0: not known. */
int64_t eviction_observer_images_changed(const struct observer *observer);

/* When the image @id ("sha256:HEX") came, in milliseconds since 1970; 0: not known. */
int64_t eviction_observer_image_came(const struct observer *observer, const char *id);

void eviction_observer_read_files(const struct observer *observer, struct observed_files *ret_files);

/* The most tasks that the host can have at a time. */
int64_t eviction_observer_pids_max(void);

/* MemTotal, and what is free or holds files that can go: kubelet's working set is the difference. From /proc/meminfo.
 */
int eviction_observer_parse_memory(const char *text, struct eviction_observation *ret_memory);
