/* Tokens whose signature was found good: what is expensive about a token is done once. Claims, and what they are bound
 * to, are looked at each time, so that nothing counts for longer than it does.
 */
#include <assert.h>
#include <string.h>

#include <openssl/sha.h>

#include "api/auth/internal.h"
#include "api/auth/jwt.h"

static_assert(AUTH_DIGEST_SIZE == SHA256_DIGEST_LENGTH, "a slot holds a SHA-256");

static unsigned slot_of(const uint8_t digest[AUTH_DIGEST_SIZE]) {
        return (unsigned)(digest[0] | digest[1] << 8) % AUTH_SIGNED_MAX;
}

static bool is_known(struct auth_authenticator *a, const uint8_t digest[AUTH_DIGEST_SIZE]) {
        bool known;

        pthread_rwlock_rdlock(&a->lock);
        known = memcmp(a->verified[slot_of(digest)], digest, AUTH_DIGEST_SIZE) == 0;
        pthread_rwlock_unlock(&a->lock);
        return known;
}

int auth_check_signature(struct auth_authenticator *a, const char *token, const struct auth_jwt *jwt,
                         struct err **err) {
        uint8_t digest[AUTH_DIGEST_SIZE];
        int r;

        SHA256((const uint8_t *)token, strlen(token), digest);
        if (is_known(a, digest))
                return 0;
        r = auth_jwt_verify(jwt, a->keys, err);
        if (r < 0)
                return r;
        pthread_rwlock_wrlock(&a->lock);
        memcpy(a->verified[slot_of(digest)], digest, AUTH_DIGEST_SIZE);
        pthread_rwlock_unlock(&a->lock);
        return 0;
}
