/* Extended headers of tar entries: what their records say, take back and say again. */
#include "tests/unit/images/layer_fixture.h"

static void test_pax(void **state) {
        static const char xattr[] = "35 SCHILY.xattr.user.key=a\0b\nvalue\n",
                          overlay[] = "43 SCHILY.xattr.trusted.overlay.redirect=/\n";
        struct stream s = { .bytes = NULL };
        struct place p = make_place();
        char path[128], value[64], records[512];
        size_t n = 0;

        (void)state;
        memcpy(records, xattr, sizeof(xattr) - 1);
        n += sizeof(xattr) - 1;
        memcpy(records + n, overlay, sizeof(overlay) - 1);
        n += sizeof(overlay) - 1;
        n += (size_t)sprintf(records + n, "22 mtime=1234.5000001\n");
        add_entry(&s, &(struct entry){ 'g', "global", .data = "18 comment=global\n" });
        add_entry(&s, &(struct entry){ 'x', "pax", .data = records, .n_data = n });
        add_entry(&s, &(struct entry){ '0', "f", .data = "x" });
        add_entry(&s, &(struct entry){ '0', "g", .data = "x" });
        assert_int_equal(apply_stream(&p, &s, NULL, NULL), 0);
        snprintf(path, sizeof(path), "%s/fs/f", p.path);
        assert_int_equal(getxattr(path, "user.key", value, sizeof(value)), 9);
        assert_memory_equal(value, "a\0b\nvalue", 9);
        assert_true(getxattr(path, "trusted.overlay.redirect", value, sizeof(value)) < 0);
        assert_int_equal(stat_of(&p, "f").st_mtim.tv_sec, 1234);
        assert_int_equal(stat_of(&p, "f").st_mtim.tv_nsec, 500000100);
        assert_int_equal(stat_of(&p, "g").st_mtim.tv_sec, 1000000); /* a pax header is for one entry */
        snprintf(path, sizeof(path), "%s/fs/g", p.path);
        assert_true(getxattr(path, "user.key", value, sizeof(value)) < 0);
        remove_place(&p);
}

/* Appends the record "LENGTH key=value\n". */
static void add_record(char *records, const char *record) {
        size_t n = strlen(record) + 2, length = n + 1;

        while (length != n + (size_t)snprintf(NULL, 0, "%zu", length))
                length++;
        sprintf(records + strlen(records), "%zu %s\n", length, record);
}

