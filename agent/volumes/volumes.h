/* A pod's volumes on the node: made before its containers, gone after them, in kubelet's words when they cannot be.
 * All functions block.
 */
#pragma once

#include "agent/volumes/files.h"

/* Makes each volume, or refuses one with `MountVolume.SetUp failed for volume "x" : why`. Safe to repeat. */
int volumes_make(const struct pod_files *files, struct err **err);

/* The directory of @volume below the pod's @dir; NULL without memory. A hostPath's is its own path. */
const char *volumes_path(struct arena *arena, const char *dir, const struct kube_volume *volume);
