/* Archives into the store: OCI layouts (image-spec v1.1 "image-layout.md"), as a directory or in a tar file, and what
 * `docker save` writes. */
#pragma once

struct err;
struct image_layout;
struct image_reference;
struct image_ref;
struct layer_limits;
struct platform;
struct report;

struct import {
        const struct image_layout *layout; /* locked as shared */
        struct report *report;
        const struct layer_limits *limits;
        const struct platform *platform;
        const char *file;      /* "-": standard input */
        const char *reference; /* for an image that brings no name; NULL: none */
};

/* Imports all images in the archive that fit the platform. -ENOEXEC when none does. */
int import_run(const struct import *import, struct err **err);

/* Gives an image its names: @reference's tag, and its repository with the digest @digest, by which a registry knows it.
 */
int image_store_names(const struct image_layout *layout, struct report *report, const struct image_reference *reference,
                      const char *digest, const struct image_ref *ref, struct err **err);
