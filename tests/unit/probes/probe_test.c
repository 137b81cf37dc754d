/* Probes against servers on loopback, all in one loop; TLS against a thread of its own. */
#include "probes/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "lib/cleanup.h"
#include "lib/grpc/server.h"
#include "lib/http/server.h"
#include "probes/health.pb-c.h"

static int listen_on_loopback(uint16_t *ret_port) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t length = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(fd, 16), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
        *ret_port = ntohs(address.sin_port);
        return fd;
}

/* A server that answers its n-th connection with the n-th text, as soon as a request's head is there. */
struct server {
        uv_tcp_t tcp;
        uint16_t port;
        const char *answers[16];
        unsigned connections;
        char request[4096]; /* the last one */
        size_t length;
};

struct client {
        uv_tcp_t tcp;
        uv_write_t write;
        struct server *server;
        const char *answer;
        char *text;
        char buffer[2048];
};

static void on_client_closed(uv_handle_t *handle) {
        struct client *client = handle->data;

        free(client->text);
        free(client);
}

static void on_answered(uv_write_t *write, int status) {
        struct client *client = write->data;

        if (!uv_is_closing((uv_handle_t *)&client->tcp))
                uv_close((uv_handle_t *)&client->tcp, on_client_closed);
}

static void on_request(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
        struct client *client = stream->data;
        struct server *server = client->server;
        uv_buf_t out;

        if (n < 0) {
                if (!uv_is_closing((uv_handle_t *)stream))
                        uv_close((uv_handle_t *)stream, on_client_closed);
                return;
        }
        memcpy(server->request + server->length, buf->base, (size_t)n);
        server->length += (size_t)n;
        server->request[server->length] = '\0';
        if (!strstr(server->request, "\r\n\r\n") || !client->answer)
                return;
        if (asprintf(&client->text, client->answer, server->port) < 0)
                abort();
        out = uv_buf_init(client->text, (unsigned)strlen(client->text));
        client->write.data = client;
        uv_write(&client->write, stream, &out, 1, on_answered);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
        struct client *client = handle->data;

        *buf = uv_buf_init(client->buffer, sizeof(client->buffer));
}

static void on_connection(uv_stream_t *stream, int status) {
        struct server *server = stream->data;
        struct client *client = calloc(1, sizeof(*client));

        uv_tcp_init(stream->loop, &client->tcp);
        client->tcp.data = client;
        client->server = server;
        client->answer = server->answers[server->connections++];
        server->length = 0;
        uv_accept(stream, (uv_stream_t *)&client->tcp);
        uv_read_start((uv_stream_t *)&client->tcp, on_allocate, on_request);
}

static void serve_by(struct server *server, uv_loop_t *loop, uv_connection_cb on_client) {
        uv_tcp_init(loop, &server->tcp);
        server->tcp.data = server;
        uv_tcp_open(&server->tcp, listen_on_loopback(&server->port));
        assert_int_equal(uv_listen((uv_stream_t *)&server->tcp, 16, on_client), 0);
        uv_unref((uv_handle_t *)&server->tcp);
}

static void serve(struct server *server, uv_loop_t *loop) {
        serve_by(server, loop, on_connection);
}

struct answer {
        enum probe_outcome outcome;
        char message[PROBE_MESSAGE_MAX + 1];
        unsigned calls;
        uv_loop_t *loop;
};

static void on_done(void *data, enum probe_outcome outcome, const char *message) {
        struct answer *answer = data;

        answer->outcome = outcome;
        snprintf(answer->message, sizeof(answer->message), "%s", message);
        answer->calls++;
        uv_stop(answer->loop);
}

static void run(uv_loop_t *loop, const struct probe_target *target, struct answer *answer) {
        struct probe *probe;

        memset(answer, 0, sizeof(*answer));
        answer->loop = loop;
        assert_int_equal(probe_start(loop, target, on_done, answer, &probe, NULL), 0);
        assert_int_equal(answer->calls, 0);
        while (answer->calls == 0)
                uv_run(loop, UV_RUN_DEFAULT);
}

static void close_loop(uv_loop_t *loop) {
        uv_run(loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(loop), 0);
}

