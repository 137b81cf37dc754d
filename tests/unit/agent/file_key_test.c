#include "agent/volumes/file_key.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/volumes/files.h"
#include "agent/volumes/volumes.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

/* What stands in the volume, made by make_volume(). */
static const struct {
        const char *path, *key, *value, *says;
        int error;
} rows[] = {
        { "env", "A", "1", NULL, 0 },
        { "sub/env", "B", "2", NULL, 0 },
        { "link", "A", "1", NULL, 0 },
        { "env", "Z", NULL, "\"Z\" not found", ENOENT },
        { "none", "A", NULL, "No such file", ENOENT },
        { "out", "A", NULL, "No such file", ENOENT }, /* a link to /etc/passwd: the volume is its root */
        { "fifo", "A", NULL, "is no regular file", EINVAL },
        { "sub", "A", NULL, "is no regular file", EINVAL },
        { "large", "A", NULL, "larger than 65536 bytes", EFBIG },
};

static void put(const char *dir, const char *name, const char *text) {
        _cleanup_free_ char *path = NULL;

        assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
        assert_int_equal(files_replace(path, text, strlen(text), 0644, NULL), 0);
}

static void make_volume(const char *dir) {
        _cleanup_free_ char *large = malloc(70000), *path = NULL;

        assert_true(asprintf(&path, "%s/sub", dir) > 0);
        assert_int_equal(files_make_dirs(path, 0755, NULL), 0);
        put(dir, "env", "A='1'\n");
        put(dir, "sub/env", "B='2'\n");
        memset(large, '#', 69999);
        large[69999] = '\0';
        put(dir, "large", large);
        assert_int_equal(chdir(dir), 0);
        assert_int_equal(symlink("/env", "link"), 0);
        assert_int_equal(symlink("/etc/passwd", "out"), 0);
        assert_int_equal(mkfifo("fifo", 0644), 0);
        assert_int_equal(chdir("/"), 0);
}

static void test_read(void **state) {
        char dir[] = "/tmp/nacelle-test-XXXXXX";
        struct kube_empty_dir_volume_source empty = { 0 };
        struct kube_volume volume = { .name = "v", .empty_dir = &empty };
        const struct kube_file_key_selector lost = { .volume_name = "w", .path = "env", .key = "A" };
        struct pod pod = { .spec = { .volumes = { &volume, 1 } } };
        struct pod_files files = { .pod = &pod, .dir = dir };
        _cleanup_arena_ struct arena *arena = arena_new();

        assert_non_null(mkdtemp(dir));
        make_volume(volumes_path(arena, dir, &volume));
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const struct kube_file_key_selector ref = { .volume_name = "v",
                                                            .path = (char *)rows[i].path,
                                                            .key = (char *)rows[i].key };
                _cleanup_err_ struct err *err = NULL;
                const char *value = NULL;

                assert_int_equal(file_key_read(&files, arena, &ref, &value, &err), -rows[i].error);
                if (rows[i].value)
                        assert_string_equal(value, rows[i].value);
                else if (!strstr(err_text(err), rows[i].says))
                        fail_msg("%s: %s", rows[i].path, err_text(err));
        }
        assert_int_equal(file_key_read(&files, arena, &lost, &(const char *){ NULL }, NULL), -EINVAL);
        assert_int_equal(files_remove_tree(dir, NULL), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_read) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
