#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/client.h"
#include "lib/http/internal.h"
#include "lib/http/server.h"
#include "lib/transport/address.h"
#include "lib/transport/listener.h"

/* A server with one table of routes, and clients of both protocols: each test runs over each. */
static uv_loop_t loop;
static struct http_server *server;
static struct http_client *client;
static enum http_version version;
static bool gone;
static struct http_exchange *held; /* a request that its handler keeps */
static int held_closed;
static unsigned held_drained;
static size_t held_size; /* bytes that it got */
static bool held_ended;

static void echo_done(struct http_exchange *x, int error, const void *body, size_t size, void *data) {
        if (error == -EMSGSIZE)
                assert_int_equal(http_reply(x, 413, NULL, NULL, 0), 0);
        else if (error == 0)
                assert_int_equal(http_reply(x, 200, "application/octet-stream", body, size), 0);
}

static void handle_echo(struct http_exchange *x, void *data) {
        http_collect(x, (size_t)1 << 20, echo_done, NULL);
}

static void handle_hello(struct http_exchange *x, void *data) {
        char text[256];

        snprintf(text, sizeof(text), "%s %s %s", http_request_of(x)->method, http_param(x, "name"),
                 http_query(http_arena(x), http_request_of(x)->query, "q") ?: "-");
        assert_int_equal(http_reply(x, 200, "text/plain", text, strlen(text)), 0);
}

static void handle_rest(struct http_exchange *x, void *data) {
        const char *rest = http_param(x, "rest");

        assert_int_equal(http_reply(x, 200, "text/plain", rest, strlen(rest)), 0);
}

/* A body of unknown length in pieces, a shared one among them, with a trailer. */
static void handle_stream(struct http_exchange *x, void *data) {
        static const struct http_field type = { "content-type", "text/plain" }, trailer = { "x-sum", "42" };
        struct bytes *shared = bytes_copy("shared ", 7);

        assert_int_equal(http_respond(x, 200, &type, 1, -1), 0);
        assert_int_equal(http_respond(x, 500, NULL, 0, 0), -EALREADY);
        assert_int_equal(http_send(x, "one ", 4), 0);
        assert_int_equal(http_send_bytes(x, shared), 0);
        assert_int_equal(http_send_bytes(x, shared), 0);
        bytes_unref(shared);
        assert_int_equal(http_end(x, &trailer, 1), 0);
        assert_int_equal(http_send(x, "late", 4), -EPIPE);
}

static void on_held_closed(struct http_exchange *x, int error, const char *why) {
        held = NULL;
        held_closed = error ?: 1;
}

static void on_held_drained(struct http_exchange *x) {
        held_drained++;
}

static void on_held_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        held_size += n;
}

static void on_held_end(struct http_exchange *x, const struct http_fields *trailers) {
        held_ended = true;
}

static void handle_hold(struct http_exchange *x, void *data) {
        static const struct http_events events = {
                .data = on_held_data, .end = on_held_end, .closed = on_held_closed, .drained = on_held_drained
        };

        http_set_events(x, &events, NULL);
        held = x;
}

static void on_tunnel_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        assert_int_equal(http_send(x, bytes, n), 0);
}

static void on_tunnel_end(struct http_exchange *x, const struct http_fields *trailers) {
        assert_int_equal(http_send(x, "bye", 3), 0);
        assert_int_equal(http_end(x, NULL, 0), 0);
}

static void handle_tunnel(struct http_exchange *x, void *data) {
        static const struct http_events events = { .data = on_tunnel_data, .end = on_tunnel_end };
        static const struct http_field field = { "x-tunnel", "yes" };

        http_set_events(x, &events, NULL);
        assert_string_equal(http_request_of(x)->upgrade, "echo");
        assert_int_equal(http_accept_upgrade(x, &field, 1), 0);
}

