#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <termios.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"
#include "runtime/init/init.h"
#include "runtime/init/part.h"
#include "runtime/oci/oci.h"
#include "runtime/plan/plan.h"
#include "runtime/sys.h"
#include "runtime/wire.h"

/* The host's /proc and null device, and not what somebody mounted or linked in their place. */
static int open_host(int *ret_proc, int *ret_null, struct err **err) {
        _cleanup_close_ int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_close_ int null = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct statfs fs;

        if (proc < 0 || fstatfs(proc, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
                return err_set(err, ENOTSUP, "/proc is not the proc file system");
        if (!init_is_null(null))
                return err_set(err, ENOTSUP, "/dev/null is not the null device");
        *ret_proc = TAKE_FD(proc);
        *ret_null = TAKE_FD(null);
        return 0;
}

void oci_add_cgroups(struct plan *plan, const struct cgroup_join *join, int late) {
        for (size_t i = 0; i < join->n_tasks; i++)
                if ((int)i != late)
                        plan_add(plan, PLAN_CGROUP, plan_dup_fd(plan, join->tasks[i]), NULL, 0);
}

static _Noreturn void child(int program, int report, int pid_ns, const struct oci_io *io) {
        static struct init_report failure = { .kind = INIT_ERROR };

        oci_streams_take(&io->streams);
        failure.code = -oci_program_run(program, report, pid_ns, io->preserve_fds);
        snprintf(failure.text, sizeof(failure.text), "execute " INIT_PROGRAM ": %s", strerror(failure.code));
        send(report, &failure, sizeof(failure), MSG_NOSIGNAL);
        _exit(127);
}

int oci_send_master(const char *path, int master, struct err **err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int r;

        if (strlen(path) >= sizeof(address.sun_path))
                return err_set(err, ENAMETOOLONG, "console socket %s", path);
        strcpy(address.sun_path, path);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return err_errno(err, errno, "console socket %s", path);
        r = wire_send(fd, &(struct wire_packet){
                                  .head = "/dev/ptmx", .head_size = sizeof("/dev/ptmx"), .fds = &master, .n_fds = 1 });
        return r < 0 ? err_errno(err, -r, "console socket %s", path) : 0;
}

struct listen {
        const struct oci_spawn *how;
        const struct oci_io *io;
        pid_t pid;
        int report, master;
        bool waits;
};

/* Does what comes before a step that waits for us, and lets the child go on. */
static int pass(struct listen *l, int (*before)(void *data, pid_t pid, struct err **err), struct err **err) {
        int r = before(l->how->data, l->pid, err);

        if (r < 0)
                return r;
        /* A child that has failed says so itself. */
        return send(l->report, "", 1, MSG_NOSIGNAL) != 1 && errno != EPIPE && errno != ECONNRESET ?
                       err_errno(err, errno, "continue the container") :
                       0;
}

static int handle(struct listen *l, const struct init_report *report, int fd, struct err **err) {
        switch (report->kind) {
        case INIT_WARNING:
                log_warning("%s", report->text);
                return 0;
        case INIT_ERROR:
                return err_set(err, report->code, "%s", report->text);
        case INIT_CONSOLE:
                if (l->io->console_socket)
                        return oci_send_master(l->io->console_socket, fd, err);
                l->master = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                return 0;
        case INIT_SYNC: {
                int r = pass(l, l->how->sync, err);

                return r == 0 && l->how->start ? pass(l, l->how->start, err) : r;
        }
        default:
                l->waits = true;
                return 0;
        }
}

static int listen_reports(struct listen *l, struct err **err) {
        while (!l->waits) {
                struct init_report report;
                int fd[1] = { -EBADF }, r;
                size_t n_fds = 0;
                ssize_t n = wire_receive(l->report, &report, sizeof(report), fd, 1, &n_fds);

                if (n == -ECONNRESET)
                        continue; /* it ended with something of ours unread; what it reported comes next */
                if (n != (ssize_t)sizeof(report))
                        return 0; /* execve() closed it, or it was killed, which the caller's wait tells */
                report.text[INIT_TEXT_MAX - 1] = '\0';
                r = handle(l, &report, fd[0], err);
                close_fd(fd[0]);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A child that has failed does not read any more: what it reported says why. */
static int send_part(int socket, struct init_part *part, struct plan *plan, struct err **err) {
        int r = init_part_send(socket, part, plan);

        return r < 0 && r != -EPIPE && r != -ECONNRESET ? err_errno(err, -r, "send the container's plan") : 0;
}

/* With what the child needs of the host for all of its plan. */
static int send_lead(const struct oci_spawn *how, int socket, int proc, int null, unsigned preserve, struct err **err) {
        struct init_part part = { .null_fd = -1, .preserve_fds = preserve };
        _cleanup_plan_ struct plan plan = { 0 };
        int r = how->lead(how->data, &plan, err);

        if (r < 0)
                return r;
        part.proc_fd = plan_dup_fd(&plan, proc);
        part.user_fd = plan_dup_fd(&plan, how->user_fd);
        if (!how->own_mounts)
                part.null_fd = plan_dup_fd(&plan, null);
        return send_part(socket, &part, &plan, err);
}

static int send_rest(const struct oci_spawn *how, int socket, struct err **err) {
        _cleanup_plan_ struct plan plan = { 0 };
        struct init_part part = { 0 };
        int r = how->prepare(how->data, &plan, err);

        return r < 0 ? r : send_part(socket, &part, &plan, err);
}

static int clone_child(const struct oci_spawn *how, const struct oci_io *io, int report, pid_t *ret_pid,
                       struct err **err) {
        _cleanup_close_ int program = -EBADF;
        int r = oci_program_open(&program, err);

        if (r < 0)
                return r;
        /* Until it has closed itself to others, nobody else may look into it (CVE-2016-9962). */
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        *ret_pid = sys_clone(how->clone_flags, how->cgroup_fd, NULL);
        if (*ret_pid == 0)
                child(program, report, how->pid_ns_fd, io);
        return *ret_pid < 0 ? err_errno(err, errno, "make the container's process") : 0;
}

/* The process that joined the PID namespace has ended, and left its child in its place (init_serve()). */
static int take_over(struct listen *l, struct err **err) {
        struct init_report report = { 0 };
        size_t n_fds = 0;
        ssize_t n;

        do
                n = wire_receive(l->report, &report, sizeof(report), NULL, 0, &n_fds);
        while (n == -ECONNRESET);
        waitpid(l->pid, NULL, 0);
        l->pid = -1;
        if (n != (ssize_t)sizeof(report))
                return err_set(err, ECHILD, "the container's process ended while it joined the pid namespace");
        if (report.kind != INIT_CHILD)
                return err_set(err, report.code, "%.*s", INIT_TEXT_MAX, report.text);
        l->pid = report.code;
        return 0;
}

static void give_up(struct listen *l) {
        if (l->pid > 0) {
                kill(l->pid, SIGKILL);
                waitpid(l->pid, NULL, 0);
        }
        close_fd(l->master);
}

int oci_spawn(const struct oci_spawn *how, struct oci_io *io, pid_t *ret_pid, int *ret_master, struct err **err) {
        _cleanup_close_ int ours = -EBADF, theirs = -EBADF, proc = -EBADF, null = -EBADF;
        struct listen listener = { .how = how, .io = io, .master = -EBADF };
        int pair[2], r = open_host(&proc, &null, err);

        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return err_errno(err, errno, "socketpair");
        listener.report = ours = pair[0];
        theirs = pair[1];
        r = oci_streams_open(&io->streams, how->stdio_uid, !io->detach, io->preserve_fds, err);
        if (r == 0)
                r = clone_child(how, io, theirs, &listener.pid, err);
        oci_streams_passed(&io->streams);
        if (r < 0) {
                oci_streams_close(&io->streams);
                return r;
        }
        theirs = close_fd(theirs);
        if ((how->pid_ns_fd >= 0 && (r = take_over(&listener, err)) < 0) ||
            (r = send_lead(how, ours, proc, null, io->preserve_fds, err)) < 0 || (r = send_rest(how, ours, err)) < 0 ||
            (how->beside && (r = how->beside(how->data, err)) < 0) ||
            (how->start && !how->sync && (r = pass(&listener, how->start, err)) < 0) ||
            (r = listen_reports(&listener, err)) < 0) {
                give_up(&listener);
                oci_streams_close(&io->streams);
                return r;
        }
        *ret_pid = listener.pid;
        *ret_master = listener.master;
        return 0;
}

int oci_write_pid(const char *path, pid_t pid, struct err **err) {
        _cleanup_close_ int fd = path ? open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644) : -EBADF;

        if (path && (fd < 0 || dprintf(fd, "%d", pid) < 0))
                return err_errno(err, errno, "pid file %s", path);
        return 0;
}

/* Copies between our terminal (or pipes) and the container's until it ends. */
static void proxy(int master, int pidfd) {
        struct pollfd fds[3] = { { .fd = 0, .events = POLLIN },
                                 { .fd = master, .events = POLLIN },
                                 { .fd = pidfd, .events = POLLIN } };
        struct termios before, raw;
        bool terminal = tcgetattr(0, &before) == 0;
        struct winsize size;
        char data[4096];
        ssize_t n;

        if (terminal) {
                raw = before;
                cfmakeraw(&raw);
                tcsetattr(0, TCSANOW, &raw);
                if (ioctl(0, TIOCGWINSZ, &size) == 0)
                        ioctl(master, TIOCSWINSZ, &size);
        }
        for (;;) {
                if (poll(fds, 3, -1) < 0 && errno != EINTR)
                        break;
                if (fds[0].revents) {
                        n = read(0, data, sizeof(data));
                        if (n <= 0 || write(master, data, (size_t)n) != n)
                                fds[0].fd = -1;
                }
                if (fds[1].revents) {
                        n = read(master, data, sizeof(data));
                        if (n <= 0 || write(1, data, (size_t)n) != n)
                                break;
                } else if (fds[2].revents) {
                        break;
                }
        }
        if (terminal)
                tcsetattr(0, TCSANOW, &before);
}

int oci_wait(pid_t pid, int master, struct oci_io *io) {
        _cleanup_close_ int pidfd = sys_pidfd_open(pid);
        int status;

        if (master >= 0)
                proxy(master, pidfd);
        oci_streams_copy(&io->streams, pidfd);
        oci_streams_close(&io->streams);
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return 255;
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
