#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

struct fixture {
        const struct store_backend *backend;
        char dir[64];
        struct store *store;
};

static void open_store(struct fixture *f) {
        _cleanup_err_ struct err *err = NULL;
        int r = store_open(f->backend, &(struct store_options){ .directory = f->dir, .lazy_ms = 60000 }, &f->store,
                           &err);

        if (r < 0)
                fail_msg("%s", err_text(err));
}

static void reopen(struct fixture *f) {
        store_close(f->store);
        open_store(f);
}

static int set_up(void **state, const struct store_backend *backend) {
        struct fixture *f = calloc(1, sizeof(*f));

        f->backend = backend;
        strcpy(f->dir, "/tmp/nacelle-store-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        open_store(f);
        *state = f;
        return 0;
}

static int set_up_memory(void **state) {
        return set_up(state, &store_memory);
}

static int set_up_sqlite(void **state) {
        return set_up(state, &store_sqlite);
}

static int tear_down(void **state) {
        struct fixture *f = *state;

        store_close(f->store);
        assert_int_equal(files_remove_tree(f->dir, NULL), 0);
        free(f);
        return 0;
}

/* A change and its end, waited for. */
struct waited {
        struct store_change change;
        struct store_result result;
        char text[256];
        sem_t done;
};

static void on_done(struct store_change *change, const struct store_result *result) {
        struct waited *w = (struct waited *)change;

        w->result = *result;
        snprintf(w->text, sizeof(w->text), "%s", result->text ?: "");
        sem_post(&w->done);
}

static struct store_result submit(struct store *store, struct waited *w, const char *value) {
        w->change.done = on_done;
        w->change.value = value ? bytes_copy(value, strlen(value)) : NULL;
        sem_init(&w->done, 0, 0);
        assert_int_equal(store_submit(store, &w->change), 0);
        while (sem_wait(&w->done) < 0)
                ;
        sem_destroy(&w->done);
        bytes_unref(w->change.value);
        return w->result;
}

static struct store_result change(struct store *store, const char *key, const char *value, int64_t expected, bool lazy,
                                  char text[256]) {
        struct waited w = { .change = { .key = key, .expected = expected, .lazy = lazy } };

        submit(store, &w, value);
        if (text)
                strcpy(text, w.text);
        return w.result;
}

static int64_t put(struct store *store, const char *key, const char *value, int64_t expected) {
        struct store_result result = change(store, key, value, expected, false, NULL);

        assert_int_equal(result.code, 0);
        return result.revision;
}

static void expect(struct store *store, const char *key, const char *value, int64_t revision) {
        _cleanup_bytes_ struct bytes *bytes = NULL;
        int64_t found = 0;

        assert_int_equal(store_get(store, key, &bytes, &found, NULL), value ? 0 : -ENOENT);
        if (!value)
                return;
        assert_int_equal(bytes->size, strlen(value));
        assert_memory_equal(bytes->data, value, bytes->size);
        if (revision)
                assert_int_equal(found, revision);
}

static const struct refusal {
        const char *key, *value;
        int64_t expected; /* relative to a's revision when above 0 */
        int code;
} refusals[] = {
        { "a", "x", STORE_ABSENT, -EEXIST },
        { "b", "x", 1, -ENOENT },
        { "b", NULL, STORE_ANY, -ENOENT },
        { "b", NULL, 1, -ENOENT },
        { "b", NULL, STORE_ABSENT, -ENOENT },
        { "a", "x", 2, -ESTALE },
        { "a", NULL, 2, -ESTALE },
        { "a", NULL, STORE_ABSENT, -ESTALE },
};

static void test_refusals(void **state) {
        struct store *store = ((struct fixture *)*state)->store;
        int64_t a = put(store, "a", "one", STORE_ABSENT);

        for (int lazy = 0; lazy < 2; lazy++)
                for (size_t i = 0; i < ELEMENTS(refusals); i++) {
                        const struct refusal *r = &refusals[i];
                        struct store_result result =
                                change(store, r->key, r->value, r->expected > 0 ? r->expected + a - 1 : r->expected,
                                       lazy, NULL);

                        if (result.code != r->code)
                                fail_msg("case %zu: %d, not %d", i, result.code, r->code);
                        assert_int_equal(result.revision, *r->key == 'a' ? a : 0);
                        assert_int_equal(store_revision(store), a);
                }
        expect(store, "a", "one", a);
}

static void test_changes(void **state) {
        struct fixture *f = *state;
        int64_t first = put(f->store, "a", "one", STORE_ABSENT), second = put(f->store, "a", "two", first);

        assert_int_equal(second, first + 1);
        assert_int_equal(put(f->store, "a", "three", STORE_ANY), first + 2);
        assert_int_equal(put(f->store, "b", "any", STORE_ANY), first + 3);
        expect(f->store, "a", "three", first + 2);
        assert_int_equal(put(f->store, "a", NULL, first + 2), first + 4);
        expect(f->store, "a", NULL, 0);
        assert_int_equal(put(f->store, "a", "", STORE_ABSENT), first + 5); /* an empty value is one */
        expect(f->store, "a", "", first + 5);
        assert_int_equal(put(f->store, "b", NULL, STORE_ANY), first + 6);
        assert_int_equal(store_revision(f->store), first + 6);
        if (f->backend == &store_memory)
                return;
        reopen(f);
        assert_int_equal(store_revision(f->store), first + 6);
        expect(f->store, "a", "", first + 5);
        expect(f->store, "b", NULL, 0);
}

/* The revision as eight digits at the value's end. */
static void write_revision(struct store_change *c, int64_t revision) {
        snprintf((char *)c->value->data + 2, 9, "%08lld", (long long)revision);
}

static void test_stamp(void **state) {
        struct store *store = ((struct fixture *)*state)->store;

        put(store, "before", "1", STORE_ABSENT);
        for (int lazy = 0; lazy < 2; lazy++) {
                struct waited w = { .change = {
                                            .key = lazy ? "lazy" : "a", .stamp = write_revision, .done = on_done } };

                w.change.value = bytes_copy("v=--------", 11);
                w.change.value->size = 10;
                w.change.lazy = lazy;
                sem_init(&w.done, 0, 0);
                assert_int_equal(store_submit(store, &w.change), 0);
                sem_wait(&w.done);
                assert_int_equal(w.result.revision, 2 + lazy);
                expect(store, w.change.key, lazy ? "v=00000003" : "v=00000002", 2 + lazy);
                bytes_unref(w.change.value);
        }
}

static void test_bounds(void **state) {
        struct store *store = ((struct fixture *)*state)->store;
        char key[STORE_KEY_MAX + 1];
        struct store_change c = { .key = key, .done = on_done };
        struct bytes *large = bytes_new(STORE_VALUE_MAX + 1);

        memset(large->data, 'v', large->size);
        memset(key, 'k', sizeof(key));
        key[STORE_KEY_MAX] = '\0';
        assert_int_equal(store_submit(store, &c), -EINVAL);
        key[STORE_KEY_MAX - 1] = '\0';
        assert_true(put(store, key, "value", STORE_ABSENT) > 0);
        expect(store, key, "value", 0);
        c.key = "";
        assert_int_equal(store_submit(store, &c), -EINVAL);
        c.key = "large";
        c.value = large;
        assert_int_equal(store_submit(store, &c), -EINVAL);
        large->size = STORE_VALUE_MAX;
        {
                struct waited w = { .change = { .key = "large", .value = large, .done = on_done } };
                _cleanup_bytes_ struct bytes *back = NULL;
                int64_t revision;

                sem_init(&w.done, 0, 0);
                assert_int_equal(store_submit(store, &w.change), 0);
                sem_wait(&w.done);
                assert_int_equal(w.result.code, 0);
                assert_int_equal(store_get(store, "large", &back, &revision, NULL), 0);
                assert_int_equal(back->size, STORE_VALUE_MAX);
                assert_memory_equal(back->data, large->data, large->size);
        }
        bytes_unref(large);
}

struct seen {
        char keys[16][32];
        int n, stop_at;
};

static int see(void *data, const char *key, const void *value, size_t size, int64_t revision) {
        struct seen *seen = data;

        assert_true(revision > 0);
        assert_int_equal(size, strlen(key));
        assert_memory_equal(value, key, size);
        strcpy(seen->keys[seen->n++], key);
        return seen->n == seen->stop_at ? 7 : 0;
}

static void test_scan(void **state) {
        static const char *const keys[] = {
                "/pods/b/x", "/pods/a/y", "/pods/a/x", "/nodes/n", "/pods/a\xff", "/podsx"
        };
        struct store *store = ((struct fixture *)*state)->store;
        struct seen seen = { 0 };

        for (size_t i = 0; i < ELEMENTS(keys); i++)
                put(store, keys[i], keys[i], STORE_ABSENT);
        assert_int_equal(change(store, "/pods/a/z", "/pods/a/z", STORE_ABSENT, true, NULL).code, 0);
        assert_int_equal(store_scan(store, "/pods/a/", see, &seen, NULL), 0);
        assert_int_equal(seen.n, 3);
        assert_string_equal(seen.keys[0], "/pods/a/x");
        assert_string_equal(seen.keys[2], "/pods/a/z");
        seen = (struct seen){ 0 };
        assert_int_equal(store_scan(store, "", see, &seen, NULL), 0);
        assert_int_equal(seen.n, 7);
        assert_string_equal(seen.keys[0], "/nodes/n");
        assert_string_equal(seen.keys[6], "/podsx");
        seen = (struct seen){ .stop_at = 2 };
        assert_int_equal(store_scan(store, "/pods", see, &seen, NULL), 7);
        assert_int_equal(seen.n, 2);
        seen = (struct seen){ 0 };
        assert_int_equal(store_scan(store, "/pods/a\xff", see, &seen, NULL), 0);
        assert_int_equal(seen.n, 1);
}

/* Several threads, each counting up keys of its own and one that all share, as clients do that try again. */
#define THREADS 4
#define STEPS 300

struct counter {
        struct store *store;
        int number;
        atomic_int *conflicts;
};

static void *count_up(void *data) {
        struct counter *c = data;
        char key[32], text[32];
        int64_t mine = STORE_ABSENT;

        snprintf(key, sizeof(key), "own-%d", c->number);
        for (int i = 0; i < STEPS; i++) {
                snprintf(text, sizeof(text), "%d", i);
                mine = put(c->store, key, text, mine);
                for (struct store_result r = { .code = -ESTALE }; r.code < 0;) {
                        _cleanup_bytes_ struct bytes *value = NULL;
                        int64_t revision = 0;
                        int n = 0;

                        if (store_get(c->store, "shared", &value, &revision, NULL) == 0) {
                                snprintf(text, sizeof(text), "%.8s", (const char *)value->data);
                                n = atoi(text);
                        }
                        snprintf(text, sizeof(text), "%08d", n + 1);
                        r = change(c->store, "shared", text, revision, false, NULL);
                        atomic_fetch_add(c->conflicts, r.code < 0);
                }
        }
        return NULL;
}

static void test_threads(void **state) {
        struct store *store = ((struct fixture *)*state)->store;
        pthread_t threads[THREADS];
        struct counter counters[THREADS];
        atomic_int conflicts = 0;
        char text[32];

        for (int i = 0; i < THREADS; i++) {
                counters[i] = (struct counter){ store, i, &conflicts };
                pthread_create(&threads[i], NULL, count_up, &counters[i]);
        }
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        snprintf(text, sizeof(text), "%08d", THREADS * STEPS);
        expect(store, "shared", text, 0);
        assert_int_equal(store_revision(store), 2 * THREADS * STEPS); /* refusals take none */
}

/* The writer held up in a callback: what comes meanwhile is one group, told in order; the queue has an end. */
static sem_t entered, go_on;
static int64_t last_revision;

static void hold(struct store_change *c, const struct store_result *result) {
        sem_post(&entered);
        sem_wait(&go_on);
}

static void in_order(struct store_change *c, const struct store_result *result) {
        assert_int_equal(result->code, 0);
        assert_true(result->revision > last_revision);
        last_revision = result->revision;
}

static void test_queue_ends(void **state) {
        struct store *store = ((struct fixture *)*state)->store;
        struct store_change first = {
                .key = "first", .value = bytes_copy("1", 1), .expected = STORE_ANY, .done = hold
        };
        struct store_change *many = calloc(STORE_QUEUE_MAX + 1, sizeof(*many));
        struct bytes *value = bytes_copy("v", 1);

        sem_init(&entered, 0, 0);
        sem_init(&go_on, 0, 0);
        last_revision = 0;
        assert_int_equal(store_submit(store, &first), 0);
        sem_wait(&entered);
        for (int i = 0; i < STORE_QUEUE_MAX; i++) {
                many[i] =
                        (struct store_change){ .key = "same", .value = value, .expected = STORE_ANY, .done = in_order };
                assert_int_equal(store_submit(store, &many[i]), 0);
        }
        many[STORE_QUEUE_MAX] = many[0];
        many[STORE_QUEUE_MAX].in_queue = (struct list_node){ 0 };
        assert_int_equal(store_submit(store, &many[STORE_QUEUE_MAX]), -EAGAIN);
        sem_post(&go_on);
        while (store_submit(store, &first) == -EAGAIN)
                usleep(1000);
        sem_wait(&entered);
        sem_post(&go_on);
        assert_int_equal(last_revision, STORE_QUEUE_MAX + 1);
        bytes_unref(value);
        bytes_unref(first.value);
        free(many);
}

static void test_lazy(void **state) {
        struct fixture *f = *state;
        int64_t revision, lease;

        put(f->store, "a", "1", STORE_ABSENT);
        lease = change(f->store, "lease", "1", STORE_ABSENT, true, NULL).revision;
        assert_int_equal(lease, 2);
        expect(f->store, "lease", "1", lease);
        revision = change(f->store, "lease", "2", lease, true, NULL).revision;
        assert_int_equal(change(f->store, "lease", "x", lease, true, NULL).code, -ESTALE);
        assert_int_equal(change(f->store, "lease", "x", lease, false, NULL).code, -ESTALE);
        expect(f->store, "lease", "2", revision);
        assert_int_equal(change(f->store, "lease", NULL, revision, true, NULL).code, 0);
        expect(f->store, "lease", NULL, 0);
        revision = change(f->store, "lease", "3", STORE_ABSENT, true, NULL).revision;
        assert_int_equal(put(f->store, "b", "1", STORE_ABSENT), revision + 1);
        expect(f->store, "lease", "3", revision);
        if (f->backend == &store_memory)
                return;
        change(f->store, "lease", "4", revision, true, NULL);
        reopen(f); /* a clean end loses nothing */
        expect(f->store, "lease", "4", 0);
}

/* What a child process did when it was killed. */
struct shared {
        atomic_int acknowledged;
        _Atomic int64_t revision;
};

static void write_on(struct fixture *f, struct shared *shared, int from) {
        char key[32];

        open_store(f);
        for (int i = from;; i++) {
                snprintf(key, sizeof(key), "key-%d", i);
                change(f->store, "lease", key, STORE_ANY, true, NULL);
                shared->revision = put(f->store, key, key, STORE_ABSENT);
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
                open_store(f);
                assert_true(store_revision(f->store) >= shared->revision && store_revision(f->store) >= before);
                before = store_revision(f->store);
                for (int i = 0; i < shared->acknowledged; i++) {
                        char key[32];

                        snprintf(key, sizeof(key), "key-%d", i);
                        if (round == 0 || i > from)
                                expect(f->store, key, i == 0 || i == from ? NULL : key, 0);
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

static void overwrite(const char *path, const char *text) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
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
        put(f->store, "a", "1", STORE_ABSENT);
        store_close(f->store);
        f->store = NULL;
        overwrite(path, "this is not a database, but a letter");
        expect_refused(f, "restore a backup");
        unlink(path);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "CREATE TABLE theirs(a)", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        expect_refused(f, "another program");
        unlink(path);
        open_store(f);
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
                put(f->store, key, "value", STORE_ABSENT);
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
        open_store(&left); /* whole */
        store_close(left.store);
        leave_log(&left, f->dir);
        damage_log(&left, -4120 + 24 + 5); /* the last transaction, as a cut may leave it */
        open_store(&left);
        store_close(left.store);
        memset(large, 'l', sizeof(large) - 1);
        large[sizeof(large) - 1] = '\0';
        before = log_size(f);
        put(f->store, "large", large, STORE_ABSENT);
        leave_log(&left, f->dir);
        damage_log(&left, before + 24); /* pages may come to the disk in any order */
        open_store(&left);
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
        open_store(f);
}

/* Takes what space there is left. */
static void fill(const struct fixture *f) {
        char path[128];
        int fd;

        snprintf(path, sizeof(path), "%s/filler", f->dir);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        for (char page[4096] = { 0 }; write(fd, page, sizeof(page)) > 0;)
                ;
        close(fd);
}

/* A file system of its own that is small; also for who starts on it once it is full, and asks for what needs no change.
 */
static void test_full_disk(void **state) {
        struct fixture *f = *state;
        char text[256], key[32], large[8192];
        struct store_result result = { 0 };
        int n;

        if (geteuid() != 0)
                skip();
        store_close(f->store);
        assert_int_equal(unshare(CLONE_NEWNS), 0);
        assert_int_equal(mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL), 0);
        assert_int_equal(mount("store", f->dir, "tmpfs", 0, "size=1m"), 0);
        open_store(f);
        memset(large, 'l', sizeof(large) - 1);
        large[sizeof(large) - 1] = '\0';
        for (n = 0; n < 1000 && result.code == 0; n++) {
                snprintf(key, sizeof(key), "key-%d", n);
                result = change(f->store, key, large, STORE_ABSENT, false, text);
        }
        assert_int_equal(result.code, -ENOSPC);
        assert_non_null(strstr(text, "state.db"));
        assert_non_null(strstr(text, "until there is space"));
        for (int i = 0; i < n - 1; i++) {
                snprintf(key, sizeof(key), "key-%d", i);
                expect(f->store, key, large, 0);
        }
        assert_int_equal(change(f->store, "another", large, STORE_ABSENT, false, NULL).code, -ENOSPC);
        fill(f);
        reopen(f);
        assert_int_equal(change(f->store, "key-0", large, STORE_ABSENT, true, NULL).code, -EEXIST);
        expect(f->store, "key-0", large, 0);
        assert_int_equal(mount("store", f->dir, "tmpfs", MS_REMOUNT, "size=8m"), 0);
        put(f->store, "another", large, STORE_ABSENT);
        reopen(f);
        expect(f->store, "another", large, 0);
        expect(f->store, "key-0", large, 0);
        store_close(f->store);
        assert_int_equal(umount(f->dir), 0);
        open_store(f);
}

/* Whatever the disk is full of: what is deleted goes, also step by step, and nothing else changes meanwhile; others do
 * once that has made enough room. */
static void test_room_on_a_full_disk(void **state) {
        struct fixture *f = *state;
        struct waited step = { .change = { .key = "key-0", .expected = STORE_ANY, .makes_room = true } };
        char key[32], text[256], *large = malloc(400001);
        int n = 0;

        if (geteuid() != 0)
                skip();
        store_close(f->store);
        assert_int_equal(unshare(CLONE_NEWNS), 0);
        assert_int_equal(mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL), 0);
        assert_int_equal(mount("store", f->dir, "tmpfs", 0, "size=32m"), 0);
        open_store(f);
        memset(large, 'l', 400000);
        large[400000] = '\0';
        do
                snprintf(key, sizeof(key), "key-%d", n++);
        while (n < 200 && change(f->store, key, large, STORE_ABSENT, false, text).code == 0);
        assert_in_range(n, 10, 199);
        assert_non_null(strstr(text, "until there is space"));
        change(f->store, "lease", "1", STORE_ABSENT, true, NULL);
        assert_int_equal(submit(f->store, &step, "marked").code, 0);
        assert_int_equal(change(f->store, "another", "x", STORE_ABSENT, false, text).code, -ENOSPC);
        assert_non_null(strstr(text, "until there is space"));
        for (int i = 0; i < n - 1; i++) {
                snprintf(key, sizeof(key), "key-%d", i);
                assert_int_equal(change(f->store, key, NULL, STORE_ANY, false, NULL).code, 0);
                expect(f->store, key, NULL, 0);
        }
        put(f->store, "another", large, STORE_ABSENT);
        reopen(f);
        expect(f->store, "key-1", NULL, 0);
        expect(f->store, "another", large, 0);
        store_close(f->store);
        assert_int_equal(umount(f->dir), 0);
        open_store(f);
        free(large);
}

static void touch(const struct fixture *f, const char *name) {
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", f->dir, name);
        assert_int_equal(close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), 0);
}

