/* Images that are in the store, on their way out. */
#pragma once

#include "images/layout.h"
#include "images/manifest.h"

struct stored_image {
        char digest[IMAGE_DIGEST_LENGTH + 1]; /* of the manifest */
        char *text;                           /* the manifest */
        size_t n;
        struct manifest manifest;
        char **tags; /* NULL-terminated */
};

/* Finds the image @name as image_store_find() does. A layer whose blob was never fetched, as the layer was there from
 * another image, is taken with that image's blob; then the manifest is a new one of the same config. Free with
 * stored_image_clear(). */
int stored_image_read(const struct image_layout *layout, const char *root_dir, const char *name,
                      struct stored_image *ret_image, struct err **err);
void stored_image_clear(struct stored_image *image);

/* Opens a blob of it. */
int stored_blob_open(const struct image_layout *layout, const struct descriptor *blob, int *ret_fd, struct err **err);

/* Writes a manifest; free() it. Returns 0 or -ENOMEM. */
int stored_manifest_format(const struct descriptor *config, const struct descriptor *layers, size_t n_layers,
                           char **ret_text, size_t *ret_n);
