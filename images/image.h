/* An image as the store knows it: what it is called, how its containers start, which directories it is made of.
 *
 * Config fields: OCI image-spec v1.1 "config.md"; docker's image JSON has the same ones.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define IMAGE_LAYERS_MAX 500              /* overlayfs takes so many lower directories */
#define IMAGE_CONFIG_SIZE_MAX (8 << 20)   /* bytes of a config's JSON */
#define IMAGE_MANIFEST_SIZE_MAX (4 << 20) /* bytes of a manifest's or index's JSON, as containerd has it */

struct image_pair {
        char *key, *value;
};

/* What the image says about its containers. Lists end with NULL, and are NULL when the image does not have them;
 * pairs end with a NULL key. Texts that the image does not have are NULL. */
struct image_config {
        char *architecture, *os, *variant;
        char *created; /* RFC 3339 */
        char *author;
        char **entrypoint, **cmd, **env; /* env: NAME=VALUE */
        char *user;                      /* "", "1000", "name", "name:group", "1000:1000" */
        char *workdir;
        char *stop_signal;    /* "SIGQUIT", "3" */
        char **volumes;       /* paths */
        char **exposed_ports; /* "80/tcp" */
        struct image_pair *labels;
        char **diff_ids; /* "sha256:HEX", lowest layer first */
};

struct image {
        char *id;            /* "sha256:HEX", the digest of its config */
        char *manifest;      /* "sha256:HEX", the digest of its manifest */
        char **repo_tags;    /* "docker.io/library/nginx:1", NULL-terminated, never NULL, sorted */
        char **repo_digests; /* "docker.io/library/nginx@sha256:HEX", likewise */
        uint64_t size;       /* bytes on disk: blobs and unpacked layers */
        struct image_config config;
        char **layers; /* absolute directories for overlay's lowerdir, topmost first; NULL-terminated */
        size_t n_layers;
};

/* NULL is fine. */
void image_free(struct image *image);
void image_freep(struct image **image);
#define _cleanup_image_ __attribute__((cleanup(image_freep)))

/* Frees an array as image_store_list() gives it. */
void image_list_free(struct image **images, size_t n);

/* Reads a config's JSON of @n bytes. Returns 0, or -EBADMSG with *@err naming the field,
 * -E2BIG past a maximum, -ENOMEM. The caller frees with image_config_clear(). */
int image_config_parse(const char *text, size_t n, struct image_config *ret_config, struct err **err);
void image_config_clear(struct image_config *config);
