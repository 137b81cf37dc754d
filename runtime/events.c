#include "runtime/events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/list.h"
#include "runtime/internal.h"
#include "runtime/sys.h"

/* A container that lost its shim is the agent's child: its end is collected here, and told to the new shim. */
struct orphan {
        uv_poll_t poll; /* first: freed through it */
        struct list_node in_orphans;
        struct shim_watch *watch;
        pid_t pid;
        int pidfd;
        char id[RUNTIME_ID_MAX];
};

LIST_DEFINE(orphans, struct orphan, in_orphans)

struct shim_watch {
        uv_poll_t poll; /* first: freed through it */
        struct runtime *runtime;
        char sandbox[RUNTIME_ID_MAX];
        int socket;
        struct orphans orphans;
        struct shim_watch_callbacks callbacks;
};

static void free_orphan(uv_handle_t *handle) {
        struct orphan *orphan = (struct orphan *)handle;

        close_fd(orphan->pidfd);
        free(orphan);
}

static void drop_orphan(struct orphan *orphan) {
        orphans_remove(orphan);
        uv_close((uv_handle_t *)&orphan->poll, free_orphan);
}

static void orphan_ended(uv_poll_t *poll, int status, int events) {
        struct orphan *orphan = (struct orphan *)poll;
        struct wire_request request;
        siginfo_t info = { 0 };

        client_request(&request, WIRE_REAPED, orphan->id);
        request.exited_at = (uint64_t)clock_ns(CLOCK_REALTIME);
        if (waitid((idtype_t)P_PIDFD, (id_t)orphan->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            info.si_pid != 0) {
                request.exit_signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
                request.exit_code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
        } else {
                /* An agent that was restarted is not its parent: init collects it, and the shim asks the kernel. */
                request.exit_code = -1;
        }
        client_send(orphan->watch->socket, &request, NULL, NULL);
        uv_poll_stop(&orphan->poll);
}

/* The shim has told the end of a container: only now is it collected, so that one killed before leaves it to the next.
 */
static void collect_orphan(struct shim_watch *watch, const char *id) {
        LIST_EACH (orphans, orphan, &watch->orphans)
                if (strcmp(orphan->id, id) == 0) {
                        waitid((idtype_t)P_PIDFD, (id_t)orphan->pidfd, NULL, WEXITED | WNOHANG);
                        drop_orphan(orphan);
                        return;
                }
}

static void watch_orphan(struct shim_watch *watch, const struct wire_reply *state) {
        struct orphan *orphan = calloc(1, sizeof(*orphan));

        if (!orphan)
                return;
        orphan->watch = watch;
        orphan->pid = state->pid;
        memcpy(orphan->id, state->id, sizeof(orphan->id));
        orphan->pidfd = sys_pidfd_open(state->pid);
        if (orphan->pidfd < 0 || uv_poll_init(watch->poll.loop, &orphan->poll, orphan->pidfd) < 0) {
                close_fd(orphan->pidfd);
                free(orphan);
                return;
        }
        orphans_append(&watch->orphans, orphan);
        uv_poll_start(&orphan->poll, UV_READABLE, orphan_ended);
}

static void lost(struct shim_watch *watch) {
        uv_poll_stop(&watch->poll);
        LIST_EACH (orphans, orphan, &watch->orphans)
                drop_orphan(orphan);
        watch->callbacks.gone(watch->callbacks.data);
}

/* One packet a turn: the callback may free the watch. libuv calls again while there are more. */
static void watch_ready(uv_poll_t *poll, int status, int events) {
        struct shim_watch *watch = (struct shim_watch *)poll;
        struct client_reply reply;
        struct container_state state;
        int r = client_receive(watch->socket, &reply, NULL);

        if (r == -ETIMEDOUT)
                return; /* nothing there after all */
        if (r < 0) {
                lost(watch);
                return;
        }
        close_fd(reply.fd);
        if (reply.head.type != WIRE_STATE)
                return;
        if (reply.head.flags & WIRE_R_ADOPTED && reply.head.phase == WIRE_PHASE_RUNNING)
                watch_orphan(watch, &reply.head);
        else if (reply.head.phase != WIRE_PHASE_RUNNING) {
                runtime_forget(watch->runtime, watch->sandbox, reply.head.id, KEPT_OUTPUT); /* all is logged */
                collect_orphan(watch, reply.head.id);
        }
        client_convert(&reply.head, &state);
        watch->callbacks.changed(watch->callbacks.data, &state);
}

int shim_watch_new(uv_loop_t *loop, struct runtime *runtime, const char *sandbox,
                   const struct shim_watch_callbacks *callbacks, struct shim_watch **ret_watch, struct err **err) {
        _cleanup_free_ struct shim_watch *watch = calloc(1, sizeof(*watch));
        _cleanup_close_ int socket = -EBADF;
        struct wire_request request;
        int r;

        if (!watch)
                return err_set(err, ENOMEM, "out of memory");
        r = client_connect(runtime, sandbox, SOCK_NONBLOCK, &socket, err);
        if (r < 0)
                return r;
        client_request(&request, WIRE_SUBSCRIBE, "");
        r = client_send(socket, &request, NULL, err);
        if (r < 0)
                return r;
        watch->runtime = runtime;
        snprintf(watch->sandbox, sizeof(watch->sandbox), "%s", sandbox);
        watch->callbacks = *callbacks;
        r = uv_poll_init(loop, &watch->poll, socket);
        if (r < 0)
                return err_set(err, -r, "watch the shim of %s: %s", sandbox, uv_strerror(r));
        watch->socket = TAKE_FD(socket);
        uv_poll_start(&watch->poll, UV_READABLE | UV_DISCONNECT, watch_ready);
        *ret_watch = TAKE_PTR(watch);
        return 0;
}

static void free_watch(uv_handle_t *handle) {
        struct shim_watch *watch = (struct shim_watch *)handle;

        close_fd(watch->socket);
        free(watch);
}

struct shim_watch *shim_watch_free(struct shim_watch *watch) {
        if (watch) {
                LIST_EACH (orphans, orphan, &watch->orphans)
                        drop_orphan(orphan);
                uv_close((uv_handle_t *)&watch->poll, free_watch);
        }
        return NULL;
}
