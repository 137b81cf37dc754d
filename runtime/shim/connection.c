#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/cleanup.h"
#include "runtime/shim/shim.h"
#include "runtime/sys.h"

/* Room for the states of all containers, when the agent is slow. */
#define SUBSCRIBER_BUFFER (1024 * 1024)

void shim_connection_send(struct connection *connection, const struct wire_reply *reply, const int *fds, size_t n_fds) {
        struct wire_reply out = *reply;

        out.magic = WIRE_MAGIC;
        out.size = sizeof(out);
        if (connection->source.fd < 0)
                return;
        /* Who does not read loses the connection, and asks again with a new one. */
        if (wire_send(connection->source.fd,
                      &(struct wire_packet){ .head = &out, .head_size = sizeof(out), .fds = fds, .n_fds = n_fds }) < 0)
                shim_connection_close(connection);
}

void shim_connection_answer(struct connection *connection, int code, const char *text) {
        struct wire_reply reply = { .type = WIRE_DONE, .code = code, .pid = getpid() };

        snprintf(reply.text, sizeof(reply.text), "%s", text ? text : code ? strerror(code) : "");
        shim_connection_send(connection, &reply, NULL, 0);
        if (!connection->subscribed && !connection->exec)
                shim_connection_close(connection);
}

void shim_publish(struct shim *shim, const struct wire_reply *state) {
        for (struct connection *c = shim->connections; c; c = c->next)
                if (c->subscribed && !c->dead)
                        shim_connection_send(c, state, NULL, 0);
}

void shim_close_all(const int *fds, size_t n) {
        for (size_t i = 0; i < n; i++)
                close_fd(fds[i]);
}

static void drop_fds(struct connection *connection) {
        shim_close_all(connection->fds, connection->n_fds);
        shim_unmap(connection->fds, SHIM_FDS_MAX * sizeof(int));
        connection->fds = NULL;
        connection->n_fds = 0;
}

void shim_connection_close(struct connection *connection) {
        if (connection->dead)
                return;
        connection->dead = true;
        shim_source_close(connection->shim, &connection->source);
        drop_fds(connection);
        if (connection->starting)
                connection->starting->starter = NULL;
        if (connection->shim->quitter == connection)
                connection->shim->quitter = NULL;
        if (connection->exec)
                shim_exec_kill(connection->exec);
}

void shim_connection_sweep(struct shim *shim) {
        while (shim->dead_containers) {
                struct container *container = shim->dead_containers;

                shim->dead_containers = container->next;
                shim_unmap(container->taps, SHIM_TAPS_MAX * sizeof(struct tap));
                shim_container_discard(container);
        }
        for (struct connection **p = &shim->connections; *p;) {
                struct connection *c = *p;

                /* An exec whose agent has gone is killed, and reaped through its connection. */
                if (!c->dead || c->exec) {
                        p = &c->next;
                        continue;
                }
                *p = c->next;
                shim->n_connections--;
                shim_connection_discard(c);
        }
}

static int send_states(struct connection *connection, const char *id, bool with_fds) {
        bool found = false;

        for (struct container *c = connection->shim->containers; c && !connection->dead; c = c->next) {
                struct wire_reply state = c->state;
                int fd = c->master_fd >= 0 ? c->master_fd : c->stdin_fd;

                if ((!c->running && !c->exited) || (*id && strcmp(c->state.id, id) != 0))
                        continue;
                found = true;
                if (with_fds && fd >= 0)
                        state.flags |= c->master_fd >= 0 ? WIRE_R_MASTER : WIRE_R_STDIN;
                shim_connection_send(connection, &state, &fd, with_fds && fd >= 0);
        }
        return found || !*id ? 0 : -ENOENT;
}

static int handle_list(struct connection *connection, struct shim_request *request) {
        return send_states(connection, request->head.id, request->head.flags & WIRE_F_FDS);
}

