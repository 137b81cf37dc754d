#include "runtime/init/init.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/filter.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "runtime/sys.h"

static int get_capabilities(struct __user_cap_data_struct data[2]) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

        return syscall(SYS_capget, &header, data) < 0 ? -errno : 0;
}

static int set_capabilities(const struct __user_cap_data_struct data[2]) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

        return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/* All of the root was made with the host's rights; copying the mount namespace into the user namespace locks each
 * mount and its flags, so that even the container's own root cannot take a read-only or a mask away. */
int init_user(struct init *init, const struct plan_step *step) {
        if (setns(step->fd < 0 ? init->user_fd : init_fd(init, step->fd), CLONE_NEWUSER) < 0)
                return init_fail(init, errno, "enter the user namespace");
        if (unshare(CLONE_NEWNS) < 0)
                return init_fail(init, errno, "copy the mounts into the user namespace");
        return 0;
}

/* In a user namespace that its maker had no right to give groups to, nobody can drop them either (user_namespaces(7)).
 */
static bool groups_denied(struct init *init) {
        _cleanup_close_ int fd = openat(init->proc_fd, "self/setgroups", O_RDONLY | O_CLOEXEC);
        char text[8] = "";

        return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && strncmp(text, "deny", 4) == 0;
}

int init_identity(struct init *init, const struct plan_step *step) {
        struct __user_cap_data_struct caps[2];
        uid_t uid = (uid_t)step->a;
        gid_t gid = (gid_t)step->b;

        if (syscall(SYS_setgroups, step->data_size / sizeof(gid_t), step->data) < 0) {
                int code = errno;

                if (code != EPERM || step->data_size > 0 || !groups_denied(init))
                        return init_fail(init, code, "set the supplementary groups");
        }
        if (syscall(SYS_setresgid, gid, gid, gid) < 0)
                return init_fail(init, errno, "become group %u", gid);
        /* The filter and the bounding set still need rights after the user has changed. */
        if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || syscall(SYS_setresuid, uid, uid, uid) < 0)
                return init_fail(init, errno, "become user %u", uid);
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        if (get_capabilities(caps) < 0)
                return init_fail(init, errno, "read the capabilities");
        for (int i = 0; i < 2; i++)
                caps[i].effective = caps[i].permitted;
        if (set_capabilities(caps) < 0)
                return init_fail(init, errno, "keep the capabilities");
        umask((mode_t)step->c);
        return 0;
}

/* What is not in @keep, as far as the kernel knows capabilities. Who may not drop any may have none left to drop. */
static int drop_bounding(struct init *init, uint64_t keep) {
        for (int i = 0; i < 64; i++) {
                if (keep >> i & 1 || prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0)
                        continue;
                if (errno == EINVAL)
                        return 0;
                if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
                        return init_fail(init, EPERM, "drop capability %d", i);
        }
        return 0;
}

int init_capabilities(struct init *init, const struct plan_step *step) {
        struct __user_cap_data_struct data[2] = { 0 }, have[2];
        struct capability_sets sets;
        uint64_t permitted;
        int r;

        if (step->data_size != sizeof(sets))
                return init_fail(init, EBADMSG, "capability sets");
        memcpy(&sets, step->data, sizeof(sets));
        r = drop_bounding(init, sets.bounding);
        if (r < 0)
                return r;
        /* What the host itself lacks cannot be given: it is left out, as it is from the bounding set. */
        r = get_capabilities(have);
        if (r < 0)
                return init_fail(init, -r, "read the capabilities");
        permitted = have[0].permitted | (uint64_t)have[1].permitted << 32;
        sets.permitted &= permitted;
        sets.effective &= sets.permitted;
        sets.inheritable &= permitted;
        sets.ambient &= sets.permitted & sets.inheritable;
        for (int i = 0; i < 2; i++)
                data[i] = (struct __user_cap_data_struct){
                        .effective = (uint32_t)(sets.effective >> (32 * i)),
                        .permitted = (uint32_t)(sets.permitted >> (32 * i)),
                        .inheritable = (uint32_t)(sets.inheritable >> (32 * i)),
                };
        r = set_capabilities(data);
        if (r < 0)
                return init_fail(init, -r, "set the capabilities");
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        for (unsigned i = 0; i < 64; i++)
                if (sets.ambient >> i & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
                        return init_fail(init, errno, "raise ambient capability %u", i);
        return 0;
}

int init_seccomp(struct init *init, const struct plan_step *step) {
        struct sock_fprog program = {
                .len = (unsigned short)(step->data_size / sizeof(struct sock_filter)),
                .filter = (struct sock_filter *)(uintptr_t)step->data,
        };

        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, (unsigned)step->a, &program) < 0)
                return init_fail(init, errno, "load the seccomp filter");
        return 0;
}

