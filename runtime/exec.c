#include "runtime/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/delegate/delegate.h"
#include "runtime/internal.h"
#include "runtime/plan/prepare.h"

struct exec {
        uv_poll_t poll; /* first: freed through it */
        int socket;
        char *document; /* of a delegated exec: removed at the end */
        void (*done)(void *data, const struct exec_result *result);
        void *data;
        struct err *err;
};

void exec_spec_init(struct exec_spec *spec) {
        *spec = (struct exec_spec){
                .stdin_fd = -EBADF, .stdout_fd = -EBADF, .stderr_fd = -EBADF, .terminal_fd = -EBADF
        };
}

static void free_exec(uv_handle_t *handle) {
        struct exec *exec = (struct exec *)handle;

        close_fd(exec->socket);
        if (exec->document)
                unlink(exec->document);
        free(exec->document);
        err_free(exec->err);
        free(exec);
}

static void finish(struct exec *exec, struct exec_result result) {
        void (*done)(void *data, const struct exec_result *result) = exec->done;

        uv_poll_stop(&exec->poll);
        exec->done = NULL;
        if (done)
                done(exec->data, &result);
        uv_close((uv_handle_t *)&exec->poll, free_exec);
}

static void exec_ready(uv_poll_t *poll, int status, int events) {
        struct exec *exec = (struct exec *)poll;
        struct client_reply reply;
        int r = client_receive(exec->socket, &reply, &exec->err);

        if (r == -ETIMEDOUT) {
                exec->err = err_free(exec->err);
                return;
        }
        if (r < 0) {
                finish(exec, (struct exec_result){ .exit_code = -1, .err = exec->err });
                return;
        }
        close_fd(reply.fd);
        switch (reply.head.type) {
        case WIRE_EXITED:
                finish(exec,
                       (struct exec_result){ .exit_code = reply.head.exit_code, .signal = reply.head.exit_signal });
                break;
        case WIRE_DONE:
                err_set(&exec->err, reply.head.code ? reply.head.code : EIO, "%s", reply.head.text);
                finish(exec, (struct exec_result){ .exit_code = -1, .err = exec->err });
                break;
        default:
                break;
        }
}

static int prepare(const struct container_at *at, const struct exec_spec *spec, struct wire_request *request,
                   struct plan *plan, char **ret_document, struct err **err) {
        const struct prepare_stdio stdio = { spec->stdin_fd, spec->stdout_fd, spec->stderr_fd };
        int terminal = spec->process->terminal ? spec->terminal_fd : -EBADF, r;
        _cleanup_close_ int dir = -EBADF;
        char name[2 * RUNTIME_ID_MAX];

        snprintf(name, sizeof(name), "%s/%s", at->sandbox, at->id);
        if (!delegate_is(at->runtime->sandboxes_fd, name))
                return prepare_exec(spec->process, &stdio, terminal, plan, err);
        request->flags = WIRE_F_HELPER;
        r = runtime_open_sandbox(at->runtime, at->sandbox, &dir, err);
        return r < 0 ? r : delegate_exec(at, dir, spec, plan, ret_document, err);
}

/* Tells the shim of it, and gives the connection that it goes on by. */
static int send_exec(const struct container_at *at, const struct exec_spec *spec, int *ret_socket, char **ret_document,
                     struct err **err) {
        _cleanup_plan_ struct plan plan = { 0 };
        struct wire_request request;
        int r;

        client_request(&request, WIRE_EXEC, at->id);
        if ((r = prepare(at, spec, &request, &plan, ret_document, err)) < 0 ||
            (r = client_connect(at->runtime, at->sandbox, SOCK_NONBLOCK, ret_socket, err)) < 0)
                return r;
        return client_send(*ret_socket, &request, &plan, err);
}

int exec_start(uv_loop_t *loop, const struct container_at *at, const struct exec_spec *spec, struct exec **ret_exec,
               struct err **err) {
        _cleanup_free_ struct exec *exec = calloc(1, sizeof(*exec));
        _cleanup_free_ char *document = NULL;
        _cleanup_close_ int socket = -EBADF;
        int r;

        if (!exec)
                return err_set(err, ENOMEM, "out of memory");
        if (!spec->process->args || !spec->process->args[0])
                return err_set(err, EINVAL, "exec: there is no command");
        r = send_exec(at, spec, &socket, &document, err);
        if (r == 0 && (r = uv_poll_init(loop, &exec->poll, socket)) < 0)
                err_set(err, -r, "exec in %s: %s", at->id, uv_strerror(r));
        if (r < 0) {
                if (document)
                        unlink(document);
                return r;
        }
        exec->done = spec->done;
        exec->data = spec->data;
        exec->document = TAKE_PTR(document);
        exec->socket = TAKE_FD(socket);
        uv_poll_start(&exec->poll, UV_READABLE | UV_DISCONNECT, exec_ready);
        *ret_exec = TAKE_PTR(exec);
        return 0;
}

void exec_kill(struct exec *exec) {
        struct wire_request request;

        client_request(&request, WIRE_EXEC_KILL, "");
        client_send(exec->socket, &request, NULL, NULL);
}

void exec_cancel(struct exec *exec) {
        if (!exec || uv_is_closing((uv_handle_t *)&exec->poll))
                return;
        /* The shim kills what belongs to a connection that ends. */
        uv_close((uv_handle_t *)&exec->poll, free_exec);
}
