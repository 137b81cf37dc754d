/* ExecSync: a process whose output comes back with its exit code. No thread waits for it. */
#include <errno.h>
#include <string.h>

#include "cri/call/call.h"
#include "cri/exec/exec.h"
#include "cri/call/handlers.h"
#include "cri/sandbox/sandbox.h"
#include "lib/grow.h"
#include "runtime/runtime.h"

/* Below the answer's limit, which gRPC clients set, with room for its frame. */
#define OUTPUT_MAX (CRI_EXEC_SYNC_OUTPUT_MAX - 4096)
#define READ_SIZE 65536
#define TIMEOUT_SECONDS_MAX (365 * 24 * 3600ll)
#define KILL_SECONDS 5 /* how long a killed process may take to end */
/* A process that has ended by then, as most probes' have, has its output read once, and only its end is waited for. */
#define WATCH_MS 50

struct output {
        uv_poll_t poll; /* first */
        struct sync *sync;
        int fd;
        bool watched; /* poll is open */
        char *data;
        size_t size, room;
};

struct sync {
        struct cri_call *call;
        struct cri_exec *exec; /* NULL once it ended */
        const char *const *args;
        bool again; /* its first shim had died */
        struct output out, err;
        uv_timer_t timer;
        unsigned handles; /* not closed yet */
        bool timed_out;
        int exit_code;
        struct err *error;
};

static void answer(struct sync *sync) {
        struct cri_call *call = sync->call;
        const Cri__ExecSyncRequest *request = (const Cri__ExecSyncRequest *)call->request;
        Cri__ExecSyncResponse response = CRI__EXEC_SYNC_RESPONSE__INIT;

        response.stdout = (ProtobufCBinaryData){ .len = sync->out.size, .data = (uint8_t *)sync->out.data };
        response.stderr = (ProtobufCBinaryData){ .len = sync->err.size, .data = (uint8_t *)sync->err.data };
        response.exit_code = sync->exit_code;
        if (sync->timed_out)
                call_refuse(call, ETIMEDOUT,
                            "failed to exec in container: timeout %llds exceeded: context deadline exceeded",
                            (long long)request->timeout);
        else if (sync->error)
                call_refuse(call, err_code(sync->error), "failed to exec in container: %s", err_text(sync->error));
        else
                call_reply(call, &response.base);
        free(sync->out.data);
        free(sync->err.data);
        err_free(sync->error);
        free(sync);
}

static void on_closed(uv_handle_t *handle) {
        struct sync *sync = handle->data;

        if (--sync->handles == 0)
                answer(sync);
}

/* Keeps what fits; what is more is read and dropped, so that the process does not hang on a full pipe. */
static bool keep(struct output *output, const char *data, size_t size) {
        struct sync *sync = output->sync;
        size_t total = sync->out.size + sync->err.size;

        if (total + size > OUTPUT_MAX)
                size = OUTPUT_MAX - total;
        if (GROW(output->data, output->room, output->size + size, OUTPUT_MAX) < 0)
                return false;
        if (size > 0)
                memcpy(output->data + output->size, data, size);
        output->size += size;
        return true;
}

static void output_close(struct output *output) {
        if (output->fd < 0)
                return;
        if (output->watched)
                uv_poll_stop(&output->poll);
        output->fd = close_fd(output->fd);
        if (output->watched)
                uv_close((uv_handle_t *)&output->poll, on_closed);
}

/* Reads what is there, at most @turns times. */
static void output_read(struct output *output, unsigned turns) {
        char data[READ_SIZE];
        ssize_t n = 1;

        while (n > 0 && turns-- > 0) {
                n = read(output->fd, data, sizeof(data));
                if (n > 0 && !keep(output, data, (size_t)n)) {
                        err_set(&output->sync->error, ENOMEM, "out of memory for its output");
                        n = 0;
                }
        }
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                output_close(output);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
        struct output *output = (struct output *)poll;

        (void)status;
        (void)events;
        output_read(output, 4);
}

/* Everything that the process itself wrote is in the pipes when it has ended; what a child of it, left behind, still
 * writes is not waited for. */
static void on_done(void *data, int exit_code, const struct err *err) {
        struct sync *sync = data;

        sync->exec = NULL;
        sync->exit_code = exit_code;
        if (err)
                err_repeat(&sync->error, err);
        if (sync->out.fd >= 0)
                output_read(&sync->out, OUTPUT_MAX / READ_SIZE);
        if (sync->err.fd >= 0)
                output_read(&sync->err, OUTPUT_MAX / READ_SIZE);
        output_close(&sync->out);
        output_close(&sync->err);
        uv_timer_stop(&sync->timer);
        uv_close((uv_handle_t *)&sync->timer, on_closed);
}

