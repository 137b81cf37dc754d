/* Layers from tar streams made here, block by block, applied to a directory of a test's own. Root only, as the store.
 */
#pragma once

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

static inline void add_block(struct stream *s, const void *bytes, size_t n) {
        size_t whole = (n + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;

        s->bytes = realloc(s->bytes, s->n + whole);
        memset(s->bytes + s->n, 0, whole);
        memcpy(s->bytes + s->n, bytes, n);
        s->n += whole;
}

static inline void add_entry(struct stream *s, const struct entry *e) {
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

static inline int next(void *data, const uint8_t **ret_bytes, size_t *ret_n, struct err **err) {
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

static inline struct place make_place(void) {
        struct place p = { .path = "/tmp/layer-test.XXXXXX" };

        umask(0);
        assert_non_null(mkdtemp(p.path));
        p.fd = open(p.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(mkdirat(p.fd, "fs", 0755), 0);
        p.root = openat(p.fd, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return p;
}

static inline void remove_place(struct place *p) {
        layer_needs_clear(&p->result.needs);
        close(p->root);
        assert_int_equal(image_tree_remove(p->fd, "fs", NULL), 0);
        close(p->fd);
        assert_int_equal(rmdir(p->path), 0);
}

static inline int apply_stream(struct place *p, struct stream *s, const struct layer_limits *limits, struct err **err) {
        const struct tar_source source = { .next = next, .data = s };
        static const struct layer_limits none;
        struct tar_reader *tar = tar_reader_new(&source);
        int r = layer_apply(p->root, tar, limits ?: &none, &p->result, err);

        tar_reader_free(tar);
        free(s->bytes);
        return r;
}

static inline int apply(struct place *p, const struct entry *entries, size_t n, const struct layer_limits *limits,
                        struct err **err) {
        struct stream s = { .bytes = NULL };

        for (size_t i = 0; i < n; i++)
                add_entry(&s, &entries[i]);
        add_block(&s, "", 1);
        add_block(&s, "", 1);
        return apply_stream(p, &s, limits, err);
}

static inline struct stat stat_of(const struct place *p, const char *name) {
        struct stat st;

        if (fstatat(p->root, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                fail_msg("%s is not there", name);
        return st;
}

static inline bool is_there(const struct place *p, const char *name) {
        return faccessat(p->root, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline void assert_content(const struct place *p, const char *name, const char *content) {
        _cleanup_free_ char *text = NULL;

        assert_int_equal(image_file_read(p->root, name, 1 << 20, &text, NULL, NULL), 0);
        assert_string_equal(text, content);
}

static inline bool is_opaque(const struct place *p, const char *name) {
        char path[128], value[2] = "";

        snprintf(path, sizeof(path), "%s/fs/%s", p->path, name);
        return getxattr(path, "trusted.overlay.opaque", value, 2) == 1 && value[0] == 'y';
}
