/* Changes that are made, and not on disk yet: kept beside the backend until its next transaction takes them along, or
 * for as long as the options say. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/bytes.h"
#include "lib/err.h"
#include "lib/index.h"
#include "store/backend.h"
#include "store/internal.h"

/* A lazy change that is not on disk. */
struct lazy {
        char *key;
        struct bytes *value; /* NULL: deleted */
        int64_t revision;
};

INDEX_TEXT_ORDER(lazy, struct lazy, key)

void store_init_lazies(struct store *store, unsigned ms) {
        store->lazy_ms = ms;
        store->lazies = (struct index)INDEX_INIT(lazy_order);
}

static void lazy_free(struct lazy *lazy) {
        bytes_unref(lazy->value);
        free(lazy->key);
        free(lazy);
}

void store_forget_lazies(struct store *store) {
        struct index_cursor at;

        pthread_mutex_lock(&store->lock);
        at = index_seek(&store->lazies, NULL, NULL);
        for (struct lazy *lazy = index_at(&at); lazy; lazy = index_next(&at))
                lazy_free(lazy);
        index_clear(&store->lazies);
        pthread_mutex_unlock(&store->lock);
}

static void set_due(struct store *store, uint64_t ms) {
        struct timespec *due = &store->lazy_due;

        clock_gettime(CLOCK_MONOTONIC, due);
        due->tv_sec += (time_t)(ms / 1000);
        due->tv_nsec += (long)(ms % 1000) * 1000000;
        if (due->tv_nsec >= 1000000000) {
                due->tv_nsec -= 1000000000;
                due->tv_sec++;
        }
}

bool store_lazies_are_due(const struct store *store) {
        const struct timespec *due = &store->lazy_due;
        struct timespec now;

        if (index_count(&store->lazies) == 0)
                return false;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec > due->tv_sec || (now.tv_sec == due->tv_sec && now.tv_nsec >= due->tv_nsec);
}

void store_put_off_lazies(struct store *store) {
        set_due(store, 1000 + (uint64_t)store->lazy_ms);
}

/* The first has all that follow wait for as long as itself. With the lock. */
static struct lazy *new_lazy(struct store *store, const char *key) {
        struct lazy *lazy = calloc(1, sizeof(*lazy));

        if (!lazy)
                return NULL;
        if (!(lazy->key = strdup(key)) || index_add(&store->lazies, lazy) < 0) {
                lazy_free(lazy);
                return NULL;
        }
        if (index_count(&store->lazies) == 1)
                set_due(store, store->lazy_ms);
        return lazy;
}

/* Puts @change, as @revision, beside the backend. */
static int remember(struct store *store, const struct store_change *change, int64_t revision) {
        struct lazy *lazy = index_find(&store->lazies, lazy_key, change->key);

        pthread_mutex_lock(&store->lock);
        lazy = lazy ?: new_lazy(store, change->key);
        if (lazy) {
                bytes_unref(lazy->value);
                lazy->value = change->value ? bytes_ref(change->value) : NULL;
                lazy->revision = revision;
        }
        pthread_mutex_unlock(&store->lock);
        return lazy ? 0 : -ENOMEM;
}

/* What stands at @key for the writer: 0 when nothing does. */
static int current_revision(struct store *store, const char *key, int64_t *ret_revision, struct err **err) {
        const struct lazy *lazy = index_find(&store->lazies, lazy_key, key);
        _cleanup_bytes_ struct bytes *value = NULL;
        int r = 0;

        *ret_revision = 0;
        if (lazy)
                *ret_revision = lazy->value ? lazy->revision : 0;
        else if ((r = store->backend->get(store->data, key, &value, ret_revision, err)) == -ENOENT)
                r = 0;
        return r;
}

static int make_in_memory(struct store *store, struct store_change *change, int64_t revision, int64_t *current,
                          struct err **err) {
        int r;

        if ((r = current_revision(store, change->key, current, err)) < 0 ||
            (r = store_check(*current, change->expected, !change->value)) < 0 ||
            (r = remember(store, change, revision)) < 0)
                return r;
        store_set_revision(store, revision);
        *current = revision;
        return 0;
}

bool store_make_lazily(struct store *store, struct store_change *change) {
        _cleanup_err_ struct err *err = NULL;
        int64_t current, revision = store->revision + 1;
        int r;

        if (!change->lazy || revision > store->reserved || index_count(&store->lazies) >= STORE_LAZY_MAX)
                return false;
        if (change->stamp)
                change->stamp(change, revision);
        r = make_in_memory(store, change, revision, &current, &err);
        if (r < 0 && change->stamp)
                change->stamp(change, 0);
        store_tell(change, r, current, err ? err_text(err) : NULL);
        return true;
}

int store_put_lazies(struct store *store, struct err **err) {
        struct index_cursor at = index_seek(&store->lazies, NULL, NULL);
        int64_t current;
        int r = 0;

        for (struct lazy *lazy = index_at(&at); lazy && r == 0; lazy = index_next(&at)) {
                const struct store_change change = { .key = lazy->key, .value = lazy->value, .expected = STORE_ANY };

                r = store->backend->put(store->data, &change, lazy->revision, &current, err);
                if (r == -ENOENT) /* what came and went since */
                        r = 0;
        }
        return r;
}

bool store_get_lazily(struct store *store, const char *key, struct bytes **ret_value, int64_t *ret_revision) {
        const struct lazy *lazy;

        pthread_mutex_lock(&store->lock);
        lazy = index_find(&store->lazies, lazy_key, key);
        if (lazy) {
                *ret_value = lazy->value ? bytes_ref(lazy->value) : NULL;
                *ret_revision = lazy->revision;
        }
        pthread_mutex_unlock(&store->lock);
        return lazy;
}
