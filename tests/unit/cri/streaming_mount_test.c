#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "cri/streaming/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/http/server.h"
#include "lib/stream/handshake.h"
#include "lib/stream/spdy.h"
#include "lib/transport/address.h"
#include "lib/transport/listener.h"
#include "lib/transport/tls.h"
#include "tests/unit/identity.h"

/* The handlers on a server that is not CRI's: routes and credentials of its own, over HTTP/1.1 and HTTP/2, plain and in
 * TLS. A process is its pipes, a pod a socket. */
static const struct way {
        bool tls;
        enum http_version version;
} ways[] = { { false, HTTP_VERSION_1 }, { false, HTTP_VERSION_2 }, { true, HTTP_VERSION_1 }, { true, HTTP_VERSION_2 } };

static uv_loop_t loop;
static const struct way *way;
static struct streaming *streaming;
static struct http_server *server;
static struct http_client *client;
static struct identity identity;
static struct tls_context *tls[2]; /* the server's, the client's */

static struct streaming_session *session;
static unsigned gone;
static int in, out, pod;
static char command[64];

static void start(void *data, struct streaming_session *s, const struct streaming_request *request) {
        int to[2], from[2];

        assert_string_equal(request->id, "web/main");
        snprintf(command, sizeof(command), "%s", request->command[0]);
        assert_int_equal(pipe2(to, O_CLOEXEC | O_NONBLOCK) | pipe2(from, O_CLOEXEC | O_NONBLOCK), 0);
        in = to[0];
        out = from[1];
        session = s;
        streaming_started(s, &(struct streaming_process){ .in = to[1], .out = from[0], .err = -EBADF });
}

static void resize(void *data, struct streaming_session *s, uint16_t columns, uint16_t rows) {
}

static void on_gone(void *data, struct streaming_session *s) {
        gone++;
        session = NULL;
}

static void connect_port(void *data, struct streaming_session *s, const struct streaming_request *request,
                         uint16_t port, struct streaming_connection *connection) {
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        pod = fds[0];
        streaming_connected(
                connection,
                &(struct streaming_process){ .in = fds[1], .out = fcntl(fds[1], F_DUPFD_CLOEXEC, 0), .err = -EBADF },
                NULL);
}

static const struct streaming_source source = { start, resize, on_gone, connect_port, NULL };

static void handle(struct http_exchange *x, enum streaming_kind kind) {
        const struct http_request *request = http_request_of(x);
        const char *token = http_query(http_arena(x), request->query, "token");
        char *const argv[] = { (char *)(uintptr_t)http_query(http_arena(x), request->query, "command"), NULL };
        const struct streaming_request wanted = {
                .kind = kind,
                .id = arena_printf(http_arena(x), "%s/%s", http_param(x, "pod"), http_param(x, "container") ?: ""),
                .command = argv,
                .in = true,
                .out = true,
        };

        if (!token || strcmp(token, "good") != 0)
                assert_int_equal(http_reply(x, 401, NULL, NULL, 0), 0);
        else
                streaming_serve(streaming, x, &wanted);
}

static void handle_exec(struct http_exchange *x, void *data) {
        handle(x, STREAMING_EXEC);
}

static void handle_forward(struct http_exchange *x, void *data) {
        handle(x, STREAMING_PORT_FORWARD);
}

static const struct http_route routes[] = {
        { "GET", "/exec/{pod}/{container}", handle_exec, HTTP_ROUTE_MAY_UPGRADE },
        { "GET", "/portForward/{pod}", handle_forward, HTTP_ROUTE_MAY_UPGRADE },
};

static void make_tls(void) {
        static const char *const protocols[] = { "h2", "http/1.1", NULL };
        const struct tls_config for_server = { .side = TLS_SERVER,
                                               .certificate = identity.certificate,
                                               .key = identity.key,
                                               .protocols = protocols },
                                for_client = { .side = TLS_CLIENT,
                                               .verify = TLS_VERIFY_REQUIRED,
                                               .authorities = identity.certificate,
                                               .protocols = protocols + (way->version == HTTP_VERSION_1) };

        assert_int_equal(tls_context_new(&for_server, &tls[0], NULL), 0);
        assert_int_equal(tls_context_new(&for_client, &tls[1], NULL), 0);
}

static int set_up(void **state) {
        struct http_server_config config = { .routes = routes, .n_routes = ELEMENTS(routes) };
        struct http_client_config to = { .authority = "node.test", .name = "node.test" };
        struct sockaddr_storage address;
        char text[64];
        int fd;

        way = *state;
        in = out = pod = -EBADF;
        session = NULL;
        gone = 0;
        tls[0] = tls[1] = NULL;
        if (way->tls)
                make_tls();
        config.tls = tls[0];
        to.tls = tls[1];
        to.version = way->tls ? HTTP_VERSION_ANY : way->version;
        to.address = (const struct sockaddr *)&address;
        uv_loop_init(&loop);
        assert_int_equal(streaming_new(&loop, &source, NULL, &streaming), 0);
        assert_int_equal(http_server_new(&loop, &config, &server, NULL), 0);
        assert_int_equal(listener_tcp("127.0.0.1:0", &fd, NULL), 0);
        snprintf(text, sizeof(text), "127.0.0.1:%d", listener_port(fd));
        assert_int_equal(http_server_listen(server, fd), 0);
        assert_int_equal(address_parse(text, &address, &to.n_address, NULL), 0);
        return http_client_new(&loop, &to, &client);
}

