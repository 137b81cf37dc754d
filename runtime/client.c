#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"
#include "runtime/internal.h"
#include "runtime/sys.h"

/* The largest plan that goes in the packet itself. */
#define INLINE_MAX (64 * 1024)
#define SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

void client_request(struct wire_request *request, enum wire_request_type type, const char *id) {
        *request = (struct wire_request){
                .magic = WIRE_MAGIC,
                .type = (uint16_t)type,
                .size = sizeof(*request),
                .plan_fd = -1,
                .cgroup_fd = -1,
                .tasks_fd = -1,
                .user_fd = -1,
                .stdin_fd = -1,
                .stdout_fd = -1,
                .stderr_fd = -1,
                .log_dir_fd = -1,
                .pid_fd = -1,
                .shm_fd = -1,
                .holder_fd = -1,
                .late_task = -1,
                .journal_fd = -1,
                .relay_fd = -1,
        };
        snprintf(request->id, sizeof(request->id), "%s", id ? id : "");
}

static int connect_failed(const char *sandbox, int code, struct err **err) {
        if (code == EAGAIN)
                return err_set(err, ENOBUFS, "sandbox %s: its shim has more requests waiting than it takes", sandbox);
        return err_set(err, code == ECONNREFUSED || code == ENOENT ? RUNTIME_NO_SHIM : code,
                       "sandbox %s: its shim does not answer: %s", sandbox, strerror(code));
}

static int connect_path(const char *path, int flags, int *ret_socket) {
        const struct timeval timeout = { .tv_sec = CLIENT_TIMEOUT_SECONDS };
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);

        if (fd < 0)
                return -errno;
        if (!(flags & SOCK_NONBLOCK)) {
                setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
                setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
        }
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        *ret_socket = TAKE_FD(fd);
        return 0;
}

/* By a directory's descriptor: a socket's path may have 107 bytes only. */
int client_connect(struct runtime *runtime, const char *sandbox, int flags, int *ret_socket, struct err **err) {
        char path[sizeof("/proc/self/fd/-2147483648//shim.sock") + RUNTIME_ID_MAX];
        _cleanup_close_ int dir = -EBADF;
        int r = runtime_check_id("sandbox", sandbox, err);

        if (r < 0)
                return r;
        snprintf(path, sizeof(path), "/proc/self/fd/%d/%s/shim.sock", runtime->sandboxes_fd, sandbox);
        r = strlen(path) <= SOCKET_PATH_MAX ? connect_path(path, flags, ret_socket) : -ENOENT;
        if (r != -ENOENT)
                return r < 0 ? connect_failed(sandbox, -r, err) : 0;
        r = runtime_open_sandbox(runtime, sandbox, &dir, err);
        if (r < 0)
                return r;
        snprintf(path, sizeof(path), "/proc/self/fd/%d/shim.sock", dir);
        r = connect_path(path, flags, ret_socket);
        return r < 0 ? connect_failed(sandbox, -r, err) : 0;
}

/* A shim that cannot serve a connection says why before it ends it; one that says nothing has died. */
static int take_refusal(int socket, struct err **err) {
        struct client_reply reply;
        int r = client_receive(socket, &reply, err);

        if (r < 0)
                return r;
        close_fd(reply.fd);
        return err_set(err, reply.head.code ? reply.head.code : EIO, "%s", reply.head.text);
}

int client_send(int socket, struct wire_request *request, struct plan *plan, struct err **err) {
        struct wire_request more = { .magic = WIRE_MAGIC, .type = WIRE_FDS, .size = sizeof(more), .plan_fd = -1 };
        struct plan none = { 0 }, *p = plan ? plan : &none;
        int r = plan_detach(p, INLINE_MAX, &request->plan_fd);

        request->n_fds = more.n_fds = (uint32_t)p->n_fds;
        request->plan_size = (uint32_t)p->size;
        if (r == 0)
                r = plan_send(socket, p, &(struct plan_packet){ request, sizeof(*request), request->plan_fd },
                              &(struct plan_packet){ &more, sizeof(more), -1 });
        if (r == -EPIPE || r == -ECONNRESET)
                return take_refusal(socket, err);
        return r < 0 ? err_errno(err, -r, "send to the shim") : 0;
}

int client_receive(int socket, struct client_reply *ret_reply, struct err **err) {
        struct client_reply reply = { .fd = -EBADF };
        size_t n_fds = 0;
        ssize_t n = wire_receive(socket, &reply.head, sizeof(reply.head), &reply.fd, 1, &n_fds);

        /* Its end is told first, once, where a request stayed unread; what it said before is behind that. */
        if (n == -ECONNRESET)
                n = wire_receive(socket, &reply.head, sizeof(reply.head), &reply.fd, 1, &n_fds);
        if (n < 0 && n != -ECONNRESET) {
                close_fd(n_fds ? reply.fd : -EBADF);
                return n == -EAGAIN ?
                               err_set(err, ETIMEDOUT, "the shim did not answer in %d s", CLIENT_TIMEOUT_SECONDS) :
                               err_errno(err, (int)-n, "receive from the shim");
        }
        if (n <= 0)
                return err_set(err, RUNTIME_NO_SHIM, "the shim died");
        if ((size_t)n < offsetof(struct wire_reply, holder_pid) || reply.head.magic != WIRE_MAGIC) {
                close_fd(n_fds ? reply.fd : -EBADF);
                return err_set(err, EBADMSG, "the shim's answer is malformed");
        }
        reply.head.id[RUNTIME_ID_MAX - 1] = reply.head.text[WIRE_TEXT_MAX - 1] = '\0';
        *ret_reply = reply;
        return 0;
}

int client_call(struct runtime *runtime, const char *sandbox, const struct client_exchange *x, struct err **err) {
        _cleanup_close_ int socket = -EBADF;
        int r = client_connect(runtime, sandbox, 0, &socket, err), result = 0;

        if (r < 0 || (r = client_send(socket, x->request, x->plan, err)) < 0)
                return r;
        if (x->meanwhile)
                x->meanwhile(x->data);
        for (;;) {
                struct client_reply reply;

                r = client_receive(socket, &reply, err);
                if (r < 0)
                        return r;
                if (reply.head.type == WIRE_WARNING)
                        log_warning("container %s: %s", x->request->id, reply.head.text);
                if (x->state && result == 0 && (reply.head.type == WIRE_STATE || reply.head.type == WIRE_DONE))
                        result = x->state(x->data, &reply);
                close_fd(reply.fd);
                if (reply.head.type == WIRE_DONE)
                        return reply.head.code == 0 ?
                                       result :
                                       err_set(err, reply.head.code, "%s",
                                               reply.head.text[0] ? reply.head.text : strerror(reply.head.code));
        }
}

void client_convert(const struct wire_reply *reply, struct container_state *state) {
        *state = (struct container_state){
                .phase = reply->phase == WIRE_PHASE_RUNNING ? CONTAINER_RUNNING : CONTAINER_EXITED,
                .pid = reply->pid,
                .started_at = reply->started_at,
                .exited_at = reply->exited_at,
                .exit_code = reply->exit_code,
                .signal = reply->exit_signal,
        };
        memcpy(state->id, reply->id, sizeof(state->id));
}
