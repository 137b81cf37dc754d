#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "images/store.h"
#include "images/worker/fetch.h"
#include "images/worker/hash.h"
#include "images/worker/import_internal.h"
#include "images/worker/stored.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/value.h"

/* The layers of one image, found in the archive. */
struct docker_image {
        struct region regions[IMAGE_LAYERS_MAX];
        struct descriptor layers[IMAGE_LAYERS_MAX];
        size_t n;
};

static int fetch_region(void *data, const struct descriptor *blob, uint64_t offset, int fd, struct feed *feed,
                        struct err **err) {
        const struct docker_image *image = data;

        for (size_t i = 0; i < image->n; i++)
                if (strcmp(image->layers[i].digest, blob->digest) == 0)
                        return import_copy(&image->regions[i], offset, fd, feed, err);
        return err_set(err, ENOENT, "the archive has no %s", blob->digest);
}

/* The digest of a compressed layer, which the archive does not tell. */
static int hash_region(const struct region *region, char ret[IMAGE_DIGEST_LENGTH + 1], struct err **err) {
        _cleanup_free_ uint8_t *buffer = malloc(1 << 20);
        struct hash *hash = hash_new();
        uint64_t at = 0;
        int r = 0;

        if (!buffer || !hash)
                r = err_set(err, ENOMEM, "out of memory");
        while (r == 0 && at < region->size) {
                uint64_t left = region->size - at;
                ssize_t n = pread(region->fd, buffer, left < 1 << 20 ? (size_t)left : 1 << 20,
                                  (off_t)(region->offset + at));

                if (n <= 0) {
                        r = err_errno(err, n < 0 ? errno : EBADMSG, "read the archive");
                        break;
                }
                hash_add(hash, buffer, (size_t)n);
                at += (uint64_t)n;
        }
        if (r == 0)
                hash_finish(hash, ret);
        hash_free(hash);
        return r;
}

static int find_layer(const struct archive *a, const char *name, const char *diff_id, struct region *ret_region,
                      struct descriptor *ret_layer, struct err **err) {
        int r = archive_find(a, name, ret_region, err);
        const char *compression;

        if (r < 0)
                return r;
        compression = region_compression(ret_region);
        snprintf(ret_layer->media_type, sizeof(ret_layer->media_type), MEDIA_OCI_LAYER "%s%s", *compression ? "+" : "",
                 compression);
        ret_layer->size = ret_region->size;
        if (*compression)
                return hash_region(ret_region, ret_layer->digest, err);
        strcpy(ret_layer->digest, diff_id); /* what is not compressed has one digest; unpacking verifies it */
        return 0;
}

static int find_layers(const struct archive *a, const struct value *names, char *const *diff_ids,
                       struct docker_image *image, struct err **err) {
        for (size_t i = 0; i < value_count(names) || (diff_ids && diff_ids[i]); i++) {
                const char *name = value_string(value_at(names, (uint32_t)i));
                int r;

                if (!name || !diff_ids || !diff_ids[i] || i == IMAGE_LAYERS_MAX)
                        return err_set(err, EBADMSG, "manifest.json: Layers do not fit the config's diff_ids");
                r = find_layer(a, name, diff_ids[i], &image->regions[i], &image->layers[i], err);
                if (r < 0)
                        return r;
                image->n++;
        }
        return 0;
}

static int import_names_of(const struct import *im, const struct value *tags, const struct fetch *f, struct err **err) {
        struct image_ref ref = fetch_record(f);
        int r = 0;

        if (value_count(tags) == 0)
                return import_names(im, NULL, f->manifest_digest, &ref, err);
        for (uint32_t i = 0; i < value_count(tags) && r == 0; i++)
                r = import_names(im, value_string(value_at(tags, i)), f->manifest_digest, &ref, err);
        return r;
}

static int prepare(const struct import *im, const struct archive *a, const struct value *entry,
                   struct docker_image *image, struct fetch *f, struct err **err) {
        struct descriptor descriptor = { .media_type = MEDIA_OCI_CONFIG };
        const char *name = value_string(value_get(entry, "Config"));
        _cleanup_free_ char *text = NULL;
        struct image_config config = { 0 };
        char *manifest;
        size_t n, n_manifest;
        int r;

        if (!name)
                return err_set(err, EBADMSG, "manifest.json: Config is missing");
        if ((r = archive_read(a, name, IMAGE_CONFIG_SIZE_MAX, &text, &n, err)) < 0 ||
            (r = image_config_parse(text, n, &config, err)) < 0)
                return r;
        r = find_layers(a, value_get(entry, "Layers"), config.diff_ids, image, err);
        image_config_clear(&config);
        if (r < 0)
                return r;
        descriptor.size = n;
        if (digest_of(text, n, descriptor.digest) < 0 ||
            stored_manifest_format(&descriptor, image->layers, image->n, &manifest, &n_manifest) < 0)
                return err_set(err, ENOMEM, "out of memory");
        r = fetch_set_manifest(f, manifest, n_manifest, err);
        return r < 0 ? r : fetch_set_config(f, TAKE_PTR(text), n, im->platform, err);
}

static int import_image(const struct import *im, struct archive *a, const struct value *entry, struct err **err) {
        struct docker_image *image = calloc(1, sizeof(*image));
        struct fetch f = { .layout = im->layout,
                           .report = im->report,
                           .limits = *im->limits,
                           .fetcher = { .fetch = fetch_region, .data = image } };
        int r;

        if (!image)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = prepare(im, a, entry, image, &f, err)) == 0 && (r = fetch_run(&f, err)) == 0)
                r = import_names_of(im, value_get(entry, "RepoTags"), &f, err);
        fetch_clear(&f);
        for (size_t i = 0; i < image->n; i++)
                region_close(&image->regions[i]);
        free(image);
        return r;
}

int import_docker(const struct import *im, struct archive *a, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_free_ char *text = NULL;
        const struct value *list;
        size_t n;
        int r = archive_read(a, "manifest.json", IMAGE_MANIFEST_SIZE_MAX, &text, &n, err);

        if (r < 0)
                return r;
        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        r = json_parse(arena, text, n, NULL, &list, err);
        if (r < 0)
                return err_wrap(err, r, "manifest.json");
        if (value_count(list) == 0 || !value_is(list, VALUE_LIST))
                return err_set(err, EBADMSG, "manifest.json has no image");
        for (uint32_t i = 0; i < value_count(list); i++) {
                r = import_image(im, a, value_at(list, i), err);
                if (r < 0)
                        return r;
        }
        return 0;
}
