/* What the files of the SQLite backend share. */
#pragma once

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/backend.h"

#define SQLITE_PAGE 4096          /* bytes */
#define SQLITE_LOG_PAGES_MAX 4000 /* where the writer waits for the log, however much is left: 16 MB */

#define SQLITE_BUSY_MS 10000 /* the longest wait for another connection */

#define SQLITE_STORE_ID 0x6e63656c /* application_id of our files: "ncel" */
#define SQLITE_STORE_VERSION 1     /* user_version: of the tables in them */
#define SQLITE_STORE_FILE "state.db"
#define SQLITE_STORE_RESERVE "state.db.reserve"
#define SQLITE_STORE_RESERVE_NEW "state.db.reserve.new" /* one that is not whole yet */
#define SQLITE_STORE_NEW "state.db.new"                 /* a restored one, complete, that is not in its place yet */
#define SQLITE_STORE_OLD "state.db.old"                 /* what it replaced */

enum sqlite_query {
        QUERY_BEGIN,
        QUERY_COMMIT,
        QUERY_ROLLBACK,
        QUERY_INSERT,
        QUERY_UPSERT,
        QUERY_UPDATE,
        QUERY_DELETE,
        QUERY_DELETE_ANY,
        QUERY_CURRENT,
        QUERY_RESERVE,
        QUERY_GET,
        QUERY_FREE_PAGES,
        QUERY_PAGES,
        _QUERIES,
};

/* One connection; the statements that it uses, prepared at first use. */
struct sqlite_connection {
        sqlite3 *db;
        sqlite3_stmt *queries[_QUERIES];
        const char *path; /* for errors; the store's */
};

/* Moves pages from the log (state.db-wal) into the database beside the writer, so that the log stays small. */
struct sqlite_keeper {
        pthread_t thread;
        bool runs;
        sqlite3 *db;
        pthread_mutex_t lock; /* of all below */
        pthread_cond_t changed;
        bool wanted, stops;
        bool gate_closed; /* the writer may not begin */
        bool writing;
};

struct sqlite_store {
        char *directory, *path;
        char *reserve, *reserve_new; /* the file of sqlite_keep() */
        bool has_reserve;
        int log_pages, log_pages_max; /* in the log; from how many on the writer moves them itself */
        int lock_fd;
        struct sqlite_connection writer;
        int64_t reserved;          /* as the file has it */
        pthread_mutex_t read_lock; /* of reader */
        struct sqlite_connection reader;
        struct sqlite_keeper keeper;
};

/* The error of @db, which is open on @path, as a negative errno; *err names the file and what to do. */
int sqlite_fail(sqlite3 *db, const char *path, const char *what, struct err **err);

/* Opens @path with what all connections have set; @flags as sqlite3_open_v2() has them. */
int sqlite_connect(const char *path, int flags, sqlite3 **ret_db, struct err **err);

/* The number that @query, which has no parameters, answers: 0, or a negative errno and *err. */
int sqlite_number(struct sqlite_connection *c, enum sqlite_query query, int64_t *ret_number, struct err **err);

/* Whether the log of @database, which nobody has open, is as whole as a cut leaves it: 0, or -EBADMSG. */
int sqlite_check_log(const char *database, struct err **err);

/* Whether @db is a store of ours: 0, or -EBADMSG. */
int sqlite_check_kind(sqlite3 *db, const char *path, struct err **err);

/* Puts a restored file in its place where a restore was cut off before it could; else nothing. */
int sqlite_finish_restore(const char *directory, struct err **err);

/* Locks @store's directory and opens its file twice; what is open after a failure is the caller's to close. */
int sqlite_open_all(struct sqlite_store *store, struct err **err);

/* The lock that whoever has the directory open holds: a descriptor, or -EBUSY. */
int sqlite_lock(const char *directory, struct err **err);

int sqlite_backup(void *backend, const char *path, struct err **err);

int sqlite_keeper_start(struct sqlite_store *store, struct err **err);
void sqlite_keeper_stop(struct sqlite_store *store);
void sqlite_keeper_enter(struct sqlite_store *store); /* the writer begins a transaction */
void sqlite_keeper_leave(struct sqlite_store *store); /* and has ended it */
void sqlite_tidy(void *backend);

/* Moves the log into the database, so that it begins anew where it stands. Whether it does: nobody reads from it for
 * @wait_ms more (a backup reads for as long as it takes), and the database has room for what is in it. By the writer,
 * outside a transaction. */
bool sqlite_empty_log(struct sqlite_store *s, int wait_ms);

bool sqlite_keep(void *backend);
bool sqlite_give(void *backend);
