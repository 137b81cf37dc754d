#include "images/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "images/message.h"
#include "images/reference.h"
#include "images/strings.h"
#include "images/transfer_helper.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/list.h"
#include "lib/log.h"
#include "lib/program.h"

struct image_transfer {
        uv_loop_t *loop;
        struct image_transfer_callbacks callbacks;
        void *data;
        struct message *request;        /* until it was sent, then wiped: it holds credentials */
        struct transfer_helper *helper; /* while it is asked, before all else */
        char *worker;
        int socket, pidfd;
        pid_t pid;
        uv_poll_t messages, exit;
        uv_timer_t timer; /* calls done() for what was cancelled in the queue */
        int handles;      /* that are not closed yet */
        bool started, cancelled;
        bool has_result;
        uint64_t bytes;
        char image[IMAGE_DIGEST_LENGTH + 1], manifest[IMAGE_DIGEST_LENGTH + 1];
        struct string_list references;
        struct err *error;
        struct list_node waiting; /* in the queue, or for its helper */
};

LIST_DEFINE(transfers, struct image_transfer, waiting)

/* The processes of this program: its one loop's thread owns it. */
static struct {
        unsigned running;
        struct transfers waiting;
        struct transfers asking; /* their helpers */
} queue;

static void wipe_request(struct image_transfer *t) {
        if (t->request)
                explicit_bzero(t->request, sizeof(*t->request));
        free(t->request);
        t->request = NULL;
}

static void transfer_free(struct image_transfer *t) {
        wipe_request(t);
        free(t->worker);
        close_fd(t->socket);
        close_fd(t->pidfd);
        image_string_list_clear(&t->references);
        err_free(t->error);
        free(t);
}

static void on_closed(uv_handle_t *handle) {
        struct image_transfer *t = handle->data;

        if (--t->handles == 0)
                transfer_free(t);
}

static void start_queued(void);

static void finish(struct image_transfer *t) {
        const struct image_transfer_result result = { .image_id = t->image,
                                                      .manifest = t->manifest,
                                                      .bytes = t->bytes,
                                                      .references = (const char *const *)t->references.items };

        if (t->cancelled) {
                t->error = err_free(t->error);
                err_set(&t->error, ECANCELED, "the transfer was cancelled");
        }
        if (!t->has_result && !t->error)
                err_set(&t->error, EIO, "%s ended without an answer", IMAGE_WORKER);
        t->callbacks.done(t->data, t->error ? NULL : &result, t->error);
        if (t->started) {
                queue.running--;
                uv_close((uv_handle_t *)&t->messages, on_closed);
                uv_close((uv_handle_t *)&t->exit, on_closed);
        }
        uv_close((uv_handle_t *)&t->timer, on_closed);
        start_queued();
}

static uint64_t number_of(const struct message *m, const char *key) {
        const char *text = image_message_get(m, key);

        return text ? strtoull(text, NULL, 10) : 0;
}

static void take_progress(struct image_transfer *t, const struct message *m) {
        const struct image_progress progress = {
                .digest = image_message_get(m, "digest") ?: "",
                .phase = image_message_get(m, "phase") ?: "",
                .done = number_of(m, "done"),
                .total = number_of(m, "total"),
        };

        if (t->callbacks.progress && !t->cancelled)
                t->callbacks.progress(t->data, &progress);
}

static void take_result(struct image_transfer *t, const struct message *m) {
        const char *key, *value;
        size_t at = 0;

        t->has_result = true;
        snprintf(t->image, sizeof(t->image), "%s", image_message_get(m, "image") ?: "");
        snprintf(t->manifest, sizeof(t->manifest), "%s", image_message_get(m, "manifest") ?: "");
        t->bytes = number_of(m, "bytes");
        while (image_message_next(m, &at, &key, &value))
                if (strcmp(key, "reference") == 0)
                        image_string_list_add(&t->references, value);
        if (!t->references.items)
                t->references.items = image_string_list_take(&t->references);
}

static void take_message(struct image_transfer *t, const struct message *m) {
        const char *kind = image_message_get(m, "kind");

        if (strcmp(kind ?: "", "progress") == 0)
                take_progress(t, m);
        else if (strcmp(kind ?: "", "result") == 0)
                take_result(t, m);
        else if (strcmp(kind ?: "", "error") == 0 && !t->error)
                err_set(&t->error, (int)number_of(m, "code") ?: EIO, "%s",
                        image_message_get(m, "text") ?: "no error text");
}

