/* Layers from tar streams made here, block by block, applied to a directory. Needs root, as the store does. */
#include "images/worker/layer.h"

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
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "images/files.h"
#include "images/worker/tar.h"
#include "lib/cleanup.h"
#include "lib/err.h"

struct stream {
        char *bytes;
        size_t n, at;
};

struct entry {
        char type;
        const char *name, *link;
        unsigned mode;
        const char *data;
        unsigned uid, gid, major, minor;
        size_t n_data; /* when the data holds NULs */
};

static void add_block(struct stream *s, const void *bytes, size_t n) {
        size_t whole = (n + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;

        s->bytes = realloc(s->bytes, s->n + whole);
        memset(s->bytes + s->n, 0, whole);
        memcpy(s->bytes + s->n, bytes, n);
        s->n += whole;
}

static void add_entry(struct stream *s, const struct entry *e) {
        size_t n = e->n_data ?: (e->data ? strlen(e->data) : 0);
        char h[TAR_BLOCK + 1] = "";
        unsigned sum = 0;

        memcpy(h, e->name, strnlen(e->name, 100));
        snprintf(h + 100, 8, "%07o", (e->mode ?: (e->type == '5' ? 0755 : 0644)) & 07777777);
        snprintf(h + 108, 8, "%07o", e->uid & 07777777);
        snprintf(h + 116, 8, "%07o", e->gid & 07777777);
        snprintf(h + 124, 12, "%011zo", n & 0777777777);
        snprintf(h + 136, 12, "%011o", 1000000);
        h[156] = e->type;
        if (e->link)
                memcpy(h + 157, e->link, strnlen(e->link, 100));
        memcpy(h + 257, "ustar\00000", 8);
        snprintf(h + 329, 8, "%07o", e->major & 07777777);
        snprintf(h + 337, 8, "%07o", e->minor & 07777777);
        memset(h + 148, ' ', 8);
        for (size_t i = 0; i < TAR_BLOCK; i++)
                sum += (unsigned char)h[i];
        snprintf(h + 148, 8, "%06o", sum & 0777777);
        add_block(s, h, TAR_BLOCK);
        if (n > 0)
                add_block(s, e->data, n);
}

static int next(void *data, const uint8_t **ret_bytes, size_t *ret_n, struct err **err) {
        struct stream *s = data;
        size_t n = s->n - s->at;

        (void)err;
        if (n > 3 * TAR_BLOCK) /* content straddles buffers */
                n = 3 * TAR_BLOCK;
        *ret_bytes = (uint8_t *)s->bytes + s->at;
        *ret_n = n;
        s->at += n;
        return 0;
}

/* A directory for each test, removed by its end. */
struct place {
        char path[64];
        int fd, root;
        struct layer_result result;
};

static struct place make_place(void) {
        struct place p = { .path = "/tmp/layer-test.XXXXXX" };

        umask(0);
        assert_non_null(mkdtemp(p.path));
        p.fd = open(p.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(mkdirat(p.fd, "fs", 0755), 0);
        p.root = openat(p.fd, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return p;
}

static void remove_place(struct place *p) {
        layer_needs_clear(&p->result.needs);
        close(p->root);
        assert_int_equal(tree_remove(p->fd, "fs", NULL), 0);
        close(p->fd);
        assert_int_equal(rmdir(p->path), 0);
}

static int apply_stream(struct place *p, struct stream *s, const struct layer_limits *limits, struct err **err) {
        const struct tar_source source = { .next = next, .data = s };
        static const struct layer_limits none;
        struct tar_reader *tar = tar_reader_new(&source);
        int r = layer_apply(p->root, tar, limits ?: &none, &p->result, err);

        tar_reader_free(tar);
        free(s->bytes);
        return r;
}

static int apply(struct place *p, const struct entry *entries, size_t n, const struct layer_limits *limits,
                 struct err **err) {
        struct stream s = { .bytes = NULL };

        for (size_t i = 0; i < n; i++)
                add_entry(&s, &entries[i]);
        add_block(&s, "", 1);
        add_block(&s, "", 1);
        return apply_stream(p, &s, limits, err);
}

static struct stat stat_of(const struct place *p, const char *name) {
        struct stat st;

        if (fstatat(p->root, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                fail_msg("%s is not there", name);
        return st;
}

static bool is_there(const struct place *p, const char *name) {
        return faccessat(p->root, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void assert_content(const struct place *p, const char *name, const char *content) {
        _cleanup_free_ char *text = NULL;

        assert_int_equal(file_read(p->root, name, 1 << 20, &text, NULL, NULL), 0);
        assert_string_equal(text, content);
}

static bool is_opaque(const struct place *p, const char *name) {
        char path[128], value[2] = "";

        snprintf(path, sizeof(path), "%s/fs/%s", p->path, name);
        return getxattr(path, "trusted.overlay.opaque", value, 2) == 1 && value[0] == 'y';
}

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
                cmocka_unit_test(test_all_types),
                cmocka_unit_test(test_whiteouts),
                cmocka_unit_test(test_replacement),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_truncation),
                cmocka_unit_test(test_pax),
                cmocka_unit_test(test_long_names),
                cmocka_unit_test(test_sparse),
                cmocka_unit_test(test_settle),
                cmocka_unit_test(test_pax_taken_back),
                cmocka_unit_test(test_bad_pax),
                cmocka_unit_test(test_several_extensions),
                cmocka_unit_test(test_through_links),
                cmocka_unit_test(test_all_through_links),
                cmocka_unit_test(test_late_modes),
                cmocka_unit_test(test_number_of_links),
                cmocka_unit_test(test_settle_through_links),
                cmocka_unit_test(test_settle_whiteouts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
