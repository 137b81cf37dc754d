#include "api/auth/keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "api/auth/keys_internal.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/openssl.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX (AUTH_SIGNATURE_MAX * 8)
#define PEM_MAX ((size_t)1 << 20)

/* The one algorithm that @key is for. */
static int describe(struct auth_key *key, struct err **err) {
        static const struct {
                const char *group, *curve, *algorithm, *digest;
                uint16_t field;
        } curves[] = {
                { "prime256v1", "P-256", "ES256", "SHA256", 32 },
                { "secp384r1", "P-384", "ES384", "SHA384", 48 },
                { "secp521r1", "P-521", "ES512", "SHA512", 66 },
        };
        char group[32] = "";

        if (EVP_PKEY_get_base_id(key->key) == EVP_PKEY_RSA && EVP_PKEY_get_bits(key->key) >= RSA_BITS_MIN &&
            EVP_PKEY_get_bits(key->key) <= RSA_BITS_MAX) {
                key->algorithm = "RS256";
                key->digest = "SHA256";
                return 0;
        }
        EVP_PKEY_get_utf8_string_param(key->key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), NULL);
        ERR_clear_error();
        for (unsigned i = 0; i < ELEMENTS(curves); i++) {
                if (strcmp(group, curves[i].group) != 0)
                        continue;
                key->algorithm = curves[i].algorithm;
                key->digest = curves[i].digest;
                key->curve = curves[i].curve;
                key->field = curves[i].field;
                return 0;
        }
        return err_set(err, EINVAL,
                       "service account key: it is neither RSA of %d to %d bits nor EC P-256, P-384 or P-521",
                       RSA_BITS_MIN, RSA_BITS_MAX);
}

static int name_key(struct auth_key *key) {
        _cleanup_openssl_ unsigned char *der = NULL;
        uint8_t digest[SHA256_DIGEST_LENGTH];
        int size = i2d_PUBKEY(key->key, &der);

        if (size <= 0)
                return -ENOMEM;
        SHA256(der, (size_t)size, digest);
        base64_url_encode(digest, sizeof(digest), key->id);
        return 0;
}

/* 0; 1 where it is there already; or a negative errno. */
static int settle_key(const struct auth_keys *keys, struct auth_key *item, struct err **err) {
        int r;

        if ((r = describe(item, err)) < 0 || (r = name_key(item)) < 0)
                return r;
        for (unsigned i = 0; i < keys->count; i++)
                if (strcmp(keys->items[i].id, item->id) == 0)
                        return 1;
        return 0;
}

/* Takes @key over. The same key once is enough. */
static int add_key(struct auth_keys *keys, EVP_PKEY *key, struct err **err) {
        struct auth_key *item = &keys->items[keys->count];
        int r;

        if (keys->count == AUTH_KEYS_MAX) {
                EVP_PKEY_free(key);
                return err_set(err, E2BIG, "service account keys: more than %d", AUTH_KEYS_MAX);
        }
        item->key = key;
        r = settle_key(keys, item, err);
        if (r == 0) {
                keys->count++;
                return 0;
        }
        EVP_PKEY_free(key);
        *item = (struct auth_key){ 0 };
        return r < 0 ? r : 0;
}

/* PEM says of each block what it is: private keys and public ones may stand in one text. */
static EVP_PKEY *next_key(BIO *bio) {
        char *name = NULL, *header = NULL;
        unsigned char *data = NULL;
        const unsigned char *at;
        EVP_PKEY *key = NULL;
        long size;

        if (PEM_read_bio(bio, &name, &header, &data, &size) != 1)
                return NULL;
        at = data;
        if (strcmp(name, PEM_STRING_PUBLIC) == 0)
                key = d2i_PUBKEY(NULL, &at, size);
        else
                key = d2i_AutoPrivateKey(NULL, &at, size);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(data);
        return key;
}

static int add_keys(struct auth_keys *keys, const char *pem, struct err **err) {
        _cleanup_bio_ BIO *bio = BIO_new_mem_buf(pem, (int)strnlen(pem, PEM_MAX));
        unsigned n = 0;
        EVP_PKEY *key;
        int r = 0;

        while (bio && r >= 0 && (key = next_key(bio))) {
                r = add_key(keys, key, err);
                n++;
        }
        ERR_clear_error();
        if (r >= 0 && n == 0)
                return err_set(err, EINVAL, "service account key: it is no key in PEM");
        return r;
}

int auth_keys_new(const char *signing, const char *verifying, struct auth_keys **ret_keys, struct err **err) {
        struct auth_keys *keys = calloc(1, sizeof(*keys));
        int r;

        if (!keys)
                return -ENOMEM;
        keys->refs = 1;
        if ((r = add_keys(keys, signing, err)) < 0 || (verifying && (r = add_keys(keys, verifying, err)) < 0)) {
                auth_keys_unref(keys);
                return r;
        }
        *ret_keys = keys;
        return 0;
}

struct auth_keys *auth_keys_ref(struct auth_keys *keys) {
        __atomic_add_fetch(&keys->refs, 1, __ATOMIC_RELAXED);
        return keys;
}

struct auth_keys *auth_keys_unref(struct auth_keys *keys) {
        if (!keys || __atomic_sub_fetch(&keys->refs, 1, __ATOMIC_ACQ_REL) > 0)
                return NULL;
        for (unsigned i = 0; i < keys->count; i++)
                EVP_PKEY_free(keys->items[i].key);
        free(keys);
        return NULL;
}
