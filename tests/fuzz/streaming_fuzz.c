/* The streaming server and a client that sends any bytes behind a right handshake: sessions and descriptors go with it.
 * The first byte chooses the protocol and the kind. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cri/streaming/streaming.h"
#include "lib/cleanup.h"
#include "lib/http/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uv_loop_t loop;
static struct streaming *streaming;
static struct http_server *server;

static void start(void *data, struct streaming_session *session, const struct streaming_request *request) {
        struct streaming_process process = { .err = -EBADF };
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                abort();
        process.in = fds[0];
        process.out = dup(fds[0]);
        send(fds[1], "output", 6, 0);
        close(fds[1]);
        streaming_started(session, &process);
        streaming_exited(session, 3);
}

static void resize(void *data, struct streaming_session *session, uint16_t columns, uint16_t rows) {
}

static void gone(void *data, struct streaming_session *session) {
}

static void connect_port(void *data, struct streaming_session *session, const struct streaming_request *request,
                         uint16_t port, struct streaming_connection *connection) {
        struct streaming_process process = { .err = -EBADF };
        int fds[2];

        if (port & 1)
                return streaming_connected(connection, NULL, NULL);
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                abort();
        close(fds[1]);
        process.in = fds[0];
        process.out = dup(fds[0]);
        streaming_connected(connection, &process, NULL);
}

static const struct streaming_source source = { start, resize, gone, connect_port, NULL };

static void serve_kind(struct http_exchange *x, enum streaming_kind kind) {
        static char *const command[] = { (char *)"x", NULL };
        static const int32_t ports[] = { 1, 2 };
        const struct streaming_request request = { .kind = kind,
                                                   .id = "c",
                                                   .command = command,
                                                   .ports = ports,
                                                   .n_ports = 2,
                                                   .tty = true,
                                                   .in = true,
                                                   .out = true };

        streaming_serve(streaming, x, &request);
}

static void handle_exec(struct http_exchange *x, void *data) {
        serve_kind(x, STREAMING_EXEC);
}

static void handle_attach(struct http_exchange *x, void *data) {
        serve_kind(x, STREAMING_ATTACH);
}

static void handle_forward(struct http_exchange *x, void *data) {
        serve_kind(x, STREAMING_PORT_FORWARD);
}

static const struct http_route routes[] = {
        { "GET", "/exec", handle_exec, HTTP_ROUTE_MAY_UPGRADE },
        { "GET", "/attach", handle_attach, HTTP_ROUTE_MAY_UPGRADE },
        { "GET", "/forward", handle_forward, HTTP_ROUTE_MAY_UPGRADE },
};

#define SPDY "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: "
#define WEBSOCKET "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define PROTOCOL "Sec-WebSocket-Protocol: "

static const struct {
        const char *path, *headers;
} handshakes[] = {
        { "/exec", SPDY "v4.channel.k8s.io\r\n" },
        { "/forward", SPDY "portforward.k8s.io\r\n" },
        { "/attach", WEBSOCKET PROTOCOL "v5.channel.k8s.io\r\n" },
        { "/exec", WEBSOCKET PROTOCOL "v4.base64.channel.k8s.io\r\n" },
        { "/forward", WEBSOCKET PROTOCOL "SPDY/3.1+portforward.k8s.io\r\n" },
        { "/exec", "" },
        { "/forward", WEBSOCKET PROTOCOL "v4.channel.k8s.io\r\n" },
};

static void set_up(void) {
        const struct http_server_config config = { .routes = routes, .n_routes = ELEMENTS(routes) };

        if (uv_loop_init(&loop) < 0 || streaming_new(&loop, &source, NULL, &streaming) < 0 ||
            http_server_new(&loop, &config, &server, NULL) < 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        size_t which = size > 0 ? data[0] % ELEMENTS(handshakes) : 0;
        char head[512];
        int fds[2], n;

        if (!server)
                set_up();
        n = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n%s\r\n",
                     handshakes[which].path, handshakes[which].headers);
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0 ||
            http_server_accept(server, fds[0]) < 0)
                abort();
        send(fds[1], head, (size_t)n, MSG_NOSIGNAL);
        if (size > 1)
                send(fds[1], data + 1, size - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        for (int i = 0; i < 6; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        close(fds[1]);
        for (int i = 0; i < 1000 && http_server_connections(server) > 0; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        if (http_server_connections(server) > 0 || streaming_clients(streaming) > 0)
                abort();
        return 0;
}
