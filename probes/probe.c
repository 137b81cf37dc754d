#include "probes/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "probes/internal.h"
#include "probes/tls.h"

static void free_probe(struct probe *probe) {
        probe_http_free(probe->http);
        free(probe->host);
        free(probe);
}

void probe_hold(struct probe *probe) {
        probe->holds++;
}

void probe_release(struct probe *probe) {
        if (--probe->holds == 0)
                free_probe(probe);
}

static void on_timer_closed(uv_handle_t *handle) {
        probe_release(handle->data);
}

/* Lets go of everything; the memory goes with the last handle. */
static void stop(struct probe *probe) {
        probe->done = NULL;
        probe_disconnect(probe);
        probe_grpc_stop(probe);
        if (!uv_is_closing((uv_handle_t *)&probe->timer))
                uv_close((uv_handle_t *)&probe->timer, on_timer_closed);
}

void probe_finish(struct probe *probe, enum probe_outcome outcome, const char *format, ...) {
        probe_done done = probe->done;
        char *message = NULL;
        va_list ap;
        int n;

        if (!done)
                return;
        va_start(ap, format);
        n = vasprintf(&message, format, ap);
        va_end(ap);
        probe_hold(probe);
        stop(probe);
        if (n > (int)PROBE_MESSAGE_MAX)
                message[PROBE_MESSAGE_MAX] = '\0';
        done(probe->data, outcome, n >= 0 ? message : "out of memory");
        if (n >= 0)
                free(message);
        probe_release(probe);
}

void probe_cancel(struct probe *probe) {
        if (!probe)
                return;
        probe_hold(probe);
        stop(probe);
        probe_release(probe);
}

/* The address for messages: "10.0.0.1:80", "[fd00::1]:80". */
static const char *endpoint(const struct probe *probe, char text[300]) {
        bool six = strchr(probe->host, ':');

        snprintf(text, 300, "%s%.256s%s:%u", six ? "[" : "", probe->host, six ? "]" : "", probe->port);
        return text;
}

static void fail_to_connect(struct probe *probe, int error) {
        char text[300];

        if (probe->kind == PROBE_HTTP)
                probe_http_ended(probe, error);
        else
                probe_finish(probe, PROBE_FAILURE, "dial tcp %s: connect: %s", endpoint(probe, text),
                             uv_strerror(error));
}

static void on_connected(struct probe *probe) {
        if (probe->kind == PROBE_HTTP)
                probe_http_connected(probe);
        else
                probe_finish(probe, PROBE_SUCCESS, "%s", "");
}

static void on_stream_closed(uv_handle_t *handle) {
        struct probe_stream *stream = handle->data;

        probe_tls_free(stream->tls);
        free(stream->buffer);
        free(stream);
}

void probe_disconnect(struct probe *probe) {
        struct probe_stream *stream = probe->stream;

        if (!stream)
                return;
        probe->stream = NULL;
        stream->probe = NULL;
        uv_close((uv_handle_t *)&stream->tcp, on_stream_closed);
}

struct write {
        uv_write_t request;
        char data[];
};

static void on_written(uv_write_t *request, int status) {
        free(request->data); /* an error shows in the next read */
}

static int send_raw(struct probe_stream *stream, const char *data, size_t length) {
        struct write *write = malloc(sizeof(*write) + length);
        uv_buf_t buf;
        int r;

        if (!write)
                return -ENOMEM;
        memcpy(write->data, data, length);
        write->request.data = write;
        buf = uv_buf_init(write->data, (unsigned)length);
        r = uv_write(&write->request, (uv_stream_t *)&stream->tcp, &buf, 1, on_written);
        if (r < 0)
                free(write);
        return r;
}

/* Sends what TLS has for the other side. */
static int flush_tls(struct probe_stream *stream) {
        char data[4096];
        size_t n;
        int r = 0;

        while (r >= 0 && (n = probe_tls_take(stream->tls, data, sizeof(data))) > 0)
                r = send_raw(stream, data, n);
        return r;
}

int probe_send(struct probe *probe, const char *data, size_t length) {
        struct probe_stream *stream = probe->stream;
        int r;

        if (!stream->tls)
                return send_raw(stream, data, length);
        r = probe_tls_write(stream->tls, data, length);
        return r < 0 ? r : flush_tls(stream);
}