/* Whoever asks for a tunnel gets one; the exchange is then the test's. */
static void handle_may(struct http_exchange *x, void *data) {
        if (!http_request_of(x)->upgrade) {
                assert_int_equal(http_accept_upgrade(x, NULL, 0), -EINVAL);
                assert_int_equal(http_reply(x, 200, "text/plain", "plain", 5), 0);
                return;
        }
        handle_hold(x, data);
        assert_int_equal(http_accept_upgrade(x, NULL, 0), 0);
}

/* More than it has promised, and less. */
static void handle_wrong(struct http_exchange *x, void *data) {
        assert_int_equal(http_respond(x, 200, NULL, 0, 4), 0);
        assert_int_equal(http_send(x, "abc", 3), 0);
        assert_int_equal(http_send(x, "de", 2), -EMSGSIZE);
        assert_int_equal(http_end(x, NULL, 0), -EMSGSIZE);
}

static const struct http_route routes[] = {
        { "POST", "/echo", handle_echo, 0 },
        { "PUT", "/echo", handle_echo, 0 },
        { "GET", "/hello/{name}", handle_hello, 0 },
        { NULL, "/any/{rest...}", handle_rest, 0 },
        { "GET", "/stream", handle_stream, 0 },
        { "GET", "/hold", handle_hold, 0 },
        { "GET", "/tunnel", handle_tunnel, HTTP_ROUTE_UPGRADE },
        { "POST", "/may", handle_may, HTTP_ROUTE_MAY_UPGRADE },
        { "GET", "/wrong", handle_wrong, 0 },
};

static void on_gone(void *data) {
        gone = true;
}

static unsigned streams; /* that the server takes on a connection; 0: as many as it does by itself */

static int set_up(void **state) {
        struct http_server_config config = { .routes = routes, .n_routes = ELEMENTS(routes), .streams_max = streams };
        struct http_client_config to = { .authority = "test.local" };
        struct sockaddr_storage address;
        char text[64];
        int fd;

        version = *state ? HTTP_VERSION_2 : HTTP_VERSION_1;
        held = NULL;
        held_closed = 0;
        held_drained = 0;
        held_size = 0;
        held_ended = false;
        gone = false;
        uv_loop_init(&loop);
        assert_int_equal(http_server_new(&loop, &config, &server, NULL), 0);
        assert_int_equal(listener_tcp("127.0.0.1:0", &fd, NULL), 0);
        snprintf(text, sizeof(text), "127.0.0.1:%d", listener_port(fd));
        assert_int_equal(http_server_listen(server, fd), 0);
        assert_int_equal(address_parse(text, &address, &to.n_address, NULL), 0);
        to.address = (const struct sockaddr *)&address;
        to.version = version;
        return http_client_new(&loop, &to, &client);
}

static int tear_down(void **state) {
        http_client_free(client);
        http_server_free(server, on_gone, NULL);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_true(gone);
        return uv_loop_close(&loop);
}

/* --- a request, and what came of it --- */

struct seen {
        int status, error;
        char body[256], trailer[64], type[64], tunnel[8];
        size_t size;
        bool ended, closed, drained, pause_at_head;
        struct http_exchange *x;
};

static void on_head(struct http_exchange *x, const struct http_response *response) {
        struct seen *seen = http_data(x);

        seen->status = response->status;
        snprintf(seen->type, sizeof(seen->type), "%s", http_fields_get(&response->fields, "content-type") ?: "");
        snprintf(seen->tunnel, sizeof(seen->tunnel), "%s", http_fields_get(&response->fields, "x-tunnel") ?: "");
        if (seen->pause_at_head)
                http_pause(x);
}

static void on_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct seen *seen = http_data(x);

        for (size_t i = 0; i < n && seen->size + i + 1 < sizeof(seen->body); i++)
                seen->body[seen->size + i] = (char)bytes[i];
        seen->size += n;
}

