#include "cri/exec/exec.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "cri/call/call.h"
#include "cri/call/handlers.h"
#include "cri/container/process.h"
#include "runtime/exec.h"

struct cri_exec {
        struct cri_container *container;
        struct exec *exec;
        void (*done)(void *data, int exit_code, const struct err *err);
        void *data;
        int master; /* a duplicate for resizing; -EBADF without a terminal */
};

static void exec_free(struct cri_exec *exec) {
        close_fd(exec->master);
        exec->container->sandbox->execs--;
        cri_container_unref(exec->container);
        free(exec);
}

static void on_done(void *data, const struct exec_result *result) {
        struct cri_exec *exec = data;

        exec->done(exec->data, result->exit_code, result->err);
        exec_free(exec);
}

/* The caller's and the process's end. */
struct pair {
        int ours, theirs;
};

#define PAIR_NONE ((struct pair){ -EBADF, -EBADF })

static void pair_close(struct pair *pair) {
        pair->ours = close_fd(pair->ours);
        pair->theirs = close_fd(pair->theirs);
}

/* Both ends are @uid's, so that its process can open /dev/stdout anew. */
static int open_pipe(bool wanted, bool for_input, uint32_t uid, struct pair *pair, struct err **err) {
        int fds[2];

        if (!wanted)
                return 0;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return err_errno(err, errno, "make a pipe");
        pair->ours = fds[for_input ? 1 : 0];
        pair->theirs = fds[for_input ? 0 : 1];
        if (uid != 0 && fchown(pair->theirs, uid, (gid_t)-1) < 0) /* root's they are already */
                return err_errno(err, errno, "give a pipe to user %u", uid);
        fcntl(pair->ours, F_SETFL, O_NONBLOCK); /* only our end: the two have their own flags */
        return 0;
}

/* The process's user as the host counts. */
static uint32_t host_uid(const struct cri_container *container) {
        const Cri__UserNamespace *users = cri_sandbox_namespaces(container->sandbox->config)->userns_options;
        uint32_t uid = container->record->uid;

        for (size_t i = 0; users && users->mode == CRI__NAMESPACE_MODE__POD && i < users->n_uids; i++)
                if (uid >= users->uids[i]->container_id && uid - users->uids[i]->container_id < users->uids[i]->length)
                        return users->uids[i]->host_id + (uid - users->uids[i]->container_id);
        return uid;
}

struct ends {
        struct pair in, out, err;
        int slave;
};

static int open_ends(const struct cri_container *container, const struct cri_exec_request *request,
                     struct cri_exec *exec, struct ends *ends, struct err **err) {
        const struct container_at at = { container->sandbox->cri->runtime, container->sandbox->id, container->id };
        uint32_t uid = host_uid(container);
        int r;

        if (!request->tty) {
                if ((r = open_pipe(request->in, true, uid, &ends->in, err)) < 0 ||
                    (r = open_pipe(request->out, false, uid, &ends->out, err)) < 0)
                        return r;
                return open_pipe(request->err, false, uid, &ends->err, err);
        }
        r = exec_open_terminal(
                &at,
                &(struct exec_terminal){
                        .pid = container->pid, .uid = uid, .rows = request->rows, .columns = request->columns },
                &exec->master, &ends->slave, err);
        if (r < 0)
                return r;
        fcntl(exec->master, F_SETFL, fcntl(exec->master, F_GETFL) | O_NONBLOCK);
        if (request->in)
                ends->in.ours = fcntl(exec->master, F_DUPFD_CLOEXEC, 3);
        if (request->out || request->err)
                ends->out.ours = fcntl(exec->master, F_DUPFD_CLOEXEC, 3);
        return 0;
}

static int fill_process(struct cri_container *container, const struct cri_exec_request *request, struct arena *arena,
                        struct process_spec *process, struct err **err) {
        int r = process_fill(container, arena, process, err);
        const char **env;
        size_t n = 0;

        if (r < 0)
                return r;
        process->args = request->args;
        process->terminal = request->tty;
        process->rows = request->rows;
        process->columns = request->columns;
        if (!request->tty || container->config->tty)
                return 0;
        while (process->env[n])
                n++;
        env = arena_alloc_array(arena, n + 2, sizeof(*env));
        if (!env)
                return err_set(err, ENOMEM, "out of memory");
        memcpy(env, process->env, n * sizeof(*env));
        env[n] = "TERM=xterm";
        process->env = env;
        return 0;
}

static int check_running(const struct cri_container *container, struct err **err) {
        static const char *const states[] = { "CONTAINER_CREATED", "CONTAINER_RUNNING", "CONTAINER_EXITED",
                                              "CONTAINER_UNKNOWN" };

        if (container->phase == CRI_PHASE_RUNNING && !container->ending)
                return 0;
        return err_set(err, EINVAL, "container is in %s state", states[cri_container_state(container)]);
}

static int check_number(const struct cri_sandbox *sandbox, struct err **err) {
        const Cri__PodSandboxMetadata *pod = sandbox->config->metadata;

        if (sandbox->execs < CRI_EXECS_MAX)
                return 0;
        return err_set(err, ENOBUFS, "%d processes are executed in pod %s/%s at once; no more are possible",
                       CRI_EXECS_MAX, pod->namespace_, pod->name);
}

static int start(struct cri_exec *exec, const struct cri_exec_request *request, struct ends *ends, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct cri *cri = exec->container->sandbox->cri;
        struct process_spec process;
        const struct container_at at = { cri->runtime, exec->container->sandbox->id, exec->container->id };
        struct exec_spec spec;
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = open_ends(exec->container, request, exec, ends, err)) < 0 ||
            (r = fill_process(exec->container, request, arena, &process, err)) < 0)
                return r;
        exec_spec_init(&spec);
        spec.process = &process;
        spec.stdin_fd = ends->in.theirs;
        spec.stdout_fd = ends->out.theirs;
        spec.stderr_fd = ends->err.theirs;
        spec.terminal_fd = ends->slave;
        spec.done = on_done;
        spec.data = exec;
        return exec_start(cri->loop, &at, &spec, &exec->exec, err);
}

