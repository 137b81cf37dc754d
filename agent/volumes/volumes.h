/* A pod's volumes on the node: made before its containers, gone after them, in kubelet's words when they cannot be.
 * All functions block.
 */
#pragma once

#include "agent/volumes/files.h"

/* Makes each volume, or refuses one with `MountVolume.SetUp failed for volume "x" : why`. Safe to repeat. */
int volumes_make(const struct pod_files *files, struct err **err);

/* Brings the volumes whose files are written here to what @files knows: of the API's objects, of the pod. All are
 * tried; the error is the first one's. */
int volumes_update(const struct pod_files *files, struct err **err);

/* Unmounts what needs no look at the table of mounts; pod_tree_remove() finds the rest. */
void volumes_unmount(const struct pod_files *files);

/* The directory of @volume below the pod's @dir; NULL without memory. A hostPath's is its own path. */
const char *volumes_path(struct arena *arena, const char *dir, const struct kube_volume *volume);
