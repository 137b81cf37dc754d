/* Directory trees that containers may have written: made, owned and removed without following a link or leaving
 * the file system they are on. All functions block.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"

#define TREE_DEPTH_MAX 4096 /* of directories that are removed or owned; deeper ones are an error */

/* mkdir -p of @path, the last one with @mode whatever the umask; an existing one keeps its mode. */
int pod_tree_make(const char *path, mode_t mode, struct err **err);

/* Unmounts what is mounted at or below @path (only what was mounted there, on top first), then removes the tree.
 * Never crosses into another file system: a mount that stays is -EBUSY and named. Missing: 0. */
int pod_tree_remove(const char *path, struct err **err);

/* Gives the tree to group @gid as kubelet does for fsGroup: group read and write (read alone with @readonly), and
 * setgid on directories. With @on_mismatch only when the root is not so already. */
int pod_tree_set_group(const char *path, gid_t gid, bool readonly, bool on_mismatch, struct err **err);
