/* Certificates for tests of what speaks TLS. Included behind cmocka.h. */
#pragma once

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct identity {
        char *certificate, *key;
};

static inline char *bio_text(BIO *bio) {
        char *data;
        long n = BIO_get_mem_data(bio, &data);
        char *text = strndup(data, (size_t)n);

        BIO_free(bio);
        return text;
}

/* Signed by itself, for @name and 127.0.0.1. */
static inline struct identity make_identity(const char *name) {
        struct identity identity;
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *cert = X509_new();
        X509_EXTENSION *ext;
        char san[128];
        BIO *bio;

        snprintf(san, sizeof(san), "DNS:%s,IP:127.0.0.1", name);
        X509_set_version(cert, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
        X509_gmtime_adj(X509_getm_notBefore(cert), -60);
        X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
        X509_set_pubkey(cert, key);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
                                   0);
        X509_set_issuer_name(cert, X509_get_subject_name(cert));
        ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
        X509_add_ext(cert, ext, -1);
        X509_EXTENSION_free(ext);
        assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
        bio = BIO_new(BIO_s_mem());
        PEM_write_bio_X509(bio, cert);
        identity.certificate = bio_text(bio);
        bio = BIO_new(BIO_s_mem());
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
        identity.key = bio_text(bio);
        X509_free(cert);
        EVP_PKEY_free(key);
        return identity;
}

static inline void identity_done(struct identity *identity) {
        free(identity->certificate);
        free(identity->key);
}
