/* A client's keys and certificates, as PEM: a key is made, a certificate asked for (PKCS#10, RFC 2986), and what came
 * of it is looked at. What is done with requests is client/signing.h's.
 *
 * Keys are EC P-256, as client-go makes them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

#define CLIENT_PEM_MAX ((size_t)64 << 10) /* bytes of a key or certificate */
#define CLIENT_HASH_TEXT_MAX 72           /* "sha256:" and 64 digits, with the NUL */

/* Whom a certificate is to name. */
struct client_subject {
        const char *common_name, *organization;
        const char *const *names; /* addresses and DNS names for subjectAltName, ends with NULL; NULL: none */
};

/* A new key, in @arena. */
int client_key_new(struct arena *arena, const char **ret_pem, struct err **err);

/* The request for a certificate of @key, signed with it. -EINVAL: @key is none. */
int client_csr_new(struct arena *arena, const char *key, const struct client_subject *subject, const char **ret_pem,
                   struct err **err);

/* What identifies a request wherever it is made anew: base64url of the SHA-256 of the key and @more. */
int client_csr_digest(struct arena *arena, const char *key, const char *more, const char **ret_digest,
                      struct err **err);

/* When the first certificate of @pem begins and ends to be valid, in seconds since 1970. -EINVAL. */
struct client_life {
        int64_t begins, ends;
};
int client_certificate_life(const char *pem, struct client_life *ret_life, struct err **err);

/* Whether the first certificate of @pem is that of @key. */
bool client_certificate_fits(const char *pem, const char *key);

/* The common name of the first certificate of @pem, in @arena; NULL: it has none, or there is no certificate. */
const char *client_certificate_user(struct arena *arena, const char *pem);

/* Whether the first certificate of @pem has the names of @subject, all of them and no others. */
bool client_certificate_names(const char *pem, const struct client_subject *subject);

/* "sha256:HEX" of the public key of the first certificate of @pem: as kubeadm pins an authority
 * (--discovery-token-ca-cert-hash; RFC 7469, 2.4, in hexadecimal). -EINVAL. */
int client_authority_hash(const char *pem, char ret_text[CLIENT_HASH_TEXT_MAX], struct err **err);
