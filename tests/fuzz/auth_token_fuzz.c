/* A bearer token, any bytes: nobody is authenticated by one that our key has not signed. With the first byte even, the
 * rest are the claims of a token that it has signed: whoever is then authenticated is a service account of that name,
 * and what they are bound to was looked up.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "api/auth/authenticate.h"
#include "api/auth/jwt.h"
#include "api/auth/keys.h"
#include "api/pki/certificate.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/openssl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct auth_keys *keys;
static struct auth_authenticator *authenticator;
static unsigned looked_up;

/* Everything is there, with the uid "u". */
static int find(void *data, struct arena *arena, const char *resource, const char *namespace, const char *name,
                struct auth_object *ret_object) {
        looked_up++;
        if (strcmp(resource, "secrets") == 0 && strcmp(namespace, "kube-system") == 0)
                return -ENOENT;
        *ret_object = (struct auth_object){ .uid = "u" };
        return 0;
}

static void begin(void) {
        struct auth_config config = { .issuer = "i", .objects = { .find = find }, .bootstrap = true };
        _cleanup_key_ EVP_PKEY *key = NULL;
        _cleanup_free_ char *pem = NULL;

        if (keys)
                return;
        if (pki_key_new(&key, NULL) < 0 || !(pem = pki_key_pem(key)) || auth_keys_new(pem, NULL, &keys, NULL) < 0)
                abort();
        config.keys = keys;
        if (auth_authenticator_new(&config, &authenticator, NULL) < 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct auth_identity identity;
        const char *token;
        char *text;
        bool ours;

        begin();
        if (size == 0)
                return 0;
        ours = data[0] % 2 == 0;
        text = arena_strndup(arena, (const char *)data + 1, size - 1);
        token = text;
        if (ours && auth_jwt_sign(arena, keys, text, &token, NULL) < 0)
                abort();
        looked_up = 0;
        if (auth_token(authenticator, &(struct auth_bearer){ .token = token }, 1000, arena, &identity, NULL) < 0)
                return 0;
        if (!ours || looked_up == 0 ||
            strncmp(identity.user.name, AUTH_ACCOUNT_PREFIX, strlen(AUTH_ACCOUNT_PREFIX)) != 0 ||
            strcmp(identity.user.uid, "u") != 0 || identity.valid_until < 1000)
                abort();
        return 0;
}
