#include "lib/spread.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/files.h"

static char top[64];

static bool is_marked(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int flags = 0;

        return fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_TOPDIR_FL);
}

/* A file system of its own, in a file; false: this machine has no loop devices, or gives none away. */
static bool mounted(const char *journal) {
        char command[512];

        snprintf(command, sizeof(command),
                 "cd %s && mkdir -p on && rm -f disk && truncate -s 16M disk && mke2fs -q -t ext4 -O %s disk && "
                 "mount -o loop disk on 2>/dev/null",
                 top, journal);
        return system(command) == 0;
}

static void check_ext4(const char *journal, bool marked) {
        char path[128];

        if (!mounted(journal)) {
                print_message("spread_test: no loop device: not looked at an ext4 with %s\n", journal);
                return;
        }
        snprintf(path, sizeof(path), "%s/on/pods", top);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_false(is_marked(path));
        assert_int_equal(spread_directory(path), marked);
        assert_int_equal(is_marked(path), marked);
        assert_int_equal(spread_directory(path), marked); /* once more */
        snprintf(path, sizeof(path), "%s/on", top);
        assert_int_equal(umount2(path, 0), 0);
}

static void test_without_journal(void **state) {
        check_ext4("^has_journal", true);
}

static void test_with_journal(void **state) {
        check_ext4("has_journal", false);
}

static void test_elsewhere(void **state) {
        char path[128];

        assert_false(spread_directory("/dev/shm"));
        assert_false(spread_directory("/proc"));
        snprintf(path, sizeof(path), "%s/none", top);
        assert_false(spread_directory(path));
        snprintf(path, sizeof(path), "%s/file", top);
        assert_int_equal(files_replace(path, "", 0, 0600, NULL), 0);
        assert_false(spread_directory(path));
}

static int setup(void **state) {
        snprintf(top, sizeof(top), "/tmp/nacelle-spread-XXXXXX");
        return mkdtemp(top) ? 0 : -1;
}

static int teardown(void **state) {
        char path[128];

        snprintf(path, sizeof(path), "%s/on", top);
        umount2(path, MNT_DETACH);
        return files_remove_tree(top, NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_without_journal),
                cmocka_unit_test(test_with_journal),
                cmocka_unit_test(test_elsewhere),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
