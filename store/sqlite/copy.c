/* Backup and restore: whole files, each in its place only once it is complete and durable. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "store/sqlite/internal.h"

/* Revisions that a restored store leaves out, as if they had been given: clients may have seen those that came after
 * the backup, and must not take other objects for them. */
#define RESTORE_SKIPS INT64_C(1000000000)

static int sync_path(const char *path, int flags, struct err **err) {
        _cleanup_close_ int fd = open(path, flags | O_CLOEXEC);

        return fd < 0 || fsync(fd) < 0 ? err_errno(err, errno, "%s", path) : 0;
}

/* Allocated; NULL without memory. */
static char *directory_of(const char *path) {
        char *directory = strchr(path, '/') ? strdup(path) : strdup("."), *slash;

        slash = directory ? strrchr(directory, '/') : NULL;
        if (slash)
                slash[slash == directory] = '\0';
        return directory;
}

static int sync_directory_of(const char *path, struct err **err) {
        _cleanup_free_ char *directory = directory_of(path);

        return directory ? sync_path(directory, O_RDONLY | O_DIRECTORY, err) : err_set(err, ENOMEM, "out of memory");
}

/* The database's own files, which a backup would take the place of, begin with its name; and of what is there only a
 * file is replaced. */
static int check_target(const char *from, const char *path, struct err **err) {
        _cleanup_free_ char *own = directory_of(from), *other = directory_of(path);
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        struct stat here, there;

        if (!own || !other)
                return err_set(err, ENOMEM, "out of memory");
        if (stat(own, &here) == 0 && stat(other, &there) == 0 && here.st_dev == there.st_dev &&
            here.st_ino == there.st_ino && strncmp(name, SQLITE_STORE_FILE, strlen(SQLITE_STORE_FILE)) == 0)
                return err_set(err, EINVAL, "%s is of the store itself; give another file", path);
        if (lstat(path, &there) == 0 && !S_ISREG(there.st_mode))
                return err_set(err, EINVAL, "%s is no file; give one", path);
        return 0;
}

