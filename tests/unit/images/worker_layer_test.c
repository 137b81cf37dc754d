/* Layers as entries of every kind make them, and what is refused. */
#include "tests/unit/images/layer_fixture.h"

static void test_all_types(void **state) {
        static const struct entry entries[] = {
                { '5', "./", .mode = 0711 },
                { '5', "dir/", .mode = 02775, .uid = 5, .gid = 50 },
                { '0', "dir/file", .data = "hello" },
                { '0', "dir/owned", .uid = 5, .gid = 6, .mode = 06755, .data = "x" },
                { '1', .name = "dir/hard", .link = "dir/file" },
                { '2', .name = "dir/soft",
                  .link = "/etc/../etc/passwd" }, /* what a link says is the container's affair */
                { '3', "dir/null", .mode = 0666, .major = 1, .minor = 3 },
                { '6', "dir/fifo", .mode = 0600 },
                { '0', "implied/by/path", .data = "deep" },
                { '0', "/absolute", .data = "name" },
                { '0', "./odd \n\001name\xff", .data = "odd" },
                { '\0', .name = "v7dir/" },
                { '0', .name = "empty" },
        };
        struct place p = make_place();
        struct stat st;

        (void)state;
        assert_int_equal(apply(&p, entries, ELEMENTS(entries), NULL, NULL), 0);
        assert_int_equal(stat_of(&p, ".").st_mode & 07777, 0711);
        st = stat_of(&p, "dir");
        assert_int_equal(st.st_mode & 07777, 02775);
        assert_int_equal(st.st_gid, 50);
        assert_int_equal(st.st_mtime, 1000000); /* although files came after it */
        assert_content(&p, "dir/hard", "hello");
        assert_int_equal(stat_of(&p, "dir/file").st_nlink, 2);
        assert_int_equal(stat_of(&p, "dir/file").st_gid, 0); /* not the set-gid directory's */
        assert_int_equal(stat_of(&p, "dir/file").st_mtime, 1000000);
        st = stat_of(&p, "dir/owned");
        assert_int_equal(st.st_mode & 07777, 06755);
        assert_int_equal(st.st_uid, 5);
        assert_true(S_ISLNK(stat_of(&p, "dir/soft").st_mode));
        assert_int_equal(stat_of(&p, "dir/null").st_rdev, makedev(1, 3));
        assert_true(S_ISFIFO(stat_of(&p, "dir/fifo").st_mode));
        assert_content(&p, "implied/by/path", "deep");
        assert_content(&p, "absolute", "name");
        assert_content(&p, "odd \n\001name\xff", "odd");
        assert_true(S_ISDIR(stat_of(&p, "v7dir").st_mode));
        assert_int_equal(p.result.needs.implied.count, 2);
        remove_place(&p);
}

static void test_whiteouts(void **state) {
        static const struct entry entries[] = {
                { '5', .name = "a/" },
                { '0', .name = "a/.wh.gone" },
                { '0', .name = "a/.wh..wh..opq" },
                { '0', .name = "b/.wh.replaced" },
                { '5', .name = "b/replaced/" },
                { '0', .name = "b/replaced/x" },
                { '5', .name = "c/kept/" },
                { '0', .name = "c/kept/x" },
                { '0', .name = "c/.wh.kept" },
                { '0', .name = "d/file" },
                { '0', .name = "d/.wh.file" },
                { '0', .name = "e/.wh.f" },
                { '0', .name = "e/f/implied" },
                { '0', .name = ".wh..wh.plnk/1" },
        };
        struct place p = make_place();
        struct stat st;

        (void)state;
        assert_int_equal(apply(&p, entries, ELEMENTS(entries), NULL, NULL), 0);
        st = stat_of(&p, "a/gone");
        assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0);
        assert_true(is_opaque(&p, "a"));
        assert_true(is_opaque(&p, "b/replaced") && is_there(&p, "b/replaced/x"));
        assert_true(is_opaque(&p, "c/kept") && is_there(&p, "c/kept/x"));
        assert_true(S_ISREG(stat_of(&p, "d/file").st_mode)); /* a whiteout is for the layers below */
        assert_true(is_opaque(&p, "e/f") && is_there(&p, "e/f/implied"));
        remove_place(&p);
}

