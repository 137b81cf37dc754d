/* Volumes in memory. Both functions block. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/volumes/files.h"

bool tmpfs_is_mounted(const char *path);

/* Mounts one on the directory @path, unless one is there. It counts against the pod's memory: its size is @limit bytes
 * (0: none), at most the pod's limit, or the node's memory. Nothing of it goes to swap where the kernel can say so
 * (Linux 6.4). Its mode is 01777, and programs and devices in it are such, as in kubelet's: images are built in them.
 */
int tmpfs_make(const struct pod_files *files, int64_t limit, const char *path, struct err **err);
