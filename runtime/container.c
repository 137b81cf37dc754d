#include "runtime/container.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/log.h"
#include "runtime/delegate/delegate.h"
#include "runtime/internal.h"
#include "runtime/plan/prepare.h"
#include "runtime/sys.h"

/* How long the process of a start that failed may take to end. */
#define END_MILLISECONDS 5000

/* What a start needs beside its plan; the container's ends are closed once the shim has them. */
struct streams {
        struct prepare_stdio stdio;
        int read[2]; /* the shim's ends of stdout and stderr */
        int stdin_write;
        int log_dir, journal;
        int relay; /* a terminal's */
        char log_name[WIRE_LOG_NAME_MAX];
};

#define STREAMS_NONE                                                                                                   \
        {                                                                                                              \
                .stdio = { -EBADF, -EBADF, -EBADF }, .read = { -EBADF, -EBADF }, .stdin_write = -EBADF,                \
                .log_dir = -EBADF, .journal = -EBADF, .relay = -EBADF                                                  \
        }

static void streams_close(struct streams *s) {
        close_fd(s->stdio.in);
        close_fd(s->stdio.out);
        close_fd(s->stdio.err);
        close_fd(s->read[0]);
        close_fd(s->read[1]);
        close_fd(s->stdin_write);
        close_fd(s->log_dir);
        close_fd(s->journal);
        close_fd(s->relay);
}

static int open_log(const char *path, struct streams *s, struct err **err) {
        char copy[PATH_MAX];
        const char *name;

        if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
                return err_set(err, ENAMETOOLONG, "log path %s", path);
        name = strrchr(path, '/');
        if (!name || name[1] == '\0' || strlen(name + 1) >= sizeof(s->log_name))
                return err_set(err, EINVAL, "log path %s: must be absolute and name a file", path);
        snprintf(s->log_name, sizeof(s->log_name), "%s", name + 1);
        s->log_dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return s->log_dir < 0 ? err_errno(err, errno, "log directory of %s", path) : 0;
}

/* Nobody but us opens it. */
static int make_relay(int dir, const char *id, int *ret_fd, struct err **err) {
        struct fifo fifo = { .name = "stdout" };
        int r = fifo_make(dir, id, &fifo, err);

        if (r < 0)
                return r;
        r = fifo_open(dir, id, "stdout", O_RDWR, ret_fd); /* the reader's file, which does not block */
        close(fifo.read);
        close(fifo.write);
        return r < 0 ? err_errno(err, -r, "container %s: its terminal's FIFO", id) : 0;
}

static int make_output(int dir, const char *id, struct fifo fifo, int *ret_read, int *ret_write, struct err **err) {
        int r = fifo_make(dir, id, &fifo, err);

        if (r < 0)
                return r;
        *ret_read = fifo.read;
        *ret_write = fifo.write;
        return 0;
}

static int make_input(struct streams *s, uint32_t uid, uint32_t gid, struct err **err) {
        int pipes[2];

        if (pipe2(pipes, O_CLOEXEC) < 0)
                return err_errno(err, errno, "standard input");
        s->stdio.in = pipes[0];
        s->stdin_write = pipes[1];
        if (fchown(pipes[0], uid, gid) < 0)
                return err_errno(err, errno, "standard input");
        return 0;
}

static int open_streams(int dir, const char *id, const struct container_spec *spec, const struct container_io *io,
                        struct streams *s, struct err **err) {
        int r;
        uint32_t uid = prepare_host_uid(&spec->mappings, spec->process.uid);
        uint32_t gid = prepare_host_gid(&spec->mappings, spec->process.gid);

        if (uid == UINT32_MAX || gid == UINT32_MAX)
                return err_set(err, EINVAL, "user %u:%u is not in the user namespace's mappings", spec->process.uid,
                               spec->process.gid);
        if (io->log_path && (r = open_log(io->log_path, s, err)) < 0)
                return r;
        if (mkdirat(dir, id, 0700) < 0 && errno != EEXIST)
                return err_errno(err, errno, "container %s: its directory", id);
        if (io->log_path && (r = fifo_journal(dir, id, O_TRUNC, &s->journal, err)) < 0)
                return r;
        if (spec->process.terminal)
                return io->log_path ? make_relay(dir, id, &s->relay, err) : 0;
        if ((r = make_output(dir, id, (struct fifo){ "stdout", uid, gid, 0, 0 }, &s->read[0], &s->stdio.out, err)) <
                    0 ||
            (r = make_output(dir, id, (struct fifo){ "stderr", uid, gid, 0, 0 }, &s->read[1], &s->stdio.err, err)) < 0)
                return r;
        return io->stdin_open ? make_input(s, uid, gid, err) : 0;
}

static uint64_t clone_flags(const struct container_spec *spec) {
        return (spec->namespaces[NAMESPACE_MOUNT].mode == NAMESPACE_NEW ? CLONE_NEWNS : 0) |
               (spec->namespaces[NAMESPACE_PID].mode == NAMESPACE_NEW ? CLONE_NEWPID : 0);
}

