#include "lib/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"

static char dir[32], path[128];

static int setup(void **state) {
        strcpy(dir, "/tmp/nacelle-listen-XXXXXX");
        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof(path), "%s/a/b/x.sock", dir);
        return 0;
}

static int teardown(void **state) {
        static const char *const parts[] = { "a/b/x.sock", "a/b", "a", "" };

        for (size_t i = 0; i < ELEMENTS(parts); i++) {
                char name[128];

                snprintf(name, sizeof(name), "%s/%s", dir, parts[i]);
                remove(name);
        }
        return 0;
}

static void test_new_stale_and_in_use(void **state) {
        _cleanup_err_ struct err *err = NULL;
        int fd, second = -EBADF;
        struct stat st;

        assert_int_equal(listen_unix(path, 0660, &fd, NULL), 0);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0660);
        assert_int_equal(listen_unix(path, 0660, &second, &err), -EADDRINUSE);
        assert_non_null(strstr(err_text(err), "another process listens"));
        assert_int_equal(second, -EBADF);
        close(fd); /* the file stays, as after a crash */
        assert_int_equal(listen_unix(path, 0600, &fd, NULL), 0);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        close(fd);
}

static void test_leaves_other_files_alone(void **state) {
        _cleanup_err_ struct err *err = NULL;
        _cleanup_close_ int file = -EBADF;
        int fd = -EBADF;

        assert_int_equal(listen_unix(path, 0660, &fd, NULL), 0);
        close(fd);
        unlink(path);
        file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_int_equal(listen_unix(path, 0660, &fd, &err), -EEXIST);
        assert_non_null(strstr(err_text(err), "no socket"));
        assert_int_equal(access(path, F_OK), 0);
}

static void test_paths(void **state) {
        char longest[128];
        int fd;

        assert_int_equal(listen_unix("x.sock", 0660, &fd, NULL), -EINVAL);
        snprintf(longest, sizeof(longest), "%s/%0*d", dir, (int)(107 - strlen(dir) - 1), 0);
        assert_int_equal(strlen(longest), 107);
        assert_int_equal(listen_unix(longest, 0660, &fd, NULL), 0);
        close(fd);
        unlink(longest);
        strcat(longest, "0");
        assert_int_equal(listen_unix(longest, 0660, &fd, NULL), -EINVAL);

        assert_string_equal(listen_unix_path("unix:///run/x"), "/run/x");
        assert_string_equal(listen_unix_path("unix:/run/x"), "/run/x");
        assert_string_equal(listen_unix_path("/run/x"), "/run/x");
        assert_null(listen_unix_path("tcp://1.2.3.4"));
        assert_null(listen_unix_path("unix://x"));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = { TEST(test_new_stale_and_in_use), TEST(test_leaves_other_files_alone),
                                            TEST(test_paths) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
