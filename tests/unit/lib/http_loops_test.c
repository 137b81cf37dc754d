#include "lib/http/loops.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>

#include "lib/cleanup.h"
#include "lib/transport/listener.h"

#define LOOPS 2
#define CONNECTIONS 64

/* Each loop's own, as an API server has. */
struct room {
        unsigned index;
        pthread_t thread;
        unsigned served;
        bool gone;
};

static struct http_loops *loops;
static struct room rooms[LOOPS];
static pthread_barrier_t both;
static struct http_exchange *_Atomic held;
static int port;

static int start(void *data, unsigned i, uv_loop_t *loop, void **ret_data) {
        assert_string_equal(data, "config");
        rooms[i] = (struct room){ .index = i };
        *ret_data = &rooms[i];
        return 0;
}

static void stop(void *data) {
        ((struct room *)data)->gone = true;
}

static void reply_index(struct http_exchange *x) {
        char text[8];

        snprintf(text, sizeof(text), "%u", http_loop(x));
        assert_int_equal(http_reply(x, 200, "text/plain", text, strlen(text)), 0);
}

static void handle_index(struct http_exchange *x, void *data) {
        struct room *room = data;

        assert_int_equal(room->index, http_loop(x));
        assert_true(room->served++ == 0 || pthread_equal(room->thread, pthread_self()));
        room->thread = pthread_self();
        reply_index(x);
}

/* Two requests that wait for each other: were they served one after the other, neither would be answered. */
static void handle_together(struct http_exchange *x, void *data) {
        pthread_barrier_wait(&both);
        reply_index(x);
}

static void handle_hold(struct http_exchange *x, void *data) {
        held = x;
}

static const struct http_route routes[] = {
        { "GET", "/index", handle_index, 0 },
        { "GET", "/together", handle_together, 0 },
        { "GET", "/hold", handle_hold, 0 },
};

static int set_up(void **state) {
        const struct http_loops_config config = {
                .server = { .routes = routes, .n_routes = 3, .data = (void *)(uintptr_t) "config" },
                .n_loops = LOOPS,
                .start = start,
                .stop = stop,
        };
        int fd;

        held = NULL;
        pthread_barrier_init(&both, NULL, LOOPS);
        assert_int_equal(http_loops_new(&config, &loops, NULL), 0);
        assert_int_equal(listener_tcp("127.0.0.1:0", &fd, NULL), 0);
        port = listener_port(fd);
        assert_int_equal(http_loops_listen(loops, fd), 0);
        return http_loops_start(loops);
}

static int tear_down(void **state) {
        http_loops_free(loops);
        for (unsigned i = 0; i < LOOPS; i++)
                assert_true(rooms[i].gone);
        return 0;
}

static int dial(void) {
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
        return fd;
}

static void ask(int fd, const char *target) {
        char text[128];
        int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);

        assert_int_equal(write(fd, text, (size_t)n), n);
}

/* The body, which is one byte; '\0' when the connection has ended. */
static char answer(int fd) {
        char text[1024];
        ssize_t n = read(fd, text, sizeof(text) - 1);

        if (n <= 0)
                return '\0';
        text[n] = '\0';
        assert_non_null(strstr(text, " 200 OK"));
        return text[n - 1];
}

static void test_two_loops_serve_at_once(void **state) {
        int a = dial(), b = dial();
        char first, second;

        ask(a, "/together");
        ask(b, "/together");
        first = answer(a);
        second = answer(b);
        assert_true((first == '0' && second == '1') || (first == '1' && second == '0'));
        close(a);
        close(b);
}

static void test_connections_are_spread_evenly(void **state) {
        int fds[CONNECTIONS];
        unsigned on[LOOPS] = { 0 };

        for (unsigned i = 0; i < CONNECTIONS; i++)
                fds[i] = dial();
        for (unsigned i = 0; i < CONNECTIONS; i++) {
                ask(fds[i], "/index");
                on[answer(fds[i]) - '0']++;
        }
        for (unsigned i = 0; i < LOOPS; i++) {
                assert_int_equal(on[i], CONNECTIONS / LOOPS);
                assert_int_equal(http_loops_connections(loops, i), CONNECTIONS / LOOPS);
        }
        for (unsigned i = 0; i < CONNECTIONS; i++)
                close(fds[i]);
}

