/* What client-go's queue_test.go, delaying_queue_test.go and default_rate_limiters_test.go promise. */
#include "lib/work.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MS (WORK_SECOND / 1000)
#define T0 (100 * WORK_SECOND)

static struct work_queue *new_queue(const struct work_options *options) {
        struct work_queue *queue = work_new(options);

        assert_non_null(queue);
        return queue;
}

static struct work_item *get(struct work_queue *queue, uint64_t now, const char *key) {
        struct work_item *item = work_get(queue, now);

        assert_non_null(item);
        assert_string_equal(work_key(item), key);
        return item;
}

static void test_once_while_queued(void **state) {
        struct work_queue *queue = new_queue(NULL);

        assert_int_equal(work_due(queue), WORK_NEVER);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(work_add(queue, "a"), 0);
                assert_int_equal(work_add(queue, "b"), 0);
        }
        assert_int_equal(work_ready(queue), 2);
        assert_int_equal(work_due(queue), 0);
        work_done(queue, get(queue, T0, "a"));
        assert_int_equal(work_counts(queue)->depth, 1);
        work_done(queue, get(queue, T0, "b"));
        assert_null(work_get(queue, T0));
        assert_int_equal(work_counts(queue)->adds, 2);
        assert_int_equal(work_counts(queue)->depth, 0);
        assert_int_equal(work_counts(queue)->retries, 0);
        work_add_after(queue, "a", T0, 1);
        assert_int_equal(work_counts(queue)->retries, 1);
        assert_int_equal(work_counts(queue)->adds, 2);
        work_done(queue, get(queue, T0 + 1, "a"));
        assert_int_equal(work_counts(queue)->adds, 3);
        work_free(queue);
}

/* Added while it is worked on: not handed out to a second worker, but again when the first is done, and once. */
static void test_again_after_done(void **state) {
        struct work_queue *queue = new_queue(NULL);
        struct work_item *item;

        work_add(queue, "a");
        item = get(queue, T0, "a");
        work_add(queue, "a");
        work_add(queue, "a");
        assert_null(work_get(queue, T0));
        assert_int_equal(work_due(queue), WORK_NEVER);
        assert_int_equal(work_active(queue), 1);
        work_done(queue, item);
        assert_int_equal(work_due(queue), 0);
        work_done(queue, get(queue, T0, "a"));
        assert_null(work_get(queue, T0));
        work_free(queue);
}

static void test_delays(void **state) {
        struct work_queue *queue = new_queue(NULL);

        work_add_after(queue, "late", T0, 50 * MS);
        work_add_after(queue, "soon", T0, 10 * MS);
        work_add_after(queue, "twin", T0, 10 * MS);
        work_add_after(queue, "late", T0, 70 * MS); /* the earlier time counts */
        work_add_after(queue, "twin", T0, 5 * MS);
        work_add_after(queue, "now", T0, 0);
        assert_int_equal(work_waiting(queue), 3);
        assert_int_equal(work_due(queue), 0);
        work_done(queue, get(queue, T0, "now"));
        assert_null(work_get(queue, T0));
        assert_int_equal(work_due(queue), T0 + 5 * MS);
        assert_null(work_get(queue, T0 + 5 * MS - 1));
        work_done(queue, get(queue, T0 + 60 * MS, "twin"));
        work_done(queue, get(queue, T0 + 60 * MS, "soon"));
        work_done(queue, get(queue, T0 + 60 * MS, "late"));
        assert_null(work_get(queue, T0 + 100 * MS));
        assert_int_equal(work_due(queue), WORK_NEVER);
        work_add_after(queue, "never", T0, WORK_NEVER);
        assert_null(work_get(queue, WORK_NEVER - 1));
        work_free(queue);
}

/* The time comes while the item is worked on. */
static void test_delay_while_active(void **state) {
        struct work_queue *queue = new_queue(NULL);
        struct work_item *item;

        work_add(queue, "a");
        item = get(queue, T0, "a");
        work_add_after(queue, "a", T0, MS);
        assert_null(work_get(queue, T0 + MS));
        assert_int_equal(work_waiting(queue), 0);
        work_done(queue, item);
        work_done(queue, get(queue, T0 + MS, "a"));
        work_free(queue);
}

static void test_backoff(void **state) {
        const struct work_options options = { .delay_first = MS, .delay_max = WORK_SECOND, .rate = 1e9 };
        static const unsigned delays[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 1000 };
        struct work_queue *queue = new_queue(&options);
        uint64_t now = T0;

        for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
                assert_int_equal(work_add_limited(queue, "a", now), 0);
                assert_int_equal(work_due(queue), now + delays[i] * MS);
                assert_int_equal(work_failures(queue, "a"), i + 1);
                now = work_due(queue);
                work_done(queue, get(queue, now, "a"));
        }
        work_add_limited(queue, "b", now);
        assert_int_equal(work_due(queue), now + MS);
        work_done(queue, get(queue, now + MS, "b"));
        work_forget(queue, "a");
        assert_int_equal(work_failures(queue, "a"), 0);
        work_add_limited(queue, "a", now);
        assert_int_equal(work_due(queue), now + MS);
        for (int i = 0; i < 200; i++) {
                work_add_limited(queue, "overflow", now);
                assert_true(work_due(queue) <= now + MS);
        }
        work_free(queue);
}

