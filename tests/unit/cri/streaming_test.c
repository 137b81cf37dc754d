#include "cri/streaming/streaming.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "cri/streaming/internal.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/stream/spdy.h"
#include "lib/stream/websocket.h"

#define TURNS 400 /* of the loop, before something is taken not to come */

/* The server under test, a process that is only its pipes, and a client. */
struct fixture {
        uv_loop_t loop;
        struct streaming *streaming;
        struct streaming_server *server;
        /* the process's ends */
        int in, out, err;
        char input[256]; /* what it has read */
        struct streaming_session *session;
        unsigned gone, input_ended, connects;
        uint16_t columns, rows, port;
        bool refuse;
        uint16_t refused_port;
        int pod; /* the pod's end of a forwarded connection */
        /* the client */
        int fd;
        char buffer[1 << 20]; /* what it received and has not looked at */
        size_t n;
        bool closed;
};

static struct fixture *f;

static void start(void *data, struct streaming_session *session, const struct streaming_request *request) {
        int in[2], out[2], err[2];
        struct streaming_process process;
        _cleanup_err_ struct err *error = NULL;

        f->session = session;
        if (f->refuse) {
                f->session = NULL;
                err_set(&error, ENOENT, "container %s is not running", request->id);
                return streaming_failed(session, error);
        }
        assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
        f->in = in[0];
        f->out = out[1];
        f->err = err[1];
        fcntl(f->in, F_SETFL, O_NONBLOCK);
        fcntl(f->out, F_SETFL, O_NONBLOCK);
        process = (struct streaming_process){ .in = in[1], .out = out[0], .err = err[0] };
        streaming_started(session, &process);
}

static void resize(void *data, struct streaming_session *session, uint16_t columns, uint16_t rows) {
        f->columns = columns;
        f->rows = rows;
}

static void gone(void *data, struct streaming_session *session) {
        f->gone++;
        f->session = NULL;
}

static void connect_port(void *data, struct streaming_session *session, const struct streaming_request *request,
                         uint16_t port, struct streaming_connection *connection) {
        struct streaming_process process = { .err = -EBADF };
        _cleanup_err_ struct err *err = NULL;
        int fds[2];

        f->connects++;
        f->port = port;
        if (f->refuse || port == f->refused_port) {
                err_set(&err, ECONNREFUSED, "connection refused");
                return streaming_connected(connection, NULL, err);
        }
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        f->pod = fds[0];
        fcntl(f->pod, F_SETFL, O_NONBLOCK);
        process.in = fds[1];
        process.out = fcntl(fds[1], F_DUPFD_CLOEXEC, 0);
        streaming_connected(connection, &process, NULL);
}

static void input_ended(void *data, struct streaming_session *session) {
        f->input_ended++;
}

static const struct streaming_source source = { start, resize, gone, connect_port, input_ended };

static int setup(void **state) {
        f = calloc(1, sizeof(*f));
        f->in = f->out = f->err = f->pod = f->fd = -EBADF;
        uv_loop_init(&f->loop);
        assert_int_equal(streaming_new(&f->loop, &source, NULL, &f->streaming), 0);
        assert_int_equal(streaming_server_new(&f->loop, "127.0.0.1:0", f->streaming, &f->server, NULL), 0);
        return 0;
}

static int teardown(void **state) {
        streaming_free(f->streaming);
        streaming_server_free(f->server);
        uv_run(&f->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&f->loop), 0);
        close_fd(f->in);
        close_fd(f->out);
        close_fd(f->err);
        close_fd(f->pod);
        close_fd(f->fd);
        free(f);
        return 0;
}

/* Lets the loop go on, and takes what the server sends. */
static void turn(void) {
        ssize_t n;

        uv_run(&f->loop, UV_RUN_NOWAIT);
        if (f->fd < 0)
                return;
        n = recv(f->fd, f->buffer + f->n, sizeof(f->buffer) - f->n - 1, MSG_DONTWAIT);
        if (n > 0)
                f->n += (size_t)n;
        f->closed |= n == 0 || (n < 0 && errno == ECONNRESET);
        f->buffer[f->n] = '\0';
        if (n <= 0)
                usleep(200);
}

#define UNTIL(condition)                                                                                               \
        do {                                                                                                           \
                bool _met = false;                                                                                     \
                                                                                                                       \
                for (int _i = 0; _i < TURNS && !_met; _i++) {                                                          \
                        turn();                                                                                        \
                        _met = (condition);                                                                            \
                }                                                                                                      \
                assert_true(_met);                                                                                     \
        } while (0)

