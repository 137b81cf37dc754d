/* The queue and the writer: groups, revisions, and what is not on disk yet. */
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/index.h"
#include "lib/log.h"
#include "store/backend.h"

/* Revisions that are told to the backend before they are given, so that a cut takes none back that somebody saw. */
#define REVISIONS_AHEAD 1000

LIST_DEFINE(changes, struct store_change, in_queue)

/* A lazy change that is not on disk. */
struct lazy {
        char *key;
        struct bytes *value; /* NULL: deleted */
        int64_t revision;
};

INDEX_TEXT_ORDER(lazy, struct lazy, key)

struct outcome {
        int code;
        int64_t revision;
};

struct store {
        const struct store_backend *backend;
        void *data;
        unsigned lazy_ms;
        pthread_t writer;

        pthread_mutex_t lock; /* of all below, where it does not say otherwise */
        pthread_cond_t work;  /* the writer has some */
        pthread_cond_t flushed;
        struct changes queue;
        size_t queued;
        bool waits, closing;
        uint64_t flushes_wanted, flushes_done; /* counted; the first is how many were asked for */
        int flush_code;
        struct index lazies; /* changed by the writer alone */
        struct timespec lazy_due;
        int64_t revision; /* likewise */

        int64_t reserved; /* the writer's own, as all below */
        bool said_lazy;   /* that lazy changes do not get to the disk */
        bool scarce;      /* the backend has given what it kept: only what makes room is made */
        char *full;       /* what others are told meanwhile; NULL without memory */
        struct outcome outcomes[STORE_GROUP_MAX];
};

int store_check(int64_t current, int64_t expected, bool deletes) {
        if (expected == STORE_ABSENT && !deletes)
                return current ? -EEXIST : 0;
        if (!current)
                return expected == STORE_ANY && !deletes ? 0 : -ENOENT;
        return expected == STORE_ANY || expected == current ? 0 : -ESTALE;
}

static void lazy_free(struct lazy *lazy) {
        bytes_unref(lazy->value);
        free(lazy->key);
        free(lazy);
}

static void forget_lazies(struct store *store) {
        struct index_cursor at;

        pthread_mutex_lock(&store->lock);
        at = index_seek(&store->lazies, NULL, NULL);
        for (struct lazy *lazy = index_at(&at); lazy; lazy = index_next(&at))
                lazy_free(lazy);
        index_clear(&store->lazies);
        pthread_mutex_unlock(&store->lock);
}

/* Puts @change, as @revision, beside the backend. */
static int remember(struct store *store, const struct store_change *change, int64_t revision) {
        struct lazy *lazy = index_find(&store->lazies, lazy_key, change->key);
        int r = 0;

        pthread_mutex_lock(&store->lock);
        if (!lazy) {
                lazy = calloc(1, sizeof(*lazy));
                if (!lazy || !(lazy->key = strdup(change->key)) || index_add(&store->lazies, lazy) < 0) {
                        if (lazy)
                                lazy_free(lazy);
                        lazy = NULL;
                        r = -ENOMEM;
                }
        }
        if (lazy) {
                if (index_count(&store->lazies) == 1 && !lazy->revision) {
                        clock_gettime(CLOCK_MONOTONIC, &store->lazy_due);
                        store->lazy_due.tv_sec += store->lazy_ms / 1000;
                        store->lazy_due.tv_nsec += (long)(store->lazy_ms % 1000) * 1000000;
                        if (store->lazy_due.tv_nsec >= 1000000000) {
                                store->lazy_due.tv_nsec -= 1000000000;
                                store->lazy_due.tv_sec++;
                        }
                }
                bytes_unref(lazy->value);
                lazy->value = change->value ? bytes_ref(change->value) : NULL;
                lazy->revision = revision;
        }
        pthread_mutex_unlock(&store->lock);
        return r;
}

