/* One blob to one directory: read as it arrives, hashed, inflated, hashed again, applied; two threads of work. */
#pragma once

#include "images/reference.h"
#include "images/worker/feed.h"
#include "images/worker/layer.h"

struct err;

struct unpack {
        struct feed *feed;
        const char *digest;  /* what the blob's must be, or NULL */
        const char *diff_id; /* what the uncompressed stream's must be, or NULL */
        struct layer_limits limits;
        /* Called with what was read so far, now and then, on the unpacking thread; may be NULL. */
        void (*progress)(void *data, uint64_t bytes);
        void *data;
        /* results */
        char ret_digest[IMAGE_DIGEST_LENGTH + 1], ret_diff_id[IMAGE_DIGEST_LENGTH + 1];
        struct layer_result result; /* its needs are the caller's to free */
};

/* Unpacks into the empty directory @root. Returns 0 when all of it is there and both digests are right; else a negative
 * errno
 * (-EBADMSG: refused), and the directory holds what came until then. */
int unpack_blob(struct unpack *unpack, int root, struct err **err);
