/* The directory and its file, opened: the lock, the two connections, the tables; and what is wrong with them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "store/sqlite/internal.h"

#define WRITER_CACHE_KIB 4096
#define READER_CACHE_KIB 1024
#define LOG_BYTES_KEPT (4 << 20) /* of a log that was larger for a while */

static const char *advice(int code) {
        switch (code) {
        case EBADMSG:
                return "; restore a backup";
        case ENOSPC:
                return "; changes are refused until there is space";
        default:
                return "";
        }
}

static int errno_of(sqlite3 *db) {
        int system = sqlite3_system_errno(db);

        switch (sqlite3_errcode(db)) {
        case SQLITE_FULL:
                return ENOSPC;
        case SQLITE_NOMEM:
                return ENOMEM;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return EBUSY;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return EBADMSG;
        case SQLITE_READONLY:
                return EROFS;
        default:
                return system ?: EIO;
        }
}

int sqlite_fail(sqlite3 *db, const char *path, const char *what, struct err **err) {
        int code = db ? errno_of(db) : ENOMEM;

        return err_set(err, code, "%s: %s: %s%s", path, what, db ? sqlite3_errmsg(db) : "out of memory", advice(code));
}

int sqlite_connect(const char *path, int flags, sqlite3 **ret_db, struct err **err) {
        sqlite3 *db = NULL;
        int r = 0;

        if (sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
            sqlite3_busy_timeout(db, SQLITE_BUSY_MS) != SQLITE_OK ||
            sqlite3_exec(db, "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 0",
                         NULL, NULL, NULL) != SQLITE_OK)
                r = sqlite_fail(db, path, "cannot be opened", err);
        if (r < 0) {
                sqlite3_close(db);
                return r;
        }
        *ret_db = db;
        return 0;
}

static int read_number(sqlite3 *db, const char *sql, int64_t *ret_number) {
        sqlite3_stmt *statement = NULL;
        int r = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

        if (r == SQLITE_OK && (r = sqlite3_step(statement)) == SQLITE_ROW) {
                *ret_number = sqlite3_column_int64(statement, 0);
                r = SQLITE_OK;
        }
        sqlite3_finalize(statement);
        return r == SQLITE_OK ? 0 : -EIO;
}

int sqlite_check_kind(sqlite3 *db, const char *path, struct err **err) {
        int64_t id = 0, version = 0;

        if (read_number(db, "PRAGMA application_id", &id) < 0 || read_number(db, "PRAGMA user_version", &version) < 0)
                return sqlite_fail(db, path, "cannot be read", err);
        if (id != SQLITE_STORE_ID)
                return err_set(err, EBADMSG, "%s: is a database of another program", path);
        if (version != SQLITE_STORE_VERSION)
                return err_set(err, EBADMSG, "%s: is of version %lld, this program reads %d; use the one that wrote it",
                               path, (long long)version, SQLITE_STORE_VERSION);
        return 0;
}

/* All or nothing of it is there after a cut: PRAGMAs of an empty database write a first page, so they are in the same
 * transaction, and that which cannot be (journal_mode) comes later. */
static int make_tables(sqlite3 *db, const char *path, struct err **err) {
        char sql[512];
        int64_t pages = 0;

        if (read_number(db, "PRAGMA page_count", &pages) < 0)
                return sqlite_fail(db, path, "cannot be read", err);
        if (pages == 0) {
                snprintf(sql, sizeof(sql),
                         "BEGIN; PRAGMA auto_vacuum = INCREMENTAL;"
                         "CREATE TABLE objects(key TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, value BLOB NOT "
                         "NULL);"
                         "CREATE TABLE reserved(revision INTEGER NOT NULL); INSERT INTO reserved VALUES(0);"
                         "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
                         SQLITE_STORE_ID, SQLITE_STORE_VERSION);
                if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
                        return sqlite_fail(db, path, "cannot be made", err);
        }
        return sqlite_check_kind(db, path, err);
}

static int open_writer(struct sqlite_store *s, struct err **err) {
        struct sqlite_connection *w = &s->writer;
        char sql[256];
        int r = sqlite_connect(s->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &w->db, err);

        if (r < 0)
                return r;
        w->path = s->path;
        if (sqlite3_db_readonly(w->db, "main") == 1) /* SQLite opens it all the same */
                return err_set(err, EROFS, "%s: can only be read; give it to this user, on a disk that can be written",
                               s->path);
        r = make_tables(w->db, s->path, err);
        if (r < 0)
                return r;
        snprintf(sql, sizeof(sql),
                 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = FAST; PRAGMA cache_size "
                 "= "
                 "-%d; PRAGMA journal_size_limit = %d",
                 WRITER_CACHE_KIB, LOG_BYTES_KEPT);
        if (sqlite3_exec(w->db, sql, NULL, NULL, NULL) != SQLITE_OK ||
            read_number(w->db, "SELECT revision FROM reserved", &s->reserved) < 0)
                return sqlite_fail(w->db, s->path, "cannot be read", err);
        return 0;
}

static int open_reader(struct sqlite_store *s, struct err **err) {
        char sql[64];
        int r = sqlite_connect(s->path, SQLITE_OPEN_READWRITE, &s->reader.db, err);

        if (r < 0)
                return r;
        s->reader.path = s->path;
        snprintf(sql, sizeof(sql), "PRAGMA query_only = ON; PRAGMA cache_size = -%d", READER_CACHE_KIB);
        return sqlite3_exec(s->reader.db, sql, NULL, NULL, NULL) == SQLITE_OK ?
                       0 :
                       sqlite_fail(s->reader.db, s->path, "cannot be read", err);
}

int sqlite_lock(const char *directory, struct err **err) {
        int fd = -EBADF, r = files_lock(directory, "stop nacelle-api first", &fd, err);

        return r < 0 ? r : fd;
}

int sqlite_open_all(struct sqlite_store *s, struct err **err) {
        int r = files_make_private(s->directory, err);

        if (r < 0)
                return r;
        s->lock_fd = sqlite_lock(s->directory, err);
        if (s->lock_fd < 0)
                return s->lock_fd;
        if ((r = sqlite_finish_restore(s->directory, err)) < 0 || (r = sqlite_check_log(s->path, err)) < 0 ||
            (r = open_writer(s, err)) < 0 || (r = open_reader(s, err)) < 0)
                return r;
        return sqlite_keeper_start(s, err);
}
