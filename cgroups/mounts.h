/* Where the cgroup hierarchies are mounted, from the text of /proc/self/mountinfo (proc(5)). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CG_MOUNT_PATH_MAX 256

struct cg_mount {
        char path[CG_MOUNT_PATH_MAX];
        char options[64]; /* v1: the controllers as mounted, "cpu,cpuacct", or the name, "name=systemd" */
        bool v2;
        uint32_t controllers; /* bits of enum cgroup_controller; v1 only */
};

/* Finds each hierarchy's first mount, those too that have none of our controllers (name=systemd, net_cls). Returns
 * their number, at most @max. */
size_t cg_mounts_parse(const char *mountinfo, struct cg_mount *ret_mounts, size_t max);
