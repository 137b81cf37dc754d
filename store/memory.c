/* A store that lasts as long as its process: for tests, and for an API service that keeps nothing. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "lib/err.h"
#include "lib/index.h"
#include "lib/list.h"
#include "store/backend.h"

struct object {
        char *key;
        struct bytes *value; /* NULL: deleted in the transaction that is open */
        int64_t revision;
        struct bytes *old_value; /* what rollback() brings back; NULL: nothing */
        int64_t old_revision;
        struct list_node in_change; /* changed in the transaction that is open */
};

INDEX_TEXT_ORDER(object, struct object, key)
LIST_DEFINE(changed, struct object, in_change)

struct memory {
        pthread_rwlock_t lock; /* of the transaction against readers */
        struct index objects;
        struct changed changed;
};

static int memory_open(const struct store_options *options, void **ret_backend, int64_t *ret_revision,
                       struct err **err) {
        struct memory *m = calloc(1, sizeof(*m));

        if (!m)
                return err_set(err, ENOMEM, "out of memory");
        pthread_rwlock_init(&m->lock, NULL);
        m->objects = (struct index)INDEX_INIT(object_order);
        *ret_backend = m;
        *ret_revision = 0;
        return 0;
}

static void object_free(struct object *o) {
        bytes_unref(o->value);
        bytes_unref(o->old_value);
        free(o->key);
        free(o);
}

static void memory_close(void *backend, int64_t revision) {
        struct memory *m = backend;
        struct index_cursor at = index_seek(&m->objects, NULL, NULL);

        for (struct object *o = index_at(&at); o; o = index_next(&at))
                object_free(o);
        index_clear(&m->objects);
        pthread_rwlock_destroy(&m->lock);
        free(m);
}

static int memory_begin(void *backend, struct err **err) {
        pthread_rwlock_wrlock(&((struct memory *)backend)->lock);
        return 0;
}

static struct object *add(struct memory *m, const char *key) {
        struct object *o = calloc(1, sizeof(*o));

        if (o && (o->key = strdup(key)) && index_add(&m->objects, o) == 0)
                return o;
        if (o)
                object_free(o);
        return NULL;
}

static int memory_put(void *backend, const struct store_change *change, int64_t revision, int64_t *ret_current,
                      struct err **err) {
        struct memory *m = backend;
        struct object *o = index_find(&m->objects, object_key, change->key);
        int64_t current = o && o->value ? o->revision : 0;
        int r = store_check(current, change->expected, !change->value);

        *ret_current = current;
        if (r < 0)
                return r;
        if (!o && !(o = add(m, change->key)))
                return err_set(err, ENOMEM, "out of memory");
        if (!changed_contains(o)) {
                o->old_value = o->value;
                o->old_revision = o->revision;
                o->value = NULL;
                changed_append(&m->changed, o);
        }
        bytes_unref(o->value);
        o->value = change->value ? bytes_ref(change->value) : NULL;
        o->revision = revision;
        return 0;
}

static void drop_if_empty(struct memory *m, struct object *o) {
        if (o->value)
                return;
        index_remove(&m->objects, o);
        object_free(o);
}

static int memory_commit(void *backend, int64_t reserved, struct err **err) {
        struct memory *m = backend;

        for (struct object *o; (o = changed_pop(&m->changed));) {
                o->old_value = bytes_unref(o->old_value);
                drop_if_empty(m, o);
        }
        pthread_rwlock_unlock(&m->lock);
        return 0;
}

static void memory_rollback(void *backend) {
        struct memory *m = backend;

        for (struct object *o; (o = changed_pop(&m->changed));) {
                bytes_unref(o->value);
                o->value = o->old_value;
                o->revision = o->old_revision;
                o->old_value = NULL;
                drop_if_empty(m, o);
        }
        pthread_rwlock_unlock(&m->lock);
}

static int memory_get(void *backend, const char *key, struct bytes **ret_value, int64_t *ret_revision,
                      struct err **err) {
        struct memory *m = backend;
        const struct object *o;

        pthread_rwlock_rdlock(&m->lock);
        o = index_find(&m->objects, object_key, key);
        if (o) {
                *ret_value = bytes_ref(o->value);
                *ret_revision = o->revision;
        }
        pthread_rwlock_unlock(&m->lock);
        return o ? 0 : -ENOENT;
}

static int memory_scan(void *backend, const char *prefix, store_visit visit, void *data, struct err **err) {
        struct memory *m = backend;
        int r = 0;

        pthread_rwlock_rdlock(&m->lock);
        INDEX_EACH (struct object, o, &m->objects, object_prefix, prefix)
                if ((r = visit(data, o->key, o->value->data, o->value->size, o->revision)) != 0)
                        break;
        pthread_rwlock_unlock(&m->lock);
        return r;
}

static int memory_backup(void *backend, const char *path, struct err **err) {
        return err_set(err, EOPNOTSUPP, "backup to %s: the store is in memory alone", path);
}

const struct store_backend store_memory = {
        .open = memory_open,
        .close = memory_close,
        .begin = memory_begin,
        .put = memory_put,
        .commit = memory_commit,
        .rollback = memory_rollback,
        .get = memory_get,
        .scan = memory_scan,
        .backup = memory_backup,
};
