/* What every store does, in memory or on disk. */
#include "tests/unit/store/fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/bytes.h"
#include "lib/cleanup.h"

static const struct refusal {
        const char *key, *value;
        int64_t expected; /* relative to a's revision when above 0 */
        int code;
} refusals[] = {
        { "a", "x", STORE_ABSENT, -EEXIST },
        { "b", "x", 1, -ENOENT },
        { "b", NULL, STORE_ANY, -ENOENT },
        { "b", NULL, 1, -ENOENT },
        { "b", NULL, STORE_ABSENT, -ENOENT },
        { "a", "x", 2, -ESTALE },
        { "a", NULL, 2, -ESTALE },
        { "a", NULL, STORE_ABSENT, -ESTALE },
};

static void test_refusals(void **state) {
        struct store *store = ((struct fixture *)*state)->store;
        int64_t a = fixture_put(store, "a", "one", STORE_ABSENT);

        for (int lazy = 0; lazy < 2; lazy++)
                for (size_t i = 0; i < ELEMENTS(refusals); i++) {
                        const struct refusal *r = &refusals[i];
                        struct store_result result =
                                fixture_change(store, r->key, r->value,
                                               r->expected > 0 ? r->expected + a - 1 : r->expected, lazy, NULL);

                        if (result.code != r->code)
                                fail_msg("case %zu: %d, not %d", i, result.code, r->code);
                        assert_int_equal(result.revision, *r->key == 'a' ? a : 0);
                        assert_int_equal(store_revision(store), a);
                }
        fixture_expect(store, "a", "one", a);
}

static void test_changes(void **state) {
        struct fixture *f = *state;
        int64_t first = fixture_put(f->store, "a", "one", STORE_ABSENT),
                second = fixture_put(f->store, "a", "two", first);

        assert_int_equal(second, first + 1);
        assert_int_equal(fixture_put(f->store, "a", "three", STORE_ANY), first + 2);
        assert_int_equal(fixture_put(f->store, "b", "any", STORE_ANY), first + 3);
        fixture_expect(f->store, "a", "three", first + 2);
        assert_int_equal(fixture_put(f->store, "a", NULL, first + 2), first + 4);
        fixture_expect(f->store, "a", NULL, 0);
        assert_int_equal(fixture_put(f->store, "a", "", STORE_ABSENT), first + 5); /* an empty value is one */
        fixture_expect(f->store, "a", "", first + 5);
        assert_int_equal(fixture_put(f->store, "b", NULL, STORE_ANY), first + 6);
        assert_int_equal(store_revision(f->store), first + 6);
        if (f->backend == &store_memory)
                return;
        fixture_reopen(f);
        assert_int_equal(store_revision(f->store), first + 6);
        fixture_expect(f->store, "a", "", first + 5);
        fixture_expect(f->store, "b", NULL, 0);
}

/* The revision as eight digits at the value's end. */
static void write_revision(struct store_change *c, int64_t revision) {
        snprintf((char *)c->value->data + 2, 9, "%08lld", (long long)revision);
}

static void test_stamp(void **state) {
        struct store *store = ((struct fixture *)*state)->store;

        fixture_put(store, "before", "1", STORE_ABSENT);
        for (int lazy = 0; lazy < 2; lazy++) {
                struct waited w = {
                        .change = { .key = lazy ? "lazy" : "a", .stamp = write_revision, .done = fixture_on_done }
                };

                w.change.value = bytes_copy("v=--------", 11);
                w.change.value->size = 10;
                w.change.lazy = lazy;
                sem_init(&w.done, 0, 0);
                assert_int_equal(store_submit(store, &w.change), 0);
                sem_wait(&w.done);
                assert_int_equal(w.result.revision, 2 + lazy);
                fixture_expect(store, w.change.key, lazy ? "v=00000003" : "v=00000002", 2 + lazy);
                bytes_unref(w.change.value);
        }
}

