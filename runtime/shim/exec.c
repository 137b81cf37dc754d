#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "runtime/shim/shim.h"
#include "runtime/sys.h"

static void shim_exec_free(struct exec *exec) {
        struct connection *connection = exec->connection;

        close_fd(exec->pid_fd);
        connection->exec = NULL;
        connection->shim->n_execs--;
}

static pid_t parent_of(struct shim *shim, const char *pid) {
        char path[64], text[512], *p;
        _cleanup_close_ int fd = -EBADF;
        ssize_t n;

        snprintf(path, sizeof(path), "%s/stat", pid);
        fd = openat(shim->proc_fd, path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (n <= 0)
                return 0;
        text[n] = '\0';
        p = strrchr(text, ')'); /* then the state and the parent */
        return p && strlen(p) > 4 ? atoi(p + 4) : 0;
}

/* Every process of the exec's session, also those in process groups of their own (a shell's jobs). What another
 * runtime's program executes has a session of its own, and is its child. */
static void kill_session(struct shim *shim, pid_t session, bool children) {
        _cleanup_closedir_ DIR *dir = NULL;
        int fd = openat(shim->proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent *entry;

        dir = fd >= 0 ? fdopendir(fd) : NULL;
        if (!dir)
                close_fd(fd);
        while (dir && (entry = readdir(dir))) {
                pid_t pid = atoi(entry->d_name);

                if (pid > 0 && pid != session &&
                    (getsid(pid) == session || (children && parent_of(shim, entry->d_name) == session)))
                        kill(pid, SIGKILL);
        }
}

void shim_exec_kill(struct exec *exec) {
        struct shim *shim = exec->connection->shim;

        if (exec->helper)
                kill_session(shim, exec->pid, true);
        /* First the one whose exit code counts. It is not yet reaped, so the number cannot be anybody else's. */
        sys_pidfd_send_signal(exec->pid_fd, SIGKILL);
        kill(-exec->pid, SIGKILL);
        kill_session(shim, exec->pid, false);
}

/* One that could not start has said so itself, and this is not read any more. */
bool shim_exec_exited(struct shim *shim, pid_t pid, int status) {
        struct connection *c = shim->connections;
        struct wire_reply reply = { .type = WIRE_EXITED, .exited_at = shim_now() };

        while (c && !(c->exec && c->exec->pid == pid))
                c = c->next;
        if (!c)
                return false;
        reply.exit_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        reply.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        shim_connection_send(c, &reply, NULL, 0);
        shim_exec_free(c->exec);
        shim_connection_close(c);
        return true;
}

static void join_container(const struct container *container, struct spawn *how) {
        how->pid_ns_fd = container->own_pid ? container->pid_fd : -EBADF;
        how->join_fd = container->pid_fd;
        how->join_flags = (int)container->join_flags;
        how->cgroup_fd = container->cgroup_fd;
        how->tasks = container->tasks;
        how->n_tasks = container->n_tasks;
}

#define TEXT_OF(number) #number
#define TEXT_OF_MACRO(macro) TEXT_OF(macro)
#define EXECS_TEXT TEXT_OF_MACRO(SHIM_EXECS_MAX) " processes are executed in this pod at once; no more are possible"

int shim_exec_start(struct connection *connection, struct shim_request *request) {
        struct container *container = shim_container_find(connection->shim, request->head.id);
        bool helper = request->head.flags & WIRE_F_HELPER;
        struct spawn how = {
                .pid_ns_fd = -EBADF,
                .join_fd = -EBADF,
                .cgroup_fd = -EBADF,
                .late_task = -1,
                .reply_fd = connection->source.fd,
        };
        struct exec *exec = &connection->own_exec;
        int r;

        if (connection->exec)
                return -EBUSY;
        if (!container && (!helper || request->head.id[0]))
                return -ENOENT;
        if (container && (container->exited || !container->running))
                return -ESRCH;
        if (connection->shim->n_execs >= SHIM_EXECS_MAX) {
                shim_connection_answer(connection, ENOBUFS, EXECS_TEXT);
                return 1;
        }
        *exec = (struct exec){ .connection = connection, .helper = helper };
        if (!helper)
                join_container(container, &how);
        else if (!container)
                how.cgroup_fd = shim_request_peek(request, request->head.cgroup_fd);
        else if (container->n_tasks >
                 0) /* beside v1 hierarchies another runtime does not see the container's cgroup2 */
                how.cgroup_fd = container->cgroup_fd;
        r = shim_spawn(connection->shim, &how, request, &exec->pid, &exec->pid_fd, NULL);
        if (r < 0)
                return r;
        connection->exec = exec;
        connection->shim->n_execs++;
        return 1;
}
