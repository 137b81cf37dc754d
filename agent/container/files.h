/* What a container has on the node's disk beside its volumes: its directory of logs, its termination message, the pod's
 * /etc/hosts, its subPaths. */
#pragma once

#include "agent/volumes/files.h"

/* A subPath to mount for a container. */
struct subpath_mount_job {
        const char *volume, *path, *target;
};

struct member_files {
        struct pod_files *pod;
        const char *container, *message_file;
        struct subpath_mount_job *subpaths;
        size_t n_subpaths;
};

/* Makes them. Safe to repeat. Blocks. */
int member_files_prepare(const struct member_files *files, struct err **err);
