#include "lib/http/parse.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/arena.h"
#include "lib/cleanup.h"

#define HOST "Host: a\r\n"
#define GET(fields) "GET / HTTP/1.1\r\n" HOST fields "\r\n"

/* Requests that two readers could take for different ones, or that no server has to take (RFC 9112; the cases of
 * request smuggling are those of section 11.2). @status 0: taken. */
static const struct {
        const char *head;
        int status;
} requests[] = {
        { GET(""), 0 },
        { GET("X:\r\n"), 0 },
        { GET("X: \t a \t\r\n"), 0 },
        { "GET /a?b=c HTTP/1.1\r\n" HOST "\r\n", 0 },
        { "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 0 },
        { "GET http://other:80/x HTTP/1.1\r\n" HOST "\r\n", 0 },
        { "GET http://other HTTP/1.1\r\n" HOST "\r\n", 0 },
        { "CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n", 0 },
        { "GET / HTTP/1.0\r\n\r\n", 0 },
        { GET("Content-Length: 0\r\n"), 0 },
        { GET("Content-Length: 9223372036854775807\r\n"), 0 },
        { GET("Transfer-Encoding: Chunked\r\n"), 0 },
        /* lengths */
        { GET("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400 },
        { GET("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"), 400 },
        { GET("Content-Length: 1\r\nContent-Length: 2\r\n"), 400 },
        { GET("Content-Length: 1\r\nContent-Length: 1\r\n"), 400 },
        { GET("Content-Length: 1, 1\r\n"), 400 },
        { GET("Content-Length: +1\r\n"), 400 },
        { GET("Content-Length: -1\r\n"), 400 },
        { GET("Content-Length: 0x1\r\n"), 400 },
        { GET("Content-Length: 1 1\r\n"), 400 },
        { GET("Content-Length:\r\n"), 400 },
        { GET("Content-Length: 9223372036854775808\r\n"), 400 },
        { GET("Content-Length: 99999999999999999999999\r\n"), 400 },
        /* codings */
        { GET("Transfer-Encoding: gzip, chunked\r\n"), 501 },
        { GET("Transfer-Encoding: chunked, identity\r\n"), 501 },
        { GET("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 501 },
        { GET("Transfer-Encoding: xchunked\r\n"), 501 },
        { GET("Transfer-Encoding: \x0b"
              "chunked\r\n"),
          400 },
        { GET("Transfer-Encoding : chunked\r\n"), 400 },
        { "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
        /* fields */
        { GET(" X: folded\r\n"), 400 },
        { GET("X: a\r\n b\r\n"), 400 },
        { GET("X : a\r\n"), 400 },
        { GET(": a\r\n"), 400 },
        { GET("X\r\n"), 400 },
        { GET("X y: a\r\n"), 400 },
        { GET("X\x7f: a\r\n"), 400 },
        { GET("X: a\x01\r\n"), 400 },
        { GET("(X): a\r\n"), 400 },
        /* Host (RFC 9112, 3.2) */
        { "GET / HTTP/1.1\r\n\r\n", 400 },
        { GET("Host: b\r\n"), 400 },
        { "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", 400 },
        { "GET http://user@b/ HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "GET http:///x HTTP/1.1\r\n" HOST "\r\n", 400 },
        /* the first line */
        { "\r\n", 400 },
        { "GET /\r\n" HOST "\r\n", 400 },
        { "GET / HTTP/2.0\r\n" HOST "\r\n", 505 },
        { "GET / HTTP/1.11\r\n" HOST "\r\n", 400 },
        { "GET / http/1.1\r\n" HOST "\r\n", 400 },
        { "GET  / HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "GET / x HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "GET x HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "GET /#x HTTP/1.1\r\n" HOST "\r\n", 400 },
        { "G(T / HTTP/1.1\r\n" HOST "\r\n", 400 },
        { " GET / HTTP/1.1\r\n" HOST "\r\n", 400 },
};

static void test_requests(void **state) {
        for (size_t i = 0; i < ELEMENTS(requests); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                struct http_request request;
                struct http_parsed parsed;
                size_t n = strlen(requests[i].head);
                int r = http_parse_request(arena, requests[i].head, n, &request, &parsed);

                if (r != (requests[i].status ? -EPROTO : 0) || (r < 0 && parsed.status != requests[i].status))
                        fail_msg("row %zu: %d, %d %s", i, r, parsed.status, parsed.why ?: "");
                if (r < 0)
                        assert_non_null(parsed.why);
        }
}

static void test_what_a_request_says(void **state) {
        static const char head[] = "POST http://other:80/a/b?c=d HTTP/1.1\r\nHost: ignored\r\nX-Up: V\r\n"
                                   "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nContent-Length: 7\r\n"
                                   "Expect: 100-continue\r\n\r\n";
        _cleanup_arena_ struct arena *arena = arena_new();
        struct http_request request;
        struct http_parsed parsed;

        assert_int_equal(http_parse_request(arena, head, sizeof(head) - 1, &request, &parsed), 0);
        assert_string_equal(request.method, "POST");
        assert_string_equal(request.target, "/a/b?c=d");
        assert_int_equal(request.n_path, 4);
        assert_string_equal(request.query, "c=d");
        assert_string_equal(request.authority, "other:80");
        assert_string_equal(request.upgrade, "websocket");
        assert_string_equal(http_fields_get(&request.fields, "x-up"), "V");
        assert_int_equal(request.length, 7);
        assert_true(parsed.keep_alive);
        assert_true(parsed.expects_continue);
}

static void test_where_a_head_ends(void **state) {
        static const struct {
                const char *bytes;
                size_t n;
                ssize_t found;
        } cases[] = {
                { "GET / HTTP/1.1\r\n\r\nrest", 22, 18 },
                { "GET / HTTP/1.1\r\n\r", 17, 0 },
                { "GET / HTTP/1.1\n\n", 16, -EPROTO },
                { "GET / HTTP/1.1\rX\r\n\r\n", 20, -EPROTO },
                { "GET /\0HTTP/1.1\r\n\r\n", 18, -EPROTO },
                { "GET / HTTP/1.1\r\nA: b\n\r\n", 23, -EPROTO },
                { "\n", 1, -EPROTO },
                { "", 0, 0 },
        };
        char *large = malloc(HTTP_HEAD_MAX);

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                for (size_t scanned = 0; scanned < 2; scanned++)
                        assert_int_equal(http_parse_find(cases[i].bytes, cases[i].n, scanned), cases[i].found);
        memset(large, 'a', HTTP_HEAD_MAX);
        assert_int_equal(http_parse_find(large, HTTP_HEAD_MAX - 1, 0), 0);
        assert_int_equal(http_parse_find(large, HTTP_HEAD_MAX, 0), -E2BIG);
        memcpy(large + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
        assert_int_equal(http_parse_find(large, HTTP_HEAD_MAX, 0), HTTP_HEAD_MAX);
        free(large);
}

static void test_fields_are_bounded(void **state) {
        char *head = malloc(HTTP_FIELDS_MAX * 8 + 256);

        for (int more = 0; more < 2; more++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                struct http_request request;
                struct http_parsed parsed;
                int n = sprintf(head, "GET / HTTP/1.1\r\nHost: a\r\n");

                for (int i = 0; i < HTTP_FIELDS_MAX - 1 + more; i++)
                        n += sprintf(head + n, "x: y\r\n");
                n += sprintf(head + n, "\r\n");
                assert_int_equal(http_parse_request(arena, head, (size_t)n, &request, &parsed), more ? -EPROTO : 0);
                if (more)
                        assert_int_equal(parsed.status, 431);
        }
        free(head);
}

static const struct {
        const char *head, *method;
        int result, framing;
        int64_t length;
} responses[] = {
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "GET", 0, HTTP_BY_LENGTH, 5 },
        { "HTTP/1.1 200\r\n\r\n", "GET", 0, HTTP_BY_CLOSE, -1 },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", 0, HTTP_BY_CHUNKS, -1 },
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD", 0, HTTP_NO_BODY, 0 },
        { "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", "GET", 0, HTTP_NO_BODY, 0 },
        { "HTTP/1.1 304 No\r\n\r\n", "GET", 0, HTTP_NO_BODY, 0 },
        { "HTTP/1.1 100 Go\r\n\r\n", "GET", 0, HTTP_NO_BODY, 0 },
        { "HTTP/1.1 200 OK\r\n\r\n", "CONNECT", 0, HTTP_NO_BODY, 0 },
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", -EPROTO, 0, 0 },
        { "HTTP/1.1 99 x\r\n\r\n", "GET", -EPROTO, 0, 0 },
        { "HTTP/1.1 2x0 x\r\n\r\n", "GET", -EPROTO, 0, 0 },
        { "HTTP/2.0 200 x\r\n\r\n", "GET", -EPROTO, 0, 0 },
        { "HTTP/1.1  200 x\r\n\r\n", "GET", -EPROTO, 0, 0 },
        { "ICY 200 OK\r\n\r\n", "GET", -EPROTO, 0, 0 },
};

static void test_responses(void **state) {
        for (size_t i = 0; i < ELEMENTS(responses); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                struct http_response response;
                struct http_parsed parsed;
                int r = http_parse_response(arena, responses[i].head, strlen(responses[i].head), responses[i].method,
                                            &response, &parsed);

                if (r != responses[i].result ||
                    (r == 0 && ((int)parsed.framing != responses[i].framing || response.length != responses[i].length)))
                        fail_msg("row %zu: %d, %d", i, r, (int)parsed.framing);
        }
}

/* @body NULL: refused. */
static const struct {
        const char *bytes, *body, *trailer;
} chunked[] = {
        { "5\r\nhello\r\n0\r\n\r\n", "hello", NULL },
        { "1\r\na\r\n0000a\r\nbcdefghijk\r\n0\r\nX-T: v\r\n\r\n", "abcdefghijk", "v" },
        { "A;name=\"v\"\r\n0123456789\r\n0;x\r\n\r\n", "0123456789", NULL },
        { "0\r\n\r\n", "", NULL },
        { "5\nhello\r\n0\r\n\r\n", NULL, NULL },
        { "5\r\nhelloX\r\n0\r\n\r\n", NULL, NULL },
        { "5\r\nhello\r0\r\n\r\n", NULL, NULL },
        { "\r\n", NULL, NULL },
        { "-1\r\n", NULL, NULL },
        { "+1\r\n", NULL, NULL },
        { "0x1\r\n", NULL, NULL },
        { "fffffffffffffffff\r\n", NULL, NULL },
        { "1\r\na\r\n0\r\nX : v\r\n\r\n", NULL, NULL },
        { "1\r\na\r\n0\r\n folded\r\n\r\n", NULL, NULL },
};

/* In pieces of @step bytes. Returns 0 when all is there. */
static int take_chunked(const char *bytes, size_t step, char *body, struct arena *arena, struct http_fields *trailers) {
        struct http_chunks chunks = { 0 };
        size_t total = strlen(bytes), n_body = 0;
        int r = 0;

        for (size_t at = 0; at < total && r >= 0; at += step) {
                char copy[64];
                size_t n = total - at < step ? total - at : step;
                uint8_t *p = (uint8_t *)copy;

                memcpy(copy, bytes + at, n);
                while (n > 0 && r >= 0 && chunks.state != HTTP_CHUNKS_DONE) {
                        struct http_span piece;

                        r = http_chunks_take(&chunks, arena, &p, &n, trailers, &piece);
                        if (r > 0) {
                                memcpy(body + n_body, piece.data, piece.size);
                                n_body += piece.size;
                        }
                }
        }
        body[n_body] = '\0';
        r = r < 0 ? r : chunks.state == HTTP_CHUNKS_DONE ? 0 : -EAGAIN;
        http_chunks_done(&chunks);
        return r;
}

static void test_chunks(void **state) {
        for (size_t i = 0; i < ELEMENTS(chunked); i++)
                for (size_t step = 1; step < 64; step++) {
                        _cleanup_arena_ struct arena *arena = arena_new();
                        struct http_fields trailers = { 0 };
                        char body[64];
                        int r = take_chunked(chunked[i].bytes, step, body, arena, &trailers);

                        if (r != (chunked[i].body ? 0 : -EPROTO))
                                fail_msg("row %zu in steps of %zu: %d", i, step, r);
                        if (chunked[i].body)
                                assert_string_equal(body, chunked[i].body);
                        if (chunked[i].trailer)
                                assert_string_equal(http_fields_get(&trailers, "x-t"), chunked[i].trailer);
                }
}

static void test_chunks_are_bounded(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct http_fields trailers = { 0 };
        struct http_chunks chunks = { 0 };
        uint8_t line[HTTP_CHUNK_LINE_MAX + 1], *p = line;
        struct http_span piece;
        size_t n = sizeof(line);

        memset(line, 'x', sizeof(line));
        memcpy(line, "1;", 2);
        assert_int_equal(http_chunks_take(&chunks, arena, &p, &n, &trailers, &piece), -E2BIG);
        http_chunks_done(&chunks);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_requests),           cmocka_unit_test(test_what_a_request_says),
                cmocka_unit_test(test_where_a_head_ends),  cmocka_unit_test(test_fields_are_bounded),
                cmocka_unit_test(test_responses),          cmocka_unit_test(test_chunks),
                cmocka_unit_test(test_chunks_are_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
