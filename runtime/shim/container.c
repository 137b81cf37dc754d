#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "runtime/shim/shim.h"
#include "runtime/spec.h"
#include "runtime/sys.h"

_Static_assert(sizeof(struct container) <= 4096, "a container's record is one page");

struct container *shim_container_find(struct shim *shim, const char *id) {
        struct container *c = shim->containers;

        while (c && strcmp(c->state.id, id) != 0)
                c = c->next;
        return c;
}

struct container *shim_container_find_pid(struct shim *shim, pid_t pid) {
        struct container *c = shim->containers;

        while (c && (c->state.pid != pid || c->exited || c->adopted.fd >= 0))
                c = c->next;
        return c;
}

#define STREAM_EVENTS (EPOLLIN | EPOLLET)

static void stream_ready(struct shim_source *source, uint32_t events) {
        struct stream *stream = (struct stream *)source;
        struct shim *shim = stream->container->shim;

        (void)events;
        switch (logs_stream_read(&stream->log, &shim->arena)) {
        case LOGS_IDLE:
                return;
        case LOGS_MORE: /* its edge is over, but not what came with it */
                shim_source_rearm(shim, source, STREAM_EVENTS);
                return;
        case LOGS_ENDED:
                break;
        }
        logs_stream_end(&stream->log, &shim->arena);
        shim_source_close(shim, source);
}

static void end_streams(struct container *container) {
        for (int i = 0; i < 2; i++) {
                struct stream *stream = &container->streams[i];

                if (stream->source.fd < 0)
                        continue;
                logs_stream_end(&stream->log, &container->shim->arena);
                shim_source_close(container->shim, &stream->source);
        }
        shim_container_detach_all(container);
        /* A terminal's other side may still be held by somebody's attach; nothing can come any more. */
        container->master_fd = close_fd(container->master_fd);
        container->stdin_fd = close_fd(container->stdin_fd);
        container->relay_fd = close_fd(container->relay_fd);
        logs_writer_close(&container->writer);
}

static int watch_stream(struct container *container, enum logs_stream_name name, int fd) {
        struct stream *stream = &container->streams[name];

        if (fd < 0)
                return 0;
        stream->source = (struct shim_source){ .ready = stream_ready, .fd = -EBADF };
        stream->container = container;
        logs_stream_init(&stream->log, fd, name, &container->writer);
        stream->log.userdata = container;
        stream->log.relay_fd = container->relay_fd;
        return shim_source_add(container->shim, &stream->source, fd, STREAM_EVENTS);
}

void shim_container_free(struct container *container) {
        struct shim *shim = container->shim;

        for (struct container **p = &shim->containers; *p; p = &(*p)->next)
                if (*p == container) {
                        *p = container->next;
                        shim->n_containers--;
                        break;
                }
        end_streams(container);
        shim_source_close(shim, &container->report);
        shim_source_close(shim, &container->adopted);
        close_fd(container->pid_fd);
        close_fd(container->cgroup_fd);
        for (unsigned i = 0; i < container->n_tasks; i++)
                close_fd(container->tasks[i]);
        if (container->starter)
                container->starter->starting = NULL;
        container->next = shim->dead_containers;
        shim->dead_containers = container;
}

void shim_container_reaped(struct container *container, int code, int signal, uint64_t at) {
        container->exited = true;
        shim_source_close(container->shim, &container->adopted);
        container->state.phase = WIRE_PHASE_EXITED;
        container->state.exit_code = code;
        container->state.exit_signal = signal;
        container->state.exited_at = at;
        container->state.pid = 0;
        end_streams(container);
        if (container->running)
                shim_publish(container->shim, &container->state);
}

/* The last word on a start that worked. */
static void answer_start(struct container *container) {
        struct connection *starter = container->starter;
        int fd = container->master_fd >= 0 ? container->master_fd : container->stdin_fd;
        struct wire_reply state = container->state;

        if (!starter)
                return;
        container->starter = NULL;
        starter->starting = NULL;
        if (fd >= 0)
                state.flags |= container->master_fd >= 0 ? WIRE_R_MASTER : WIRE_R_STDIN;
        shim_connection_send(starter, &state, &fd, fd >= 0);
        shim_connection_answer(starter, 0, NULL);
}

static void take_reports(struct container *container);

void shim_container_exited(struct container *container, int status) {
        bool signalled = WIFSIGNALED(status);

        /* The end of the report socket may still be unread: whether it ever ran stands there. */
        if (container->report.fd >= 0)
                take_reports(container);
        if (!container->running) {
                /* Freed before it is told, so that the id can be used again at once. */
                struct connection *starter = container->starter;

                shim_container_free(container);
                if (starter)
                        shim_connection_answer(starter, container->failure.code, container->failure.text);
                return;
        }
        shim_container_reaped(container, signalled ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
                              signalled ? WTERMSIG(status) : 0, shim_now());
}

/* execve() has worked; or the child was killed without a word (its memory limit), which then counts as the program's
 * end. */
static void report_ended(struct container *container) {
        shim_source_close(container->shim, &container->report);
        if (container->failed)
                return;
        container->running = true;
        container->state.started_at = shim_now();
        answer_start(container);
        shim_publish(container->shim, &container->state);
}

static void take_reports(struct container *container) {
        struct init_report report;
        int fd, r;

        while ((r = shim_spawn_report(container->report.fd, &report, &fd)) > 0) {
                if (report.kind == INIT_WARNING && container->starter) {
                        struct wire_reply warning = { .type = WIRE_WARNING, .code = report.code };

                        snprintf(warning.text, sizeof(warning.text), "%s", report.text);
                        shim_connection_send(container->starter, &warning, NULL, 0);
                }
                if (report.kind == INIT_CONSOLE && fd >= 0 && container->master_fd < 0) {
                        container->master_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                        watch_stream(container, LOGS_STDOUT, TAKE_FD(fd));
                }
                if (report.kind == INIT_ERROR) {
                        container->failed = true;
                        container->failure = report;
                }
                close_fd(fd);
        }
        if (r == 0)
                report_ended(container);
}

