/* An image's content into the store: its layers side by side, then config and manifest, then its references. The same
 * for registries and archives, which only differ in how a blob's bytes come. */
#pragma once

#include "images/image.h"
#include "images/layout.h"
#include "images/manifest.h"
#include "images/worker/feed.h"
#include "images/worker/layer.h"

struct err;
struct report;

#define FETCH_PARALLEL 3 /* layers under way at once, as docker and containerd have it */

struct fetcher {
        /* Brings the bytes of @blob from @offset on, by feed_put(), or writes them to @fd there and calls
         * feed_advance(); until the blob is complete, or the feed has an error. Returns 0 or a negative errno with
         * *@err. Called from several threads.
         */
        int (*fetch)(void *data, const struct descriptor *blob, uint64_t offset, int fd, struct feed *feed,
                     struct err **err);
        void *data;
};

struct fetch {
        const struct image_layout *layout; /* locked as shared */
        struct report *report;
        struct fetcher fetcher;
        struct layer_limits limits;
        struct manifest manifest;
        struct image_config config;
        char *manifest_text, *config_text; /* as they came; stored unchanged */
        size_t n_manifest, n_config;
        char manifest_digest[IMAGE_DIGEST_LENGTH + 1];
};

void fetch_clear(struct fetch *fetch);

/* Takes over @text (malloc()ed) as the manifest, and checks it. Its digest is the text's. */
int fetch_set_manifest(struct fetch *fetch, char *text, size_t n, struct err **err);

/* Takes over @text as the config: its digest must be the manifest's, its platform must fit @platform. */
int fetch_set_config(struct fetch *fetch, char *text, size_t n, const struct platform *platform, struct err **err);

/* Brings what is missing and stores the image, whole or not at all; names are the caller's to set afterwards.
 * -EBADMSG when content was refused; it has left nothing then. */
int fetch_run(struct fetch *fetch, struct err **err);

/* The record that names of this image get. */
struct image_ref fetch_record(const struct fetch *fetch);
