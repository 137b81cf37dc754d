#include "cli/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>

#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/sigpipe.h"
#include "lib/value.h"
#include "lib/stream/websocket.h"

#define PROTOCOL "v5.channel.k8s.io"
#define HEAD_MAX 8192
#define CHUNK (64 * 1024)
#define STATUS_MAX 65536
#define DETACH_FIRST 0x10  /* Ctrl-P */
#define DETACH_SECOND 0x11 /* Ctrl-Q */

struct stream {
        int fd, signals;
        const struct stream_options *options;
        struct websocket_decoder decoder;
        uint8_t channel;
        bool in_open, ended;
        bool detach_armed; /* Ctrl-P was read */
        char *status;
        size_t n_status;
};

/* "http://127.0.0.1:1234/path" in three. */
static int split_url(const char *url, struct sockaddr_in *ret_address, const char **ret_path, struct err **err) {
        char host[64];
        const char *path;
        unsigned port;

        if (strncmp(url, "http://", 7) != 0 || !(path = strchr(url + 7, '/')) ||
            (size_t)(path - url - 7) >= sizeof(host))
                return err_set(err, EPROTO, "the streaming URL %s is not understood", url);
        memcpy(host, url + 7, (size_t)(path - url - 7));
        host[path - url - 7] = '\0';
        if (!strchr(host, ':') || sscanf(strchr(host, ':') + 1, "%u", &port) != 1 || port > 65535)
                return err_set(err, EPROTO, "the streaming URL %s has no port", url);
        *strchr(host, ':') = '\0';
        *ret_address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        if (inet_pton(AF_INET, host, &ret_address->sin_addr) != 1)
                return err_set(err, EPROTO, "the streaming URL %s has no IPv4 address", url);
        *ret_path = path;
        return 0;
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

/* Reads the answer's head, byte by byte so that nothing of the frames behind it is taken. */
static int read_head(int fd, char ret_head[HEAD_MAX], struct err **err) {
        size_t n = 0;

        while (n + 1 < HEAD_MAX) {
                ssize_t r = read(fd, ret_head + n, 1);

                if (r < 0 && errno == EINTR)
                        continue;
                if (r <= 0)
                        return err_set(err, EPROTO, "the streaming server closed the connection");
                ret_head[++n] = '\0';
                if (n >= 4 && memcmp(ret_head + n - 4, "\r\n\r\n", 4) == 0)
                        return 0;
        }
        return err_set(err, EPROTO, "the streaming server's answer is too long");
}

static int upgrade(int fd, const char *path, struct err **err) {
        char request[1024], head[HEAD_MAX], key[BASE64_LENGTH(16) + 1], accept[WEBSOCKET_ACCEPT_LENGTH + 1], want[128];
        uint8_t nonce[16];
        int n, r;

        if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce))
                return err_errno(err, errno, "random numbers");
        base64_encode(nonce, sizeof(nonce), key);
        websocket_accept(key, strlen(key), accept);
        n = snprintf(request, sizeof(request),
                     "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: " PROTOCOL
                     "\r\n\r\n",
                     path, key);
        r = (size_t)n < sizeof(request) ? write_all(fd, request, (size_t)n) : -E2BIG;
        if (r < 0)
                return err_errno(err, -r, "streaming server");
        r = read_head(fd, head, err);
        if (r < 0)
                return r;
        snprintf(want, sizeof(want), "Sec-WebSocket-Accept: %s\r\n", accept);
        if (strncmp(head, "HTTP/1.1 101 ", 13) != 0 || !strcasestr(head, want))
                return err_set(err, EPROTO, "the streaming server answered: %.*s", (int)strcspn(head, "\r\n"), head);
        return 0;
}

static int send_frame(struct stream *stream, enum websocket_opcode opcode, const uint8_t *prefix, size_t n_prefix,
                      const void *data, size_t n) {
        uint8_t frame[WEBSOCKET_HEADER_MAX + 2 + CHUNK], mask[4];
        size_t at;

        if (getrandom(mask, sizeof(mask), 0) != sizeof(mask))
                return -errno;
        at = websocket_header(frame, opcode, n_prefix + n, mask);
        if (n_prefix > 0)
                memcpy(frame + at, prefix, n_prefix);
        if (n > 0)
                memcpy(frame + at + n_prefix, data, n);
        websocket_mask(frame + at, n_prefix + n, mask, 0);
        return write_all(stream->fd, frame, at + n_prefix + n);
}

static int send_channel(struct stream *stream, uint8_t channel, const void *data, size_t n) {
        return send_frame(stream, WEBSOCKET_BINARY, &channel, 1, data, n);
}

