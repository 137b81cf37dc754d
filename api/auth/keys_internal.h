/* What keys.c, signature.c and jwt.c share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/auth/keys.h"

struct evp_pkey_st;

#define AUTH_KEY_ID_SIZE 44     /* base64url of 32 bytes, with the NUL */
#define AUTH_SIGNATURE_MAX 1024 /* RSA of 8192 bits */

struct auth_key {
        struct evp_pkey_st *key;
        char id[AUTH_KEY_ID_SIZE];
        const char *algorithm; /* "ES256" */
        const char *digest;    /* OpenSSL's name */
        const char *curve;     /* "P-256"; NULL: RSA */
        uint16_t field;        /* bytes of a coordinate; 0: RSA */
};

struct auth_keys {
        uint32_t refs;
        unsigned count;
        struct auth_key items[AUTH_KEYS_MAX]; /* the first signs */
};

/* @text signed with @key, as JWS has it (RFC 7518, 3.3 and 3.4). The size, or a negative errno. */
int auth_sign(const struct auth_key *key, const void *text, size_t size, uint8_t ret_signature[AUTH_SIGNATURE_MAX]);

/* Whether @signature is @key's of @text. */
bool auth_signature_is(const struct auth_key *key, const void *text, size_t size, const uint8_t *signature, size_t n);