static bool is_there(const struct fixture *f, const char *name, struct stat *ret_status) {
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", f->dir, name);
        return stat(path, ret_status) == 0;
}

/* What a process that was killed had begun to keep is made whole; what somebody removes is made again once there is
 * space. */
static void test_half_a_reserve(void **state) {
        struct fixture *f = *state;
        char key[32], path[128], *large = malloc(400001);
        struct stat status;

        if (geteuid() != 0)
                skip();
        store_close(f->store);
        assert_int_equal(unshare(CLONE_NEWNS), 0);
        assert_int_equal(mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL), 0);
        assert_int_equal(mount("store", f->dir, "tmpfs", 0, "size=32m"), 0);
        touch(f, "state.db.reserve");
        touch(f, "state.db.reserve.new");
        open_store(f);
        put(f->store, "a", "1", STORE_ABSENT);
        reopen(f);
        assert_true(is_there(f, "state.db.reserve", &status) && status.st_size == 8 << 20);
        assert_false(is_there(f, "state.db.reserve.new", &status));
        memset(large, 'l', 400000);
        large[400000] = '\0';
        for (int i = 0; i < 20; i++) {
                snprintf(key, sizeof(key), "key-%d", i);
                put(f->store, key, large, STORE_ABSENT);
        }
        snprintf(path, sizeof(path), "%s/state.db.reserve", f->dir);
        assert_int_equal(unlink(path), 0);
        fill(f);
        while (change(f->store, "more", large, STORE_ANY, false, NULL).code == 0)
                fill(f);
        snprintf(path, sizeof(path), "%s/filler", f->dir);
        assert_int_equal(unlink(path), 0);
        put(f->store, "key-1", NULL, STORE_ANY);
        put(f->store, "a", "2", STORE_ANY);
        assert_true(is_there(f, "state.db.reserve", &status) && status.st_size == 8 << 20);
        store_close(f->store);
        assert_int_equal(umount(f->dir), 0);
        open_store(f);
        free(large);
}

