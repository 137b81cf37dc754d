/* Links on the way to a layer's entries. */
#include "tests/unit/images/layer_fixture.h"

/* Links that an entry's path leads through: resolved, with the layer's root as the root of all. */
static const struct through {
        struct entry entries[6];
        const char *file; /* where the content "in" is in the end, */
        const char *none; /* and what is not there */
} throughs[] = {
        { { { '5', .name = "real/" }, { '2', .name = "l", .link = "real" }, { '0', "l/f", .data = "in" } },
          "real/f",
          "f" },
        { { { '2', .name = "l", .link = "/real" }, { '5', .name = "real/" }, { '0', "l/f", .data = "in" } },
          "real/f",
          "f" },
        { { { '2', .name = "a/b/l", .link = "../../real" }, { '0', "a/b/l/c/f", .data = "in" } }, "real/c/f", "a/b/c" },
        { { { '2', .name = "l", .link = "dangling/deep" }, { '0', "l/f", .data = "in" } }, "dangling/deep/f", "f" },
        { { { '2', .name = "l", .link = "../../../../up" }, { '0', "l/f", .data = "in" } }, "up/f", "f" },
        { { { '2', .name = "l", .link = "/" }, { '0', "l/f", .data = "in" } }, "f", "l/l/l/x" },
        { { { '2', .name = "l", .link = ".." }, { '0', "l/f", .data = "in" } }, "f", "l/x" },
        { { { '2', .name = "l", .link = "/tmp/outside-of-the-layer" }, { '0', "l/f", .data = "in" } },
          "tmp/outside-of-the-layer/f",
          "f" },
        { { { '2', .name = "a", .link = "b" }, { '2', .name = "b", .link = "/c/d/.." }, { '0', "a/f", .data = "in" } },
          "c/f",
          "c/d" },
        { { { '2', .name = "a/l", .link = "../b/m" },
            { '2', .name = "b/m", .link = "n" },
            { '0', "a/l/f", .data = "in" } },
          "b/n/f",
          "n" },
        /* the last part is not followed: it is what is made */
        { { { '0', "real", .data = "no" }, { '2', .name = "l", .link = "real" }, { '0', "l", .data = "in" } },
          "l",
          "x" },
        { { { '5', .name = "real/" },
            { '2', .name = "l", .link = "real" },
            { '5', .name = "l/" },
            { '0', "l/f", .data = "in" } },
          "l/f",
          "real/f" },
        /* what a link replaced, and what replaced a link */
        { { { '0', .name = "d/x" }, { '2', .name = "d", .link = "/e" }, { '0', "d/f", .data = "in" } }, "e/f", "e/x" },
        { { { '2', .name = "l", .link = "a" },
            { '0', .name = "l/x" },
            { '2', .name = "l", .link = "b" },
            { '0', "l/f", .data = "in" } },
          "b/f",
          "a/f" },
        /* hard links, in their own place and in their target's */
        { { { '0', "real/t", .data = "in" },
            { '2', .name = "l", .link = "real" },
            { '1', .name = "h", .link = "l/t" } },
          "h",
          "t" },
        { { { '0', "t", .data = "in" }, { '2', .name = "l", .link = "/real" }, { '1', .name = "l/h", .link = "t" } },
          "real/h",
          "h" },
        { { { '2', .name = "l", .link = "../.." },
            { '0', "t", .data = "in" },
            { '1', .name = "l/h", .link = "l/l/t" } },
          "h",
          "x" },
        { { { '1', .name = "h", .link = "l/t" },
            { '2', .name = "l", .link = "real" },
            { '0', "real/t", .data = "in" } },
          "h",
          "t" },
        { { { '0', "d/f", .data = "in" }, { '2', .name = "l", .link = "d" }, { '1', .name = "l/f", .link = "d/f" } },
          "d/f",
          "f" },
        /* "..", in names and in links' names */
        { { { '0', "../f", .data = "in" } }, "f", "x" },
        { { { '0', "a/../../f", .data = "in" } }, "f", "a" },
        { { { '0', "/../../../f", .data = "in" } }, "f", "x" },
        { { { '0', "a/b/../c/./f", .data = "in" } }, "a/c/f", "a/b" },
        { { { '0', "t", .data = "in" }, { '1', .name = "a/../h", .link = "../../x/../t" } }, "h", "x" },
};

