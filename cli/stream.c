#include "cli/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

#include "cli/input.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/handle.h"
#include "lib/json.h"
#include "lib/sigpipe.h"
#include "lib/stream/handshake.h"
#include "lib/transport/address.h"
#include "lib/value.h"

#define PROTOCOL "v5.channel.k8s.io"
#define STATUS_MAX 65536
#define DETACH_FIRST 0x10               /* Ctrl-P */
#define DETACH_SECOND 0x11              /* Ctrl-Q */
#define PENDING_MAX ((size_t)256 << 10) /* bytes of input on their way: no more is read */

struct stream {
        const struct stream_options *options;
        uv_loop_t loop;
        struct http_client *client;
        struct http_exchange *x; /* NULL once it has closed */
        struct websocket_offer offer;
        struct websocket_decoder decoder;
        struct cli_input *input; /* NULL when none is wanted, or it has ended */
        uv_signal_t *resized;
        struct termios saved;
        bool raw;          /* the terminal is not as @saved */
        bool detach_armed; /* Ctrl-P was read */
        bool over;         /* nothing more is of interest */
        uint8_t channel;
        char *status;
        size_t n_status;
        struct err *err;
};

/* The end, with the first error that there was. */
static void stop(struct stream *stream, int error, const char *text) {
        if (!stream->over && error < 0)
                err_set(&stream->err, -error, "%s", text ?: strerror(-error));
        stream->over = true;
        if (stream->x)
                http_reset(stream->x, -ECANCELED);
}

static int write_all(int fd, const void *data, size_t n) {
        const char *p = data;

        while (n > 0) {
                ssize_t w = write(fd, p, n);

                if (w < 0 && errno == EAGAIN) {
                        struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

                        poll(&poll_fd, 1, -1);
                        continue;
                }
                if (w < 0 && errno != EINTR)
                        return -errno;
                if (w > 0) {
                        p += w;
                        n -= (size_t)w;
                }
        }
        return 0;
}

/* A frame of a client is masked (RFC 6455, 5.3): in place. */
static void send_frame(struct stream *stream, enum websocket_opcode opcode, uint8_t *prefix, size_t n_prefix,
                       uint8_t *data, size_t n) {
        uint8_t header[WEBSOCKET_HEADER_MAX], mask[4];
        struct iovec ranges[] = { { header, 0 }, { prefix, n_prefix }, { data, n } };
        int r;

        if (getrandom(mask, sizeof(mask), 0) != sizeof(mask))
                return stop(stream, -errno, NULL);
        ranges[0].iov_len = websocket_header(header, opcode, n_prefix + n, mask);
        websocket_mask(prefix, n_prefix, mask, 0);
        websocket_mask(data, n, mask, n_prefix);
        r = http_send_ranges(stream->x, ranges, ELEMENTS(ranges));
        if (r == -ENOMEM)
                stop(stream, r, NULL);
}

static void send_channel(struct stream *stream, uint8_t channel, uint8_t *data, size_t n) {
        send_frame(stream, WEBSOCKET_BINARY, &channel, 1, data, n);
}

static void send_size(struct stream *stream) {
        struct winsize size;
        char text[64];

        if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
                return;
        snprintf(text, sizeof(text), "{\"Width\":%u,\"Height\":%u}", size.ws_col, size.ws_row);
        send_channel(stream, STREAM_RESIZE, (uint8_t *)text, strlen(text));
}

static void on_resized(uv_signal_t *signal, int number) {
        struct stream *stream = signal->data;

        if (!stream->over)
                send_size(stream);
}

/* Whether the keys that leave an attached terminal were pressed. */
static bool wants_to_leave(struct stream *stream, const uint8_t *data, size_t n) {
        if (!stream->options->detach)
                return false;
        for (size_t i = 0; i < n; i++) {
                if (stream->detach_armed && data[i] == DETACH_SECOND)
                        return true;
                stream->detach_armed = data[i] == DETACH_FIRST;
        }
        return false;
}

static void on_input(void *data, uint8_t *bytes, size_t n) {
        struct stream *stream = data;
        uint8_t closed[2] = { STREAM_CLOSE, STREAM_IN };

        if (stream->over)
                return;
        if (n == 0) {
                cli_input_free(TAKE_PTR(stream->input));
                return send_frame(stream, WEBSOCKET_BINARY, closed, 2, NULL, 0);
        }
        if (wants_to_leave(stream, bytes, n))
                return stop(stream, 0, NULL);
        send_channel(stream, STREAM_IN, bytes, n);
        if (http_pending(stream->x) >= PENDING_MAX)
                cli_input_pause(stream->input);
}

static void on_drained(struct http_exchange *x) {
        cli_input_resume(((struct stream *)http_data(x))->input);
}

static int on_payload(struct stream *stream, const uint8_t *data, size_t n) {
        char *status;

        switch (stream->channel) {
        case STREAM_OUT:
                return write_all(STDOUT_FILENO, data, n);
        case STREAM_ERR:
                return write_all(STDERR_FILENO, data, n);
        case STREAM_STATUS:
                if (stream->n_status + n > STATUS_MAX)
                        return -EMSGSIZE;
                status = realloc(stream->status, stream->n_status + n + 1);
                if (!status)
                        return -ENOMEM;
                memcpy(status + stream->n_status, data, n);
                stream->n_status += n;
                status[stream->n_status] = '\0';
                stream->status = status;
                return 0;
        default:
                return 0;
        }
}