static void put(const void *data, size_t n) {
        assert_int_equal(send(f->fd, data, n, MSG_NOSIGNAL), n);
}

/* Connects and sends a request for @url with @headers; returns the status of the answer, whose head is taken away. */
static int request(const char *url, const char *headers) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        char text[1024], *end;
        int status, n;

        close_fd(f->fd);
        f->n = 0;
        f->closed = false;
        address.sin_port = htons((uint16_t)atoi(strchr(url + 7, ':') + 1));
        f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(f->fd, (struct sockaddr *)&address, sizeof(address)), 0);
        n = snprintf(text, sizeof(text), "POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n", strchr(url + 7, '/'), headers);
        put(text, (size_t)n);
        UNTIL((end = strstr(f->buffer, "\r\n\r\n")) || f->closed);
        assert_non_null(end);
        status = atoi(f->buffer + 9);
        end += 4;
        f->n -= (size_t)(end - f->buffer);
        memmove(f->buffer, end, f->n + 1);
        return status;
}

#define SPDY "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
#define WEBSOCKET                                                                                                      \
        "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"                       \
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define V4 "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n"

static char *url_of(enum streaming_kind kind, bool tty) {
        static char *const command[] = { (char *)"cat", NULL };
        const struct streaming_request r = {
                .kind = kind, .id = "c1", .command = command, .tty = tty, .in = true, .out = true, .err = !tty
        };
        char *url = NULL;

        assert_int_equal(streaming_server_url(f->server, &r, &url, NULL), 0);
        return url;
}

static const struct {
        const char *headers;
        int status;
} handshakes[] = {
        { SPDY V4, 101 },
        { SPDY, 101 },
        { SPDY "X-Stream-Protocol-Version: v9.channel.k8s.io\r\nX-Stream-Protocol-Version: v3.channel.k8s.io\r\n",
          101 },
        { SPDY "X-Stream-Protocol-Version: v9.channel.k8s.io\r\n", 403 },
        { WEBSOCKET "Sec-WebSocket-Protocol: v9, v5.channel.k8s.io\r\n", 101 },
        { WEBSOCKET, 101 },
        { WEBSOCKET "Sec-WebSocket-Protocol: v9\r\n", 403 },
        { WEBSOCKET "Sec-WebSocket-Protocol: v9,, channel.k8s.io\r\n", 101 },
        { "Connection: Upgrade\r\nUpgrade: websocket\r\n", 400 },
        { "Upgrade: SPDY/3.1\r\n", 400 },
        { "", 400 },
};

static void test_handshakes(void **state) {
        for (size_t i = 0; i < ELEMENTS(handshakes); i++) {
                _cleanup_free_ char *url = url_of(STREAMING_EXEC, false);

                if (request(url, handshakes[i].headers) != handshakes[i].status)
                        fail_msg("handshake %zu", i);
                close_fd(TAKE_FD(f->in));
                close_fd(TAKE_FD(f->out));
                close_fd(TAKE_FD(f->err));
        }
}

static void test_tokens_work_once(void **state) {
        _cleanup_free_ char *url = url_of(STREAMING_EXEC, false);

        assert_int_equal(request(url, SPDY V4), 101);
        assert_int_equal(request(url, SPDY V4), 404);
        url[strlen(url) - 1] ^= 1;
        assert_int_equal(request(url, SPDY V4), 404);
        url[strlen(url) - 1] = '\0';
        assert_int_equal(request(url, SPDY V4), 404);
        strcpy(strchr(url + 7, '/'), "/healthz");
        assert_int_equal(request(url, SPDY V4), 404);
}

static void test_tokens_expire(void **state) {
        _cleanup_free_ char *old = url_of(STREAMING_EXEC, false), *newer = url_of(STREAMING_EXEC, false);
        struct streaming_token *token = TAILQ_FIRST(&f->server->tokens);

        uv_update_time(&f->loop);
        assert_true(token->expires <= uv_now(&f->loop) + STREAMING_TOKEN_SECONDS * 1000);
        token->expires = uv_now(&f->loop);
        assert_int_equal(request(old, SPDY V4), 404);
        assert_int_equal(f->server->n_tokens, 1);
        assert_int_equal(request(newer, SPDY V4), 101);
}

static void test_tokens_are_bounded(void **state) {
        const struct streaming_request r = { .kind = STREAMING_ATTACH, .id = "c1", .out = true };
        _cleanup_err_ struct err *err = NULL;
        char *url;

        for (int i = 0; i < STREAMING_TOKENS_MAX; i++) {
                assert_int_equal(streaming_server_url(f->server, &r, &url, NULL), 0);
                free(url);
        }
        assert_int_equal(streaming_server_url(f->server, &r, &url, &err), -ENOBUFS);
}

