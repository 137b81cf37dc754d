/* The sending half of the distribution API: blobs and manifests to a registry. */
#pragma once

#include "images/worker/registry.h"

struct report;

struct upload {
        struct registry *registry;
        struct endpoint *endpoint; /* the one that takes pushes */
        struct http *http;
        struct report *report;
};

/* Chooses the server. -ENOENT when none may be pushed to. */
int upload_open(struct registry *registry, struct report *report, struct upload *ret_upload, struct err **err);
void upload_close(struct upload *upload);

/* Sends the file @fd as @blob, unless the registry has it. */
int upload_blob(struct upload *upload, const struct descriptor *blob, int fd, struct err **err);

/* Puts the manifest under @name, a tag or a digest. */
int upload_manifest(struct upload *upload, const char *name, const char *media_type, const char *text, size_t n,
                    struct err **err);
