#include "images/worker/sha256.h"

#include <errno.h>
#include <string.h>

#include "images/worker/sha256_internal.h"

static const uint32_t start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

int sha256_init_portable(struct sha256 *sha) {
        *sha = (struct sha256){ .evp = EVP_MD_CTX_new() };
        if (!sha->evp || !EVP_DigestInit_ex(sha->evp, EVP_sha256(), NULL)) {
                sha256_clear(sha);
                return -ENOMEM;
        }
        return 0;
}

int sha256_init(struct sha256 *sha) {
        if (!sha256_x86_usable())
                return sha256_init_portable(sha);
        *sha = (struct sha256){ .evp = NULL };
        memcpy(sha->state, start, sizeof(start));
        return 0;
}

void sha256_clear(struct sha256 *sha) {
        EVP_MD_CTX_free(sha->evp);
        sha->evp = NULL;
}

/* Completes the block under way as far as @n bytes do. Returns how many it took. */
static size_t fill_rest(struct sha256 *sha, const uint8_t *bytes, size_t n) {
        size_t have = sha->length % SHA256_BLOCK, part = have ? SHA256_BLOCK - have : 0;

        if (part > n)
                part = n;
        memcpy(sha->rest + have, bytes, part);
        sha->length += part;
        if (part > 0 && sha->length % SHA256_BLOCK == 0)
                sha256_x86_blocks(sha->state, sha->rest, 1);
        return part;
}

/* Keeps what is left behind the last whole block; there was none under way. */
static void keep_rest(struct sha256 *sha, const uint8_t *bytes, size_t n) {
        memcpy(sha->rest, bytes, n);
        sha->length += n;
}

static void add_blocks(struct sha256 *sha, const uint8_t *bytes, size_t n) {
        size_t whole = n - n % SHA256_BLOCK;

        sha256_x86_blocks(sha->state, bytes, whole / SHA256_BLOCK);
        sha->length += whole;
        keep_rest(sha, bytes + whole, n - whole);
}

void sha256_add(struct sha256 *sha, const void *bytes, size_t n) {
        size_t part;

        if (sha->evp) {
                EVP_DigestUpdate(sha->evp, bytes, n);
                return;
        }
        part = fill_rest(sha, bytes, n);
        if (part < n)
                add_blocks(sha, (const uint8_t *)bytes + part, n - part);
}

void sha256_add_two(struct sha256 *a, const void *bytes_a, struct sha256 *b, const void *bytes_b, size_t n) {
        size_t part_a, part_b, whole;

        if (a->evp || b->evp) {
                sha256_add(a, bytes_a, n);
                sha256_add(b, bytes_b, n);
                return;
        }
        part_a = fill_rest(a, bytes_a, n);
        part_b = fill_rest(b, bytes_b, n);
        whole = n - (part_a > part_b ? part_a : part_b);
        whole -= whole % SHA256_BLOCK;
        sha256_x86_blocks_two(a->state, (const uint8_t *)bytes_a + part_a, b->state, (const uint8_t *)bytes_b + part_b,
                              whole / SHA256_BLOCK);
        a->length += whole;
        b->length += whole;
        sha256_add(a, (const uint8_t *)bytes_a + part_a + whole, n - part_a - whole);
        sha256_add(b, (const uint8_t *)bytes_b + part_b + whole, n - part_b - whole);
}

/* FIPS 180-4, 5.1.1: a bit, zeros, and the length in bits as the last eight bytes of a block. */
static void pad(struct sha256 *sha) {
        size_t have = sha->length % SHA256_BLOCK;
        uint64_t bits = __builtin_bswap64(sha->length * 8);

        sha->rest[have++] = 0x80;
        if (have > SHA256_BLOCK - sizeof(bits)) {
                memset(sha->rest + have, 0, SHA256_BLOCK - have);
                sha256_x86_blocks(sha->state, sha->rest, 1);
                have = 0;
        }
        memset(sha->rest + have, 0, SHA256_BLOCK - sizeof(bits) - have);
        memcpy(sha->rest + SHA256_BLOCK - sizeof(bits), &bits, sizeof(bits));
        sha256_x86_blocks(sha->state, sha->rest, 1);
}

void sha256_finish(struct sha256 *sha, uint8_t ret_digest[SHA256_SIZE]) {
        if (sha->evp) {
                EVP_DigestFinal_ex(sha->evp, ret_digest, NULL);
                return;
        }
        pad(sha);
        for (size_t i = 0; i < 8; i++) {
                uint32_t word = __builtin_bswap32(sha->state[i]);

                memcpy(ret_digest + 4 * i, &word, sizeof(word));
        }
}