/* Every stream of a SPDY client, by number. */
struct spdy_seen {
        struct spdy spdy;
        char text[16][512];
        size_t bytes;
        bool fin[16];
        bool goaway;
};

static void spdy_look(struct spdy_seen *seen) {
        const uint8_t *p = (const uint8_t *)f->buffer;
        struct spdy_event event;
        size_t n;

        turn();
        n = f->n;
        while (spdy_decode(&seen->spdy, &p, &n, &event) > 0) {
                seen->goaway |= event.kind == SPDY_GOAWAY;
                if (event.kind != SPDY_DATA || event.stream > 15)
                        continue;
                strncat(seen->text[event.stream], (const char *)event.data,
                        event.size < 511 - strlen(seen->text[event.stream]) ? event.size : 0);
                seen->fin[event.stream] |= event.fin;
                seen->bytes += event.size;
        }
        f->n = 0;
}

static void spdy_open(struct spdy_seen *seen, uint32_t stream, const char *type, const char *port, const char *id) {
        const char *const headers[][2] = { { "streamtype", type }, { "port", port }, { "requestid", id } };
        uint8_t frame[512];

        put(frame, spdy_syn_stream(&seen->spdy, stream, headers, port ? 3 : 1, frame, sizeof(frame)));
}

static void spdy_put(uint32_t stream, const char *text, uint8_t flags) {
        uint8_t frame[512];

        spdy_data_header(frame, stream, flags, (uint32_t)strlen(text));
        memcpy(frame + SPDY_DATA_HEADER_SIZE, text, strlen(text));
        put(frame, SPDY_DATA_HEADER_SIZE + strlen(text));
}

static void open_exec(struct spdy_seen *seen, bool tty) {
        static const char *const types[] = { "error", "stdin", "stdout", "stderr" };

        assert_int_equal(spdy_init(&seen->spdy), 0);
        for (uint32_t i = 0; i < 4; i++)
                spdy_open(seen, 2 * i + 1, tty && i == 3 ? "resize" : types[i], NULL, NULL);
        UNTIL(f->session);
}

static bool read_in(const char *want) {
        ssize_t n = read(f->in, f->input + strlen(f->input), sizeof(f->input) - strlen(f->input) - 1);

        return n > 0 && strcmp(f->input, want) == 0;
}

static void test_spdy_exec(void **state) {
        _cleanup_free_ char *url = url_of(STREAMING_EXEC, false);
        struct spdy_seen seen = {};
        char byte;

        assert_int_equal(request(url, SPDY V4), 101);
        open_exec(&seen, false);
        spdy_put(3, "to the process", 0);
        UNTIL(read_in("to the process"));
        assert_int_equal(write(f->out, "output", 6), 6);
        assert_int_equal(write(f->err, "errors", 6), 6);
        spdy_put(3, "", SPDY_FIN); /* half-close: the process reads its end of file, and goes on */
        for (int i = 0; i < TURNS && read(f->in, &byte, 1) != 0; i++)
                turn();
        assert_int_equal(read(f->in, &byte, 1), 0);
        streaming_exited(f->session, 7);
        assert_int_equal(write(f->out, " and more", 9), 9); /* its children may go on for a moment */
        f->out = close_fd(f->out);
        f->err = close_fd(f->err);
        for (int i = 0; i < TURNS && !f->closed; i++)
                spdy_look(&seen);
        assert_true(f->closed);
        assert_string_equal(seen.text[5], "output and more");
        assert_string_equal(seen.text[7], "errors");
        assert_true(seen.fin[1] && seen.fin[5] && seen.fin[7] && seen.goaway);
        assert_string_equal(
                seen.text[1],
                "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command terminated with non-zero exit code: 7\","
                "\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"7\"}]}"
                "}");
        assert_int_equal(f->gone, 0);
        spdy_done(&seen.spdy);
}

static void test_failure_to_start(void **state) {
        _cleanup_free_ char *url = url_of(STREAMING_EXEC, false);
        static const char *const types[] = { "error", "stdin", "stdout", "stderr" };
        struct spdy_seen seen = {};

        f->refuse = true;
        assert_int_equal(request(url, SPDY V4), 101);
        assert_int_equal(spdy_init(&seen.spdy), 0);
        for (uint32_t i = 0; i < 4; i++)
                spdy_open(&seen, 2 * i + 1, types[i], NULL, NULL);
        for (int i = 0; i < TURNS && !f->closed; i++)
                spdy_look(&seen);
        assert_non_null(strstr(seen.text[1], "container c1 is not running"));
        assert_non_null(strstr(seen.text[1], "InternalError"));
        spdy_done(&seen.spdy);
}

