#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "images/files.h"
#include "images/manifest.h"
#include "images/store_internal.h"
#include "images/strings.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"

/* What is to stay: names in blobs/ and in layers/, sorted before they are asked. */
struct marked {
        struct image_store *store;
        struct string_list blobs, layers;
};

static int mark_config(struct marked *marked, const char *config_digest) {
        _cleanup_free_ char *text = NULL;
        struct image_config config;
        size_t n;
        int r = image_string_list_add(&marked->blobs, digest_hex(config_digest));

        if (r < 0)
                return r;
        if ((r = image_file_read(marked->store->layout.blobs, digest_hex(config_digest), IMAGE_CONFIG_SIZE_MAX, &text,
                                 &n, NULL)) < 0 ||
            (r = image_config_parse(text, n, &config, NULL)) < 0)
                return r == -ENOMEM ? r : 0; /* a broken image keeps nothing */
        for (size_t i = 0; config.diff_ids && config.diff_ids[i] && r == 0; i++) {
                char name[LAYER_NAME_MAX];

                char blob[IMAGE_DIGEST_LENGTH + 1];
                uint64_t size;

                if (image_layout_find_layer(&marked->store->layout, config.diff_ids[i], config_digest, name, NULL,
                                            NULL) < 0)
                        continue;
                r = image_string_list_add(&marked->layers, name);
                /* a push sends this one when the image's own was never fetched, as the layer was there */
                if (r == 0 && image_layout_layer_blob(&marked->store->layout, name, blob, &size) == 0)
                        r = image_string_list_add(&marked->blobs, digest_hex(blob));
        }
        image_config_clear(&config);
        return r;
}

static int mark_ref(void *data, const struct image_reference *reference, const struct image_ref *ref) {
        _cleanup_manifest_ struct manifest manifest = { .entries = NULL };
        _cleanup_free_ char *text = NULL;
        struct marked *marked = data;
        size_t n;
        int r;

        (void)reference;
        if ((r = image_string_list_add(&marked->blobs, digest_hex(ref->manifest))) < 0 ||
            (r = mark_config(marked, ref->image_id)) < 0)
                return r;
        if ((r = image_file_read(marked->store->layout.blobs, digest_hex(ref->manifest), IMAGE_MANIFEST_SIZE_MAX, &text,
                                 &n, NULL)) < 0 ||
            (r = image_manifest_parse(text, n, &manifest, NULL)) < 0)
                return r == -ENOMEM ? r : 0;
        for (size_t i = 0; i < manifest.n_layers && r == 0; i++)
                r = image_string_list_add(&marked->blobs, digest_hex(manifest.layers[i].digest));
        return r;
}

static int compare(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_marked(const struct string_list *list, const char *name) {
        return list->count > 0 && bsearch(&name, list->items, list->count, sizeof(*list->items), compare);
}

/* A blob is one file; a layer leaves layers/ whole before it is emptied, so that no half one is ever found. */
static uint64_t drop(const struct image_layout *l, int dir, const char *name) {
        _cleanup_err_ struct err *err = NULL;
        uint64_t bytes = 0, inodes = 0;
        char temporary[FILE_TEMPORARY_MAX];
        struct stat st;

        if (dir == l->blobs) {
                if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
                        bytes = (uint64_t)st.st_blocks * 512;
                if (image_tree_remove(dir, name, &err) < 0)
                        log_warning("image store %s: %s", l->path, err_text(err));
                return bytes;
        }
        image_file_temporary_name("gone", temporary);
        if (renameat(dir, name, l->ingest, temporary) < 0) {
                log_warning("image store %s: remove layer %s: %s", l->path, name, strerrordesc_np(errno));
                return 0;
        }
        image_tree_usage(l->ingest, temporary, &bytes, &inodes);
        if (image_tree_remove(l->ingest, temporary, &err) < 0)
                log_warning("image store %s: %s", l->path, err_text(err));
        return bytes;
}

static uint64_t drop_unmarked(const struct image_layout *l, int dir, const struct string_list *keep) {
        int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *d = open_dir(fd);
        const struct dirent *e;
        uint64_t freed = 0;

        while (d && (e = readdir(d)))
                if (*e->d_name != '.' && !is_marked(keep, e->d_name))
                        freed += drop(l, dir, e->d_name);
        return freed;
}

static int mark_all(struct marked *marked, const char *const *in_use, struct err **err) {
        int r = image_refs(&marked->store->layout, mark_ref, marked, err);

        for (; r == 0 && in_use && *in_use; in_use++)
                if (image_digest_valid(*in_use))
                        r = mark_config(marked, *in_use);
        if (r == -ENOMEM)
                err_set(err, ENOMEM, "out of memory");
        return r;
}

static int collect(struct image_store *store, struct marked *marked, const char *const *in_use, uint64_t *ret_freed,
                   struct err **err) {
        uint64_t freed;
        int r = mark_all(marked, in_use, err);

        if (r < 0)
                return r;
        image_string_list_sort(&marked->blobs);
        image_string_list_sort(&marked->layers);
        freed = drop_unmarked(&store->layout, store->layout.layers, &marked->layers);
        freed += drop_unmarked(&store->layout, store->layout.blobs, &marked->blobs);
        image_layout_sweep(&store->layout);
        if (ret_freed)
                *ret_freed = freed;
        return 0;
}

int image_store_collect(struct image_store *store, const char *const *in_use, uint64_t *ret_freed, struct err **err) {
        struct marked marked = { .store = store };
        _cleanup_close_ int lock = -EBADF;
        int r = image_layout_lock(&store->layout, IMAGE_LOCK_EXCLUSIVE, &lock, err);

        if (r < 0)
                return r;
        r = collect(store, &marked, in_use, ret_freed, err);
        image_string_list_clear(&marked.blobs);
        image_string_list_clear(&marked.layers);
        return r;
}

/* Layers by their records, the rest by the files themselves: walking every layer would read the whole disk. */
int image_store_usage(struct image_store *store, uint64_t *ret_bytes, uint64_t *ret_inodes, struct err **err) {
        const struct image_layout *l = &store->layout;
        int fd = openat(l->layers, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *d = open_dir(fd);
        uint64_t bytes = 0, inodes = 0;
        const struct dirent *e;

        if (!d)
                return err_errno(err, errno, "image store %s: read layers", l->path);
        while ((e = readdir(d))) {
                uint64_t layer_bytes, layer_inodes;

                if (*e->d_name == '.' || image_layout_layer_info(l, e->d_name, &layer_bytes, &layer_inodes) < 0)
                        continue;
                bytes += layer_bytes;
                inodes += layer_inodes;
        }
        image_tree_usage(l->blobs, ".", &bytes, &inodes);
        image_tree_usage(l->ingest, ".", &bytes, &inodes);
        *ret_bytes = bytes;
        *ret_inodes = inodes;
        return 0;
}
