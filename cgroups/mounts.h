/* Where the cgroup hierarchies are mounted, from the texts of /proc/self/mountinfo (proc(5)) and /proc/self/cgroup
 * (cgroups(7)). */
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

/* The same where each hierarchy that /proc/self/cgroup's text names is at its usual place, @top/CONTROLLERS, and
 * cgroup2 at @top/unified: without a look at all mounts, of which a node has some for each pod. @ret_fds gets the
 * mount points, O_PATH. 0: not all are there. */
size_t cg_mounts_usual(const char *self_cgroup, const char *top, struct cg_mount *ret_mounts, int *ret_fds, size_t max);
