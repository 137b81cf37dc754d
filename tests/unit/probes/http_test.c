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
#include "lib/json.h"
#include "lib/value.h"
#include "probes/probe.h"
#include "probes/url.h"

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

static void on_done(void *data, enum probe_outcome outcome, const char *message) {
        static const char *const names[] = {
                [PROBE_SUCCESS] = "success", [PROBE_WARNING] = "warning", [PROBE_FAILURE] = "failure"
        };
        struct answer *answer = data;

        answer->result = names[outcome];
        snprintf(answer->text, sizeof(answer->text), "%s", message);
}

static void ask(const struct value *row, const struct server *s, struct answer *answer) {
        const struct value *headers = value_get(row, "headers");
        struct probe_header list[16] = { 0 };
        const char *host = value_string_or(value_get(row, "host"), "");
        struct probe_target target = {
                .kind = PROBE_HTTP,
                .address = host[0] ? host : "127.0.0.1",
                .port = s->port,
                .path = value_string(value_get(row, "path")),
                .headers = list,
                .n_headers = value_count(headers),
                .timeout = 5000,
        };
        _cleanup_err_ struct err *err = NULL;
        struct probe *probe;
        char port[8];
        uv_loop_t loop;

        port_text(s, port);
        for (uint32_t i = 0; i < target.n_headers; i++)
                list[i] = (struct probe_header){ value_string(value_at(value_at(headers, i), 0)),
                                                 replaced(value_string(value_at(value_at(headers, i), 1)), "PORT",
                                                          port) };
        uv_loop_init(&loop);
        if (probe_start(&loop, &target, on_done, answer, &probe, &err) < 0) {
                answer->result = "unknown";
                snprintf(answer->text, sizeof(answer->text), "%s", err_text(err));
        }
        for (size_t i = 0; i < target.n_headers; i++)
                free((char *)list[i].value);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
}

/* What errors say of where they happened, and all of what others say. */
static size_t said_the_same(const char *result, const char *text) {
        const char *end =
                strcmp(result, "failure") == 0 && strncmp(text, "Get \"", 5) == 0 ? strchr(text + 5, '"') : NULL;

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
        if (strcmp(answer->result, result) != 0 || strncmp(text, says, said_the_same(result, says)) != 0)
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
        assert_true(value_count(rows) > 190);
        for (uint32_t i = 0; i < value_count(rows); i++) {
                const struct value *row = value_at(rows, i);
                struct answer answer = { 0 };
                struct server s;

                begin(&s, value_get(row, "answers"));
                ask(row, &s, &answer);
                end(&s);
                check(row, &s, &answer);
                for (unsigned k = 0; k < s.n; k++)
                        free(s.requests[k]);
        }
}

static void test_longest(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        char path[URL_TEXT_MAX + 2];
        struct url url;

        memset(path, ' ', sizeof(path));
        path[URL_TEXT_MAX] = '\0';
        assert_int_equal(probe_url_of_path(arena, false, "h", 80, path, &url, NULL), 0);
        assert_int_equal(strlen(probe_url_request_target(arena, &url)), 1 + 3 * URL_TEXT_MAX);
        path[URL_TEXT_MAX] = ' ';
        path[URL_TEXT_MAX + 1] = '\0';
        assert_int_equal(probe_url_of_path(arena, false, "h", 80, path, &url, NULL), -E2BIG);
        assert_int_equal(probe_url_resolve(arena, &url, path, &url, NULL), -E2BIG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows),
                cmocka_unit_test(test_longest),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
