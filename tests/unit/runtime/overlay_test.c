/* Overlay roots: many layers, long paths, idmapped ones, by the new mount interface and by the old. Root only. */
#include "tests/unit/runtime/fixture.h"

#include "runtime/plan/overlay.h"
#include "runtime/plan/userns.h"

#define LAYERS 127

struct stack {
        char dir[64];
        char paths[LAYERS][400];
        const char *lowers[LAYERS];
        char upper[96], work[96];
};

static int setup(void **state) {
        struct stack *s = calloc(1, sizeof(*s));
        char dir[] = "/run/nacelle-rt-XXXXXX", file[512];

        assert_non_null(s);
        assert_non_null(mkdtemp(dir));
        strcpy(s->dir, dir);
        for (int i = 0; i < LAYERS; i++) {
                /* Every second path is longer than fsconfig() takes. */
                snprintf(s->paths[i], sizeof(s->paths[i]), "%s/%0*d", dir, i % 2 ? 250 : 10, i);
                assert_int_equal(mkdir(s->paths[i], 0755), 0);
                snprintf(file, sizeof(file), "%s/file%d", s->paths[i], i);
                assert_int_equal(files_replace(file, "x", 1, 0644, NULL), 0);
                snprintf(file, sizeof(file), "%s/top", s->paths[i]);
                assert_int_equal(files_replace(file, i == 0 ? "first" : "other", 5, 0644, NULL), 0);
                s->lowers[i] = s->paths[i];
        }
        snprintf(s->upper, sizeof(s->upper), "%s/upper", s->dir);
        snprintf(s->work, sizeof(s->work), "%s/work", s->dir);
        assert_int_equal(mkdir(s->upper, 0755), 0);
        assert_int_equal(mkdir(s->work, 0755), 0);
        *state = s;
        return 0;
}

static int teardown(void **state) {
        struct stack *s = *state;

        assert_int_equal(files_remove_tree(s->dir, NULL), 0);
        free(s);
        return 0;
}

typedef int (*mount_function)(const struct rootfs_spec *root, int user_fd, int *ret_mount, struct err **err);

