#include "runtime/criu/criu.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cgroups/cgroup.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/criu/criu.pb-c.h"
#include "runtime/criu/log.h"
#include "runtime/sys.h"
#include "runtime/wire.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define MESSAGE_MAX (64 * 1024)
#define LOG_LEVEL 4
#define LOCK_NFTABLES 2 /* its other method wants the program iptables-restore */
#define SOCKET_FD 3     /* in criu; what is inherited lies behind it */
#define CGROUPS_MAX 64
#define GRACE_MILLISECONDS 5000 /* to give up in */

int criu_find(struct arena *arena, const char **ret_program, struct err **err) {
        const char *path = getenv("PATH");

        for (const char *p = path && *path ? path : DEFAULT_PATH; *p; p += strspn(p, ":")) {
                size_t n = strcspn(p, ":");
                const char *program = arena_printf(arena, "%.*s/criu", (int)n, p);
                struct stat st;

                if (!program)
                        return err_set(err, ENOMEM, "out of memory");
                if (*p == '/' && stat(program, &st) == 0 && S_ISREG(st.st_mode) && access(program, X_OK) == 0) {
                        *ret_program = program;
                        return 0;
                }
                p += n;
        }
        return err_set(err, EOPNOTSUPP,
                       "checkpoint and restore need the program criu, which is not installed (not in %s)",
                       path && *path ? path : DEFAULT_PATH);
}

/* ---- its process ---- */

struct worker {
        const struct criu_request *request;
        pid_t pid;
        int socket;
        uint64_t deadline; /* CLOCK_MONOTONIC ms, 0: none */
        int master;
};

/* Puts @fds at the numbers from SOCKET_FD on; first of all out of the way, since one may lie where another is to be. */
static int move_all(int *fds, size_t n) {
        for (size_t i = 0; i < n; i++) {
                fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, SOCKET_FD + (int)n);
                if (fds[i] < 0)
                        return -errno;
        }
        for (size_t i = 0; i < n; i++)
                if (dup2(fds[i], SOCKET_FD + (int)i) < 0)
                        return -errno;
        return 0;
}

/* @fds: the socket and what is inherited. @tell is where a failure is told, and is moved out of their way. */
static int set_up(const struct criu_request *request, int null, int *fds, size_t n_fds, int *tell) {
        int moved = fcntl(*tell, F_DUPFD_CLOEXEC, SOCKET_FD + (int)n_fds);
        sigset_t none;

        if (moved < 0)
                return -errno;
        *tell = moved;

        for (size_t i = 0; request->join && i < request->join->n_tasks; i++)
                if (write(request->join->tasks[i], "0", 1) != 1)
                        return -errno;
        /* A restore's streams go on to be the container's. */
        if (request->pid > 0 && (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0))
                return -errno;
        if (move_all(fds, n_fds) < 0)
                return -errno;
        sys_close_range((unsigned)(SOCKET_FD + n_fds), ~0u, CLOSE_RANGE_CLOEXEC);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        signal(SIGXFSZ, SIG_IGN); /* see give_up() */
        return 0;
}

static _Noreturn void become_criu(const struct criu_request *request, int null, int *fds, size_t n_fds, int tell) {
        char program[] = "criu", verb[] = "swrk", number[] = "3", *argv[] = { program, verb, number, NULL };
        int r = set_up(request, null, fds, n_fds, &tell);

        if (r == 0) {
                execv(request->program, argv);
                r = -errno;
        }
        _exit(write(tell, &r, sizeof(r)) == sizeof(r) ? 127 : 126);
}

