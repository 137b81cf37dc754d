/* The tree of cgroups: make, limit, join, measure, freeze, kill, remove.
 *
 * cgroup v2 is the model (Documentation/admin-guide/cgroup-v2.rst); a controller that a v1 hierarchy holds is written
 * there by cgroups/v1.c. A cgroup is named by its path, not by a handle: descriptors are kept for the hierarchies'
 * roots only, so a thousand pods cost none. `pod1/web` lies under the root given to cgroups_open(), `/kubepods/pod1`
 * (as a kubelet's cgroup_parent) under the hierarchy's root. "." and ".." and empty parts are refused with -EINVAL.
 *
 * With v1 hierarchies and cgroup2 side by side (hybrid) a cgroup is made in all of them, so that a container sees
 * itself in each as it does under runc. Freezing, killing, the device filter and CPU times come from cgroup2, as on
 * pure v2; only without it are v1's devices and freezer used.
 *
 * All functions block (mostly for microseconds) and may be called from several threads at once. A controller that is
 * missing, or may not be enabled, costs one feature: it is logged as one warning per struct cgroups, the rest goes on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroups;
struct err;

#define CGROUP_PATH_MAX 1024 /* with its NUL */
#define CGROUP_PIDS_MAX (4 * 1024 * 1024)
#define CGROUP_HIERARCHIES_MAX 20

enum cgroup_mode {
        CGROUP_V2,     /* cgroup2 alone */
        CGROUP_HYBRID, /* v1 hierarchies and cgroup2 beside them */
        CGROUP_V1,     /* no cgroup2 at all */
};

enum cgroup_controller {
        CGROUP_CPU,
        CGROUP_CPUACCT,
        CGROUP_CPUSET,
        CGROUP_MEMORY,
        CGROUP_PIDS,
        CGROUP_IO,
        CGROUP_HUGETLB,
        CGROUP_DEVICES,
        CGROUP_FREEZER,
        _CGROUP_CONTROLLER_MAX,
};

/* Finds the hierarchies in /proc/self/mountinfo, opens them, and makes @root (such as "/nacelle") in each. Returns 0,
 * or -ENOENT when no cgroup file system is mounted, or another negative errno. */
int cgroups_open(const char *root, struct cgroups **ret_cgroups, struct err **err);
void cgroups_free(struct cgroups *cgroups); /* removes nothing; NULL is fine */
void cgroups_freep(struct cgroups **cgroups);
#define _cleanup_cgroups_ __attribute__((cleanup(cgroups_freep)))

enum cgroup_mode cgroups_mode(const struct cgroups *cgroups);
bool cgroups_has(const struct cgroups *cgroups, enum cgroup_controller controller);

/* Makes the cgroup and those above it in each hierarchy, with all controllers enabled for it; those that neither limit
 * nor measure are left out where we have no right to them. One that exists is fine. */
int cgroup_create(const struct cgroups *cgroups, const char *path, struct err **err);

/* The same for one that holds others and no processes, such as a pod's: hierarchies that neither limit nor measure get
 * it with the first cgroup below it that they get, since each costs what a cgroup costs. */
int cgroup_create_above(const struct cgroups *cgroups, const char *path, struct err **err);

/* Kills what runs in the cgroup and below, and removes it with all below. Waits for the processes' end, at most
 * CGROUP_KILL_SECONDS, then -EBUSY names a process that stays. One that does not exist is fine. */
int cgroup_remove(const struct cgroups *cgroups, const char *path, struct err **err);
#define CGROUP_KILL_SECONDS 10

/* Removes the cgroup where nothing is in it, neither processes nor cgroups; else it stays, which is no error. */
int cgroup_prune(const struct cgroups *cgroups, const char *path, struct err **err);

/* SIGKILL to every process in the cgroup and below: cgroup.kill, or under the freezer. Does not wait. */
int cgroup_kill(const struct cgroups *cgroups, const char *path, struct err **err);

/* Kills what is in the cgroup and below, which stays, and waits until it is empty, at most CGROUP_END_SECONDS: then
 * -EBUSY names a process that stays. One that is empty, or does not exist, costs next to nothing. */
int cgroup_end(const struct cgroups *cgroups, const char *path, struct err **err);
#define CGROUP_END_SECONDS 2

bool cgroup_exists(const struct cgroups *cgroups, const char *path);

/* Names of the cgroups directly below @path, NULL-terminated; free each and the array. */
int cgroup_children(const struct cgroups *cgroups, const char *path, char ***ret_names, struct err **err);

/* Stops and continues all processes of the cgroup; returns when it is done, or -ETIMEDOUT. */
int cgroup_freeze(const struct cgroups *cgroups, const char *path, bool frozen, struct err **err);

/* The processes in the cgroup, and below it with @recursive. *@ret_pids is allocated. */
int cgroup_pids(const struct cgroups *cgroups, const char *path, bool recursive, pid_t **ret_pids, size_t *ret_n,
                struct err **err);

/* The path of the cgroup below the mount point of a hierarchy, with "/" in front: what /proc/PID/cgroup shows. */
int cgroup_full_path(const struct cgroups *cgroups, const char *path, char ret_path[CGROUP_PATH_MAX], struct err **err);

/* How a new process gets into a cgroup without the 5 ms that writing to cgroup.procs costs on a quiet machine:
 * clone3 with CLONE_INTO_CGROUP and `dir_fd` when it is not -EBADF; then the child, while it has one thread, writes
 * "0" to each of `tasks` itself (the kernel then needs no lock against forks). A cgroup namespace takes its root from
 * where the process is: unshare(CLONE_NEWCGROUP) comes after that, and not as a flag of the clone. */
struct cgroup_join {
        int dir_fd;                        /* of the v2 cgroup */
        int tasks[CGROUP_HIERARCHIES_MAX]; /* opened for writing, one for each v1 hierarchy that it is in */
        size_t n_tasks;
        int memory; /* which of `tasks` is a hierarchy of memory alone; -1: none. It may be joined last, so that what it
                     * costs to make a container is not charged to it */
};
int cgroup_join_open(const struct cgroups *cgroups, const char *path, struct cgroup_join *ret_join, struct err **err);
void cgroup_join_close(struct cgroup_join *join);
#define CGROUP_JOIN_NONE ((struct cgroup_join){ .dir_fd = -EBADF, .memory = -1 })

/* What to mount so that a container sees its own cgroup at /sys/fs/cgroup. With a cgroup namespace of its own the
 * runtime mounts cgroup2 (v2) or, on v1 and hybrid, a tmpfs holding one mount per row: fs type "cgroup" with `options`,
 * at /sys/fs/cgroup/`name`. Without a namespace it binds `source` there. The cgroup2 of a hybrid host is not shown:
 * what looks for it takes the host for pure v2. */
struct cgroup_mount {
        char name[64];    /* directory below /sys/fs/cgroup; empty on v2: /sys/fs/cgroup itself */
        char options[64]; /* "cpu,cpuacct", "name=systemd"; empty for cgroup2. Each of several controllers gets
                           * a link to the directory */
        char source[CGROUP_PATH_MAX]; /* the host's directory of this cgroup */
};
int cgroup_mounts(const struct cgroups *cgroups, const char *path,
                  struct cgroup_mount ret_mounts[CGROUP_HIERARCHIES_MAX], size_t *ret_n, struct err **err);
