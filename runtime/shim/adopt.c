/* Containers that another shim started, and that go on with this one. */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "runtime/shim/shim.h"
#include "runtime/spec.h"
#include "runtime/sys.h"

#ifndef PIDFD_GET_INFO
#define PIDFD_GET_INFO 0xc040ff0bu
#define PIDFD_INFO_EXIT (1u << 3)
#endif

/* The other shim's child: only its parent can collect it, and tells us. Without one it is init's, and the kernel keeps
 * the exit code for the pidfd (PIDFD_GET_INFO, since 6.15), else nobody knows. */
void shim_container_lost(struct container *container) {
        struct {
                uint64_t mask, cgroup;
                uint32_t ids[11];
                int32_t exit_code;
        } info = { .mask = PIDFD_INFO_EXIT };
        int status;

        _Static_assert(sizeof(info) == 64, "PIDFD_INFO_SIZE_VER0");
        if (syscall(SYS_ioctl, container->adopted.fd, PIDFD_GET_INFO, &info) < 0) {
                shim_container_reaped(container, -1, 0, shim_now());
                return;
        }
        if (!(info.mask & PIDFD_INFO_EXIT))
                return; /* not collected yet: EPOLLHUP will tell */
        status = info.exit_code;
        shim_container_reaped(container, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
                              WIFSIGNALED(status) ? WTERMSIG(status) : 0, shim_now());
}

static void adopted_ready(struct shim_source *source, uint32_t events) {
        struct container *container = (struct container *)((char *)source - offsetof(struct container, adopted));
        if (events & EPOLLHUP)
                shim_container_lost(container);
        else /* dead, not yet collected: from now on only EPOLLHUP is told, where the kernel has that */
                shim_source_rearm(container->shim, source, 0);
}

/* A descendant that became our child when what made it ended: collected as the others, if nobody did that yet. */
static int take_child(struct container *container, int pid_fd) {
        siginfo_t info = { 0 };

        if (pid_fd < 0)
                return -EBADMSG;
        container->pid_fd = pid_fd;
        return waitid((idtype_t)3 /* P_PIDFD */, (id_t)pid_fd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ? -ESRCH : 0;
}

/* What the shim before had begun, of both streams before more is logged of one. All that a terminal said may be in the
 * relay already, and its own descriptor tells nothing of that. */
static void resume_streams(struct container *container) {
        for (int i = 0; i < 2; i++)
                if (container->streams[i].source.fd >= 0)
                        logs_stream_resume(&container->streams[i].log, &container->shim->arena);
        if (container->relay_fd >= 0 && container->streams[0].source.fd >= 0)
                container->streams[0].source.ready(&container->streams[0].source, 0);
}

static int take_over(struct container *container, struct shim_request *request) {
        const struct wire_request *head = &request->head;
        int r = shim_container_open_streams(container, request), fd;

        if (r < 0)
                return r;
        fd = shim_request_take(request, head->pid_fd);
        if (head->flags & WIRE_F_CHILD)
                return take_child(container, fd);
        resume_streams(container);
        if (fd < 0) {
                shim_container_reaped(container, head->exit_code, head->exit_signal, head->exited_at);
                return 0;
        }
        container->pid_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        container->adopted.ready = adopted_ready;
        r = shim_source_add(container->shim, &container->adopted, fd, EPOLLIN);
        if (r < 0)
                close_fd(fd);
        return r;
}

int shim_container_adopt(struct connection *connection, struct shim_request *request) {
        const struct wire_request *head = &request->head;
        struct shim *shim = connection->shim;
        struct container *container;
        int r = shim_container_check_new(connection, head->id);

        if (r != 0)
                return r;
        container = shim_container_new(shim, request);
        if (!container)
                return -ENOMEM;
        container->running = true;
        container->join_flags = head->clone_flags;
        container->own_pid = head->pid_mode != NAMESPACE_INHERIT;
        container->state.pid = head->pid;
        container->state.flags = head->flags & WIRE_F_CHILD ? 0 : WIRE_R_ADOPTED;
        container->state.started_at = head->started_at;
        r = take_over(container, request);
        if (r < 0)
                shim_container_free(container);
        return r;
}