/* An empty file beside @path, only for us to read. */
static int make_beside(const char *path, char **ret_name, struct err **err) {
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *name = NULL;

        if (asprintf(&name, "%s.XXXXXX", path) < 0) {
                name = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        fd = mkostemp(name, O_CLOEXEC);
        if (fd < 0)
                return err_errno(err, errno, "%s: make a file beside it", path);
        *ret_name = TAKE_PTR(name);
        return 0;
}

/* Copies the database that @db has open into the empty file @path. */
static int copy_into(sqlite3 *db, const char *from, const char *path, struct err **err) {
        char *sql = sqlite3_mprintf("VACUUM INTO %Q", path);
        int r = 0;

        if (!sql)
                return err_set(err, ENOMEM, "out of memory");
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
                r = sqlite_fail(db, from, "cannot be copied", err);
        sqlite3_free(sql);
        return r;
}

static int backup(const char *from, const char *path, const char *new, struct err **err) {
        sqlite3 *db = NULL;
        int r = sqlite_connect(from, SQLITE_OPEN_READWRITE, &db, err);

        if (r == 0 && (r = sqlite_check_kind(db, from, err)) == 0)
                r = copy_into(db, from, new, err);
        sqlite3_close(db);
        if (r < 0 || (r = sync_path(new, O_RDONLY, err)) < 0)
                return r;
        if (rename(new, path) < 0)
                return err_errno(err, errno, "%s", path);
        return sync_directory_of(path, err);
}

static int backup_from(const char *from, const char *path, struct err **err) {
        _cleanup_free_ char *new = NULL;
        int r = check_target(from, path, err);

        if (r < 0 || (r = make_beside(path, &new, err)) < 0)
                return err_wrap(err, r, "backup");
        r = backup(from, path, new, err);
        if (r < 0) {
                unlink(new);
                return err_wrap(err, r, "backup to %s", path);
        }
        return 0;
}

int sqlite_backup(void *backend, const char *path, struct err **err) {
        return backup_from(((struct sqlite_store *)backend)->path, path, err);
}

/* The lock is had for a moment alone, so that a service can start meanwhile. */
static bool is_in_use(const char *directory) {
        int fd = sqlite_lock(directory, NULL);

        if (fd >= 0)
                close(fd);
        return fd < 0;
}

int store_backup_of(const char *directory, const char *path, struct err **err) {
        _cleanup_free_ char *from = NULL;
        int r;

        if (asprintf(&from, "%s/" SQLITE_STORE_FILE, directory) < 0) {
                from = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        if (access(from, F_OK) < 0)
                return err_errno(err, errno, "backup: %s", from);
        r = is_in_use(directory) ? 0 : sqlite_check_log(from, err);
        return r < 0 ? err_wrap(err, r, "backup") : backup_from(from, path, err);
}

/* Who restores as root does it for whom the store belongs to. */
static int give_to_owner(const char *path, const char *directory, struct err **err) {
        struct stat st;

        if (stat(directory, &st) < 0)
                return err_errno(err, errno, "%s", directory);
        return geteuid() == 0 && lchown(path, st.st_uid, st.st_gid) < 0 ? err_errno(err, errno, "%s", path) : 0;
}

static int check_whole(sqlite3 *db, const char *path, struct err **err) {
        sqlite3_stmt *statement = NULL;
        int r = 0;

        if (sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &statement, NULL) != SQLITE_OK ||
            sqlite3_step(statement) != SQLITE_ROW)
                r = sqlite_fail(db, path, "cannot be read", err);
        else if (strcmp((const char *)sqlite3_column_text(statement, 0), "ok") != 0)
                r = err_set(err, EBADMSG, "%s: is damaged: %s; use another backup", path,
                            (const char *)sqlite3_column_text(statement, 0));
        sqlite3_finalize(statement);
        return r;
}

static int skip_revisions(const char *path, struct err **err) {
        sqlite3 *db;
        char sql[128];
        int r = sqlite_connect(path, SQLITE_OPEN_READWRITE, &db, err);

        if (r < 0)
                return r;
        sqlite3_snprintf(sizeof(sql), sql, "UPDATE reserved SET revision = revision + %lld", (long long)RESTORE_SKIPS);
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
                r = sqlite_fail(db, path, "cannot be changed", err);
        sqlite3_close(db);
        return r;
}

/* Makes DIRECTORY/state.db.new of the backup @db, complete and durable. */
static int make_new(sqlite3 *db, const char *path, const char *directory, struct err **err) {
        _cleanup_free_ char *new = NULL, *made = NULL;
        int r;

        if (asprintf(&new, "%s/" SQLITE_STORE_NEW, directory) < 0) {
                new = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        if ((r = make_beside(new, &made, err)) == 0 && (r = give_to_owner(made, directory, err)) == 0 &&
            (r = copy_into(db, path, made, err)) == 0 && (r = skip_revisions(made, err)) == 0 &&
            (r = sync_path(made, O_RDONLY, err)) == 0 && rename(made, new) < 0)
                r = err_errno(err, errno, "%s", new);
        if (r < 0 && made)
                unlink(made);
        return r < 0 ? r : sync_path(directory, O_RDONLY | O_DIRECTORY, err);
}

static int move(int dir, const char *from, const char *to, struct err **err) {
        return renameat(dir, from, dir, to) < 0 && errno != ENOENT ? err_errno(err, errno, "%s", from) : 0;
}

/* The log goes before the database it belongs to: a cut in between leaves an older state, which is about to be
 * replaced, and never a log beside a database that is not its own. */
int sqlite_finish_restore(const char *directory, struct err **err) {
        _cleanup_close_ int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (dir < 0)
                return err_errno(err, errno, "%s", directory);
        if (faccessat(dir, SQLITE_STORE_NEW, F_OK, 0) < 0)
                return errno == ENOENT ? 0 : err_errno(err, errno, "%s/" SQLITE_STORE_NEW, directory);
        if ((r = move(dir, SQLITE_STORE_FILE "-wal", SQLITE_STORE_OLD "-wal", err)) < 0 || fsync(dir) < 0 ||
            (r = move(dir, SQLITE_STORE_FILE "-shm", SQLITE_STORE_OLD "-shm", err)) < 0 ||
            (r = move(dir, SQLITE_STORE_FILE, SQLITE_STORE_OLD, err)) < 0 || fsync(dir) < 0 ||
            (r = move(dir, SQLITE_STORE_NEW, SQLITE_STORE_FILE, err)) < 0 || fsync(dir) < 0)
                return r < 0 ? err_wrap(err, r, "%s", directory) : err_errno(err, errno, "%s", directory);
        return 0;
}

/* What is no backup leaves nothing behind, not even a directory. */
static int restore(sqlite3 *db, const char *path, const char *directory, struct err **err) {
        _cleanup_close_ int lock = -EBADF;
        int r;

        if ((r = sqlite_check_kind(db, path, err)) < 0 || (r = check_whole(db, path, err)) < 0 ||
            (r = files_make_private(directory, err)) < 0 || (r = lock = sqlite_lock(directory, err)) < 0 ||
            (r = make_new(db, path, directory, err)) < 0)
                return r;
        return sqlite_finish_restore(directory, err);
}

int store_restore(const char *path, const char *directory, struct err **err) {
        sqlite3 *db = NULL;
        struct stat st;
        int r;

        if (access(path, R_OK) < 0 || stat(path, &st) < 0)
                return err_errno(err, errno, "restore of %s", path);
        if (!S_ISREG(st.st_mode))
                return err_set(err, EINVAL, "restore of %s: it is no file; give a backup's", path);
        if ((r = sqlite_connect(path, SQLITE_OPEN_READONLY, &db, err)) == 0)
                r = restore(db, path, directory, err);
        sqlite3_close(db);
        return r < 0 ? err_wrap(err, r, "restore of %s", path) : 0;
}
