/* Volumes whose files are written here: configMap, secret, downwardAPI and projected, by agent/volumes/atomic_writer.h.
 * All but configMap are in memory, as kubelet has them. */
#pragma once

#include "agent/volumes/files.h"

/* Whether @volume is one. */
bool written_is(const struct kube_volume *volume);

/* Brings the volume at @path to what its sources say now; it is made where it is not there. Blocks. */
int written_make(const struct pod_files *files, const struct kube_volume *volume, const char *path, struct err **err);
