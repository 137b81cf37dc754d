/* Inside cgroups/: the hierarchies, and files in them.
 *
 * A cgroup's place in a hierarchy is `rel`, its path from the mount point without a slash in front; "" is the root.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cgroups/bpf.h"
#include "cgroups/cgroup.h"
#include "cgroups/mounts.h"

struct err;

#define CG_BIT(controller) (1U << (controller))

/* What one read of a cgroup file takes at most. */
#define CG_FILE_MAX 16384

struct hierarchy {
        struct cg_mount mount;
        int fd;        /* the mount point, O_PATH */
        bool required; /* a cgroup that is not here is broken; in another it may be missing, for want of rights */
};

struct cgroups {
        enum cgroup_mode mode;
        size_t n;
        struct hierarchy hierarchies[CGROUP_HIERARCHIES_MAX];
        struct hierarchy *by_controller[_CGROUP_CONTROLLER_MAX]; /* NULL: no such controller */
        struct hierarchy *v2;                                    /* NULL: none */
        bool bpf_devices;                                        /* device filters are eBPF programs on v2 */
        struct cg_bpf_cache *programs;
        atomic_uint warned;         /* CG_BIT of what was warned about */
        char root[CGROUP_PATH_MAX]; /* as rel */
};

extern const char *const cg_controller_names[_CGROUP_CONTROLLER_MAX];

/* Checks @path and makes it relative to the mount points. -EINVAL, -ENAMETOOLONG. */
int cg_resolve(const struct cgroups *cgroups, const char *path, char ret_rel[CGROUP_PATH_MAX], struct err **err);

/* Makes @rel with its parents in one hierarchy; on v2 enables @controllers (CG_BITs) for it. */
int cg_make(const struct cgroups *cgroups, const struct hierarchy *h, const char *rel, uint32_t controllers,
            struct err **err);

/* Makes the cgroup in a v1 hierarchy where it was left out, and moves its processes there. */
int cg_make_late(const struct cgroups *cgroups, const struct hierarchy *h, const char *rel, struct err **err);

/* Those that are used where a v2 hierarchy has them. */
#define CG_V2_CONTROLLERS                                                                                              \
        (CG_BIT(CGROUP_CPU) | CG_BIT(CGROUP_CPUSET) | CG_BIT(CGROUP_MEMORY) | CG_BIT(CGROUP_PIDS) |                    \
         CG_BIT(CGROUP_IO) | CG_BIT(CGROUP_HUGETLB))

/* The controllers that @file (cgroup.controllers, cgroup.subtree_control) of a v2 cgroup names, as CG_BIT()s. */
uint32_t cg_offered(const struct hierarchy *h, const char *rel, const char *file);

/* One warning for each controller. */
void cg_warn(const struct cgroups *cgroups, enum cgroup_controller controller, const char *what);

int cg_open(const struct hierarchy *h, const char *rel, const char *file, int flags);

/* Return 0 or a negative errno. */
int cg_write(const struct hierarchy *h, const char *rel, const char *file, const char *value);
int cg_read(const struct hierarchy *h, const char *rel, const char *file, char *ret_text, size_t size);

/* A file that is one number; "max" and v1's largest limit are CGROUP_UNKNOWN. @ret_number is CGROUP_UNKNOWN on failure.
 */
int cg_read_u64(const struct hierarchy *h, const char *rel, const char *file, uint64_t *ret_number);

/* The number behind `key ` at the beginning of a line of @text; CGROUP_UNKNOWN when it is not there. */
uint64_t cg_field(const char *text, const char *key);

/* @a - @b, 0 at least; CGROUP_UNKNOWN where one of them is. */
uint64_t cg_minus(uint64_t a, uint64_t b);

/* cg_write() with the failure as a sentence. */
int cg_set(const struct hierarchy *h, const char *rel, const char *file, const char *value, struct err **err);

/* Calls @visit with each cgroup of the tree below and at @rel, the deepest first. Stops at the first that returns
 * non-zero, and returns that. A tree deeper than CG_DEPTH_MAX is -ELOOP. */
typedef int (*cg_visit)(const struct hierarchy *h, const char *rel, void *userdata);
int cg_walk(const struct hierarchy *h, const char *rel, cg_visit visit, void *userdata);
#define CG_DEPTH_MAX 64
