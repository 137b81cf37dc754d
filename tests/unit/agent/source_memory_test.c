/* The watched directory without memory: whichever allocation fails as a file is found, or changes, it is heard of a
 * little later. */
#include "agent/directory/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/log.h"
#include "tests/unit/support/memory.h"

#define TRIES_MAX 64
#define HEARD_SECONDS (3 * SOURCE_RETRY_SECONDS)

/* A directory and who hears of it; all at once, since each is heard of only after SOURCE_RETRY_SECONDS. */
struct ear {
        struct source *source;
        char dir[96];
        char last[32]; /* text of the file's last pod */
        bool looked, broken;
};

static char top[] = "/tmp/nacelle-source-memory-XXXXXX";
static struct ear ears[TRIES_MAX];
static struct pool *pool;
static uv_loop_t loop;

static int decode(const char *file, const char *text, size_t length, const void *data, struct pod **ret_pod,
                  struct err **err) {
        *ret_pod = (struct pod *)strdup(text);
        return *ret_pod ? 0 : err_set(err, ENOMEM, "out of memory");
}

static void on_pod(void *data, const char *file, struct pod *pod) {
        struct ear *ear = data;

        snprintf(ear->last, sizeof(ear->last), "%s", (const char *)pod);
        free(pod);
}

static void on_broken(void *data, const char *file, const char *text) {
        ((struct ear *)data)->broken = true;
}

static void on_name(void *data, const char *file) {
}

static void on_looked(void *data) {
        ((struct ear *)data)->looked = true;
}

static void discard(struct pod *pod) {
        free(pod);
}

static void put(const struct ear *ear, const char *text) {
        char path[128];

        snprintf(path, sizeof(path), "%s/pod.yaml", ear->dir);
        assert_int_equal(files_replace(path, text, strlen(text), 0644, NULL), 0);
}

static int start(struct ear *ear) {
        const struct source_events events = { .decode = decode,
                                              .pod = on_pod,
                                              .broken = on_broken,
                                              .unread = on_name,
                                              .gone = on_name,
                                              .looked = on_looked,
                                              .discard = discard,
                                              .data = ear };

        return source_new(&loop, pool, ear->dir, &events, &ear->source, NULL);
}

static void on_late(uv_timer_t *timer) {
        *(bool *)timer->data = true;
}

/* Runs the loop for @ms, or until @done says so. */
static void run(unsigned ms, bool (*done)(const struct ear *ear, const void *data), const struct ear *ear,
                const void *data) {
        bool late = false;
        uv_timer_t timer;

        uv_timer_init(&loop, &timer);
        timer.data = &late;
        uv_timer_start(&timer, on_late, ms, 0);
        while (!late && !(done && done(ear, data)))
                uv_run(&loop, UV_RUN_ONCE);
        uv_close((uv_handle_t *)&timer, NULL);
        uv_run(&loop, UV_RUN_NOWAIT);
}

static bool has_heard(const struct ear *ear, const void *text) {
        return strcmp(ear->last, text) == 0;
}

static bool all_have_heard(const struct ear *n_ears, const void *text) {
        for (const struct ear *ear = ears; ear < n_ears; ear++)
                if (!has_heard(ear, text))
                        return false;
        return true;
}

static void assert_all_heard(unsigned n, const char *text) {
        run(HEARD_SECONDS * 1000, all_have_heard, &ears[n], text);
        for (unsigned i = 0; i < n; i++) {
                if (!has_heard(&ears[i], text))
                        fail_msg("allocation %u: %s is not heard of, but \"%s\"", i, text, ears[i].last);
                assert_true(ears[i].looked);
                assert_false(ears[i].broken);
        }
}

/* Each ear's allocation of that number fails, until one has all that it asks for. Returns how many there are. */
static unsigned sweep(int (*begin)(struct ear *ear), const char *text, unsigned n_ears) {
        unsigned n = 0, asked;

        do {
                struct ear *ear = &ears[n];
                int r;

                assert_true(n < TRIES_MAX);
                memory_fail(n, 1);
                r = begin(ear);
                if (r == 0)
                        run(100, has_heard, ear, text);
                asked = memory_asked();
                memory_fail(0, 0);
                if (r != 0) {
                        assert_int_equal(r, -ENOMEM);
                        assert_int_equal(begin(ear), 0);
                }
                n++;
        } while (n_ears ? n < n_ears : asked >= n - 1);
        return n;
}

static int appear(struct ear *ear) {
        if (!*ear->dir) {
                snprintf(ear->dir, sizeof(ear->dir), "%s/%zu", top, ear - ears);
                assert_int_equal(mkdir(ear->dir, 0755), 0);
                put(ear, "first");
        }
        return start(ear);
}

static int change(struct ear *ear) {
        char path[128], temporary[128];
        FILE *f;

        snprintf(path, sizeof(path), "%s/pod.yaml", ear->dir);
        snprintf(temporary, sizeof(temporary), "%s/.new", ear->dir);
        if (!(f = fopen(temporary, "w"))) /* it allocates, too */
                f = fopen(temporary, "w");
        fputs("second", f);
        fclose(f);
        assert_int_equal(rename(temporary, path), 0);
        return 0;
}

static void test_each_allocation(void **state) {
        unsigned n;

        (void)state;
        if (!memory_can_fail())
                skip();
        assert_non_null(mkdtemp(top));
        log_init("test", LOG_LEVEL_ERROR);
        uv_loop_init(&loop);
        assert_int_equal(pool_new(&loop, &pool), 0);
        n = sweep(appear, "first", 0);
        assert_true(n > 10);
        assert_all_heard(n, "first");
        sweep(change, "second", n);
        assert_all_heard(n, "second");
        print_message("%u directories\n", n);
        for (unsigned i = 0; i < n; i++)
                source_free(ears[i].source);
        pool_free(pool);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
        assert_int_equal(files_remove_tree(top, NULL), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_allocation),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
