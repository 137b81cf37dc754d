/* Manifests and indexes: OCI image-spec v1.1 "manifest.md" and "image-index.md", and docker's schema 2 of both.
 *
 * Docker's schema 1 and manifests without layers (artifacts) are refused.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "images/reference.h"

struct err;

#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_TYPE_MAX 127
#define MANIFEST_INDEX_MAX 1000 /* entries of an index */

struct descriptor {
        char media_type[MEDIA_TYPE_MAX + 1]; /* "" when there was none */
        char digest[IMAGE_DIGEST_LENGTH + 1];
        uint64_t size; /* bytes */
};

struct platform {
        char os[32], architecture[32], variant[16]; /* "linux", "arm64", "v8"; variant "" when there is none */
};

/* An entry of an index. */
struct manifest_entry {
        struct descriptor descriptor;
        struct platform platform; /* os "" when the entry has none */
        char *reference; /* annotation org.opencontainers.image.ref.name or io.containerd.image.name; NULL when absent
                          */
};

struct manifest {
        char media_type[MEDIA_TYPE_MAX + 1];
        struct manifest_entry *entries; /* an index has these, */
        size_t n_entries;
        struct descriptor config;  /* a manifest these */
        struct descriptor *layers; /* lowest first */
        size_t n_layers;
};

/* Reads either from @n bytes of JSON. Returns 0, or -EBADMSG with *@err naming the field, -E2BIG past a maximum,
 * -ENOMEM. Free with image_manifest_clear(). */
int image_manifest_parse(const char *text, size_t n, struct manifest *ret_manifest, struct err **err);
void image_manifest_clear(struct manifest *manifest);
#define _cleanup_manifest_ __attribute__((cleanup(image_manifest_clear)))

/* Whether it is an index. */
static inline int manifest_is_index(const struct manifest *manifest) {
        return manifest->layers == NULL;
}

/* Reads "linux/arm64/v8"; NULL: this machine's. Returns 0 or -EINVAL. */
int image_platform_parse(const char *text, struct platform *ret_platform, struct err **err);

/* Writes "linux/arm64/v8" to @ret_text (PLATFORM_TEXT_MAX bytes) and returns it. */
#define PLATFORM_TEXT_MAX 96
const char *image_platform_format(const struct platform *platform, char ret_text[PLATFORM_TEXT_MAX]);

/* The entry of index @manifest that fits @wanted best: its own variant, else the nearest lower one; on amd64 that means
 * v1 where there is no better, on arm64 v8. Returns NULL when none fits. */
const struct manifest_entry *image_manifest_choose(const struct manifest *manifest, const struct platform *wanted);

/* Whether an image of (@os, @architecture, @variant), each of which may be NULL, runs on @wanted. */
int image_platform_fits(const struct platform *wanted, const char *os, const char *architecture, const char *variant);
