/* The store's bookkeeping on stores made here by hand. */
#include "images/store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "images/files.h"
#include "images/layout.h"
#include "lib/cleanup.h"
#include "lib/err.h"

struct place {
        char path[64];
        struct image_layout layout;
        struct image_store *store;
};

/* "sha256:" and one digit 64 times. */
static const char *digest(char digit) {
        static char texts[16][IMAGE_DIGEST_LENGTH + 1];
        static unsigned at;
        char *text = texts[at++ % 16];

        strcpy(text, "sha256:");
        memset(text + 7, digit, 64);
        text[IMAGE_DIGEST_LENGTH] = '\0';
        return text;
}

static int setup(void **state) {
        struct place *p = calloc(1, sizeof(*p));

        strcpy(p->path, "/tmp/store-test.XXXXXX");
        assert_non_null(mkdtemp(p->path));
        assert_int_equal(image_store_open(p->path, &p->store, NULL), 0);
        assert_int_equal(image_layout_open(p->path, &p->layout, NULL), 0);
        *state = p;
        return 0;
}

static int teardown(void **state) {
        struct place *p = *state;

        image_layout_close(&p->layout);
        image_store_close(p->store);
        assert_int_equal(image_tree_remove(AT_FDCWD, p->path, NULL), 0);
        free(p);
        return 0;
}

static void put_blob(struct place *p, const char *name, const char *text) {
        assert_int_equal(image_file_write(p->layout.blobs, digest_hex(name), text, strlen(text), NULL), 0);
}

static void put_layer(struct place *p, const char *name, const char *blob) {
        char info[256];
        int fd;

        assert_int_equal(image_directory_open(p->layout.layers, name, &fd, NULL), 0);
        assert_int_equal(mkdirat(fd, "fs", 0755), 0);
        snprintf(info, sizeof(info), "bytes 1000\ninodes 3\nblob %s 5\n", blob);
        assert_int_equal(image_file_write(fd, "info", info, strlen(info), NULL), 0);
        close(fd);
}

static void put_name(struct place *p, const char *name, char manifest, char config) {
        struct image_reference reference;
        struct image_ref ref;

        assert_int_equal(image_reference_parse(name, &reference, NULL), 0);
        strcpy(ref.manifest, digest(manifest));
        strcpy(ref.image_id, digest(config));
        assert_int_equal(image_ref_write(&p->layout, &reference, &ref, NULL), 0);
}

/* An image of one layer: manifest, config, layer blob and diff id are digests of one digit each. */
static void put_image(struct place *p, char manifest, char config, char blob, char diff, const char *name) {
        char text[512];

        snprintf(text, sizeof(text),
                 "{\"schemaVersion\":2,\"config\":{\"digest\":\"%s\",\"size\":1},"
                 "\"layers\":[{\"digest\":\"%s\",\"size\":5}]}",
                 digest(config), digest(blob));
        put_blob(p, digest(manifest), text);
        snprintf(text, sizeof(text),
                 "{\"os\":\"linux\",\"config\":{\"Cmd\":[\"%c\"]},\"rootfs\":{\"diff_ids\":[\"%s\"]}}", config,
                 digest(diff));
        put_blob(p, digest(config), text);
        put_blob(p, digest(blob), "12345");
        put_layer(p, digest_hex(digest(diff)), digest(blob));
        put_name(p, name, manifest, config);
}

