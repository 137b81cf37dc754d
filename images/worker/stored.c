#include "images/worker/stored.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "images/files.h"
#include "images/store.h"
#include "lib/cleanup.h"
#include "lib/err.h"

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
        r = file_read(l->blobs, digest_hex(ret->digest), IMAGE_MANIFEST_SIZE_MAX, &ret->text, &ret->n, err);
        if (r == 0)
                r = manifest_parse(ret->text, ret->n, &ret->manifest, err);
        if (r < 0) {
                stored_image_clear(ret);
                return r;
        }
        ret->tags = TAKE_PTR(image->repo_tags);
        return 0;
}

void stored_image_clear(struct stored_image *image) {
        free(image->text);
        manifest_clear(&image->manifest);
        image_strings_free(image->tags);
        *image = (struct stored_image){ .text = NULL };
}

int stored_blob_open(const struct image_layout *l, const struct descriptor *blob, int *ret_fd, struct err **err) {
        _cleanup_close_ int fd = openat(l->blobs, digest_hex(blob->digest), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        struct stat st;

        if (fd < 0 && errno == ENOENT)
                return err_set(err, ENOENT, "blob %s is not in the store, only its unpacked layer; pull the image again after rmi",
                               blob->digest);
        if (fd < 0 || fstat(fd, &st) < 0)
                return err_errno(err, errno, "open blob %s", blob->digest);
        if ((uint64_t)st.st_size != blob->size)
                return err_set(err, EBADMSG, "blob %s has %lld bytes, but must have %llu", blob->digest, (long long)st.st_size,
                               (unsigned long long)blob->size);
        *ret_fd = TAKE_FD(fd);
        return 0;
}