/* Whoever reads for long, as a backup does, keeps the log, and nobody waiting: each wait for a connection is ten
 * seconds at most, and there would be many. Between changes the keeper is done with what it can do. */
static void test_long_reads(void **state) {
        struct fixture *f = *state;
        char path[128], key[32], *large = malloc(900001);
        struct timespec begun, now;
        sqlite3 *db;

        memset(large, 'l', 900000);
        large[900000] = '\0';
        put(f->store, "a", "1", STORE_ABSENT);
        snprintf(path, sizeof(path), "%s/state.db", f->dir);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM objects", NULL, NULL, NULL), SQLITE_OK);
        clock_gettime(CLOCK_MONOTONIC, &begun);
        for (int i = 0; i < 20; i++) { /* more than the log is to hold */
                snprintf(key, sizeof(key), "key-%d", i);
                put(f->store, key, large, STORE_ABSENT);
                usleep(50000);
                clock_gettime(CLOCK_MONOTONIC, &now);
                assert_true(now.tv_sec - begun.tv_sec < 30);
        }
        sqlite3_close(db);
        free(large);
}

/* A backup takes nothing of the store's own away, and no device. */
static void refuse_own_files(struct fixture *f) {
        static const char *const names[] = { "state.db", "state.db-wal", "state.db.new", "./state.db" };
        char path[256];
        struct err *err = NULL;

        for (size_t i = 0; i < ELEMENTS(names); i++) {
                snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
                assert_int_equal(store_backup(f->store, path, &err), -EINVAL);
                assert_non_null(strstr(err_text(err), "is of the store itself; give another file"));
                err_free(err);
                err = NULL;
        }
        assert_int_equal(store_backup(f->store, "/dev/null", &err), -EINVAL);
        assert_non_null(strstr(err_text(err), "/dev/null is no file"));
        err_free(err);
}