static int tear_down(void **state) {
        http_client_free(client);
        streaming_free(streaming);
        http_server_free(server, NULL, NULL);
        uv_run(&loop, UV_RUN_DEFAULT);
        close_fd(in);
        close_fd(out);
        close_fd(pod);
        tls_context_unref(tls[0]);
        tls_context_unref(tls[1]);
        return uv_loop_close(&loop);
}

/* --- a client --- */

static struct peer {
        struct websocket_offer offer;
        struct websocket_decoder decoder;
        struct http_exchange *x;
        int status, agreed, error;
        uint16_t close_code;
        bool ended, closed;
        char text[4][512]; /* by channel */
        uint8_t channel;
        size_t size; /* bytes in all */
        uint8_t raw[4096];
} peer;

static void on_head(struct http_exchange *x, const struct http_response *response) {
        peer.status = response->status;
        if (peer.offer.protocol)
                peer.agreed = websocket_check_answer(&peer.offer, x, response);
}

static void take_event(const struct websocket_event *event) {
        const uint8_t *data = event->data;
        size_t n = event->size, have;

        if (event->opcode == WEBSOCKET_CLOSE && n >= 2)
                peer.close_code = (uint16_t)(data[0] << 8 | data[1]);
        if (event->opcode != WEBSOCKET_BINARY)
                return;
        if (event->begin && n > 0) {
                peer.channel = *data++ & 3;
                n--;
        }
        peer.size += n;
        have = strlen(peer.text[peer.channel]);
        if (have + n < sizeof(peer.text[0]))
                memcpy(peer.text[peer.channel] + have, data, n);
}

static void on_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct websocket_event event;

        if (peer.offer.protocol) {
                while (websocket_decode(&peer.decoder, &bytes, &n, &event) > 0)
                        take_event(&event);
                return;
        }
        assert_true(peer.size + n <= sizeof(peer.raw));
        memcpy(peer.raw + peer.size, bytes, n);
        peer.size += n;
}

static void on_end(struct http_exchange *x, const struct http_fields *trailers) {
        peer.ended = true;
}

static void on_closed(struct http_exchange *x, int error, const char *why) {
        peer.closed = true;
        peer.error = error;
        peer.x = NULL;
}

static const struct http_events events = { .head = on_head, .data = on_data, .end = on_end, .closed = on_closed };

static void turn(void) {
        uv_run(&loop, UV_RUN_NOWAIT);
        usleep(100);
}

#define UNTIL(condition)                                                                                               \
        do {                                                                                                           \
                bool _met = (condition);                                                                               \
                                                                                                                       \
                for (int _i = 0; _i < 20000 && !_met; _i++) {                                                          \
                        turn();                                                                                        \
                        _met = (condition);                                                                            \
                }                                                                                                      \
                assert_true(_met);                                                                                     \
        } while (0)

static void open_websocket(const char *target, const char *protocol) {
        peer = (struct peer){ .decoder.client = true, .agreed = -EAGAIN };
        peer.offer = (struct websocket_offer){ .target = target, .protocol = protocol };
        assert_int_equal(websocket_request(client, &peer.offer, &events, &peer, &peer.x), 0);
        UNTIL(peer.status);
}

static void put(enum websocket_opcode opcode, const char *data, size_t n) {
        uint8_t frame[512], mask[4] = { 1, 2, 3, 4 };
        size_t head = websocket_header(frame, opcode, n, mask);

        memcpy(frame + head, data, n);
        websocket_mask(frame + head, n, mask, 0);
        assert_int_equal(http_send(peer.x, frame, head + n), 0);
}

static void test_exec(void **state) {
        char text[32] = "";
        ssize_t n = -1;

        open_websocket("/exec/web/main?command=cat&token=good", "v5.channel.k8s.io");
        assert_int_equal(peer.status, way->version == HTTP_VERSION_1 ? 101 : 200);
        assert_int_equal(peer.agreed, 0);
        UNTIL(session);
        assert_string_equal(command, "cat");
        put(WEBSOCKET_BINARY, "\0input", 6);
        UNTIL((n = read(in, text, sizeof(text) - 1)) > 0);
        assert_string_equal(text, "input");
        put(WEBSOCKET_BINARY, "\xff\0", 2);
        UNTIL((n = read(in, text, sizeof(text))) == 0);
        assert_int_equal(write(out, "output", 6), 6);
        streaming_exited(session, 3);
        out = close_fd(out);
        UNTIL(peer.ended);
        assert_string_equal(peer.text[1], "output");
        assert_non_null(strstr(peer.text[3], "exit code: 3"));
        assert_int_equal(peer.close_code, 1000);
        assert_int_equal(http_end(peer.x, NULL, 0), 0);
        UNTIL(peer.closed);
        assert_int_equal(peer.error, 0);
        UNTIL(streaming_clients(streaming) == 0);
        assert_int_equal(gone, 0);
}

