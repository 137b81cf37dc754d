#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "api/auth/keys_internal.h"
#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

/* A number of the key's as base64url, in @size bytes, or as few as it takes. */
static void add_number(struct json_writer *w, const struct auth_key *key, const char *name, const char *parameter,
                       int size) {
        char text[BASE64_URL_LENGTH(AUTH_SIGNATURE_MAX) + 1];
        uint8_t bytes[AUTH_SIGNATURE_MAX];
        BIGNUM *number = NULL;
        int n = -1;

        if (EVP_PKEY_get_bn_param(key->key, parameter, &number) == 1 && BN_num_bytes(number) <= AUTH_SIGNATURE_MAX)
                n = BN_bn2binpad(number, bytes, size ?: BN_num_bytes(number));
        BN_free(number);
        if (n < 0) {
                json_writer_fail(w, -ENOMEM);
                return;
        }
        base64_url_encode(bytes, (size_t)n, text);
        json_add_string(w, name, text);
}

static void add_key(struct json_writer *w, const struct auth_key *key) {
        json_begin_map(w);
        json_add_string(w, "use", "sig");
        json_add_string(w, "kty", key->curve ? "EC" : "RSA");
        json_add_string(w, "kid", key->id);
        json_add_string_if(w, "crv", key->curve);
        json_add_string(w, "alg", key->algorithm);
        if (key->curve) {
                add_number(w, key, "x", OSSL_PKEY_PARAM_EC_PUB_X, key->field);
                add_number(w, key, "y", OSSL_PKEY_PARAM_EC_PUB_Y, key->field);
        } else {
                add_number(w, key, "n", OSSL_PKEY_PARAM_RSA_N, 0);
                add_number(w, key, "e", OSSL_PKEY_PARAM_RSA_E, 0);
        }
        json_end_map(w);
}

/* The writer's text, in @arena. */
static char *finish(struct json_writer *w, struct arena *arena) {
        _cleanup_free_ char *text = NULL;

        return json_writer_finish(w, &text, NULL) < 0 ? NULL : arena_strdup(arena, text);
}

char *auth_jwks(struct arena *arena, const struct auth_keys *keys) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };

        json_begin_map(&w);
        json_key(&w, "keys");
        json_begin_list(&w);
        for (unsigned i = 0; i < keys->count; i++)
                add_key(&w, &keys->items[i]);
        json_end_list(&w);
        json_end_map(&w);
        return finish(&w, arena);
}

/* Each algorithm once, in the order of their names. */
static void add_algorithms(struct json_writer *w, const struct auth_keys *keys) {
        static const char *const algorithms[] = { "ES256", "ES384", "ES512", "RS256" };

        for (unsigned a = 0; a < ELEMENTS(algorithms); a++) {
                for (unsigned i = 0; i < keys->count; i++) {
                        if (strcmp(keys->items[i].algorithm, algorithms[a]) == 0) {
                                json_string(w, algorithms[a]);
                                break;
                        }
                }
        }
}

char *auth_discovery(struct arena *arena, const struct auth_keys *keys, const char *issuer, const char *jwks_uri) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };

        json_begin_map(&w);
        json_add_string(&w, "issuer", issuer);
        json_add_string(&w, "jwks_uri", jwks_uri);
        json_key(&w, "response_types_supported");
        json_begin_list(&w);
        json_string(&w, "id_token");
        json_end_list(&w);
        json_key(&w, "subject_types_supported");
        json_begin_list(&w);
        json_string(&w, "public");
        json_end_list(&w);
        json_key(&w, "id_token_signing_alg_values_supported");
        json_begin_list(&w);
        add_algorithms(&w, keys);
        json_end_list(&w);
        json_end_map(&w);
        return finish(&w, arena);
}
