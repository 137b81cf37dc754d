/* A store on disk: what a kill leaves, files of others, and the log's length. */
#include "tests/unit/store/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

/* What a child process did when it was killed. */
struct shared {
        atomic_int acknowledged;
        _Atomic int64_t revision;
};

static void write_on(struct fixture *f, struct shared *shared, int from) {
        char key[32];

        fixture_open(f);
        for (int i = from;; i++) {
                snprintf(key, sizeof(key), "key-%d", i);
                fixture_change(f->store, "lease", key, STORE_ANY, true, NULL);
                shared->revision = fixture_put(f->store, key, key, STORE_ABSENT);
                shared->acknowledged = i + 1;
        }
}

static void test_kill(void **state) {
        struct fixture *f = *state;
        struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        int64_t before = 0;

        for (int round = 0; round < 12; round++) {
                int from = shared->acknowledged;
                pid_t child;

                store_close(f->store);
                f->store = NULL;
                child = fork();
                assert_true(child >= 0);
                if (child == 0) {
                        write_on(f, shared, from + 1); /* what was under way is there or not */
                        _exit(1);
                }
                for (int i = 0; i < 1000 && shared->acknowledged < from + 5 + round * 7; i++)
                        usleep(2000);
                kill(child, SIGKILL);
                waitpid(child, NULL, 0);
                assert_true(shared->acknowledged > from);
                fixture_open(f);
                assert_true(store_revision(f->store) >= shared->revision && store_revision(f->store) >= before);
                before = store_revision(f->store);
                for (int i = 0; i < shared->acknowledged; i++) {
                        char key[32];

                        snprintf(key, sizeof(key), "key-%d", i);
                        if (round == 0 || i > from)
                                fixture_expect(f->store, key, i == 0 || i == from ? NULL : key, 0);
                }
        }
        munmap(shared, sizeof(*shared));
}

static void test_in_use(void **state) {
        struct fixture *f = *state;
        _cleanup_err_ struct err *err = NULL;
        struct store *second = NULL;

        assert_int_equal(store_open(f->backend, &(struct store_options){ .directory = f->dir }, &second, &err), -EBUSY);
        assert_non_null(strstr(err_text(err), "another process uses it"));
}

static void expect_refused(struct fixture *f, const char *words) {
        _cleanup_err_ struct err *err = NULL;
        struct store *store = NULL;

        assert_int_equal(store_open(f->backend, &(struct store_options){ .directory = f->dir }, &store, &err),
                         -EBADMSG);
        if (!strstr(err_text(err), words) || !strstr(err_text(err), "state.db"))
                fail_msg("%s", err_text(err));
}

static void test_damaged(void **state) {
        struct fixture *f = *state;
        char path[128];
        sqlite3 *db;

        snprintf(path, sizeof(path), "%s/state.db", f->dir);
        fixture_put(f->store, "a", "1", STORE_ABSENT);
        store_close(f->store);
        f->store = NULL;
        fixture_overwrite(path, "this is not a database, but a letter");
        expect_refused(f, "restore a backup");
        unlink(path);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "CREATE TABLE theirs(a)", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        expect_refused(f, "another program");
        unlink(path);
        fixture_open(f);
        store_close(f->store);
        f->store = NULL;
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 9", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        expect_refused(f, "version 9");
}

/* A copy of @f's files as they are, as a kill would leave them; another @f from then on. */
static void leave_log(struct fixture *f, const char *old) {
        char command[300];

        snprintf(command, sizeof(command), "rm -rf %s && cp -r %s %s && chmod 700 %s", f->dir, old, f->dir, f->dir);
        assert_int_equal(system(command), 0);
}

static off_t log_size(const struct fixture *f) {
        struct stat st;
        char path[128];

        snprintf(path, sizeof(path), "%s/state.db-wal", f->dir);
        assert_int_equal(stat(path, &st), 0);
        return st.st_size;
}