static int on_event(struct stream *stream, const struct websocket_event *event) {
        uint8_t copy[WEBSOCKET_CONTROL_MAX];
        const uint8_t *data = event->data;
        size_t n = event->size;

        if (event->opcode == WEBSOCKET_PING) {
                memcpy(copy, data, n);
                send_frame(stream, WEBSOCKET_PONG, NULL, 0, copy, n);
        }
        if (event->opcode == WEBSOCKET_CLOSE)
                stop(stream, 0, NULL);
        if (event->opcode != WEBSOCKET_BINARY && event->opcode != WEBSOCKET_TEXT)
                return 0;
        if (event->begin && n == 0)
                return event->end ? 0 : -EPROTO;
        if (event->begin) {
                stream->channel = *data++;
                n--;
        }
        return on_payload(stream, data, n);
}

static void on_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct stream *stream = http_data(x);
        struct websocket_event event;
        int r = 0;

        while (!stream->over && r == 0 && (r = websocket_decode(&stream->decoder, &bytes, &n, &event)) > 0)
                r = on_event(stream, &event);
        if (r < 0)
                stop(stream, r, NULL);
}

static void on_end(struct http_exchange *x, const struct http_fields *trailers) {
        stop(http_data(x), 0, NULL);
}

static void on_closed(struct http_exchange *x, int error, const char *why) {
        struct stream *stream = http_data(x);

        stream->x = NULL;
        stop(stream, error, why);
}

static int follow_size(struct stream *stream) {
        stream->resized = malloc(sizeof(*stream->resized));
        if (!stream->resized)
                return -ENOMEM;
        uv_signal_init(&stream->loop, stream->resized);
        stream->resized->data = stream;
        uv_signal_start(stream->resized, on_resized, SIGWINCH);
        send_size(stream);
        return 0;
}

static void make_raw(struct stream *stream) {
        struct termios raw;

        if (tcgetattr(STDIN_FILENO, &stream->saved) < 0)
                return;
        raw = stream->saved;
        cfmakeraw(&raw);
        tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
        stream->raw = true;
}

static void on_head(struct http_exchange *x, const struct http_response *response) {
        struct stream *stream = http_data(x);
        const struct stream_options *options = stream->options;
        char text[64];
        int r = 0;

        snprintf(text, sizeof(text), "the streaming server answered: %d %s", response->status,
                 http_reason(response->status));
        if (websocket_check_answer(&stream->offer, x, response) < 0)
                return stop(stream, -EPROTO, text);
        if (options->tty && options->in)
                make_raw(stream);
        if (options->tty)
                r = follow_size(stream);
        if (r < 0 || (options->in && (r = cli_input_new(&stream->loop, on_input, stream, &stream->input)) < 0))
                stop(stream, r, NULL);
}

/* The Status object on the error channel, as kubelet writes it. */
static int read_status(const struct stream *stream, int *ret_code, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *status, *cause;

        if (!stream->status) {
                *ret_code = 0;
                return 0;
        }
        if (!arena || json_parse(arena, stream->status, stream->n_status, NULL, &status, NULL) < 0)
                return err_set(err, EPROTO, "%s", stream->status);
        if (strcmp(value_string_or(value_get(status, "status"), ""), "Success") == 0) {
                *ret_code = 0;
                return 0;
        }
        cause = value_item(value_find(status, "details.causes"), "reason", "ExitCode");
        if (!cause)
                return err_set(err, EPROTO, "%s", value_string_or(value_get(status, "message"), "the command failed"));
        *ret_code = atoi(value_string_or(value_get(cause, "message"), "1"));
        return 0;
}

/* "http://127.0.0.1:1234/path" */
static int connect_to(struct stream *stream, const char *url, struct err **err) {
        static const struct http_events events = { on_head, on_data, on_end, on_drained, on_closed };
        const char *host = strncmp(url, "http://", 7) == 0 ? url + 7 : NULL, *path = host ? strchr(host, '/') : NULL;
        _cleanup_free_ char *authority = path ? strndup(host, (size_t)(path - host)) : NULL;
        struct http_client_config config = { .authority = authority };
        struct sockaddr_storage address;
        int r;

        if (!authority || address_parse(authority, &address, &config.n_address, NULL) < 0)
                return err_set(err, EPROTO, "the streaming URL %s is not understood", url);
        config.address = (const struct sockaddr *)&address;
        r = http_client_new(&stream->loop, &config, &stream->client);
        stream->offer = (struct websocket_offer){ .target = path, .protocol = PROTOCOL };
        if (r == 0)
                r = websocket_request(stream->client, &stream->offer, &events, stream, &stream->x);
        return r < 0 ? err_errno(err, -r, "streaming server") : 0;
}

static void clean_up(struct stream *stream) {
        if (stream->raw)
                tcsetattr(STDIN_FILENO, TCSADRAIN, &stream->saved);
        cli_input_free(stream->input);
        handle_free(stream->resized);
        http_client_free(stream->client);
        uv_run(&stream->loop, UV_RUN_DEFAULT);
        uv_loop_close(&stream->loop);
}

int stream_run(const char *url, const struct stream_options *options, int *ret_code, struct err **err) {
        struct stream stream = { .options = options, .decoder.client = true };
        int r;

        sigpipe_survive();
        r = uv_loop_init(&stream.loop);
        if (r < 0)
                return err_errno(err, -r, "event loop");
        r = connect_to(&stream, url, err);
        while (stream.x)
                uv_run(&stream.loop, UV_RUN_ONCE);
        clean_up(&stream);
        if (r >= 0)
                r = stream.err ? err_set(err, err_code(stream.err), "stream %s: %s", url, err_text(stream.err)) :
                                 read_status(&stream, ret_code, err);
        err_free(stream.err);
        free(stream.status);
        return r;
}
