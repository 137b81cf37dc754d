/* What CheckpointContainer writes: the archive that containerd and CRI-O make, as checkpointctl reads it.
 *
 *   checkpoint/       criu's files
 *   config.dump       the container and its image
 *   spec.dump         its configuration, as runtime-spec has it
 *   dump.log, stats-dump   criu's
 *   container.log     what the container has written so far
 *   rootfs-diff.tar   what it has changed in its root file system, as an image's layer
 */
#pragma once

#include "cri/state/state.h"

#define CHECKPOINT_DIRECTORY "checkpoint"
#define CHECKPOINT_DIFF "rootfs-diff.tar"
#define CHECKPOINT_DEPTH_MAX 200 /* directories in each other */
#define CHECKPOINT_ENTRIES_MAX 10000000

/* Each blocks. */

/* The documents, in @arena. */
int checkpoint_config(const struct cri_container *container, char **ret_text, struct err **err);
int checkpoint_spec(struct cri_container *container, struct arena *arena, char **ret_text, struct err **err);

/* Appends what directory @dir holds to the archive @fd, below @path ("": at its root). @layer: as an image's layer. */
int checkpoint_tree(int fd, int dir, const char *path, bool layer, struct err **err);