static void test_bounds(void **state) {
        struct store *store = ((struct fixture *)*state)->store;
        char key[STORE_KEY_MAX + 1];
        struct store_change c = { .key = key, .done = fixture_on_done };
        struct bytes *large = bytes_new(STORE_VALUE_MAX + 1);

        memset(large->data, 'v', large->size);
        memset(key, 'k', sizeof(key));
        key[STORE_KEY_MAX] = '\0';
        assert_int_equal(store_submit(store, &c), -EINVAL);
        key[STORE_KEY_MAX - 1] = '\0';
        assert_true(fixture_put(store, key, "value", STORE_ABSENT) > 0);
        fixture_expect(store, key, "value", 0);
        c.key = "";
        assert_int_equal(store_submit(store, &c), -EINVAL);
        c.key = "large";
        c.value = large;
        assert_int_equal(store_submit(store, &c), -EINVAL);
        large->size = STORE_VALUE_MAX;
        {
                struct waited w = { .change = { .key = "large", .value = large, .done = fixture_on_done } };
                _cleanup_bytes_ struct bytes *back = NULL;
                int64_t revision;

                sem_init(&w.done, 0, 0);
                assert_int_equal(store_submit(store, &w.change), 0);
                sem_wait(&w.done);
                assert_int_equal(w.result.code, 0);
                assert_int_equal(store_get(store, "large", &back, &revision, NULL), 0);
                assert_int_equal(back->size, STORE_VALUE_MAX);
                assert_memory_equal(back->data, large->data, large->size);
        }
        bytes_unref(large);
}

struct seen {
        char keys[16][32];
        int n, stop_at;
};

static int see(void *data, const char *key, const void *value, size_t size, int64_t revision) {
        struct seen *seen = data;

        assert_true(revision > 0);
        assert_int_equal(size, strlen(key));
        assert_memory_equal(value, key, size);
        strcpy(seen->keys[seen->n++], key);
        return seen->n == seen->stop_at ? 7 : 0;
}

static void test_scan(void **state) {
        static const char *const keys[] = {
                "/pods/b/x", "/pods/a/y", "/pods/a/x", "/nodes/n", "/pods/a\xff", "/podsx"
        };
        struct store *store = ((struct fixture *)*state)->store;
        struct seen seen = { 0 };

        for (size_t i = 0; i < ELEMENTS(keys); i++)
                fixture_put(store, keys[i], keys[i], STORE_ABSENT);
        assert_int_equal(fixture_change(store, "/pods/a/z", "/pods/a/z", STORE_ABSENT, true, NULL).code, 0);
        assert_int_equal(store_scan(store, "/pods/a/", see, &seen, NULL), 0);
        assert_int_equal(seen.n, 3);
        assert_string_equal(seen.keys[0], "/pods/a/x");
        assert_string_equal(seen.keys[2], "/pods/a/z");
        seen = (struct seen){ 0 };
        assert_int_equal(store_scan(store, "", see, &seen, NULL), 0);
        assert_int_equal(seen.n, 7);
        assert_string_equal(seen.keys[0], "/nodes/n");
        assert_string_equal(seen.keys[6], "/podsx");
        seen = (struct seen){ .stop_at = 2 };
        assert_int_equal(store_scan(store, "/pods", see, &seen, NULL), 7);
        assert_int_equal(seen.n, 2);
        seen = (struct seen){ 0 };
        assert_int_equal(store_scan(store, "/pods/a\xff", see, &seen, NULL), 0);
        assert_int_equal(seen.n, 1);
}

/* Several threads, each counting up keys of its own and one that all share, as clients do that try again. */
#define THREADS 4
#define STEPS 300

struct counter {
        struct store *store;
        int number;
        atomic_int *conflicts;
};

static void *count_up(void *data) {
        struct counter *c = data;
        char key[32], text[32];
        int64_t mine = STORE_ABSENT;

        snprintf(key, sizeof(key), "own-%d", c->number);
        for (int i = 0; i < STEPS; i++) {
                snprintf(text, sizeof(text), "%d", i);
                mine = fixture_put(c->store, key, text, mine);
                for (struct store_result r = { .code = -ESTALE }; r.code < 0;) {
                        _cleanup_bytes_ struct bytes *value = NULL;
                        int64_t revision = 0;
                        int n = 0;

                        if (store_get(c->store, "shared", &value, &revision, NULL) == 0) {
                                snprintf(text, sizeof(text), "%.8s", (const char *)value->data);
                                n = atoi(text);
                        }
                        snprintf(text, sizeof(text), "%08d", n + 1);
                        r = fixture_change(c->store, "shared", text, revision, false, NULL);
                        atomic_fetch_add(c->conflicts, r.code < 0);
                }
        }
        return NULL;
}

