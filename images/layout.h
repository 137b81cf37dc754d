/* The store's directories, open; shared by the agent's side (store.h) and nacelle-image. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "images/reference.h"

struct err;

#define INGEST_KEEP_SECONDS (7 * 24 * 3600) /* a partial blob that nobody resumed for so long is swept */
#define LAYER_NAME_MAX 136                  /* HEX, or HEX.CONFIGHEX, with its NUL */

struct image_layout {
        int root, blobs, layers, refs, ingest, broken; /* -EBADF before image_layout_open() */
        char *path;                                    /* "ROOT/images" */
};

#define IMAGE_LAYOUT_NONE                                                                                              \
        { .root = -EBADF, .blobs = -EBADF, .layers = -EBADF, .refs = -EBADF, .ingest = -EBADF, .broken = -EBADF }

/* Opens the directories of ROOT/images, making those that are missing. Close with image_layout_close(). */
int image_layout_open(const char *root_dir, struct image_layout *ret_layout, struct err **err);
void image_layout_close(struct image_layout *layout);
#define _cleanup_layout_ __attribute__((cleanup(image_layout_close)))

enum image_lock {
        IMAGE_LOCK_SHARED,    /* waits; for who adds */
        IMAGE_LOCK_EXCLUSIVE, /* -EBUSY at once when somebody adds; for who deletes */
};

/* Takes the store's lock; closing *@ret_fd releases it. */
int image_layout_lock(const struct image_layout *layout, enum image_lock lock, int *ret_fd, struct err **err);

/* Deletes half-made things. Only under the exclusive lock. Problems are warnings. */
void image_layout_sweep(const struct image_layout *layout);

/* Moves @name out of @dir into broken/, with a warning that says @why. */
void image_layout_set_aside(const struct image_layout *layout, int dir, const char *name, const char *why);

/* The hex digits of a "sha256:HEX": the name of its blob. */
static inline const char *digest_hex(const char *digest) {
        return digest + 7;
}

/* Finds layer @diff_id as it is there for the image with config @config_digest: its name in layers/ to @ret_name,
 * what it takes to @ret_bytes and @ret_inodes (may be NULL). Returns 0 or -ENOENT. */
int image_layout_find_layer(const struct image_layout *layout, const char *diff_id, const char *config_digest,
                            char ret_name[LAYER_NAME_MAX], uint64_t *ret_bytes, uint64_t *ret_inodes);

/* What the layer @name of layers/ takes; either may be NULL. Returns 0, or a negative errno when it is not there. */
int image_layout_layer_info(const struct image_layout *layout, const char *name, uint64_t *ret_bytes,
                            uint64_t *ret_inodes);

/* The blob that the layer @name was unpacked from: its digest and size in bytes. Returns 0 or a negative errno. */
int image_layout_layer_blob(const struct image_layout *layout, const char *name,
                            char ret_digest[IMAGE_DIGEST_LENGTH + 1], uint64_t *ret_size);

/* A reference's record. */
struct image_ref {
        char manifest[IMAGE_DIGEST_LENGTH + 1];
        char image_id[IMAGE_DIGEST_LENGTH + 1]; /* the digest of its config */
};

/* Reads what @reference names: by its digest when it has one, else by its tag. -ENOENT when it is not there. */
int image_ref_read(const struct image_layout *layout, const struct image_reference *reference,
                   struct image_ref *ret_ref, struct err **err);

/* Writes the record of @reference's tag, or of its digest when it has no tag. */
int image_ref_write(const struct image_layout *layout, const struct image_reference *reference,
                    const struct image_ref *ref, struct err **err);

/* As image_ref_write() for an image without a name. */
int image_ref_write_unnamed(const struct image_layout *layout, const struct image_ref *ref, struct err **err);

int image_ref_remove(const struct image_layout *layout, const struct image_reference *reference, struct err **err);
int image_ref_remove_unnamed(const struct image_layout *layout, const struct image_ref *ref, struct err **err);

/* Calls @each with every record; @reference is NULL for an image without a name. Stops when it returns non-zero, and
 * returns that. Records that cannot be read are set aside. */
typedef int (*image_ref_each)(void *data, const struct image_reference *reference, const struct image_ref *ref);
int image_refs(const struct image_layout *layout, image_ref_each each, void *data, struct err **err);
