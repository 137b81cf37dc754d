#include "runtime/init/init.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "runtime/sys.h"

__attribute__((common)) struct init_room init_room;

void init_prepare(struct init *init, const char *plan, size_t size, const int *fds, size_t n_fds) {
        *init = (struct init){
                .plan = plan,
                .plan_size = size,
                .ignored = ~UINT64_C(0),
                .fds = fds,
                .n_fds = n_fds,
                .proc_fd = -EBADF,
                .report_fd = -EBADF,
                .start_fd = -EBADF,
                .null_fd = -EBADF,
                .empty_fd = -EBADF,
                .shm_fd = -EBADF,
                .user_fd = -EBADF,
                .root_fd = -EBADF,
                .devpts_fd = -EBADF,
                .held_fd = -EBADF,
        };
}

int init_fail(struct init *init, int code, const char *format, ...) {
        va_list args;
        size_t n;

        init->error = (struct init_report){ .kind = INIT_ERROR, .code = code };
        va_start(args, format);
        vsnprintf(init->error.text, sizeof(init->error.text), format, args);
        va_end(args);
        n = strlen(init->error.text);
        snprintf(init->error.text + n, sizeof(init->error.text) - n, ": %s", strerror(code));
        return -code;
}

static int tell(const struct init *init, const struct init_report *report) {
        if (init->report_fd < 0)
                return -EBADF;
        if (init->tell)
                return init->tell(init->report_fd, report);
        return send(init->report_fd, report, sizeof(*report), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void init_warn(struct init *init, int code, const char *format, ...) {
        struct init_report report = { .kind = INIT_WARNING, .code = code };
        va_list args;
        size_t n;

        va_start(args, format);
        vsnprintf(report.text, sizeof(report.text), format, args);
        va_end(args);
        n = strlen(report.text);
        snprintf(report.text + n, sizeof(report.text) - n, ": %s", strerror(code));
        tell(init, &report);
}

int init_fd(const struct init *init, int64_t index) {
        return index >= 0 && index < (int64_t)init->n_fds ? init->fds[index] : -EBADF;
}

int init_cgroup(struct init *init, int fd) {
        if (write(fd, "0", 1) != 1)
                return init_fail(init, errno, "join the cgroup");
        return 0;
}

static int step_cgroup(struct init *init, const struct plan_step *step) {
        return init_cgroup(init, init_fd(init, step->fd));
}

int init_join(struct init *init, int fd, int flags) {
        if (setns(fd, flags) < 0)
                return init_fail(init, errno, "join namespaces 0x%x", (unsigned)flags);
        if (flags & CLONE_NEWNS) {
                init->root_fd = close_fd(init->root_fd);
                init->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (init->root_fd < 0)
                        return init_fail(init, errno, "open the container's root");
        }
        return 0;
}

static int step_join(struct init *init, const struct plan_step *step) {
        return init_join(init, init_fd(init, step->fd), (int)step->a);
}

static int step_unshare(struct init *init, const struct plan_step *step) {
        if (unshare((int)step->a) < 0)
                return init_fail(init, errno, "make namespaces 0x%x", (unsigned)step->a);
        return 0;
}

static int step_hostname(struct init *init, const struct plan_step *step) {
        const char *name = plan_string(step, 0);

        if ((step->kind == PLAN_HOSTNAME ? sethostname(name, strlen(name)) : setdomainname(name, strlen(name))) < 0)
                return init_fail(init, errno, "set the host name \"%s\"", name);
        return 0;
}

/* By the host's /proc: the kernel takes the sysctls of the writer's namespaces, whatever mount they are reached by,
 * and nothing that a container can mount or link lies on the way. */
static int step_sysctl(struct init *init, const struct plan_step *step) {
        const char *key = plan_string(step, 0), *value = plan_string(step, 1);
        struct sys_open_how how = {
                .flags = O_WRONLY | O_CLOEXEC,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
        };
        _cleanup_close_ int dir = -EBADF, fd = -EBADF;

        dir = openat(init->proc_fd, "sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir >= 0)
                fd = sys_openat2(dir, key, &how);
        if (fd < 0 || write(fd, value, strlen(value)) < 0)
                return init_fail(init, errno, "set sysctl %s to \"%s\"", key, value);
        return 0;
}

static int step_oom_score(struct init *init, const struct plan_step *step) {
        _cleanup_close_ int fd = openat(init->proc_fd, "self/oom_score_adj", O_WRONLY | O_CLOEXEC);
        char text[16];
        int n = snprintf(text, sizeof(text), "%d", (int)(int64_t)step->a);

        if (fd >= 0 && write(fd, text, (size_t)n) == n)
                return 0;
        if (step->flags & PLAN_F_SOFT && (errno == EACCES || errno == EPERM)) {
                init_warn(init, errno, "oom_score_adj %s", text);
                return 0;
        }
        return init_fail(init, errno, "oom_score_adj %s", text);
}

static int step_rlimit(struct init *init, const struct plan_step *step) {
        struct rlimit limit = { .rlim_cur = step->b, .rlim_max = step->c };

        if (setrlimit((int)step->a, &limit) == 0)
                return 0;
        if (step->flags & PLAN_F_SOFT && errno == EPERM) {
                struct rlimit now;

                init_warn(init, EPERM, "rlimit %d: %llu", (int)step->a, (unsigned long long)step->c);
                /* As far as is allowed: a soft limit up to the hard one that there is. */
                if (getrlimit((int)step->a, &now) == 0) {
                        now.rlim_cur = step->b < now.rlim_max ? step->b : now.rlim_max;
                        setrlimit((int)step->a, &now);
                }
                return 0;
        }
        return init_fail(init, errno, "rlimit %d", (int)step->a);
}

static int step_keyring(struct init *init, const struct plan_step *step) {
        /* ENOSYS: a kernel without keys; EDQUOT and EPERM: an outer seccomp filter. None of them shares a keyring. */
        if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
                init_warn(init, errno, "a session keyring of its own");
        return 0;
}

static int step_no_new_privileges(struct init *init, const struct plan_step *step) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return init_fail(init, errno, "set no_new_privs");
        return 0;
}

static int step_lsm(struct init *init, const struct plan_step *step) {
        bool apparmor = step->kind == PLAN_APPARMOR;
        const char *label = plan_string(step, 0);
        _cleanup_close_ int fd = -EBADF;
        char text[512];
        int n = snprintf(text, sizeof(text), "%s%s", apparmor ? "exec " : "", label);

        fd = openat(init->proc_fd, apparmor ? "self/attr/apparmor/exec" : "self/attr/exec", O_WRONLY | O_CLOEXEC);
        if (fd < 0 && apparmor && errno == ENOENT)
                fd = openat(init->proc_fd, "self/attr/exec", O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, text, (size_t)n) != n)
                return init_fail(init, errno, "%s \"%s\"", apparmor ? "AppArmor profile" : "SELinux label", label);
        return 0;
}

static int step_args(struct init *init, const struct plan_step *step) {
        if (step->kind == PLAN_ARGS)
                init->args = step;
        else
                init->env = step;
        return 0;
}

/* Opening a FIFO to write waits for its reader, but not through a descriptor that is open already: by name once more.
 */
static int step_wait(struct init *init, const struct plan_step *step) {
        const struct init_report report = { .kind = INIT_WAITS };
        char path[64];

        send(init->report_fd, &report, sizeof(report), MSG_NOSIGNAL);
        snprintf(path, sizeof(path), "self/fd/%d", init_fd(init, step->fd));
        init->start_fd = openat(init->proc_fd, path, O_WRONLY | O_CLOEXEC);
        if (init->start_fd < 0 || write(init->start_fd, "0", 1) != 1)
                return init_fail(init, errno, "wait for the start");
        return 0;
}

static int step_sync(struct init *init, const struct plan_step *step) {
        const struct init_report report = { .kind = INIT_SYNC };
        char go;

        if ((step->kind == PLAN_SYNC && send(init->report_fd, &report, sizeof(report), MSG_NOSIGNAL) < 0) ||
            recv(init->report_fd, &go, 1, 0) != 1)
                return init_fail(init, ECANCELED, "the runtime gave up");
        return 0;
}

static const init_step steps[PLAN_KINDS] = {
        [PLAN_CGROUP] = step_cgroup,
        [PLAN_JOIN] = step_join,
        [PLAN_UNSHARE] = step_unshare,
        [PLAN_HOSTNAME] = step_hostname,
        [PLAN_DOMAINNAME] = step_hostname,
        [PLAN_SYSCTL] = step_sysctl,
        [PLAN_ROOT] = init_root,
        [PLAN_MOUNT] = init_mount,
        [PLAN_MOUNT_NEW] = init_mount_new,
        [PLAN_MOUNT_SHM] = init_mount_shm,
        [PLAN_DEVICES] = init_devices,
        [PLAN_DEVICE] = init_device,
        [PLAN_CONSOLE] = init_console,
        [PLAN_MASK] = init_mask,
        [PLAN_READONLY] = init_readonly,
        [PLAN_PIVOT] = init_pivot,
        [PLAN_ROOT_READONLY] = init_root_readonly,
        [PLAN_STDIO] = init_stdio,
        [PLAN_TERMINAL] = init_terminal,
        [PLAN_OOM_SCORE] = step_oom_score,
        [PLAN_RLIMIT] = step_rlimit,
        [PLAN_KEYRING] = step_keyring,
        [PLAN_USER] = init_user,
        [PLAN_IDENTITY] = init_identity,
        [PLAN_CAPABILITIES] = init_capabilities,
        [PLAN_SECCOMP] = init_seccomp,
        [PLAN_NO_NEW_PRIVILEGES] = step_no_new_privileges,
        [PLAN_APPARMOR] = step_lsm,
        [PLAN_SELINUX] = step_lsm,
        [PLAN_CWD] = init_cwd,
        [PLAN_ARGS] = step_args,
        [PLAN_ENV] = step_args,
        [PLAN_HOME] = init_home,
        [PLAN_EXEC] = init_exec,
        [PLAN_LOOKUP] = init_lookup,
        [PLAN_WAIT] = step_wait,
        [PLAN_SYNC] = step_sync,
        [PLAN_HOOK] = init_hook,
        [PLAN_GO] = step_sync,
        [PLAN_LINK] = init_link,
};

int init_walk(struct init *init) {
        const struct plan_step *step = NULL;

        if (!plan_valid(init->plan, init->plan_size, init->n_fds))
                return init_fail(init, EBADMSG, "the plan is malformed");
        while ((step = plan_next(init->plan, init->plan_size, step))) {
                int r = steps[step->kind] ? steps[step->kind](init, step) :
                                            init_fail(init, ENOTSUP, "step %u", step->kind);

                if (r < 0)
                        return r;
        }
        return 0;
}

void init_hide(void) {
        /* Nothing in the container may trace or open this process before it has become the container's program
         * (CVE-2016-9962, CVE-2019-5736). */
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        umask(0);
}

_Noreturn void init_give_up(struct init *init) {
        const struct init_report *error = &init->error;

        /* `create` has gone when `start` comes; should that have gone too, the container's own error output says it. */
        signal(SIGPIPE, SIG_IGN);
        if (tell(init, error) < 0 && write(init->start_fd, error, sizeof(*error)) < 0)
                dprintf(2, "nacelle: %s\n", error->text);
        _exit(127);
}

_Noreturn void init_run(struct init *init) {
        init_hide();
        init_walk(init);
        init_give_up(init);
}
