/* The SQLite backend: one table, a connection that writes and one that reads.
 *
 * Write-ahead log with synchronous=FULL: commit() returns once the log is on the disk (https://sqlite.org/wal.html).
 * Objects lie in the order in which they came, so that a group of new ones fills few pages; keys have an index. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "store/sqlite/internal.h"

static const char *const queries[_QUERIES] = {
        [QUERY_BEGIN] = "BEGIN IMMEDIATE",
        [QUERY_COMMIT] = "COMMIT",
        [QUERY_ROLLBACK] = "ROLLBACK",
        [QUERY_INSERT] = "INSERT INTO objects(key, revision, value) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING",
        [QUERY_UPSERT] = ("INSERT INTO objects(key, revision, value) VALUES(?1, ?2, ?3) ON CONFLICT(key) DO UPDATE SET "
                          "revision = excluded.revision, value = excluded.value"),
        [QUERY_UPDATE] = "UPDATE objects SET revision = ?2, value = ?3 WHERE key = ?1 AND revision = ?4",
        [QUERY_DELETE] = "DELETE FROM objects WHERE key = ?1 AND revision = ?4",
        [QUERY_DELETE_ANY] = "DELETE FROM objects WHERE key = ?1",
        [QUERY_CURRENT] = "SELECT revision FROM objects WHERE key = ?1",
        [QUERY_RESERVE] = "UPDATE reserved SET revision = ?2",
        [QUERY_GET] = "SELECT revision, value FROM objects WHERE key = ?1",
        [QUERY_FREE_PAGES] = "PRAGMA freelist_count",
        [QUERY_PAGES] = "PRAGMA page_count",
};

static void disconnect(struct sqlite_connection *c) {
        for (int i = 0; i < _QUERIES; i++)
                sqlite3_finalize(c->queries[i]);
        sqlite3_close(c->db);
}

static void release(struct sqlite_store *s) {
        sqlite_keeper_stop(s);
        disconnect(&s->reader);
        disconnect(&s->writer); /* the last one: moves the log into the database */
        close_fd(s->lock_fd);
        pthread_mutex_destroy(&s->read_lock);
        free(s->reserve);
        free(s->reserve_new);
        free(s->path);
        free(s->directory);
        free(s);
}

static char *join(const char *directory, const char *name) {
        char *path;

        return directory && asprintf(&path, "%s/%s", directory, name) >= 0 ? path : NULL;
}

static int sqlite_open(const struct store_options *options, void **ret_backend, int64_t *ret_revision,
                       struct err **err) {
        struct sqlite_store *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return err_set(err, ENOMEM, "out of memory");
        s->lock_fd = -EBADF;
        s->log_pages_max = SQLITE_LOG_PAGES_MAX;
        pthread_mutex_init(&s->read_lock, NULL);
        s->directory = strdup(options->directory);
        s->path = join(s->directory, SQLITE_STORE_FILE);
        s->reserve = join(s->directory, SQLITE_STORE_RESERVE);
        s->reserve_new = join(s->directory, SQLITE_STORE_RESERVE_NEW);
        if (!s->path || !s->reserve || !s->reserve_new) {
                r = err_set(err, ENOMEM, "out of memory");
        } else {
                r = sqlite_open_all(s, err);
        }
        if (r < 0) {
                release(s);
                return r;
        }
        *ret_backend = s;
        *ret_revision = s->reserved;
        return 0;
}

/* The query, ready to be bound; NULL and *err set. */
static sqlite3_stmt *query(struct sqlite_connection *c, enum sqlite_query q, struct err **err) {
        if (!c->queries[q] &&
            sqlite3_prepare_v3(c->db, queries[q], -1, SQLITE_PREPARE_PERSISTENT, &c->queries[q], NULL) != SQLITE_OK) {
                sqlite_fail(c->db, c->path, "cannot be used", err);
                return NULL;
        }
        return c->queries[q];
}

static int bind(sqlite3_stmt *statement, const char *key, int64_t revision, const struct bytes *value,
                int64_t expected) {
        int n = sqlite3_bind_parameter_count(statement);

        sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
        if (n >= 2)
                sqlite3_bind_int64(statement, 2, revision);
        if (n >= 3 && value)
                sqlite3_bind_blob(statement, 3, value->data, (int)value->size, SQLITE_STATIC);
        if (n >= 4)
                sqlite3_bind_int64(statement, 4, expected);
        return n;
}

