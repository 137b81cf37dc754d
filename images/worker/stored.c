#include "images/worker/stored.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/files.h"
#include "images/store.h"
#include "images/worker/archive.h"
#include "images/worker/hash.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json_writer.h"

static void add_descriptor(struct json_writer *w, const struct descriptor *d) {
        json_begin_map(w);
        json_add_string(w, "mediaType", d->media_type);
        json_add_string(w, "digest", d->digest);
        json_add_int(w, "size", (int64_t)d->size);
        json_end_map(w);
}

int stored_manifest_format(const struct descriptor *config, const struct descriptor *layers, size_t n_layers,
                           char **ret_text, size_t *ret_n) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;

        json_begin_map(&w);
        json_add_int(&w, "schemaVersion", 2);
        json_add_string(&w, "mediaType", MEDIA_OCI_MANIFEST);
        json_key(&w, "config");
        add_descriptor(&w, config);
        json_key(&w, "layers");
        json_begin_list(&w);
        for (size_t i = 0; i < n_layers; i++)
                add_descriptor(&w, &layers[i]);
        json_end_list(&w);
        json_end_map(&w);
        return json_writer_finish(&w, ret_text, ret_n);
}

/* Takes the blob that layer @diff_id was unpacked from in the place of @blob. */
static int substitute(const struct image_layout *l, const char *diff_id, const char *config_digest,
                      struct descriptor *blob) {
        struct region region = REGION_NONE;
        char name[LAYER_NAME_MAX];
        const char *compression;
        int r = image_layout_find_layer(l, diff_id, config_digest, name, NULL, NULL);

        if (r < 0 || (r = image_layout_layer_blob(l, name, blob->digest, &blob->size)) < 0)
                return r;
        region.fd = openat(l->blobs, digest_hex(blob->digest), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (region.fd < 0)
                return -errno;
        region.owned = true;
        region.size = blob->size;
        compression = region_compression(&region);
        snprintf(blob->media_type, sizeof(blob->media_type), MEDIA_OCI_LAYER "%s%s", *compression ? "+" : "",
                 compression);
        region_close(&region);
        return 0;
}

/* Looks whether all blobs are there, and makes another manifest when not. */
static int complete(const struct image_layout *l, struct stored_image *s, const struct image *image, struct err **err) {
        bool changed = false;

        for (size_t i = 0; i < s->manifest.n_layers; i++) {
                struct descriptor *blob = &s->manifest.layers[i];

                if (faccessat(l->blobs, digest_hex(blob->digest), F_OK, 0) == 0)
                        continue;
                if (substitute(l, image->config.diff_ids[i], image->id, blob) < 0)
                        return err_set(err, ENOENT, "blob %s is not in the store", blob->digest);
                changed = true;
        }
        if (!changed)
                return 0;
        free(s->text);
        s->text = NULL;
        strcpy(s->manifest.media_type, MEDIA_OCI_MANIFEST);
        strcpy(s->manifest.config.media_type, MEDIA_OCI_CONFIG);
        if (stored_manifest_format(&s->manifest.config, s->manifest.layers, s->manifest.n_layers, &s->text, &s->n) <
                    0 ||
            digest_of(s->text, s->n, s->digest) < 0)
                return err_set(err, ENOMEM, "out of memory");
        return 0;
}

int stored_image_read(const struct image_layout *l, const char *root_dir, const char *name, struct stored_image *ret,
                      struct err **err) {
        struct image_store *store;
        _cleanup_image_ struct image *image = NULL;
        int r = image_store_open(root_dir, &store, err);

        if (r < 0)
                return r;
        r = image_store_find(store, name, &image, err);
        image_store_close(store);
        if (r < 0)
                return r;
        *ret = (struct stored_image){ .text = NULL };
        strcpy(ret->digest, image->manifest);
        if ((r = image_file_read(l->blobs, digest_hex(ret->digest), IMAGE_MANIFEST_SIZE_MAX, &ret->text, &ret->n,
                                 err)) < 0 ||
            (r = image_manifest_parse(ret->text, ret->n, &ret->manifest, err)) < 0 ||
            (ret->manifest.n_layers != image->n_layers &&
             (r = err_set(err, EBADMSG, "manifest and config have different numbers of layers")) < 0) ||
            (r = complete(l, ret, image, err)) < 0) {
                stored_image_clear(ret);
                return r;
        }
        ret->tags = TAKE_PTR(image->repo_tags);
        return 0;
}

void stored_image_clear(struct stored_image *image) {
        free(image->text);
        image_manifest_clear(&image->manifest);
        image_strings_free(image->tags);
        *image = (struct stored_image){ .text = NULL };
}

int stored_blob_open(const struct image_layout *l, const struct descriptor *blob, int *ret_fd, struct err **err) {
        _cleanup_close_ int fd = openat(l->blobs, digest_hex(blob->digest), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return err_errno(err, errno, "open blob %s", blob->digest);
        if ((uint64_t)st.st_size != blob->size)
                return err_set(err, EBADMSG, "blob %s has %lld bytes, but must have %llu", blob->digest,
                               (long long)st.st_size, (unsigned long long)blob->size);
        *ret_fd = TAKE_FD(fd);
        return 0;
}
