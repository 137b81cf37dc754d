/* The image store under ROOT/images, as the agent sees it: which images there are, and bookkeeping.
 *
 *   blobs/sha256/HEX     manifests, configs and layers as downloaded; complete and verified, or not there
 *   layers/HEX/fs        a layer unpacked (HEX: its diff id), for overlay's lowerdir; layers/HEX/info its size.
 *                        A layer that needs those below it (a hard link into one) is layers/HEX.CONFIGHEX, for one
 * image. refs/NAME/TAG        NAME with '/' as '+'; the file holds the manifest's digest. Also refs/NAME/@sha256:HEX,
 * and refs/+/sha256:HEX for an image that was imported without a name ingest/              what is under way: partial
 * blobs (kept, a later pull resumes them), half unpacked layers broken/              what could not be read, set aside
 * with a warning lock                 flock: shared while something is added, exclusive while unused content is
 * collected
 *
 * Files appear by rename after fsync, so after a power cut a thing is there wholly or not at all. Nothing is cached:
 * every function reads the store, may block, and is safe to call from several threads and processes at once.
 * Content is added by the program nacelle-image only (transfer.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/image.h"

struct err;
struct image_store;

/* Opens ROOT/images, with what is missing created, and sweeps half-made things that nobody works on any more.
 * Returns 0, or a negative errno with *@err when the directory cannot be made or opened; broken content is
 * set aside, never an error. Free with image_store_close(), NULL is fine. */
int image_store_open(const char *root_dir, struct image_store **ret_store, struct err **err);
void image_store_close(struct image_store *store);

/* The store's directory, "ROOT/images"; lives as long as @store. */
const char *image_store_path(const struct image_store *store);

/* All images, sorted by id; broken ones are left out with a warning. Free with image_list_free(). */
int image_store_list(struct image_store *store, struct image ***ret_images, size_t *ret_n, struct err **err);

/* Finds an image by @name: an id ("sha256:HEX" or HEX), a prefix of an id of at least 4 hex digits that no other id
 * has, or a reference as image_reference_parse() takes it (a reference wins over a prefix of an id).
 * Returns 0, -ENOENT when there is none (*@err names it), -EINVAL for an unusable or ambiguous name,
 * -EBADMSG when the image is there but a part of it cannot be read. Free with image_free(). */
int image_store_find(struct image_store *store, const char *name, struct image **ret_image, struct err **err);

/* The config's JSON as it is stored (for verbose status and history); free() it. @image_id: "sha256:HEX". */
int image_store_read_config(struct image_store *store, const char *image_id, char **ret_text, size_t *ret_n,
                            struct err **err);

/* Gives the image @name (as for image_store_find()) the further reference @reference, with a tag, without a digest;
 * a reference that names another image moves. */
int image_store_tag(struct image_store *store, const char *name, const char *reference, struct err **err);

/* Removes one reference; the image stays, under its id if it has no other name. -ENOENT when it is not there. */
int image_store_untag(struct image_store *store, const char *reference, struct err **err);

/* Removes the image @name with all its references, as CRI's RemoveImage has it. Its content stays until
 * image_store_collect(). An image that is not there is not an error. */
int image_store_remove(struct image_store *store, const char *name, struct err **err);

/* Deletes blobs and layers that no reference leads to, but keeps the layers of the images whose ids ("sha256:HEX") are
 * in
 * @in_use (NULL-terminated, may be NULL): those that containers were made from. Content that is being added is safe:
 * while a transfer runs this returns -EBUSY and deletes nothing; call it again when the transfer has ended.
 * @ret_freed (may be NULL): bytes. */
int image_store_collect(struct image_store *store, const char *const *in_use, uint64_t *ret_freed, struct err **err);

/* What the store takes on its file system (CRI ImageFsInfo). */
int image_store_usage(struct image_store *store, uint64_t *ret_bytes, uint64_t *ret_inodes, struct err **err);

/* The overlay lowerdirs of the image @image_id even when its references were removed meanwhile (a container's restart):
 * topmost first, NULL-terminated; free with image_strings_free(). */
int image_store_layers(struct image_store *store, const char *image_id, char ***ret_layers, struct err **err);
void image_strings_free(char **strings);
