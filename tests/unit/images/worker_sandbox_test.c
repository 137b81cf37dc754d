/* The worker's fence, tried by a child: inside everything goes, outside nothing. */
#include "images/worker/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "images/files.h"

/* Returns the number of the first step that went wrong, 0 when none did. */
static int try_all(int inside, int outside) {
        char *const argv[] = { (char *)"true", NULL };

        if (sandbox_enter(inside, NULL) < 0)
                return 1;
        if (image_file_write(inside, "file", "x", 1, NULL) < 0 || mkdirat(inside, "dir", 0700) < 0)
                return 2;
        if (linkat(inside, "file", inside, "dir/link", 0) < 0 || renameat(inside, "file", inside, "dir/file") < 0)
                return 3;
        if (mknodat(inside, "null", S_IFCHR | 0600, makedev(1, 3)) < 0 || symlinkat("/", inside, "link") < 0)
                return 4;
        if (openat(outside, "new", O_WRONLY | O_CREAT, 0600) >= 0 || errno != EACCES)
                return 5;
        if (openat(outside, "old", O_WRONLY) >= 0 || openat(outside, "old", O_RDONLY | O_TRUNC) >= 0)
                return 6;
        if (unlinkat(outside, "old", 0) == 0 || mkdirat(outside, "dir", 0700) == 0)
                return 7;
        if (openat(inside, "link/../tmp/nacelle-sandbox-test", O_WRONLY | O_CREAT, 0600) >= 0)
                return 8;
        execv("/bin/true", argv);
        return errno == EACCES ? 0 : 9;
}

static void test_fence(void **state) {
        char path[] = "/tmp/sandbox-test.XXXXXX";
        int top, inside, outside, status;
        pid_t pid;

        (void)state;
        assert_non_null(mkdtemp(path));
        top = open(path, O_RDONLY | O_DIRECTORY);
        assert_int_equal(image_directory_open(top, "inside", &inside, NULL), 0);
        assert_int_equal(image_directory_open(top, "outside", &outside, NULL), 0);
        assert_int_equal(image_file_write(outside, "old", "content", 7, NULL), 0);
        pid = fork();
        if (pid == 0)
                _exit(try_all(inside, outside));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        close(inside);
        close(outside);
        close(top);
        assert_int_equal(image_tree_remove(AT_FDCWD, path, NULL), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_fence) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