static void test_resize(void **state) {
        _cleanup_free_ char *url = url_of(STREAMING_EXEC, true);
        struct spdy_seen seen = {};

        assert_int_equal(request(url, SPDY V4), 101);
        open_exec(&seen, true);
        spdy_put(7, "{\"Width\":80,\"Hei", 0);
        spdy_put(7, "ght\":24}\n{\"Width\":101,\"Height\":33}\n", 0);
        UNTIL(f->columns == 101 && f->rows == 33);
        spdy_put(7, "{\"Width\":70000,\"Height\":1}{nonsense}{\"Width\":-1,\"Height\":1}", 0);
        spdy_put(3, "x", 0);
        UNTIL(read_in("x"));
        assert_int_equal(f->columns, 101);
        spdy_done(&seen.spdy);
}

static void test_vanished_client(void **state) {
        _cleanup_free_ char *url = url_of(STREAMING_EXEC, false);
        struct spdy_seen seen = {};
        char byte;

        assert_int_equal(request(url, SPDY V4), 101);
        open_exec(&seen, false);
        f->fd = close_fd(f->fd);
        UNTIL(f->gone == 1);
        assert_int_equal(read(f->in, &byte, 1), 0);
        assert_true(write(f->out, "x", 1) < 0 && errno == EPIPE);
        UNTIL(streaming_clients(f->streaming) == 0);
        spdy_done(&seen.spdy);
}

/* A client that does not read: what the server takes from the process is bounded, and goes on when it reads again. */
static void test_slow_client(void **state) {
        _cleanup_free_ char *url = url_of(STREAMING_EXEC, false);
        struct spdy_seen seen = {};
        static char block[65536];
        size_t written = 0;
        int fd;

        assert_int_equal(request(url, SPDY V4), 101);
        open_exec(&seen, false);
        fd = TAKE_FD(f->fd); /* turn() reads nothing */
        for (int i = 0; i < 3000; i++) {
                ssize_t n = write(f->out, block, sizeof(block));

                written += n > 0 ? (size_t)n : 0;
                uv_run(&f->loop, UV_RUN_NOWAIT);
        }
        /* sockets' buffers on loopback take some megabytes; without a bound this would be 190 */
        assert_true(written > STREAMING_BUFFER_MAX && written < 16u << 20);
        f->fd = fd;
        f->out = close_fd(f->out);
        f->err = close_fd(f->err);
        streaming_exited(f->session, 0);
        for (int i = 0; i < 4000 && !f->closed; i++)
                spdy_look(&seen);
        assert_true(seen.bytes >= written);
        assert_string_equal(seen.text[1], "{\"metadata\":{},\"status\":\"Success\"}");
        spdy_done(&seen.spdy);
}

static void ws_put(enum websocket_opcode opcode, const void *data, size_t n) {
        static const uint8_t mask[4] = { 9, 8, 7, 6 };
        uint8_t frame[512];
        size_t head = websocket_header(frame, opcode, n, mask);

        memcpy(frame + head, data, n);
        websocket_mask(frame + head, n, mask, 0);
        put(frame, head + n);
}

struct ws_seen {
        struct websocket_decoder decoder;
        int channel;
        char text[8][512]; /* by channel, as sent */
        bool closed, pong;
};

static void ws_look(struct ws_seen *seen, bool base64) {
        uint8_t *p = (uint8_t *)f->buffer;
        struct websocket_event event;
        size_t n;

        turn();
        n = f->n;
        while (websocket_decode(&seen->decoder, &p, &n, &event) > 0) {
                const char *data = (const char *)event.data;
                size_t size = event.size;

                seen->closed |= event.opcode == WEBSOCKET_CLOSE;
                seen->pong |= event.opcode == WEBSOCKET_PONG;
                if (event.opcode != WEBSOCKET_BINARY && event.opcode != WEBSOCKET_TEXT)
                        continue;
                if (event.begin) {
                        seen->channel = base64 ? *data - '0' : *data;
                        data++;
                        size--;
                }
                strncat(seen->text[seen->channel & 7], data, size);
        }
        f->n = 0;
}