/* Runs what was bound and returns no row. */
static int run(struct sqlite_connection *c, sqlite3_stmt *statement, const char *what, struct err **err) {
        int r = sqlite3_step(statement);
        int failed = r == SQLITE_DONE || r == SQLITE_ROW ? 0 : sqlite_fail(c->db, c->path, what, err);

        sqlite3_reset(statement);
        return failed;
}

static int simple(struct sqlite_connection *c, enum sqlite_query q, const char *what, struct err **err) {
        sqlite3_stmt *statement = query(c, q, err);

        return statement ? run(c, statement, what, err) : -err_code(err ? *err : NULL) ?: -EIO;
}

int sqlite_number(struct sqlite_connection *c, enum sqlite_query q, int64_t *ret_number, struct err **err) {
        sqlite3_stmt *statement = query(c, q, err);
        int r = 0;

        if (!statement)
                return -EIO;
        if (sqlite3_step(statement) == SQLITE_ROW)
                *ret_number = sqlite3_column_int64(statement, 0);
        else
                r = sqlite_fail(c->db, c->path, "cannot be read", err);
        sqlite3_reset(statement);
        return r;
}

static int sqlite_begin(void *backend, struct err **err) {
        struct sqlite_store *s = backend;
        int r;

        if (s->log_pages > s->log_pages_max)
                sqlite_empty_log(s, 0);
        sqlite_keeper_enter(s);
        r = simple(&s->writer, QUERY_BEGIN, "cannot be changed", err);
        if (r < 0)
                sqlite_keeper_leave(s);
        return r;
}

static int read_current(struct sqlite_store *s, const char *key, int64_t *ret_current, struct err **err) {
        sqlite3_stmt *statement = query(&s->writer, QUERY_CURRENT, err);
        int r;

        if (!statement)
                return -EIO;
        bind(statement, key, 0, NULL, 0);
        r = sqlite3_step(statement);
        *ret_current = r == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
        r = r == SQLITE_ROW || r == SQLITE_DONE ? 0 : sqlite_fail(s->writer.db, s->path, "cannot be read", err);
        sqlite3_reset(statement);
        return r;
}

static enum sqlite_query choose(bool deletes, int64_t expected) {
        if (deletes)
                return expected == STORE_ANY ? QUERY_DELETE_ANY : QUERY_DELETE;
        if (expected == STORE_ANY)
                return QUERY_UPSERT;
        return expected == STORE_ABSENT ? QUERY_INSERT : QUERY_UPDATE;
}

static int sqlite_put(void *backend, const struct store_change *change, int64_t revision, int64_t *ret_current,
                      struct err **err) {
        struct sqlite_store *s = backend;
        sqlite3_stmt *statement = query(&s->writer, choose(!change->value, change->expected), err);
        int r;

        if (!statement)
                return -EIO;
        bind(statement, change->key, revision, change->value, change->expected);
        r = run(&s->writer, statement, "cannot be changed", err);
        sqlite3_clear_bindings(statement);
        if (r < 0 || sqlite3_changes(s->writer.db) > 0)
                return r;
        r = read_current(s, change->key, ret_current, err);
        return r < 0 ? r : store_check(*ret_current, change->expected, !change->value);
}

static int reserve(struct sqlite_store *s, int64_t reserved, struct err **err) {
        sqlite3_stmt *statement;
        int r;

        if (reserved == s->reserved)
                return 0;
        statement = query(&s->writer, QUERY_RESERVE, err);
        if (!statement)
                return -EIO;
        sqlite3_bind_int64(statement, 2, reserved);
        r = run(&s->writer, statement, "cannot be changed", err);
        return r;
}

static int sqlite_commit(void *backend, int64_t reserved, struct err **err) {
        struct sqlite_store *s = backend;
        int r = reserve(s, reserved, err);

        if (r < 0 || (r = simple(&s->writer, QUERY_COMMIT, "cannot be changed", err)) < 0)
                return r;
        s->reserved = reserved;
        sqlite_keeper_leave(s);
        return 0;
}

static void sqlite_rollback(void *backend) {
        struct sqlite_store *s = backend;

        if (!sqlite3_get_autocommit(s->writer.db)) /* some errors have done it already */
                simple(&s->writer, QUERY_ROLLBACK, "", NULL);
        sqlite_keeper_leave(s);
}

