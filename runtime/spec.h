/* A container as the runtime makes it: the OCI runtime specification as a C struct.
 *
 * cri/ fills it from CRI messages, nacelle-oci from config.json; runtime/plan turns it into what the container's
 * first process does. The struct only borrows: whoever filled it keeps every string, array and descriptor alive
 * until the call that takes it returns, and frees them afterwards. A zeroed struct with spec_init() called on it
 * is a container that inherits everything.
 *
 * OCI runtime-spec 1.2: config.md, config-linux.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/environment.h"

struct cgroup_device;
struct cgroup_mount;
struct err;
struct seccomp_filter;

/* Arguments, and variables of the environment: as many as execve(2) takes (lib/environment.h). */
#define SPEC_ARGS_MAX ((size_t)ENVIRONMENT_EXEC_MAX / (sizeof(char *) + 1))
#define SPEC_MOUNTS_MAX 4096
#define SPEC_LAYERS_MAX 500
#define SPEC_GROUPS_MAX 65536
#define SPEC_CGROUPS_MAX 20

enum namespace_type {
        NAMESPACE_MOUNT,
        NAMESPACE_PID,
        NAMESPACE_NET,
        NAMESPACE_IPC,
        NAMESPACE_UTS,
        NAMESPACE_CGROUP,
        NAMESPACE_USER,
        NAMESPACE_TIME,
        NAMESPACE_TYPES,
};

/* Under a shim, "inherit" is the pod's for net, ipc, uts and user, and the host's for pid and cgroup. */
enum namespace_mode {
        NAMESPACE_INHERIT,
        NAMESPACE_NEW,
        NAMESPACE_JOIN,   /* fd names it: a namespace file or a pidfd */
        NAMESPACE_POD,    /* pid only: the pod's shared one */
        NAMESPACE_TARGET, /* pid only: that of container_spec.pid_target, in the same pod */
};

struct namespace_spec {
        enum namespace_mode mode;
        int fd; /* for NAMESPACE_JOIN; borrowed */
};

struct id_mapping {
        uint32_t container;
        uint32_t host;
        uint32_t size;
};

struct id_mappings {
        const struct id_mapping *uids;
        size_t n_uids;
        const struct id_mapping *gids;
        size_t n_gids;
};

/* Bit N is capability N of capabilities(7). */
struct capability_sets {
        uint64_t bounding;
        uint64_t effective;
        uint64_t permitted;
        uint64_t inheritable;
        uint64_t ambient;
};

struct rlimit_spec {
        int resource; /* RLIMIT_* */
        uint64_t soft;
        uint64_t hard;
};

/* What is the same for a container's first process and for an exec. */
struct process_spec {
        const char *const *args; /* NULL-terminated, at least one */
        const char *const *env;  /* NULL-terminated; NULL: empty */
        bool fill_home;          /* HOME, where it is missing or empty, is the user's in the container's /etc/passwd */
        const char *cwd;         /* NULL: "/" */
        uint32_t uid;            /* in the container */
        uint32_t gid;
        const gid_t *groups; /* supplementary */
        size_t n_groups;
        mode_t umask; /* 0022 is what containers expect */
        struct capability_sets capabilities;
        const struct rlimit_spec *rlimits;
        size_t n_rlimits;
        bool no_new_privileges;
        bool terminal;
        uint16_t rows, columns; /* of the terminal at first; 0: unset */
        int oom_score_adj;
        bool set_oom_score_adj;
        const struct seccomp_filter *seccomp; /* NULL: unconfined; see runtime/seccomp/seccomp.h */
        const char *apparmor;                 /* profile, NULL: none */
        const char *selinux;                  /* label, NULL: none */
};

/* One mount. @type NULL or "bind" binds @source; any other is a file system made in the container ("proc", "sysfs",
 * "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2") with @options as its own comma-separated options. */
struct mount_spec {
        const char *type;
        const char *source; /* host path of a bind, or the new file system's source */
        int source_fd;      /* O_PATH descriptor of a bind's source, -EBADF: use @source; borrowed. Wins over @source,
                             * for sources whose path others can change (subPath) */
        bool detached;      /* @source_fd is a detached mount, made for this one: moved instead of copied */
        const char *destination;   /* in the container, resolved there and never outside */
        const char *options;       /* the file system's own; NULL: none */
        uint64_t attributes;       /* MOUNT_ATTR_* to set: RDONLY, NOSUID, NODEV, NOEXEC, NOATIME, ... */
        uint64_t attributes_clear; /* MOUNT_ATTR_* to clear: rw, suid, dev, exec as explicitly asked */
        bool recursive;            /* rbind: submounts too */
        bool recursive_attributes; /* rro, rnosuid...: @attributes go for submounts as well */
        unsigned long propagation; /* MS_PRIVATE, MS_SLAVE or MS_SHARED, with MS_REC or not; 0: private, recursive */
        bool idmap;                /* idmapped with @mappings, or the container's own where those are empty */
        struct id_mappings mappings;
        bool copy_up;  /* a tmpfs begins with what its destination holds */
        bool nofollow; /* a destination that is a symbolic link is refused instead of followed in the root */
};

