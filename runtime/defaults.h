/* What every container of a pod gets when nothing else is said, as the field's runtimes give it. */
#pragma once

#include <stddef.h>

#include "runtime/spec.h"

/* NULL-terminated paths that are hidden, and that are made read-only, in a container that is not privileged. */
extern const char *const defaults_masked_paths[];
extern const char *const defaults_readonly_paths[];

/* /proc, /dev, /dev/pts, /dev/shm (the pod's: type "shm"), /dev/mqueue, /sys (read-only) and /sys/fs/cgroup
 * (read-only). For a privileged container clear MOUNT_ATTR_RDONLY of the last two in a copy. */
extern const struct mount_spec defaults_mounts[];
extern const size_t defaults_mounts_n;
