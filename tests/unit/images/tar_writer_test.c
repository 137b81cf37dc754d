#include "images/tar_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/mountinfo.h"

#define BLOCK 512

/* The archive's bytes from block @block on; the test's to free. */
static char *block_at(int fd, unsigned block, size_t n) {
        char *text = calloc(1, n + 1);

        assert_non_null(text);
        assert_true(pread(fd, text, n, (off_t)block * BLOCK) >= 0);
        return text;
}

static void assert_block(int fd, unsigned block, size_t offset, const char *expected) {
        _cleanup_free_ char *text = block_at(fd, block, BLOCK);

        assert_string_equal(text + offset, expected);
}

/* What is just short enough stands in the header alone, one byte more goes before it. */
static void test_names(void **state) {
        char name[102];
        struct stat st = { .st_mode = S_IFDIR | 0750 };

        for (size_t n = 100; n <= 101; n++) {
                _cleanup_close_ int fd = memfd_create("archive", MFD_CLOEXEC);
                struct tar_item item = { .path = name, .st = &st, .content = -EBADF };
                _cleanup_free_ char *record = NULL, *head = NULL;

                memset(name, 'x', n);
                name[n] = '\0';
                assert_int_equal(image_tar_write(fd, &item, NULL), 0);
                assert_int_equal(lseek(fd, 0, SEEK_CUR), n == 100 ? BLOCK : 3 * BLOCK);
                head = block_at(fd, 0, BLOCK);
                assert_int_equal(head[156], n == 100 ? '5' : 'x');
                record = block_at(fd, 1, 11);
                if (n == 101)
                        assert_string_equal(record, "111 path=xx"); /* 3 + 1 + 4 + 1 + 101 + 1 */
        }
}

static const struct {
        uid_t uid;
        const char *field, *record;
} owners[] = {
        { 0, "0000000", NULL },
        { 07777777, "7777777", NULL },
        { 010000000, "0000000", "15 uid=2097152\n" },
        { UINT32_MAX - 1, "0000000", "18 uid=4294967294\n" },
};

static void test_owners(void **state) {
        for (size_t i = 0; i < ELEMENTS(owners); i++) {
                _cleanup_close_ int fd = memfd_create("archive", MFD_CLOEXEC);
                struct stat st = { .st_mode = S_IFIFO | 0600, .st_uid = owners[i].uid };
                struct tar_item item = { .path = "pipe", .st = &st, .content = -EBADF };

                assert_int_equal(image_tar_write(fd, &item, NULL), 0);
                if (owners[i].record)
                        assert_block(fd, 1, 0, owners[i].record);
                assert_block(fd, owners[i].record ? 2 : 0, 108, owners[i].field);
        }
}

static int file_of(const char *text, off_t at, off_t size) {
        int fd = memfd_create("file", MFD_CLOEXEC);

        assert_true(fd >= 0 && ftruncate(fd, size) == 0);
        assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
        return fd;
}

/* A file that became shorter than it was is filled up; one that grew is cut. */
static void test_changing_files(void **state) {
        for (off_t size = 3; size <= 9; size += 6) {
                _cleanup_close_ int fd = memfd_create("archive", MFD_CLOEXEC), file = file_of("text", 0, 4);
                struct stat st = { .st_mode = S_IFREG | 0644, .st_size = size, .st_blocks = 8 };
                struct tar_item item = { .path = "file", .st = &st, .content = file };

                assert_int_equal(image_tar_write(fd, &item, NULL), 0);
                assert_int_equal(image_tar_write_end(fd, NULL), 0);
                assert_int_equal(lseek(fd, 0, SEEK_CUR), 4 * BLOCK);
                assert_block(fd, 0, 124, size == 3 ? "00000000003" : "00000000011");
                assert_block(fd, 1, 0, size == 3 ? "tex" : "text");
        }
}

/* Holes take no room: a map of pieces goes before the data. */
static void test_holes(void **state) {
        const off_t size = 1ll << 40;
        _cleanup_close_ int fd = memfd_create("archive", MFD_CLOEXEC), file = file_of("text", size / 2, size);
        struct tar_item item = { .path = "hole", .content = file };
        _cleanup_free_ char *pax = NULL, *map = NULL;
        struct stat st;

        assert_int_equal(fstat(file, &st), 0);
        item.st = &st;
        assert_int_equal(image_tar_write(fd, &item, NULL), 0);
        assert_true(lseek(fd, 0, SEEK_CUR) < 1 << 20);
        pax = block_at(fd, 1, BLOCK);
        assert_non_null(strstr(pax, "GNU.sparse.major=1\n"));
        assert_non_null(strstr(pax, "GNU.sparse.realsize=1099511627776\n"));
        map = block_at(fd, 3, BLOCK);
        assert_memory_equal(map, "1\n549755813888\n", 15);
}

static void test_all_hole(void **state) {
        _cleanup_close_ int fd = memfd_create("archive", MFD_CLOEXEC), file = file_of("", 0, 8 << 20);
        struct tar_item item = { .path = "hole", .content = file };
        struct stat st;

        assert_int_equal(fstat(file, &st), 0);
        item.st = &st;
        assert_int_equal(image_tar_write(fd, &item, NULL), 0);
        assert_int_equal(lseek(fd, 0, SEEK_CUR), 4 * BLOCK);
        assert_block(fd, 3, 0, "0\n");
}

static void test_refusals(void **state) {
        _cleanup_close_ int fd = memfd_create("archive", MFD_CLOEXEC), full = open("/dev/full", O_WRONLY | O_CLOEXEC);
        struct stat st = { .st_mode = S_IFSOCK | 0600 };
        struct tar_item item = { .path = "socket", .st = &st, .content = -EBADF };
        _cleanup_err_ struct err *err = NULL;

        assert_int_equal(image_tar_write(fd, &item, &err), -ENOTSUP);
        assert_string_equal(err_text(err), "socket: a socket");
        assert_int_equal(image_tar_write_text(full, "text", 0600, "x", 1, NULL), -ENOSPC);
}

/* ---- mountinfo ---- */

static void test_mountinfo(void **state) {
        char text[] = "36 35 98:0 /mnt1 /with\\040blank rw,noatime master:1 shared:2 - ext3 /dev/root rw\n"
                      "not a line\n\n"
                      "37 35 0:5 / /two rw - tmpfs none rw\n"
                      "38 36 0:6 / /cut rw -\n"
                      "39 36 0:7 / /three ro - proc proc rw";
        struct mountinfo mount;
        char *at = text;

        assert_true(mountinfo_next(&at, &mount));
        assert_int_equal(mount.id, 36);
        assert_int_equal(mount.parent, 35);
        assert_string_equal(mount.device, "98:0");
        assert_string_equal(mount.root, "/mnt1");
        assert_string_equal(mount.path, "/with blank");
        assert_string_equal(mount.type, "ext3");
        assert_true(mount.shared && mount.slave);
        assert_true(mountinfo_next(&at, &mount));
        assert_string_equal(mount.path, "/two");
        assert_false(mount.shared || mount.slave);
        assert_true(mountinfo_next(&at, &mount));
        assert_string_equal(mount.type, "proc");
        assert_false(mountinfo_next(&at, &mount));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),          cmocka_unit_test(test_owners),
                cmocka_unit_test(test_changing_files), cmocka_unit_test(test_holes),
                cmocka_unit_test(test_all_hole),       cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_mountinfo),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
