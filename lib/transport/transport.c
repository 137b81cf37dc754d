#include "lib/transport/transport.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/sigpipe.h"
#include "lib/thread_buffer.h"
#include "lib/transport/internal.h"

/* Reads in one turn of the loop, before other streams have theirs. */
#define READS_MAX 4

/* Where bytes come in. One a thread that reads, made when it first does; used within one callback only. */
static struct thread_buffer read_buffer = THREAD_BUFFER(TRANSPORT_READ_SIZE);

static void on_closed(uv_handle_t *handle) {
        struct transport *stream = handle->data;
        const struct transport_events *events = stream->events;

        SSL_free(stream->ssl);
        tls_context_unref(stream->tls);
        if (events)
                events->closed(stream->data, stream->error, stream->why && stream->why[0] ? stream->why : NULL);
        free(stream->why);
        free(stream);
}

static void end_timer(struct transport *stream) {
        handle_free(stream->timer);
        stream->timer = NULL;
}

/* The descriptor may go only once the loop does not watch it any more. */
static void let_go(struct transport *stream) {
        /* Who takes nothing is not waited for by the kernel either, with all that it was given. */
        if (stream->error == -ETIMEDOUT)
                setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
        end_timer(stream);
        queue_clear(&stream->out);
        if (stream->ssl && stream->state == TRANSPORT_OPEN && !stream->finished && stream->error == 0)
                stream->kind->shutdown(stream);
        uv_close((uv_handle_t *)&stream->poll, on_closed); /* which ends the watch at once */
        stream->fd = close_fd(stream->fd);
}

void transport_close(struct transport *stream, int error) {
        if (stream->state == TRANSPORT_CLOSING)
                return;
        stream->error = error;
        let_go(stream);
        stream->state = TRANSPORT_CLOSING;
}

/* Gives what waits to the socket. */
static int flush(struct transport *stream) {
        struct iovec ranges[TRANSPORT_RANGES_MAX];

        while (!queue_empty(&stream->out)) {
                unsigned n = queue_peek(&stream->out, ranges, TRANSPORT_RANGES_MAX);
                ssize_t written = stream->kind->write(stream, ranges, n);

                if (written < 0)
                        return (int)written;
                queue_drop(&stream->out, (size_t)written);
        }
        return 0;
}

static void end_output(struct transport *stream) {
        int r = stream->kind->shutdown(stream);

        if (r == -EAGAIN)
                return;
        stream->finished = true;
        if (stream->ssl)
                shutdown(stream->fd, SHUT_WR);
}

static void on_writable(struct transport *stream) {
        bool waited = !queue_empty(&stream->out);
        int r = flush(stream);

        if (r < 0 && r != -EAGAIN)
                return transport_close(stream, r);
        if (!queue_empty(&stream->out))
                return;
        if (stream->finishing && !stream->finished)
                end_output(stream);
        if (waited && stream->events->drained)
                stream->events->drained(stream->data);
}

static bool wants_input(const struct transport *stream) {
        return stream->state == TRANSPORT_OPEN && !stream->paused && !stream->in_ended;
}

/* What is there already, of several records, is one piece. What ends it is told by the next call. */
static ssize_t read_much(struct transport *stream, uint8_t *buffer) {
        size_t filled = 0;
        ssize_t n;

        do {
                n = stream->kind->read(stream, buffer + filled, TRANSPORT_READ_SIZE - filled);
                filled += n > 0 ? (size_t)n : 0;
        } while (n > 0 && filled < TRANSPORT_READ_SIZE && stream->kind->buffered(stream));
        return filled > 0 ? (ssize_t)filled : n;
}

static void on_readable(struct transport *stream) {
        uint8_t *buffer = thread_buffer(&read_buffer);

        if (!buffer)
                return transport_close(stream, -ENOMEM);
        for (unsigned i = 0; i < READS_MAX && wants_input(stream); i++) {
                ssize_t n = read_much(stream, buffer);

                if (n == -EAGAIN)
                        return;
                if (n < 0)
                        return transport_close(stream, (int)n);
                if (n == 0) {
                        stream->in_ended = true;
                        return stream->events->ended(stream->data);
                }
                stream->events->received(stream->data, buffer, (size_t)n);
                /* A socket that gave less has no more: the call that would say so is saved. */
                if (stream->dry && !stream->kind->buffered(stream))
                        return;
        }
        stream->turn = wants_input(stream) && stream->kind->buffered(stream);
}