/* A shim that does not answer, because somebody stopped it, holds up nobody. */
static void on_not_killed(uv_timer_t *timer) {
        struct sync *sync = timer->data;
        _cleanup_err_ struct err *err = NULL;

        if (!sync->exec)
                return;
        err_set(&err, ETIMEDOUT, "it was not killed within %d s", KILL_SECONDS);
        cri_exec_abandon(sync->exec);
        on_done(sync, -1, err);
}

static void end_it(struct sync *sync) {
        if (!sync->exec)
                return;
        cri_exec_kill(sync->exec);
        uv_timer_start(&sync->timer, on_not_killed, KILL_SECONDS * 1000, 0);
}

static void on_timeout(uv_timer_t *timer) {
        struct sync *sync = timer->data;

        sync->timed_out = true;
        end_it(sync);
}

/* The client has gone. */
static void cancel(struct cri_call *call) {
        end_it(call->state);
}

static void output_watch(struct output *output) {
        struct sync *sync = output->sync;

        output->poll.data = sync;
        if (uv_poll_init(sync->call->cri->loop, &output->poll, output->fd) < 0) {
                output->fd = close_fd(output->fd);
                return;
        }
        output->watched = true;
        sync->handles++;
        uv_poll_start(&output->poll, UV_READABLE | UV_DISCONNECT, on_readable);
}

static int64_t timeout_ms(const struct sync *sync) {
        int64_t seconds = ((const Cri__ExecSyncRequest *)sync->call->request)->timeout;

        return (seconds > TIMEOUT_SECONDS_MAX ? TIMEOUT_SECONDS_MAX : seconds) * 1000;
}

static void on_lasting(uv_timer_t *timer) {
        struct sync *sync = timer->data;
        int64_t ms = timeout_ms(sync);

        output_watch(&sync->out);
        output_watch(&sync->err);
        if (ms > 0)
                uv_timer_start(timer, on_timeout, (uint64_t)ms - WATCH_MS, 0);
}

static void begin(struct cri_call *call) {
        struct sync *sync = call->state;
        struct cri_exec_request exec = { .container_id = call->container->id,
                                         .args = sync->args,
                                         .out = true,
                                         .err = true,
                                         .done = on_done,
                                         .data = sync };
        struct cri_streams streams;

        if (call->cancelled) {
                free(sync);
                call_refuse(call, ECANCELED, "the client has gone");
                return;
        }
        if (cri_exec_start(call->cri, &exec, &streams, &sync->exec, &call->err) < 0) {
                if (err_code(call->err) == RUNTIME_NO_SHIM && !sync->again) {
                        sync->again = true;
                        call->err = err_free(call->err);
                        cri_sandbox_await_shim(call, call->sandbox->shim_pid, begin);
                        return;
                }
                free(sync);
                call_fail(call);
                return;
        }
        sync->out.sync = sync->err.sync = sync;
        sync->out.fd = streams.out;
        sync->err.fd = streams.err;
        uv_timer_init(call->cri->loop, &sync->timer);
        sync->timer.data = sync;
        sync->handles++;
        uv_timer_start(&sync->timer, on_lasting, WATCH_MS, 0);
}

void handle_exec_sync(struct cri_call *call) {
        const Cri__ExecSyncRequest *request = (const Cri__ExecSyncRequest *)call->request;
        const char **args;
        struct sync *sync;

        if (!call_find_container(call, request->container_id))
                return;
        if (request->n_cmd == 0 || request->n_cmd > CRI_EXEC_ARGS_MAX) {
                call_refuse(call, EINVAL, "a command takes 1 to %d words", CRI_EXEC_ARGS_MAX);
                return;
        }
        args = call_alloc(call, (request->n_cmd + 1) * sizeof(*args));
        if (!args)
                return;
        for (size_t i = 0; i < request->n_cmd; i++)
                args[i] = request->cmd[i];
        sync = calloc(1, sizeof(*sync));
        if (!sync) {
                call_refuse(call, ENOMEM, "out of memory");
                return;
        }
        sync->call = call;
        sync->out.fd = sync->err.fd = -EBADF;
        sync->args = args;
        call->state = sync;
        call->cancel = cancel;
        begin(call);
}