static void on_end(struct http_exchange *x, const struct http_fields *trailers) {
        struct seen *seen = http_data(x);

        seen->ended = true;
        snprintf(seen->trailer, sizeof(seen->trailer), "%s", http_fields_get(trailers, "x-sum") ?: "");
}

static void on_drained(struct http_exchange *x) {
        ((struct seen *)http_data(x))->drained = true;
}

static void on_closed(struct http_exchange *x, int error, const char *why) {
        struct seen *seen = http_data(x);

        seen->closed = true;
        seen->error = error;
        seen->x = NULL;
}

static const struct http_events events = { on_head, on_data, on_end, on_drained, on_closed };

static void turn(void) {
        uv_run(&loop, UV_RUN_ONCE);
}

static void run_until(const bool *what) {
        for (int i = 0; i < 5000 && !*what; i++)
                turn();
        assert_true(*what);
}

static struct seen ask(const char *method, const char *target, const void *body, size_t size) {
        struct http_client_request request = {
                .method = method, .target = target, .length = (int64_t)size, .flags = body ? HTTP_REQUEST_BODY : 0
        };
        struct seen seen = { 0 };

        assert_int_equal(http_client_request(client, &request, &events, &seen, &seen.x), 0);
        if (body) {
                assert_int_equal(http_send(seen.x, body, size), 0);
                assert_int_equal(http_end(seen.x, NULL, 0), 0);
        }
        run_until(&seen.closed);
        return seen;
}

static void test_requests(void **state) {
        struct seen seen = ask("GET", "/hello/w%6frld?a=1&q=x+%26y", NULL, 0);

        assert_int_equal(seen.error, 0);
        assert_int_equal(seen.status, 200);
        assert_string_equal(seen.type, "text/plain");
        assert_string_equal(seen.body, "GET world x &y");
        seen = ask("HEAD", "/hello/x", NULL, 0);
        assert_int_equal(seen.error, 0);
        assert_int_equal(seen.status, 200);
        assert_int_equal(seen.size, 0);
        assert_string_equal(ask("POST", "/echo", "body", 4).body, "body");
        assert_string_equal(ask("PUT", "/echo", "", 0).body, "");
        assert_string_equal(ask("DELETE", "/any/a/b%2fc/", NULL, 0).body, "a/b%2fc/");
        assert_string_equal(ask("GET", "/any/", NULL, 0).body, "");
}

