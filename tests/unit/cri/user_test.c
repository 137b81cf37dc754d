#include "cri/container/user.h"

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
#include <unistd.h>

#include <cmocka.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

static char top[64], *layers[2]; /* topmost first */

static void put(const char *layer, const char *path, const char *text) {
        char full[256], *slash;

        snprintf(full, sizeof(full), "%s/%s", layer, path);
        slash = strrchr(full, '/');
        *slash = '\0';
        assert_int_equal(files_make_dirs(full, 0755, NULL), 0);
        *slash = '/';
        assert_int_equal(files_replace(full, text, strlen(text), 0644, NULL), 0);
}

static int setup(void **state) {
        (void)state;
        strcpy(top, "/tmp/nacelle-user-XXXXXX");
        assert_non_null(mkdtemp(top));
        for (int i = 0; i < 2; i++) {
                assert_true(asprintf(&layers[i], "%s/%d", top, i) > 0);
                assert_int_equal(mkdir(layers[i], 0755), 0);
        }
        put(layers[1], "etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/home/web:\nodd:x:zz:1::/:\n"
            "1234:x:0:0::/evil:/bin/sh\n+1235:x:0:0::/:\n-1:x:0:0::/:\n4294967295:x:0:0::/:\n0001236:x:0:0::/:\n"
            "all:x:4294967295:4294967295::/:\nneg:x:-1:-1::/:\nhigh:x:4294967294:4294967294::/:\n1237x:x:12:13::/:\n");
        put(layers[1], "etc/group",
            "root:x:0:\nweb:x:1001:\nextra:x:50000:web,other\nprefix:x:7:webmaster\nstaff:x:50:root,web\n"
            "1234:x:0:\n+1235:x:0:\n-1:x:0:\nall:x:4294967295:web\nneg:x:-1:web\nroot2:x:0:1234\n");
        return 0;
}

static int teardown(void **state) {
        (void)state;
        assert_int_equal(files_remove_tree(top, NULL), 0);
        free(layers[0]);
        free(layers[1]);
        return 0;
}

/* "uid:gid:groups", as a row says what comes out. */
static void format(const struct user *user, char text[256]) {
        int n = sprintf(text, "%u:%u:", user->uid, user->gid);

        for (size_t i = 0; i < user->n_groups; i++)
                n += sprintf(text + n, "%s%u", i ? "," : "", user->groups[i]);
}

static const struct {
        const char *image; /* the image's USER */
        const char *name;  /* run_as_username */
        int64_t uid, gid;  /* run_as_user, run_as_group; -9: unset */
        bool strict;
        int64_t extra; /* a supplemental group; -9: none */
        const char *result;
        const char *says; /* of the refusal */
} rows[] = {
        { "", "", -9, -9, false, -9, "0:0:0,50", NULL },
        { "web", "", -9, -9, false, -9, "1000:1001:1001,50000,50", NULL },
        { "1000", "", -9, -9, false, 9, "1000:1001:1001,50000,50,9", NULL },
        { "1000", "", -9, -9, true, 9, "1000:1001:1001,9", NULL },
        { "web:staff", "", -9, -9, false, -9, "1000:50:50,50000", NULL },
        { "77:88", "", -9, -9, false, -9, "77:88:88", NULL },
        { "77", "", -9, -9, false, -9, "77:0:0", NULL },
        { "web", "", 0, -9, true, -9, "0:0:0", NULL },
        { "web", "web", -9, 5, false, -9, "1000:5:5,50000,50", NULL },
        { "", "", 2147483647, 2147483647, true, -9, "2147483647:2147483647:2147483647", NULL },
        { "nobody", "", -9, -9, false, -9, NULL, "unable to find user nobody" },
        { "web:none", "", -9, -9, false, -9, NULL, "unable to find group none" },
        { "odd", "", -9, -9, false, -9, NULL, "unable to find user odd" },
        { "", "", -9, 5, false, -9, NULL, "user group \"5\" is specified without user" },
        /* Numbers are ids, whatever passwd and group call by them. */
        { "1234", "", -9, -9, false, -9, "1234:0:0", NULL },
        { "1234:1234", "", -9, -9, false, -9, "1234:1234:1234", NULL },
        { "web:1234", "", -9, -9, false, -9, "1000:1234:1234,50000,50", NULL },
        { "", "", 1234, -9, false, -9, "1234:0:0", NULL },
        { "", "", 1234, 1234, false, -9, "1234:1234:1234", NULL },
        { "", "1234", -9, -9, false, -9, "1234:0:0", NULL },
        { "+1235", "", -9, -9, false, -9, "1235:0:0", NULL },
        { "5:+1235", "", -9, -9, false, -9, "5:1235:1235", NULL },
        { "0001236", "", -9, -9, false, -9, "1236:0:0", NULL },
        { "1237x", "", -9, -9, false, -9, "12:13:13", NULL },
        { "high", "", -9, -9, false, -9, "4294967294:4294967294:4294967294", NULL },
        { "", "", 4294967294, 4294967294, true, 4294967294, "4294967294:4294967294:4294967294", NULL },
        { "4294967294:4294967294", "", -9, -9, false, -9, "4294967294:4294967294:4294967294", NULL },
        { "", "", 4294967295, -9, false, -9, NULL, "user 4294967295 is no id" },
        { "", "", -1, -9, false, -9, NULL, "user -1 is no id" },
        { "", "", 5, 4294967295, false, -9, NULL, "group 4294967295 is no id" },
        { "", "", 5, -1, false, -9, NULL, "group -1 is no id" },
        { "", "", -9, -9, false, 4294967295, NULL, "supplemental group 4294967295 is no id" },
        { "", "", -9, -9, false, -1, NULL, "supplemental group -1 is no id" },
        { "-1", "", -9, -9, false, -9, NULL, "user -1 is no id" },
        { "4294967295", "", -9, -9, false, -9, NULL, "user 4294967295 is no id" },
        { "99999999999999999999", "", -9, -9, false, -9, NULL, "is no id" },
        { "5:-1", "", -9, -9, false, -9, NULL, "group -1 is no id" },
        { "5:4294967295", "", -9, -9, false, -9, NULL, "group 4294967295 is no id" },
        { "", "-1", -9, -9, false, -9, NULL, "user -1 is no id" },
        { "", "4294967295", -9, -9, false, -9, NULL, "is no id" },
        { "all", "", -9, -9, false, -9, NULL, "unable to find user all" },
        { "neg", "", -9, -9, false, -9, NULL, "unable to find user neg" },
        { "web:all", "", -9, -9, false, -9, NULL, "unable to find group all" },
        { "1000:", "", -9, -9, false, -9, NULL, "USER or USER:GROUP is expected" },
        { ":1000", "", -9, -9, false, -9, NULL, "USER or USER:GROUP is expected" },
        { ":", "", -9, -9, false, -9, NULL, "USER or USER:GROUP is expected" },
        { "web:web:web", "", -9, -9, false, -9, NULL, "USER or USER:GROUP is expected" },
};

