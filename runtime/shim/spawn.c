#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "lib/cleanup.h"
#include "runtime/shim/shim.h"
#include "runtime/sys.h"

/* As the shim itself would say it. */
static int reply(int fd, const struct init_report *report) {
        struct wire_reply reply = {
                .magic = WIRE_MAGIC,
                .type = report->kind == INIT_ERROR ? WIRE_DONE : WIRE_WARNING,
                .size = sizeof(reply),
                .code = report->code,
        };

        snprintf(reply.text, sizeof(reply.text), "%s", report->text);
        return wire_send(fd, &(struct wire_packet){ .head = &reply, .head_size = sizeof(reply) });
}

/* In the child. */
static _Noreturn void child(struct shim *shim, const struct spawn *spawn, const struct shim_request *request,
                            int report) {
        static struct init init;
        bool failed = false;

        init_prepare(&init, request->plan, request->head.plan_size, request->fds, request->n_fds);
        init.proc_fd = shim->proc_fd;
        init.report_fd = report;
        init.tell = spawn->reply_fd >= 0 ? reply : NULL;
        init.user_fd = shim->user_fd;
        init.ignored = UINT64_C(1) << (SIGPIPE - 1); /* by main(), which has reset all others */
        for (unsigned i = 0; i < spawn->n_tasks && !failed; i++)
                failed = (int)i != spawn->late_task && init_cgroup(&init, spawn->tasks[i]) < 0;
        if (!failed && spawn->join_fd >= 0)
                failed = init_join(&init, spawn->join_fd, spawn->join_flags) < 0;
        if (failed)
                init_give_up(&init);
        if (spawn->clone_flags & CLONE_NEWNS) {
                init.null_fd = open("/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
                init.empty_fd = open("/empty", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                init.shm_fd = open("/shm", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        init_run(&init);
}

int shim_spawn(struct shim *shim, const struct spawn *spawn, const struct shim_request *request, pid_t *ret_pid,
               int *ret_pid_fd, int *ret_report) {
        _cleanup_close_ int ours = -EBADF, theirs = -EBADF;
        int pair[2] = { -EBADF, -EBADF }, pid_fd = -EBADF, code;
        pid_t pid;

        if (spawn->reply_fd < 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        ours = pair[0];
        theirs = pair[1];
        if (spawn->pid_ns_fd >= 0 && setns(spawn->pid_ns_fd, CLONE_NEWPID) < 0)
                return -errno;
        pid = sys_clone(spawn->clone_flags, spawn->cgroup_fd, &pid_fd);
        code = errno;
        if (pid == 0)
                child(shim, spawn, request, spawn->reply_fd < 0 ? theirs : spawn->reply_fd);
        if (spawn->pid_ns_fd >= 0)
                setns(shim->own_pid_fd, CLONE_NEWPID);
        if (pid < 0)
                return -code;
        *ret_pid = pid;
        *ret_pid_fd = pid_fd;
        if (ret_report)
                *ret_report = TAKE_FD(ours);
        return 0;
}

int shim_spawn_report(int fd, struct init_report *report, int *ret_fd) {
        int fds[1];
        size_t n_fds = 0;
        ssize_t n = wire_receive(fd, report, sizeof(*report), fds, 1, &n_fds);

        *ret_fd = n_fds > 0 ? fds[0] : -EBADF;
        if (n == (ssize_t)sizeof(*report)) {
                report->text[INIT_TEXT_MAX - 1] = '\0';
                return 1;
        }
        /* ECONNRESET: the end of a child that left something unread. */
        return n == -EAGAIN ? -EAGAIN : 0;
}
