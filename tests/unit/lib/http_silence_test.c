/* Servers that fall silent: those that are there still answer a PING, those that have gone are given up. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/http/client.h"
#include "lib/http/server.h"
#include "lib/transport/address.h"
#include "lib/transport/listener.h"

#define SILENCE_MS 20
#define PING_MS 60

static uv_loop_t loop;
static struct http_client *client;
static bool closed;
static int ended_with;

static void on_closed(struct http_exchange *x, int error, const char *why) {
        closed = true;
        ended_with = error;
}

static const struct http_events events = { .closed = on_closed };

static void make_client(int listener, unsigned silence_ms) {
        struct http_client_config config = {
                .authority = "test", .version = HTTP_VERSION_2, .silence_ms = silence_ms, .ping_ms = PING_MS
        };
        struct sockaddr_storage address;
        char text[64];

        snprintf(text, sizeof(text), "127.0.0.1:%d", listener_port(listener));
        assert_int_equal(address_parse(text, &address, &config.n_address, NULL), 0);
        config.address = (const struct sockaddr *)&address;
        assert_int_equal(http_client_new(&loop, &config, &client), 0);
}

static struct http_exchange *begin(const char *target) {
        struct http_client_request request = { .method = "GET", .target = target };
        struct http_exchange *x;

        closed = false;
        uv_update_time(&loop); /* its timers begin now, not when the loop last looked at the clock */
        assert_int_equal(http_client_request(client, &request, &events, NULL, &x), 0);
        return x;
}

static void on_late(uv_timer_t *timer) {
        *(bool *)timer->data = true;
}

/* Runs the loop for @ms, or until the exchange has ended. */
static void run_for(uint64_t ms) {
        bool late = false;
        uv_timer_t timer;

        uv_timer_init(&loop, &timer);
        timer.data = &late;
        uv_timer_start(&timer, on_late, ms, 0);
        while (!late && !closed)
                uv_run(&loop, UV_RUN_ONCE);
        uv_close((uv_handle_t *)&timer, NULL);
        uv_run(&loop, UV_RUN_NOWAIT);
}

static int set_up(void **state) {
        client = NULL;
        return uv_loop_init(&loop);
}

static int tear_down(void **state) {
        http_client_free(client);
        uv_run(&loop, UV_RUN_DEFAULT);
        return uv_loop_close(&loop);
}

/* PING frames among those that @fd has got: a frame's head is its length in three bytes, its type, flags and stream. */
static unsigned count_pings(int fd) {
        uint8_t bytes[4096];
        ssize_t n = read(fd, bytes, sizeof(bytes));
        unsigned pings = 0;

        for (ssize_t i = 24; i + 9 <= n; i += 9 + (bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2]))
                pings += bytes[i + 3] == 6;
        return pings;
}

/* The kernel takes the connection, nobody else does: as it is behind a cable that was pulled. */
static void test_a_server_that_has_gone_is_given_up(void **state) {
        _cleanup_close_ int listener = -EBADF, peer = -EBADF;
        uint64_t started, took;

        assert_int_equal(listener_tcp("127.0.0.1:0", &listener, NULL), 0);
        make_client(listener, SILENCE_MS);
        started = uv_hrtime();
        begin("/");
        run_for(20000);
        took = (uv_hrtime() - started) / 1000000;
        assert_true(closed);
        assert_int_equal(ended_with, -ETIMEDOUT);
        assert_true(took + 1 >= SILENCE_MS + PING_MS); /* the loop's clock is in whole milliseconds */
        peer = accept(listener, NULL, NULL);
        assert_int_equal(count_pings(peer), 1);
}

static void test_who_wants_no_pings_sends_none(void **state) {
        _cleanup_close_ int listener = -EBADF, peer = -EBADF;
        struct http_exchange *x;

        assert_int_equal(listener_tcp("127.0.0.1:0", &listener, NULL), 0);
        make_client(listener, 0);
        x = begin("/");
        run_for(3 * (SILENCE_MS + PING_MS));
        assert_false(closed);
        peer = accept(listener, NULL, NULL);
        assert_int_equal(count_pings(peer), 0);
        http_reset(x, -ECANCELED);
}

static void handle_hold(struct http_exchange *x, void *data) {
        static const struct http_events none = { .head = NULL };

        http_set_events(x, &none, NULL);
}

static void handle_now(struct http_exchange *x, void *data) {
        assert_int_equal(http_reply(x, 200, "text/plain", "now", 3), 0);
}

static const struct http_route routes[] = { { "GET", "/hold", handle_hold, 0 }, { "GET", "/now", handle_now, 0 } };

static struct http_server *serve(void) {
        struct http_server_config config = { .routes = routes, .n_routes = ELEMENTS(routes) };
        struct http_server *server;
        int listener;

        assert_int_equal(http_server_new(&loop, &config, &server, NULL), 0);
        assert_int_equal(listener_tcp("127.0.0.1:0", &listener, NULL), 0);
        make_client(listener, SILENCE_MS);
        assert_int_equal(http_server_listen(server, listener), 0);
        return server;
}

static void test_a_server_with_nothing_to_say_is_waited_for(void **state) {
        struct http_server *server = serve();
        struct http_exchange *x = begin("/hold");

        run_for(5 * (SILENCE_MS + PING_MS));
        assert_false(closed);
        http_reset(x, -ECANCELED);
        run_for(1000);
        http_server_free(server, NULL, NULL);
}

/* With nothing under way the next who wakes is the one that closes what is not used. */
static void test_at_rest_nothing_is_sent(void **state) {
        struct http_server *server = serve();

        for (int i = 0; i < 2; i++) {
                begin("/now");
                run_for(20000);
                assert_int_equal(ended_with, 0);
                assert_true(uv_backend_timeout(&loop) > HTTP_CLIENT_IDLE_MS / 2);
        }
        http_server_free(server, NULL, NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_a_server_that_has_gone_is_given_up, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_who_wants_no_pings_sends_none, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_a_server_with_nothing_to_say_is_waited_for, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_at_rest_nothing_is_sent, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