static void test_websocket_v5(void **state) {
        _cleanup_free_ char *url = url_of(STREAMING_EXEC, false);
        struct ws_seen seen = { .decoder.client = true };
        char byte;

        assert_int_equal(request(url, WEBSOCKET "Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n"), 101);
        ws_put(WEBSOCKET_BINARY, "\0input", 6);
        ws_put(WEBSOCKET_PING, "?", 1);
        UNTIL(f->session);
        UNTIL(read_in("input"));
        ws_put(WEBSOCKET_BINARY, "\xff\0", 2); /* stdin has ended */
        for (int i = 0; i < TURNS && read(f->in, &byte, 1) != 0; i++)
                turn();
        assert_int_equal(read(f->in, &byte, 1), 0);
        assert_int_equal(f->input_ended, 1);
        assert_int_equal(write(f->out, "output", 6), 6);
        f->out = close_fd(f->out);
        f->err = close_fd(f->err);
        streaming_exited(f->session, 0);
        for (int i = 0; i < TURNS && !f->closed; i++)
                ws_look(&seen, false);
        assert_true(seen.closed && seen.pong);
        assert_string_equal(seen.text[1], "output");
        assert_string_equal(seen.text[3], "{\"metadata\":{},\"status\":\"Success\"}");
}

static void test_websocket_base64(void **state) {
        _cleanup_free_ char *url = url_of(STREAMING_EXEC, false);
        struct ws_seen seen = { .decoder.client = true };

        assert_int_equal(request(url, WEBSOCKET "Sec-WebSocket-Protocol: v4.base64.channel.k8s.io\r\n"), 101);
        ws_put(WEBSOCKET_TEXT, "0aW5wdXQ=", 9);
        UNTIL(f->session);
        UNTIL(read_in("input"));
        assert_int_equal(write(f->err, "oops", 4), 4);
        f->out = close_fd(f->out);
        f->err = close_fd(f->err);
        streaming_exited(f->session, 0);
        for (int i = 0; i < TURNS && !f->closed; i++)
                ws_look(&seen, true);
        assert_string_equal(seen.text[2], "b29wcw==");
}

/* Before version 4 the error stream has a sentence, and nothing when all went well. */
static void test_websocket_v1(void **state) {
        for (int code = 0; code < 2; code++) {
                _cleanup_free_ char *url = url_of(STREAMING_EXEC, false);
                struct ws_seen seen = { .decoder.client = true };

                assert_int_equal(request(url, WEBSOCKET "Sec-WebSocket-Protocol: channel.k8s.io\r\n"), 101);
                UNTIL(f->session);
                f->out = close_fd(f->out);
                f->err = close_fd(f->err);
                streaming_exited(TAKE_PTR(f->session), code);
                for (int i = 0; i < TURNS && !f->closed; i++)
                        ws_look(&seen, false);
                assert_string_equal(seen.text[3],
                                    code ? "command terminated with non-zero exit code: exit status 1" : "");
                f->in = close_fd(f->in);
        }
}

static void test_attach_ends_with_the_output(void **state) {
        _cleanup_free_ char *url = url_of(STREAMING_ATTACH, false);
        struct ws_seen seen = { .decoder.client = true };

        assert_int_equal(request(url, WEBSOCKET "Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n"), 101);
        UNTIL(f->session);
        assert_int_equal(write(f->out, "last words", 10), 10);
        f->out = close_fd(f->out);
        f->err = close_fd(f->err);
        for (int i = 0; i < TURNS && !f->closed; i++)
                ws_look(&seen, false);
        assert_string_equal(seen.text[1], "last words");
        f->fd = close_fd(f->fd);
        UNTIL(f->gone == 1);
}