/* Later entries replace earlier ones, whatever they were. */
static void test_replacement(void **state) {
        static const struct entry entries[] = {
                { '0', "f", .data = "old" },
                { '0', "f", .data = "new" },
                { '5', .name = "d/" },
                { '0', .name = "d/x/y" },
                { '2', .name = "d", .link = "elsewhere" },
                { '2', .name = "l", .link = "/etc" },
                { '5', .name = "l/" },
                { '0', "l/x", .data = "in" },
                { '5', "twice/", .mode = 0700 },
                { '0', .name = "twice/x" },
                { '5', "twice/", .mode = 0750 },
                { '0', "h1", .data = "one" },
                { '1', .name = "h2", .link = "h1" },
                { '0', "h1", .data = "two" },
        };
        struct place p = make_place();

        (void)state;
        assert_int_equal(apply(&p, entries, ELEMENTS(entries), NULL, NULL), 0);
        assert_content(&p, "f", "new");
        assert_true(S_ISLNK(stat_of(&p, "d").st_mode));
        assert_true(S_ISDIR(stat_of(&p, "l").st_mode));
        assert_content(&p, "l/x", "in");
        assert_int_equal(stat_of(&p, "twice").st_mode & 0777, 0750);
        assert_true(is_there(&p, "twice/x"));
        assert_content(&p, "h2", "one"); /* not through the link into the other name */
        assert_content(&p, "h1", "two");
        remove_place(&p);
}

static const struct refusal {
        struct entry entries[4];
        const char *says;
} refusals[] = {
        { { { '2', .name = "l", .link = "l" }, { '0', .name = "l/evil" } }, "more than 40 symbolic links" },
        { { { '2', .name = "a", .link = "b/x" }, { '2', .name = "b", .link = "/a/y" }, { '5', .name = "a/b/c" } },
          "more than 40 symbolic links" },
        { { { '2', .name = "l", .link = "l/l" }, { '1', .name = "h", .link = "l/x" } }, "more than 40 symbolic links" },
        { { { '2', .name = "l", .link = "f" }, { '0', .name = "f" }, { '0', .name = "l/x" } }, "is no directory" },
        { { { '1', .name = "h", .link = "" } }, "hard link to nothing" },
        { { { '5', .name = "d/" }, { '1', .name = "h", .link = "d" } }, "hard link to the directory" },
        { { { '0', .name = ".wh.x" }, { '1', .name = "h", .link = "x" } }, "which this layer removes" },
        { { { '0', .name = "d/.wh.." } }, "a whiteout of nothing" },
        { { { '0', .name = "d/.wh..." } }, "a whiteout of nothing" },
        { { { '0', .name = ".wh." } }, "a whiteout of nothing" },
        { { { '0', .name = "f" }, { '0', .name = "f/x" } }, "is no directory" },
        { { { '9', .name = "strange" } }, "unknown type" },
        { { { '2', .name = "./", .link = "/" } }, "is the root" },
        { { { 'x', "pax", .data = "999 path=x\n" } }, "malformed" },
        { { { 'x', "pax", .data = "14 size=99999\n" }, { '0', .name = "a" } }, "in the middle of an entry" },
        { { { 'x', "pax", .data = "12 uid=9999\n1" }, { '0', .name = "a" } }, "malformed" },
        { { { 'M', .name = "part" } }, "several volumes" },
};

static void test_refusals(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(refusals); i++) {
                _cleanup_err_ struct err *err = NULL;
                struct place p = make_place();
                size_t n = 0;

                while (n < 4 && refusals[i].entries[n].name)
                        n++;
                if (apply(&p, refusals[i].entries, n, NULL, &err) != -EBADMSG)
                        fail_msg("row %zu was not refused: %s", i, err_text(err));
                if (!strstr(err_text(err), refusals[i].says))
                        fail_msg("row %zu: %s", i, err_text(err));
                remove_place(&p);
        }
}

