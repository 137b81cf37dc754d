#include "images/worker/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#define BYTES (2 * FEED_WINDOW + FEED_CHUNK + 77)

static uint8_t *bytes;

static int temporary(void) {
        char path[] = "/tmp/feed-test-XXXXXX";
        int fd = mkostemp(path, O_CLOEXEC);

        assert_true(fd >= 0);
        unlink(path);
        return fd;
}

static void assert_file(int fd, size_t n) {
        uint8_t *got = malloc(n + 1);

        assert_non_null(got);
        assert_int_equal(pread(fd, got, n + 1, 0), n);
        assert_memory_equal(got, bytes, n);
        free(got);
}

struct putter {
        struct feed *feed;
        size_t from, to, piece;
        int result;
};

static void *put_main(void *data) {
        struct putter *p = data;

        for (size_t at = p->from; at < p->to && p->result == 0; at += p->piece)
                p->result = feed_put(p->feed, bytes + at, p->to - at < p->piece ? p->to - at : p->piece);
        if (p->result == 0)
                p->result = feed_flush(p->feed);
        return NULL;
}

static void read_all(struct feed *feed, size_t size) {
        static uint8_t buffer[100000];
        const uint8_t *got;
        uint64_t at = 0;
        ssize_t n;

        while ((n = feed_get(feed, &(struct feed_wish){ at, 1, sizeof(buffer), buffer }, &got, NULL)) > 0) {
                assert_true((size_t)n <= sizeof(buffer));
                assert_memory_equal(got, bytes + at, n);
                at += (uint64_t)n;
                feed_release(feed, at);
        }
        assert_int_equal(n, 0);
        assert_int_equal(at, size);
}

