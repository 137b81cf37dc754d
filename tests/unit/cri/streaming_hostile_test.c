#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "cri/streaming/internal.h"
#include "lib/cleanup.h"
#include "lib/http/server.h"
#include "lib/stream/spdy.h"
#include "lib/stream/websocket.h"

#define TURNS 400

/* A server whose one route each kind has, a process that is only its pipes, and a peer that sends what it likes. */
static uv_loop_t loop;
static struct streaming *streaming;
static struct http_server *server;
static struct streaming_session *session;
static unsigned started, gone;
static int process_out; /* written by the process */
#define PODS 100
static int pods[PODS]; /* what connections lead to, from this one on */
static unsigned n_pods;
static int fd;
static char received[1 << 20];
static size_t n_received;
static bool ended;

static void start(void *data, struct streaming_session *s, const struct streaming_request *request) {
        int in[2], out[2];

        assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
        close_fd(in[0]);
        process_out = out[1];
        session = s;
        started++;
        streaming_started(s, &(struct streaming_process){ .in = in[1], .out = out[0], .err = -EBADF });
}

static void resize(void *data, struct streaming_session *s, uint16_t columns, uint16_t rows) {
}

static void on_gone(void *data, struct streaming_session *s) {
        gone++;
}

static void connect_port(void *data, struct streaming_session *s, const struct streaming_request *request,
                         uint16_t port, struct streaming_connection *connection) {
        struct streaming_process process = { .err = -EBADF };
        int fds[2];

        if (n_pods == PODS)
                return streaming_connected(connection, NULL, NULL);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        pods[n_pods++] = fds[0];
        process.in = fds[1];
        process.out = fcntl(fds[1], F_DUPFD_CLOEXEC, 0);
        streaming_connected(connection, &process, NULL);
}

static const struct streaming_source source = { start, resize, on_gone, connect_port, NULL };

static void serve(struct http_exchange *x, enum streaming_kind kind) {
        static char *const command[] = { (char *)"x", NULL };
        const struct streaming_request request = {
                .kind = kind, .id = "c1", .command = command, .in = true, .out = true
        };

        streaming_serve(streaming, x, &request);
}

static void handle_exec(struct http_exchange *x, void *data) {
        serve(x, STREAMING_EXEC);
}

static void handle_forward(struct http_exchange *x, void *data) {
        serve(x, STREAMING_PORT_FORWARD);
}

static const struct http_route routes[] = {
        { "GET", "/exec", handle_exec, HTTP_ROUTE_MAY_UPGRADE },
        { "GET", "/forward", handle_forward, HTTP_ROUTE_MAY_UPGRADE },
};

static int set_up(void **state) {
        const struct http_server_config config = { .routes = routes, .n_routes = ELEMENTS(routes) };

        started = gone = 0;
        n_pods = PODS; /* nowhere */
        session = NULL;
        fd = process_out = -EBADF;
        uv_loop_init(&loop);
        assert_int_equal(streaming_new(&loop, &source, NULL, &streaming), 0);
        return http_server_new(&loop, &config, &server, NULL);
}

static int tear_down(void **state) {
        streaming_free(streaming);
        http_server_free(server, NULL, NULL);
        uv_run(&loop, UV_RUN_DEFAULT);
        close_fd(fd);
        close_fd(process_out);
        return uv_loop_close(&loop);
}

static void receive(void) {
        ssize_t n = recv(fd, received + n_received, sizeof(received) - 1 - n_received, MSG_DONTWAIT);

        n_received += n > 0 ? (size_t)n : 0;
        received[n_received] = '\0';
        ended |= n == 0 || (n < 0 && errno != EAGAIN);
}

static void turn(void) {
        uv_run(&loop, UV_RUN_NOWAIT);
        receive();
}

#define UNTIL(condition)                                                                                               \
        do {                                                                                                           \
                bool _met = (condition);                                                                               \
                                                                                                                       \
                for (int _i = 0; _i < TURNS && !_met; _i++) {                                                          \
                        turn();                                                                                        \
                        _met = (condition);                                                                            \
                }                                                                                                      \
                assert_true(_met);                                                                                     \
        } while (0)

/* Asks for @path; returns the status, and leaves the answer's head in @received. */
static int ask(const char *path, const char *headers) {
        char text[1024];
        int fds[2], n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, headers);

        close_fd(fd);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        assert_int_equal(http_server_accept(server, fds[0]), 0);
        fd = fds[1];
        n_received = 0;
        ended = false;
        assert_int_equal(send(fd, text, (size_t)n, 0), n);
        UNTIL(strstr(received, "\r\n\r\n") && n_received > 0);
        return atoi(received + 9);
}

