/* SHA-256 of bytes that come piece by piece, written as digests are: "sha256:HEX" (OCI image specification,
 * descriptor.md). For several threads, each with hashes of its own. */
#pragma once

#include <stddef.h>

#include "images/reference.h"

/* NULL: no memory. */
struct hash *hash_new(void);
void hash_free(struct hash *hash);

void hash_add(struct hash *hash, const void *bytes, size_t n);
/* Once, after which it can only be freed. */
void hash_finish(struct hash *hash, char ret_digest[IMAGE_DIGEST_LENGTH + 1]);

/* All at once. Returns 0 or -ENOMEM. */
int digest_of(const void *bytes, size_t n, char ret_digest[IMAGE_DIGEST_LENGTH + 1]);