static void test_credentials(void **state) {
        open_websocket("/exec/web/main?command=cat&token=bad", "v5.channel.k8s.io");
        assert_int_equal(peer.status, 401);
        assert_int_equal(peer.agreed, -EPROTO);
        UNTIL(peer.closed);
        assert_int_equal(streaming_clients(streaming), 0);
        open_websocket("/exec/web/main?command=cat&token=good", "v9.channel.k8s.io");
        assert_int_equal(peer.status, 403);
        UNTIL(peer.closed);
}

/* A client that pauses: what waits for it is bounded, the process stands still, and all of it comes in the end. */
static void test_slow_client(void **state) {
        static char block[4096];
        size_t written = 0, size = (size_t)12 << 20;
        unsigned still = 0;

        open_websocket("/exec/web/main?command=yes&token=good", "v5.channel.k8s.io");
        UNTIL(session);
        http_pause(peer.x);
        while (still < 200) {
                ssize_t n = write(out, block, sizeof(block));

                written += n > 0 ? (size_t)n : 0;
                still = n > 0 ? 0 : still + 1;
                uv_run(&loop, UV_RUN_NOWAIT);
                assert_true(written < 3 * size);
                assert_true(streaming_client_pending(LIST_FIRST(&streaming->clients)) <= STREAMING_BUFFER_MAX + 70000);
        }
        assert_true(written > STREAMING_BUFFER_MAX);
        http_resume(peer.x);
        while (written < size) {
                ssize_t n = write(out, block, sizeof(block));

                written += n > 0 ? (size_t)n : 0;
                uv_run(&loop, UV_RUN_NOWAIT);
        }
        out = close_fd(out);
        streaming_exited(session, 0);
        UNTIL(peer.ended);
        assert_int_equal(peer.size, written + strlen(peer.text[3]));
        http_reset(peer.x, -ECANCELED);
        UNTIL(peer.closed && streaming_clients(streaming) == 0);
}

static void test_vanished_client(void **state) {
        char byte;

        open_websocket("/exec/web/main?command=cat&token=good", "v5.channel.k8s.io");
        UNTIL(session);
        http_reset(peer.x, -ECANCELED);
        UNTIL(gone == 1);
        assert_int_equal(read(in, &byte, 1), 0);
        UNTIL(streaming_clients(streaming) == 0);
}

/* SPDY has its place in a tunnel of either protocol. */
static void test_forward(void **state) {
        static const struct http_field field = { "x-stream-protocol-version", "portforward.k8s.io" };
        const struct http_client_request request = { .method = "GET",
                                                     .target = "/portForward/web?token=good",
                                                     .upgrade = "SPDY/3.1",
                                                     .fields = &field,
                                                     .n_fields = 1,
                                                     .flags = HTTP_REQUEST_ALONE };
        static const char *const types[] = { "error", "data" };
        uint8_t frame[512];
        struct spdy spdy;

        peer = (struct peer){ .status = 0 };
        assert_int_equal(http_client_request(client, &request, &events, &peer, &peer.x), 0);
        UNTIL(peer.status);
        assert_int_equal(spdy_init(&spdy), 0);
        for (uint32_t i = 0; i < 2; i++) {
                const char *const headers[][2] = { { "streamtype", types[i] }, { "port", "80" }, { "requestid", "0" } };

                assert_int_equal(
                        http_send(peer.x, frame, spdy_syn_stream(&spdy, 2 * i + 1, headers, 3, frame, sizeof(frame))),
                        0);
        }
        UNTIL(pod >= 0);
        assert_int_equal(write(pod, "hello tunnel", 12), 12);
        UNTIL(memmem(peer.raw, peer.size, "hello tunnel", 12));
        spdy_done(&spdy);
        http_reset(peer.x, -ECANCELED);
        UNTIL(peer.closed && streaming_clients(streaming) == 0);
}

#define WAY(test, i, name)                                                                                             \
        { #test name, test, set_up, tear_down, (void *)(uintptr_t)&ways[i] }
#define TEST(test)                                                                                                     \
        WAY(test, 0, " (HTTP/1.1)"), WAY(test, 1, " (HTTP/2)"), WAY(test, 2, " (TLS, HTTP/1.1)"),                      \
                WAY(test, 3, " (TLS, HTTP/2)")

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_exec),    TEST(test_credentials), TEST(test_slow_client), TEST(test_vanished_client),
                TEST(test_forward),
        };
        int r;

        identity = make_identity("node.test");
        r = cmocka_run_group_tests(tests, NULL, NULL);
        identity_done(&identity);
        return r;
}