static void test_port_forward(void **state) {
        _cleanup_free_ char *url = url_of(STREAMING_PORT_FORWARD, false);
        struct spdy_seen seen = {};
        char text[32] = "";
        ssize_t n = -1;

        assert_int_equal(request(url, SPDY "X-Stream-Protocol-Version: portforward.k8s.io\r\n"), 101);
        assert_int_equal(spdy_init(&seen.spdy), 0);
        spdy_open(&seen, 1, "error", "8080", "0");
        spdy_put(1, "", SPDY_FIN);
        spdy_open(&seen, 3, "data", "8080", "0");
        spdy_put(3, "request", SPDY_FIN);
        UNTIL(f->connects == 1 && f->pod >= 0);
        assert_int_equal(f->port, 8080);
        for (int i = 0; i < TURNS && n < 0; i++) {
                turn();
                n = read(f->pod, text, sizeof(text) - 1);
        }
        assert_string_equal(text, "request");
        for (int i = 0; i < TURNS && n != 0; i++) { /* the client's half-close is the pod's end of file */
                turn();
                n = read(f->pod, text, sizeof(text) - 1);
        }
        assert_int_equal(n, 0);
        assert_int_equal(write(f->pod, "answer", 6), 6);
        f->pod = close_fd(f->pod);
        for (int i = 0; i < TURNS && !seen.fin[3]; i++)
                spdy_look(&seen);
        assert_string_equal(seen.text[3], "answer");
        assert_true(seen.fin[1]);
        assert_string_equal(seen.text[1], "");

        f->refuse = true; /* the next connection on the same client */
        spdy_open(&seen, 5, "error", "9090", "1");
        spdy_open(&seen, 7, "data", "9090", "1");
        for (int i = 0; i < TURNS && !seen.fin[5]; i++)
                spdy_look(&seen);
        assert_string_equal(seen.text[5], "error forwarding port 9090 to pod c1: connection refused");
        assert_false(f->closed);
        spdy_done(&seen.spdy);
}

/* The same within WebSocket, opened as kubectl does. */
/* A connection that lacks one of its streams is given up, whichever it has; others, and the session, go on. */
static void test_half_a_port_forward(void **state) {
        _cleanup_free_ char *url = url_of(STREAMING_PORT_FORWARD, false);
        struct spdy_seen seen = {};

        f->streaming->streams_ms = 50;
        assert_int_equal(request(url, SPDY "X-Stream-Protocol-Version: portforward.k8s.io\r\n"), 101);
        assert_int_equal(spdy_init(&seen.spdy), 0);
        spdy_open(&seen, 1, "error", "80", "whole");
        spdy_open(&seen, 3, "data", "80", "whole");
        spdy_open(&seen, 5, "error", "80", "no data");
        UNTIL((spdy_look(&seen), seen.fin[5]));
        assert_string_equal(seen.text[5], "request no data: timed out waiting for streams");
        spdy_open(&seen, 7, "data", "80", "no error");
        spdy_put(7, "kept until the pod is there", 0);
        UNTIL((spdy_look(&seen), seen.fin[7]));
        assert_string_equal(seen.text[7], "");
        assert_int_equal(f->connects, 1);
        assert_false(seen.fin[1] || seen.fin[3] || f->closed);
        assert_int_equal(write(f->pod, "hello", 5), 5);
        UNTIL((spdy_look(&seen), strcmp(seen.text[3], "hello") == 0));
        assert_int_equal(LIST_FIRST(&f->streaming->clients)->session->n_connections, 1);
        spdy_done(&seen.spdy);
}

/* Nor does a command that lacks one begin: its client is closed. */
static void test_half_a_command(void **state) {
        _cleanup_free_ char *url = url_of(STREAMING_EXEC, false);
        struct spdy_seen seen = {};

        f->streaming->streams_ms = 50;
        assert_int_equal(request(url, SPDY V4), 101);
        assert_int_equal(spdy_init(&seen.spdy), 0);
        spdy_open(&seen, 1, "error", NULL, NULL);
        spdy_open(&seen, 3, "stdout", NULL, NULL);
        UNTIL(f->closed);
        assert_null(f->session);
        spdy_done(&seen.spdy);
}

static void test_tunnelled_port_forward(void **state) {
        static const char *const types[] = { "error", "data" };
        _cleanup_free_ char *url = url_of(STREAMING_PORT_FORWARD, false);
        uint8_t frame[512];
        struct spdy spdy;
        size_t n;

        assert_int_equal(request(url, WEBSOCKET "Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n"), 101);
        assert_int_equal(spdy_init(&spdy), 0);
        for (uint32_t i = 0; i < 2; i++) {
                const char *const headers[][2] = { { "streamtype", types[i] }, { "port", "80" }, { "requestid", "0" } };

                n = spdy_syn_stream(&spdy, 2 * i + 1, headers, 3, frame, sizeof(frame));
                ws_put(WEBSOCKET_BINARY, frame, n / 2); /* frames of one do not matter to the other */
                ws_put(WEBSOCKET_BINARY, frame + n / 2, n - n / 2);
        }
        UNTIL(f->connects == 1 && f->pod >= 0);
        assert_int_equal(write(f->pod, "hello tunnel", 12), 12);
        UNTIL(memmem(f->buffer, f->n, "hello tunnel", 12));
        spdy_done(&spdy);
}

