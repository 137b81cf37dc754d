/* A client of lib/http and a server that answers anything: HTTP/1, HTTP/2's frames, or TLS records. Each request is
 * closed once, and what is given of an answer is not more than it may be. */
#include <fcntl.h>
#include <sys/un.h>

#include "lib/http/client.h"
#include "tests/fuzz/peer.h"

#define DECODED_MAX 100000
#define REQUESTS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uv_loop_t loop;
static struct tls_context *tls;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static socklen_t address_size;
static int listening = -1;
static unsigned n_closed;
static size_t n_given;

static void on_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        n_given += n;
}

static void on_closed(struct http_exchange *x, int error, const char *why) {
        n_closed++;
}

static void setup(void) {
        listening = socket(AF_UNIX, SOCK_STREAM, 0);
        address_size = sizeof(address);
        if (bind(listening, (struct sockaddr *)&address, sizeof(sa_family_t)) < 0 ||
            getsockname(listening, (struct sockaddr *)&address, &address_size) < 0 || listen(listening, 8) < 0)
                abort();
        uv_loop_init(&loop);
        tls = peer_tls(false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct http_events events = { .data = on_data, .closed = on_closed };
        static const struct http_client_request requests[REQUESTS] = {
                { .method = "GET", .target = "/", .flags = HTTP_REQUEST_GZIP, .decoded_max = DECODED_MAX },
                { .method = "HEAD", .target = "/" },
                { .method = "GET", .target = "/", .upgrade = "x" },
        };
        static uint8_t out[1 << 16];
        struct http_client_config config = {
                .authority = "x", .n_address = 0, .connections_max = 1, .lenient = size > 0 && (data[0] & 0x80)
        };
        int kind = size > 0 ? data[0] % PEER_KINDS : 0, fd;
        struct http_exchange *x;
        struct http_client *client;
        size_t n;

        if (size == 0)
                return 0;
        if (listening < 0)
                setup();
        config.address = (const struct sockaddr *)&address;
        config.n_address = address_size;
        config.tls = kind == PEER_TLS ? tls : NULL;
        config.version = kind == PEER_2 ? HTTP_VERSION_2 : kind == PEER_1 ? HTTP_VERSION_1 : HTTP_VERSION_ANY;
        n = peer_bytes(kind, false, data + 1, size - 1, out, sizeof(out));
        n_closed = 0;
        n_given = 0;
        if (http_client_new(&loop, &config, &client) < 0)
                abort();
        for (unsigned i = 0; i < REQUESTS; i++)
                if (http_client_request(client, &requests[i], &events, NULL, &x) < 0)
                        abort();
        for (int i = 0; i < 3; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        fd = accept(listening, NULL, NULL);
        send(fd, out, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        for (int i = 0; i < 6; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        close(fd);
        for (int i = 0; i < 3; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        http_client_free(client);
        uv_run(&loop, UV_RUN_DEFAULT);
        if (n_closed != REQUESTS || n_given > DECODED_MAX + sizeof(out))
                abort();
        /* Connections made for what waited. */
        fcntl(listening, F_SETFL, O_NONBLOCK);
        while ((fd = accept(listening, NULL, NULL)) >= 0)
                close(fd);
        fcntl(listening, F_SETFL, 0);
        return 0;
}
