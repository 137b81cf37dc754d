/* Attach and port-forward: descriptors from the shim and from the pod's network, got on the pool. */
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "cni/netns.h"
#include "cri/exec/exec.h"
#include "cri/sandbox/sandbox.h"
#include "runtime/container.h"

struct attach {
        struct pool_job job; /* first */
        struct cri_container *container;
        struct cri_attach_request request; /* without its text */
        struct cri_streams streams;
        int write_out, write_err;
        struct err *error;
        int result;
};

static void attach_work(struct pool_job *job) {
        struct attach *a = (struct attach *)job;
        struct cri_container *c = a->container;
        const struct container_at at = { c->sandbox->cri->runtime, c->sandbox->id, c->id };
        int in = -EBADF;

        a->result = container_attach(&at, a->write_out, a->write_err, &in, &a->error);
        a->streams.in = a->request.in ? TAKE_FD(in) : -EBADF;
        close_fd(in);
        close_fd(a->write_out);
        close_fd(a->write_err);
}

static void close_streams(struct cri_streams *streams) {
        close_fd(streams->in);
        close_fd(streams->out);
        close_fd(streams->err);
}

static void attach_done(struct pool_job *job) {
        struct attach *a = (struct attach *)job;

        if (a->result < 0) {
                close_streams(&a->streams);
                a->request.attached(a->request.data, NULL, a->error);
        } else {
                if (a->streams.in >= 0)
                        fcntl(a->streams.in, F_SETFL, fcntl(a->streams.in, F_GETFL) | O_NONBLOCK);
                a->request.attached(a->request.data, &a->streams, NULL);
        }
        cri_container_unref(a->container);
        err_free(a->error);
        free(a);
}

static int attach_pipe(bool wanted, int *ret_read, int *ret_write) {
        int fds[2];

        *ret_read = *ret_write = -EBADF;
        if (!wanted)
                return 0;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        *ret_read = fds[0];
        *ret_write = fds[1];
        fcntl(fds[0], F_SETFL, O_NONBLOCK);
        return 0;
}

/* The ends that the shim is to write to. */
static int open_pipes(struct attach *a) {
        const struct cri_attach_request *request = &a->request;
        bool tty = a->container->config->tty;
        int r = attach_pipe(request->out || (request->err && tty), &a->streams.out, &a->write_out);

        if (r < 0 || (r = attach_pipe(request->err && !tty, &a->streams.err, &a->write_err)) < 0) {
                a->write_out = close_fd(a->write_out);
                return err_errno(&a->error, -r, "make a pipe");
        }
        return 0;
}

void cri_attach(struct cri *cri, const struct cri_attach_request *request) {
        _cleanup_err_ struct err *why = NULL;
        struct cri_container *container;
        struct attach *a = NULL;

        if (cri_container_find(cri, request->container_id, &container, &why) == 0) {
                if (container->phase != CRI_PHASE_RUNNING)
                        err_set(&why, EINVAL, "container %s is not running", container->id);
                else if (!(a = calloc(1, sizeof(*a))))
                        err_set(&why, ENOMEM, "container %s: out of memory", container->id);
        }
        if (!a) {
                request->attached(request->data, NULL, why);
                return;
        }
        *a = (struct attach){ .job = { .work = attach_work, .done = attach_done },
                              .container = cri_container_ref(container),
                              .request = *request,
                              .streams = { -EBADF, -EBADF, -EBADF },
                              .write_out = -EBADF,
                              .write_err = -EBADF };
        a->request.container_id = NULL;
        if ((a->result = open_pipes(a)) < 0)
                attach_done(&a->job);
        else
                pool_submit(cri->pool, &a->job);
}

/* A small thing to be done to a container on the pool; nobody waits for it. */
struct errand {
        struct pool_job job; /* first */
        struct cri_container *container;
        uint16_t rows, columns; /* 0: close its input */
};

static void errand_work(struct pool_job *job) {
        struct errand *e = (struct errand *)job;
        struct cri_sandbox *sandbox = e->container->sandbox;

        if (e->rows || e->columns)
                container_resize(sandbox->cri->runtime, sandbox->id, e->container->id, e->rows, e->columns, NULL);
        else
                container_close_stdin(sandbox->cri->runtime, sandbox->id, e->container->id, NULL);
}

static void errand_done(struct pool_job *job) {
        struct errand *e = (struct errand *)job;

        cri_container_unref(e->container);
        free(e);
}

static void run_errand(struct cri *cri, struct cri_container *container, uint16_t rows, uint16_t columns) {
        struct errand *e = calloc(1, sizeof(*e));

        if (!e)
                return;
        e->job = (struct pool_job){ .work = errand_work, .done = errand_done };
        e->container = cri_container_ref(container);
        e->rows = rows;
        e->columns = columns;
        pool_submit(cri->pool, &e->job);
}

