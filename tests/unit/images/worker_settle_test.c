/* What of a layer only the layers below can tell. */
#include "tests/unit/images/layer_fixture.h"

/* Hard links into a lower layer, and the metadata of directories that only the lower layer describes. */
static void test_settle(void **state) {
        static const struct entry below[] = {
                { '5', "usr/", .mode = 0750, .uid = 7 },
                { '5', "usr/bin/", .mode = 0711 },
                { '0', "usr/bin/tool", .mode = 04755, .uid = 7, .data = "tool" },
                { '0', "gone", .data = "x" },
        };
        static const struct entry above[] = {
                { '0', "usr/share/doc", .data = "doc" },
                { '1', .name = "usr/share/link", .link = "usr/bin/tool" },
        };
        static const struct entry nowhere[] = { { '1', .name = "link", .link = "missing" } };
        _cleanup_err_ struct err *err = NULL;
        struct place lower = make_place(), upper = make_place(), bad = make_place();

        (void)state;
        assert_int_equal(apply(&lower, below, ELEMENTS(below), NULL, NULL), 0);
        assert_int_equal(apply(&upper, above, ELEMENTS(above), NULL, NULL), 0);
        assert_int_equal(upper.result.needs.links.count, 1);
        assert_int_equal(layer_settle(upper.root, &upper.result.needs, &lower.root, 1, &err), 1);
        assert_content(&upper, "usr/share/link", "tool");
        assert_int_equal(stat_of(&upper, "usr/bin/tool").st_ino, stat_of(&upper, "usr/share/link").st_ino);
        assert_int_equal(stat_of(&upper, "usr/bin/tool").st_mode & 07777, 04755);
        assert_int_equal(stat_of(&upper, "usr").st_mode & 07777, 0750);
        assert_int_equal(stat_of(&upper, "usr").st_uid, 7);
        assert_int_equal(stat_of(&upper, "usr/bin").st_mode & 07777, 0711);
        assert_int_equal(apply(&bad, nowhere, ELEMENTS(nowhere), NULL, NULL), 0);
        assert_int_equal(layer_settle(bad.root, &bad.result.needs, &lower.root, 1, &err), -EBADMSG);
        assert_non_null(strstr(err_text(err), "in no layer"));
        remove_place(&lower);
        remove_place(&upper);
        remove_place(&bad);
}

/* Hard links whose target the layers below have behind links of theirs. */
static void test_settle_through_links(void **state) {
        static const struct entry below[] = {
                { '0', "usr/lib/tool", .mode = 0700, .data = "in" },
                { '2', .name = "lib", .link = "usr/lib" },
                { '2', .name = "usr/abs", .link = "/lib" },
                { '2', .name = "loop", .link = "loop" },
        };
        static const struct entry above[] = {
                { '1', .name = "one", .link = "lib/tool" },
                { '1', .name = "two", .link = "usr/abs/tool" },
                { '2', .name = "mine", .link = "usr/../lib" },
                { '1', .name = "three", .link = "mine/tool" },
        };
        static const struct entry looped[] = { { '1', .name = "h", .link = "loop/tool" } };
        struct place lower = make_place(), upper = make_place(), bad = make_place();

        (void)state;
        assert_int_equal(apply(&lower, below, ELEMENTS(below), NULL, NULL), 0);
        assert_int_equal(apply(&upper, above, ELEMENTS(above), NULL, NULL), 0);
        assert_int_equal(layer_settle(upper.root, &upper.result.needs, &lower.root, 1, NULL), 1);
        assert_content(&upper, "one", "in");
        assert_content(&upper, "two", "in");
        assert_content(&upper, "three", "in");
        assert_int_equal(stat_of(&upper, "usr/lib/tool").st_nlink, 4);
        assert_false(is_there(&upper, "lib"));
        assert_int_equal(apply(&bad, looped, ELEMENTS(looped), NULL, NULL), 0);
        assert_int_equal(layer_settle(bad.root, &bad.result.needs, &lower.root, 1, NULL), -EBADMSG);
        remove_place(&lower);
        remove_place(&upper);
        remove_place(&bad);
}

/* Whiteouts that hide something stay, others go, and the directory's time with them. */
static void test_settle_whiteouts(void **state) {
        static const struct entry below[] = { { '0', .name = "d/there" }, { '0', .name = "o/there" } };
        static const struct entry above[] = {
                { '0', .name = "d/.wh.there" },       { '0', .name = "d/.wh.not" },   { '5', .name = "e/" },
                { '0', .name = "e/.wh.not" },         { '0', .name = "o/.wh.there" }, { '0', .name = "o/.wh..wh..opq" },
                { '0', .name = "d/there/now/.wh.x" }, { '0', .name = ".wh.root" },
        };
        struct place lower = make_place(), upper = make_place(), lowest = make_place();

        (void)state;
        assert_int_equal(apply(&lower, below, ELEMENTS(below), NULL, NULL), 0);
        assert_int_equal(apply(&upper, above, 6, NULL, NULL), 0);
        assert_int_equal(layer_settle(upper.root, &upper.result.needs, &lower.root, 1, NULL), 1);
        assert_true(is_there(&upper, "d/there"));
        assert_false(is_there(&upper, "d/not") || is_there(&upper, "e/not") || is_there(&upper, "o/there"));
        assert_int_equal(stat_of(&upper, "e").st_mtime, 1000000);
        assert_int_equal(apply(&lowest, above, ELEMENTS(above), NULL, NULL), 0);
        assert_int_equal(layer_settle(lowest.root, &lowest.result.needs, NULL, 0, NULL), 1);
        assert_true(is_opaque(&lowest, "d/there") && is_there(&lowest, "d/there/now"));
        assert_false(is_there(&lowest, "d/not") || is_there(&lowest, "root") || is_there(&lowest, "d/there/now/x"));
        remove_place(&lower);
        remove_place(&upper);
        remove_place(&lowest);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_settle),
                cmocka_unit_test(test_settle_through_links),
                cmocka_unit_test(test_settle_whiteouts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