/* A start under way. */
struct start {
        const struct container_at *at;
        int dir; /* of the sandbox */
        const struct container_spec *spec;
        const struct container_io *io;
        struct streams streams;
        struct plan *plan;
        const struct wire_request *request;
        struct runtime_hint hint;
        struct container_state state; /* of what was started */
};

static void fill_request(struct start *start, struct plan *plan, struct wire_request *request) {
        const struct container_spec *spec = start->spec;
        const struct container_io *io = start->io;
        struct streams *s = &start->streams;

        client_request(request, WIRE_START, start->at->id);
        request->flags = (spec->process.terminal ? WIRE_F_TERMINAL : 0) | (io->stdin_once ? WIRE_F_STDIN_ONCE : 0) |
                         (spec->namespaces[NAMESPACE_CGROUP].mode == NAMESPACE_NEW ? WIRE_F_CGROUP_NS : 0);
        request->clone_flags = clone_flags(spec);
        request->pid_mode = spec->namespaces[NAMESPACE_PID].mode;
        if (spec->pid_target)
                snprintf(request->target, sizeof(request->target), "%s", spec->pid_target);
        request->cgroup_fd = plan_dup_fd(plan, spec->cgroup_fd);
        for (size_t i = 0; i < spec->n_cgroup_procs_fds; i++) {
                int index = plan_dup_fd(plan, spec->cgroup_procs_fds[i]);

                if (i == 0)
                        request->tasks_fd = index;
        }
        request->n_tasks = (uint32_t)spec->n_cgroup_procs_fds;
        request->late_task = spec->late_cgroup;
        request->stdin_fd = plan_dup_fd(plan, s->stdin_write);
        request->stdout_fd = plan_take_fd(plan, TAKE_FD(s->read[0]));
        request->stderr_fd = plan_take_fd(plan, TAKE_FD(s->read[1]));
        request->log_dir_fd = plan_take_fd(plan, TAKE_FD(s->log_dir));
        request->journal_fd = plan_take_fd(plan, TAKE_FD(s->journal));
        request->relay_fd = plan_take_fd(plan, TAKE_FD(s->relay));
        snprintf(request->log_name, sizeof(request->log_name), "%s", s->log_name);
        request->log_max_size = io->log_max_size;
        request->log_max_files = io->log_max_files;
}

/* For the day the shim is killed: what of it does not need the process. */
static void fill_hint(struct start *start, const struct wire_request *request) {
        const struct container_spec *spec = start->spec;
        const struct container_io *io = start->io;
        struct runtime_hint *hint = &start->hint;
        bool whole;

        *hint = (struct runtime_hint){
                .join_flags = CLONE_NEWNS | (request->flags & WIRE_F_CGROUP_NS ? CLONE_NEWCGROUP : 0) |
                              (spec->mappings.n_uids > 0 ? CLONE_NEWUSER : 0),
                .pid_mode = request->pid_mode,
                .terminal = spec->process.terminal,
                .log_path = io->log_path ? strdup(io->log_path) : NULL,
                .log_max_size = io->log_max_size,
                .log_max_files = io->log_max_files,
                .cgroup = hint_fd_path(spec->cgroup_fd),
        };
        whole = (hint->log_path || !io->log_path) && (hint->cgroup || spec->cgroup_fd < 0);

        for (size_t i = 0; i < spec->n_cgroup_procs_fds; i++)
                if ((hint->tasks[hint->n_tasks] = hint_fd_path(spec->cgroup_procs_fds[i])))
                        hint->n_tasks++;
        if (!whole || hint->n_tasks < spec->n_cgroup_procs_fds)
                log_warning("container %s: should its shim die, the next one cannot go on with its log or cgroup: "
                            "out of memory",
                            start->at->id);
}

/* A failure costs only what the hint is for. */
static void remember(struct start *start) {
        _cleanup_err_ struct err *err = NULL;

        start->hint.pid = start->state.pid;
        start->hint.start_ticks = hint_start_ticks(start->state.pid);
        start->hint.started_at = start->state.started_at;
        if (hint_write(start->dir, start->at->id, &start->hint, &err) < 0)
                log_warning("%s", err_text(err));
}

/* The shim has its own of all descriptors that the plan held. */
static void start_meanwhile(void *data) {
        struct start *start = data;

        fill_hint(start, start->request);
        plan_clear(start->plan);
}

static int take_started(void *data, struct client_reply *reply) {
        struct start *start = data;

        if (reply->head.type != WIRE_STATE)
                return 0;
        client_convert(&reply->head, &start->state);
        if (reply->fd >= 0)
                runtime_keep(start->at->runtime, start->at->sandbox, reply->head.id, reply->head.flags,
                             TAKE_FD(reply->fd));
        return 0;
}