static bool has(int dir, const char *name) {
        return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void test_find_and_list(void **state) {
        struct place *p = *state;
        _cleanup_image_ struct image *image = NULL;
        struct image **images;
        char expected[256];
        size_t n;

        put_image(p, 'a', 'b', 'c', 'd', "app:1");
        put_image(p, 'e', 'f', '1', '2', "localhost:5000/team/other:2");
        put_name(p, "app:2", 'a', 'b');
        put_name(p, "docker.io/library/app@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                 'a', 'b');
        assert_int_equal(image_store_list(p->store, &images, &n, NULL), 0);
        assert_int_equal(n, 2);
        assert_string_equal(images[0]->id, digest('b'));
        image_list_free(images, n);

        assert_int_equal(image_store_find(p->store, "app:2", &image, NULL), 0);
        assert_string_equal(image->repo_tags[0], "docker.io/library/app:1");
        assert_string_equal(image->repo_tags[1], "docker.io/library/app:2");
        assert_null(image->repo_tags[2]);
        snprintf(expected, sizeof(expected), "docker.io/library/app@%s", digest('a'));
        assert_string_equal(image->repo_digests[0], expected);
        assert_null(image->repo_digests[1]);
        assert_string_equal(image->config.cmd[0], "b");
        assert_int_equal(image->n_layers, 1);
        snprintf(expected, sizeof(expected), "%s/images/layers/%s/fs", p->path, digest_hex(digest('d')));
        assert_string_equal(image->layers[0], expected);
        assert_true(image->size > 1000 + 5);
}

static void test_names(void **state) {
        static const struct {
                const char *name;
                int r;
                char id;
        } rows[] = {
                { "app", -ENOENT, 0 },     { "app:1", 0, 'b' },         { "docker.io/library/app:1", 0, 'b' },
                { "bbbb", 0, 'b' },        { "sha256:bbbbbb", 0, 'b' }, { "bbb", -ENOENT, 0 },
                { "bbbc", -ENOENT, 0 },    { "Bad", -EINVAL, 0 },       { "", -EINVAL, 0 },
                { "../../x", -EINVAL, 0 }, { "cafe", 0, 'f' }, /* a reference wins over an id's prefix */
        };
        struct place *p = *state;

        put_image(p, 'a', 'b', 'c', 'd', "app:1");
        put_image(p, 'e', 'f', '1', '2', "cafe");
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_image_ struct image *image = NULL;
                _cleanup_err_ struct err *err = NULL;

                if (image_store_find(p->store, rows[i].name, &image, &err) != rows[i].r)
                        fail_msg("%s: %s", rows[i].name, err_text(err));
                if (rows[i].r == 0)
                        assert_string_equal(image->id, digest(rows[i].id));
        }
}

static void test_tag_and_remove(void **state) {
        struct place *p = *state;
        _cleanup_image_ struct image *image = NULL;
        _cleanup_err_ struct err *err = NULL;

        put_image(p, 'a', 'b', 'c', 'd', "app:1");
        assert_int_equal(image_store_tag(p->store, "bbbb", "other.test/app:x", NULL), 0);
        assert_int_equal(image_store_untag(p->store, "app:1", NULL), 0);
        assert_int_equal(image_store_untag(p->store, "app:1", &err), -ENOENT);
        assert_int_equal(image_store_untag(p->store, "other.test/app:x", NULL), 0);
        assert_int_equal(image_store_find(p->store, "bbbb", &image, NULL), 0); /* under its id, without a name */
        assert_null(image->repo_tags[0]);
        assert_int_equal(image_store_tag(p->store, "bbbb", "again:1", NULL), 0);
        assert_int_equal(image_store_tag(p->store, "again:1", "x@sha256:y", NULL), -EINVAL);
        assert_int_equal(image_store_tag(p->store, "missing:1", "x:1", NULL), -ENOENT);
        assert_int_equal(image_store_remove(p->store, "again:1", NULL), 0);
        assert_int_equal(image_store_remove(p->store, "again:1", NULL), 0);
        image_freep(&image);
        assert_int_equal(image_store_find(p->store, "bbbb", &image, NULL), -ENOENT);
}

static void test_collect(void **state) {
        struct place *p = *state;
        char used[IMAGE_DIGEST_LENGTH + 1];
        const char *in_use[] = { used, "nonsense", NULL };
        char **layers;
        uint64_t freed;

        strcpy(used, digest('b'));
        put_image(p, 'a', 'b', 'c', 'd', "app:1");
        put_image(p, 'e', 'f', '1', '2', "other:1");
        put_blob(p, digest('9'), "orphan");
        assert_int_equal(image_store_collect(p->store, NULL, &freed, NULL), 0);
        assert_false(has(p->layout.blobs, digest_hex(digest('9'))));
        assert_true(has(p->layout.blobs, digest_hex(digest('c'))) && has(p->layout.layers, digest_hex(digest('d'))));
        assert_int_equal(image_store_remove(p->store, "app:1", NULL), 0);
        assert_int_equal(image_store_collect(p->store, in_use, &freed, NULL), 0);
        assert_true(has(p->layout.layers, digest_hex(digest('d')))); /* a container stands on it */
        assert_int_equal(image_store_layers(p->store, digest('b'), &layers, NULL), 0);
        image_strings_free(layers);
        assert_int_equal(image_store_collect(p->store, NULL, &freed, NULL), 0);
        assert_true(freed > 0);
        assert_false(has(p->layout.layers, digest_hex(digest('d'))) || has(p->layout.blobs, digest_hex(digest('c'))));
        assert_true(has(p->layout.layers, digest_hex(digest('2'))));
}

static void test_collect_waits_for_transfers(void **state) {
        struct place *p = *state;
        _cleanup_close_ int lock = -EBADF;

        put_image(p, 'a', 'b', 'c', 'd', "app:1");
        assert_int_equal(image_store_remove(p->store, "app:1", NULL), 0);
        assert_int_equal(image_layout_lock(&p->layout, IMAGE_LOCK_SHARED, &lock, NULL), 0);
        assert_int_equal(image_store_collect(p->store, NULL, NULL, NULL), -EBUSY);
        assert_true(has(p->layout.blobs, digest_hex(digest('c'))));
}

/* Broken content never is a reason not to go on: other images are still there. */
static void test_broken(void **state) {
        struct place *p = *state;
        _cleanup_image_ struct image *image = NULL;
        struct image **images;
        size_t n;
        int fd;

        put_image(p, 'a', 'b', 'c', 'd', "app:1");
        put_image(p, 'e', 'f', '1', '2', "whole:1");
        put_blob(p, digest('b'), "{broken");
        assert_int_equal(image_directory_open(p->layout.refs, "docker.io+library+bad", &fd, NULL), 0);
        assert_int_equal(image_file_write(fd, "1", "nonsense", 8, NULL), 0);
        assert_int_equal(image_file_write(fd, "no tag!", "nonsense", 8, NULL), 0);
        close(fd);
        assert_int_equal(image_store_list(p->store, &images, &n, NULL), 0);
        assert_int_equal(n, 1);
        image_list_free(images, n);
        assert_int_equal(image_store_find(p->store, "app:1", &image, NULL), -EBADMSG);
        assert_int_equal(image_store_find(p->store, "bad:1", &image, NULL), -ENOENT);
        assert_int_equal(image_store_collect(p->store, NULL, NULL, NULL), 0);
        assert_int_equal(image_tree_remove(p->layout.layers, digest_hex(digest('2')), NULL), 0);
        assert_int_equal(image_store_find(p->store, "whole:1", &image, NULL), -EBADMSG);
}

static void test_sweep(void **state) {
        struct place *p = *state;
        struct image_store *again;
        struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
        int fd;

        assert_int_equal(image_file_write(p->layout.ingest, digest_hex(digest('1')), "partial", 7, NULL), 0);
        assert_int_equal(image_file_write(p->layout.ingest, digest_hex(digest('2')), "old", 3, NULL), 0);
        assert_int_equal(utimensat(p->layout.ingest, digest_hex(digest('2')), old, 0), 0);
        assert_int_equal(image_directory_open(p->layout.ingest, "half.d", &fd, NULL), 0);
        for (int i = 0, at = fd; i < 100; i++) { /* deeper than descriptors are held for */
                assert_int_equal(image_directory_open(at, "deep", &at, NULL), 0);
                if (i == 99)
                        close(at);
        }
        assert_int_equal(image_file_write(fd, "file", "x", 1, NULL), 0);
        close(fd);
        put_image(p, 'a', 'b', 'c', 'd', "app:1");
        assert_int_equal(image_directory_open(p->layout.refs, "docker.io+library+app", &fd, NULL), 0);
        assert_int_equal(image_file_write(fd, ".tmp.1.2", "x", 1, NULL), 0);
        assert_int_equal(image_store_open(p->path, &again, NULL), 0);
        image_store_close(again);
        assert_false(has(fd, ".tmp.1.2"));
        assert_true(has(fd, "1"));
        close(fd);
        assert_true(has(p->layout.ingest, digest_hex(digest('1')))); /* a pull may resume it */
        assert_false(has(p->layout.ingest, digest_hex(digest('2'))) || has(p->layout.ingest, "half.d"));
}

static void test_usage(void **state) {
        struct place *p = *state;
        uint64_t bytes, inodes;

        put_image(p, 'a', 'b', 'c', 'd', "app:1");
        assert_int_equal(image_store_usage(p->store, &bytes, &inodes, NULL), 0);
        assert_true(bytes > 1000 && inodes >= 6);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_find_and_list, setup, teardown),
                cmocka_unit_test_setup_teardown(test_names, setup, teardown),
                cmocka_unit_test_setup_teardown(test_tag_and_remove, setup, teardown),
                cmocka_unit_test_setup_teardown(test_collect, setup, teardown),
                cmocka_unit_test_setup_teardown(test_collect_waits_for_transfers, setup, teardown),
                cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sweep, setup, teardown),
                cmocka_unit_test_setup_teardown(test_usage, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