static void drain(struct image_transfer *t) {
        static struct message m; /* too large for a stack; the loop's thread is the only one */
        ssize_t n;

        while ((n = recv(t->socket, m.bytes, sizeof(m.bytes), MSG_DONTWAIT | MSG_TRUNC)) > 0) {
                m.n = (size_t)n <= sizeof(m.bytes) ? (size_t)n : 0;
                if (image_message_valid(&m))
                        take_message(t, &m);
        }
        if (n == 0 || errno != EAGAIN)
                uv_poll_stop(&t->messages);
}

static void on_message(uv_poll_t *poll, int status, int events) {
        struct image_transfer *t = poll->data;

        (void)events;
        if (status < 0)
                uv_poll_stop(poll);
        else
                drain(t);
}

static void on_exit_of_worker(uv_poll_t *poll, int status, int events) {
        struct image_transfer *t = poll->data;
        siginfo_t info = { .si_pid = 0 };

        (void)status;
        (void)events;
        uv_poll_stop(poll);
        drain(t);
        if (waitid(P_PIDFD, (id_t)t->pidfd, &info, WEXITED) == 0 && info.si_code != CLD_EXITED && !t->has_result)
                err_set(&t->error, EIO, "%s was killed by signal %d", IMAGE_WORKER, info.si_status);
        else if (info.si_code == CLD_EXITED && info.si_status == ENOMEM && !t->has_result)
                err_set(&t->error, ENOMEM, "%s: out of memory", IMAGE_WORKER);
        finish(t);
}

static void on_timer(uv_timer_t *timer) {
        finish(timer->data);
}

static int find_worker(char **ret_path, struct err **err) {
        static const char *const places[] = { "", "../libexec/nacelle/" };
        char self[PATH_MAX], *slash;
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

        if (n < 0)
                return err_errno(err, errno, "read /proc/self/exe");
        self[n] = '\0';
        slash = strrchr(self, '/');
        if (slash)
                *slash = '\0';
        for (size_t i = 0; i < ELEMENTS(places); i++) {
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "%s/%s" IMAGE_WORKER, self, places[i]) < 0)
                        return err_set(err, ENOMEM, "out of memory");
                if (access(path, X_OK) == 0) {
                        *ret_path = TAKE_PTR(path);
                        return 0;
                }
        }
        return err_set(err, ENOENT, "no program " IMAGE_WORKER " in %s or ../libexec/nacelle", self);
}

/* A terminal's ^C is for the agent, which then ends the worker: it has a process group of its own. */
static int spawn(const char *path, int socket, pid_t *ret_pid, struct err **err) {
        char *const argv[] = { (char *)IMAGE_WORKER, NULL };
        posix_spawn_file_actions_t actions;
        int r;

        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
        posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions, socket, IMAGE_SOCKET_FD);
        r = program_spawn(path, argv, NULL, &actions, ret_pid, err);
        posix_spawn_file_actions_destroy(&actions);
        return r;
}

/* Starts the process; on failure nothing of it is left. */
static int start_process(struct image_transfer *t, struct err **err) {
        _cleanup_close_ int ours = -EBADF, theirs = -EBADF;
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return err_errno(err, errno, "make a socket");
        ours = pair[0];
        theirs = pair[1];
        if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0 || send(ours, t->request->bytes, t->request->n, MSG_NOSIGNAL) < 0)
                return err_errno(err, errno, "send the request");
        r = spawn(t->worker, theirs, &t->pid, err);
        if (r < 0)
                return r;
        t->pidfd = (int)syscall(SYS_pidfd_open, t->pid, 0);
        if (t->pidfd < 0) {
                r = errno;
                kill(t->pid, SIGKILL);
                waitpid(t->pid, NULL, 0);
                return err_errno(err, r, "open the process");
        }
        t->socket = TAKE_FD(ours);
        wipe_request(t);
        return 0;
}

static int start(struct image_transfer *t, struct err **err) {
        int r = start_process(t, err);

        if (r < 0)
                return r;
        uv_poll_init(t->loop, &t->messages, t->socket);
        uv_poll_init(t->loop, &t->exit, t->pidfd);
        t->messages.data = t->exit.data = t;
        t->handles += 2;
        t->started = true;
        queue.running++;
        uv_poll_start(&t->messages, UV_READABLE, on_message);
        uv_poll_start(&t->exit, UV_READABLE, on_exit_of_worker);
        return 0;
}

static void start_queued(void) {
        struct image_transfer *t;

        while (queue.running < IMAGE_TRANSFERS_MAX && (t = transfers_pop(&queue.waiting)))
                if (start(t, &t->error) < 0)
                        finish(t);
}

