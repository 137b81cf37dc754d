/* Answers that take long: what of an exchange is left meanwhile, and what several of a connection send together. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/http/client.h"
#include "lib/http/internal.h"
#include "lib/http/server.h"
#include "lib/transport/address.h"
#include "lib/transport/listener.h"

#define STREAMS 3

static uv_loop_t loop;
static struct http_server *server;
static struct http_client *client, *others[HTTP_HELD_MAX];
static struct http_client_config to;
static struct sockaddr_storage address;

/* The server's exchanges, in the order in which they came, and what the client has got of each. */
static struct http_exchange *served[STREAMS + HTTP_HELD_MAX];
static unsigned n_served, n_closed, n_drained;

struct seen {
        char body[64];
        size_t size;
        bool ended;
};

static struct seen seen[STREAMS];

static void on_served_closed(struct http_exchange *x, int error, const char *why) {
        n_closed += error == 0;
}

static void on_drained(struct http_exchange *x) {
        n_drained++;
}

static void handle(struct http_exchange *x, void *data) {
        static const struct http_events events = { .closed = on_served_closed, .drained = on_drained };

        http_set_events(x, &events, NULL);
        assert_int_equal(http_respond(x, 200, NULL, 0, -1), 0);
        http_forget_head(x);
        served[n_served++] = x;
}

static void on_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct seen *s = http_data(x);

        for (size_t i = 0; i < n && s->size + i + 1 < sizeof(s->body); i++)
                s->body[s->size + i] = (char)bytes[i];
        s->size += n;
}

static void on_end(struct http_exchange *x, const struct http_fields *trailers) {
        ((struct seen *)http_data(x))->ended = true;
}

static void turn_until(size_t size) {
        for (int i = 0; i < 1000; i++) {
                unsigned n = 0;

                for (unsigned s = 0; s < STREAMS; s++)
                        n += seen[s].size >= size;
                if (n == STREAMS)
                        return;
                uv_run(&loop, UV_RUN_ONCE);
        }
        fail();
}

static int set_up(void **state) {
        static const struct http_route routes[] = { { "GET", "/", handle, 0 } };
        static const struct http_events events = { .data = on_data, .end = on_end };
        struct http_server_config config = { .routes = routes, .n_routes = ELEMENTS(routes) };
        struct http_client_request request = { .method = "GET", .target = "/" };
        struct http_exchange *x;
        char text[64];
        int fd;

        to = (struct http_client_config){ .authority = "test", .version = HTTP_VERSION_2 };
        n_served = n_closed = n_drained = 0;
        memset(seen, 0, sizeof(seen));
        uv_loop_init(&loop);
        assert_int_equal(http_server_new(&loop, &config, &server, NULL), 0);
        assert_int_equal(listener_tcp("127.0.0.1:0", &fd, NULL), 0);
        snprintf(text, sizeof(text), "127.0.0.1:%d", listener_port(fd));
        assert_int_equal(http_server_listen(server, fd), 0);
        assert_int_equal(address_parse(text, &address, &to.n_address, NULL), 0);
        to.address = (const struct sockaddr *)&address;
        assert_int_equal(http_client_new(&loop, &to, &client), 0);
        for (unsigned i = 0; i < STREAMS; i++)
                assert_int_equal(http_client_request(client, &request, &events, &seen[i], &x), 0);
        for (int i = 0; i < 1000 && n_served < STREAMS; i++)
                uv_run(&loop, UV_RUN_ONCE);
        assert_int_equal(n_served, STREAMS);
        return 0;
}

static int tear_down(void **state) {
        http_client_free(client);
        http_server_free(server, NULL, NULL);
        uv_run(&loop, UV_RUN_DEFAULT);
        return uv_loop_close(&loop);
}

#define DATA_SEGS_OUT 156 /* tcpi_data_segs_out, which glibc's struct tcp_info is too short for */

/* Pieces that the server's socket has sent. */
static unsigned segments_of(struct http_exchange *x) {
        uint8_t info[256];
        socklen_t size = sizeof(info);
        uint32_t n;

        assert_int_equal(getsockopt(transport_fd(http_transport(x)), IPPROTO_TCP, TCP_INFO, info, &size), 0);
        assert_true(size >= DATA_SEGS_OUT + sizeof(n));
        memcpy(&n, info + DATA_SEGS_OUT, sizeof(n));
        return n;
}

static unsigned segments(void) {
        return segments_of(served[0]);
}

static void send_all(const char *text) {
        for (unsigned i = 0; i < STREAMS; i++)
                assert_int_equal(http_send(served[i], text, strlen(text)), 0);
}

