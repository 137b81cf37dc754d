/* Directories in a volume for what containers mount below the place where they have it: a container sees the volume
 * read-only, so that its runtime can make none there (Kubernetes pkg/volume/util, MakeNestedMountpoints()). */
#pragma once

#include "agent/volumes/files.h"

/* Makes those that the pod's containers need of @volume, at @path. What is there stays as it is, and nothing is
 * followed out of the volume. Blocks. */
int nested_make(const struct pod_files *files, const struct kube_volume *volume, const char *path, struct err **err);
