/* A server of lib/http and a client that sends anything: HTTP/1, HTTP/2's frames, or TLS records. Nothing is left of
 * its connection when it has gone, nor of its exchanges. The first byte says which, and whether the server drains
 * meanwhile. */
#include "lib/http/body.h"
#include "lib/http/server.h"
#include "lib/bytes.h"
#include "tests/fuzz/peer.h"

#define BODY_MAX 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uv_loop_t loop;
static struct tls_context *tls;
static struct http_body *body;
static unsigned n_open;
static struct http_exchange *paused; /* the last one that was: whoever holds a client back lets it go on some day */

static void on_closed(struct http_exchange *x, int error, const char *why) {
        n_open--;
        if (paused == x)
                paused = NULL;
}

static void on_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        http_send(x, bytes, n);
        if (n % 7 == 0) {
                http_pause(x);
                paused = x;
        }
}

static void on_end(struct http_exchange *x, const struct http_fields *trailers) {
        http_end(x, trailers->items, trailers->count < 8 ? trailers->count : 8);
}

static const struct http_events events = { .data = on_data, .end = on_end, .closed = on_closed };

static void handle_stream(struct http_exchange *x, void *unused) {
        n_open++;
        http_set_events(x, &events, NULL);
        http_respond(x, 200, NULL, 0, -1);
}

static void handle_tunnel(struct http_exchange *x, void *unused) {
        n_open++;
        http_set_events(x, &events, NULL);
        http_accept_upgrade(x, NULL, 0);
}

static void on_collected(struct http_exchange *x, int error, const void *bytes, size_t n, void *unused) {
        if (n > BODY_MAX)
                abort();
        if (error != -ECANCELED)
                http_reply(x, error < 0 ? 400 : 200, NULL, bytes, n);
}

static void handle_collect(struct http_exchange *x, void *unused) {
        http_collect(x, BODY_MAX, on_collected, NULL);
}

static void handle_body(struct http_exchange *x, void *unused) {
        http_respond_body(x, 200, NULL, 0, body);
}

static const struct http_route routes[] = {
        { NULL, "/s", handle_stream, 0 },
        { "GET", "/t/{name}", handle_tunnel, HTTP_ROUTE_UPGRADE },
        { "POST", "/c", handle_collect, 0 },
        { NULL, "/{rest...}", handle_body, 0 },
};

static void setup(void) {
        struct bytes *bytes = bytes_new(HTTP_GZIP_ABOVE + 1);

        memset(bytes->data, 'b', bytes->size);
        body = http_body_new(bytes);
        uv_loop_init(&loop);
        tls = peer_tls(true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static uint8_t out[1 << 16];
        struct http_server_config config = { .routes = routes, .n_routes = sizeof(routes) / sizeof(*routes) };
        int kind = size > 0 ? data[0] % PEER_KINDS : 0, fds[2];
        struct http_server *server;
        size_t n;

        if (size == 0)
                return 0;
        if (!body)
                setup();
        config.tls = kind == PEER_TLS ? tls : NULL;
        n = peer_bytes(kind, true, data + 1, size - 1, out, sizeof(out));
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 || http_server_new(&loop, &config, &server, NULL) < 0 ||
            http_server_accept(server, fds[0]) < 0)
                abort();
        for (int i = 0; i < 4; i++) { /* in pieces, whose borders are anywhere */
                size_t part = n * (size_t)(i + 1) / 4 - n * (size_t)i / 4;

                send(fds[1], out + n * (size_t)i / 4, part, MSG_DONTWAIT | MSG_NOSIGNAL);
                uv_run(&loop, UV_RUN_NOWAIT);
                if (i == 2 && (data[0] & 0x80))
                        http_server_drain(server, NULL, NULL);
        }
        uv_run(&loop, UV_RUN_NOWAIT);
        close(fds[1]);
        if (paused)
                http_resume(paused);
        for (int i = 0; i < 100 && http_server_connections(server) > 0; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        if (http_server_connections(server) > 0 || n_open > 0)
                abort();
        http_server_free(server, NULL, NULL);
        uv_run(&loop, UV_RUN_DEFAULT);
        return 0;
}