static void test_threads(void **state) {
        struct store *store = ((struct fixture *)*state)->store;
        pthread_t threads[THREADS];
        struct counter counters[THREADS];
        atomic_int conflicts = 0;
        char text[32];

        for (int i = 0; i < THREADS; i++) {
                counters[i] = (struct counter){ store, i, &conflicts };
                pthread_create(&threads[i], NULL, count_up, &counters[i]);
        }
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        snprintf(text, sizeof(text), "%08d", THREADS * STEPS);
        fixture_expect(store, "shared", text, 0);
        assert_int_equal(store_revision(store), 2 * THREADS * STEPS); /* refusals take none */
}

/* The writer held up in a callback: what comes meanwhile is one group, told in order; the queue has an end. */
static sem_t entered, go_on;
static int64_t last_revision;

static void hold(struct store_change *c, const struct store_result *result) {
        sem_post(&entered);
        sem_wait(&go_on);
}

static void in_order(struct store_change *c, const struct store_result *result) {
        assert_int_equal(result->code, 0);
        assert_true(result->revision > last_revision);
        last_revision = result->revision;
}

static void test_queue_ends(void **state) {
        struct store *store = ((struct fixture *)*state)->store;
        struct store_change first = {
                .key = "first", .value = bytes_copy("1", 1), .expected = STORE_ANY, .done = hold
        };
        struct store_change *many = calloc(STORE_QUEUE_MAX + 1, sizeof(*many));
        struct bytes *value = bytes_copy("v", 1);

        sem_init(&entered, 0, 0);
        sem_init(&go_on, 0, 0);
        last_revision = 0;
        assert_int_equal(store_submit(store, &first), 0);
        sem_wait(&entered);
        for (int i = 0; i < STORE_QUEUE_MAX; i++) {
                many[i] =
                        (struct store_change){ .key = "same", .value = value, .expected = STORE_ANY, .done = in_order };
                assert_int_equal(store_submit(store, &many[i]), 0);
        }
        many[STORE_QUEUE_MAX] = many[0];
        many[STORE_QUEUE_MAX].in_queue = (struct list_node){ 0 };
        assert_int_equal(store_submit(store, &many[STORE_QUEUE_MAX]), -EAGAIN);
        sem_post(&go_on);
        while (store_submit(store, &first) == -EAGAIN)
                usleep(1000);
        sem_wait(&entered);
        sem_post(&go_on);
        assert_int_equal(last_revision, STORE_QUEUE_MAX + 1);
        bytes_unref(value);
        bytes_unref(first.value);
        free(many);
}

static void test_lazy(void **state) {
        struct fixture *f = *state;
        int64_t revision, lease;

        fixture_put(f->store, "a", "1", STORE_ABSENT);
        lease = fixture_change(f->store, "lease", "1", STORE_ABSENT, true, NULL).revision;
        assert_int_equal(lease, 2);
        fixture_expect(f->store, "lease", "1", lease);
        revision = fixture_change(f->store, "lease", "2", lease, true, NULL).revision;
        assert_int_equal(fixture_change(f->store, "lease", "x", lease, true, NULL).code, -ESTALE);
        assert_int_equal(fixture_change(f->store, "lease", "x", lease, false, NULL).code, -ESTALE);
        fixture_expect(f->store, "lease", "2", revision);
        assert_int_equal(fixture_change(f->store, "lease", NULL, revision, true, NULL).code, 0);
        fixture_expect(f->store, "lease", NULL, 0);
        revision = fixture_change(f->store, "lease", "3", STORE_ABSENT, true, NULL).revision;
        assert_int_equal(fixture_put(f->store, "b", "1", STORE_ABSENT), revision + 1);
        fixture_expect(f->store, "lease", "3", revision);
        if (f->backend == &store_memory)
                return;
        fixture_change(f->store, "lease", "4", revision, true, NULL);
        fixture_reopen(f); /* a clean end loses nothing */
        fixture_expect(f->store, "lease", "4", 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                FIXTURE_BOTH(test_refusals),   FIXTURE_BOTH(test_stamp), FIXTURE_BOTH(test_changes),
                FIXTURE_BOTH(test_bounds),     FIXTURE_BOTH(test_scan),  FIXTURE_BOTH(test_threads),
                FIXTURE_BOTH(test_queue_ends), FIXTURE_BOTH(test_lazy),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
