#include "lib/disk_usage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

#define BLOCK 65536

static char top[64];

static const char *in_top(const char *name) {
        static char path[2][256];
        static unsigned turn;

        turn = !turn;
        snprintf(path[turn], sizeof(path[turn]), "%s/%s", top, name);
        return path[turn];
}

static void put(int dir, const char *name, size_t size) {
        static const char data[BLOCK] = { 1 };
        _cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        for (; size > 0; size -= BLOCK)
                assert_int_equal(write(fd, data, BLOCK), BLOCK);
}

static struct disk_usage usage_of(const char *path, uint64_t max) {
        struct disk_usage usage;

        assert_int_equal(disk_usage_read(path, max, &usage, NULL), 0);
        return usage;
}

static int set_up(void **state) {
        strcpy(top, "/tmp/nacelle-usage-XXXXXX");
        return mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **state) {
        return files_remove_tree(top, NULL);
}

static void test_tree(void **state) {
        uint64_t empty = usage_of(top, 0).bytes;
        struct disk_usage usage;

        put(AT_FDCWD, in_top("one"), BLOCK);
        assert_int_equal(mkdir(in_top("d"), 0700), 0);
        put(AT_FDCWD, in_top("d/two"), 3 * BLOCK);
        usage = usage_of(top, 0);
        assert_int_equal(usage.inodes, 4); /* itself, one, d, two */
        assert_in_range(usage.bytes, 4 * BLOCK + empty, 4 * BLOCK + empty + 16384);
        assert_false(usage.partial);
        assert_int_equal(usage_of(in_top("one"), 0).bytes, BLOCK);
        assert_int_equal(usage_of(in_top("one"), 0).inodes, 1);
}

static void test_what_is_not_counted(void **state) {
        uint64_t empty = usage_of(top, 0).bytes;
        struct disk_usage usage;

        put(AT_FDCWD, in_top("one"), BLOCK);
        for (int i = 0; i < 300; i++) {
                char name[16];

                snprintf(name, sizeof(name), "link%d", i);
                assert_int_equal(link(in_top("one"), in_top(name)), 0);
        }
        assert_int_equal(symlink("/usr", in_top("out")), 0);
        put(AT_FDCWD, in_top("sparse"), 0);
        assert_int_equal(truncate(in_top("sparse"), 1 << 30), 0);
        usage = usage_of(top, 0);
        assert_int_equal(usage.inodes, 4); /* itself, one, out, sparse */
        assert_in_range(usage.bytes, BLOCK + empty, BLOCK + empty + 32768);
}

static void test_bound(void **state) {
        put(AT_FDCWD, in_top("one"), BLOCK);
        assert_int_equal(mkdir(in_top("d"), 0700), 0);
        put(AT_FDCWD, in_top("d/two"), BLOCK);
        assert_false(usage_of(top, 4).partial);
        assert_true(usage_of(top, 3).partial);
        assert_int_equal(usage_of(top, 3).inodes, 3);
        assert_true(usage_of(top, 1).partial);
}

static void test_nothing_there(void **state) {
        _cleanup_err_ struct err *err = NULL;
        struct disk_usage usage = { .inodes = 77 };

        assert_int_equal(disk_usage_read("/none/such", 0, &usage, &err), -ENOENT);
        assert_non_null(strstr(err_text(err), "/none/such"));
        assert_int_equal(usage.inodes, 77);
}

/* Far deeper than any path is long, as a container can make it; with names of one letter and of the longest. */
static void dig(const char *name, unsigned levels) {
        int fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        for (unsigned i = 0; i < levels; i++) {
                int next;

                assert_int_equal(mkdirat(fd, "beside", 0700), 0);
                assert_int_equal(mkdirat(fd, name, 0700), 0);
                next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                close(fd);
                fd = next;
        }
        put(fd, "hidden", 16 * BLOCK);
        close(fd);
}

static void test_deep(void **state) {
        struct disk_usage usage;
        char name[256];

        dig("d", 5000);
        usage = usage_of(top, 0);
        assert_false(usage.partial);
        assert_int_equal(usage.inodes, 2 * 5000 + 2);
        assert_true(usage.bytes >= 16 * BLOCK);
        assert_int_equal(files_remove_tree(in_top("d"), NULL), 0);
        assert_int_equal(rmdir(in_top("beside")), 0);

        memset(name, 'n', 255);
        name[255] = '\0';
        dig(name, 2000);
        usage = usage_of(top, 0);
        assert_false(usage.partial);
        assert_int_equal(usage.inodes, 2 * 2000 + 2);
        assert_true(usage.bytes >= 16 * BLOCK);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_tree, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_what_is_not_counted, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_bound, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_nothing_there, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_deep, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
