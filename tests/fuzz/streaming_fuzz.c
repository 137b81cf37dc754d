/* The streaming server and a client that sends any bytes behind a right handshake: sessions and descriptors go with it.
 * The first byte chooses the protocol and the kind. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cri/streaming/streaming.h"
#include "lib/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uv_loop_t loop;
static struct streaming *streaming;

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

static const struct streaming_backend backend = { start, resize, gone, connect_port, NULL };

static const struct {
        enum streaming_kind kind;
        const char *headers;
} handshakes[] = {
        { STREAMING_EXEC, "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n" },
        { STREAMING_PORT_FORWARD, "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: portforward.k8s.io\r\n" },
        { STREAMING_ATTACH,
          "Upgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n" },
        { STREAMING_EXEC,
          "Upgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Protocol: v4.base64.channel.k8s.io\r\n" },
        { STREAMING_PORT_FORWARD,
          "Upgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n" },
        { STREAMING_EXEC, "" },
};

static void serve(void) {
        if (!streaming && uv_loop_init(&loop) < 0)
                abort();
        streaming_free(streaming);
        streaming = NULL;
        for (int i = 0; i < 4; i++) /* the old one's memory goes with its handles */
                uv_run(&loop, UV_RUN_NOWAIT);
        if (streaming_new(&loop, "127.0.0.1:0", &backend, NULL, &streaming, NULL) < 0)
                abort();
}

/* Requests that are refused leave their tokens unclaimed: a server that has too many of them is replaced. */
static char *make_url(const struct streaming_request *request) {
        char *url;

        if (streaming && streaming_url(streaming, request, &url, NULL) == 0)
                return url;
        serve();
        if (streaming_url(streaming, request, &url, NULL) < 0)
                abort();
        return url;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static char *const command[] = { (char *)"x", NULL };
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct streaming_request request = { .id = "c", .command = command, .tty = true, .in = true, .out = true };
        size_t which = size > 0 ? data[0] % (sizeof(handshakes) / sizeof(handshakes[0])) : 0;
        char head[512], *url;
        int fd, n;

        request.kind = handshakes[which].kind;
        url = make_url(&request);
        address.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
        n = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nConnection: Upgrade\r\n%s\r\n", strchr(url + 7, '/'),
                     handshakes[which].headers);
        free(url);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                if (errno != EINTR) /* libFuzzer's alarm */
                        abort();
        send(fd, head, (size_t)n, MSG_NOSIGNAL);
        if (size > 1)
                send(fd, data + 1, size - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        for (int i = 0; i < 6; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 },
                   sizeof(struct linger)); /* no TIME_WAIT */
        close(fd);
        for (int i = 0; i < 1000 && streaming_clients(streaming) > 0; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        if (streaming_clients(streaming) > 0)
                abort();
        return 0;
}