/* What records say, take back, and say again; else the header's field counts. */
static void test_pax_taken_back(void **state) {
        static const struct {
                const char *records[5], *path, *link, *content;
                unsigned uid, gid;
                time_t mtime;
        } rows[] = {
                { { "path=x" }, "x", NULL, "12345", 1, 2, 1000000 },
                { { "path=x", "path=" }, "f", NULL, "12345", 1, 2, 1000000 },
                { { "path=x", "path=", "path=y" }, "y", NULL, "12345", 1, 2, 1000000 },
                { { "path=", "linkpath=" }, "f", NULL, "12345", 1, 2, 1000000 },
                { { "mtime=" }, "f", NULL, "12345", 1, 2, 1000000 },
                { { "mtime=7.5", "mtime=" }, "f", NULL, "12345", 1, 2, 1000000 },
                { { "mtime=7.5" }, "f", NULL, "12345", 1, 2, 7 },
                { { "size=" }, "f", NULL, "12345", 1, 2, 1000000 },
                { { "size=3", "size=" }, "f", NULL, "12345", 1, 2, 1000000 },
                { { "size=3" }, "f", NULL, "123", 1, 2, 1000000 },
                { { "uid=", "gid=" }, "f", NULL, "12345", 1, 2, 1000000 },
                { { "uid=8", "gid=9", "uid=" }, "f", NULL, "12345", 1, 9, 1000000 },
                { { "uid=8", "uid=", "gid=9" }, "f", NULL, "12345", 1, 9, 1000000 },
                { { "comment=", "atime=", "ctime=", "VENDOR.x=" }, "f", NULL, "12345", 1, 2, 1000000 },
                { { "GNU.sparse.major=", "GNU.sparse.minor=", "GNU.sparse.realsize=", "GNU.sparse.name=" },
                  "f",
                  NULL,
                  "12345",
                  1,
                  2,
                  1000000 },
                { { "GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.major=" },
                  "f",
                  NULL,
                  "12345",
                  1,
                  2,
                  1000000 },
                { { "GNU.sparse.map=" }, "f", NULL, "12345", 1, 2, 1000000 },
                { { "linkpath=t" }, "f", "t", NULL, 1, 2, 1000000 },
                { { "linkpath=t", "linkpath=" }, "f", "l", NULL, 1, 2, 1000000 },
                { { "linkpath=../../t" }, "f", "../../t", NULL, 1, 2, 1000000 },
                { { "path=../../../x/../y" }, "y", NULL, "12345", 1, 2, 1000000 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_err_ struct err *err = NULL;
                struct stream s = { .bytes = NULL };
                struct place p = make_place();
                char records[512] = "", link[16] = "";
                struct stat st;

                for (size_t j = 0; j < ELEMENTS(rows[i].records) && rows[i].records[j]; j++)
                        add_record(records, rows[i].records[j]);
                add_entry(&s, &(struct entry){ 'x', "pax", .data = records });
                add_entry(&s, &(struct entry){ rows[i].link ? '2' : '0', "f", .link = rows[i].link ? "l" : NULL,
                                               .data = rows[i].link ? NULL : "12345", .uid = 1, .gid = 2 });
                if (apply_stream(&p, &s, NULL, &err) < 0)
                        fail_msg("row %zu: %s", i, err_text(err));
                st = stat_of(&p, rows[i].path);
                assert_int_equal(st.st_uid, rows[i].uid);
                assert_int_equal(st.st_gid, rows[i].gid);
                assert_int_equal(st.st_mtime, rows[i].mtime);
                if (rows[i].content)
                        assert_content(&p, rows[i].path, rows[i].content);
                else
                        assert_true(readlinkat(p.root, rows[i].path, link, sizeof(link)) > 0 &&
                                    strcmp(link, rows[i].link) == 0);
                remove_place(&p);
        }
}

/* Values that are none are refused, not taken as nothing. */
static void test_bad_pax(void **state) {
        static const char *const records[] = { "mtime=x",
                                               "mtime=1x",
                                               "size=-1",
                                               "size= 1",
                                               "uid=4294967295",
                                               "gid=99999999999",
                                               "uid=1.5",
                                               "GNU.sparse.offset=",
                                               "GNU.sparse.numbytes=",
                                               "GNU.sparse.major=x",
                                               "GNU.sparse.map=1,2,3" };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(records); i++) {
                struct stream s = { .bytes = NULL };
                struct place p = make_place();
                char text[128] = "";

                add_record(text, records[i]);
                add_entry(&s, &(struct entry){ 'x', "pax", .data = text });
                add_entry(&s, &(struct entry){ '0', .name = "f" });
                if (apply_stream(&p, &s, NULL, NULL) != -EBADMSG)
                        fail_msg("%s was taken", records[i]);
                remove_place(&p);
        }
}

/* Two extended headers before one entry: the last of a kind counts, and GNU's names before pax's, as Go has it. */
static void test_several_extensions(void **state) {
        static const struct entry entries[] = {
                { 'x', "pax", .data = "9 path=x\n9 uid=55\n" },
                { 'x', "pax", .data = "9 gid=77\n" },
                { '0', "one", .uid = 1, .gid = 2 },
                { 'L', "long", .data = "two" },
                { 'x', "pax", .data = "9 path=x\n" },
                { '0', .name = "header" },
                { 'x', "pax", .data = "9 path=x\n" },
                { 'L', "long", .data = "../three" },
                { '0', .name = "header" },
                { 'L', "long", .data = "", .n_data = 1 },
                { '0', .name = "four" },
                { 'K', "long", .data = "../../a" },
                { 'x', "pax", .data = "14 linkpath=b\n" },
                { '2', "five", .link = "c" },
        };
        struct place p = make_place();
        char link[16] = "";

        (void)state;
        assert_int_equal(apply(&p, entries, ELEMENTS(entries), NULL, NULL), 0);
        assert_int_equal(stat_of(&p, "one").st_uid, 1);
        assert_int_equal(stat_of(&p, "one").st_gid, 77);
        assert_true(is_there(&p, "two") && is_there(&p, "three") && is_there(&p, "four"));
        assert_false(is_there(&p, "x") || is_there(&p, "header"));
        assert_true(readlinkat(p.root, "five", link, sizeof(link)) > 0);
        assert_string_equal(link, "../../a");
        remove_place(&p);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pax),
                cmocka_unit_test(test_pax_taken_back),
                cmocka_unit_test(test_bad_pax),
                cmocka_unit_test(test_several_extensions),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
