/* A plan: what a container's first process (or a shim, or an exec) does before it becomes the user's program, in order.
 *
 * The agent decides everything and opens everything; a plan is a flat list of steps with numbers, strings and
 * indexes of descriptors, which runtime/init/init.c walks without knowing why. It is the same for the shim,
 * nacelle-oci, a sandbox's set-up and an exec. Both ends are ours, yet lengths are checked: a plan that is cut is
 * refused.
 *
 * Only libc and system calls: linked into the static shim too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_SIZE_MAX (16u * 1024 * 1024)
#define PLAN_FDS_MAX 4500
#define PLAN_STRINGS_MAX 8 /* strings of one step, args and environment apart */

enum plan_step_kind {
        PLAN_CGROUP,   /* write "0" to fd */
        PLAN_JOIN,     /* setns(fd, a) */
        PLAN_UNSHARE,  /* unshare(a) */
        PLAN_HOSTNAME, /* string 0 */
        PLAN_DOMAINNAME,
        PLAN_SYSCTL,    /* string 0 is the key with slashes, string 1 the value */
        PLAN_ROOT,      /* fd is the root's mount; PLAN_F_PRIVATE: the namespace's mounts are made private first */
        PLAN_MOUNT,     /* fd is a detached mount for string 0; flags PLAN_F_* */
        PLAN_MOUNT_NEW, /* a file system: strings are destination, type, source, options; a: attributes; b: propagation
                         */
        PLAN_MOUNT_SHM, /* the pod's /dev/shm at string 0; a: attributes */
        PLAN_DEVICES,   /* /dev's usual nodes and links; a: uid, b: gid that own them */
        PLAN_DEVICE,    /* string 0; a: mode, b: major << 32 | minor, c: uid << 32 | gid */
        PLAN_CONSOLE, /* a terminal in the container's devpts becomes 0, 1, 2 and /dev/console; a: rows << 16 | columns,
                       * b: owner. With PLAN_F_RUNNING of a container that runs: its devpts is looked for, and
                       * /dev/console left alone */
        PLAN_MASK,    /* string 0 */
        PLAN_READONLY, /* string 0 */
        PLAN_PIVOT,    /* into the root; a: propagation of "/" afterwards, 0: private */
        PLAN_ROOT_READONLY,
        PLAN_STDIO,        /* fd is 0, a and b are the indexes for 1 and 2; -1: /dev/null */
        PLAN_TERMINAL,     /* fd is a terminal: controlling, and 0, 1 and 2 */
        PLAN_OOM_SCORE,    /* a, as signed */
        PLAN_RLIMIT,       /* a: resource, b: soft, c: hard */
        PLAN_KEYRING,      /* a new session keyring */
        PLAN_USER,         /* enter the user namespace fd (-1: the pod's), with mounts copied and locked below it */
        PLAN_IDENTITY,     /* a: uid, b: gid, c: umask; data: gid_t[] */
        PLAN_CAPABILITIES, /* data: struct capability_sets */
        PLAN_SECCOMP,      /* a: flags; data: struct sock_filter[] */
        PLAN_NO_NEW_PRIVILEGES,
        PLAN_APPARMOR, /* string 0: profile */
        PLAN_SELINUX,  /* string 0: label */
        PLAN_CWD,      /* string 0 */
        PLAN_ARGS,     /* data: strings */
        PLAN_ENV,      /* data: strings */
        PLAN_HOME,   /* nacelle-oci: HOME, where PLAN_ENV has none, is that of user a in the container's /etc/passwd */
        PLAN_EXEC,   /* the end */
        PLAN_LOOKUP, /* nacelle-oci: the command is there and may be run, so that `create` can say so */
        PLAN_WAIT,   /* nacelle-oci: open the FIFO that fd names, once `start` reads from it; failures go there */
        PLAN_SYNC,   /* nacelle-oci: tell the parent, and go on when it says so (hooks in the runtime's namespaces) */
        PLAN_HOOK, /* nacelle-oci: run a program; a, b: numbers of args and env, c: seconds; strings: path, what goes to
                    * its standard input, args, env */
        PLAN_GO,   /* nacelle-oci: go on when the parent says so, which it may have done long ago */
        PLAN_LINK, /* string 1 in the directory string 0 becomes a link to string 2 */
        PLAN_KINDS,
};

