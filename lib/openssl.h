/* What OpenSSL made and a function owns is given back at its end, as lib/cleanup.h has it for the rest. */
#pragma once

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/x509.h>

#include "lib/cleanup.h"

static inline void openssl_bio_freep(BIO **bio) {
        BIO_free(*bio);
}
#define _cleanup_bio_ _cleanup_(openssl_bio_freep)

static inline void openssl_x509_freep(X509 **certificate) {
        X509_free(*certificate);
}
#define _cleanup_x509_ _cleanup_(openssl_x509_freep)

/* Of i2d_...() and ASN1_STRING_to_UTF8(). */
static inline void openssl_bytes_freep(unsigned char **bytes) {
        OPENSSL_free(*bytes);
}
#define _cleanup_openssl_ _cleanup_(openssl_bytes_freep)