static void report_ready(struct shim_source *source, uint32_t events) {
        (void)events;
        take_reports((struct container *)((char *)source - offsetof(struct container, report)));
}

struct container *shim_container_new(struct shim *shim, struct shim_request *request) {
        const struct wire_request *head = &request->head;
        struct container *c = shim_container_alloc();

        if (!c)
                return NULL;
        c->shim = shim;
        c->state = (struct wire_reply){ .type = WIRE_STATE, .phase = WIRE_PHASE_RUNNING };
        memcpy(c->state.id, head->id, sizeof(c->state.id));
        c->report = (struct shim_source){ .ready = report_ready, .fd = -EBADF };
        c->adopted = (struct shim_source){ .fd = -EBADF };
        c->streams[0].source.fd = c->streams[1].source.fd = -EBADF;
        c->pid_fd = c->master_fd = -EBADF;
        c->relay_fd = shim_request_take(request, head->relay_fd);
        c->stdin_fd = shim_request_take(request, head->stdin_fd);
        c->cgroup_fd = shim_request_take(request, head->cgroup_fd);
        for (unsigned i = 0; i < head->n_tasks && i < SHIM_TASKS_MAX; i++)
                c->tasks[c->n_tasks++] = shim_request_take(request, head->tasks_fd + (int)i);
        c->next = shim->containers;
        shim->containers = c;
        shim->n_containers++;
        return c;
}

int shim_container_open_streams(struct container *container, struct shim_request *request) {
        const struct wire_request *head = &request->head;
        const struct logs_limits limits = { .size = head->log_max_size, .files = head->log_max_files };
        int dir = shim_request_peek(request, head->log_dir_fd), out = shim_request_take(request, head->stdout_fd), r;

        if (dir >= 0) {
                r = logs_writer_open(&container->writer, dir, head->log_name, &limits,
                                     shim_request_peek(request, head->journal_fd));
                if (r < 0) {
                        close_fd(out);
                        return r;
                }
        }
        if (head->flags & WIRE_F_TERMINAL && out >= 0)
                container->master_fd = fcntl(out, F_DUPFD_CLOEXEC, 3);
        if ((r = watch_stream(container, LOGS_STDOUT, out)) < 0)
                return r;
        return watch_stream(container, LOGS_STDERR, shim_request_take(request, head->stderr_fd));
}

int shim_container_check_new(struct connection *connection, const char *id) {
        struct shim *shim = connection->shim;
        char text[96];

        if (id[0] == '\0')
                return -EINVAL;
        if (shim_container_find(shim, id))
                return -EEXIST;
        if (shim->n_containers < SHIM_CONTAINERS_MAX)
                return 0;
        snprintf(text, sizeof(text), "the pod has %d containers, counting those that have ended; no more are possible",
                 SHIM_CONTAINERS_MAX);
        shim_connection_answer(connection, ENOBUFS, text);
        return 1;
}

static int spawn_container(struct container *container, const struct spawn *how, struct shim_request *request) {
        struct shim *shim = container->shim;
        _cleanup_close_ int report = -EBADF;
        pid_t pid = 0;
        int r;

        if ((r = shim_container_open_streams(container, request)) < 0 ||
            (r = shim_spawn(shim, how, request, &pid, &container->pid_fd, &report)) < 0)
                return r;
        fcntl(report, F_SETFL, O_NONBLOCK);
        r = shim_source_add(shim, &container->report, report, EPOLLIN);
        if (r < 0) {
                sys_pidfd_send_signal(container->pid_fd, SIGKILL);
                return r;
        }
        TAKE_FD(report);
        container->state.pid = pid;
        return 0;
}

static void note_namespaces(struct container *container, const struct wire_request *head,
                            const struct container *target) {
        container->own_pid =
                head->clone_flags & CLONE_NEWPID || head->pid_mode == NAMESPACE_POD || (target && target->own_pid);
        container->join_flags = CLONE_NEWNS | (head->flags & WIRE_F_CGROUP_NS ? CLONE_NEWCGROUP : 0) |
                                (container->shim->user_fd >= 0 ? CLONE_NEWUSER : 0);
}

int shim_container_start(struct connection *connection, struct shim_request *request) {
        const struct wire_request *head = &request->head;
        struct shim *shim = connection->shim;
        struct spawn how = {
                .clone_flags = head->clone_flags,
                .pid_ns_fd = head->pid_mode == NAMESPACE_POD ? shim->holder_fd : -EBADF,
                .join_fd = -EBADF,
                .late_task = head->late_task,
                .reply_fd = -EBADF,
        };
        struct container *container, *target = NULL;
        int r = shim_container_check_new(connection, head->id);

        if (r != 0)
                return r;
        if (head->pid_mode == NAMESPACE_TARGET) {
                target = shim_container_find(shim, head->target);
                if (!target || target->exited)
                        return -ESRCH;
                how.pid_ns_fd = target->pid_fd;
        }
        container = shim_container_new(shim, request);
        if (!container)
                return -ENOMEM;
        note_namespaces(container, head, target);
        how.cgroup_fd = head->late_task == (int)container->n_tasks ? -EBADF : container->cgroup_fd;
        how.tasks = container->tasks;
        how.n_tasks = container->n_tasks;
        r = spawn_container(container, &how, request);
        if (r < 0) {
                shim_container_free(container);
                return r;
        }
        container->starter = connection;
        connection->starting = container;
        return 1;
}