static void wait_for_held(void) {
        while (!held)
                usleep(1000);
}

static void answer_held(void *data) {
        reply_index(held);
}

static void on_drained(void *data) {
        sem_post(data);
}

/* An answer that comes from another thread is posted; a drain waits for it, and takes nobody else. */
static void test_drain_waits_for_answers(void **state) {
        int fd = dial(), idle = dial(), value = 0;
        sem_t drained;

        sem_init(&drained, 0, 0);
        ask(idle, "/index");
        assert_int_not_equal(answer(idle), '\0');
        ask(fd, "/hold");
        wait_for_held();
        http_loops_drain(loops, on_drained, &drained);
        assert_int_equal(answer(idle), '\0');
        sem_getvalue(&drained, &value);
        assert_int_equal(value, 0);
        assert_int_equal(http_loops_post(loops, http_loop(held), answer_held, NULL), 0);
        assert_int_not_equal(answer(fd), '\0');
        close(fd);
        sem_wait(&drained);
        sem_destroy(&drained);
        close(idle);
}

struct hold {
        sem_t begun, end;
};

static void block(void *data) {
        struct hold *hold = data;

        sem_post(&hold->begun);
        sem_wait(&hold->end);
}

static void count(void *data) {
        ++*(unsigned *)data;
}

static void test_posts_are_bounded(void **state) {
        unsigned n = 0;
        struct hold hold;

        sem_init(&hold.begun, 0, 0);
        sem_init(&hold.end, 0, 0);
        assert_int_equal(http_loops_post(loops, 1, block, &hold), 0);
        sem_wait(&hold.begun); /* what is posted from now on waits */
        while (http_loops_post(loops, 1, count, &n) == 0)
                ;
        assert_int_equal(http_loops_post(loops, 1, count, &n), -EAGAIN);
        assert_int_equal(http_loops_post(loops, 0, block, &hold), 0); /* another's mailbox has room */
        sem_post(&hold.end);
        sem_post(&hold.end);
        http_loops_free(TAKE_PTR(loops));
        assert_int_equal(n, HTTP_POSTS_MAX);
        sem_destroy(&hold.begun);
        sem_destroy(&hold.end);
}

/* Free closes what is under way. */
static void test_free_with_requests_held(void **state) {
        int fd = dial();

        ask(fd, "/hold");
        wait_for_held();
        http_loops_free(TAKE_PTR(loops));
        assert_int_equal(answer(fd), '\0');
        close(fd);
}

static void test_what_cannot_be_made(void **state) {
        const struct http_loops_config many = { .n_loops = HTTP_LOOPS_MAX + 1 };
        const struct http_route bad = { "GET", "none", handle_hold, 0 };
        const struct http_loops_config wrong = { .server = { .routes = &bad, .n_routes = 1 }, .n_loops = 2 };
        struct http_loops *none = NULL;
        int fd;

        assert_int_equal(http_loops_new(&many, &none, NULL), -EINVAL);
        assert_int_equal(http_loops_new(&wrong, &none, NULL), -EINVAL);
        assert_null(none);
        assert_int_equal(http_loops_new(&(struct http_loops_config){ .n_loops = HTTP_LOOPS_MAX }, &none, NULL), 0);
        assert_int_equal(http_loops_count(none), HTTP_LOOPS_MAX);
        assert_int_equal(listener_tcp("127.0.0.1:0", &fd, NULL), 0);
        assert_int_equal(http_loops_listen(none, fd), 0);
        http_loops_free(none); /* never started */
        http_loops_free(NULL);
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                LIVE(test_two_loops_serve_at_once), LIVE(test_connections_are_spread_evenly),
                LIVE(test_drain_waits_for_answers), LIVE(test_posts_are_bounded),
                LIVE(test_free_with_requests_held), cmocka_unit_test(test_what_cannot_be_made),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