static void set_revision(struct store *store, int64_t revision) {
        pthread_mutex_lock(&store->lock);
        store->revision = revision;
        pthread_mutex_unlock(&store->lock);
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

static void tell(struct store_change *change, int code, int64_t revision, const char *text) {
        change->done(change, &(struct store_result){ code, revision, text });
}

static int make_in_memory(struct store *store, struct store_change *change, int64_t revision, int64_t *current,
                          struct err **err) {
        int r;

        if ((r = current_revision(store, change->key, current, err)) < 0 ||
            (r = store_check(*current, change->expected, !change->value)) < 0 ||
            (r = remember(store, change, revision)) < 0)
                return r;
        set_revision(store, revision);
        *current = revision;
        return 0;
}

/* Makes one change that need not be on disk. Returns whether it was: else it wants a transaction like others. */
static bool make_lazily(struct store *store, struct store_change *change) {
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
        tell(change, r, current, err ? err_text(err) : NULL);
        return true;
}

static int put_lazies(struct store *store, struct err **err) {
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

static bool is_refusal(int code) {
        return code == -EEXIST || code == -ENOENT || code == -ESTALE;
}

/* Puts the group into the transaction that is open; each change's outcome is kept. */
static int put_group(struct store *store, const struct changes *group, int64_t *revision, struct err **err) {
        struct outcome *outcome = store->outcomes;

        LIST_EACH (changes, change, group) {
                int64_t current = 0;
                int r;

                if (change->stamp)
                        change->stamp(change, *revision + 1);
                r = store->backend->put(store->data, change, *revision + 1, &current, err);

                if (r < 0 && !is_refusal(r))
                        return r;
                if (r < 0 && change->stamp)
                        change->stamp(change, 0);
                *outcome++ = (struct outcome){ r, r == 0 ? ++*revision : current };
        }
        return 0;
}

static void unstamp(const struct changes *group) {
        LIST_EACH (changes, change, group)
                if (change->stamp)
                        change->stamp(change, 0);
}

/* One transaction with all that is lazy and @group; 0, or nothing was made. */
static int write_group(struct store *store, const struct changes *group, struct err **err) {
        int64_t revision = store->revision, reserved = store->reserved;
        int r = store->backend->begin(store->data, err);

        if (r < 0)
                return r;
        r = put_lazies(store, err);
        if (r == 0)
                r = put_group(store, group, &revision, err);
        if (revision > store->revision && revision + REVISIONS_AHEAD / 2 > reserved) /* a full disk is only read */
                reserved = revision + REVISIONS_AHEAD;
        if (r < 0 || (r = store->backend->commit(store->data, reserved, err)) < 0) {
                store->backend->rollback(store->data);
                unstamp(group);
                return r;
        }
        store->reserved = reserved;
        set_revision(store, revision);
        forget_lazies(store);
        return 0;
}

static void tell_group(struct store *store, struct changes *group, int code, const char *text) {
        const struct outcome *outcome = store->outcomes;

        for (struct store_change *change; (change = changes_pop(group)); outcome++)
                tell(change, code < 0 ? code : outcome->code, code < 0 ? 0 : outcome->revision, text);
}

/* What does not make room is told that there is none. */
static void refuse_others(struct store *store, struct changes *group) {
        struct changes all = { 0 };

        changes_take(&all, group);
        for (struct store_change *change; (change = changes_pop(&all));)
                if (change->value && !change->makes_room)
                        tell(change, -ENOSPC, 0, store->full ?: "the disk is full");
                else
                        changes_append(group, change);
}

/* On a full disk, what makes room has what was kept for it. */
static int write_scarcely(struct store *store, struct changes *group, struct err **err) {
        int r;

        if (store->scarce)
                store->scarce = !store->backend->keep(store->data);
        if (store->scarce)
                refuse_others(store, group);
        if (changes_is_empty(group) && index_count(&store->lazies) == 0)
                return 0;
        r = write_group(store, group, err);
        if (r != -ENOSPC || !store->backend->give || !store->backend->give(store->data))
                return r;
        if (!store->scarce) {
                free(store->full);
                store->full = strdup(err_text(*err));
        }
        store->scarce = true;
        *err = err_free(*err);
        refuse_others(store, group);
        return write_group(store, group, err);
}

/* Without a group it makes what is lazy durable. */
static int run_group(struct store *store, struct changes *group) {
        _cleanup_err_ struct err *err = NULL;
        int r;

        if (!changes_is_empty(group)) {
                bool all_lazy = true;

                LIST_EACH (changes, change, group)
                        all_lazy &= change->lazy;
                for (struct store_change *change; all_lazy && (change = changes_pop(group));)
                        if (!make_lazily(store, change)) {
                                changes_prepend(group, change);
                                break;
                        }
                if (changes_is_empty(group))
                        return 0;
        } else if (index_count(&store->lazies) == 0) {
                return 0;
        }
        r = write_scarcely(store, group, &err);
        if (r < 0 && changes_is_empty(group) && !store->said_lazy)
                log_warning("%s", err_text(err));
        store->said_lazy = r < 0 && (store->said_lazy || changes_is_empty(group));
        tell_group(store, group, r, err ? err_text(err) : NULL);
        return r;
}

/* Moves the next group out of the queue. */
static void take_group(struct store *store, struct changes *group) {
        size_t n = 0, bytes = 0;

        for (struct store_change *change; n < STORE_GROUP_MAX && (change = changes_first(&store->queue)); n++) {
                bytes += change->value ? change->value->size : 0;
                if (n > 0 && bytes > STORE_GROUP_BYTES_MAX)
                        break;
                changes_remove(change);
                store->queued--;
                changes_append(group, change);
        }
}

static bool is_past(const struct timespec *t) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec > t->tv_sec || (now.tv_sec == t->tv_sec && now.tv_nsec >= t->tv_nsec);
}

/* Waits until there is something to do, with the lock held. */
static void wait_for_work(struct store *store) {
        while (changes_is_empty(&store->queue) && !store->closing && store->flushes_done == store->flushes_wanted) {
                store->waits = true;
                if (index_count(&store->lazies) == 0) {
                        pthread_cond_wait(&store->work, &store->lock);
                } else {
                        if (is_past(&store->lazy_due))
                                return;
                        pthread_cond_timedwait(&store->work, &store->lock, &store->lazy_due);
                }
                store->waits = false;
        }
}

static void *write_changes(void *data) {
        struct store *store = data;
        bool ends = false;

        pthread_mutex_lock(&store->lock);
        while (!ends) {
                struct changes group = { 0 };
                uint64_t flush;
                bool idle, lazy_is_due;
                int r = 0;

                wait_for_work(store);
                flush = store->flushes_wanted;
                take_group(store, &group);
                idle = changes_is_empty(&store->queue);
                ends = store->closing && changes_is_empty(&group);
                lazy_is_due = index_count(&store->lazies) > 0 && is_past(&store->lazy_due);
                pthread_mutex_unlock(&store->lock);
                if (!changes_is_empty(&group))
                        run_group(store, &group);
                if (flush != store->flushes_done || ends || lazy_is_due)
                        r = run_group(store, &group);
                if (idle && store->backend->tidy)
                        store->backend->tidy(store->data);
                if (idle && !store->scarce && store->backend->keep)
                        store->backend->keep(store->data);
                pthread_mutex_lock(&store->lock);
                if (r < 0) { /* later again */
                        clock_gettime(CLOCK_MONOTONIC, &store->lazy_due);
                        store->lazy_due.tv_sec += 1 + store->lazy_ms / 1000;
                }
                if (flush != store->flushes_done) {
                        store->flushes_done = flush;
                        store->flush_code = r;
                        pthread_cond_broadcast(&store->flushed);
                }
        }
        pthread_mutex_unlock(&store->lock);
        return NULL;
}

/* Waits until all that was made before the call is durable. */
static int flush(struct store *store, struct err **err) {
        uint64_t mine;
        int r;

        pthread_mutex_lock(&store->lock);
        mine = ++store->flushes_wanted;
        pthread_cond_signal(&store->work);
        while (store->flushes_done < mine)
                pthread_cond_wait(&store->flushed, &store->lock);
        r = store->flush_code;
        pthread_mutex_unlock(&store->lock);
        return r < 0 ? err_errno(err, -r, "what is not durable yet cannot be made so") : 0;
}

static int start(struct store *store, struct err **err) {
        pthread_condattr_t clock;
        int r;

        pthread_condattr_init(&clock);
        pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
        pthread_mutex_init(&store->lock, NULL);
        pthread_cond_init(&store->work, &clock);
        pthread_cond_init(&store->flushed, NULL);
        pthread_condattr_destroy(&clock);
        r = pthread_create(&store->writer, NULL, write_changes, store);
        return r ? err_errno(err, r, "the store's writer") : 0;
}

static void store_free(struct store *store) {
        forget_lazies(store);
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
        store->lazy_ms = options->lazy_ms ?: STORE_LAZY_MS;
        store->lazies = (struct index)INDEX_INIT(lazy_order);
        r = backend->open(options, &store->data, &store->revision, err);
        if (r < 0) {
                free(store);
                return r;
        }
        store->reserved = store->revision;
        r = start(store, err);
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

void store_closep(struct store **store) {
        store_close(*store);
        *store = NULL;
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
        changes_append(&store->queue, change);
        store->queued++;
        if (store->waits)
                pthread_cond_signal(&store->work);
        pthread_mutex_unlock(&store->lock);
        return 0;
}

int store_get(struct store *store, const char *key, struct bytes **ret_value, int64_t *ret_revision, struct err **err) {
        const struct lazy *lazy;
        int r = -ENOENT;

        pthread_mutex_lock(&store->lock);
        lazy = index_find(&store->lazies, lazy_key, key);
        if (lazy && lazy->value) {
                *ret_value = bytes_ref(lazy->value);
                *ret_revision = lazy->revision;
                r = 0;
        }
        pthread_mutex_unlock(&store->lock);
        return lazy ? r : store->backend->get(store->data, key, ret_value, ret_revision, err);
}

int store_scan(struct store *store, const char *prefix, store_visit visit, void *data, struct err **err) {
        int r = flush(store, err);

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
        int r = flush(store, err);

        return r < 0 ? r : store->backend->backup(store->data, path, err);
}
