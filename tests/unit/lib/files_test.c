#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"

static char top[64];

static int setup(void **state) {
        (void)state;
        strcpy(top, "/tmp/nacelle-files-XXXXXX");
        return mkdtemp(top) ? 0 : -1;
}

static int teardown(void **state) {
        (void)state;
        return files_remove_tree(top, NULL);
}

static const char *in_top(const char *name) {
        static char path[256];

        snprintf(path, sizeof(path), "%s/%s", top, name);
        return path;
}

static void test_read_and_replace(void **state) {
        _cleanup_err_ struct err *err = NULL;
        _cleanup_free_ char *data = NULL;
        struct stat st;
        size_t size;

        (void)state;
        assert_int_equal(files_replace(in_top("file"), "one", 3, 0600, NULL), 0);
        assert_int_equal(files_replace(in_top("file"), "two\0!", 5, 0640, NULL), 0);
        assert_int_equal(stat(in_top("file"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(files_read(in_top("file"), 5, &data, &size, NULL), 0); /* the limit */
        assert_int_equal(size, 5);
        assert_memory_equal(data, "two\0!", 6);
        assert_int_equal(files_read(in_top("file"), 4, &data, &size, &err), -EFBIG); /* and one past it */
        assert_non_null(strstr(err_text(err), "more than 4 bytes"));
        assert_int_equal(files_read(in_top("none"), 4, &data, NULL, NULL), -ENOENT);
        assert_int_equal(files_replace(in_top("none/file"), "x", 1, 0600, NULL), -ENOENT);
}

/* The kernel says that these are empty. */
static void test_read_proc(void **state) {
        _cleanup_free_ char *data = NULL;
        size_t size;

        (void)state;
        assert_int_equal(files_read("/proc/self/status", 1 << 20, &data, &size, NULL), 0);
        assert_true(size > 100 && strlen(data) == size);
}

/* A pipe has no size either, and comes in pieces. */
static void check_pipe(size_t written, size_t max, int expected) {
        _cleanup_free_ char *data = NULL, *read = NULL;
        size_t size = 0;
        int fds[2];

        data = malloc(written);
        assert_non_null(data);
        for (size_t i = 0; i < written; i++)
                data[i] = (char)('a' + i % 26);
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        assert_int_equal(files_write_all(fds[1], data, written), 0);
        close(fds[1]);
        assert_int_equal(files_read_all(fds[0], max, &read, &size), expected);
        close(fds[0]);
        if (expected < 0) {
                assert_null(read);
                return;
        }
        assert_int_equal(size, written);
        assert_memory_equal(read, data, size);
        assert_int_equal(read[size], 0);
}

static void test_read_all(void **state) {
        (void)state;
        check_pipe(50000, 50001, 0);
        check_pipe(50000, 50000, 0);
        check_pipe(50000, 49999, -EFBIG);
        check_pipe(4094, 4094, 0);
        check_pipe(4095, 4094, -EFBIG);
        check_pipe(1, 0, -EFBIG);
        check_pipe(1, SIZE_MAX, 0);
        assert_int_equal(files_read_all(-EBADF, 10, &(char *){ NULL }, NULL), -EBADF);
}

static void test_directories(void **state) {
        _cleanup_err_ struct err *err = NULL;
        struct stat st;

        (void)state;
        assert_int_equal(files_make_dirs(in_top("a/b/c"), 0755, NULL), 0);
        assert_int_equal(files_make_dirs(in_top("a/b/c"), 0755, NULL), 0);
        assert_int_equal(files_replace(in_top("a/b/file"), "x", 1, 0600, NULL), 0);
        assert_int_equal(files_make_dirs(in_top("a/b/file"), 0755, &err), -ENOTDIR);
        assert_int_equal(files_make_dirs(in_top("a/b/file/d"), 0755, NULL), -ENOTDIR);

        /* Links are removed, not followed. */
        assert_int_equal(files_replace(in_top("kept"), "x", 1, 0600, NULL), 0);
        assert_int_equal(symlink("../../kept", in_top("a/b/link")), 0);
        assert_int_equal(symlink("/", in_top("a/root")), 0);
        assert_int_equal(files_remove_tree(in_top("a"), NULL), 0);
        assert_int_equal(stat(in_top("a"), &st), -1);
        assert_int_equal(stat(in_top("kept"), &st), 0);
        assert_int_equal(files_remove_tree(in_top("a"), NULL), 0);
}

static mode_t mode_of(const char *path) {
        struct stat st;

        assert_int_equal(stat(path, &st), 0);
        return st.st_mode & 07777;
}

/* Also what an earlier version left open, or whoever made it before us. */
static void test_private(void **state) {
        (void)state;
        assert_int_equal(files_make_private(in_top("p/q/r"), NULL), 0);
        assert_int_equal(mode_of(in_top("p/q/r")), 0700);
        assert_int_equal(mode_of(in_top("p/q")), 0755);
        for (mode_t mode = 0700; mode <= 0777; mode++) {
                assert_int_equal(chmod(in_top("p/q/r"), mode | 02000), 0);
                assert_int_equal(files_make_private(in_top("p/q/r"), NULL), 0);
                assert_int_equal(mode_of(in_top("p/q/r")) & 0777, 0700);
        }
        assert_int_equal(mode_of(in_top("p/q")), 0755);
        assert_int_equal(files_replace(in_top("p/file"), "x", 1, 0600, NULL), 0);
        assert_int_equal(files_make_private(in_top("p/file"), NULL), -ENOTDIR);
        assert_int_equal(files_make_private(in_top("p/file/d"), NULL), -ENOTDIR);
        assert_int_equal(files_remove_tree(in_top("p"), NULL), 0);
}

/* As a container can make it, and far deeper than any path is long. */
static void test_deep(void **state) {
        int fd, next;

        (void)state;
        assert_int_equal(mkdir(in_top("deep"), 0755), 0);
        fd = open(in_top("deep"), O_RDONLY | O_DIRECTORY);
        for (int i = 0; i < 40 * FILES_DEPTH_MAX; i++) {
                assert_int_equal(mkdirat(fd, "d", 0755), 0);
                assert_int_equal(mkdirat(fd, "e", 0755), 0);
                next = openat(fd, "d", O_RDONLY | O_DIRECTORY);
                close(fd);
                fd = next;
        }
        close(fd);
        assert_int_equal(files_make_dirs(in_top("deep/.deep-0/d"), 0755, NULL), 0);
        assert_int_equal(files_remove_tree(in_top("deep"), NULL), 0);
        assert_int_equal(access(in_top("deep"), F_OK), -1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_read_and_replace), cmocka_unit_test(test_read_proc),
                cmocka_unit_test(test_read_all),         cmocka_unit_test(test_directories),
                cmocka_unit_test(test_private),          cmocka_unit_test(test_deep),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