static void test_rows(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                Cri__LinuxContainerSecurityContext security = CRI__LINUX_CONTAINER_SECURITY_CONTEXT__INIT;
                Cri__Int64Value uid = CRI__INT64_VALUE__INIT, gid = CRI__INT64_VALUE__INIT;
                _cleanup_arena_ struct arena *arena = arena_new();
                _cleanup_err_ struct err *err = NULL;
                struct user user = { .uid = 42 };
                int64_t extra = rows[i].extra;
                char text[256];
                int r;

                uid.value = rows[i].uid;
                gid.value = rows[i].gid;
                security.run_as_username = (char *)(uintptr_t)rows[i].name;
                security.run_as_user = uid.value == -9 ? NULL : &uid;
                security.run_as_group = gid.value == -9 ? NULL : &gid;
                security.supplemental_groups = &extra;
                security.n_supplemental_groups = extra != -9;
                if (rows[i].strict)
                        security.supplemental_groups_policy = CRI__SUPPLEMENTAL_GROUPS_POLICY__Strict;
                r = user_resolve(arena, &security, &(struct user_image){ rows[i].image, layers, 2 }, &user, &err);
                if (rows[i].says) {
                        assert_int_equal(r, -EINVAL);
                        assert_non_null(strstr(err_text(err), rows[i].says));
                        assert_int_equal(user.uid, 42);
                        continue;
                }
                assert_int_equal(r, 0);
                format(&user, text);
                assert_string_equal(text, rows[i].result);
        }
}

static void expect_file(const char *path, const char *text, int error) {
        _cleanup_err_ struct err *err = NULL;
        _cleanup_free_ char *data = NULL;

        assert_int_equal(layers_read_file(layers, 2, path, 64, &data, &err), -error);
        if (!error)
                assert_string_equal(data, text);
        else
                assert_non_null(err);
}

static void path_in(const char *layer, const char *path, char full[256]) {
        snprintf(full, 256, "%s/%s", layer, path);
}

/* What overlayfs would show: upper files win, whiteouts hide, links stay inside the image. */
static void test_layers(void **state) {
        char full[256], big[70];

        (void)state;
        put(layers[1], "a/lower", "lower");
        put(layers[1], "a/both", "lower");
        put(layers[0], "a/both", "upper");
        expect_file("a/lower", "lower", 0);
        expect_file("a/both", "upper", 0);
        expect_file("a/none", NULL, ENOENT);

        put(layers[1], "b/gone", "x");
        put(layers[0], "b/other", "x");
        path_in(layers[0], "b/gone", full);
        if (mknod(full, S_IFCHR, makedev(0, 0)) == 0)
                expect_file("b/gone", NULL, ENOENT);

        path_in(layers[0], "link", full);
        assert_int_equal(symlink("/a/lower", full), 0);
        expect_file("link", "lower", 0);
        path_in(layers[0], "a/up", full);
        assert_int_equal(symlink("../../../../a/lower", full), 0);
        expect_file("a/up", "lower", 0);
        path_in(layers[0], "host", full);
        assert_int_equal(symlink("/etc/hostname", full), 0);
        expect_file("host", NULL, ENOENT);
        path_in(layers[0], "loop", full);
        assert_int_equal(symlink("loop", full), 0);
        expect_file("loop", NULL, ELOOP);

        path_in(layers[0], "fifo", full);
        assert_int_equal(mkfifo(full, 0644), 0);
        expect_file("fifo", NULL, ENOENT);

        memset(big, 'x', sizeof(big));
        big[64] = '\0';
        put(layers[0], "limit", big);
        expect_file("limit", big, 0);
        big[64] = 'x';
        big[65] = '\0';
        put(layers[0], "past", big);
        expect_file("past", NULL, EFBIG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows),
                cmocka_unit_test(test_layers),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