static void check(struct stack *s, mount_function function, int user_fd, uint32_t owner) {
        const struct rootfs_spec root = { .lowers = s->lowers, .n_lowers = LAYERS, .upper = s->upper, .work = s->work };
        _cleanup_err_ struct err *err = NULL;
        _cleanup_close_ int mount = -EBADF, file = -EBADF, made = -EBADF;
        char text[6] = "", name[32];
        struct stat st;

        if (function(&root, user_fd, &mount, &err) < 0)
                fail_msg("%s", err_text(err));
        for (int i = 0; i < LAYERS; i++) {
                snprintf(name, sizeof(name), "file%d", i);
                assert_int_equal(fstatat(mount, name, &st, 0), 0);
                assert_int_equal(st.st_uid, owner);
        }
        file = openat(mount, "top", O_RDONLY | O_CLOEXEC);
        assert_int_equal(read(file, text, 5), 5);
        assert_string_equal(text, "first");
        made = openat(mount, "made", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        assert_true(made >= 0);
        snprintf(name, sizeof(name), "made");
        assert_int_equal(unlinkat(mount, name, 0), 0);
}

static void test_new(void **state) {
        check(*state, overlay_mount, -EBADF, 0);
}

static void test_old(void **state) {
        check(*state, overlay_mount_old, -EBADF, 0);
}

static void test_idmapped(void **state) {
        const struct id_mapping map = { 0, 300000, 65536 };
        const struct id_mappings mappings = { &map, 1, &map, 1 };
        _cleanup_userns_ struct userns users = USERNS_NONE;

        assert_int_equal(userns_open(&mappings, 0, &users, NULL), 0);
        check(*state, overlay_mount, users.user_fd, 300000);
        check(*state, overlay_mount_old, users.user_fd, 300000);
}

static void test_missing_layer(void **state) {
        struct stack *s = *state;
        const char *lowers[] = { s->lowers[0], "/nothere/at/all" };
        const struct rootfs_spec root = { .lowers = lowers, .n_lowers = 2 };
        const mount_function functions[] = { overlay_mount, overlay_mount_old };

        for (int i = 0; i < 2; i++) {
                _cleanup_err_ struct err *err = NULL;
                int mount = 42;

                assert_int_equal(functions[i](&root, -EBADF, &mount, &err), -ENOENT);
                assert_non_null(strstr(err_text(err), "/nothere/at/all"));
                assert_int_equal(mount, 42);
        }
}

static void check_repeated(struct stack *s, mount_function function, const char *what, bool writable) {
        const char *lowers[LAYERS];
        struct rootfs_spec root = { .lowers = lowers, .n_lowers = strlen(what) };
        _cleanup_err_ struct err *err = NULL;
        _cleanup_close_ int mount = -EBADF, made = -EBADF;
        char name[32];
        struct stat st;

        for (size_t i = 0; what[i]; i++)
                lowers[i] = s->lowers[what[i] - 'A'];
        if (writable) {
                root.upper = s->upper;
                root.work = s->work;
        }
        if (function(&root, -EBADF, &mount, &err) < 0)
                fail_msg("%s: %s", what, err_text(err));
        for (size_t i = 0; what[i]; i++) {
                snprintf(name, sizeof(name), "file%d", what[i] - 'A');
                assert_int_equal(fstatat(mount, name, &st, 0), 0);
        }
        snprintf(name, sizeof(name), "is%c", what[0]);
        assert_int_equal(fstatat(mount, name, &st, 0), 0);
        for (char c = 'A'; c < 'F'; c++) { /* the topmost layer's whiteouts are no devices, and hide the others' */
                snprintf(name, sizeof(name), "is%c", c);
                assert_int_equal(fstatat(mount, name, &st, AT_SYMLINK_NOFOLLOW) == 0, c == what[0]);
        }
        made = openat(mount, "made", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        assert_int_equal(made >= 0, writable);
        if (made < 0)
                assert_int_equal(errno, EROFS);
        else
                assert_int_equal(unlinkat(mount, "made", 0), 0);
}

/* Each of the first layers has a file isLETTER of its own, and hides those of the others. */
static void mark(struct stack *s) {
        char path[512];

        for (int i = 0; i < 5; i++)
                for (int j = 0; j < 5; j++) {
                        snprintf(path, sizeof(path), "%s/is%c", s->paths[i], 'A' + j);
                        if (i == j)
                                assert_int_equal(files_replace(path, "x", 1, 0644, NULL), 0);
                        else
                                assert_int_equal(mknod(path, S_IFCHR, 0), 0);
                }
}

static void test_repeated(void **state) {
        static const char *const stacks[] = { "A",    "AA",     "B",      "BB",         "ABA",  "BAB",
                                              "AABB", "ABCABC", "EDCBAE", "ABABABABAB", "AAAAA" };
        const mount_function functions[] = { overlay_mount, overlay_mount_old };
        char all[LAYERS + 1];

        mark(*state);
        for (int f = 0; f < 2; f++)
                for (int writable = 0; writable < 2; writable++) {
                        for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++)
                                check_repeated(*state, functions[f], stacks[i], writable);
                        for (int i = 0; i < LAYERS; i++)
                                all[i] = (char)('A' + i % 5);
                        all[LAYERS] = '\0';
                        check_repeated(*state, functions[f], all, writable);
                        memset(all, 'C', LAYERS);
                        check_repeated(*state, functions[f], all, writable);
                }
}

/* The same directory under another name is the same. */
static void test_repeated_by_another_name(void **state) {
        struct stack *s = *state;
        char link[128], deep[512];
        const char *lowers[] = { link, s->lowers[0], deep, s->lowers[1] };
        const struct rootfs_spec root = { .lowers = lowers, .n_lowers = 4 };
        const mount_function functions[] = { overlay_mount, overlay_mount_old };

        snprintf(link, sizeof(link), "%s/link", s->dir);
        snprintf(deep, sizeof(deep), "%s/../%s", s->lowers[0], strrchr(s->lowers[0], '/') + 1);
        assert_int_equal(symlink(s->lowers[0], link), 0);
        for (int i = 0; i < 2; i++) {
                _cleanup_close_ int mount = -EBADF;

                assert_int_equal(functions[i](&root, -EBADF, &mount, NULL), 0);
        }
}

/* What the kernel refuses is said of layers that have names. */
static void test_names_in_errors(void **state) {
        struct stack *s = *state;
        const char *lowers[LAYERS];
        const struct rootfs_spec root = { .lowers = lowers, .n_lowers = LAYERS, .upper = s->upper, .work = s->work };
        const mount_function functions[] = { overlay_mount, overlay_mount_old };
        char parent[128];

        memcpy(lowers, s->lowers, sizeof(lowers));
        snprintf(parent, sizeof(parent), "%s", s->dir);
        lowers[1] = parent; /* overlaps all others */
        for (int i = 0; i < 2; i++) {
                _cleanup_err_ struct err *err = NULL;
                int mount;

                assert_int_equal(functions[i](&root, -EBADF, &mount, &err), -ELOOP);
                assert_non_null(strstr(err_text(err), s->lowers[0]));
                if (!strstr(err_text(err), "127 layers (") || !strstr(err_text(err), " more)"))
                        fail_msg("%s", err_text(err));
        }
}

static void test_number(void **state) {
        struct stack *s = *state;
        const char *lowers[SPEC_LAYERS_MAX + 1];
        struct rootfs_spec root = { .lowers = lowers, .n_lowers = SPEC_LAYERS_MAX, .upper = s->upper, .work = s->work };
        _cleanup_close_ int mount = -EBADF;
        int none;

        for (int i = 0; i <= SPEC_LAYERS_MAX; i++)
                lowers[i] = s->lowers[i % 3];
        assert_int_equal(overlay_mount(&root, -EBADF, &mount, NULL), 0);
        root.n_lowers++;
        assert_int_equal(overlay_mount(&root, -EBADF, &none, NULL), -E2BIG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_new, setup, teardown),
                cmocka_unit_test_setup_teardown(test_old, setup, teardown),
                cmocka_unit_test_setup_teardown(test_idmapped, setup, teardown),
                cmocka_unit_test_setup_teardown(test_missing_layer, setup, teardown),
                cmocka_unit_test_setup_teardown(test_repeated, setup, teardown),
                cmocka_unit_test_setup_teardown(test_repeated_by_another_name, setup, teardown),
                cmocka_unit_test_setup_teardown(test_names_in_errors, setup, teardown),
                cmocka_unit_test_setup_teardown(test_number, setup, teardown),
        };
        if (geteuid() != 0)
                return 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