static void test_through_links(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(throughs); i++) {
                _cleanup_err_ struct err *err = NULL;
                struct place p = make_place();
                size_t n = 0;

                while (n < 6 && throughs[i].entries[n].name)
                        n++;
                if (apply(&p, throughs[i].entries, n, NULL, &err) < 0)
                        fail_msg("row %zu: %s", i, err_text(err));
                if (!S_ISREG(stat_of(&p, throughs[i].file).st_mode) || is_there(&p, throughs[i].none))
                        fail_msg("row %zu", i);
                assert_content(&p, throughs[i].file, "in");
                remove_place(&p);
        }
        assert_int_equal(access("/tmp/outside-of-the-layer", F_OK), -1);
        assert_int_equal(access("/tmp/up", F_OK), -1);
}

/* Everything that has a place of its own, through links: kinds, whiteouts, opaque directories, directories' modes. */
static void test_all_through_links(void **state) {
        static const struct entry entries[] = {
                { '5', "real/", .mode = 0711, .uid = 3 },
                { '2', .name = "l", .link = "/real" },
                { '6', .name = "l/fifo" },
                { '3', "l/null", .major = 1, .minor = 3 },
                { '2', .name = "l/link", .link = "nowhere" },
                { '5', "l/sub/", .mode = 0700, .uid = 5 },
                { '0', .name = "l/.wh.gone" },
                { '0', .name = "l/sub/.wh..wh..opq" },
                { '2', .name = "other", .link = "l/made" },
                { '0', .name = "other/.wh..wh..opq" },
        };
        struct place p = make_place();

        (void)state;
        assert_int_equal(apply(&p, entries, ELEMENTS(entries), NULL, NULL), 0);
        assert_true(S_ISFIFO(stat_of(&p, "real/fifo").st_mode) && S_ISCHR(stat_of(&p, "real/null").st_mode));
        assert_true(S_ISLNK(stat_of(&p, "real/link").st_mode) && S_ISLNK(stat_of(&p, "l").st_mode));
        assert_int_equal(stat_of(&p, "real").st_mode & 07777, 0711);
        assert_int_equal(stat_of(&p, "real/sub").st_mode & 07777, 0700);
        assert_int_equal(stat_of(&p, "real/sub").st_uid, 5);
        assert_true(S_ISCHR(stat_of(&p, "real/gone").st_mode));
        assert_string_equal(p.result.needs.whiteouts.items[0], "real/gone");
        assert_true(is_opaque(&p, "real/sub") && is_opaque(&p, "real/made"));
        assert_string_equal(p.result.needs.implied.items[0], "real/made");
        remove_place(&p);
}

/* A late mode is for the directory that had the name, not for one that a link leads to now. */
static void test_late_modes(void **state) {
        static const struct entry entries[] = {
                { '5', "e/", .mode = 0755 },   { '5', "e/x/", .mode = 0700 },      { '5', "d/", .mode = 0755 },
                { '5', "d/x/", .mode = 0777 }, { '2', .name = "d", .link = "/e" },
        };
        struct place p = make_place();

        (void)state;
        assert_int_equal(apply(&p, entries, ELEMENTS(entries), NULL, NULL), 0);
        assert_int_equal(stat_of(&p, "e/x").st_mode & 07777, 0700);
        remove_place(&p);
}

/* So many links as the kernel follows, and one more. */
static void test_number_of_links(void **state) {
        (void)state;
        for (int n = 40; n <= 41; n++) {
                struct stream s = { .bytes = NULL };
                struct place p = make_place();
                char name[16], link[16];

                for (int i = 0; i < n; i++) {
                        snprintf(name, sizeof(name), "l%d", i);
                        snprintf(link, sizeof(link), "l%d", i + 1);
                        add_entry(&s, &(struct entry){ '2', .name = name, .link = link });
                }
                add_entry(&s, &(struct entry){ '0', .name = "l0/f" });
                add_block(&s, "", 1);
                add_block(&s, "", 1);
                assert_int_equal(apply_stream(&p, &s, NULL, NULL), n <= 40 ? 0 : -EBADMSG);
                assert_int_equal(is_there(&p, "l40/f"), n <= 40);
                remove_place(&p);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_through_links),
                cmocka_unit_test(test_all_through_links),
                cmocka_unit_test(test_late_modes),
                cmocka_unit_test(test_number_of_links),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