static void test_backup(void **state) {
        struct fixture *f = *state;
        _cleanup_err_ struct err *err = NULL;
        char path[128], other[128], none[128];
        struct fixture restored = { .backend = &store_sqlite };
        int64_t a, b;

        snprintf(path, sizeof(path), "%s/backup", f->dir);
        snprintf(other, sizeof(other), "%s/other", f->dir);
        a = put(f->store, "a", "1", STORE_ABSENT);
        change(f->store, "lease", "1", STORE_ABSENT, true, NULL);
        assert_int_equal(store_backup(f->store, path, &err), 0);
        b = put(f->store, "a", "2", a);
        refuse_own_files(f);
        assert_int_equal(store_backup(f->store, "/nowhere/backup", &err), -ENOENT);
        assert_non_null(strstr(err_text(err), "/nowhere/backup"));
        err = err_free(err);
        assert_int_equal(store_restore(path, f->dir, &err), -EBUSY);
        err = err_free(err);

        assert_int_equal(store_restore(path, other, &err), 0);
        strcpy(restored.dir, other);
        open_store(&restored);
        expect(restored.store, "a", "1", a);
        expect(restored.store, "lease", "1", 0);
        assert_true(store_revision(restored.store) > b); /* what clients saw is not given again */
        put(restored.store, "later", "1", STORE_ABSENT);
        store_close(restored.store);
        assert_int_equal(store_restore(path, other, &err), 0); /* over what is there */
        open_store(&restored);
        expect(restored.store, "later", NULL, 0);
        store_close(restored.store);

        overwrite(path, "not a database");
        assert_int_equal(store_restore(path, other, &err), -EBADMSG);
        assert_non_null(strstr(err_text(err), path));
        open_store(&restored);
        expect(restored.store, "a", "1", a);
        store_close(restored.store);

        snprintf(none, sizeof(none), "%s/none", f->dir);
        err = err_free(err);
        assert_int_equal(store_restore(path, none, &err), -EBADMSG);
        assert_int_equal(access(none, F_OK), -1); /* nor is a directory made */
}

