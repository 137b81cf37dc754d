/* Image references: NAME[:TAG][@DIGEST] as the distribution project's grammar has them, normalised as docker does.
 *
 * "nginx" is docker.io/library/nginx:latest, "user/app:1" is docker.io/user/app:1, "localhost:5000/a" stays with its
 * host: the first component is a host when it holds a '.' or ':' or is "localhost". Only sha256 digests are taken.
 *
 * Grammar: github.com/distribution/reference, "Grammar" and ParseNormalizedNamed().
 */
#pragma once

#include <stdbool.h>

struct err;

#define IMAGE_NAME_MAX 255 /* host and path together */
#define IMAGE_TAG_MAX 128
#define IMAGE_DIGEST_LENGTH 71 /* "sha256:" and 64 hex digits */
#define IMAGE_REFERENCE_MAX (IMAGE_NAME_MAX + 1 + IMAGE_TAG_MAX + 1 + IMAGE_DIGEST_LENGTH)

struct image_reference {
        char name[IMAGE_NAME_MAX + 1];        /* "docker.io/library/nginx" */
        char tag[IMAGE_TAG_MAX + 1];          /* "" when there is none: only with a digest */
        char digest[IMAGE_DIGEST_LENGTH + 1]; /* "" when there is none */
        unsigned short host_length;           /* of name: "docker.io" */
};

/* Reads and normalises @text; a name with neither tag nor digest gets the tag "latest".
 * Returns 0, or -EINVAL with *@err saying which part is wrong; then *@ret_reference is untouched. */
int image_reference_parse(const char *text, struct image_reference *ret_reference, struct err **err);

/* Writes NAME[:TAG][@DIGEST] to @ret_text and returns it. */
const char *image_reference_format(const struct image_reference *reference, char ret_text[IMAGE_REFERENCE_MAX + 1]);

/* The path within the registry: "library/nginx". Points into @reference. */
const char *image_reference_path(const struct image_reference *reference);

/* Copies the host ("docker.io") to @ret_host and returns it. */
const char *image_reference_host(const struct image_reference *reference, char ret_host[IMAGE_NAME_MAX + 1]);

/* Whether @text is "sha256:" and 64 lower-case hex digits. */
bool image_digest_valid(const char *text);