static char *forward_url(const int32_t *ports, size_t n_ports) {
        const struct streaming_request r = {
                .kind = STREAMING_PORT_FORWARD, .id = "c1", .ports = ports, .n_ports = n_ports
        };
        char *url = NULL;

        assert_int_equal(streaming_server_url(f->server, &r, &url, NULL), 0);
        return url;
}

static void wait_for_text(struct ws_seen *seen, bool base64, int channel, const char *text) {
        for (int i = 0; i < TURNS && strcmp(seen->text[channel], text) != 0; i++)
                ws_look(seen, base64);
        assert_string_equal(seen->text[channel], text);
}

/* Plain WebSocket: 8080 is 0x1f90, 9 would have a zero byte, 2571 is 0x0a0b. */
static const struct {
        const char *headers;
        bool base64;
        const char *ports[2], *request, *answer, *refusal;
} plain_forwards[] = {
        { WEBSOCKET,
          false,
          { "\x90\x1f", "\x0b\x0a" },
          "",
          "answer",
          "error forwarding port 2571 to pod c1: connection refused" },
        { WEBSOCKET "Sec-WebSocket-Protocol: v9.channel.k8s.io, v4.channel.k8s.io, v4.base64.channel.k8s.io\r\n",
          false,
          { "\x90\x1f", "\x0b\x0a" },
          "",
          "answer",
          "error forwarding port 2571 to pod c1: connection refused" },
        { WEBSOCKET "Sec-WebSocket-Protocol: v4.base64.channel.k8s.io, v4.channel.k8s.io\r\n",
          true,
          { "kB8=", "Cwo=" },
          "",
          "YW5zd2Vy",
          "ZXJyb3IgZm9yd2FyZGluZyBwb3J0IDI1NzEgdG8gcG9kIGMxOiBjb25uZWN0aW9uIHJlZnVzZWQ=" },
};

static void plain_forward(size_t i) {
        static const int32_t ports[] = { 8080, 2571 };
        _cleanup_free_ char *url = forward_url(ports, 2);
        struct ws_seen seen = { .decoder.client = true };
        bool base64 = plain_forwards[i].base64;
        char text[32] = "", expected[256];
        ssize_t n = -1;

        f->refused_port = 2571;
        assert_int_equal(request(url, plain_forwards[i].headers), 101);
        for (int channel = 0; channel < 3; channel++)
                wait_for_text(&seen, base64, channel, plain_forwards[i].ports[channel / 2]);
        snprintf(expected, sizeof(expected), "%s%s", plain_forwards[i].ports[1], plain_forwards[i].refusal);
        wait_for_text(&seen, base64, 3, expected);

        ws_put(base64 ? WEBSOCKET_TEXT : WEBSOCKET_BINARY, base64 ? "0cmVxdWVzdA==" : "\0request", base64 ? 13 : 8);
        ws_put(base64 ? WEBSOCKET_TEXT : WEBSOCKET_BINARY, base64 ? "2eA==" : "\2x", base64 ? 5 : 2); /* refused */
        ws_put(base64 ? WEBSOCKET_TEXT : WEBSOCKET_BINARY, base64 ? "7eA==" : "\7x", base64 ? 5 : 2); /* no port's */
        for (int k = 0; k < TURNS && n < 0; k++) {
                turn();
                n = read(f->pod, text, sizeof(text) - 1);
        }
        assert_string_equal(text, "request");
        assert_int_equal(write(f->pod, "answer", 6), 6);
        snprintf(expected, sizeof(expected), "%s%s", plain_forwards[i].ports[0], plain_forwards[i].answer);
        wait_for_text(&seen, base64, 0, expected);
        assert_false(seen.closed);
        f->pod = close_fd(f->pod); /* the last of them */
        for (int k = 0; k < TURNS && !f->closed; k++)
                ws_look(&seen, base64);
        assert_true(seen.closed && f->closed);
}

static void test_plain_port_forward(void **state) {
        for (size_t i = 0; i < ELEMENTS(plain_forwards); i++)
                plain_forward(i);
}

#define BASE64_FORWARD WEBSOCKET "Sec-WebSocket-Protocol: v4.base64.channel.k8s.io\r\n"

