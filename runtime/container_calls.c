/* What is asked of a container that was started. */
#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grow.h"
#include "lib/log.h"
#include "runtime/container.h"
#include "runtime/delegate/delegate.h"
#include "runtime/internal.h"

struct list {
        struct runtime *runtime;
        const char *sandbox;
        struct container_state *states;
        size_t n, allocated;
};

static int take_listed(void *data, struct client_reply *reply) {
        struct list *list = data;
        int r;

        if (reply->head.type != WIRE_STATE)
                return 0;
        if ((r = GROW(list->states, list->allocated, list->n + 1, GROW_NO_MAX)) < 0)
                return r;
        client_convert(&reply->head, &list->states[list->n++]);
        if (reply->fd >= 0)
                runtime_keep(list->runtime, list->sandbox, reply->head.id, reply->head.flags, TAKE_FD(reply->fd));
        return 0;
}

static int list(struct runtime *runtime, const char *sandbox, const char *id, struct list *list, struct err **err) {
        struct wire_request request;
        int r;

        client_request(&request, WIRE_LIST, id);
        request.flags = WIRE_F_FDS;
        r = client_call(runtime, sandbox,
                        &(struct client_exchange){ .request = &request, .state = take_listed, .data = list }, err);
        return r == -ENOMEM && err && !*err ? err_set(err, ENOMEM, "out of memory") : r;
}

int container_list(struct runtime *runtime, const char *sandbox, struct container_state **ret_states, size_t *ret_n,
                   struct err **err) {
        struct list all = { .runtime = runtime, .sandbox = sandbox };
        _cleanup_close_ int dir = -EBADF;
        int r = list(runtime, sandbox, "", &all, err);

        if (r < 0 || (r = runtime_open_sandbox(runtime, sandbox, &dir, err)) < 0) {
                free(all.states);
                return r;
        }
        for (size_t i = 0; i < all.n; i++)
                if (all.states[i].phase == CONTAINER_RUNNING)
                        runtime_keep_output(runtime, sandbox, dir, all.states[i].id);
        *ret_states = all.states;
        *ret_n = all.n;
        return 0;
}

int container_status(struct runtime *runtime, const char *sandbox, const char *id, struct container_state *ret_state,
                     struct err **err) {
        struct list one = { .runtime = runtime, .sandbox = sandbox };
        int r = list(runtime, sandbox, id, &one, err);

        if (r >= 0 && one.n != 1)
                r = err_set(err, ENOENT, "container %s", id);
        else if (r >= 0)
                *ret_state = one.states[0];
        free(one.states);
        return r;
}

static int call(struct runtime *runtime, const char *sandbox, struct wire_request *request, const char *what,
                struct err **err) {
        int r = client_call(runtime, sandbox, &(struct client_exchange){ .request = request }, err);

        return r < 0 ? err_wrap(err, r, "%s container %s", what, request->id) : r;
}

int container_kill(struct runtime *runtime, const char *sandbox, const char *id, int signal, struct err **err) {
        struct wire_request request;

        client_request(&request, WIRE_KILL, id);
        request.signal = signal;
        return call(runtime, sandbox, &request, "signal", err);
}

int container_resize(struct runtime *runtime, const char *sandbox, const char *id, uint16_t rows, uint16_t columns,
                     struct err **err) {
        struct wire_request request;

        client_request(&request, WIRE_RESIZE, id);
        request.rows = rows;
        request.columns = columns;
        return call(runtime, sandbox, &request, "resize", err);
}

int container_reopen_log(struct runtime *runtime, const char *sandbox, const char *id, struct err **err) {
        struct wire_request request;

        client_request(&request, WIRE_REOPEN_LOG, id);
        return call(runtime, sandbox, &request, "reopen the log of", err);
}

int container_close_stdin(struct runtime *runtime, const char *sandbox, const char *id, struct err **err) {
        struct wire_request request;

        runtime_forget(runtime, sandbox, id, WIRE_R_STDIN);
        client_request(&request, WIRE_CLOSE_STDIN, id);
        return call(runtime, sandbox, &request, "close the input of", err);
}

static int take_stdin(void *data, struct client_reply *reply) {
        if (reply->head.type == WIRE_STATE && *(int *)data < 0)
                *(int *)data = TAKE_FD(reply->fd);
        return 0;
}

int container_attach(const struct container_at *at, int stdout_fd, int stderr_fd, int *ret_stdin, struct err **err) {
        _cleanup_plan_ struct plan plan = { 0 };
        struct wire_request request;
        int fd = -EBADF, r;

        client_request(&request, WIRE_ATTACH, at->id);
        request.stdout_fd = plan_dup_fd(&plan, stdout_fd);
        request.stderr_fd = plan_dup_fd(&plan, stderr_fd);
        r = plan_check(&plan);
        if (r < 0)
                return err_errno(err, -r, "attach to container %s", at->id);
        r = client_call(
                at->runtime, at->sandbox,
                &(struct client_exchange){ .request = &request, .plan = &plan, .state = take_stdin, .data = &fd }, err);
        if (r < 0) {
                close_fd(fd);
                return err_wrap(err, r, "attach to container %s", at->id);
        }
        *ret_stdin = fd;
        return 0;
}

int container_delete(struct runtime *runtime, const char *sandbox, const char *id, struct err **err) {
        _cleanup_close_ int dir = -EBADF;
        _cleanup_err_ struct err *refused = NULL;
        struct wire_request request;
        int r;

        client_request(&request, WIRE_DELETE, id);
        r = client_call(runtime, sandbox, &(struct client_exchange){ .request = &request }, &refused);
        if (r < 0 && r != -ENOENT && r != -RUNTIME_NO_SHIM)
                return err_wrap(&refused, r, "delete container %s", id), err_move(err, TAKE_PTR(refused));
        runtime_forget(runtime, sandbox, id, UINT32_MAX);
        if (runtime_open_sandbox(runtime, sandbox, &dir, NULL) < 0)
                return 0;
        /* What the other runtime keeps is in the container's directory and cgroup, which go in any case. */
        if (delegate_is(dir, id) && delegate_delete(&(struct container_at){ runtime, sandbox, id }, dir, &refused) < 0)
                log_warning("container %s: %s", id, err_text(refused));
        fifo_remove_all(dir, id);
        return 0;
}