/* Takes the handshake on, and then plain text out, of what was fed to TLS. */
static void drive_tls(struct probe *probe) {
        struct probe_stream *stream = probe->stream;
        bool before = probe_tls_is_open(stream->tls);
        char data[4096];
        int r = probe_tls_handshake(stream->tls);

        if (flush_tls(stream) < 0 || (r < 0 && r != -EAGAIN)) {
                probe_http_ended(probe, r < 0 && r != -EAGAIN ? r : -EIO);
                return;
        }
        if (r == -EAGAIN)
                return;
        if (!before)
                on_connected(probe);
        while (probe->stream == stream && (r = probe_tls_read(stream->tls, data, sizeof(data))) > 0)
                probe_http_received(probe, data, (size_t)r);
        if (probe->stream == stream && r != -EAGAIN)
                probe_http_ended(probe, r);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
        struct probe_stream *stream = handle->data;

        if (!stream->buffer)
                stream->buffer = malloc(PROBE_READ_SIZE);
        *buf = uv_buf_init(stream->buffer, stream->buffer ? PROBE_READ_SIZE : 0);
}

/* Whether the first bytes that came are those of an HTTP answer. */
static bool is_plain_http(struct probe_stream *stream, const char *data, size_t n) {
        if (stream->n_begin == sizeof(stream->begin))
                return false;
        while (n-- > 0 && stream->n_begin < sizeof(stream->begin))
                stream->begin[stream->n_begin++] = *data++;
        return stream->n_begin == sizeof(stream->begin) && memcmp(stream->begin, "HTTP/", sizeof(stream->begin)) == 0;
}

/* The probe may end within any of these calls: it is held meanwhile. */
static void on_read(uv_stream_t *uv, ssize_t n, const uv_buf_t *buf) {
        struct probe_stream *stream = uv->data;
        struct probe *probe = stream->probe;

        if (!probe || n == 0)
                return;
        probe_hold(probe);
        if (n < 0) {
                probe_http_ended(probe, n == UV_EOF ? 0 : (int)n);
        } else if (stream->tls && is_plain_http(stream, buf->base, (size_t)n)) {
                probe_http_got_plain(probe);
        } else if (stream->tls) {
                if (probe_tls_feed(stream->tls, buf->base, (size_t)n) < 0)
                        probe_http_ended(probe, -ENOMEM);
                else
                        drive_tls(probe);
        } else {
                probe_http_received(probe, buf->base, (size_t)n);
        }
        probe_release(probe);
}

int probe_receive(struct probe *probe) {
        return uv_read_start((uv_stream_t *)&probe->stream->tcp, on_allocate, on_read);
}

static void on_connect(uv_connect_t *connect, int status) {
        struct probe_stream *stream = connect->data;
        struct probe *probe = stream->probe;

        if (!probe)
                return;
        probe_hold(probe);
        if (status < 0) {
                fail_to_connect(probe, status);
        } else if (stream->tls) {
                int r = probe_receive(probe);

                if (r < 0)
                        fail_to_connect(probe, r);
                else
                        drive_tls(probe);
        } else {
                on_connected(probe);
        }
        probe_release(probe);
}

int probe_connect(struct probe *probe, bool tls) {
        struct probe_stream *stream = calloc(1, sizeof(*stream));
        int r;

        if (!stream)
                return -ENOMEM;
        r = uv_tcp_init(probe->loop, &stream->tcp);
        if (r < 0) {
                free(stream);
                return r;
        }
        stream->tcp.data = stream;
        stream->connect.data = stream;
        stream->probe = probe;
        probe->stream = stream;
        if (tls)
                r = probe_tls_new(probe->host, &stream->tls);
        if (r >= 0)
                r = uv_tcp_connect(&stream->connect, &stream->tcp, (struct sockaddr *)&probe->address, on_connect);
        if (r < 0)
                probe_disconnect(probe);
        return r;
}

static void on_timeout(uv_timer_t *timer) {
        struct probe *probe = timer->data;
        char text[300];

        if (probe->start_error < 0)
                fail_to_connect(probe, probe->start_error);
        else if (probe->kind == PROBE_HTTP)
                probe_http_timed_out(probe);
        else if (probe->kind == PROBE_GRPC)
                probe_finish(probe, PROBE_FAILURE, "timeout: health rpc did not complete within %gs",
                             (double)probe->timeout / 1000);
        else
                probe_finish(probe, PROBE_FAILURE, "dial tcp %s: i/o timeout", endpoint(probe, text));
}

