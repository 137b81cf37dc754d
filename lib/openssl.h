/* What OpenSSL made and a function owns is given back at its end, as lib/cleanup.h has it for the rest. */
#pragma once

#include <stdint.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "lib/cleanup.h"

static inline void openssl_bio_freep(BIO **bio) {
        BIO_free(*bio);
}
#define _cleanup_bio_ _cleanup_(openssl_bio_freep)

static inline void openssl_x509_freep(X509 **certificate) {
        X509_free(*certificate);
}
#define _cleanup_x509_ _cleanup_(openssl_x509_freep)

static inline void openssl_request_freep(X509_REQ **request) {
        X509_REQ_free(*request);
}
#define _cleanup_request_ _cleanup_(openssl_request_freep)

static inline void openssl_key_freep(EVP_PKEY **key) {
        EVP_PKEY_free(*key);
}
#define _cleanup_key_ _cleanup_(openssl_key_freep)

static inline void openssl_key_context_freep(EVP_PKEY_CTX **context) {
        EVP_PKEY_CTX_free(*context);
}
#define _cleanup_key_context_ _cleanup_(openssl_key_context_freep)

static inline void openssl_names_freep(GENERAL_NAMES **names) {
        GENERAL_NAMES_free(*names);
}
#define _cleanup_names_ _cleanup_(openssl_names_freep)

static inline void openssl_extensions_freep(STACK_OF(X509_EXTENSION) * *extensions) {
        sk_X509_EXTENSION_pop_free(*extensions, X509_EXTENSION_free);
}
#define _cleanup_extensions_ _cleanup_(openssl_extensions_freep)

/* Of i2d_...() and ASN1_STRING_to_UTF8(). */
static inline void openssl_bytes_freep(unsigned char **bytes) {
        OPENSSL_free(*bytes);
}
#define _cleanup_openssl_ _cleanup_(openssl_bytes_freep)

/* @time in seconds since 1970; 0 when it is none. */
static inline int64_t openssl_seconds(const ASN1_TIME *time) {
        struct tm tm;

        return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}