static void forget_head(void) {
        char *end = strstr(received, "\r\n\r\n") + 4;

        n_received -= (size_t)(end - received);
        memmove(received, end, n_received + 1);
}

#define UPGRADE "Connection: Upgrade\r\n"
#define SPDY UPGRADE "Upgrade: SPDY/3.1\r\n"
#define WEBSOCKET UPGRADE "Upgrade: websocket\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define V5 "Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n"
#define TUNNEL "Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n"
#define FORWARD SPDY "X-Stream-Protocol-Version: portforward.k8s.io\r\n"

static void open_stream(const char *path, const char *headers) {
        assert_int_equal(ask(path, headers), 101);
        forget_head();
}

/* --- handshakes --- */

static const struct {
        const char *headers;
        int status;
} handshakes[] = {
        { WEBSOCKET VERSION KEY V5, 101 },
        { WEBSOCKET KEY V5, 400 },
        { WEBSOCKET "Sec-WebSocket-Version: 12\r\n" KEY V5, 400 },
        { WEBSOCKET "Sec-WebSocket-Version: 13, 8\r\n" KEY V5, 400 },
        { WEBSOCKET VERSION VERSION KEY V5, 400 },
        { WEBSOCKET VERSION V5, 400 },
        { WEBSOCKET VERSION KEY KEY V5, 400 },
        { WEBSOCKET VERSION "Sec-WebSocket-Key: \r\n" V5, 400 },
        { WEBSOCKET VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n" V5, 400 },
        { WEBSOCKET VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=x\r\n" V5, 400 },
        { UPGRADE "Upgrade: SPDY/2\r\n", 400 },
        { UPGRADE "Upgrade: SPDY/3.1, websocket\r\n", 400 },
        { "Upgrade: SPDY/3.1\r\n", 400 },
        { SPDY "Content-Length: 4\r\n", 400 },
        { SPDY "X-Stream-Protocol-Version: v5.channel.k8s.io\r\n", 403 },
};

static void test_handshakes(void **state) {
        for (size_t i = 0; i < ELEMENTS(handshakes); i++) {
                int status = ask("/exec", handshakes[i].headers);

                if (status != handshakes[i].status)
                        fail_msg("case %zu: %d", i, status);
                if (i > 0 && i < 10)
                        assert_non_null(strstr(received, "sec-websocket-version: 13\r\n"));
                process_out = close_fd(process_out);
        }
        assert_int_equal(started, 1);
}

static void test_clients_are_bounded(void **state) {
        int last;

        streaming->n_clients = STREAMING_CLIENTS_MAX - 1;
        assert_int_equal(ask("/exec", SPDY), 101);
        assert_int_equal(streaming->n_clients, STREAMING_CLIENTS_MAX);
        last = TAKE_FD(fd);
        assert_int_equal(ask("/exec", SPDY), 503);
        streaming->n_clients -= STREAMING_CLIENTS_MAX - 1;
        close_fd(last);
}

/* Upgraded, and then nothing: neither its streams nor, when all is over, its end. */
static void test_half_open(void **state) {
        struct stream_client *client;

        open_stream("/exec", SPDY);
        client = LIST_FIRST(&streaming->clients);
        assert_true(uv_timer_get_due_in(client->timer) <= 30000);
        open_stream("/exec", WEBSOCKET VERSION KEY V5);
        UNTIL(started == 1);
        client = LIST_FIRST(&streaming->clients);
        assert_true(uv_timer_get_due_in(client->timer) > 30000);
        streaming_exited(session, 0);
        process_out = close_fd(process_out);
        UNTIL(ended);
        assert_int_equal(streaming_clients(streaming), 1);
        assert_true(uv_timer_get_due_in(client->timer) <= STREAMING_DRAIN_SECONDS * 1000);
}

/* --- frames --- */

#define CASE(bytes) bytes, sizeof(bytes) - 1

static const struct {
        const char *headers;
        const char *bytes;
        size_t size;
        uint16_t code;
} frames[] = {
        { V5, CASE("\x82\x01\0"), 1002 },                                   /* not masked */
        { V5, CASE("\xc2\x81\0\0\0\0\0"), 1002 },                           /* an extension's bit */
        { V5, CASE("\x83\x81\0\0\0\0\0"), 1002 },                           /* opcode 3 */
        { V5, CASE("\x80\x81\0\0\0\0\0"), 1002 },                           /* continues nothing */
        { V5, CASE("\x02\x81\0\0\0\0\0\x82\x81\0\0\0\0\0"), 1002 },         /* within another message */
        { V5, CASE("\x09\x80\0\0\0\0"), 1002 },                             /* a control frame in pieces */
        { V5, CASE("\x89\xfe\0\x7e\0\0\0\0"), 1002 },                       /* of 126 bytes */
        { V5, CASE("\x88\x81\0\0\0\0\3"), 1002 },                           /* half a close code */
        { V5, CASE("\x82\xff\0\0\0\0\x02\0\0\x01\0\0\0\0"), 1009 },         /* one past the maximum */
        { V5, CASE("\x82\xff\xff\0\0\0\0\0\0\0\0\0\0\0"), 1009 },           /* a length with its highest bit */
        { V5, CASE("\x88\x80\0\0\0\0"), 1000 },                             /* the client's own end */
        { TUNNEL, CASE("\x82\x88\0\0\0\0\x80\x02\0\1\0\0\0\0"), 1002 },     /* SPDY/2 within */
        { TUNNEL, CASE("\x82\x88\0\0\0\0\x80\3\0\1\0\xff\xff\xff"), 1009 }, /* SYN_STREAM past its maximum */
};

/* The peer is told why in a Close frame, the process that its client has gone, and the connection ends. */
static void test_frames(void **state) {
        for (size_t i = 0; i < ELEMENTS(frames); i++) {
                char headers[512], want[] = "\x88\x02..";

                gone = 0;
                snprintf(headers, sizeof(headers), WEBSOCKET VERSION KEY "%s", frames[i].headers);
                open_stream(i > 10 ? "/forward" : "/exec", headers);
                assert_int_equal(send(fd, frames[i].bytes, frames[i].size, 0), frames[i].size);
                UNTIL(ended);
                want[2] = (char)(frames[i].code >> 8);
                want[3] = (char)(frames[i].code & 255);
                if (n_received < 4 || memcmp(received + n_received - 4, want, 4) != 0)
                        fail_msg("case %zu: no Close frame with %u", i, frames[i].code);
                assert_int_equal(gone, i > 10 ? 0 : 1);
                process_out = close_fd(process_out);
        }
}

static size_t syn_stream(struct spdy *spdy, uint32_t stream, const char *type, uint8_t frame[512]) {
        const char *const headers[][2] = { { "streamtype", type }, { "port", "80" } };

        return spdy_syn_stream(spdy, stream, headers, 2, frame, 512);
}

static const struct {
        uint32_t streams[2];
        const char *types[2];
} openings[] = {
        { { 3, 1 }, { "error", "stdin" } },   /* numbers go down */
        { { 1, 1 }, { "error", "stdin" } },   /* or stay */
        { { 1, 3 }, { "error", "error" } },   /* the same twice */
        { { 1, 3 }, { "error", "unheard" } }, /* of no known type */
};

static void test_streams(void **state) {
        static const uint8_t goaway[] = { 0x80, 3, 0, 7, 0, 0, 0, 8 }, error[] = { 0, 0, 0, 1 };

        for (size_t i = 0; i < ELEMENTS(openings); i++) {
                uint8_t frame[512];
                struct spdy spdy;

                assert_int_equal(spdy_init(&spdy), 0);
                open_stream("/exec", SPDY);
                for (unsigned k = 0; k < 2; k++) {
                        size_t n = syn_stream(&spdy, openings[i].streams[k], openings[i].types[k], frame);

                        assert_int_equal(send(fd, frame, n, 0), n);
                }
                UNTIL(ended);
                assert_true(n_received >= 16);
                assert_memory_equal(received + n_received - 16, goaway, sizeof(goaway));
                assert_memory_equal(received + n_received - 4, error, sizeof(error));
                spdy_done(&spdy);
        }
}

/* --- floods of who does not read --- */

#define FLOOD ((size_t)64 << 20)
#define OWED_MAX ((size_t)2 * STREAMING_BUFFER_MAX + 4 * (64 << 10)) /* and answers to what one read brings */

/* Sends @frame, made anew by @next, as often as the server takes it. Returns how many bytes it took. */
static size_t flood(const uint8_t *block, size_t size) {
        size_t sent = 0;
        unsigned idle = 0;

        for (size_t at = 0; sent < FLOOD && idle < 20; at = sent % size) {
                ssize_t n = send(fd, block + at, size - at, MSG_DONTWAIT | MSG_NOSIGNAL);

                sent += n > 0 ? (size_t)n : 0;
                idle = n > 0 ? 0 : idle + 1;
                uv_run(&loop, UV_RUN_NOWAIT);
                if (!LIST_EMPTY(&streaming->clients))
                        assert_true(streaming_client_pending(LIST_FIRST(&streaming->clients)) <= OWED_MAX);
        }
        return sent;
}

/* It is read no more until it reads; then all its pings have their answers. */
static void check_flood(const uint8_t *frame, size_t n_frame, size_t n_answer) {
        static uint8_t block[60000];
        size_t size = 0, sent, answered = 0;

        for (; size + n_frame <= sizeof(block); size += n_frame)
                memcpy(block + size, frame, n_frame);
        sent = flood(block, size);
        assert_true(sent < FLOOD / 4);
        for (unsigned i = 0; i < 20000 && answered < sent / n_frame * n_answer; i++) {
                n_received = 0;
                turn();
                answered += n_received;
        }
        assert_int_equal(answered, sent / n_frame * n_answer);
        assert_false(ended);
}

static void test_pings_unread(void **state) {
        uint8_t ping[SPDY_REPLY_MAX];
        size_t n = spdy_ping(1, ping);

        open_stream("/exec", SPDY);
        check_flood(ping, n, n);
        open_stream("/forward", WEBSOCKET VERSION KEY "Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n");
        open_stream("/exec", WEBSOCKET VERSION KEY V5);
        UNTIL(n_received == 3); /* the empty message that a session begins with */
        check_flood((const uint8_t *)"\x89\x81\0\0\0\0?", 7, 3);
}

/* Streams without end: connections are bounded, what is refused costs an answer, and those unread stop it. */
static void test_streams_unread(void **state) {
        static uint8_t block[1 << 20];
        size_t size = 0;
        struct spdy spdy;

        assert_int_equal(spdy_init(&spdy), 0);
        open_stream("/forward", FORWARD);
        for (uint32_t stream = 1; size + 512 < sizeof(block); stream += 2)
                size += syn_stream(&spdy, stream, "error", block + size);
        for (size_t at = 0, idle = 0; at < size && idle < 20;) {
                ssize_t n = send(fd, block + at, size - at, MSG_DONTWAIT | MSG_NOSIGNAL);

                at += n > 0 ? (size_t)n : 0;
                idle = n > 0 ? 0 : idle + 1;
                uv_run(&loop, UV_RUN_NOWAIT);
        }
        assert_int_equal(streaming_clients(streaming), 1);
        assert_true(streaming_client_pending(LIST_FIRST(&streaming->clients)) <= OWED_MAX);
        assert_int_equal(LIST_FIRST(&streaming->clients)->session->n_connections, STREAMING_FORWARDS_MAX);
        spdy_done(&spdy);
}

/* Many connections whose pods send at once, all over one client that does not read. */
static void test_forwards_unread(void **state) {
        static uint8_t block[PODS * 512];
        static char much[1 << 20];
        struct stream_client *client;
        size_t size = 0;
        struct spdy spdy;

        assert_int_equal(spdy_init(&spdy), 0);
        open_stream("/forward", FORWARD);
        n_pods = 0;
        for (uint32_t i = 0; i < PODS; i++) {
                size += syn_stream(&spdy, 4 * i + 1, "error", block + size);
                size += syn_stream(&spdy, 4 * i + 3, "data", block + size);
        }
        for (size_t at = 0; n_pods < PODS;) {
                ssize_t n = send(fd, block + at, size - at, MSG_DONTWAIT);

                at += n > 0 ? (size_t)n : 0;
                turn();
        }
        client = LIST_FIRST(&streaming->clients);
        for (unsigned round = 0; round < 20; round++) {
                for (unsigned i = 0; i < PODS; i++)
                        assert_true(send(pods[i], much, sizeof(much), MSG_DONTWAIT) > 0 || errno == EAGAIN);
                uv_run(&loop, UV_RUN_NOWAIT);
                assert_true(streaming_client_pending(client) <= OWED_MAX);
        }
        assert_true(streaming_client_pending(client) >= STREAMING_BUFFER_MAX);
        for (unsigned i = 0; i < PODS; i++)
                close_fd(pods[i]);
        spdy_done(&spdy);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_handshakes),     TEST(test_clients_are_bounded),
                TEST(test_half_open),      TEST(test_frames),
                TEST(test_streams),        TEST(test_pings_unread),
                TEST(test_streams_unread), TEST(test_forwards_unread),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
