/* SHA-256 (FIPS 180-4), of one stream or of two at once.
 *
 * A processor's instructions for it depend on each other so much that one stream leaves it half idle: two hashed in
 * turn take hardly longer than the longer one. Where there are no such instructions, OpenSSL does the work, one by one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#define SHA256_SIZE 32
#define SHA256_BLOCK 64

struct sha256 {
        EVP_MD_CTX *evp; /* NULL: what follows is used */
        uint32_t state[8];
        uint64_t length;
        uint8_t rest[SHA256_BLOCK]; /* what came of the block under way */
};

/* Returns 0 or -ENOMEM. */
int sha256_init(struct sha256 *sha);
/* The same by OpenSSL, whatever the processor can do. */
int sha256_init_portable(struct sha256 *sha);
void sha256_clear(struct sha256 *sha);

void sha256_add(struct sha256 *sha, const void *bytes, size_t n);
/* Adds @n bytes to each of two different streams. */
void sha256_add_two(struct sha256 *a, const void *bytes_a, struct sha256 *b, const void *bytes_b, size_t n);

/* Nothing can be added afterwards. */
void sha256_finish(struct sha256 *sha, uint8_t ret_digest[SHA256_SIZE]);