static void test_tcp(void **state) {
        struct server server = { .port = 0 };
        struct answer answer;
        uv_loop_t loop;

        uv_loop_init(&loop);
        serve(&server, &loop);
        struct probe_target target = {
                .kind = PROBE_TCP,
                .address = "127.0.0.1",
                .port = server.port,
                .timeout = 5000,
        };
        run(&loop, &target, &answer);
        assert_int_equal(answer.outcome, PROBE_SUCCESS);
        uv_close((uv_handle_t *)&server.tcp, NULL);
        uv_run(&loop, UV_RUN_NOWAIT);
        run(&loop, &target, &answer);
        assert_int_equal(answer.outcome, PROBE_FAILURE);
        assert_non_null(strstr(answer.message, "connect: connection refused"));
        close_loop(&loop);
}

/* %u in an answer stands for the server's port. */
static const struct {
        const char *what, *answers[4];
        enum probe_outcome outcome;
        const char *message; /* begins with */
        unsigned connections;
} exchanges[] = {
        { "200", { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" }, PROBE_SUCCESS, "ok", 1 },
        { "no length", { "HTTP/1.0 200 OK\r\n\r\nuntil the end" }, PROBE_SUCCESS, "until the end", 1 },
        { "chunked",
          { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" },
          PROBE_SUCCESS,
          "ok",
          1 },
        { "204", { "HTTP/1.1 204 No Content\r\n\r\n" }, PROBE_SUCCESS, "", 1 },
        { "100 first",
          { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" },
          PROBE_SUCCESS,
          "",
          1 },
        { "404",
          { "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" },
          PROBE_FAILURE,
          "HTTP probe failed with statuscode: 404",
          1 },
        { "500",
          { "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n" },
          PROBE_FAILURE,
          "HTTP probe failed with statuscode: 500",
          1 },
        { "redirect",
          { "HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nthen" },
          PROBE_SUCCESS,
          "then",
          2 },
        { "redirect, absolute",
          { "HTTP/1.1 301 Moved\r\nlocation: http://127.0.0.1:%u/x\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n" },
          PROBE_FAILURE,
          "HTTP probe failed with statuscode: 503",
          2 },
        { "redirect to another host",
          { "HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\nContent-Length: 4\r\n\r\naway" },
          PROBE_WARNING,
          "Probe terminated redirects, Response body: away",
          1 },
        { "304", { "HTTP/1.1 304 Not Modified\r\n\r\n" }, PROBE_WARNING, "Probe terminated redirects", 1 },
        { "no HTTP", { "SSH-2.0-OpenSSH\r\n" }, PROBE_FAILURE, "Get \"http://127.0.0.1:", 1 },
        { "nothing", { "" }, PROBE_FAILURE, "Get \"http://127.0.0.1:", 1 },
        { "cut short", { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok" }, PROBE_FAILURE, "unexpected EOF", 1 },
};

static void test_http(void **state) {
        for (size_t i = 0; i < ELEMENTS(exchanges); i++) {
                struct server server = { .port = 0 };
                struct answer answer;
                uv_loop_t loop;

                memcpy(server.answers, exchanges[i].answers, sizeof(exchanges[i].answers));
                uv_loop_init(&loop);
                serve(&server, &loop);
                run(&loop,
                    &(struct probe_target){ .kind = PROBE_HTTP,
                                            .address = "127.0.0.1",
                                            .port = server.port,
                                            .path = "/a",
                                            .timeout = 5000 },
                    &answer);
                if (answer.outcome != exchanges[i].outcome || server.connections != exchanges[i].connections ||
                    strncmp(answer.message, exchanges[i].message, strlen(exchanges[i].message)) != 0)
                        fail_msg("%s: %d %s, %u connections", exchanges[i].what, answer.outcome, answer.message,
                                 server.connections);
                uv_close((uv_handle_t *)&server.tcp, NULL);
                close_loop(&loop);
        }
}

static void test_request(void **state) {
        const struct probe_header headers[] = { { "host", "web.example" }, { "X-Probe", "a b" }, { "accept", "" } };
        struct server server = { .answers = { exchanges[0].answers[0], exchanges[0].answers[0] } };
        struct answer answer;
        char wanted[256];
        uv_loop_t loop;

        uv_loop_init(&loop);
        serve(&server, &loop);
        struct probe_target target = {
                .kind = PROBE_HTTP,
                .address = "127.0.0.1",
                .port = server.port,
                .timeout = 5000,
        };
        run(&loop, &target, &answer);
        snprintf(wanted, sizeof(wanted),
                 "GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: kube-probe/1.36\r\nAccept: */*\r\n"
                 "Connection: close\r\n\r\n",
                 server.port);
        assert_string_equal(server.request, wanted);
        target.path = "healthz?full=1";
        target.headers = headers;
        target.n_headers = 3;
        run(&loop, &target, &answer);
        assert_string_equal(server.request,
                            "GET /healthz?full=1 HTTP/1.1\r\nHost: web.example\r\nUser-Agent: kube-probe/1.36\r\n"
                            "X-Probe: a b\r\nConnection: close\r\n\r\n");
        uv_close((uv_handle_t *)&server.tcp, NULL);
        close_loop(&loop);
}

static void test_redirect_loop(void **state) {
        struct server server = { .port = 0 };
        struct answer answer;
        uv_loop_t loop;

        for (size_t i = 0; i < ELEMENTS(server.answers); i++)
                server.answers[i] = "HTTP/1.1 307 Again\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
        uv_loop_init(&loop);
        serve(&server, &loop);
        run(&loop,
            &(struct probe_target){ .kind = PROBE_HTTP, .address = "127.0.0.1", .port = server.port, .timeout = 5000 },
            &answer);
        assert_int_equal(answer.outcome, PROBE_FAILURE);
        assert_non_null(strstr(answer.message, "stopped after 10 redirects"));
        assert_int_equal(server.connections, PROBE_REDIRECTS_MAX);
        uv_close((uv_handle_t *)&server.tcp, NULL);
        close_loop(&loop);
}

/* A body past the bound is cut there, and counts. */
static void test_large_body(void **state) {
        _cleanup_free_ char *text = malloc(3 * PROBE_MESSAGE_MAX);
        struct server server = { .answers = { text } };
        struct answer answer;
        uv_loop_t loop;
        size_t head;

        head = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\n\r\n");
        memset(text + head, 'x', 2 * PROBE_MESSAGE_MAX);
        text[head + 2 * PROBE_MESSAGE_MAX] = '\0';
        uv_loop_init(&loop);
        serve(&server, &loop);
        run(&loop,
            &(struct probe_target){ .kind = PROBE_HTTP, .address = "127.0.0.1", .port = server.port, .timeout = 5000 },
            &answer);
        assert_int_equal(answer.outcome, PROBE_SUCCESS);
        assert_int_equal(strlen(answer.message), PROBE_MESSAGE_MAX);
        uv_close((uv_handle_t *)&server.tcp, NULL);
        close_loop(&loop);
}

static void test_timeout_and_cancel(void **state) {
        struct server server = { .port = 0 }; /* never answers */
        struct answer answer;
        struct probe *probe;
        uv_loop_t loop;

        uv_loop_init(&loop);
        serve(&server, &loop);
        struct probe_target target = { .kind = PROBE_HTTP, .address = "127.0.0.1", .port = server.port, .timeout = 50 };
        run(&loop, &target, &answer);
        assert_int_equal(answer.outcome, PROBE_FAILURE);
        assert_non_null(strstr(answer.message, "context deadline exceeded"));
        target.timeout = 5000;
        answer.calls = 0;
        assert_int_equal(probe_start(&loop, &target, on_done, &answer, &probe, NULL), 0);
        uv_run(&loop, UV_RUN_NOWAIT);
        probe_cancel(probe);
        uv_close((uv_handle_t *)&server.tcp, NULL);
        close_loop(&loop);
        assert_int_equal(answer.calls, 0);
}

static void test_names(void **state) {
        struct server server = { .answers = { exchanges[0].answers[0] } };
        struct answer answer;
        uv_loop_t loop;

        uv_loop_init(&loop);
        serve(&server, &loop);
        struct probe_target target = {
                .kind = PROBE_HTTP,
                .address = "localhost",
                .port = server.port,
                .timeout = 5000,
        };
        run(&loop, &target, &answer);
        if (answer.outcome != PROBE_SUCCESS) /* localhost may be ::1 alone here */
                assert_non_null(strstr(answer.message, "refused"));
        uv_close((uv_handle_t *)&server.tcp, NULL);
        close_loop(&loop);
}

static X509 *make_certificate(EVP_PKEY *key) {
        X509 *certificate = X509_new();

        X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
        X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
        X509_set_pubkey(certificate, key);
        assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
        return certificate;
}

/* One TLS connection: reads a request, answers it, and ends without a word in TLS. */
static void *serve_tls(void *data) {
        static const char text[] = "HTTP/1.1 200 OK\r\n\r\nsecret";
        EVP_PKEY *key = EVP_RSA_gen(1024); /* of old */
        SSL_CTX *context = SSL_CTX_new(TLS_server_method());
        X509 *certificate = make_certificate(key);
        int fd = accept(*(int *)data, NULL, NULL);
        char buffer[2048];
        SSL *ssl;

        SSL_CTX_set_security_level(context, 0);
        SSL_CTX_use_certificate(context, certificate);
        SSL_CTX_use_PrivateKey(context, key);
        ssl = SSL_new(context);
        SSL_set_fd(ssl, fd);
        if (SSL_accept(ssl) == 1 && SSL_read(ssl, buffer, sizeof(buffer)) > 0)
                SSL_write(ssl, text, sizeof(text) - 1);
        SSL_free(ssl);
        SSL_CTX_free(context);
        X509_free(certificate);
        EVP_PKEY_free(key);
        close(fd);
        return NULL;
}

static void test_https(void **state) {
        uint16_t port;
        int fd = listen_on_loopback(&port);
        struct answer answer;
        pthread_t thread;
        uv_loop_t loop;

        uv_loop_init(&loop);
        assert_int_equal(pthread_create(&thread, NULL, serve_tls, &fd), 0);
        run(&loop,
            &(struct probe_target){
                    .kind = PROBE_HTTP, .address = "127.0.0.1", .port = port, .tls = true, .timeout = 5000 },
            &answer);
        pthread_join(thread, NULL);
        close(fd);
        if (answer.outcome != PROBE_SUCCESS)
                fail_msg("%s", answer.message);
        assert_string_equal(answer.message, "secret");
        close_loop(&loop);
        probe_cleanup();
}

/* HTTPS towards a server that speaks plain HTTP. */
static void test_https_to_http(void **state) {
        struct server server = { .answers = { exchanges[0].answers[0] } };
        struct answer answer;
        uv_loop_t loop;

        uv_loop_init(&loop);
        serve(&server, &loop);
        run(&loop,
            &(struct probe_target){
                    .kind = PROBE_HTTP, .address = "127.0.0.1", .port = server.port, .tls = true, .timeout = 100 },
            &answer);
        assert_int_equal(answer.outcome, PROBE_FAILURE);
        uv_close((uv_handle_t *)&server.tcp, NULL);
        close_loop(&loop);
        probe_cleanup();
}

/* A server that answers whatever comes, as most do to a handshake that they cannot read. */
static void on_anything(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
        static const char refusal[] = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request";
        struct client *client = stream->data;
        uv_buf_t out = uv_buf_init((char *)refusal, sizeof(refusal) - 1);

        if (n <= 0 || buf->base[0] != 0x16) { /* no ClientHello */
                on_request(stream, n, buf);
                return;
        }
        uv_read_stop(stream);
        client->write.data = client;
        uv_write(&client->write, stream, &out, 1, on_answered);
}

static void on_any_connection(uv_stream_t *stream, int status) {
        struct server *server = stream->data;
        struct client *client = calloc(1, sizeof(*client));

        uv_tcp_init(stream->loop, &client->tcp);
        client->tcp.data = client;
        client->server = server;
        client->answer = server->answers[server->connections++];
        server->length = 0;
        uv_accept(stream, (uv_stream_t *)&client->tcp);
        uv_read_start((uv_stream_t *)&client->tcp, on_allocate, on_anything);
}

/* Hooks: every answer is one, redirects are followed, and HTTPS that is answered in HTTP is asked so, once. A probe of
 * that kind fails. */
static const struct {
        const char *what, *answers[3];
        bool tls, hook;
        enum probe_outcome outcome;
        const char *says;
        unsigned connections;
} hooks[] = {
        { "500", { "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n" }, false, true, PROBE_SUCCESS, "", 1 },
        { "never whole", { "HTTP/1.1 404 No\r\nContent-Length: 99\r\n\r\nx" }, false, true, PROBE_SUCCESS, "", 1 },
        { "elsewhere", { "HTTP/1.1 302 F\r\nLocation: http://h/\r\n\r\n" }, false, true, PROBE_SUCCESS, "", 1 },
        { "redirect",
          { "HTTP/1.1 302 F\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 503 N\r\n\r\n" },
          false,
          true,
          PROBE_SUCCESS,
          "",
          2 },
        { "redirect to what is no URL",
          { "HTTP/1.1 302 F\r\nLocation: /%%zz\r\nContent-Length: 0\r\n\r\n" },
          false,
          true,
          PROBE_FAILURE,
          "failed to parse Location header",
          1 },
        { "no HTTP", { "SSH-2.0-OpenSSH\r\n" }, false, true, PROBE_FAILURE, "malformed HTTP response", 1 },
        { "HTTP behind HTTPS",
          { "", "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n" },
          true,
          true,
          PROBE_WARNING,
          "retry with HTTP succeeded",
          2 },
        { "and for a probe", { "" }, true, false, PROBE_FAILURE, "server gave HTTP response to HTTPS client", 1 },
};

static void test_hooks(void **state) {
        const struct probe_header secret = { "Authorization", "Bearer x" };

        for (size_t i = 0; i < ELEMENTS(hooks); i++) {
                struct server server = { .port = 0 };
                struct answer answer;
                uv_loop_t loop;

                memcpy(server.answers, hooks[i].answers, sizeof(hooks[i].answers));
                uv_loop_init(&loop);
                serve_by(&server, &loop, on_any_connection);
                run(&loop,
                    &(struct probe_target){ .kind = PROBE_HTTP,
                                            .address = "127.0.0.1",
                                            .port = server.port,
                                            .tls = hooks[i].tls,
                                            .hook = hooks[i].hook,
                                            .headers = &secret,
                                            .n_headers = 1,
                                            .timeout = 5000 },
                    &answer);
                if (answer.outcome != hooks[i].outcome || server.connections != hooks[i].connections ||
                    !strstr(answer.message, hooks[i].says))
                        fail_msg("%s: %d %s, %u connections", hooks[i].what, answer.outcome, answer.message,
                                 server.connections);
                assert_int_equal(strstr(server.request, "Authorization") != NULL, !hooks[i].tls);
                uv_close((uv_handle_t *)&server.tcp, NULL);
                close_loop(&loop);
        }
        probe_cleanup();
}

static void handle_check(struct grpc_call *call, const ProtobufCMessage *message) {
        const Health__HealthCheckRequest *request = (const Health__HealthCheckRequest *)message;
        Health__HealthCheckResponse response = HEALTH__HEALTH_CHECK_RESPONSE__INIT;

        if (strcmp(request->service, "lost") == 0) {
                grpc_call_fail(call, GRPC_NOT_FOUND, "unknown service");
                return;
        }
        response.status = strcmp(request->service, "bad") == 0 ?
                                  HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING :
                                  HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
        grpc_call_reply(call, &response.base);
}

static const struct {
        const char *service;
        bool implemented;
        enum probe_outcome outcome;
        const char *message;
} health_checks[] = {
        { NULL, true, PROBE_SUCCESS, "service healthy" },
        { "good", true, PROBE_SUCCESS, "service healthy" },
        { "bad", true, PROBE_FAILURE, "service unhealthy (responded with \"NOT_SERVING\")" },
        { "lost", true, PROBE_FAILURE, "error: health rpc probe failed: unknown service" },
        { NULL, false, PROBE_FAILURE, "error: this server does not implement the grpc health protocol" },
};

static void test_grpc(void **state) {
        static const struct grpc_method method = { .path = "/grpc.health.v1.Health/Check",
                                                   .request = &health__health_check_request__descriptor,
                                                   .response = &health__health_check_response__descriptor,
                                                   .handle = handle_check };

        for (size_t i = 0; i < ELEMENTS(health_checks); i++) {
                struct grpc_server *server;
                struct answer answer;
                uv_loop_t loop;
                uint16_t port;
                int fd = listen_on_loopback(&port);

                uv_loop_init(&loop);
                assert_int_equal(grpc_server_new(&loop, &server), 0);
                if (health_checks[i].implemented)
                        assert_int_equal(grpc_server_add(server, &method, 1, NULL), 0);
                assert_int_equal(grpc_server_listen(server, fd, NULL), 0);
                run(&loop,
                    &(struct probe_target){ .kind = PROBE_GRPC,
                                            .address = "127.0.0.1",
                                            .port = port,
                                            .service = health_checks[i].service,
                                            .timeout = 5000 },
                    &answer);
                if (answer.outcome != health_checks[i].outcome ||
                    strncmp(answer.message, health_checks[i].message, strlen(health_checks[i].message)) != 0)
                        fail_msg("row %zu: %d %s", i, answer.outcome, answer.message);
                grpc_server_free(server);
                close_loop(&loop);
        }
}

static char grpc_authority[64];

static void take_authority(struct http_exchange *x, void *data) {
        snprintf(grpc_authority, sizeof(grpc_authority), "%s", http_request_of(x)->authority);
        http_reply(x, 404, "text/plain", "", 0);
}

/* Whoever passes gRPC on by its :authority finds the address there. */
static void test_grpc_authority(void **state) {
        static const struct http_route routes[] = { { "POST", "/{path...}", take_authority, 0 } };
        struct http_server_config config = { .routes = routes, .n_routes = 1 };
        struct http_server *server;
        struct answer answer;
        uv_loop_t loop;
        uint16_t port;
        int fd = listen_on_loopback(&port);
        char wanted[32];

        uv_loop_init(&loop);
        assert_int_equal(http_server_new(&loop, &config, &server, NULL), 0);
        assert_int_equal(http_server_listen(server, fd), 0);
        run(&loop, &(struct probe_target){ .kind = PROBE_GRPC, .address = "127.0.0.1", .port = port, .timeout = 5000 },
            &answer);
        assert_int_equal(answer.outcome, PROBE_FAILURE);
        snprintf(wanted, sizeof(wanted), "127.0.0.1:%u", port);
        assert_string_equal(grpc_authority, wanted);
        http_server_free(server, NULL, NULL);
        close_loop(&loop);
}

static void test_grpc_refused(void **state) {
        struct answer answer;
        uv_loop_t loop;
        uint16_t port;

        close(listen_on_loopback(&port));
        uv_loop_init(&loop);
        run(&loop, &(struct probe_target){ .kind = PROBE_GRPC, .address = "127.0.0.1", .port = port, .timeout = 1000 },
            &answer);
        assert_int_equal(answer.outcome, PROBE_FAILURE);
        assert_non_null(strstr(answer.message, "connection refused"));
        close_loop(&loop);
}

static void test_exec(void **state) {
        assert_int_equal(probe_exec_result(0, false, 0), PROBE_SUCCESS);
        assert_int_equal(probe_exec_result(0, false, 1), PROBE_FAILURE);
        assert_int_equal(probe_exec_result(-ETIMEDOUT, true, 0), PROBE_FAILURE);
        assert_int_equal(probe_exec_result(-EIO, false, 0), PROBE_UNKNOWN);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tcp),           cmocka_unit_test(test_http),
                cmocka_unit_test(test_request),       cmocka_unit_test(test_redirect_loop),
                cmocka_unit_test(test_large_body),    cmocka_unit_test(test_timeout_and_cancel),
                cmocka_unit_test(test_names),         cmocka_unit_test(test_https),
                cmocka_unit_test(test_https_to_http), cmocka_unit_test(test_hooks),
                cmocka_unit_test(test_grpc),          cmocka_unit_test(test_grpc_authority),
                cmocka_unit_test(test_grpc_refused),  cmocka_unit_test(test_exec),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
