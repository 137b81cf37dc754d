/* What runs between clone() and execve(): the walk over a plan.
 *
 * It runs in a process that is still trusted while its surroundings (the root it builds, the container it joins) no
 * longer are. So every path is resolved by openat2() inside the root and used as a descriptor; /proc is the host's,
 * by descriptor, never what is mounted in the container; and nothing is left open at the end.
 *
 * Only libc and system calls: linked into the static shim too.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/plan/plan.h"
#include "runtime/spec.h"

#define INIT_TEXT_MAX 480

/* What the walk tells its parent, one packet each on report_fd; the end of file is a successful execve(). */
struct init_report {
        int32_t kind; /* enum init_report_kind */
        int32_t code; /* positive errno */
        char text[INIT_TEXT_MAX];
};

enum init_report_kind {
        INIT_WARNING,
        INIT_ERROR,
        INIT_CONSOLE /* with the terminal's master in SCM_RIGHTS */,
        INIT_SYNC,
        INIT_WAITS,
        INIT_CHILD /* its process id is @code */
};

struct init {
        const char *plan;
        size_t plan_size;
        const int *fds;
        size_t n_fds;
        int proc_fd;   /* the host's /proc */
        int report_fd; /* a SOCK_SEQPACKET socket, -EBADF: failures stay in error */
        /* How warnings and the error go to report_fd; NULL: as an init_report. 0 or a negative errno */
        int (*tell)(int report_fd, const struct init_report *report);
        int start_fd; /* the FIFO that `start` reads, once it does: an init_report, or its end at execve(); -EBADF */
        int null_fd;  /* the null device and an empty directory outside of the root, to mask with; without the latter a
                       * new   file system hides a directory */
        int empty_fd;
        int user_fd;           /* for PLAN_USER without a descriptor of its own: the pod's */
        int shm_fd;            /* the pod's /dev/shm, in this mount namespace */
        unsigned preserve_fds; /* of the caller, from 3 on, that the program gets */
        uint64_t ignored;      /* signals that may be ignored, 1 << (number - 1): all that execve() does not reset */
        int root_fd;
        int devpts_fd;
        int held_fd; /* root of what PLAN_F_HOLD mounted */
        const struct plan_step *args, *env;
        const char *home;         /* "HOME=...": goes in the place of an empty one; NULL: none */
        struct init_report error; /* the last failure */
};

/* Sets the descriptors to none, and has all signals reset. */
void init_prepare(struct init *init, const char *plan, size_t size, const int *fds, size_t n_fds);

/* Walks the plan to its end. Returns 0, or the negative errno with the sentence in init->error; a plan with PLAN_EXEC
 * only returns on failure. */
int init_walk(struct init *init);

/* Has signals of this set ended by what the kernel does by itself. */
void init_signals(uint64_t ignored);

/* Closes the process to others, until its execve(). */
void init_hide(void);

/* Reports init->error to report_fd or start_fd and exits with status 127. */
_Noreturn void init_give_up(struct init *init);

/* The three, for a plan that ends in PLAN_EXEC. */
_Noreturn void init_run(struct init *init);

/* ---- between the files of init ---- */

#define INIT_ARGS_MAX (SPEC_ARGS_MAX + 1) /* with the NULL */
#define INIT_PASSWD_MAX (1024 * 1024)
#define INIT_HOME_MAX 4096

/* Megabytes of which a walk touches what it needs. A symbol of the common sort: it has its place behind all others, and
 * not between what a shim uses all its life, which so has one page. */
struct init_room {
        char **env;                         /* in words, behind the arguments: most programs' fit in one page */
        char *words[2 * INIT_ARGS_MAX + 1]; /* the arguments, the environment with HOME, each with a NULL */
        char passwd[INIT_PASSWD_MAX + 1];
        char home[sizeof("HOME=") + INIT_HOME_MAX];
};
extern struct init_room init_room;

/* Notes the failure and returns -@code. */
int init_fail(struct init *init, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The descriptor of index @index, -EBADF for -1. */
int init_fd(const struct init *init, int64_t index);

/* Enters the namespaces @flags of @fd (a pidfd or a namespace); with a mount namespace, its root becomes the root. */
int init_join(struct init *init, int fd, int flags);
/* Moves the calling process into a cgroup by its cgroup.procs or tasks file. */
int init_cgroup(struct init *init, int fd);

/* dev.c: whether it is open, and the null device. */
bool init_is_null(int fd);

/* path.c: an O_PATH descriptor of @path inside the root, or a negative errno. */
int init_open(struct init *init, const char *path, bool nofollow);
/* @path from the root on without what says nothing: "." and empty parts, also at its end, where they would make a
 * file's name a directory's. -ENAMETOOLONG. */
int init_clean(const char *path, char ret_path[PATH_MAX]);
/* Makes it when missing, as a directory or an empty file, with the directories above. Links are followed in the root,
 * also those whose end is missing. */
int init_open_target(struct init *init, const char *path, bool directory, bool nofollow);

/* home.c: the home directory of user @uid by @text, which is an /etc/passwd; "/" when that has none. */
void init_home_find(const char *text, uint32_t uid, char *ret_home, size_t size);

/* copy.c: copies what directory @target holds to the root of the mount @tree. */
int init_copy_up(struct init *init, int target, int tree, const char *destination);

typedef int (*init_step)(struct init *init, const struct plan_step *step);
int init_root(struct init *init, const struct plan_step *step);
int init_mount(struct init *init, const struct plan_step *step);
int init_mount_new(struct init *init, const struct plan_step *step);
int init_mount_shm(struct init *init, const struct plan_step *step);
int init_link(struct init *init, const struct plan_step *step);
int init_mask(struct init *init, const struct plan_step *step);
int init_readonly(struct init *init, const struct plan_step *step);
int init_pivot(struct init *init, const struct plan_step *step);
int init_root_readonly(struct init *init, const struct plan_step *step);
int init_devices(struct init *init, const struct plan_step *step);
int init_device(struct init *init, const struct plan_step *step);
int init_console(struct init *init, const struct plan_step *step);
int init_stdio(struct init *init, const struct plan_step *step);
int init_terminal(struct init *init, const struct plan_step *step);
int init_user(struct init *init, const struct plan_step *step);
int init_identity(struct init *init, const struct plan_step *step);
int init_capabilities(struct init *init, const struct plan_step *step);
int init_seccomp(struct init *init, const struct plan_step *step);
int init_cwd(struct init *init, const struct plan_step *step);
int init_home(struct init *init, const struct plan_step *step);
int init_exec(struct init *init, const struct plan_step *step);
int init_lookup(struct init *init, const struct plan_step *step);
int init_hook(struct init *init, const struct plan_step *step);
