/* A store on a disk that is full. */
#include "tests/unit/store/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* A small file system of its own, in place of the fixture's directory. */
static void mount_small(struct fixture *f, const char *size) {
        if (geteuid() != 0)
                skip();
        store_close(f->store);
        assert_int_equal(unshare(CLONE_NEWNS), 0);
        assert_int_equal(mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL), 0);
        assert_int_equal(mount("store", f->dir, "tmpfs", 0, size), 0);
}

static void unmount_small(struct fixture *f) {
        store_close(f->store);
        assert_int_equal(umount(f->dir), 0);
        fixture_open(f);
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

/* Also for who starts on it once it is full, and asks for what needs no change. */
static void test_full_disk(void **state) {
        struct fixture *f = *state;
        char text[256], key[32], large[8192];
        struct store_result result = { 0 };
        int n;

        mount_small(f, "size=1m");
        fixture_open(f);
        memset(large, 'l', sizeof(large) - 1);
        large[sizeof(large) - 1] = '\0';
        for (n = 0; n < 1000 && result.code == 0; n++) {
                snprintf(key, sizeof(key), "key-%d", n);
                result = fixture_change(f->store, key, large, STORE_ABSENT, false, text);
        }
        assert_int_equal(result.code, -ENOSPC);
        assert_non_null(strstr(text, "state.db"));
        assert_non_null(strstr(text, "until there is space"));
        for (int i = 0; i < n - 1; i++) {
                snprintf(key, sizeof(key), "key-%d", i);
                fixture_expect(f->store, key, large, 0);
        }
        assert_int_equal(fixture_change(f->store, "another", large, STORE_ABSENT, false, NULL).code, -ENOSPC);
        fill(f);
        fixture_reopen(f);
        assert_int_equal(fixture_change(f->store, "key-0", large, STORE_ABSENT, true, NULL).code, -EEXIST);
        fixture_expect(f->store, "key-0", large, 0);
        assert_int_equal(mount("store", f->dir, "tmpfs", MS_REMOUNT, "size=8m"), 0);
        fixture_put(f->store, "another", large, STORE_ABSENT);
        fixture_reopen(f);
        fixture_expect(f->store, "another", large, 0);
        fixture_expect(f->store, "key-0", large, 0);
        unmount_small(f);
}

/* Whatever the disk is full of: what is deleted goes, also step by step, and nothing else changes meanwhile; others do
 * once that has made enough room. */
static void test_room_on_a_full_disk(void **state) {
        struct fixture *f = *state;
        struct waited step = { .change = { .key = "key-0", .expected = STORE_ANY, .makes_room = true } };
        char key[32], text[256], *large = fixture_text(400000);
        int n = 0;

        mount_small(f, "size=32m");
        fixture_open(f);
        do
                snprintf(key, sizeof(key), "key-%d", n++);
        while (n < 200 && fixture_change(f->store, key, large, STORE_ABSENT, false, text).code == 0);
        assert_in_range(n, 10, 199);
        assert_non_null(strstr(text, "until there is space"));
        fixture_change(f->store, "lease", "1", STORE_ABSENT, true, NULL);
        assert_int_equal(fixture_submit(f->store, &step, "marked").code, 0);
        assert_int_equal(fixture_change(f->store, "another", "x", STORE_ABSENT, false, text).code, -ENOSPC);
        assert_non_null(strstr(text, "until there is space"));
        for (int i = 0; i < n - 1; i++) {
                snprintf(key, sizeof(key), "key-%d", i);
                assert_int_equal(fixture_change(f->store, key, NULL, STORE_ANY, false, NULL).code, 0);
                fixture_expect(f->store, key, NULL, 0);
        }
        fixture_put(f->store, "another", large, STORE_ABSENT);
        fixture_reopen(f);
        fixture_expect(f->store, "key-1", NULL, 0);
        fixture_expect(f->store, "another", large, 0);
        unmount_small(f);
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
        char key[32], path[128], *large = fixture_text(400000);
        struct stat status;

        mount_small(f, "size=32m");
        touch(f, "state.db.reserve");
        touch(f, "state.db.reserve.new");
        fixture_open(f);
        fixture_put(f->store, "a", "1", STORE_ABSENT);
        fixture_reopen(f);
        assert_true(is_there(f, "state.db.reserve", &status) && status.st_size == 8 << 20);
        assert_false(is_there(f, "state.db.reserve.new", &status));
        for (int i = 0; i < 20; i++) {
                snprintf(key, sizeof(key), "key-%d", i);
                fixture_put(f->store, key, large, STORE_ABSENT);
        }
        snprintf(path, sizeof(path), "%s/state.db.reserve", f->dir);
        assert_int_equal(unlink(path), 0);
        fill(f);
        while (fixture_change(f->store, "more", large, STORE_ANY, false, NULL).code == 0)
                fill(f);
        snprintf(path, sizeof(path), "%s/filler", f->dir);
        assert_int_equal(unlink(path), 0);
        fixture_put(f->store, "key-1", NULL, STORE_ANY);
        fixture_put(f->store, "a", "2", STORE_ANY);
        assert_true(is_there(f, "state.db.reserve", &status) && status.st_size == 8 << 20);
        unmount_small(f);
        free(large);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                FIXTURE_SQLITE(test_full_disk),
                FIXTURE_SQLITE(test_room_on_a_full_disk),
                FIXTURE_SQLITE(test_half_a_reserve),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
