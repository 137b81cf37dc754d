/* The keys of service account tokens: one that signs, and all whose signatures count.
 *
 * Counted, and not changed once it is made: a rotation makes a new set with the old keys in it. A key's id is that of
 * kube-apiserver: the base64url SHA-256 of its public key's DER form.
 */
#pragma once

#include <stddef.h>

struct arena;
struct auth_keys;
struct err;

#define AUTH_KEYS_MAX 16

/* @signing: a private key, PEM, RSA (2048 bits and more: RS256) or EC P-256, P-384, P-521 (ES256, ES384, ES512).
 * @verifying: public or private keys, PEM, beside it; NULL: none. -EINVAL when one is none of these. */
int auth_keys_new(const char *signing, const char *verifying, struct auth_keys **ret_keys, struct err **err);
struct auth_keys *auth_keys_ref(struct auth_keys *keys);
struct auth_keys *auth_keys_unref(struct auth_keys *keys);

/* The documents of OpenID discovery: /.well-known/openid-configuration for @issuer, with the keys at @jwks_uri, and
 * /openid/v1/jwks (RFC 7517). The same bytes as kube-apiserver's. NULL without memory. */
char *auth_discovery(struct arena *arena, const struct auth_keys *keys, const char *issuer, const char *jwks_uri);
char *auth_jwks(struct arena *arena, const struct auth_keys *keys);
