/* What the store's files share. One thread, the writer (writer.c), makes the changes of the queue, group by group
 * (group.c); lazy ones wait in memory beside the backend (lazy.c). store.c is what callers have.
 */
#pragma once

#include <pthread.h>
#include <time.h>

#include "lib/index.h"
#include "store/backend.h"

LIST_DEFINE(store_changes, struct store_change, in_queue)

struct store_outcome {
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
        struct store_changes queue;
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
        struct store_outcome outcomes[STORE_GROUP_MAX];
};

/* --- lazy.c: changes that are made, and not on disk yet --- */

/* None yet; each waits for @ms at most. */
void store_init_lazies(struct store *store, unsigned ms);

/* Makes @change, which need not be on disk. Returns whether it was made or refused, and told so: else it wants a
 * transaction like others. Of the writer. */
bool store_make_lazily(struct store *store, struct store_change *change);

/* Puts all that is lazy into the transaction that is open. 0 or a negative errno. Of the writer. */
int store_put_lazies(struct store *store, struct err **err);

/* They are on disk now, or the store ends. */
void store_forget_lazies(struct store *store);

/* What is lazy at @key: true, and its value (one reference; NULL: deleted) and revision. */
bool store_get_lazily(struct store *store, const char *key, struct bytes **ret_value, int64_t *ret_revision);

/* Whether some have waited for long enough. With the lock. */
bool store_lazies_are_due(const struct store *store);

/* They could not be made durable: not before a second more than they may wait for. With the lock. */
void store_put_off_lazies(struct store *store);

/* --- group.c: changes that are made together --- */

/* Makes @group, with all that is lazy, or without a group what is lazy alone; tells each what became of it, and leaves
 * @group empty. 0 or a negative errno: nothing was made. Of the writer. */
int store_run_group(struct store *store, struct store_changes *group);

void store_tell(struct store_change *change, int code, int64_t revision, const char *text);

/* Of the writer. */
void store_set_revision(struct store *store, int64_t revision);

/* --- writer.c --- */

/* Begins the writer and what it waits by; 0 or a negative errno, and all but the thread has begun. */
int store_start_writer(struct store *store, struct err **err);

/* Waits until all that was made before the call is durable. 0 or a negative errno. */
int store_flush(struct store *store, struct err **err);