/* Thousands wait at a time. */
static void test_little_is_left(void **state) {
        assert_true(sizeof(struct http_exchange) <= 248);
        for (unsigned i = 0; i < STREAMS; i++) {
                assert_null(served[i]->head);
                assert_null(served[i]->arena);
                assert_false(served[i]->sends); /* nor has its stream a frame to make */
        }
}

static void test_what_is_left_sends(void **state) {
        send_all("one ");
        turn_until(4);
        send_all("two ");
        send_all("three");
        turn_until(13);
        for (unsigned i = 0; i < STREAMS; i++) {
                assert_string_equal(seen[i].body, "one two three");
                assert_false(seen[i].ended);
                assert_int_equal(http_end(served[i], NULL, 0), 0);
        }
        for (int i = 0; i < 1000 && n_closed < STREAMS; i++)
                uv_run(&loop, UV_RUN_ONCE);
        assert_int_equal(n_closed, STREAMS);
        for (unsigned i = 0; i < STREAMS; i++)
                assert_true(seen[i].ended);
}

static void test_what_is_held_goes_together(void **state) {
        unsigned before = segments();
        struct http_hub *hub;

        send_all("each");
        assert_int_equal(segments(), before + STREAMS);
        turn_until(4);
        before = segments();
        hub = http_hold(served[0]);
        assert_ptr_equal(http_hold(served[1]), hub);
        send_all("held");
        send_all(" too");
        http_release(hub);
        assert_int_equal(segments(), before);
        http_release(hub);
        assert_int_equal(segments(), before + 1);
        turn_until(12);
        for (unsigned i = 0; i < STREAMS; i++)
                assert_string_equal(seen[i].body, "eachheld too");
}

static void test_what_is_held_may_be_pushed(void **state) {
        struct http_hub *hub = http_hold(served[0]);
        unsigned before = segments();

        send_all("more");
        http_push(served[1]);
        assert_int_equal(segments(), before + 1);
        assert_int_equal(http_pending(served[0]), 0);
        http_release(hub);
        assert_int_equal(segments(), before + 1);
        turn_until(4);
}

/* Who was told of bytes that wait hears when they do no more, also where that was before the release. */
static void test_who_waits_is_told(void **state) {
        struct http_hub *hub = http_hold(served[0]);

        send_all("more");
        assert_true(http_pending(served[0]) > 0);
        http_again(served[0]);
        http_push(served[0]);
        http_release(hub);
        assert_int_equal(n_drained, 0);
        turn_until(4);
        uv_run(&loop, UV_RUN_NOWAIT);
        assert_int_equal(n_drained, 1);
}

/* Of many connections those that are held longest go. */
static void test_so_many_are_held(void **state) {
        static const struct http_events none = { 0 };
        struct http_client_request request = { .method = "GET", .target = "/" };
        unsigned first, second;
        struct http_exchange *x;
        struct http_hub *hub;

        for (unsigned i = 0; i < HTTP_HELD_MAX; i++) {
                assert_int_equal(http_client_new(&loop, &to, &others[i]), 0);
                assert_int_equal(http_client_request(others[i], &request, &none, NULL, &x), 0);
        }
        for (int i = 0; i < 1000 && n_served < STREAMS + HTTP_HELD_MAX; i++)
                uv_run(&loop, UV_RUN_ONCE);
        first = segments();
        second = segments_of(served[STREAMS]);
        hub = http_hold(served[0]);
        for (unsigned i = STREAMS - 1; i < STREAMS + HTTP_HELD_MAX; i++) {
                assert_int_equal(segments(), first);
                assert_int_equal(http_send(served[i], "much", 4), 0);
        }
        assert_int_equal(segments(), first + 1);
        assert_int_equal(segments_of(served[STREAMS]), second);
        http_release(hub);
        assert_int_equal(segments_of(served[STREAMS]), second + 1);
        for (unsigned i = 0; i < HTTP_HELD_MAX; i++)
                http_client_free(others[i]);
}

/* An exchange, or its connection, that goes meanwhile. */
static void test_what_is_held_may_go(void **state) {
        static const struct http_events deaf = { 0 };
        struct http_hub *hub;

        for (unsigned i = 0; i < STREAMS; i++)
                http_set_events(served[i], &deaf, NULL);
        hub = http_hold(served[0]);
        send_all("lost");
        http_reset(served[0], -ECANCELED);
        http_release(hub);
        hub = http_hold(served[1]);
        assert_int_equal(http_send(served[1], "lost", 4), 0);
        connection_close(served[1]->connection, -ECANCELED, NULL);
        http_release(hub);
        for (int i = 0; i < 10; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_little_is_left),
                TEST(test_what_is_left_sends),
                TEST(test_what_is_held_goes_together),
                TEST(test_what_is_held_may_be_pushed),
                TEST(test_who_waits_is_told),
                TEST(test_what_is_held_may_go),
                TEST(test_so_many_are_held),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
