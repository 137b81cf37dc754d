/* A blob of the store while it is brought: its file in ingest/, locked against other workers, which then becomes
 * blobs/HEX. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "images/layout.h"
#include "images/manifest.h"

struct err;

struct blob {
        const struct image_layout *layout;
        const struct descriptor *descriptor; /* borrowed */
        int fd;                              /* the file; holds the lock while it is in ingest/ */
        bool stored;                         /* it is in blobs/ */
        uint64_t there;                      /* bytes of it that were there already */
};

#define BLOB_NONE                                                                                                      \
        { .fd = -EBADF }

/* Opens what there is of @descriptor's blob, or begins it. Waits while another worker brings the same one. */
int blob_open(const struct image_layout *layout, const struct descriptor *descriptor, struct blob *ret_blob,
              struct err **err);

/* Forgets what is there, as it was found wrong: a stored blob is set aside, a partial one emptied. Then blob_open()
 * again. */
void blob_discard(struct blob *blob, const char *why);

/* Moves a complete blob, whose digest was verified and which is synced, to blobs/. */
int blob_store(struct blob *blob, struct err **err);

/* Closes; a partial blob stays for later. NONE is fine. */
void blob_close(struct blob *blob);