/* The last revision itself, so that the next process goes on without a gap; the reserve counts where that fails. */
static void sqlite_close(void *backend, int64_t revision) {
        struct sqlite_store *s = backend;

        if (revision != s->reserved && sqlite_begin(s, NULL) == 0 && sqlite_commit(s, revision, NULL) < 0)
                sqlite_rollback(s);
        release(s);
}

static int read_object(struct sqlite_store *s, sqlite3_stmt *statement, struct bytes **ret_value, int64_t *ret_revision,
                       struct err **err) {
        struct bytes *value;
        int r = sqlite3_step(statement);

        if (r == SQLITE_DONE)
                return -ENOENT;
        if (r != SQLITE_ROW)
                return sqlite_fail(s->reader.db, s->path, "cannot be read", err);
        value = bytes_copy(sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1));
        if (!value)
                return err_set(err, ENOMEM, "out of memory");
        *ret_revision = sqlite3_column_int64(statement, 0);
        *ret_value = value;
        return 0;
}

static int sqlite_get(void *backend, const char *key, struct bytes **ret_value, int64_t *ret_revision,
                      struct err **err) {
        struct sqlite_store *s = backend;
        sqlite3_stmt *statement;
        int r = -EIO;

        pthread_mutex_lock(&s->read_lock);
        statement = query(&s->reader, QUERY_GET, err);
        if (statement) {
                bind(statement, key, 0, NULL, 0);
                r = read_object(s, statement, ret_value, ret_revision, err);
                sqlite3_reset(statement);
        }
        pthread_mutex_unlock(&s->read_lock);
        return r;
}

/* The first text behind all that begin with @prefix; false when there is none. */
static bool end_of(const char *prefix, char ret_end[STORE_KEY_MAX]) {
        size_t n = strlen(prefix);

        memcpy(ret_end, prefix, n + 1);
        while (n > 0 && (unsigned char)ret_end[n - 1] == 0xff)
                n--;
        ret_end[n] = '\0';
        if (n > 0)
                ret_end[n - 1]++;
        return n > 0;
}

/* Has a connection of its own: it may take long, and gets are short. */
static int sqlite_scan(void *backend, const char *prefix, store_visit visit, void *data, struct err **err) {
        static const char *const
                all = "SELECT key, revision, value FROM objects WHERE key >= ?1 ORDER BY key",
                *const some = "SELECT key, revision, value FROM objects WHERE key >= ?1 AND key < ?2 ORDER BY key";
        struct sqlite_store *s = backend;
        sqlite3_stmt *statement = NULL;
        char end[STORE_KEY_MAX];
        sqlite3 *db;
        bool ends;
        int r, step = SQLITE_DONE;

        if (strnlen(prefix, STORE_KEY_MAX) == STORE_KEY_MAX)
                return err_set(err, EINVAL, "the prefix of a scan has more than %d bytes", STORE_KEY_MAX - 1);
        r = sqlite_connect(s->path, SQLITE_OPEN_READONLY, &db, err);
        if (r < 0)
                return r;
        ends = end_of(prefix, end);
        if (sqlite3_prepare_v2(db, ends ? some : all, -1, &statement, NULL) == SQLITE_OK) {
                sqlite3_bind_text(statement, 1, prefix, -1, SQLITE_STATIC);
                if (ends)
                        sqlite3_bind_text(statement, 2, end, -1, SQLITE_STATIC);
                while (r == 0 && (step = sqlite3_step(statement)) == SQLITE_ROW)
                        r = visit(data, (const char *)sqlite3_column_text(statement, 0),
                                  sqlite3_column_blob(statement, 2), (size_t)sqlite3_column_bytes(statement, 2),
                                  sqlite3_column_int64(statement, 1));
        }
        if (!statement || (r == 0 && step != SQLITE_DONE))
                r = sqlite_fail(db, s->path, "cannot be read", err);
        sqlite3_finalize(statement);
        sqlite3_close(db);
        return r;
}

const struct store_backend store_sqlite = {
        .open = sqlite_open,
        .close = sqlite_close,
        .begin = sqlite_begin,
        .put = sqlite_put,
        .commit = sqlite_commit,
        .rollback = sqlite_rollback,
        .get = sqlite_get,
        .scan = sqlite_scan,
        .backup = sqlite_backup,
        .tidy = sqlite_tidy,
        .keep = sqlite_keep,
        .give = sqlite_give,
};