static void set_port(struct sockaddr_storage *address, uint16_t port) {
        if (address->ss_family == AF_INET6)
                ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
        else
                ((struct sockaddr_in *)address)->sin_port = htons(port);
}

/* Connects; what fails at once is told from the loop. */
static void begin(struct probe *probe) {
        bool tls = probe->kind == PROBE_HTTP && probe_http_wants_tls(probe->http);
        int r;

        set_port(&probe->address, probe->port);
        r = probe_connect(probe, tls);
        if (r < 0) {
                probe->start_error = r;
                uv_timer_start(&probe->timer, on_timeout, 0, 0);
        }
}

struct lookup {
        uv_getaddrinfo_t request;
        struct probe *probe;
};

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found) {
        struct lookup *lookup = request->data;
        struct probe *probe = lookup->probe;

        if (probe->done && status < 0) {
                probe_finish(probe, PROBE_FAILURE, "dial tcp: lookup %.256s: %s", probe->host, uv_strerror(status));
        } else if (probe->done) {
                memcpy(&probe->address, found->ai_addr, found->ai_addrlen);
                begin(probe);
        }
        uv_freeaddrinfo(found);
        free(lookup);
        probe_release(probe);
}

static int resolve(struct probe *probe) {
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
        struct lookup *lookup = malloc(sizeof(*lookup));
        int r;

        if (!lookup)
                return -ENOMEM;
        lookup->probe = probe;
        lookup->request.data = lookup;
        probe_hold(probe);
        r = uv_getaddrinfo(probe->loop, &lookup->request, on_resolved, probe->host, NULL, &hints);
        if (r < 0) {
                free(lookup);
                probe_release(probe);
        }
        return r;
}

static int start_kind(struct probe *probe, const struct probe_target *target, struct err **err) {
        int r = 0;

        if (probe->kind == PROBE_GRPC)
                return probe_grpc_start(probe, target, err);
        if (probe->kind == PROBE_HTTP)
                r = probe_http_start(probe, target, err);
        if (r < 0)
                return r;
        if (probe->kind == PROBE_HTTP && probe_http_is_refused(probe->http)) {
                uv_timer_start(&probe->timer, on_timeout, 0, 0);
                return 0;
        }
        if (uv_ip4_addr(probe->host, probe->port, (struct sockaddr_in *)&probe->address) == 0 ||
            uv_ip6_addr(probe->host, probe->port, (struct sockaddr_in6 *)&probe->address) == 0) {
                begin(probe);
                return 0;
        }
        r = resolve(probe);
        return r < 0 ? err_set(err, -r, "lookup %.256s: %s", probe->host, uv_strerror(r)) : 0;
}

int probe_start(uv_loop_t *loop, const struct probe_target *target, probe_done done, void *data,
                struct probe **ret_probe, struct err **err) {
        struct probe *probe = calloc(1, sizeof(*probe));
        int r;

        if (!probe)
                return err_set(err, ENOMEM, "out of memory");
        probe->loop = loop;
        probe->kind = target->kind;
        probe->done = done;
        probe->data = data;
        probe->timeout = target->timeout;
        probe->port = target->port;
        probe->host = strdup(target->address);
        if (!probe->host) {
                free(probe);
                return err_set(err, ENOMEM, "out of memory");
        }
        probe->holds = 1; /* the timer's */
        uv_timer_init(loop, &probe->timer);
        probe->timer.data = probe;
        uv_timer_start(&probe->timer, on_timeout, probe->timeout, 0);
        r = start_kind(probe, target, err);
        if (r < 0) {
                probe_cancel(probe);
                return r;
        }
        *ret_probe = probe;
        return 0;
}

void probe_cleanup(void) {
        probe_tls_cleanup();
}

enum probe_outcome probe_exec_result(int error, bool timed_out, int exit_code) {
        if (timed_out)
                return PROBE_FAILURE;
        if (error < 0)
                return PROBE_UNKNOWN;
        return exit_code == 0 ? PROBE_SUCCESS : PROBE_FAILURE;
}