static int handle_subscribe(struct connection *connection, struct shim_request *request) {
        int size = SUBSCRIBER_BUFFER;

        (void)request;
        setsockopt(connection->source.fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
        connection->subscribed = true;
        return send_states(connection, "", false);
}

static int handle_kill(struct connection *connection, struct shim_request *request) {
        struct container *container = shim_container_find(connection->shim, request->head.id);

        if (!container)
                return -ENOENT;
        if (container->exited)
                return -ESRCH;
        return sys_pidfd_send_signal(container->pid_fd, request->head.signal) < 0 ? -errno : 0;
}

static int handle_resize(struct connection *connection, struct shim_request *request) {
        struct container *container = shim_container_find(connection->shim, request->head.id);
        struct {
                unsigned short row, column, x, y;
        } size = { request->head.rows, request->head.columns, 0, 0 };

        if (!container)
                return -ENOENT;
        if (container->master_fd < 0)
                return -ENOTTY;
        return syscall(SYS_ioctl, container->master_fd, 0x5414 /* TIOCSWINSZ */, &size) < 0 ? -errno : 0;
}

static int handle_reopen_log(struct connection *connection, struct shim_request *request) {
        struct container *container = shim_container_find(connection->shim, request->head.id);

        if (!container)
                return -ENOENT;
        return container->writer.open ? logs_writer_reopen(&container->writer) : 0;
}

static int handle_close_stdin(struct connection *connection, struct shim_request *request) {
        struct container *container = shim_container_find(connection->shim, request->head.id);

        if (!container)
                return -ENOENT;
        container->stdin_fd = close_fd(container->stdin_fd);
        return 0;
}

static int handle_delete(struct connection *connection, struct shim_request *request) {
        struct container *container = shim_container_find(connection->shim, request->head.id);

        if (!container)
                return -ENOENT;
        /* Its end may be known to the kernel and not yet here. */
        if (!container->exited)
                shim_reap(connection->shim);
        if (!container->exited)
                return -EBUSY;
        shim_container_free(container);
        return 0;
}

static int handle_reaped(struct connection *connection, struct shim_request *request) {
        struct container *container = shim_container_find(connection->shim, request->head.id);

        if (!container)
                return -ENOENT;
        if (container->exited)
                return 0;
        if (request->head.exit_code < 0 && container->adopted.fd >= 0)
                shim_container_lost(container);
        else
                shim_container_reaped(container, request->head.exit_code, request->head.exit_signal,
                                      request->head.exited_at);
        return 0;
}

static int handle_exec_kill(struct connection *connection, struct shim_request *request) {
        (void)request;
        if (!connection->exec)
                return -ENOENT;
        shim_exec_kill(connection->exec);
        return 0;
}

/* Ends with its containers: those in a pid namespace of their own die by SIGKILL to their first process. The rest of
 * a pod in the host's pid namespace is the agent's to kill by its cgroup. */
static int handle_shutdown(struct connection *connection, struct shim_request *request) {
        struct shim *shim = connection->shim;

        (void)request;
        for (struct container *c = shim->containers; c; c = c->next)
                if (!c->exited)
                        sys_pidfd_send_signal(c->pid_fd, SIGKILL);
        if (shim->holder_fd >= 0)
                sys_pidfd_send_signal(shim->holder_fd, SIGKILL);
        for (struct connection *c = shim->connections; c; c = c->next)
                if (c->exec)
                        shim_exec_kill(c->exec);
        shim->quitting = true;
        shim->quitter = connection;
        shim_reap(shim);
        return 1;
}

/* A handler returns 0 or a negative errno, which is the answer, or 1: it answers itself, now or later. */
static const struct {
        int (*handle)(struct connection *connection, struct shim_request *request);
        bool silent; /* no WIRE_DONE */
} handlers[WIRE_REQUESTS] = {
        [WIRE_SETUP] = { shim_setup, false },
        [WIRE_START] = { shim_container_start, false },
        [WIRE_EXEC] = { shim_exec_start, false },
        [WIRE_EXEC_KILL] = { handle_exec_kill, true },
        [WIRE_ADOPT] = { shim_container_adopt, false },
        [WIRE_REAPED] = { handle_reaped, true },
        [WIRE_KILL] = { handle_kill, false },
        [WIRE_RESIZE] = { handle_resize, false },
        [WIRE_REOPEN_LOG] = { handle_reopen_log, false },
        [WIRE_ATTACH] = { shim_container_attach, false },
        [WIRE_CLOSE_STDIN] = { handle_close_stdin, false },
        [WIRE_LIST] = { handle_list, false },
        [WIRE_SUBSCRIBE] = { handle_subscribe, true },
        [WIRE_DELETE] = { handle_delete, false },
        [WIRE_SHUTDOWN] = { handle_shutdown, false },
};

void shim_request_serve(struct connection *connection, struct shim_request *request) {
        const struct wire_request *head = &request->head;
        int r;

        if (!handlers[head->type].handle) {
                shim_connection_answer(connection, EBADMSG, "the request is malformed");
                return;
        }
        r = handlers[head->type].handle(connection, request);
        if (r <= 0 && !handlers[head->type].silent)
                shim_connection_answer(connection, -r, NULL);
}