/* Without a helper's credentials the transfer goes on, as docker's does; should the registry refuse it, it says why. */
static void on_helped(void *data, const struct credentials *credentials, const struct err *err) {
        struct image_transfer *t = data;

        t->helper = NULL;
        transfers_remove(t);
        if (t->cancelled)
                return finish(t);
        if (err)
                log_warning("%s", err_text(err));
        image_message_add(t->request, "helped-username", credentials->username);
        image_message_add(t->request, "helped-password", credentials->password);
        image_message_add(t->request, "helped-identity-token", credentials->identity_token);
        image_message_add(t->request, "helper-error", err ? err_text(err) : NULL);
        if (t->request->full)
                err_set(&t->error, EINVAL, "a request of more than %d bytes", IMAGE_MESSAGE_MAX);
        else if (queue.running >= IMAGE_TRANSFERS_MAX)
                return transfers_append(&queue.waiting, t);
        if (t->error || start(t, &t->error) < 0)
                finish(t);
}

static int fill_request(struct message *m, const struct image_transfer_request *q) {
        static const char *const kinds[] = {
                [IMAGE_PULL] = "pull",     [IMAGE_IMPORT] = "import", [IMAGE_PUSH] = "push",
                [IMAGE_EXPORT] = "export", [IMAGE_LOGIN] = "login",
        };
        const struct {
                const char *key, *value;
        } pairs[] = {
                { "kind", kinds[q->kind] },
                { "root", q->root_dir },
                { "reference", q->reference },
                { "file", q->file },
                { "platform", q->platform },
                { "registries", q->registries },
                { "hosts-dir", q->hosts_dir },
                { "docker-config", q->docker_config },
                { "insecure", q->insecure },
                { "username", q->auth.username },
                { "password", q->auth.password },
                { "auth", q->auth.auth },
                { "identity-token", q->auth.identity_token },
                { "registry-token", q->auth.registry_token },
                { "auth-server", q->auth.server },
        };

        for (size_t i = 0; i < ELEMENTS(pairs); i++)
                image_message_add(m, pairs[i].key, pairs[i].value);
        return m->full ? -E2BIG : 0;
}

static int prepare(struct image_transfer *t, const struct image_transfer_request *q, struct err **err) {
        t->request = calloc(1, sizeof(*t->request));
        if (!t->request)
                return err_set(err, ENOMEM, "out of memory");
        if (fill_request(t->request, q) < 0)
                return err_set(err, EINVAL, "a request of more than %d bytes", IMAGE_MESSAGE_MAX);
        if (!q->worker)
                return find_worker(&t->worker, err);
        t->worker = strdup(q->worker);
        return t->worker ? 0 : err_set(err, ENOMEM, "out of memory");
}

/* At once, when its turn comes, or when a helper has said what it needs. */
static int begin(struct image_transfer *t, const struct image_transfer_request *request, struct err **err) {
        struct image_reference reference;
        int r = prepare(t, request, err);

        if (r < 0)
                return r;
        if (request->pool && image_transfer_helper_wanted(request, &reference))
                return image_transfer_helper_start(request, on_helped, t, &t->helper, err);
        if (queue.running < IMAGE_TRANSFERS_MAX)
                return start(t, err);
        transfers_append(&queue.waiting, t);
        return 0;
}

int image_transfer_start(uv_loop_t *loop, const struct image_transfer_request *request,
                         const struct image_transfer_callbacks *callbacks, void *data,
                         struct image_transfer **ret_transfer, struct err **err) {
        struct image_transfer *t = calloc(1, sizeof(*t));
        int r;

        if (!t)
                return err_set(err, ENOMEM, "out of memory");
        *t = (struct image_transfer){
                .loop = loop, .callbacks = *callbacks, .data = data, .socket = -EBADF, .pidfd = -EBADF
        };
        r = begin(t, request, err);
        if (r < 0) {
                transfer_free(t);
                return r;
        }
        if (t->helper)
                transfers_append(&queue.asking, t);
        uv_timer_init(loop, &t->timer);
        t->timer.data = t;
        t->handles++;
        if (ret_transfer)
                *ret_transfer = t;
        return 0;
}

void image_transfer_cancel(struct image_transfer *t) {
        if (t->cancelled)
                return;
        t->cancelled = true;
        if (t->helper) {
                image_transfer_helper_cancel(t->helper);
                return;
        }
        if (t->started) {
                syscall(SYS_pidfd_send_signal, t->pidfd, SIGKILL, NULL, 0);
                return;
        }
        if (transfers_contains(t))
                transfers_remove(t);
        uv_timer_start(&t->timer, on_timer, 0, 0);
}

bool image_transfers_leave(void) {
        LIST_EACH (transfers, t, &queue.asking)
                image_transfer_cancel(t);
        return !transfers_is_empty(&queue.asking);
}