/* A restore that was cut off between any two steps is ended by the next start. */
static void test_restore_cut(void **state) {
        struct fixture *f = *state;
        char backup[128], new[160], old[160], log[160];

        snprintf(backup, sizeof(backup), "%s/backup", f->dir);
        put(f->store, "a", "backup", STORE_ABSENT);
        assert_int_equal(store_backup(f->store, backup, NULL), 0);
        for (int step = 0; step < 2; step++) {
                put(f->store, "a", "later", STORE_ANY);
                store_close(f->store);
                snprintf(new, sizeof(new), "%s/state.db.new", f->dir);
                snprintf(old, sizeof(old), "%s/state.db", f->dir);
                snprintf(log, sizeof(log), "%s/state.db-wal", f->dir);
                assert_int_equal(link(backup, new), 0);
                overwrite(log, "a log of what was here before");
                if (step == 1)
                        unlink(old);
                open_store(f);
                expect(f->store, "a", "backup", 0);
                assert_int_equal(store_backup(f->store, backup, NULL), 0);
        }
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
        char key[32], *large = malloc(600001);
        uint32_t before;

        memset(large, 'l', 600000);
        large[600000] = '\0';
        put(f->store, "a", "1", STORE_ABSENT);
        before = log_beginnings(f);
        for (int i = 0; i < 8; i++) {
                snprintf(key, sizeof(key), "large-%d", i);
                put(f->store, key, large, STORE_ABSENT);
        }
        for (int i = 0; i < 100 && log_beginnings(f) == before; i++) {
                usleep(100000);
                put(f->store, "a", "1", STORE_ANY);
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
                many[i].change = (struct store_change){ .key = strdup(key), .value = value, .done = on_done };
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
                put(f->store, "a", "1", STORE_ANY);
        reopen(f);
        snprintf(path, sizeof(path), "%s/state.db", f->dir);
        assert_int_equal(stat(path, &db), 0);
        assert_true(db.st_size < 20 << 20);
        bytes_unref(value);
        free(many);
}

#define BOTH(name)                                                                                                     \
        { #name ": memory", name, set_up_memory, tear_down, NULL }, {                                                  \
#name ": sqlite", name, set_up_sqlite, tear_down, NULL                                                 \
        }
#define SQLITE(name)                                                                                                   \
        { #name, name, set_up_sqlite, tear_down, NULL }

int main(void) {
        const struct CMUnitTest tests[] = {
                BOTH(test_refusals),
                BOTH(test_stamp),
                BOTH(test_changes),
                BOTH(test_bounds),
                BOTH(test_scan),
                BOTH(test_threads),
                BOTH(test_queue_ends),
                BOTH(test_lazy),
                SQLITE(test_kill),
                SQLITE(test_in_use),
                SQLITE(test_damaged),
                SQLITE(test_damaged_log),
                SQLITE(test_read_only),
                SQLITE(test_backup),
                SQLITE(test_restore_cut),
                SQLITE(test_log_is_moved_beside_the_writer),
                SQLITE(test_log_stays_short),
                SQLITE(test_full_disk),
                SQLITE(test_room_on_a_full_disk),
                SQLITE(test_long_reads),
                SQLITE(test_half_a_reserve),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