static void open_stream(struct transport *stream) {
        int r = stream->kind->handshake(stream);

        if (r == -EAGAIN)
                return;
        if (r < 0)
                return transport_close(stream, r);
        end_timer(stream);
        stream->state = TRANSPORT_OPEN;
        stream->wants_read = stream->wants_write = false;
        stream->events->opened(stream->data);
        if (wants_input(stream))
                stream->turn = stream->kind->buffered(stream);
}

/* The error that waits at the socket, as a positive errno; 0: none. */
static int socket_error(const struct transport *stream) {
        int error = 0;
        socklen_t size = sizeof(error);

        return getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

static void on_connected(struct transport *stream) {
        int error = socket_error(stream);

        if (error != 0)
                return transport_close(stream, -error);
        stream->state = TRANSPORT_HANDSHAKING;
        open_stream(stream);
}

static void take_event(struct transport *stream, int events) {
        bool turn = stream->turn;

        stream->turn = false;
        if (stream->state == TRANSPORT_CONNECTING)
                return on_connected(stream);
        if (stream->state == TRANSPORT_HANDSHAKING)
                open_stream(stream);
        else if ((events & UV_WRITABLE) || stream->wants_read)
                on_writable(stream);
        if (wants_input(stream) && ((events & UV_READABLE) || turn || (stream->wants_write && (events & UV_WRITABLE))))
                on_readable(stream);
}

/* Sets what the loop is to wait for by the stream's state. */
static void watch(struct transport *stream);

static void on_event(uv_poll_t *poll, int status, int events) {
        struct transport *stream = poll->data;

        if (status < 0) /* epoll(7) reports an error; libuv calls each EBADF */
                return transport_close(stream, -(socket_error(stream) ?: ECONNRESET));
        stream->in_event = true;
        take_event(stream, events);
        stream->in_event = false;
        watch(stream);
}

static int wanted_events(const struct transport *stream) {
        bool output = !queue_empty(&stream->out) || (stream->finishing && !stream->finished);

        switch (stream->state) {
        case TRANSPORT_CONNECTING:
                return UV_WRITABLE;
        case TRANSPORT_HANDSHAKING:
                return !stream->ssl || stream->wants_read ? UV_READABLE : UV_WRITABLE;
        case TRANSPORT_OPEN:
                return (wants_input(stream) || stream->wants_read ? UV_READABLE : 0) |
                       ((output && !stream->wants_read) || stream->wants_write || stream->turn ? UV_WRITABLE : 0);
        default:
                return 0;
        }
}

static void watch(struct transport *stream) {
        int events = wanted_events(stream), r;

        if (stream->in_event || stream->state == TRANSPORT_CLOSING || events == stream->polled)
                return;
        stream->polled = events;
        r = events ? uv_poll_start(&stream->poll, events, on_event) : uv_poll_stop(&stream->poll);
        if (r < 0)
                transport_close(stream, r);
}

static void on_handshake_late(uv_timer_t *timer) {
        transport_close(timer->data, -ETIMEDOUT);
}

static int start_tls(struct transport *stream, struct tls_context *tls, const char *name) {
        stream->kind = &transport_in_tls;
        stream->tls = tls_context_ref(tls);
        stream->ssl = tls_session_new(tls, name);
        if (!stream->ssl || transport_use_socket(stream) < 0)
                return -ENOMEM;
        transport_recognize_http(stream);
        return uv_timer_start(stream->timer, on_handshake_late, TRANSPORT_HANDSHAKE_MS, 0);
}

static void on_begin(uv_timer_t *timer) {
        struct transport *stream = timer->data;

        stream->in_event = true;
        if (stream->ssl)
                uv_timer_start(timer, on_handshake_late, TRANSPORT_HANDSHAKE_MS, 0);
        open_stream(stream);
        stream->in_event = false;
        watch(stream);
}

/* The stream is connected. What comes of that comes from the loop, by a timer, since what the loop waits for at a
 * socket costs system calls to change; a server's TLS begins with the client's bytes. */
static void begin_from_loop(struct transport *stream) {
        if (!stream->ssl || !SSL_is_server(stream->ssl))
                uv_timer_start(stream->timer, on_begin, 0, 0);
        stream->wants_read = true;
        stream->state = TRANSPORT_HANDSHAKING;
}

/* A stream on @fd, which is taken over. After a failure nothing is left of it, and no event comes. */
static int stream_new(uv_loop_t *loop, int fd, struct tls_context *tls, const char *name,
                      struct transport **ret_stream) {
        struct transport *stream = calloc(1, sizeof(*stream));
        int r = stream ? uv_poll_init_socket(loop, &stream->poll, fd) : -ENOMEM;

        if (r < 0) {
                free(stream);
                close_fd(fd);
                return r;
        }
        stream->poll.data = stream;
        stream->fd = fd;
        stream->kind = &transport_plain;
        queue_init(&stream->out);
        stream->timer = handle_timer(loop, stream);
        if (!stream->timer)
                r = -ENOMEM;
        else if (tls)
                r = start_tls(stream, tls, name);
        if (r < 0) {
                transport_close(stream, r);
                return r;
        }
        *ret_stream = stream;
        return 0;
}

static bool is_tcp(int family) {
        return family == AF_INET || family == AF_INET6;
}

/* Whether both ends of a connected @fd have one address, and nothing of a network between them. */
static bool is_within_host(int fd, int family) {
        union {
                struct sockaddr any;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
        } own, peer;

        if (getsockname(fd, &own.any, &(socklen_t){ sizeof(own) }) < 0 ||
            getpeername(fd, &peer.any, &(socklen_t){ sizeof(peer) }) < 0)
                return false;
        return family == AF_INET ? own.v4.sin_addr.s_addr == peer.v4.sin_addr.s_addr :
                                   memcmp(&own.v6.sin6_addr, &peer.v6.sin6_addr, sizeof(own.v6.sin6_addr)) == 0;
}

/* Small writes are whole messages here: none waits for the acknowledgement of the one before. Within a host there is no
 * congestion, and BBR, where that is the host's choice, would take a reader that waits for a processor for a narrow
 * path and send at that pace for seconds. Reno is in every kernel, and everyone's to choose (tcp(7)). */
static void set_tcp(int fd, int family) {
        if (!is_tcp(family))
                return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        if (is_within_host(fd, family))
                setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", strlen("reno"));
}

int transport_accept(uv_loop_t *loop, int fd, struct tls_context *tls, const struct transport_events *events,
                     void *data, struct transport **ret_stream) {
        int family = 0, r;

        sigpipe_survive();
        getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &(socklen_t){ sizeof(family) });
        set_tcp(fd, family);
        r = stream_new(loop, fd, tls, NULL, ret_stream);
        if (r < 0)
                return r;
        (*ret_stream)->events = events;
        (*ret_stream)->data = data;
        begin_from_loop(*ret_stream);
        watch(*ret_stream);
        return 0;
}