static const struct {
        const char *headers;
        int32_t port;
        size_t n;
        int status;
} plain_requests[] = {
        { WEBSOCKET, 80, STREAMING_PORTS_MAX, 101 },
        { WEBSOCKET, 80, STREAMING_PORTS_MAX + 1, 400 },
        { BASE64_FORWARD, 80, STREAMING_BASE64_PORTS_MAX, 101 },
        { BASE64_FORWARD, 80, STREAMING_BASE64_PORTS_MAX + 1, 400 },
        { WEBSOCKET, 65535, 1, 101 },
        { WEBSOCKET, 65536, 1, 400 },
        { WEBSOCKET, 0, 1, 400 },
        { WEBSOCKET, 1, 1, 101 },
        { WEBSOCKET, 0, 0, 101 },
        { WEBSOCKET "Sec-WebSocket-Protocol: channel.k8s.io, v5.channel.k8s.io\r\n", 80, 1, 403 },
        { SPDY "X-Stream-Protocol-Version: portforward.k8s.io\r\n", 0, STREAMING_PORTS_MAX + 1, 101 },
};

static void test_plain_ports_are_bounded(void **state) {
        for (size_t i = 0; i < ELEMENTS(plain_requests); i++) {
                int32_t ports[STREAMING_PORTS_MAX + 1];
                _cleanup_free_ char *url = NULL;

                f->refuse = true;
                for (size_t k = 0; k < plain_requests[i].n; k++)
                        ports[k] = plain_requests[i].port;
                url = forward_url(ports, plain_requests[i].n);
                if (request(url, plain_requests[i].headers) != plain_requests[i].status)
                        fail_msg("request %zu", i);
                if (plain_requests[i].status == 101 && i + 1 < ELEMENTS(plain_requests))
                        UNTIL(f->closed); /* no port is left */
        }
}

static void test_forwards_are_bounded(void **state) {
        _cleanup_free_ char *url = url_of(STREAMING_PORT_FORWARD, false);
        struct spdy_seen seen = {};
        char id[16];

        assert_int_equal(request(url, SPDY), 101);
        assert_int_equal(spdy_init(&seen.spdy), 0);
        for (uint32_t i = 0; i <= STREAMING_FORWARDS_MAX; i++) {
                snprintf(id, sizeof(id), "%u", i);
                spdy_open(&seen, 4 * i + 1, "error", "80", id);
                turn();
        }
        UNTIL(memmem(f->buffer, f->n, "\x80\x03\0\3\0\0\0\x08", 8)); /* RST_STREAM */
        assert_false(f->closed);
        spdy_done(&seen.spdy);
}

static const struct {
        const char *bytes;
        size_t size;
} garbage[] = {
        { "\x80\x02\0\1\0\0\0\0", 8 },
        { "\x80\x03\0\1\0\xff\xff\xff", 8 },
        { "GET / HTTP/1.1\r\n\r\n", 18 },
};

static void test_garbage_closes(void **state) {
        for (size_t i = 0; i < ELEMENTS(garbage); i++) {
                _cleanup_free_ char *url = url_of(STREAMING_EXEC, false);
                bool data_frame = garbage[i].bytes[0] == 'G';

                assert_int_equal(request(url, SPDY V4), 101);
                put(garbage[i].bytes, garbage[i].size);
                if (data_frame) { /* it reads as the beginning of a long data frame of no stream: nothing comes of it */
                        for (int k = 0; k < 10; k++)
                                turn();
                        assert_int_equal(f->n, 0);
                } else
                        UNTIL(f->closed);
        }
}

static void test_addresses(void **state) {
        static const char *const wrong[] = { "", "localhost:0", "127.0.0.1", "127.0.0.1:70000", "[::1:0" };

        for (size_t i = 0; i < ELEMENTS(wrong); i++) {
                _cleanup_err_ struct err *err = NULL;
                struct streaming_server *server;

                assert_int_equal(streaming_server_new(&f->loop, wrong[i], f->streaming, &server, &err), -EINVAL);
                assert_non_null(strstr(err_text(err), "ADDRESS:PORT"));
        }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_handshakes),
                TEST(test_tokens_work_once),
                TEST(test_tokens_expire),
                TEST(test_tokens_are_bounded),
                TEST(test_spdy_exec),
                TEST(test_failure_to_start),
                TEST(test_resize),
                TEST(test_vanished_client),
                TEST(test_slow_client),
                TEST(test_websocket_v5),
                TEST(test_websocket_base64),
                TEST(test_websocket_v1),
                TEST(test_attach_ends_with_the_output),
                TEST(test_port_forward),
                TEST(test_half_a_port_forward),
                TEST(test_half_a_command),
                TEST(test_tunnelled_port_forward),
                TEST(test_plain_port_forward),
                TEST(test_plain_ports_are_bounded),
                TEST(test_forwards_are_bounded),
                TEST(test_garbage_closes),
                TEST(test_addresses),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
