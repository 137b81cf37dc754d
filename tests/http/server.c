/* A server on lib/http for tests and measurements: both protocols, TLS, several loops.
 *
 *     server [--listen ADDRESS] [--tls CHAIN KEY] [--authorities FILE] [--loops N] [LIMIT=NUMBER]...
 *
 * Prints the port it listens on. SIGTERM drains it and ends it then, SIGINT ends it at once. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/http/body.h"
#include "lib/http/loops.h"
#include "lib/log.h"
#include "lib/transport/listener.h"
#include "lib/transport/tls.h"
#include "lib/transport/transport.h"

#define LIST_SIZE ((size_t)14500 << 10)
#define COLLECT_MAX ((size_t)3 << 20)
#define PEM_MAX ((size_t)1 << 20)

static struct http_body *list;
static struct http_loops *loops;

static void reply(struct http_exchange *x, int status, const char *text) {
        http_reply(x, status, "text/plain", text, strlen(text));
}

static void handle_hello(struct http_exchange *x, void *data) {
        reply(x, 200, "hello\n");
}

static void handle_loop(struct http_exchange *x, void *data) {
        reply(x, 200, arena_printf(http_arena(x), "%u", http_loop(x)));
}

/* What the request was: what a client sent is compared with it. */
static void handle_request(struct http_exchange *x, void *data) {
        const struct http_request *request = http_request_of(x);
        const char *text = arena_printf(http_arena(x), "%s %s %d %s\n", request->method, request->target,
                                        request->version, request->authority);

        for (uint32_t i = 0; i < request->fields.count; i++)
                text = arena_printf(http_arena(x), "%s%s: %s\n", text, request->fields.items[i].name,
                                    request->fields.items[i].value);
        reply(x, 200, text);
}

static void on_collected(struct http_exchange *x, int error, const void *body, size_t size, void *data) {
        if (error == 0)
                http_reply(x, 200, "application/octet-stream", body, size);
        else if (error != -ECANCELED)
                reply(x,
                      error == -EMSGSIZE   ? 413 :
                      error == -EOPNOTSUPP ? 415 :
                      error == -ETIMEDOUT  ? 408 :
                                             400,
                      strerror(-error));
}

static void handle_echo(struct http_exchange *x, void *data) {
        http_collect(x, COLLECT_MAX, on_collected, NULL);
}

/* As it comes: for bodies without a bound. */
static void on_count(struct http_exchange *x, uint8_t *bytes, size_t n) {
        *(uint64_t *)http_data(x) += n;
}

static void on_count_end(struct http_exchange *x, const struct http_fields *trailers) {
        reply(x, 200,
              arena_printf(http_arena(x), "%llu %s", (unsigned long long)*(uint64_t *)http_data(x),
                           http_fields_get(trailers, "x-sum") ?: "-"));
}

static void handle_count(struct http_exchange *x, void *data) {
        static const struct http_events events = { .data = on_count, .end = on_count_end };

        http_set_events(x, &events, arena_new_of(http_arena(x), uint64_t));
}

static void handle_list(struct http_exchange *x, void *data) {
        static const struct http_field type = { "content-type", "application/json" };

        http_respond_body(x, 200, &type, 1, list);
}

/* Pieces, and a trailer. */
static void handle_stream(struct http_exchange *x, void *data) {
        static const struct http_field trailer = { "x-sum", "42" };

        http_respond(x, 200, NULL, 0, -1);
        for (unsigned i = 0; i < 100; i++)
                http_send(x, "piece\n", 6);
        http_end(x, &trailer, 1);
}

/* A watch without events: a head, and nothing more. */
static void handle_watch(struct http_exchange *x, void *data) {
        http_respond(x, 200, NULL, 0, -1);
        http_send(x, "{}\n", 3);
}

static void handle_hold(struct http_exchange *x, void *data) {
}

static void handle_peer(struct http_exchange *x, void *data) {
        struct ssl_st *tls = http_transport(x) ? transport_tls(http_transport(x)) : NULL;
        X509 *certificate = tls ? SSL_get_peer_certificate(tls) : NULL;
        char name[256] = "none";

        if (certificate)
                X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof(name));
        X509_free(certificate);
        reply(x, 200, name);
}

/* Endless, at the reader's pace. */
static void on_more(struct http_exchange *x) {
        static const char zeros[16384];

        http_send(x, zeros, sizeof(zeros));
        http_again(x);
}

static void handle_endless(struct http_exchange *x, void *data) {
        static const struct http_events events = { .drained = on_more };

        http_set_events(x, &events, NULL);
        http_respond(x, 200, NULL, 0, -1);
        http_again(x);
}

static void on_tunnel_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        http_send(x, bytes, n);
}

static void on_tunnel_end(struct http_exchange *x, const struct http_fields *trailers) {
        http_end(x, NULL, 0);
}

static void handle_tunnel(struct http_exchange *x, void *data) {
        static const struct http_events events = { .data = on_tunnel_data, .end = on_tunnel_end };

        http_set_events(x, &events, NULL);
        http_accept_upgrade(x, NULL, 0);
}

static const struct http_route routes[] = {
        { "GET", "/hello", handle_hello, 0 },
        { "GET", "/loop", handle_loop, 0 },
        { NULL, "/request/{rest...}", handle_request, 0 },
        { "POST", "/echo", handle_echo, 0 },
        { "PUT", "/echo", handle_echo, 0 },
        { "POST", "/count", handle_count, 0 },
        { "GET", "/list", handle_list, 0 },
        { "GET", "/stream", handle_stream, 0 },
        { "GET", "/watch", handle_watch, 0 },
        { NULL, "/hold", handle_hold, 0 },
        { "GET", "/peer", handle_peer, 0 },
        { "GET", "/endless", handle_endless, 0 },
        { "GET", "/tunnel", handle_tunnel, HTTP_ROUTE_UPGRADE },
};