/* Turns a bit of the byte @at; behind its end from there on if it is negative. */
static void damage_log(const struct fixture *f, off_t at) {
        _cleanup_close_ int fd = -EBADF;
        char path[128], byte;

        snprintf(path, sizeof(path), "%s/state.db-wal", f->dir);
        fd = open(path, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        at = at < 0 ? log_size(f) + at : at;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 4;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

/* Of a log that a kill has left what is wrong further ahead is damage, and what is wrong at its end may be a cut's. */
static void test_damaged_log(void **state) {
        static const off_t wrong[] = { 0, 20, 32 + 3, 32 + 24 + 100, 32 + 16, 32 + 8, 3 * 4120 + 32 + 24 };
        struct fixture *f = *state;
        struct fixture left = { .backend = f->backend };
        char key[32], target[128], large[65536];
        off_t before;

        snprintf(left.dir, sizeof(left.dir), "%.50s.left", f->dir);
        for (int i = 0; i < 20; i++) {
                snprintf(key, sizeof(key), "key-%d", i);
                fixture_put(f->store, key, "value", STORE_ABSENT);
        }
        for (size_t i = 0; i < ELEMENTS(wrong); i++) {
                leave_log(&left, f->dir);
                damage_log(&left, wrong[i]);
                expect_refused(&left, "-wal: is damaged behind byte");
                expect_refused(&left, "restore a backup, or cut it off there");
                snprintf(target, sizeof(target), "%s.backup", f->dir);
                assert_int_equal(store_backup_of(left.dir, target, NULL), -EBADMSG);
                assert_int_equal(access(target, F_OK), -1);
        }
        leave_log(&left, f->dir);
        fixture_open(&left); /* whole */
        store_close(left.store);
        leave_log(&left, f->dir);
        damage_log(&left, -4120 + 24 + 5); /* the last transaction, as a cut may leave it */
        fixture_open(&left);
        store_close(left.store);
        memset(large, 'l', sizeof(large) - 1);
        large[sizeof(large) - 1] = '\0';
        before = log_size(f);
        fixture_put(f->store, "large", large, STORE_ABSENT);
        leave_log(&left, f->dir);
        damage_log(&left, before + 24); /* pages may come to the disk in any order */
        fixture_open(&left);
        store_close(left.store);
        assert_int_equal(files_remove_tree(left.dir, NULL), 0);
}

/* Also to who has no right to write the file: SQLite tells of neither. */
static void test_read_only(void **state) {
        struct fixture *f = *state;
        _cleanup_err_ struct err *err = NULL;

        if (geteuid() != 0)
                skip();
        store_close(f->store);
        f->store = NULL;
        assert_int_equal(unshare(CLONE_NEWNS), 0);
        assert_int_equal(mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL), 0);
        assert_int_equal(mount(f->dir, f->dir, NULL, MS_BIND, NULL), 0);
        assert_int_equal(mount(NULL, f->dir, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
        assert_int_equal(store_open(f->backend, &(struct store_options){ .directory = f->dir }, &f->store, &err),
                         -EROFS);
        assert_non_null(strstr(err_text(err), "state.db: can only be read"));
        assert_int_equal(umount(f->dir), 0);
        fixture_open(f);
}

/* Whoever reads for long, as a backup does, keeps the log, and nobody waiting: each wait for a connection is ten
 * seconds at most, and there would be many. Between changes the keeper is done with what it can do. */
static void test_long_reads(void **state) {
        struct fixture *f = *state;
        char path[128], key[32], *large = fixture_text(900000);
        struct timespec begun, now;
        sqlite3 *db;

        fixture_put(f->store, "a", "1", STORE_ABSENT);
        snprintf(path, sizeof(path), "%s/state.db", f->dir);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM objects", NULL, NULL, NULL), SQLITE_OK);
        clock_gettime(CLOCK_MONOTONIC, &begun);
        for (int i = 0; i < 20; i++) { /* more than the log is to hold */
                snprintf(key, sizeof(key), "key-%d", i);
                fixture_put(f->store, key, large, STORE_ABSENT);
                usleep(50000);
                clock_gettime(CLOCK_MONOTONIC, &now);
                assert_true(now.tv_sec - begun.tv_sec < 30);
        }
        sqlite3_close(db);
        free(large);
}

/* How often the log has begun anew, as its head says (https://sqlite.org/fileformat2.html#walformat, 4.1). */
static uint32_t log_beginnings(const struct fixture *f) {
        char path[128];
        uint8_t head[16];
        FILE *log;

        snprintf(path, sizeof(path), "%s/state.db-wal", f->dir);
        log = fopen(path, "re");
        assert_non_null(log);
        assert_int_equal(fread(head, 1, sizeof(head), log), sizeof(head));
        fclose(log);
        return (uint32_t)head[12] << 24 | (uint32_t)head[13] << 16 | (uint32_t)head[14] << 8 | head[15];
}

/* What is in the log is moved before there is so much of it that a change would have to wait for it. */
static void test_log_is_moved_beside_the_writer(void **state) {
        struct fixture *f = *state;
        char key[32], *large = fixture_text(600000);
        uint32_t before;

        fixture_put(f->store, "a", "1", STORE_ABSENT);
        before = log_beginnings(f);
        for (int i = 0; i < 8; i++) {
                snprintf(key, sizeof(key), "large-%d", i);
                fixture_put(f->store, key, large, STORE_ABSENT);
        }
        for (int i = 0; i < 100 && log_beginnings(f) == before; i++) {
                usleep(100000);
                fixture_put(f->store, "a", "1", STORE_ANY);
        }
        assert_int_not_equal(log_beginnings(f), before);
        free(large);
}

/* The log stays short under steady writing, and what was deleted is given back. */
static void test_log_stays_short(void **state) {
        struct fixture *f = *state;
        char path[128], key[32];
        struct bytes *value = bytes_new(4096);
        struct waited *many = calloc(8000, sizeof(*many));
        struct stat log, db;

        memset(value->data, 'v', value->size);
        for (int i = 0; i < 8000; i++) {
                snprintf(key, sizeof(key), "key-%d", i);
                many[i].change = (struct store_change){ .key = strdup(key), .value = value, .done = fixture_on_done };
                sem_init(&many[i].done, 0, 0);
                assert_int_equal(store_submit(f->store, &many[i].change), 0);
        }
        for (int i = 0; i < 8000; i++) {
                sem_wait(&many[i].done);
                assert_int_equal(many[i].result.code, 0);
        }
        snprintf(path, sizeof(path), "%s/state.db-wal", f->dir);
        assert_int_equal(stat(path, &log), 0);
        assert_true(log.st_size < 80 << 20);
        for (int i = 0; i < 8000; i++) {
                many[i].change.value = NULL;
                many[i].change.expected = STORE_ANY;
                assert_int_equal(store_submit(f->store, &many[i].change), 0);
        }
        for (int i = 0; i < 8000; i++) {
                sem_wait(&many[i].done);
                free((char *)many[i].change.key);
        }
        for (int i = 0; i < 200; i++)
                fixture_put(f->store, "a", "1", STORE_ANY);
        fixture_reopen(f);
        snprintf(path, sizeof(path), "%s/state.db", f->dir);
        assert_int_equal(stat(path, &db), 0);
        assert_true(db.st_size < 20 << 20);
        bytes_unref(value);
        free(many);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                FIXTURE_SQLITE(test_kill),
                FIXTURE_SQLITE(test_in_use),
                FIXTURE_SQLITE(test_damaged),
                FIXTURE_SQLITE(test_damaged_log),
                FIXTURE_SQLITE(test_read_only),
                FIXTURE_SQLITE(test_log_is_moved_beside_the_writer),
                FIXTURE_SQLITE(test_log_stays_short),
                FIXTURE_SQLITE(test_long_reads),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