static void test_refusals(void **state) {
        static const struct {
                const char *method, *target;
                int status;
        } cases[] = {
                { "GET", "/", 404 },          { "GET", "/hello", 404 },     { "GET", "/hello/", 404 },
                { "GET", "/hello/a/b", 404 }, { "GET", "/hellox/a", 404 },  { "GET", "/echo", 405 },
                { "POST", "/hello/x", 405 },  { "GET", "/hello/%zz", 400 }, { "GET", "/hello/%00", 400 },
                { "GET", "/hello/%", 400 },   { "GET", "/tunnel", 426 },    { "get", "/hello/x", 405 },
                { "HEAD", "/tunnel", 405 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct seen seen = ask(cases[i].method, cases[i].target, NULL, 0);

                if (seen.status != cases[i].status)
                        fail_msg("%s %s: %d", cases[i].method, cases[i].target, seen.status);
        }
}

static void test_stream_with_trailers(void **state) {
        struct seen seen = ask("GET", "/stream", NULL, 0);

        assert_int_equal(seen.error, 0);
        assert_string_equal(seen.body, "one shared shared ");
        assert_string_equal(seen.trailer, "42");
}

static void test_large_bodies(void **state) {
        const size_t max = (size_t)1 << 20;
        char *body = malloc(max + 1);

        memset(body, 'b', max + 1);
        assert_int_equal(ask("POST", "/echo", body, max).size, max);
        assert_int_equal(ask("POST", "/echo", body, max + 1).status, 413);
        assert_int_equal(ask("POST", "/echo", body, 3).size, 3);
        free(body);
}

/* A body of no known length, from the client. */
static void test_chunks_upwards(void **state) {
        struct http_client_request request = {
                .method = "POST", .target = "/echo", .length = -1, .flags = HTTP_REQUEST_BODY
        };
        struct seen seen = { 0 };

        assert_int_equal(http_client_request(client, &request, &events, &seen, &seen.x), 0);
        for (int i = 0; i < 10; i++) {
                assert_int_equal(http_send(seen.x, "0123456789", 10), 0);
                if (i % 3 == 0)
                        turn();
        }
        assert_int_equal(http_end(seen.x, NULL, 0), 0);
        run_until(&seen.closed);
        assert_int_equal(seen.size, 100);
}

static void wait_for_held(void) {
        for (int i = 0; i < 1000 && !held; i++)
                turn();
        assert_non_null(held);
}

static void begin(const char *target, struct seen *seen) {
        struct http_client_request request = { .method = "GET", .target = target };

        *seen = (struct seen){ .pause_at_head = seen->pause_at_head };
        assert_int_equal(http_client_request(client, &request, &events, seen, &seen->x), 0);
}

/* Whoever holds a request is told when its client goes. */
static void test_client_goes(void **state) {
        struct seen seen = { 0 };

        begin("/hold", &seen);
        wait_for_held();
        http_reset(seen.x, -ECANCELED);
        for (int i = 0; i < 1000 && !held_closed; i++)
                turn();
        assert_true(held_closed < 0);
        run_until(&seen.closed);
        assert_int_equal(seen.error, -ECANCELED);
        assert_string_equal(ask("GET", "/hello/again", NULL, 0).body, "GET again -");
}

static void test_server_gives_up(void **state) {
        struct seen seen = { 0 };

        begin("/hold", &seen);
        wait_for_held();
        http_reset(held, -EIO);
        run_until(&seen.closed);
        assert_true(seen.error < 0);
        assert_int_equal(held_closed, -EIO);
        assert_int_equal(ask("GET", "/wrong", NULL, 0).ended, false);
}

/* A reader that pauses stops the sender's bytes, which wait and are told of when gone. */
static void test_back_pressure(void **state) {
        const size_t size = (size_t)24 << 20;
        struct bytes *much = bytes_new(size);
        struct seen seen = { .pause_at_head = true };

        memset(much->data, 'm', size);
        begin("/hold", &seen);
        wait_for_held();
        assert_int_equal(http_respond(held, 200, NULL, 0, (int64_t)size), 0);
        assert_int_equal(http_send_bytes(held, much), 0);
        bytes_unref(much);
        for (int i = 0; i < 200; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        assert_true(http_pending(held) > 0);
        assert_int_equal(held_drained, 0);
        assert_true(seen.size < size / 2);
        http_end(held, NULL, 0);
        http_resume(seen.x);
        run_until(&seen.closed);
        assert_int_equal(seen.error, 0);
        assert_int_equal(seen.size, size);
}

/* A byte of a body that tells its place. */
static uint8_t pattern(size_t place) {
        return (uint8_t)(place * 2654435761u >> 13);
}

static void send_pattern(size_t begin, size_t size, unsigned how) {
        struct bytes *bytes = bytes_new(size);
        const struct iovec halves[] = { { bytes->data, size / 2 }, { bytes->data + size / 2, size - size / 2 } };

        for (size_t i = 0; i < size; i++)
                bytes->data[i] = pattern(begin + i);
        assert_int_equal(how == 0 ? http_send_bytes(held, bytes) :
                         how == 1 ? http_send(held, bytes->data, size) :
                                    http_send_ranges(held, halves, 2),
                         0);
        bytes_unref(bytes);
}

struct watched {
        struct seen seen; /* first: the events' data */
        size_t checked, pause_every;
};

static void on_pattern(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct watched *watched = http_data(x);

        for (size_t i = 0; i < n; i++)
                if (bytes[i] != pattern(watched->checked + i))
                        fail_msg("byte %zu is not what was sent", watched->checked + i);
        watched->checked += n;
        if (watched->checked / watched->pause_every != (watched->checked - n) / watched->pause_every)
                http_pause(x);
}

static const struct http_events pattern_events = { on_head, on_pattern, on_end, on_drained, on_closed };

/* Small pieces and large ones, copied and shared, come as one body, in order, however slowly they are read. */
static void test_pieces_in_order(void **state) {
        static const size_t sizes[] = { 1, 100, 2047, 2048, 2049, 16383, 16384, 16385, 40000, 300000, 7, 70000 };
        struct http_client_request request = { .method = "GET", .target = "/hold" };
        struct http_field trailer = { "x-sum", "42" };
        struct watched watched = { .pause_every = 150000 };
        size_t sent = 0;

        assert_int_equal(http_client_request(client, &request, &pattern_events, &watched, &watched.seen.x), 0);
        wait_for_held();
        assert_int_equal(http_respond(held, 200, NULL, 0, -1), 0);
        for (unsigned i = 0; i < 3 * ELEMENTS(sizes); i++) {
                send_pattern(sent, sizes[i % ELEMENTS(sizes)], i % 5 % 3);
                sent += sizes[i % ELEMENTS(sizes)];
        }
        assert_int_equal(http_end(held, &trailer, 1), 0);
        for (unsigned i = 0; i < 5000 && !watched.seen.closed; i++) {
                uv_run(&loop, UV_RUN_NOWAIT);
                if (watched.seen.x && i % 8 == 7)
                        http_resume(watched.seen.x);
        }
        assert_true(watched.seen.closed);
        assert_int_equal(watched.seen.error, 0);
        assert_int_equal(watched.checked, sent);
        assert_string_equal(watched.seen.trailer, "42");
}

/* An exchange that is given up by either side while most of its body waits takes none of the connection's others along.
 */
static void test_given_up_in_the_middle(void **state) {
        struct http_client_request request = { .method = "GET", .target = "/hold" };

        for (unsigned by_server = 0; by_server < 2; by_server++) {
                struct watched watched = { .pause_every = 1 << 16 };

                assert_int_equal(http_client_request(client, &request, &pattern_events, &watched, &watched.seen.x), 0);
                wait_for_held();
                assert_int_equal(http_respond(held, 200, NULL, 0, -1), 0);
                send_pattern(0, 8 << 20, 0);
                for (unsigned i = 0; i < 50 && watched.checked == 0; i++)
                        uv_run(&loop, UV_RUN_NOWAIT);
                assert_true(watched.checked > 0);
                http_reset(by_server ? held : watched.seen.x, -ECANCELED);
                watched.pause_every = SIZE_MAX;
                if (watched.seen.x)
                        http_resume(watched.seen.x);
                run_until(&watched.seen.closed);
                assert_int_not_equal(watched.seen.error, 0);
                while (held)
                        turn();
                assert_string_equal(ask("GET", "/hello/x", NULL, 0).type, "text/plain");
        }
}

static void test_tunnel(void **state) {
        struct http_client_request request = { .method = "GET", .target = "/tunnel", .upgrade = "echo" };
        struct seen seen = { 0 };

        assert_int_equal(http_client_request(client, &request, &events, &seen, &seen.x), 0);
        for (int i = 0; i < 1000 && !seen.status; i++)
                turn();
        assert_int_equal(seen.status, version == HTTP_VERSION_1 ? 101 : 200);
        assert_string_equal(seen.tunnel, "yes");
        assert_int_equal(http_send(seen.x, "ping", 4), 0);
        while (seen.size < 4)
                turn();
        assert_memory_equal(seen.body, "ping", 4);
        assert_int_equal(http_end(seen.x, NULL, 0), 0);
        run_until(&seen.closed);
        assert_true(seen.ended);
        assert_int_equal(seen.error, 0);
        assert_string_equal(seen.body, "pingbye");
}

static void open_tunnel(struct seen *seen) {
        struct http_client_request request = { .method = "POST", .target = "/may", .upgrade = "x" };

        *seen = (struct seen){ .pause_at_head = seen->pause_at_head };
        assert_int_equal(http_client_request(client, &request, &events, seen, &seen->x), 0);
        for (int i = 0; i < 1000 && !seen->status; i++)
                turn();
        assert_int_equal(seen->status, version == HTTP_VERSION_1 ? 101 : 200);
        assert_non_null(held);
}

#define TUNNELLED ((size_t)8 << 20)

/* Much, in ranges, while the other side does not take it, and at once the end: all of it arrives before that. */
static void send_much(struct http_exchange *x) {
        static uint8_t block[1 << 20];
        const struct iovec ranges[] = { { block, 3 }, { block + 3, 0 }, { block + 3, sizeof(block) - 3 } };

        for (size_t i = 0; i < TUNNELLED / sizeof(block); i++)
                assert_int_equal(http_send_ranges(x, ranges, 3), 0);
        assert_true(http_pending(x) > 0);
        assert_int_equal(http_end(x, NULL, 0), 0);
        assert_int_equal(http_send_ranges(x, ranges, 1), -EPIPE);
}

static void test_tunnel_whose_server_ends_first(void **state) {
        struct seen seen = { .pause_at_head = true };

        open_tunnel(&seen);
        send_much(held);
        for (int i = 0; i < 50; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        assert_true(!seen.ended && seen.size < TUNNELLED);
        /* nobody waits for this to move, but its owner */
        assert_int_equal(held->connection->output_since, 0);
        http_resume(seen.x);
        run_until(&seen.ended);
        assert_int_equal(seen.size, TUNNELLED);
        assert_non_null(held); /* it ended its own side only */
        assert_int_equal(http_send(seen.x, "later", 5), 0);
        while (held_size < 5)
                turn();
        assert_false(held_ended || seen.closed);
        assert_int_equal(http_end(seen.x, NULL, 0), 0);
        run_until(&seen.closed);
        for (int i = 0; i < 100 && held; i++)
                turn();
        assert_true(held_ended);
        assert_int_equal(held_closed, 1);
        assert_int_equal(seen.error, 0);
}

static void test_tunnel_whose_client_ends_first(void **state) {
        struct seen seen = { .pause_at_head = true };

        open_tunnel(&seen);
        http_pause(held);
        send_much(seen.x);
        http_resume(held);
        run_until(&held_ended);
        assert_int_equal(held_size, TUNNELLED);
        assert_false(seen.closed);
        send_much(held);
        http_resume(seen.x);
        run_until(&seen.closed);
        assert_int_equal(seen.error, 0);
        assert_true(seen.ended);
        assert_int_equal(seen.size, TUNNELLED);
        for (int i = 0; i < 100 && held; i++)
                turn();
        assert_int_equal(held_closed, 1);
}

static void test_tunnel_that_is_reset(void **state) {
        struct seen seen = { 0 };

        open_tunnel(&seen);
        assert_int_equal(http_end(held, NULL, 0), 0);
        run_until(&seen.ended);
        http_reset(seen.x, -ECANCELED);
        for (int i = 0; i < 1000 && held; i++)
                turn();
        assert_true(held_closed < 0 || version == HTTP_VERSION_1); /* there a close is an end */
}

/* A route that may: a plain request, and one whose body leaves no place for a tunnel. */
static void test_upgrade_or_not(void **state) {
        struct http_client_request request = {
                .method = "POST", .target = "/may", .upgrade = "x", .length = 4, .flags = HTTP_REQUEST_BODY
        };
        struct seen seen = { 0 };

        assert_string_equal(ask("POST", "/may", NULL, 0).body, "plain");
        assert_string_equal(ask("POST", "/may", "body", 4).body, "plain");
        assert_int_equal(ask("GET", "/may", NULL, 0).status, 405);
        if (version == HTTP_VERSION_2) /* CONNECT has no body */
                return;
        assert_int_equal(http_client_request(client, &request, &events, &seen, &seen.x), 0);
        assert_int_equal(http_send(seen.x, "body", 4), 0);
        assert_int_equal(http_end(seen.x, NULL, 0), 0);
        run_until(&seen.closed);
        assert_string_equal(seen.body, "plain");
}

/* Connections are kept: one for all in HTTP/2, for HTTP/1.1 as many as are needed at a time. */
static void test_many_at_a_time(void **state) {
        static struct seen seen[100];

        memset(seen, 0, sizeof(seen));
        for (size_t i = 0; i < ELEMENTS(seen); i++)
                begin("/hello/many", &seen[i]);
        for (size_t i = 0; i < ELEMENTS(seen); i++) {
                run_until(&seen[i].closed);
                assert_int_equal(seen[i].error, 0);
                assert_string_equal(seen[i].body, "GET many -");
        }
        assert_true(http_server_connections(server) <= (version == HTTP_VERSION_2 ? 1 : HTTP_CLIENT_CONNECTIONS_MAX));
        for (int i = 0; i < 20; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        assert_true(http_server_connections(server) <= (version == HTTP_VERSION_2 ? 1 : HTTP_CLIENT_IDLE_MAX));
}

static int set_up_few_streams(void **state) {
        int r;

        streams = 4;
        r = set_up(state);
        streams = 0;
        return r;
}

/* What a server does not take on one connection goes on another, and waits for nothing that may never end. */
static void test_more_than_the_server_takes(void **state) {
        static struct seen kept[9];

        memset(kept, 0, sizeof(kept));
        assert_string_equal(ask("GET", "/hello/first", NULL, 0).body, "GET first -");
        for (size_t i = 0; i < ELEMENTS(kept); i++)
                begin("/hold", &kept[i]);
        assert_string_equal(ask("GET", "/hello/last", NULL, 0).body, "GET last -");
        assert_int_equal(http_server_connections(server), 3);
        for (size_t i = 0; i < ELEMENTS(kept); i++)
                assert_false(kept[i].closed);
}

static void test_bad_requests_are_not_sent(void **state) {
        static const struct http_field split = { "x", "a\r\nhost: b" }, blank = { "x", " a" }, name = { "x y", "a" };
        static const struct http_client_request requests[] = {
                { .method = "GET", .target = "/a b" },
                { .method = "GET", .target = "" },
                { .method = "GET\r\n", .target = "/" },
                { .method = "GET", .target = "/", .fields = &split, .n_fields = 1 },
                { .method = "GET", .target = "/", .fields = &blank, .n_fields = 1 },
                { .method = "GET", .target = "/", .fields = &name, .n_fields = 1 },
                { .method = "GET", .target = "/", .authority = "a b" },
        };
        struct http_exchange *x = NULL;

        for (size_t i = 0; i < ELEMENTS(requests); i++)
                assert_int_equal(http_client_request(client, &requests[i], &events, NULL, &x), -EINVAL);
        assert_null(x);
}

static void test_server_ends_with_requests_held(void **state) {
        struct seen seen = { 0 };

        begin("/hold", &seen);
        wait_for_held();
        http_server_drain(server, NULL, NULL);
        assert_non_null(held);
        assert_int_equal(http_reply(held, 200, NULL, "last", 4), 0);
        run_until(&seen.closed);
        assert_int_equal(seen.error, 0);
        assert_string_equal(seen.body, "last");
        for (int i = 0; i < 50 && http_server_connections(server) > 0; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        assert_int_equal(http_server_connections(server), 0);
        begin("/hold", &seen);
        run_until(&seen.closed);
        assert_int_equal(seen.error, -ECONNREFUSED);
}

static int connect_to(int port) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                       .sin_port = htons((uint16_t)port) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

/* Connections that end in the turn in which a new one comes take none of its room. */
static void test_room_of_those_that_go(void **state) {
        static const char text[] = "GET /hello/x HTTP/1.1\r\nHost: x\r\n\r\n";
        struct http_server_config config = { .routes = routes, .n_routes = ELEMENTS(routes), .connections_max = 2 };
        struct http_server *small;
        char answer[16] = "";
        int fd, port, fds[3];

        assert_int_equal(http_server_new(&loop, &config, &small, NULL), 0);
        assert_int_equal(listener_tcp("127.0.0.1:0", &fd, NULL), 0);
        port = listener_port(fd);
        assert_int_equal(http_server_listen(small, fd), 0);
        for (int round = 0; round < 3; round++) {
                for (int i = 0; i < 2; i++)
                        fds[i] = connect_to(port);
                for (int i = 0; i < 100 && http_server_connections(small) < 2; i++)
                        uv_run(&loop, UV_RUN_NOWAIT);
                assert_int_equal(http_server_connections(small), 2);
                for (int i = 0; i < 5; i++) /* until the kernel has forgotten that the listener was ready */
                        uv_run(&loop, UV_RUN_NOWAIT);
                close(fds[0]);
                close(fds[1]);
                fds[2] = connect_to(port);
                assert_int_equal(send(fds[2], text, sizeof(text) - 1, MSG_NOSIGNAL), sizeof(text) - 1);
                for (int i = 0; i < 100 && recv(fds[2], answer, sizeof(answer) - 1, MSG_DONTWAIT) <= 0; i++)
                        uv_run(&loop, UV_RUN_NOWAIT);
                assert_memory_equal(answer, "HTTP/1.1 200 OK", 15);
                close(fds[2]);
                for (int i = 0; i < 100 && http_server_connections(small) > 0; i++)
                        uv_run(&loop, UV_RUN_NOWAIT);
                memset(answer, 0, sizeof(answer));
        }
        http_server_free(small, NULL, NULL);
}

static void test_routes_are_checked(void **state) {
        static const struct http_route bad[] = { { "GET", "no/slash", handle_hello, 0 },
                                                 { "GET", "/{a...}/b", handle_hello, 0 } };
        struct http_server *none = NULL;

        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                struct http_server_config config = { .routes = &bad[i], .n_routes = 1 };

                assert_int_equal(http_server_new(&loop, &config, &none, NULL), -EINVAL);
        }
        assert_null(none);
}

#define BOTH(test)                                                                                                     \
        { #test " (HTTP/1.1)", test, set_up, tear_down, NULL }, {                                                      \
#test " (HTTP/2)", test, set_up, tear_down, &loop                                                      \
        }

int main(void) {
        const struct CMUnitTest tests[] = {
                BOTH(test_requests),
                BOTH(test_refusals),
                BOTH(test_stream_with_trailers),
                BOTH(test_large_bodies),
                BOTH(test_pieces_in_order),
                BOTH(test_given_up_in_the_middle),
                BOTH(test_chunks_upwards),
                BOTH(test_client_goes),
                BOTH(test_server_gives_up),
                BOTH(test_back_pressure),
                BOTH(test_tunnel),
                BOTH(test_tunnel_whose_server_ends_first),
                BOTH(test_tunnel_whose_client_ends_first),
                BOTH(test_tunnel_that_is_reset),
                BOTH(test_upgrade_or_not),
                BOTH(test_many_at_a_time),
                { "test_more_than_the_server_takes", test_more_than_the_server_takes, set_up_few_streams, tear_down,
                  &loop },
                BOTH(test_bad_requests_are_not_sent),
                BOTH(test_server_ends_with_requests_held),
                BOTH(test_room_of_those_that_go),
                BOTH(test_routes_are_checked),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