/* 0 when @fd is connected, -EINPROGRESS while that, or why it failed, is to be waited for. To what is on this host TCP
 * too has connected by the time that connect() says it has not. */
static int connect_now(int fd, const struct transport_target *target) {
        struct pollfd now = { .fd = fd, .events = POLLOUT };

        if (connect(fd, target->address, target->n_address) == 0)
                return 0;
        if (errno != EINPROGRESS)
                return -errno;
        return poll(&now, 1, 0) == 1 && now.revents == POLLOUT ? 0 : -EINPROGRESS;
}

int transport_connect(uv_loop_t *loop, const struct transport_target *target, const struct transport_events *events,
                      void *data, struct transport **ret_stream) {
        _cleanup_close_ int fd = socket(target->address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int connected, r;

        sigpipe_survive();
        if (fd < 0)
                return -errno;
        connected = connect_now(fd, target);
        if (connected < 0 && connected != -EINPROGRESS)
                return connected;
        set_tcp(fd, target->address->sa_family);
        r = stream_new(loop, TAKE_FD(fd), target->tls, target->name, ret_stream);
        if (r < 0)
                return r;
        (*ret_stream)->events = events;
        (*ret_stream)->data = data;
        if (connected == 0)
                begin_from_loop(*ret_stream);
        watch(*ret_stream);
        return 0;
}

/* Whether more may be sent now; 0 or the reason why not. A stream that is closing swallows what it gets. */
static int check_output(const struct transport *stream) {
        assert(stream->state == TRANSPORT_OPEN || stream->state == TRANSPORT_CLOSING);
        return stream->finishing ? -EPIPE : 0;
}

/* Moves the beginning of the ranges forward by what was written. */
static void skip(struct iovec **ranges, unsigned *n, size_t written) {
        while (*n > 0 && written >= (*ranges)->iov_len) {
                written -= (*ranges)->iov_len;
                (*ranges)++;
                (*n)--;
        }
        if (*n > 0) {
                (*ranges)->iov_base = (char *)(*ranges)->iov_base + written;
                (*ranges)->iov_len -= written;
        }
}

/* Writes what the socket takes at once of ranges that nothing waits before, and moves them on. An error of the socket
 * is told from the loop, as all are: the caller is in the middle of something. */
static void write_now(struct transport *stream, struct iovec **ranges, unsigned *n) {
        skip(ranges, n, 0);
        while (*n > 0 && queue_empty(&stream->out)) {
                ssize_t written = stream->kind->write(stream, *ranges, *n);

                if (written == -EAGAIN)
                        return;
                if (written < 0)
                        return transport_close(stream, (int)written);
                skip(ranges, n, (size_t)written);
        }
}

/* What the socket has not taken. */
static int keep(struct transport *stream, const struct iovec *range, struct bytes *owner) {
        return owner ? queue_add_part(&stream->out, owner, range->iov_base, range->iov_len) :
                       queue_add_copy(&stream->out, range->iov_base, range->iov_len);
}

int transport_write_shared(struct transport *stream, const struct iovec *ranges, struct bytes *const *owners,
                           unsigned n) {
        struct iovec left[TRANSPORT_RANGES_MAX], *at = left;
        int r = check_output(stream);

        assert(n <= TRANSPORT_RANGES_MAX);
        if (r < 0)
                return r;
        memcpy(left, ranges, n * sizeof(*left));
        if (stream->state == TRANSPORT_OPEN)
                write_now(stream, &at, &n);
        if (stream->state != TRANSPORT_OPEN)
                return 0;
        for (const struct iovec *end = at + n; at < end && r == 0; at++)
                r = keep(stream, at, owners ? owners[at - left] : NULL);
        watch(stream);
        return r;
}

int transport_write(struct transport *stream, const struct iovec *ranges, unsigned n) {
        return transport_write_shared(stream, ranges, NULL, n);
}

size_t transport_pending(const struct transport *stream) {
        return stream->out.size;
}

void transport_finish(struct transport *stream) {
        if (stream->state == TRANSPORT_CLOSING || stream->finishing)
                return;
        stream->finishing = true;
        if (queue_empty(&stream->out))
                end_output(stream);
        watch(stream);
}

void transport_pause(struct transport *stream) {
        stream->paused = true;
        watch(stream);
}

void transport_resume(struct transport *stream) {
        stream->paused = false;
        if (stream->state == TRANSPORT_OPEN && stream->kind->buffered(stream))
                stream->turn = true;
        watch(stream);
}

int transport_fd(const struct transport *stream) {
        return stream->fd;
}

const char *transport_protocol(const struct transport *stream, size_t *ret_size) {
        const unsigned char *name = NULL;
        unsigned n = 0;

        if (stream->ssl)
                SSL_get0_alpn_selected(stream->ssl, &name, &n);
        *ret_size = n;
        return (const char *)name;
}

struct ssl_st *transport_tls(const struct transport *stream) {
        return stream->ssl;
}