struct device_spec {
        const char *path; /* in the container */
        mode_t mode;      /* S_IFCHR or S_IFBLK or S_IFIFO, and permissions */
        uint32_t major, minor;
        uint32_t uid, gid; /* in the container */
};

struct key_value {
        const char *key;
        const char *value;
};

struct hook_spec {
        const char *path;
        const char *const *args; /* NULL-terminated */
        const char *const *env;
        unsigned timeout; /* seconds, 0: none */
};

/* The root file system: an overlay when there are layers, else the directory @path. */
struct rootfs_spec {
        const char *const *lowers; /* host directories, the uppermost layer first */
        size_t n_lowers;
        const char *upper; /* NULL: nothing can be written, not even through copy-up */
        const char *work;
        bool is_volatile; /* never synced: the upper is worth nothing after a power cut */
        const char *path; /* a plain directory, when there are no layers */
        bool owned;       /* with a user namespace: @path's ids are the host's for the container's already */
        bool readonly;
        unsigned long propagation; /* of "/" at the end: 0 is MS_PRIVATE|MS_REC; MS_SLAVE, MS_SHARED, MS_UNBINDABLE */
};

/* Another OCI runtime makes the container, in the pod's namespaces and below its shim. */
struct delegate_spec {
        const char *path;                  /* the runtime's program */
        const char *cgroup;                /* cgroup_full_path() of the container's */
        const struct cgroup_device *rules; /* as cgroup_set_devices() got them */
        size_t n_rules;
        const char *seccomp; /* seccomp_oci(), NULL: unconfined; process.seccomp is not looked at */
};

struct container_spec {
        const struct delegate_spec *delegate; /* NULL: we do */
        struct process_spec process;
        struct rootfs_spec root;
        int root_fd; /* @root mounted already, by overlay_mount(); borrowed. -EBADF: not yet */
        struct namespace_spec namespaces[NAMESPACE_TYPES];
        const char *pid_target;      /* container id for NAMESPACE_TARGET */
        struct id_mappings mappings; /* of the user namespace: the pod's, or the new one's; empty: the host's */
        const char *hostname;        /* only with a uts namespace of its own; NULL: leave */
        const char *domainname;
        const struct mount_spec *mounts; /* in order */
        size_t n_mounts;
        const struct device_spec *devices; /* beyond null, zero, full, random, urandom, tty, ptmx and console */
        size_t n_devices;
        const char *const *masked_paths; /* NULL-terminated, NULL: none */
        const char *const *readonly_paths;
        const struct key_value *sysctls;
        size_t n_sysctls;
        /* The container's cgroup, made by cgroups/: the directory of a cgroup2 that holds all controllers, else -EBADF;
         * and one writable cgroup.procs of each other hierarchy. Borrowed. */
        int cgroup_fd;
        const int *cgroup_procs_fds;
        size_t n_cgroup_procs_fds;
        int late_cgroup; /* which of cgroup_procs_fds is joined last, when all is made; their number: cgroup_fd; -1:
                            none */
        /* What a mount of type "cgroup" shows (cgroup_mounts() of the container's cgroup); none: it is left out. */
        const struct cgroup_mount *cgroup_mounts;
        size_t n_cgroup_mounts;
        /* For nacelle-oci: programs run in the container's namespaces before its root is changed, and before its own
         * program in it; what they read; a stop for hooks in the runtime's namespaces; and the FIFO that `start` reads
         * (-EBADF: none). */
        const struct hook_spec *create_hooks;
        size_t n_create_hooks;
        const struct hook_spec *start_hooks;
        size_t n_start_hooks;
        const char *hook_state;
        bool sync;
        int start_fd;
        bool start_sync; /* a stop before that, where the process is complete */
        bool own_mounts; /* the new mount namespace is a copy of the host's: made private first */
        bool no_new_keyring;
        bool default_devices; /* make /dev's usual nodes and links (after the mounts) */
};

/* Sets what a zeroed struct gets wrong: umask 0022, descriptors -EBADF, a new mount namespace. */
void spec_init(struct container_spec *spec);
void mount_spec_init(struct mount_spec *mount);

/* 0, or -EINVAL with the field that is wrong or missing in *@err. */
int spec_check(const struct container_spec *spec, struct err **err);