/* Made by another runtime, up to the moment before its program runs: the shim takes it up as its own child. */
static int create_delegated(struct start *start, struct plan *plan, struct wire_request *request, struct err **err) {
        const struct container_at *at = start->at;
        struct streams *streams = &start->streams;
        struct delegate_created created;
        int r = delegate_create(at, start->dir, start->spec, &streams->stdio, &created, err);

        if (r < 0)
                return r;
        if (created.master >= 0) {
                streams->read[0] = fcntl(created.master, F_DUPFD_CLOEXEC, 3);
                runtime_keep(at->runtime, at->sandbox, at->id, WIRE_R_MASTER, created.master);
        } else if (streams->stdin_write >= 0)
                runtime_keep(at->runtime, at->sandbox, at->id, WIRE_R_STDIN,
                             fcntl(streams->stdin_write, F_DUPFD_CLOEXEC, 3));
        fill_request(start, plan, request);
        request->type = WIRE_ADOPT;
        request->flags |= WIRE_F_CHILD;
        request->pid = created.pid;
        request->pid_fd = plan_take_fd(plan, sys_pidfd_open(created.pid));
        request->clone_flags = CLONE_NEWNS;
        request->started_at = (uint64_t)clock_ns(CLOCK_REALTIME);
        if (request->pid_fd < 0)
                return err_set(err, ESRCH, "%s create: its process %d is gone", start->spec->delegate->path,
                               created.pid);
        return 0;
}

static int adopt_delegated(struct start *start, struct plan *plan, struct wire_request *request, struct err **err) {
        const struct container_at *at = start->at;
        int r = client_call(at->runtime, at->sandbox, &(struct client_exchange){ .request = request, .plan = plan },
                            err);

        if (r < 0)
                return r;
        start->state = (struct container_state){ .phase = CONTAINER_RUNNING,
                                                 .pid = request->pid,
                                                 .started_at = request->started_at };
        snprintf(start->state.id, sizeof(start->state.id), "%s", at->id);
        fill_hint(start, request);
        remember(start);
        return delegate_start(at, start->dir, err);
}

static int start_delegated(struct start *start, struct err **err) {
        const struct container_at *at = start->at;
        _cleanup_plan_ struct plan plan = { 0 };
        struct wire_request request = { .pid_fd = -1 };
        int r;

        if ((r = create_delegated(start, &plan, &request, err)) >= 0 &&
            (r = adopt_delegated(start, &plan, &request, err)) >= 0)
                return 0;
        delegate_delete(at, start->dir, NULL);
        if (request.pid_fd >= 0)
                poll(&(struct pollfd){ .fd = plan.fds[request.pid_fd], .events = POLLIN }, 1, END_MILLISECONDS);
        container_delete(at->runtime, at->sandbox, at->id, NULL);
        return r;
}

static int start_own(struct start *start, struct err **err) {
        _cleanup_plan_ struct plan plan = { 0 };
        struct wire_request request;
        int r;

        prepare_namespaces(start->spec, &plan);
        if ((r = prepare_container(start->spec, &start->streams.stdio, &plan, err)) < 0)
                return r;
        fill_request(start, &plan, &request);
        if ((r = plan_check(&plan)) < 0)
                return err_errno(err, -r, "the container's plan");
        start->plan = &plan;
        start->request = &request;
        r = client_call(start->at->runtime, start->at->sandbox,
                        &(struct client_exchange){ .request = &request,
                                                   .plan = &plan,
                                                   .meanwhile = start_meanwhile,
                                                   .state = take_started,
                                                   .data = start },
                        err);
        if (r < 0)
                return r;
        remember(start);
        return 0;
}

/* In the sandbox's directory, which is open. */
static int start_in(struct start *start, struct err **err) {
        const struct container_at *at = start->at;
        int r = open_streams(start->dir, at->id, start->spec, start->io, &start->streams, err);

        if (r >= 0) {
                runtime_keep_output(at->runtime, at->sandbox, start->dir, at->id);
                r = (start->spec->delegate ? start_delegated : start_own)(start, err);
        }
        if (r < 0 && r != -EEXIST) {
                runtime_forget(at->runtime, at->sandbox, at->id, UINT32_MAX);
                fifo_remove_all(start->dir, at->id);
        }
        return r;
}

int container_start(const struct container_at *at, const struct container_spec *spec, const struct container_io *io,
                    struct container_state *ret_state, struct err **err) {
        struct start start = { .at = at, .dir = -EBADF, .spec = spec, .io = io, .streams = STREAMS_NONE };
        int r;

        if ((r = runtime_check_id("container", at->id, err)) < 0 || (r = spec_check(spec, err)) < 0 ||
            (r = runtime_open_sandbox(at->runtime, at->sandbox, &start.dir, err)) < 0)
                return r;
        r = start_in(&start, err);
        streams_close(&start.streams);
        hint_clear(&start.hint);
        close_fd(start.dir);
        if (r < 0)
                return r;
        *ret_state = start.state;
        return 0;
}
