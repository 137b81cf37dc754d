/* HTTP probes as kubelet's prober makes them: kubelet_probes.json holds what that one sent, byte for byte, and what it
 * made of the answers (tests/conformance/test_probes_as_kubelet.py asks it again). Each row is played against a server
 * here. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/http/server.h"
#include "lib/json.h"
#include "lib/transport/listener.h"
#include "lib/transport/tls.h"
#include "lib/value.h"
#include "probes/probe.h"
#include "probes/url.h"
#include "tests/unit/identity.h"

#define ROWS "tests/unit/probes/kubelet_probes.json"
#define CONNECTIONS_MAX 16

/* Answers its n-th connection with the n-th text, then "200 ok"; keeps what it was sent. */
struct server {
        pthread_t thread;
        int fd;
        uint16_t port;
        const struct value *answers;
        char *requests[CONNECTIONS_MAX];
        unsigned n;
};

/* @text with every @from in it as @to. To be freed. */
static char *replaced(const char *text, const char *from, const char *to) {
        size_t size = 0;
        char *out = NULL;
        FILE *f = open_memstream(&out, &size);

        for (const char *p; (p = strstr(text, from)); text = p + strlen(from))
                fprintf(f, "%.*s%s", (int)(p - text), text, to);
        fputs(text, f);
        fclose(f);
        return out;
}

static void port_text(const struct server *s, char text[8]) {
        snprintf(text, 8, "%u", s->port);
}