/* JSON as a list of ConfigMaps is. */
static struct http_body *make_list(void) {
        struct bytes *bytes = bytes_new(LIST_SIZE);
        struct http_body *body;
        uint32_t random = 1;
        size_t n = 0;

        for (unsigned i = 0; n + 1500 < LIST_SIZE; i++) {
                n += (size_t)snprintf((char *)bytes->data + n, 300,
                                      "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"cm-%u\","
                                      "\"namespace\":\"default\"},\"data\":{\"payload\":\"",
                                      i);
                for (unsigned j = 0; j < 1024; j++) {
                        random = random * 1664525 + 1013904223;
                        bytes->data[n++] = (uint8_t)("abcdefghijklmnopqrstuvwxyz012345"[random >> 27]);
                }
                n += (size_t)snprintf((char *)bytes->data + n, 8, "\"}},\n");
        }
        body = http_body_new(bytes_shrink(bytes, n));
        return body;
}

static struct tls_context *make_tls(const char *chain, const char *key, const char *authorities) {
        static const char *const protocols[] = { "h2", "http/1.1", NULL };
        _cleanup_free_ char *chain_pem = NULL, *key_pem = NULL, *authorities_pem = NULL;
        struct tls_config config = { .side = TLS_SERVER,
                                     .verify = authorities ? TLS_VERIFY_OPTIONAL : TLS_VERIFY_NONE,
                                     .protocols = protocols };
        struct tls_context *tls = NULL;
        struct err *err = NULL;
        size_t n;
        int r = files_read(chain, PEM_MAX, &chain_pem, &n, &err) ?: files_read(key, PEM_MAX, &key_pem, &n, &err);

        if (r == 0 && authorities)
                r = files_read(authorities, PEM_MAX, &authorities_pem, &n, &err);
        config.certificate = chain_pem;
        config.key = key_pem;
        config.authorities = authorities_pem;
        r = r ?: tls_context_new(&config, &tls, &err);
        if (r < 0) {
                fprintf(stderr, "%s\n", err_text(err));
                exit(1);
        }
        return tls;
}

/* --- limits by name --- */

static void set_limit(struct http_server_config *config, const char *text) {
        const struct {
                const char *name;
                unsigned *value;
        } limits[] = {
                { "connections", &config->connections_max },
                { "streams", &config->streams_max },
                { "handshakes", &config->handshakes_max },
                { "handshake_ms", &config->handshake_ms },
                { "head_ms", &config->head_ms },
                { "body_ms", &config->body_ms },
                { "idle_ms", &config->idle_ms },
                { "stall_ms", &config->stall_ms },
                { "linger_ms", &config->linger_ms },
        };
        size_t n = strcspn(text, "=");

        for (size_t i = 0; i < ELEMENTS(limits); i++)
                if (strlen(limits[i].name) == n && memcmp(limits[i].name, text, n) == 0 && text[n] == '=') {
                        *limits[i].value = (unsigned)strtoul(text + n + 1, NULL, 10);
                        return;
                }
        fprintf(stderr, "no such limit: %s\n", text);
        exit(2);
}

static void read_arguments(int argc, char **argv, struct http_loops_config *config, const char **ret_address) {
        const char *chain = NULL, *key = NULL, *authorities = NULL;

        *ret_address = "127.0.0.1:0";
        for (int i = 1; i < argc; i++) {
                if (strcmp(argv[i], "--listen") == 0 && i + 1 < argc)
                        *ret_address = argv[++i];
                else if (strcmp(argv[i], "--loops") == 0 && i + 1 < argc)
                        config->n_loops = (unsigned)strtoul(argv[++i], NULL, 10);
                else if (strcmp(argv[i], "--authorities") == 0 && i + 1 < argc)
                        authorities = argv[++i];
                else if (strcmp(argv[i], "--tls") == 0 && i + 2 < argc) {
                        chain = argv[++i];
                        key = argv[++i];
                } else
                        set_limit(&config->server, argv[i]);
        }
        if (chain)
                config->server.tls = make_tls(chain, key, authorities);
}

static void on_drained(void *data) {
        kill(getpid(), SIGINT);
}

int main(int argc, char **argv) {
        struct http_loops_config config = { .server = { .routes = routes, .n_routes = ELEMENTS(routes) },
                                            .n_loops = 1 };
        const char *address;
        struct err *err = NULL;
        sigset_t signals;
        int fd, port, signal_number;

        log_init("server", LOG_LEVEL_WARNING);
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        read_arguments(argc, argv, &config, &address);
        list = make_list();
        if (http_loops_new(&config, &loops, &err) < 0 || listener_tcp(address, &fd, &err) < 0) {
                fprintf(stderr, "%s\n", err_text(err));
                return 1;
        }
        port = listener_port(fd);
        if (http_loops_listen(loops, fd) < 0 || http_loops_start(loops) < 0)
                return 1;
        printf("%d\n", port);
        fflush(stdout);
        while (sigwait(&signals, &signal_number) == 0 && signal_number == SIGTERM)
                http_loops_drain(loops, on_drained, NULL);
        http_loops_free(loops);
        tls_context_unref(config.server.tls);
        return 0;
}
