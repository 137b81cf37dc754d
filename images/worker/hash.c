#include "images/worker/hash.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

struct hash {
        EVP_MD_CTX *context;
};

/* From a library context of our own: OpenSSL's own one reads its configuration first, and a malloc() that fails
 * while it is made ends the program. */
static EVP_MD *sha256;

static void fetch(void) {
        OSSL_LIB_CTX *library = OSSL_LIB_CTX_new();

        if (library)
                sha256 = EVP_MD_fetch(library, "SHA2-256", NULL);
}

struct hash *hash_new(void) {
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        struct hash *hash = calloc(1, sizeof(*hash));

        pthread_once(&once, fetch);
        if (!hash)
                return NULL;
        hash->context = EVP_MD_CTX_new();
        if (sha256 && hash->context && EVP_DigestInit_ex2(hash->context, sha256, NULL))
                return hash;
        hash_free(hash);
        return NULL;
}

void hash_free(struct hash *hash) {
        if (hash)
                EVP_MD_CTX_free(hash->context);
        free(hash);
}

void hash_add(struct hash *hash, const void *bytes, size_t n) {
        EVP_DigestUpdate(hash->context, bytes, n);
}

void hash_finish(struct hash *hash, char ret_digest[IMAGE_DIGEST_LENGTH + 1]) {
        unsigned char bytes[EVP_MAX_MD_SIZE];
        unsigned n = 0;

        EVP_DigestFinal_ex(hash->context, bytes, &n);
        strcpy(ret_digest, "sha256:");
        for (size_t i = 0; i < n; i++)
                snprintf(ret_digest + 7 + 2 * i, 3, "%02x", bytes[i]);
}

int digest_of(const void *bytes, size_t n, char ret_digest[IMAGE_DIGEST_LENGTH + 1]) {
        struct hash *hash = hash_new();

        if (!hash)
                return -ENOMEM;
        hash_add(hash, bytes, n);
        hash_finish(hash, ret_digest);
        hash_free(hash);
        return 0;
}
