/* JSON Web Tokens (RFC 7519) as signed JWS in compact form (RFC 7515): read strictly, checked, made.
 *
 * What decides is the key, never the token: each key has one algorithm, and a token that names another, or none, is
 * refused. There is one text for each token: base64url without padding or loose bits, JSON with each member once, no
 * "crit". A token is at most AUTH_TOKEN_MAX long.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct auth_keys;
struct err;
struct value;

struct auth_jwt {
        const char *algorithm, *key_id; /* key_id NULL: none */
        const struct value *claims;     /* a map */
        const char *signed_text;        /* within the token */
        size_t n_signed;
        const uint8_t *signature;
        size_t n_signature;
};

/* Takes @token apart into @arena, and believes nothing of it. -EINVAL, -E2BIG, -ENOMEM. */
int auth_jwt_read(struct arena *arena, const char *token, struct auth_jwt *ret_jwt, struct err **err);

/* Whether one of @keys has signed it: the one that it names, or, where it names none, any. -EACCES, -ENOMEM or 0. */
int auth_jwt_verify(const struct auth_jwt *jwt, const struct auth_keys *keys, struct err **err);

/* Signs @claims (JSON) with the signing key. -EIO, -ENOMEM or 0. */
int auth_jwt_sign(struct arena *arena, const struct auth_keys *keys, const char *claims, const char **ret_token,
                  struct err **err);