/* Waits until it has become criu, or says why not. */
static int wait_for_exec(struct worker *worker, int report, struct err **err) {
        ssize_t n;
        int r;

        do
                n = read(report, &r, sizeof(r));
        while (n < 0 && errno == EINTR);
        if (n == 0)
                return 0;
        while (waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return err_errno(err, n == sizeof(r) ? -r : EIO, "start %s", worker->request->program);
}

static int start(struct worker *worker, struct err **err) {
        const struct criu_request *request = worker->request;
        size_t n = request->n_inherited + 1;
        _cleanup_free_ int *fds = calloc(n, sizeof(*fds));
        _cleanup_close_ int ours = -EBADF, theirs = -EBADF, report = -EBADF, tell = -EBADF,
                            null = open("/dev/null", O_RDWR | O_CLOEXEC);
        int pair[2], r;

        if (!fds)
                return err_set(err, ENOMEM, "out of memory");
        if (null < 0)
                return err_errno(err, errno, "/dev/null");
        /* What an earlier one wrote there is not this one's. */
        unlinkat(request->work_fd, request->pid > 0 ? CRIU_DUMP_LOG : CRIU_RESTORE_LOG, 0);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return err_errno(err, errno, "socketpair");
        ours = pair[0];
        theirs = pair[1];
        if (pipe2(pair, O_CLOEXEC) < 0)
                return err_errno(err, errno, "pipe");
        report = pair[0];
        tell = pair[1];
        fds[0] = theirs;
        for (size_t i = 0; i < request->n_inherited; i++)
                fds[i + 1] = request->inherited[i].fd;
        worker->pid = sys_clone(0, request->join ? request->join->dir_fd : -EBADF, NULL);
        if (worker->pid == 0)
                become_criu(request, null, fds, n, tell);
        if (worker->pid < 0)
                return err_errno(err, errno, "start %s", request->program);
        tell = close_fd(tell);
        theirs = close_fd(theirs);
        r = wait_for_exec(worker, report, err);
        worker->socket = r < 0 ? -EBADF : TAKE_FD(ours);
        worker->deadline =
                request->seconds > 0 ? (uint64_t)clock_ms(CLOCK_MONOTONIC) + (uint64_t)request->seconds * 1000 : 0;
        return r;
}

/* ---- its RPC ---- */

static int send_request(int socket, const Criu__Request *message, struct err **err) {
        size_t size = criu__request__get_packed_size(message);
        _cleanup_free_ uint8_t *data = malloc(size);
        int r;

        if (!data)
                return err_set(err, ENOMEM, "out of memory");
        criu__request__pack(message, data);
        r = wire_send(socket, &(struct wire_packet){ .head = data, .head_size = size });
        return r < 0 ? err_errno(err, -r, "criu") : 0;
}

/* The roots of the cgroups that it was started in, so that what it restores is put there and not where it was before.
 */
static size_t cgroup_roots(struct arena *arena, pid_t pid, Criu__CgroupRoot **roots) {
        _cleanup_free_ char *text = NULL;
        char path[64], *save = NULL;
        size_t n = 0;

        snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
        if (files_read(path, 64 * 1024, &text, NULL, NULL) < 0)
                return 0;
        for (char *line = strtok_r(text, "\n", &save); line && n < CGROUPS_MAX; line = strtok_r(NULL, "\n", &save)) {
                char *controllers = strchr(line, ':'), *place = controllers ? strchr(controllers + 1, ':') : NULL;
                Criu__CgroupRoot *root = arena_new_of(arena, Criu__CgroupRoot);

                if (!place || !root)
                        continue;
                *place = '\0';
                criu__cgroup_root__init(root);
                root->controllers = arena_strdup(arena, controllers + 1);
                root->path = arena_strdup(arena, place + 1);
                if (root->controllers && root->path)
                        roots[n++] = root;
        }
        return n;
}

static int add_inherited(struct arena *arena, const struct criu_request *request, Criu__Options *options,
                         struct err **err) {
        options->inherited = arena_alloc_array(arena, request->n_inherited + 1, sizeof(*options->inherited));
        for (size_t i = 0; options->inherited && i < request->n_inherited; i++) {
                Criu__InheritedFd *fd = arena_new_of(arena, Criu__InheritedFd);

                if (!fd)
                        return err_set(err, ENOMEM, "out of memory");
                criu__inherited_fd__init(fd);
                fd->key = (char *)request->inherited[i].key;
                fd->fd = SOCKET_FD + 1 + (int)i;
                options->inherited[i] = fd;
        }
        options->n_inherited = request->n_inherited;
        return options->inherited ? 0 : err_set(err, ENOMEM, "out of memory");
}

static void fill_options(const struct criu_request *request, Criu__Options *o) {
        bool dump = request->pid > 0;

        *o = (Criu__Options)CRIU__OPTIONS__INIT;
        o->images_dir_fd = request->images_fd;
        o->has_work_dir_fd = true, o->work_dir_fd = request->work_fd;
        o->log_file = (char *)(dump ? CRIU_DUMP_LOG : CRIU_RESTORE_LOG);
        o->has_log_level = true, o->log_level = LOG_LEVEL;
        o->root = (char *)request->root;
        o->has_tcp_established = true, o->tcp_established = request->tcp_established;
        o->has_ext_unix_sk = true, o->ext_unix_sk = request->ext_unix_sk;
        o->has_shell_job = true, o->shell_job = request->shell_job;
        o->has_file_locks = true, o->file_locks = request->file_locks;
        o->has_cgroups_mode = true, o->cgroups_mode = (int32_t)request->cgroups;
        o->has_orphan_pts_master = true, o->orphan_pts_master = true;
        o->has_network_lock = true, o->network_lock = LOCK_NFTABLES;
        o->external = (char **)request->external;
        o->n_external = request->n_external;
        if (dump) {
                o->has_pid = true, o->pid = request->pid;
                o->has_leave_running = true, o->leave_running = request->leave_running;
                o->has_timeout = request->seconds > 0, o->timeout = request->seconds;
                return;
        }
        o->has_evasive_devices = true, o->evasive_devices = true;
        o->has_restore_as_sibling = true, o->restore_as_sibling = true;
        o->has_notify_scripts = true, o->notify_scripts = true;
}

static int ask(struct worker *worker, struct err **err) {
        const struct criu_request *request = worker->request;
        _cleanup_arena_ struct arena *arena = arena_new();
        Criu__Request message = CRIU__REQUEST__INIT;
        Criu__JoinedNamespace joined[CRIU_JOINED_MAX], *joined_list[CRIU_JOINED_MAX];
        Criu__CgroupRoot *roots[CGROUPS_MAX];
        Criu__Options options;
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        fill_options(request, &options);
        r = add_inherited(arena, request, &options, err);
        if (r < 0)
                return r;
        if (request->join && request->cgroups != CRIU_CGROUPS_IGNORE) {
                options.n_cgroup_roots = cgroup_roots(arena, worker->pid, roots);
                options.cgroup_roots = roots;
        }
        for (size_t i = 0; i < request->n_joined; i++) {
                criu__joined_namespace__init(&joined[i]);
                joined[i].kind = (char *)request->joined[i].kind;
                joined[i].path = (char *)request->joined[i].path;
                joined_list[i] = &joined[i];
        }
        options.joined = joined_list;
        options.n_joined = request->n_joined;
        message.type = request->pid > 0 ? CRIU__TYPE__DUMP : CRIU__TYPE__RESTORE;
        message.options = &options;
        return send_request(worker->socket, &message, err);
}

/* One message of criu's; 0 bytes: it has gone. */
static ssize_t receive(struct worker *worker, uint8_t *data, int *ret_fd, struct err **err) {
        struct pollfd poller = { .fd = worker->socket, .events = POLLIN };
        size_t n_fds = 0;
        ssize_t n;
        int r;

        do {
                uint64_t t = (uint64_t)clock_ms(CLOCK_MONOTONIC);

                r = poll(&poller, 1,
                         worker->deadline == 0 ? -1 :
                         worker->deadline > t  ? (int)(worker->deadline - t) :
                                                 0);
        } while (r < 0 && errno == EINTR);
        if (r == 0)
                return err_set(err, ETIMEDOUT, "%s did not end within %u s", worker->request->program,
                               worker->request->seconds);
        n = wire_receive(worker->socket, data, MESSAGE_MAX, ret_fd, 1, &n_fds);
        return n == -ECONNRESET ? 0 : n < 0 ? err_errno(err, (int)-n, "criu") : n;
}

/* Moments of a restore, of which each is answered. */
static int notice(struct worker *worker, const Criu__Notice *n, int *fd, struct err **err) {
        Criu__Request answer = CRIU__REQUEST__INIT;
        const char *script = n && n->script ? n->script : "";
        int r = 0;

        if (strcmp(script, "orphan-pts-master") == 0 && *fd >= 0) {
                close_fd(worker->master);
                worker->master = TAKE_FD(*fd);
        } else if (strcmp(script, "setup-namespaces") == 0 && worker->request->made) {
                r = worker->request->made(worker->request->data, n->pid, err);
        }
        answer.type = CRIU__TYPE__NOTIFY;
        answer.has_notify_success = true;
        answer.notify_success = r == 0;
        return r < 0 ? send_request(worker->socket, &answer, NULL), r : send_request(worker->socket, &answer, err);
}

/* What it said, until it is done: *@ret_response is to be freed, NULL when it ended without a word. */
static int listen_to(struct worker *worker, Criu__Response **ret_response, struct err **err) {
        _cleanup_free_ uint8_t *data = malloc(MESSAGE_MAX);

        *ret_response = NULL;
        if (!data)
                return err_set(err, ENOMEM, "out of memory");
        for (;;) {
                _cleanup_close_ int fd = -EBADF;
                Criu__Response *response;
                ssize_t n = receive(worker, data, &fd, err);
                int r;

                if (n <= 0)
                        return (int)n;
                errno = 0;
                response = criu__response__unpack(NULL, (size_t)n, data);
                if (!response && errno == ENOMEM)
                        return err_set(err, ENOMEM, "out of memory");
                if (!response)
                        return err_set(err, EBADMSG, "%s: not an answer of criu's", worker->request->program);
                if (response->type != CRIU__TYPE__NOTIFY || !response->success) {
                        *ret_response = response;
                        return 0;
                }
                r = notice(worker, response->notice, &fd, err);
                criu__response__free_unpacked(response, NULL);
                if (r < 0)
                        return r;
        }
}

/* Killed in the middle it would leave the container stopped, or cut off from its network. When it cannot write any more
 * it fails, and puts all of that right. */
static void give_up(struct worker *worker) {
        const struct rlimit none = { 0, 0 };
        _cleanup_close_ int process = sys_pidfd_open(worker->pid);
        struct pollfd ended = { .fd = process, .events = POLLIN };

        prlimit(worker->pid, RLIMIT_FSIZE, &none, NULL);
        while (poll(&ended, 1, GRACE_MILLISECONDS) < 0 && errno == EINTR)
                ;
        kill(worker->pid, SIGKILL);
}

/* Ends the worker; its exit status. */
static int finish(struct worker *worker, bool failed) {
        int status = 0;

        worker->socket = close_fd(worker->socket);
        if (failed)
                give_up(worker);
        while (waitpid(worker->pid, &status, 0) < 0)
                if (errno != EINTR)
                        return 0;
        return status;
}

static int check_response(const struct criu_request *request, const Criu__Response *response, int status,
                          struct err **err) {
        if (response && response->success && (request->pid != 0 || response->restored))
                return 0;
        return criu_log_error(request, response ? response->error_text : NULL, response ? response->error_number : 0,
                              status, err);
}

/* criu swrk: one request, one answer. @ret_pid: of what was restored. */
static int work(const struct criu_request *request, pid_t *ret_pid, int *ret_master, struct err **err) {
        struct worker worker = { .request = request, .socket = -EBADF, .master = -EBADF };
        Criu__Response *response = NULL;
        int r = start(&worker, err), status;

        if (r < 0)
                return r;
        r = ask(&worker, err);
        /* One that ended before it was asked has told its reason by its status. */
        if (r == 0 || r == -EPIPE || r == -ECONNRESET) {
                if (r < 0 && err)
                        *err = err_free(*err);
                r = listen_to(&worker, &response, err);
        }
        status = finish(&worker, r < 0);
        if (r >= 0 && (r = check_response(request, response, status, err)) >= 0) {
                *ret_pid = response->restored ? response->restored->pid : 0;
                *ret_master = TAKE_FD(worker.master);
        }
        close_fd(worker.master);
        if (response)
                criu__response__free_unpacked(response, NULL);
        return r;
}

int criu_dump(const struct criu_request *request, struct err **err) {
        int master = -EBADF;
        pid_t pid;

        return work(request, &pid, &master, err);
}

int criu_restore(const struct criu_request *request, pid_t *ret_pid, int *ret_master, struct err **err) {
        return work(request, ret_pid, ret_master, err);
}