int init_cwd(struct init *init, const struct plan_step *step) {
        const char *path = plan_string(step, 0);
        _cleanup_close_ int fd = -EBADF;
        char now[PATH_MAX];
        long n;

        fd = step->flags & PLAN_F_DIRECTORY ? init_open_target(init, path, true, false) : init_open(init, path, false);
        if (fd < 0 || fchdir(fd) < 0)
                return init_fail(init, fd < 0 ? -fd : errno, "working directory %s", path);
        /* The system call says "(unreachable)" for what lies outside of the root (CVE-2024-21626). */
        n = syscall(SYS_getcwd, now, sizeof(now));
        if (n < 0 || now[0] != '/')
                return init_fail(init, n < 0 ? errno : EXDEV, "working directory %s is outside of the container", path);
        return 0;
}

/* @array gets pointers to the step's strings, and NULL. */
static size_t split(const struct plan_step *step, char **array, size_t max) {
        size_t n = 0;

        for (size_t at = 0; step && at < step->data_size && n + 1 < max; at += strlen(step->data + at) + 1)
                array[n++] = (char *)(uintptr_t)step->data + at;
        array[n] = NULL;
        return n;
}

static const char *find_path(char *const *env) {
        for (; *env; env++)
                if (strncmp(*env, "PATH=", 5) == 0)
                        return *env + 5;
        return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

/* Calls @try with each path that args[0] can mean, until it says 0. Returns the errno that tells most: a file that was
 * there and could not be run beats one that was not there. */
static int search(char *const *args, char *const *env,
                  int (*try)(const char *path, char *const *args, char *const *env)) {
        char candidate[PATH_MAX];
        int code = ENOENT;

        if (strchr(args[0], '/'))
                return try(args[0], args, env);
        for (const char *p = find_path(env); *p != '\0';) {
                size_t n = strcspn(p, ":");

                if (snprintf(candidate, sizeof(candidate), "%.*s/%s", n ? (int)n : 1, n ? p : ".", args[0]) <
                    PATH_MAX) {
                        int r = try(candidate, args, env);

                        if (r == 0)
                                return 0;
                        if (r != ENOENT && r != ENOTDIR)
                                code = r;
                }
                p += n;
                if (*p == ':')
                        p++;
        }
        return code;
}

/* As execvpe(), with the container's PATH, and without a shell for files that are no programs. */
static int try_execute(const char *path, char *const *args, char *const *env) {
        execve(path, args, env);
        return errno;
}

static int try_access(const char *path, char *const *args, char *const *env) {
        struct stat st;

        if (stat(path, &st) < 0)
                return errno;
        return !S_ISREG(st.st_mode) || !(st.st_mode & 0111) ? EACCES : 0;
}

/* Behind all, or in the place of an empty one. */
static void set_home(const char *home, char **env) {
        if (!home)
                return;
        while (*env && strcmp(*env, "HOME=") != 0)
                env++;
        if (!*env)
                env[1] = NULL;
        *env = (char *)(uintptr_t)home;
}

static int split_all(struct init *init) {
        size_t n = split(init->args, init_room.words, INIT_ARGS_MAX);

        init_room.env = init_room.words + n + 1;
        split(init->env, init_room.env, INIT_ARGS_MAX);
        set_home(init->home, init_room.env);
        return n > 0 ? 0 : init_fail(init, EINVAL, "no command");
}

static int fail_exec(struct init *init, int code) {
        const char *why = "";

        if (code == ENOENT && !strchr(init_room.words[0], '/'))
                why = ": executable file not found in $PATH";
        else if (code == E2BIG)
                why = ": its arguments and environment take more than a quarter of RLIMIT_STACK, or one of them 128 "
                      "KiB";
        return init_fail(init, code, "exec \"%s\"%s", init_room.words[0], why);
}

int init_lookup(struct init *init, const struct plan_step *step) {
        int code = split_all(init);

        if (code < 0)
                return code;
        code = search(init_room.words, init_room.env, try_access);
        return code == 0 ? 0 : fail_exec(init, code);
}

void init_signals(uint64_t ignored) {
        for (int i = 1; i <= 64; i++)
                if (ignored >> (i - 1) & 1)
                        signal(i, SIG_DFL);
}

int init_exec(struct init *init, const struct plan_step *step) {
        int r = split_all(init);
        sigset_t none;

        if (r < 0)
                return r;
        init_signals(init->ignored);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        /* Whatever was forgotten to be marked, closes now (CVE-2024-21626). */
        sys_close_range(3 + init->preserve_fds, ~0U, CLOSE_RANGE_CLOEXEC);
        return fail_exec(init, search(init_room.words, init_room.env, try_execute));
}
