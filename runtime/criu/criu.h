/* Checkpoints by the program criu(8), which is asked over its RPC (`criu swrk`, https://criu.org/RPC).
 *
 * What criu cannot take along, since it lies outside of the container, is found by criu_externals() and written down
 * beside criu's own files as EXTERNALS_FILE; whoever restores gives each of these things back. All functions block.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct arena;
struct cgroup_join;
struct err;

#define CRIU_DUMP_LOG "dump.log"
#define CRIU_DUMP_STATS "stats-dump"
#define CRIU_RESTORE_LOG "restore.log"
#define CRIU_EXTERNALS_FILE "nacelle.json"
#define CRIU_NET_KEY "extRootNetNS" /* as runc calls them */
#define CRIU_PID_KEY "extRootPidNS"

/* The values are criu's. */
enum criu_cgroups { CRIU_CGROUPS_IGNORE = 0, CRIU_CGROUPS_SOFT = 3, CRIU_CGROUPS_FULL = 4, CRIU_CGROUPS_STRICT = 5 };

struct criu_inherited {
        const char *key;
        int fd;
};

#define CRIU_JOINED_MAX 2
struct criu_joined {
        const char *kind; /* "ipc", "uts" */
        const char *path;
};

/* Zeroed but for the descriptors, it is the plainest dump or restore. All is borrowed. */
struct criu_request {
        const char *program; /* of criu_find() */
        int images_fd;       /* directory of criu's files */
        int work_fd;         /* directory of its log */
        const char *root;    /* the container's root file system: any path for a dump, a mount point for a restore */
        bool tcp_established, ext_unix_sk, shell_job, file_locks;
        enum criu_cgroups cgroups;
        const char *const *external; /* as criu's --external */
        size_t n_external;
        unsigned seconds; /* after which it is killed; 0: never */
        /* of a dump */
        pid_t pid; /* the container's first process */
        bool leave_running;
        /* of a restore */
        const struct criu_inherited *inherited;
        size_t n_inherited;
        struct criu_joined
                joined[CRIU_JOINED_MAX]; /* namespaces that are entered in place of those that were written down */
        size_t n_joined;
        const struct cgroup_join *join; /* the cgroup that all of it is restored in */
        int (*made)(void *data, pid_t pid,
                    struct err **err); /* the first process is there, in its namespaces, and nothing runs yet */
        void *data;
};

/* The first `criu` of PATH, in @arena. -EOPNOTSUPP: there is none. */
int criu_find(struct arena *arena, const char **ret_program, struct err **err);

/* -EBUSY: criu could not; the error has its version, what it says, and where its log is. -ETIMEDOUT. The container goes
 * on, or was killed when it is not to be left running. */
int criu_dump(const struct criu_request *request, struct err **err);

/* Restored processes are children of the caller. @ret_master: the terminal's master, -EBADF without one. */
int criu_restore(const struct criu_request *request, pid_t *ret_pid, int *ret_master, struct err **err);

/* ---- what lies outside: externals.c ---- */

struct criu_externals {
        const char *const *mounts; /* mount points in the container that come from outside */
        size_t n_mounts;
        const char *stdio[3]; /* criu's keys of what 0, 1 and 2 are; "": its own affair */
        bool net, pid;        /* namespaces that others made */
};

/* Of the running process @pid; net and pid are as the caller sets them. Texts are in @arena. */
int criu_externals_find(struct arena *arena, pid_t pid, struct criu_externals *externals, struct err **err);

/* As criu's --external for a dump. */
int criu_externals_list(struct arena *arena, pid_t pid, const struct criu_externals *externals,
                        const char *const **ret_list, size_t *ret_n, struct err **err);

int criu_externals_write(int images_fd, const struct criu_externals *externals, struct err **err);
int criu_externals_read(struct arena *arena, int images_fd, struct criu_externals *ret_externals, struct err **err);
