/* Keys, certificates and their PEM forms, made with OpenSSL: what api/pki is made of. For this room, and for tests that
 * need certificates of their own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kube/types.h"
#include "lib/cleanup.h"

struct err;
struct evp_pkey_st;
struct x509_st;

enum pki_use { /* extendedKeyUsage */
               PKI_USE_SERVER = 1 << 0,
               PKI_USE_CLIENT = 1 << 1,
};

/* A certificate to be made. */
struct pki_order {
        const char *common_name; /* NULL: none */
        string_list organizations;
        string_list names; /* addresses and DNS names, for subjectAltName */
        int64_t begins, ends;
        bool authority;
        bool encipher; /* keyUsage keyEncipherment beside digitalSignature */
        unsigned uses; /* enum pki_use */
};

/* A new key, EC P-256. */
int pki_key_new(struct evp_pkey_st **ret_key, struct err **err);

/* A certificate of @key by @order, signed by @issuer's @issuer_key; NULL: by itself. */
int pki_certificate_new(const struct pki_order *order, struct evp_pkey_st *key, struct x509_st *issuer,
                        struct evp_pkey_st *issuer_key, struct x509_st **ret_certificate, struct err **err);

/* Whether @certificate says so: it is @key's, @issuer's key has signed it, and its names are @names. */
bool pki_certificate_is_of(struct x509_st *certificate, struct evp_pkey_st *key);
bool pki_certificate_signed_by(struct x509_st *certificate, struct x509_st *issuer);
bool pki_certificate_names(struct x509_st *certificate, const string_list *names);

/* Seconds since 1970. */
int64_t pki_certificate_begins(const struct x509_st *certificate);
int64_t pki_certificate_ends(const struct x509_st *certificate);

/* PEM, allocated. NULL without memory. Reading: NULL when it is none. */
char *pki_certificate_pem(struct x509_st *certificate);
char *pki_key_pem(struct evp_pkey_st *key);
char *pki_public_pem(struct evp_pkey_st *key);
struct x509_st *pki_certificate_read(const char *pem);
struct evp_pkey_st *pki_key_read(const char *pem);

/* Why OpenSSL failed, behind @what; empties this thread's queue. */
int pki_failed(struct err **err, const char *what);