/* What is in the file from an earlier pull, then what is put; lengths around chunks and the window. */
static void test_put(void **state) {
        static const struct {
                size_t there, size, piece;
        } cases[] = {
                { 0, 1, 1 },
                { 0, FEED_ALIGN, 1000 },
                { 0, FEED_CHUNK - 1, 60000 },
                { 0, FEED_CHUNK, FEED_CHUNK },
                { 0, FEED_CHUNK + 1, FEED_CHUNK + 1 },
                { 0, FEED_WINDOW, 77777 },
                { 0, BYTES, 65536 },
                { 0, BYTES, BYTES },
                { FEED_ALIGN, BYTES, 65536 },
                { FEED_CHUNK + FEED_ALIGN, BYTES, 12345 },
                { 4711, BYTES, 65536 }, /* no place for the file's direct writes */
                { FEED_WINDOW, FEED_WINDOW + 1, 1 },
                { BYTES, BYTES, 1 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct feed feed;
                struct putter p = {
                        .feed = &feed, .from = cases[i].there, .to = cases[i].size, .piece = cases[i].piece
                };
                _cleanup_close_ int fd = temporary();
                pthread_t thread;

                assert_int_equal(pwrite(fd, bytes, cases[i].there, 0), cases[i].there);
                feed_init(&feed, fd, 0, cases[i].size, cases[i].there);
                assert_int_equal(feed_complete(&feed), cases[i].there == cases[i].size);
                assert_int_equal(pthread_create(&thread, NULL, put_main, &p), 0);
                read_all(&feed, cases[i].size);
                pthread_join(thread, NULL);
                assert_int_equal(p.result, 0);
                assert_int_equal(feed_ready(&feed), cases[i].size);
                assert_true(feed_complete(&feed));
                feed_clear(&feed);
                assert_file(fd, cases[i].size);
        }
}

/* Bytes that another way brought to the file, behind others in it. */
static void test_advance(void **state) {
        _cleanup_close_ int fd = temporary();
        struct feed feed;

        assert_int_equal(pwrite(fd, "archive", 7, 0), 7);
        assert_int_equal(pwrite(fd, bytes, FEED_CHUNK, 7), FEED_CHUNK);
        feed_init(&feed, fd, 7, FEED_CHUNK, 10);
        feed_advance(&feed, FEED_CHUNK - 10);
        assert_true(feed_complete(&feed));
        read_all(&feed, FEED_CHUNK);
        assert_int_equal(feed_flush(&feed), 0);
        feed_clear(&feed);
}

/* What came before a cut is in the file for the next pull, and counts as not complete. */
static void test_cut(void **state) {
        _cleanup_close_ int fd = temporary();
        struct feed feed;

        feed_init(&feed, fd, 0, BYTES, 0);
        assert_int_equal(feed_put(&feed, bytes, 5000), 0);
        assert_int_equal(feed_flush(&feed), 0);
        assert_file(fd, 5000);
        assert_int_equal(feed_put(&feed, bytes + 5000, FEED_CHUNK), 0);
        feed_fail(&feed, ECONNRESET, "cut");
        assert_int_equal(feed_flush(&feed), 0);
        assert_false(feed_complete(&feed));
        feed_clear(&feed);
        assert_file(fd, FEED_CHUNK + 5000);
}

/* Fewer bytes than wanted are not given until the blob ends. */
static void test_min(void **state) {
        _cleanup_close_ int fd = temporary();
        const uint8_t *got;
        struct feed feed;
        struct putter p = { .feed = &feed, .to = 20, .piece = 1 };
        pthread_t thread;
        uint8_t buffer[64];

        feed_init(&feed, fd, 0, 20, 0);
        assert_int_equal(pthread_create(&thread, NULL, put_main, &p), 0);
        assert_in_range(feed_get(&feed, &(struct feed_wish){ 0, 16, sizeof(buffer), buffer }, &got, NULL), 16, 20);
        assert_memory_equal(got, bytes, 16);
        assert_int_equal(feed_get(&feed, &(struct feed_wish){ 10, 16, sizeof(buffer), buffer }, &got, NULL), 10);
        assert_int_equal(feed_get(&feed, &(struct feed_wish){ 20, 1, sizeof(buffer), buffer }, &got, NULL), 0);
        pthread_join(thread, NULL);
        feed_release(&feed, 20);
        feed_clear(&feed);
}

static void *fail_main(void *data) {
        struct timespec time = { .tv_nsec = 20000000 };

        nanosleep(&time, NULL);
        feed_fail(data, ECANCELED, "nobody reads");
        return NULL;
}

/* Who waits for room, or for bytes, hears of an error; the first one stays. */
static void test_failure(void **state) {
        _cleanup_err_ struct err *err = NULL;
        _cleanup_close_ int fd = temporary();
        const uint8_t *got;
        uint8_t buffer[64];
        struct feed feed;
        pthread_t thread;

        feed_init(&feed, fd, 0, BYTES, 0);
        assert_int_equal(pthread_create(&thread, NULL, fail_main, &feed), 0);
        assert_int_equal(feed_put(&feed, bytes, FEED_WINDOW + 1), -ECANCELED);
        pthread_join(thread, NULL);
        feed_fail(&feed, EIO, "later");
        assert_true(feed_failed(&feed));
        assert_int_equal(feed_get(&feed, &(struct feed_wish){ 0, 1, sizeof(buffer), buffer }, &got, &err), -ECANCELED);
        assert_string_equal(err_text(err), "nobody reads");
        assert_int_equal(feed_flush(&feed), 0);
        feed_clear(&feed);
        assert_file(fd, FEED_WINDOW);
}

/* A file that cannot be written to is said at once. */
static void test_no_room(void **state) {
        _cleanup_close_ int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
        struct feed feed;

        assert_true(fd >= 0);
        feed_init(&feed, fd, 0, BYTES, 0);
        assert_int_equal(feed_put(&feed, bytes, FEED_CHUNK - 1), 0);
        assert_int_equal(feed_put(&feed, bytes, 1), -ENOSPC);
        assert_int_equal(feed_flush(&feed), -ENOSPC);
        assert_false(feed_complete(&feed));
        feed_clear(&feed);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_put), cmocka_unit_test(test_advance), cmocka_unit_test(test_cut),
                cmocka_unit_test(test_min), cmocka_unit_test(test_failure), cmocka_unit_test(test_no_room),
        };
        uint32_t x = 1;
        int failed;

        bytes = malloc(BYTES);
        for (size_t i = 0; bytes && i < BYTES; i++)
                bytes[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
        failed = bytes ? cmocka_run_group_tests_name("images/worker/feed", tests, NULL, NULL) : 1;
        free(bytes);
        return failed;
}
