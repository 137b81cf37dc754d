#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "lib/err.h"
#include "store/backend.h"
#include "store/internal.h"

int store_check(int64_t current, int64_t expected, bool deletes) {
        if (expected == STORE_ABSENT && !deletes)
                return current ? -EEXIST : 0;
        if (!current)
                return expected == STORE_ANY && !deletes ? 0 : -ENOENT;
        return expected == STORE_ANY || expected == current ? 0 : -ESTALE;
}

static void store_free(struct store *store) {
        store_forget_lazies(store);
        store->backend->close(store->data, store->revision);
        pthread_cond_destroy(&store->work);
        pthread_cond_destroy(&store->flushed);
        pthread_mutex_destroy(&store->lock);
        free(store->full);
        free(store);
}

int store_open(const struct store_backend *backend, const struct store_options *options, struct store **ret_store,
               struct err **err) {
        struct store *store = calloc(1, sizeof(*store));
        int r;

        if (!store)
                return err_set(err, ENOMEM, "out of memory");
        store->backend = backend;
        store_init_lazies(store, options->lazy_ms ?: STORE_LAZY_MS);
        r = backend->open(options, &store->data, &store->revision, err);
        if (r < 0) {
                free(store);
                return r;
        }
        store->reserved = store->revision;
        r = store_start_writer(store, err);
        if (r < 0) {
                store_free(store);
                return r;
        }
        *ret_store = store;
        return 0;
}

void store_close(struct store *store) {
        if (!store)
                return;
        pthread_mutex_lock(&store->lock);
        store->closing = true;
        pthread_cond_signal(&store->work);
        pthread_mutex_unlock(&store->lock);
        pthread_join(store->writer, NULL);
        store_free(store);
}

int store_submit(struct store *store, struct store_change *change) {
        size_t length = strnlen(change->key, STORE_KEY_MAX);

        assert(change->done);
        if (length == 0 || length == STORE_KEY_MAX || (change->value && change->value->size > STORE_VALUE_MAX))
                return -EINVAL;
        pthread_mutex_lock(&store->lock);
        if (store->closing || store->queued >= STORE_QUEUE_MAX) {
                pthread_mutex_unlock(&store->lock);
                return -EAGAIN;
        }
        store_changes_append(&store->queue, change);
        store->queued++;
        if (store->waits)
                pthread_cond_signal(&store->work);
        pthread_mutex_unlock(&store->lock);
        return 0;
}

int store_get(struct store *store, const char *key, struct bytes **ret_value, int64_t *ret_revision, struct err **err) {
        struct bytes *value;
        int64_t revision;

        if (!store_get_lazily(store, key, &value, &revision))
                return store->backend->get(store->data, key, ret_value, ret_revision, err);
        if (!value)
                return -ENOENT;
        *ret_value = value;
        *ret_revision = revision;
        return 0;
}

int store_scan(struct store *store, const char *prefix, store_visit visit, void *data, struct err **err) {
        int r = store_flush(store, err);

        return r < 0 ? r : store->backend->scan(store->data, prefix, visit, data, err);
}

int64_t store_revision(struct store *store) {
        int64_t revision;

        pthread_mutex_lock(&store->lock);
        revision = store->revision;
        pthread_mutex_unlock(&store->lock);
        return revision;
}

int store_backup(struct store *store, const char *path, struct err **err) {
        int r = store_flush(store, err);

        return r < 0 ? r : store->backend->backup(store->data, path, err);
}