static void serve_one(struct server *s, int fd) {
        const char *text =
                value_string_or(value_at(s->answers, s->n), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        char request[8192] = "", port[8];
        _cleanup_free_ char *answer = NULL;
        size_t n = 0;
        ssize_t r;

        port_text(s, port);
        while (!strstr(request, "\r\n\r\n") && (r = read(fd, request + n, sizeof(request) - 1 - n)) > 0)
                n += (size_t)r;
        s->requests[s->n++] = replaced(request, port, "PORT");
        answer = replaced(text, "PORT", port);
        r = write(fd, answer, strlen(answer));
        shutdown(fd, SHUT_WR);
        while (read(fd, request, sizeof(request)) > 0)
                ;
        close(fd);
}

static void *serve(void *data) {
        struct server *s = data;
        int fd;

        while (s->n < CONNECTIONS_MAX && (fd = accept(s->fd, NULL, NULL)) >= 0)
                serve_one(s, fd);
        return NULL;
}

static void begin(struct server *s, const struct value *answers) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t length = sizeof(address);

        *s = (struct server){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .answers = answers };
        assert_int_equal(bind(s->fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(s->fd, 16), 0);
        assert_int_equal(getsockname(s->fd, (struct sockaddr *)&address, &length), 0);
        s->port = ntohs(address.sin_port);
        assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void end(struct server *s) {
        shutdown(s->fd, SHUT_RDWR);
        pthread_join(s->thread, NULL);
        close(s->fd);
}

struct answer {
        const char *result;
        char text[4096];
};

/* --- servers in TLS, whose protocol is the layer's: requests are told in one line, as the peer's rows have them --- */

static struct identity identity;
static struct http_server *tls_server;

static int compare_lines(const void *a, const void *b) {
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void handle_any(struct http_exchange *x, void *data) {
        const struct http_request *request = http_request_of(x);
        const char *lines[HTTP_FIELDS_MAX], *text;
        struct server *s = data;
        uint32_t n = 0;
        char port[8];

        text = arena_printf(http_arena(x), "%s %s %s %s", request->version == 20 ? "HTTP/2.0" : "HTTP/1.1",
                            request->method, request->target, request->authority);
        for (uint32_t i = 0; i < request->fields.count; i++)
                if (strcmp(request->fields.items[i].name, "host") != 0)
                        lines[n++] = arena_printf(http_arena(x), " %s=%s", request->fields.items[i].name,
                                                  request->fields.items[i].value);
        qsort(lines, n, sizeof(*lines), compare_lines);
        for (uint32_t i = 0; i < n; i++)
                text = arena_printf(http_arena(x), "%s%s", text, lines[i]);
        port_text(s, port);
        s->requests[s->n++] = replaced(text, port, "PORT");
        http_reply(x, 200, "text/plain", "ok", 2);
}

static void begin_in_tls(struct server *s, uv_loop_t *loop, const char *protocol) {
        static const struct http_route routes[] = { { NULL, "/{path...}", handle_any, 0 } };
        const char *const protocols[] = { protocol, NULL };
        const struct tls_config tls = {
                .side = TLS_SERVER, .certificate = identity.certificate, .key = identity.key, .protocols = protocols
        };
        struct http_server_config config = { .routes = routes, .n_routes = 1, .data = s };
        _cleanup_err_ struct err *err = NULL;
        int fd;

        assert_int_equal(tls_context_new(&tls, &config.tls, &err), 0);
        assert_int_equal(http_server_new(loop, &config, &tls_server, &err), 0);
        assert_int_equal(listener_tcp("127.0.0.1:0", &fd, NULL), 0);
        *s = (struct server){ .port = (uint16_t)listener_port(fd) };
        assert_int_equal(http_server_listen(tls_server, fd), 0);
        tls_context_unref(config.tls);
}

static void on_done(void *data, enum probe_outcome outcome, const char *message) {
        static const char *const names[] = {
                [PROBE_SUCCESS] = "success", [PROBE_WARNING] = "warning", [PROBE_FAILURE] = "failure"
        };
        struct answer *answer = data;

        answer->result = names[outcome];
        snprintf(answer->text, sizeof(answer->text), "%s", message);
        http_server_free(tls_server, NULL, NULL);
        tls_server = NULL;
}

static void ask(const struct value *row, struct server *s, struct answer *answer) {
        const struct value *headers = value_get(row, "headers");
        struct probe_header list[16] = { 0 };
        const char *host = value_string_or(value_get(row, "host"), "");
        const char *protocol = value_string(value_get(row, "tls"));
        uv_loop_t loop;

        uv_loop_init(&loop);
        if (protocol)
                begin_in_tls(s, &loop, protocol);
        else
                begin(s, value_get(row, "answers"));
        struct probe_target target = {
                .kind = PROBE_HTTP,
                .address = host[0] ? host : "127.0.0.1",
                .port = s->port,
                .tls = protocol != NULL,
                .hook = value_bool_or(value_get(row, "hook"), false),
                .user_agent = value_get(row, "hook") ? "kube-lifecycle/1.36" : NULL,
                .path = value_string(value_get(row, "path")),
                .headers = list,
                .n_headers = value_count(headers),
                .timeout = 5000,
        };
        _cleanup_err_ struct err *err = NULL;
        struct probe *probe;
        char port[8];

        port_text(s, port);
        for (uint32_t i = 0; i < target.n_headers; i++)
                list[i] = (struct probe_header){ value_string(value_at(value_at(headers, i), 0)),
                                                 replaced(value_string(value_at(value_at(headers, i), 1)), "PORT",
                                                          port) };
        if (probe_start(&loop, &target, on_done, answer, &probe, &err) < 0) {
                answer->result = "unknown";
                snprintf(answer->text, sizeof(answer->text), "%s", err_text(err));
        }
        for (size_t i = 0; i < target.n_headers; i++)
                free((char *)list[i].value);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
        if (!protocol)
                end(s);
}

/* What errors say of where they happened, and all of what others say but of what is wrong with a body, which only does
 * not say where. */
static size_t said_the_same(const char *result, const char *text) {
        const char *end =
                strcmp(result, "failure") == 0 && strncmp(text, "Get \"", 5) == 0 ? strchr(text + 5, '"') : NULL;

        if (strcmp(result, "failure") == 0 && !end && strncmp(text, "HTTP probe failed", 17) != 0)
                return 0;
        return strcmp(result, "unknown") == 0 ? 0 : end ? (size_t)(end - text) : strlen(text) + 1;
}

static void check(const struct value *row, struct server *s, const struct answer *answer) {
        const char *path = value_string(value_get(row, "path")), *result = value_string(value_get(row, "result"));
        const char *says = value_string(value_get(row, "says"));
        const struct value *requests = value_get(row, "requests");
        _cleanup_free_ char *text = NULL;
        char port[8];

        port_text(s, port);
        text = replaced(answer->text, port, "PORT");
        if (strcmp(answer->result, result) != 0 || (strncmp(text, "Get ", 4) == 0) != (strncmp(says, "Get ", 4) == 0) ||
            strncmp(text, says, said_the_same(result, says)) != 0)
                fail_msg("line %u, %s: kubelet: %s, %s; here: %s, %s", row->line, path, result, says, answer->result,
                         text);
        if (s->n != value_count(requests))
                fail_msg("line %u, %s: %u requests", row->line, path, s->n);
        for (uint32_t i = 0; i < s->n; i++)
                if (strcmp(s->requests[i], value_string(value_at(requests, i))) != 0)
                        fail_msg("line %u, %s: kubelet sends\n%s\nhere\n%s", row->line, path,
                                 value_string(value_at(requests, i)), s->requests[i]);
}

static void test_rows(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_err_ struct err *err = NULL;
        _cleanup_free_ char *text = NULL;
        const struct value *rows = NULL;
        size_t length = 0;

        if (files_read(ROWS, 1 << 20, &text, &length, &err) < 0 ||
            json_parse(arena, text, length, NULL, &rows, &err) < 0)
                fail_msg("%s", err_text(err));
        assert_true(value_count(rows) > 290);
        for (uint32_t i = 0; i < value_count(rows); i++) {
                const struct value *row = value_at(rows, i);
                struct answer answer = { 0 };
                struct server s;

                ask(row, &s, &answer);
                check(row, &s, &answer);
                for (unsigned k = 0; k < s.n; k++)
                        free(s.requests[k]);
        }
}

static void test_longest(void **state) {
        const struct probe_url_server server = { false, "h", 80 };
        _cleanup_arena_ struct arena *arena = arena_new();
        char path[URL_TEXT_MAX + 2];
        struct url url;

        memset(path, ' ', sizeof(path));
        path[URL_TEXT_MAX] = '\0';
        assert_int_equal(probe_url_of_path(arena, &server, path, &url, NULL), 0);
        assert_int_equal(strlen(probe_url_request_target(arena, &url)), 1 + 3 * URL_TEXT_MAX);
        path[URL_TEXT_MAX] = ' ';
        path[URL_TEXT_MAX + 1] = '\0';
        assert_int_equal(probe_url_of_path(arena, &server, path, &url, NULL), -E2BIG);
        assert_int_equal(probe_url_resolve(arena, &url, path, &url, NULL), -E2BIG);
}

static void test_most_headers(void **state) {
        struct probe_header headers[249];
        struct server s;
        struct answer answer = { 0 };
        struct probe *probe;
        uv_loop_t loop;

        for (size_t i = 0; i < ELEMENTS(headers); i++)
                headers[i] = (struct probe_header){ "X", "y" };
        uv_loop_init(&loop);
        begin(&s, NULL);
        struct probe_target target = { .kind = PROBE_HTTP,
                                       .address = "127.0.0.1",
                                       .port = s.port,
                                       .headers = headers,
                                       .n_headers = PROBE_HEADERS_MAX,
                                       .timeout = 5000 };
        assert_int_equal(probe_start(&loop, &target, on_done, &answer, &probe, NULL), 0);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_string_equal(answer.result, "success");
        target.n_headers++;
        assert_int_equal(probe_start(&loop, &target, on_done, &answer, &probe, NULL), -E2BIG);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
        end(&s);
        assert_int_equal(s.n, 1);
        free(s.requests[0]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows),
                cmocka_unit_test(test_longest),
                cmocka_unit_test(test_most_headers),
        };
        int failed;

        identity = make_identity("localhost");
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        identity_done(&identity);
        probe_cleanup();
        return failed;
}