void cri_attach_input_ended(struct cri *cri, const char *container_id) {
        struct cri_container *container;

        if (cri_container_find(cri, container_id, &container, NULL) >= 0 && container->config->stdin_once)
                run_errand(cri, container, 0, 0);
}

void cri_attach_resize(struct cri *cri, const char *container_id, uint16_t rows, uint16_t columns) {
        struct cri_container *container;

        if ((rows || columns) && cri_container_find(cri, container_id, &container, NULL) >= 0)
                run_errand(cri, container, rows, columns);
}

/* How long a port may take to accept; a thread of the pool waits. */
#define DIAL_SECONDS 5

struct dial {
        struct pool_job job; /* first */
        struct cri_sandbox *sandbox;
        uint16_t port;
        int fd;
        struct err *error;
        cri_streams_fn connected;
        void *data;
};

static int dial_address(const struct sockaddr *address, socklen_t size, int *ret_fd) {
        _cleanup_close_ int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const struct timeval most = { .tv_sec = DIAL_SECONDS };

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most)) < 0)
                return -errno;
        if (connect(fd, address, size) < 0)
                return errno == EINPROGRESS ? -ETIMEDOUT : -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* In the pod's network. Loopback answers or refuses at once, unless a listener's queue is full. */
static int dial_inside(void *data, struct err **err) {
        struct dial *dial = data;
        struct sockaddr_in v4 = { .sin_family = AF_INET,
                                  .sin_port = htons(dial->port),
                                  .sin_addr = { htonl(INADDR_LOOPBACK) } };
        struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
                                   .sin6_port = htons(dial->port),
                                   .sin6_addr = IN6ADDR_LOOPBACK_INIT };
        int r = dial_address((struct sockaddr *)&v4, sizeof(v4), &dial->fd);

        if (r < 0 && dial_address((struct sockaddr *)&v6, sizeof(v6), &dial->fd) >= 0)
                return 0;
        return r < 0 ? err_errno(err, -r, "connect to port %u in the pod", dial->port) : 0;
}

static void dial_work(struct pool_job *job) {
        struct dial *dial = (struct dial *)job;
        _cleanup_close_ int netns = -EBADF;
        char path[SANDBOX_PATH_MAX];

        if (cri_sandbox_host_network(dial->sandbox)) {
                dial_inside(dial, &dial->error);
                return;
        }
        sandbox_netns_path(dial->sandbox->cri->runtime, dial->sandbox->id, path);
        if (cni_netns_open(path, &netns, &dial->error) >= 0)
                cni_netns_run(netns, dial_inside, dial, &dial->error);
}

static void dial_done(struct pool_job *job) {
        struct dial *dial = (struct dial *)job;
        struct cri_streams streams = { -EBADF, -EBADF, -EBADF };

        if (dial->fd >= 0) {
                fcntl(dial->fd, F_SETFL, O_NONBLOCK);
                streams.in = fcntl(dial->fd, F_DUPFD_CLOEXEC, 3);
                streams.out = dial->fd;
        }
        if (dial->fd >= 0 && streams.in < 0) {
                close_fd(dial->fd);
                err_errno(&dial->error, EMFILE, "connect to port %u in the pod", dial->port);
        }
        dial->connected(dial->data, streams.in >= 0 ? &streams : NULL, streams.in >= 0 ? NULL : dial->error);
        cri_sandbox_unref(dial->sandbox);
        err_free(dial->error);
        free(dial);
}

void cri_connect_port(struct cri *cri, const char *sandbox_id, uint16_t port, cri_streams_fn connected, void *data) {
        _cleanup_err_ struct err *why = NULL;
        struct cri_sandbox *sandbox;
        struct dial *dial;

        if (cri_sandbox_find(cri, sandbox_id, &sandbox, &why) < 0) {
                connected(data, NULL, why);
                return;
        }
        dial = calloc(1, sizeof(*dial));
        if (!dial || !sandbox->ready) {
                free(dial);
                err_set(&why, sandbox->ready ? ENOMEM : EINVAL, "sandbox %s is not ready", sandbox->id);
                connected(data, NULL, why);
                return;
        }
        dial->job = (struct pool_job){ .work = dial_work, .done = dial_done };
        dial->sandbox = cri_sandbox_ref(sandbox);
        dial->port = port;
        dial->fd = -EBADF;
        dial->connected = connected;
        dial->data = data;
        pool_submit(cri->pool, &dial->job);
}