/* golang.org/x/time/rate: the tokens run out, and come back with time. */
static void test_bucket(void **state) {
        const struct work_options options = { .delay_first = 1, .delay_max = 1, .rate = 10, .burst = 3 };
        struct work_queue *queue = new_queue(&options);
        char key[16];

        for (int i = 0; i < 6; i++) {
                snprintf(key, sizeof(key), "%d", i);
                work_add_limited(queue, key, T0);
        }
        for (int i = 0; i < 3; i++) {
                snprintf(key, sizeof(key), "%d", i);
                work_done(queue, get(queue, T0 + 1, key));
        }
        assert_int_equal(work_due(queue), T0 + 100 * MS);
        work_done(queue, get(queue, T0 + 100 * MS, "3"));
        assert_int_equal(work_due(queue), T0 + 200 * MS);
        work_done(queue, get(queue, T0 + 200 * MS, "4"));
        work_done(queue, get(queue, T0 + 300 * MS, "5"));
        work_add_limited(queue, "6", T0 + 300 * MS); /* all was handed out ahead of time */
        assert_int_equal(work_due(queue), T0 + 400 * MS);
        work_done(queue, get(queue, T0 + 400 * MS, "6"));
        work_add_limited(queue, "7", T0 + 10 * WORK_SECOND);
        assert_int_equal(work_due(queue), T0 + 10 * WORK_SECOND + 1);
        work_free(queue);
}

static void test_retry(void **state) {
        struct work_queue *queue = new_queue(NULL);
        struct work_item *item;

        work_add(queue, "a");
        item = get(queue, T0, "a");
        work_retry(queue, item, T0);
        work_done(queue, item);
        assert_null(work_get(queue, T0));
        work_done(queue, get(queue, T0 + WORK_DELAY_FIRST, "a"));
        work_forget(queue, "a");
        work_free(queue);
}

static void test_shut_down(void **state) {
        struct work_queue *queue = new_queue(NULL);
        struct work_item *item;

        work_add(queue, "a");
        work_add(queue, "b");
        work_add_after(queue, "c", T0, MS);
        item = get(queue, T0, "a");
        work_add(queue, "a");
        work_shut_down(queue);
        assert_int_equal(work_add(queue, "d"), -ESHUTDOWN);
        assert_int_equal(work_add_after(queue, "d", T0, 1), -ESHUTDOWN);
        assert_int_equal(work_add_limited(queue, "a", T0), -ESHUTDOWN);
        assert_int_equal(work_waiting(queue), 0);
        work_done(queue, get(queue, T0 + WORK_SECOND, "b"));
        assert_false(work_drained(queue));
        work_done(queue, item); /* it was added before: handed out once more */
        assert_false(work_drained(queue));
        item = get(queue, T0, "a");
        assert_false(work_drained(queue));
        work_done(queue, item);
        assert_true(work_drained(queue));
        work_free(queue);
}

/* Many that wait, in any order and brought forward, come by their time. */
static void test_many_that_wait(void **state) {
        struct work_queue *queue = new_queue(NULL);
        uint64_t seed = 1, before = 0;
        struct work_item *item;
        char key[16];

        for (int i = 0; i < 20000; i++) {
                seed = seed * 6364136223846793005u + 1442695040888963407u;
                snprintf(key, sizeof(key), "%u", (unsigned)(seed >> 40) % 5000);
                assert_int_equal(work_add_after(queue, key, T0, 1 + (seed >> 33) % 1000000), 0);
        }
        for (uint64_t due; (due = work_due(queue)) != WORK_NEVER; before = due) {
                assert_true(due > before);
                assert_null(work_get(queue, due - 1));
                assert_non_null(item = work_get(queue, due));
                do
                        work_done(queue, item);
                while ((item = work_get(queue, due)));
        }
        assert_int_equal(work_waiting(queue), 0);
        work_free(queue);
}

static void test_bounds(void **state) {
        const struct work_options options = { .items_max = 2 };
        struct work_queue *queue = new_queue(&options);
        char key[WORK_KEY_MAX + 1];

        memset(key, 'k', sizeof(key));
        key[WORK_KEY_MAX - 1] = '\0';
        assert_int_equal(work_add(queue, key), 0);
        key[WORK_KEY_MAX - 1] = 'k';
        key[WORK_KEY_MAX] = '\0';
        assert_int_equal(work_add(queue, key), -E2BIG);
        assert_int_equal(work_add(queue, "a"), 0);
        assert_int_equal(work_add(queue, "b"), -ENOBUFS);
        assert_int_equal(work_add(queue, "a"), 0);
        work_done(queue, work_get(queue, T0)); /* nothing is kept of what is done */
        assert_int_equal(work_add(queue, "b"), 0);
        work_free(queue);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_once_while_queued),
                cmocka_unit_test(test_again_after_done),
                cmocka_unit_test(test_delays),
                cmocka_unit_test(test_delay_while_active),
                cmocka_unit_test(test_backoff),
                cmocka_unit_test(test_bucket),
                cmocka_unit_test(test_retry),
                cmocka_unit_test(test_shut_down),
                cmocka_unit_test(test_many_that_wait),
                cmocka_unit_test(test_bounds),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