static int send_size(struct stream *stream) {
        struct winsize size;
        char text[64];

        if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
                return 0;
        snprintf(text, sizeof(text), "{\"Width\":%u,\"Height\":%u}", size.ws_col, size.ws_row);
        return send_channel(stream, STREAM_RESIZE, text, strlen(text));
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

static int on_input(struct stream *stream) {
        static const uint8_t closed[2] = { STREAM_CLOSE, STREAM_IN };
        uint8_t data[CHUNK];
        ssize_t n = read(STDIN_FILENO, data, sizeof(data));

        if (n < 0)
                return errno == EINTR || errno == EAGAIN ? 0 : -errno;
        if (n == 0) {
                stream->in_open = false;
                return send_frame(stream, WEBSOCKET_BINARY, closed, 2, NULL, 0);
        }
        if (wants_to_leave(stream, data, (size_t)n)) {
                stream->ended = true;
                return 0;
        }
        return send_channel(stream, STREAM_IN, data, (size_t)n);
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
        const uint8_t *data = event->data;
        size_t n = event->size;

        if (event->opcode == WEBSOCKET_PING)
                return send_frame(stream, WEBSOCKET_PONG, NULL, 0, data, n);
        if (event->opcode == WEBSOCKET_CLOSE)
                stream->ended = true;
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

static int on_socket(struct stream *stream) {
        struct websocket_event event;
        uint8_t data[CHUNK], *p = data;
        ssize_t got = read(stream->fd, data, sizeof(data));
        size_t n = got > 0 ? (size_t)got : 0;
        int r = 0;

        if (got < 0)
                return errno == EINTR ? 0 : -errno;
        stream->ended = got == 0;
        while (r == 0 && (r = websocket_decode(&stream->decoder, &p, &n, &event)) > 0)
                r = on_event(stream, &event);
        return r;
}

static int move(struct stream *stream) {
        int r = 0;

        while (r >= 0 && !stream->ended) {
                struct pollfd fds[] = { { .fd = stream->fd, .events = POLLIN },
                                        { .fd = stream->in_open ? STDIN_FILENO : -1, .events = POLLIN },
                                        { .fd = stream->signals, .events = POLLIN } };

                if (poll(fds, 3, -1) < 0)
                        continue;
                if (fds[0].revents)
                        r = on_socket(stream);
                if (r >= 0 && !stream->ended && fds[1].revents)
                        r = on_input(stream);
                if (r >= 0 && fds[2].revents) {
                        struct signalfd_siginfo info;

                        if (read(stream->signals, &info, sizeof(info)) > 0)
                                r = send_size(stream);
                }
        }
        return r;
}

/* The Status object on the error channel, as kubelet writes it. */
static int read_status(const struct stream *stream, int *ret_code, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *status, *causes;

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
        causes = value_find(status, "details.causes");
        for (uint32_t i = 0; i < value_count(causes); i++)
                if (strcmp(value_string_or(value_get(value_at(causes, i), "reason"), ""), "ExitCode") == 0) {
                        *ret_code = atoi(value_string_or(value_get(value_at(causes, i), "message"), "1"));
                        return 0;
                }
        return err_set(err, EPROTO, "%s", value_string_or(value_get(status, "message"), "the command failed"));
}

static int watch_size(struct stream *stream) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGWINCH);
        sigprocmask(SIG_BLOCK, &set, NULL);
        stream->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return send_size(stream);
}

int stream_run(const char *url, const struct stream_options *options, int *ret_code, struct err **err) {
        struct stream stream = {
                .fd = -EBADF, .signals = -1, .options = options, .decoder.client = true, .in_open = options->in
        };
        _cleanup_close_ int fd = -EBADF, signals = -EBADF;
        struct sockaddr_in address;
        struct termios saved, raw;
        bool terminal;
        const char *path = NULL;
        int r;

        sigpipe_survive();
        r = split_url(url, &address, &path, err);
        if (r < 0)
                return r;
        fd = stream.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return err_errno(err, errno, "connect to %s", url);
        r = upgrade(fd, path, err);
        if (r < 0)
                return r;
        terminal = options->tty && options->in && tcgetattr(STDIN_FILENO, &saved) == 0;
        if (terminal) {
                raw = saved;
                cfmakeraw(&raw);
                tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
        }
        if (options->tty)
                r = watch_size(&stream);
        signals = stream.signals;
        if (r >= 0)
                r = move(&stream);
        if (terminal)
                tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
        r = r < 0 ? err_errno(err, -r, "stream") : read_status(&stream, ret_code, err);
        free(stream.status);
        return r;
}