/* Entries, bytes, names and depth at the maximum and one past it. */
static void test_limits(void **state) {
        static const struct entry entries[] = { { '0', "a", .data = "12345" }, { '0', "b", .data = "12345" } };
        static const struct {
                struct layer_limits limits;
                int r;
        } rows[] = { { { .entries = 2 }, 0 },
                     { { .entries = 1 }, -E2BIG },
                     { { .bytes = 10 }, 0 },
                     { { .bytes = 9 }, -E2BIG } };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct place p = make_place();

                assert_int_equal(apply(&p, entries, 2, &rows[i].limits, NULL), rows[i].r);
                remove_place(&p);
        }
        for (int over = 0; over <= 1; over++) {
                char path[PATH_MAX] = "", record[PATH_MAX + 64];
                struct place p = make_place();
                struct stream s = { .bytes = NULL };

                for (int i = 0; i < 256 + over; i++)
                        strcat(path, "d/");
                snprintf(record, sizeof(record), "%d path=%s\n", (int)strlen(path) + 10, path);
                add_entry(&s, &(struct entry){ 'x', "pax", .data = record });
                add_entry(&s, &(struct entry){ '5', .name = "short" });
                assert_int_equal(apply_stream(&p, &s, NULL, NULL), over ? -E2BIG : 0);
                remove_place(&p);
        }
}

static void test_truncation(void **state) {
        static const struct entry entry = { '0', "a", .data = "12345" };

        (void)state;
        for (size_t cut = 1; cut < 2 * TAR_BLOCK; cut += 100) {
                struct place p = make_place();
                struct stream s = { .bytes = NULL };

                add_entry(&s, &entry);
                s.n = cut;
                assert_int_equal(apply_stream(&p, &s, NULL, NULL), -EBADMSG);
                remove_place(&p);
        }
}

static void test_long_names(void **state) {
        char name[600] = "", directory[256];
        struct stream s = { .bytes = NULL };
        struct place p = make_place();

        (void)state;
        memset(directory, 'n', 250);
        directory[250] = '\0';
        snprintf(name, sizeof(name), "%s/%s", directory, directory);
        add_entry(&s, &(struct entry){ 'L', "././@LongLink", .data = name, .n_data = strlen(name) + 1 });
        add_entry(&s, &(struct entry){ '0', "cut", .data = "long" });
        add_entry(&s, &(struct entry){ 'K', "././@LongLink", .data = name, .n_data = strlen(name) + 1 });
        add_entry(&s, &(struct entry){ '1', .name = "hard", .link = "cut" });
        assert_int_equal(apply_stream(&p, &s, NULL, NULL), 0);
        assert_content(&p, "hard", "long");
        assert_content(&p, name, "long");
        remove_place(&p);
}

static void test_sparse(void **state) {
        struct stream s = { .bytes = NULL };
        struct place p = make_place();
        char map[TAR_BLOCK + 16] = "2\n4096\n3\n8192\n2\n";
        struct stat st;

        (void)state;
        strcpy(map + TAR_BLOCK, "abcde");
        /* pax 0.1: the map in the header; pax 1.0: in the content */
        add_entry(&s,
                  &(struct entry){ 'x', "pax", .data = "29 GNU.sparse.map=0,2,1000,3\n25 GNU.sparse.size=10000\n" });
        add_entry(&s, &(struct entry){ '0', "one", .data = "abcde" });
        add_entry(&s, &(struct entry){ 'x', "pax",
                                       .data = "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
                                               "23 GNU.sparse.name=two\n29 GNU.sparse.realsize=10000\n" });
        add_entry(&s, &(struct entry){ '0', "GNUSparseFile/two", .data = map, .n_data = TAR_BLOCK + 5 });
        assert_int_equal(apply_stream(&p, &s, NULL, NULL), 0);
        st = stat_of(&p, "one");
        assert_int_equal(st.st_size, 10000);
        st = stat_of(&p, "two");
        assert_int_equal(st.st_size, 10000);
        int fd = openat(p.root, "two", O_RDONLY | O_CLOEXEC);
        char bytes[3];

        assert_int_equal(pread(fd, bytes, 3, 4096), 3);
        assert_memory_equal(bytes, "abc", 3);
        assert_int_equal(pread(fd, bytes, 2, 8192), 2);
        assert_memory_equal(bytes, "de", 2);
        close(fd);
        remove_place(&p);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_types),  cmocka_unit_test(test_whiteouts), cmocka_unit_test(test_replacement),
                cmocka_unit_test(test_refusals),   cmocka_unit_test(test_limits),    cmocka_unit_test(test_truncation),
                cmocka_unit_test(test_long_names), cmocka_unit_test(test_sparse),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