enum {
        PLAN_F_DIRECTORY = 1 << 0, /* the mount's root is a directory: a missing destination is made one */
        PLAN_F_NOFOLLOW = 1 << 1,
        PLAN_F_PRIVATE = 1 << 2,
        PLAN_F_RUNNING = 1 << 4,
        PLAN_F_COPY_UP = 1 << 5, /* what the destination holds is copied into the new file system */
        PLAN_F_HOLD =
                1 << 6, /* PLAN_MOUNT_NEW: an empty file system, in whose root the next mounts have their places */
        PLAN_F_HELD = 1 << 7, /* PLAN_MOUNT: there, where nothing has the last part of its destination's name yet */
        PLAN_F_SOFT = 1 << 3, /* a refusal by the kernel (EPERM, EACCES) is a warning */
};

struct plan_step {
        uint32_t size; /* of the step with its data, a multiple of 8 */
        uint16_t kind;
        uint16_t flags;
        int32_t fd; /* index, -1: none */
        uint32_t data_size;
        uint64_t a, b, c;
        char data[]; /* strings with their NULs, or what the kind says */
};

/* ---- making one (the agent, nacelle-oci) ---- */

struct plan {
        char *data;
        size_t size, allocated;
        int *fds; /* ours: closed with the plan */
        size_t n_fds, allocated_fds;
        bool failed; /* no memory, no descriptor, or beyond a maximum: plan_check() says so */
        int code;    /* errno, when a descriptor could not be duplicated */
};

/* Takes @fd over, and returns its index; -1 for a negative fd. */
int plan_take_fd(struct plan *plan, int fd);

/* As plan_take_fd() of a duplicate. */
int plan_dup_fd(struct plan *plan, int fd);

/* Appends a step; returns it to fill in a, b, c, valid until the next one; never NULL (a spare one after a failure). */
struct plan_step *plan_add(struct plan *plan, enum plan_step_kind kind, int fd, const void *data, size_t size);

/* With @n strings as data. */
struct plan_step *plan_add_strings(struct plan *plan, enum plan_step_kind kind, int fd, const char *const *strings,
                                   size_t n);
struct plan_step *plan_add_string(struct plan *plan, enum plan_step_kind kind, const char *string);

/* 0; -ENOMEM, -EMFILE or -E2BIG if any of the calls above failed. */
int plan_check(const struct plan *plan);

/* A plan of more than @max bytes goes into a sealed memfd among its own descriptors: *@ret_index, -1: it is small
 * enough. As plan_check(), or another negative errno. */
int plan_detach(struct plan *plan, size_t max, int32_t *ret_index);

/* A packet's head; the plan is behind it unless it has @plan_index. */
struct plan_packet {
        const void *head;
        size_t size;
        int32_t plan_index;
};

/* Sends the plan with its descriptors over a SOCK_SEQPACKET socket: the @last packet, and @before it as many as the
 * descriptors take that do not go with the last. 0 or a negative errno. */
int plan_send(int socket, const struct plan *plan, const struct plan_packet *last, const struct plan_packet *before);

void plan_clear(struct plan *plan);
#define _cleanup_plan_ __attribute__((cleanup(plan_clear)))

/* ---- reading one ---- */

/* The step after @step (NULL: the first) in @data of @size bytes; NULL at the end or where it is malformed. */
const struct plan_step *plan_next(const char *data, size_t size, const struct plan_step *step);

/* Whether all of @data is well-formed and names no descriptor beyond @n_fds. */
bool plan_valid(const char *data, size_t size, size_t n_fds);

/* String @n of the step, "" when there are fewer. */
const char *plan_string(const struct plan_step *step, unsigned n);
