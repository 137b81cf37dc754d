/* A client on lib/http for tests: one request after the other, or many at once, on the connections that it keeps.
 *
 *     client ADDRESS VERSION CA|- N METHOD TARGET [BODY]
 *
 * VERSION is any, 1 or 2; the certificate must name localhost. Prints for each of N requests, all begun at once: the
 * status or the errno, how long the body was, its first bytes, and the trailer X-Sum. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/http/client.h"
#include "lib/transport/address.h"
#include "lib/transport/tls.h"

#define PEM_MAX ((size_t)1 << 20)

struct result {
        int status;
        size_t size;
        char begin[33], trailer[16];
};

static struct http_client *client;
static unsigned n_left;

static void on_head(struct http_exchange *x, const struct http_response *response) {
        ((struct result *)http_data(x))->status = response->status;
}

static void on_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct result *result = http_data(x);

        for (size_t i = 0; i < n && result->size + i < sizeof(result->begin) - 1; i++)
                result->begin[result->size + i] = bytes[i] >= ' ' && bytes[i] < 0x7f ? (char)bytes[i] : '.';
        result->size += n;
}

static void on_end(struct http_exchange *x, const struct http_fields *trailers) {
        struct result *result = http_data(x);

        snprintf(result->trailer, sizeof(result->trailer), "%s", http_fields_get(trailers, "x-sum") ?: "-");
}

static void on_closed(struct http_exchange *x, int error, const char *why) {
        struct result *result = http_data(x);

        if (error < 0)
                printf("error %s: %s\n", strerror(-error), why ?: "");
        else
                printf("%d %zu %s %s\n", result->status, result->size, result->begin, result->trailer);
        if (--n_left == 0)
                http_client_free(client);
}

static int begin(char **argv, struct result *result) {
        static const struct http_events events = { on_head, on_data, on_end, NULL, on_closed };
        struct http_client_request request = { .method = argv[5],
                                               .target = argv[6],
                                               .length = argv[7] ? (int64_t)strlen(argv[7]) : 0,
                                               .flags = HTTP_REQUEST_GZIP | (argv[7] ? HTTP_REQUEST_BODY : 0) };
        struct http_exchange *x;
        int r = http_client_request(client, &request, &events, result, &x);

        if (r == 0 && argv[7])
                r = http_send(x, argv[7], strlen(argv[7])) ?: http_end(x, NULL, 0);
        return r;
}

static struct tls_context *make_tls(const char *authorities) {
        static const char *const both[] = { "h2", "http/1.1", NULL };
        struct tls_config config = { .side = TLS_CLIENT, .verify = TLS_VERIFY_REQUIRED, .protocols = both };
        _cleanup_free_ char *pem = NULL;
        struct tls_context *tls = NULL;
        size_t n;

        if (files_read(authorities, PEM_MAX, &pem, &n, NULL) < 0)
                exit(1);
        config.authorities = pem;
        if (tls_context_new(&config, &tls, NULL) < 0)
                exit(1);
        return tls;
}

int main(int argc, char **argv) {
        struct http_client_config config = { .authority = "localhost", .name = "localhost" };
        _cleanup_free_ struct result *results = NULL;
        struct sockaddr_storage address;
        unsigned n;
        uv_loop_t loop;

        if (argc < 7 || address_parse(argv[1], &address, &config.n_address, NULL) < 0)
                return 2;
        config.address = (const struct sockaddr *)&address;
        config.version = argv[2][0] == '1' ? HTTP_VERSION_1 : argv[2][0] == '2' ? HTTP_VERSION_2 : HTTP_VERSION_ANY;
        if (strcmp(argv[3], "-") != 0)
                config.tls = make_tls(argv[3]);
        n_left = n = (unsigned)strtoul(argv[4], NULL, 10);
        results = calloc(n, sizeof(*results));
        uv_loop_init(&loop);
        if (!results || http_client_new(&loop, &config, &client) < 0)
                return 1;
        tls_context_unref(config.tls);
        for (unsigned i = 0; i < n; i++)
                if (begin(argv, &results[i]) < 0)
                        return 1;
        uv_run(&loop, UV_RUN_DEFAULT);
        return uv_loop_close(&loop) == 0 ? 0 : 1;
}
