#include "lib/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#define POSTERS 4
#define POSTS 5000
#define ROOM 64

static uv_loop_t loop;
static struct mailbox *mailbox;
static unsigned next[POSTERS], refused[POSTERS], ran;

/* @data says who posted, and its how manyth it is. */
static void check_order(void *data) {
        uintptr_t number = (uintptr_t)data;

        assert_int_equal(number % POSTS, next[number / POSTS]++);
        ran++;
}

static void *post_many(void *data) {
        uintptr_t who = (uintptr_t)data;

        for (uintptr_t i = 0; i < POSTS;) {
                int r = mailbox_post(mailbox, check_order, (void *)(who * POSTS + i));

                if (r == 0)
                        i++;
                else
                        refused[who]++;
        }
        return NULL;
}

static void test_threads_post_in_their_order(void **state) {
        pthread_t threads[POSTERS];

        for (uintptr_t i = 0; i < POSTERS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, post_many, (void *)i), 0);
        while (ran < POSTERS * POSTS)
                uv_run(&loop, UV_RUN_ONCE);
        for (unsigned i = 0; i < POSTERS; i++) {
                pthread_join(threads[i], NULL);
                assert_int_equal(next[i], POSTS);
        }
}

static void count(void *data) {
        ++*(unsigned *)data;
}

/* A letter that writes one more finds room: those that are being delivered do not count. */
static void write_another(void *data) {
        assert_int_equal(mailbox_post(mailbox, count, data), 0);
}

static void test_a_full_one_refuses(void **state) {
        unsigned n = 0;

        for (unsigned i = 0; i < ROOM; i++)
                assert_int_equal(mailbox_post(mailbox, i ? count : write_another, &n), 0);
        assert_int_equal(mailbox_post(mailbox, count, &n), -EAGAIN);
        uv_run(&loop, UV_RUN_ONCE);
        while (n < ROOM)
                uv_run(&loop, UV_RUN_NOWAIT);
        assert_int_equal(n, ROOM);
}

static void test_what_waits_is_run_at_the_end(void **state) {
        unsigned n = 0;

        assert_int_equal(mailbox_post(mailbox, count, &n), 0);
        mailbox_close(mailbox);
        assert_int_equal(n, 1);
        assert_int_equal(mailbox_post(mailbox, count, &n), -EPIPE);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(n, 1);
        mailbox_free(mailbox);
        mailbox_free(NULL);
}

static int set_up(void **state) {
        uv_loop_init(&loop);
        return mailbox_new(&loop, ROOM, &mailbox);
}

static int tear_down(void **state) {
        return uv_loop_close(&loop);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_threads_post_in_their_order),
                cmocka_unit_test(test_a_full_one_refuses),
                cmocka_unit_test(test_what_waits_is_run_at_the_end),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
