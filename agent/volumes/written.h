/* Volumes whose files are written here: configMap, secret, downwardAPI and projected, by agent/volumes/atomic_writer.h.
 * All but configMap are in memory, as kubelet has them. */
#pragma once

#include "agent/volumes/files.h"

/* Whether @volume is one. */
bool written_is(const struct kube_volume *volume);

/* Bytes of all files of a pod's volumes: a key may be named again and again, for files of other names. */
#define WRITTEN_BYTES_MAX ((size_t)128 << 20)

/* Brings the volume at @path to what its sources say now; it is made where it is not there. *@left is what the pod's
 * volumes may still have of WRITTEN_BYTES_MAX: -E2BIG past it, and nothing was written. Blocks. */
int written_make(const struct pod_files *files, const struct kube_volume *volume, const char *path, size_t *left,
                 struct err **err);
