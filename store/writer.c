/* The writer: the thread that takes changes out of the queue, group by group, and makes them. */
#include "lib/bytes.h"
#include "lib/err.h"
#include "lib/index.h"
#include "store/backend.h"
#include "store/internal.h"

/* What it does next. */
struct work {
        struct store_changes group;
        uint64_t flush;    /* how many flushes were asked for before the group was taken */
        bool makes_lazies; /* durable, whether or not there is a group */
        bool idle;         /* nothing waits behind the group */
        bool ends;
};

/* Moves the next group out of the queue. */
static void take_group(struct store *store, struct store_changes *group) {
        size_t n = 0, bytes = 0;

        for (struct store_change *change; n < STORE_GROUP_MAX && (change = store_changes_first(&store->queue)); n++) {
                bytes += change->value ? change->value->size : 0;
                if (n > 0 && bytes > STORE_GROUP_BYTES_MAX)
                        break;
                store_changes_remove(change);
                store->queued--;
                store_changes_append(group, change);
        }
}

/* Waits until there is something to do, with the lock held. */
static void wait_for_work(struct store *store) {
        while (store_changes_is_empty(&store->queue) && !store->closing &&
               store->flushes_done == store->flushes_wanted) {
                store->waits = true;
                if (store_lazies_are_due(store))
                        return;
                if (index_count(&store->lazies) == 0)
                        pthread_cond_wait(&store->work, &store->lock);
                else
                        pthread_cond_timedwait(&store->work, &store->lock, &store->lazy_due);
                store->waits = false;
        }
}

/* Waits for it, with the lock held. */
static void take_work(struct store *store, struct work *work) {
        wait_for_work(store);
        *work = (struct work){ .flush = store->flushes_wanted };
        take_group(store, &work->group);
        work->idle = store_changes_is_empty(&store->queue);
        work->ends = store->closing && store_changes_is_empty(&work->group);
        work->makes_lazies = work->flush != store->flushes_done || work->ends || store_lazies_are_due(store);
}

/* Whether lazy changes were made durable, where that was due: 0 or a negative errno. */
static int do_work(struct store *store, struct work *work) {
        const struct store_backend *backend = store->backend;
        int r = 0;

        if (!store_changes_is_empty(&work->group))
                store_run_group(store, &work->group);
        if (work->makes_lazies)
                r = store_run_group(store, &work->group);
        if (work->idle && backend->tidy)
                backend->tidy(store->data);
        if (work->idle && !store->scarce && backend->keep)
                backend->keep(store->data);
        return r;
}

/* With the lock held. */
static void end_work(struct store *store, const struct work *work, int r) {
        if (r < 0)
                store_put_off_lazies(store);
        if (work->flush == store->flushes_done)
                return;
        store->flushes_done = work->flush;
        store->flush_code = r;
        pthread_cond_broadcast(&store->flushed);
}

static void *write_changes(void *data) {
        struct store *store = data;
        struct work work;
        int r;

        pthread_mutex_lock(&store->lock);
        do {
                take_work(store, &work);
                pthread_mutex_unlock(&store->lock);
                r = do_work(store, &work);
                pthread_mutex_lock(&store->lock);
                end_work(store, &work, r);
        } while (!work.ends);
        pthread_mutex_unlock(&store->lock);
        return NULL;
}

int store_flush(struct store *store, struct err **err) {
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

int store_start_writer(struct store *store, struct err **err) {
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
