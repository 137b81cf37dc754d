/* Keeps the write-ahead log short.
 *
 * The log's pages are moved into the database by a thread of its own, while the writer goes on; waiting for that would
 * be the longest of all waits. A log starts anew only when all of it was moved, which under steady writing is never:
 * what is left after a round is moved while the writer stands at the gate, as long as that is little. */

#include "lib/err.h"
#include "store/sqlite/internal.h"

#define LOG_PAGES 1000      /* from which on it is moved */
#define LOG_PAGES_LEFT 200  /* that the writer may have to wait for */
#define FREE_PAGES 1000     /* within the database, from which on they are given back... */
#define FREE_PAGES_STEP 250 /* ...so many at a time */
#define FREE_PAGES_STEPS 16 /* on a full disk: without pausing */

static int log_grew(void *data, sqlite3 *db, const char *name, int pages) {
        struct sqlite_store *store = data;
        struct sqlite_keeper *k = &store->keeper;

        store->log_pages = pages;
        if (pages < LOG_PAGES)
                return SQLITE_OK;
        pthread_mutex_lock(&k->lock);
        k->wanted = true;
        pthread_cond_broadcast(&k->changed);
        pthread_mutex_unlock(&k->lock);
        return SQLITE_OK;
}

static void close_gate(struct sqlite_keeper *k) {
        pthread_mutex_lock(&k->lock);
        k->gate_closed = true;
        while (k->writing)
                pthread_cond_wait(&k->changed, &k->lock);
        pthread_mutex_unlock(&k->lock);
}

static void open_gate(struct sqlite_keeper *k) {
        pthread_mutex_lock(&k->lock);
        k->gate_closed = false;
        pthread_cond_broadcast(&k->changed);
        pthread_mutex_unlock(&k->lock);
}

void sqlite_keeper_enter(struct sqlite_store *store) {
        struct sqlite_keeper *k = &store->keeper;

        pthread_mutex_lock(&k->lock);
        while (k->gate_closed)
                pthread_cond_wait(&k->changed, &k->lock);
        k->writing = true;
        pthread_mutex_unlock(&k->lock);
}

void sqlite_keeper_leave(struct sqlite_store *store) {
        struct sqlite_keeper *k = &store->keeper;

        pthread_mutex_lock(&k->lock);
        k->writing = false;
        if (k->gate_closed)
                pthread_cond_broadcast(&k->changed);
        pthread_mutex_unlock(&k->lock);
}

/* Moves what is in the log now. *ret_log is its length in pages, the result how many of them came meanwhile; -1 where
 * it cannot be moved: on a full disk the log stays, and the next commit asks again. */
static int move_log(struct sqlite_keeper *k, int *ret_log) {
        int in_log = 0, moved = 0;

        if (sqlite3_wal_checkpoint_v2(k->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved) != SQLITE_OK ||
            in_log < 0)
                return -1;
        *ret_log = in_log;
        return in_log - moved;
}

static void keep_short(struct sqlite_keeper *k) {
        int log = 0, left = move_log(k, &log), before;

        do {
                before = left;
                left = move_log(k, &log);
        } while (left > LOG_PAGES_LEFT && left < before && log < SQLITE_LOG_PAGES_MAX);
        if (left < 0 ||
            (left > LOG_PAGES_LEFT && log < SQLITE_LOG_PAGES_MAX)) /* a reader holds on to it, or the disk is full */
                return;
        close_gate(k);
        move_log(k, &log);
        open_gate(k);
}

static void *keep(void *data) {
        struct sqlite_keeper *k = data;

        pthread_mutex_lock(&k->lock);
        while (!k->stops) {
                if (!k->wanted) {
                        pthread_cond_wait(&k->changed, &k->lock);
                        continue;
                }
                k->wanted = false;
                pthread_mutex_unlock(&k->lock);
                keep_short(k);
                pthread_mutex_lock(&k->lock);
        }
        pthread_mutex_unlock(&k->lock);
        return NULL;
}

int sqlite_keeper_start(struct sqlite_store *store, struct err **err) {
        struct sqlite_keeper *k = &store->keeper;
        int r = sqlite_connect(store->path, SQLITE_OPEN_READWRITE, &k->db, err);

        if (r == 0) /* a connection that has read nothing knows of no log, and would move none */
                r = sqlite_check_kind(k->db, store->path, err);
        if (r < 0)
                return r;
        pthread_mutex_init(&k->lock, NULL);
        pthread_cond_init(&k->changed, NULL);
        sqlite3_wal_hook(store->writer.db, log_grew, store);
        r = pthread_create(&k->thread, NULL, keep, k);
        if (r != 0)
                return err_errno(err, r, "%s: the thread that keeps its log short", store->path);
        k->runs = true;
        return 0;
}

void sqlite_keeper_stop(struct sqlite_store *store) {
        struct sqlite_keeper *k = &store->keeper;

        if (k->runs) {
                pthread_mutex_lock(&k->lock);
                k->stops = true;
                pthread_cond_broadcast(&k->changed);
                pthread_mutex_unlock(&k->lock);
                pthread_join(k->thread, NULL);
                pthread_cond_destroy(&k->changed);
                pthread_mutex_destroy(&k->lock);
        }
        sqlite3_close(k->db);
}

/* Whether pages within the database are to be given back: when they are many of it, or the disk has none. */
static bool has_free_pages(struct sqlite_store *store) {
        int64_t free_pages, pages;

        return sqlite_number(&store->writer, QUERY_FREE_PAGES, &free_pages, NULL) == 0 && free_pages >= FREE_PAGES &&
               sqlite_number(&store->writer, QUERY_PAGES, &pages, NULL) == 0 &&
               (free_pages * 4 >= pages || !store->has_reserve);
}

/* Asked after each group that leaves the queue empty: by statements that are prepared once. On a full disk the log has
 * to begin anew after each step, for it cannot grow. */
void sqlite_tidy(void *backend) {
        struct sqlite_store *store = backend;
        char sql[64];

        sqlite3_snprintf(sizeof(sql), sql, "PRAGMA incremental_vacuum(%d)", FREE_PAGES_STEP);
        for (int i = 0; i < (store->has_reserve ? 1 : FREE_PAGES_STEPS) && has_free_pages(store); i++) {
                sqlite_keeper_enter(store);
                sqlite3_exec(store->writer.db, sql, NULL, NULL, NULL);
                sqlite_keeper_leave(store);
                if (!store->has_reserve && !sqlite_empty_log(store, 0))
                        return;
        }
}