static int check(const struct cri_exec_request *request, const struct cri_container *container, struct err **err) {
        int r;

        if ((r = check_running(container, err)) < 0 || (r = check_number(container->sandbox, err)) < 0)
                return r;
        return request->args && request->args[0] ? 0 : err_set(err, EINVAL, "no command to run");
}

int cri_exec_start(struct cri *cri, const struct cri_exec_request *request, struct cri_streams *ret_streams,
                   struct cri_exec **ret_exec, struct err **err) {
        struct ends ends = { PAIR_NONE, PAIR_NONE, PAIR_NONE, -EBADF };
        struct cri_container *container;
        struct cri_exec *exec;
        int r;

        if ((r = cri_container_find(cri, request->container_id, &container, err)) < 0 ||
            (r = check(request, container, err)) < 0)
                return r;
        exec = calloc(1, sizeof(*exec));
        if (!exec)
                return err_set(err, ENOMEM, "out of memory");
        *exec = (struct cri_exec){ .container = cri_container_ref(container),
                                   .done = request->done,
                                   .data = request->data,
                                   .master = -EBADF };
        container->sandbox->execs++;
        r = start(exec, request, &ends, err);
        if (r >= 0) {
                *ret_streams =
                        (struct cri_streams){ TAKE_FD(ends.in.ours), TAKE_FD(ends.out.ours), TAKE_FD(ends.err.ours) };
                *ret_exec = exec;
        }
        pair_close(&ends.in);
        pair_close(&ends.out);
        pair_close(&ends.err);
        close_fd(ends.slave);
        if (r < 0)
                exec_free(exec);
        return r;
}

int cri_exec_resize(struct cri_exec *exec, uint16_t rows, uint16_t columns) {
        struct winsize size = { .ws_row = rows, .ws_col = columns };

        if (exec->master < 0)
                return -ENOTTY;
        return ioctl(exec->master, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

void cri_exec_hang_up(struct cri_exec *exec) {
        exec->master = close_fd(exec->master);
}

void cri_exec_kill(struct cri_exec *exec) {
        exec_kill(exec->exec);
}

void cri_exec_abandon(struct cri_exec *exec) {
        exec_cancel(exec->exec);
        exec_free(exec);
}

void cri_set_streaming(struct cri *cri, const struct cri_streaming *streaming) {
        cri->streaming = streaming;
}

/* What is asked for by who attaches or executes. */
struct wanted {
        bool command, in, out, err, tty;
};

/* Whether the call can be answered with a URL; false when it was failed instead. */
static bool can_stream(struct cri_call *call, const struct wanted *wanted) {
        if (!call->cri->streaming)
                call_refuse(call, EOPNOTSUPP, "this agent has no streaming server");
        else if (!wanted->command)
                call_refuse(call, EINVAL, "no command to run");
        else if (!wanted->in && !wanted->out && !wanted->err)
                call_refuse(call, EINVAL, "one of stdin, stdout, stderr must be set");
        else if (wanted->tty && wanted->err)
                call_refuse(call, EINVAL, "tty and stderr cannot both be true");
        else if (check_running(call->container, &call->err) < 0)
                call_fail(call);
        else
                return true;
        return false;
}

void handle_exec(struct cri_call *call) {
        const Cri__ExecRequest *request = (const Cri__ExecRequest *)call->request;
        const struct wanted wanted = { request->n_cmd > 0, request->stdin, request->stdout, request->stderr,
                                       request->tty };
        const struct cri_streaming *streaming = call->cri->streaming;
        Cri__ExecResponse response = CRI__EXEC_RESPONSE__INIT;
        _cleanup_free_ char *url = NULL;

        if (!call_find_container(call, request->container_id) || !can_stream(call, &wanted))
                return;
        if (streaming->exec(streaming->data, request, &url, &call->err) < 0) {
                call_fail(call);
                return;
        }
        response.url = url;
        call_reply(call, &response.base);
}

void handle_attach(struct cri_call *call) {
        const Cri__AttachRequest *request = (const Cri__AttachRequest *)call->request;
        const struct wanted wanted = { true, request->stdin, request->stdout, request->stderr, request->tty };
        const struct cri_streaming *streaming = call->cri->streaming;
        Cri__AttachResponse response = CRI__ATTACH_RESPONSE__INIT;
        _cleanup_free_ char *url = NULL;

        if (!call_find_container(call, request->container_id) || !can_stream(call, &wanted))
                return;
        if (streaming->attach(streaming->data, request, &url, &call->err) < 0) {
                call_fail(call);
                return;
        }
        response.url = url;
        call_reply(call, &response.base);
}

void handle_port_forward(struct cri_call *call) {
        const Cri__PortForwardRequest *request = (const Cri__PortForwardRequest *)call->request;
        const struct cri_streaming *streaming = call->cri->streaming;
        Cri__PortForwardResponse response = CRI__PORT_FORWARD_RESPONSE__INIT;
        _cleanup_free_ char *url = NULL;

        if (!call_find_sandbox(call, request->pod_sandbox_id))
                return;
        if (!streaming)
                call_refuse(call, EOPNOTSUPP, "this agent has no streaming server");
        else if (!call->sandbox->ready)
                call_refuse(call, EINVAL, "sandbox container is not running");
        else if (streaming->port_forward(streaming->data, request, &url, &call->err) < 0)
                call_fail(call);
        else {
                response.url = url;
                call_reply(call, &response.base);
        }
}
