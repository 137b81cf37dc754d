#include <errno.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "api/auth/keys_internal.h"
#include "lib/cleanup.h"

#define DER_MAX (AUTH_SIGNATURE_MAX + 16)

static void md_freep(EVP_MD_CTX **ctx) {
        EVP_MD_CTX_free(*ctx);
}

static void sig_freep(ECDSA_SIG **sig) {
        ECDSA_SIG_free(*sig);
}

static void bytes_freep(unsigned char **bytes) {
        OPENSSL_free(*bytes);
}

/* JWS has r and s side by side where OpenSSL has DER. */
static int flatten(const struct auth_key *key, const uint8_t *der, size_t size, uint8_t *ret) {
        _cleanup_(sig_freep) ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)size);

        if (!sig || BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret, key->field) < 0 ||
            BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret + key->field, key->field) < 0)
                return -EIO;
        return 2 * key->field;
}

static int unflatten(const struct auth_key *key, const uint8_t *flat, unsigned char **ret_der) {
        _cleanup_(sig_freep) ECDSA_SIG *sig = ECDSA_SIG_new();
        BIGNUM *r = BN_bin2bn(flat, key->field, NULL), *s = BN_bin2bn(flat + key->field, key->field, NULL);

        if (!sig || !r || !s || ECDSA_SIG_set0(sig, r, s) != 1) {
                BN_free(r);
                BN_free(s);
                return -ENOMEM;
        }
        return i2d_ECDSA_SIG(sig, ret_der);
}

int auth_sign(const struct auth_key *key, const void *text, size_t size, uint8_t ret_signature[AUTH_SIGNATURE_MAX]) {
        _cleanup_(md_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        uint8_t made[DER_MAX];
        size_t n = sizeof(made);

        if (!ctx || EVP_DigestSignInit_ex(ctx, NULL, key->digest, NULL, NULL, key->key, NULL) != 1 ||
            EVP_DigestSign(ctx, made, &n, text, size) != 1 || (!key->field && n > AUTH_SIGNATURE_MAX)) {
                ERR_clear_error();
                return -EIO;
        }
        if (key->field)
                return flatten(key, made, n, ret_signature);
        memcpy(ret_signature, made, n);
        return (int)n;
}

bool auth_signature_is(const struct auth_key *key, const void *text, size_t size, const uint8_t *signature, size_t n) {
        _cleanup_(md_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        _cleanup_(bytes_freep) unsigned char *der = NULL;
        bool good;

        if (key->field) {
                int length = n == 2U * key->field ? unflatten(key, signature, &der) : -EINVAL;

                if (length <= 0)
                        return false;
                signature = der;
                n = (size_t)length;
        }
        good = ctx && EVP_DigestVerifyInit_ex(ctx, NULL, key->digest, NULL, NULL, key->key, NULL) == 1 &&
               EVP_DigestVerify(ctx, signature, n, text, size) == 1;
        ERR_clear_error();
        return good;
}
