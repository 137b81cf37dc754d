#include "client/certificate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/err.h"
#include "lib/openssl.h"
#include "lib/x509.h"
#include "lib/x509_names.h"

/* Why OpenSSL failed; empties this thread's queue. */
static int fail(struct err **err, const char *what) {
        const char *reason = ERR_reason_error_string(ERR_get_error());

        ERR_clear_error();
        return err_set(err, EINVAL, "%s: %s", what, reason ?: "OpenSSL cannot");
}

static BIO *open_text(const char *text) {
        size_t n = strnlen(text, CLIENT_PEM_MAX + 1);

        return n > CLIENT_PEM_MAX ? NULL : BIO_new_mem_buf(text, (int)n);
}

static int text_of(struct arena *arena, BIO *bio, const char **ret_text) {
        char *bytes;
        long n = BIO_get_mem_data(bio, &bytes);

        *ret_text = n > 0 ? arena_strndup(arena, bytes, (size_t)n) : NULL;
        return *ret_text ? 0 : -ENOMEM;
}

static EVP_PKEY *read_key(const char *pem) {
        _cleanup_bio_ BIO *bio = open_text(pem);
        EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;

        ERR_clear_error();
        return key;
}

static X509 *read_certificate(const char *pem) {
        _cleanup_bio_ BIO *bio = open_text(pem);
        X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

        ERR_clear_error();
        return certificate;
}

int client_key_new(struct arena *arena, const char **ret_pem, struct err **err) {
        _cleanup_key_ EVP_PKEY *key = EVP_EC_gen("P-256");
        _cleanup_bio_ BIO *bio = BIO_new(BIO_s_secmem());

        if (!key || !bio || PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
                return fail(err, "cannot make a key");
        return text_of(arena, bio, ret_pem);
}

/* --- requests --- */

static size_t count_names(const struct client_subject *subject) {
        size_t n = 0;

        while (subject->names && subject->names[n])
                n++;
        return n;
}

static int add_names(X509_REQ *request, const struct client_subject *subject) {
        _cleanup_extensions_ STACK_OF(X509_EXTENSION) *all = NULL;
        _cleanup_names_ GENERAL_NAMES *names = NULL;

        if (count_names(subject) == 0)
                return 0;
        names = x509_names_of(subject->names, count_names(subject));
        if (!names || X509V3_add1_i2d(&all, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) != 1)
                return -ENOMEM;
        return X509_REQ_add_extensions(request, all) == 1 ? 0 : -ENOMEM;
}

static bool add_entry(X509_NAME *name, const char *field, const char *text) {
        return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const uint8_t *)text, -1, -1, 0) == 1;
}

int client_csr_new(struct arena *arena, const char *pem, const struct client_subject *subject, const char **ret_pem,
                   struct err **err) {
        _cleanup_request_ X509_REQ *request = X509_REQ_new();
        _cleanup_key_ EVP_PKEY *key = read_key(pem);
        _cleanup_bio_ BIO *bio = BIO_new(BIO_s_mem());
        X509_NAME *name;

        if (!key)
                return err_set(err, EINVAL, "the key is no private key in PEM");
        if (!request || !bio)
                return -ENOMEM;
        name = X509_REQ_get_subject_name(request);
        if (!add_entry(name, "O", subject->organization) || !add_entry(name, "CN", subject->common_name) ||
            add_names(request, subject) < 0 || X509_REQ_set_pubkey(request, key) != 1 ||
            X509_REQ_sign(request, key, EVP_sha256()) == 0 || PEM_write_bio_X509_REQ(bio, request) != 1)
                return fail(err, "cannot make a certificate request");
        return text_of(arena, bio, ret_pem);
}

/* SHA-256 of the public key's SubjectPublicKeyInfo, and of @more behind it. */
static int hash_key(EVP_PKEY *key, const char *more, uint8_t ret_hash[SHA256_DIGEST_LENGTH]) {
        _cleanup_openssl_ unsigned char *der = NULL;
        int n = i2d_PUBKEY(key, &der);
        EVP_MD_CTX *ctx = n > 0 ? EVP_MD_CTX_new() : NULL;
        bool good = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
                    EVP_DigestUpdate(ctx, der, (size_t)n) == 1 && EVP_DigestUpdate(ctx, more, strlen(more)) == 1 &&
                    EVP_DigestFinal_ex(ctx, ret_hash, NULL) == 1;

        EVP_MD_CTX_free(ctx);
        ERR_clear_error();
        return good ? 0 : -ENOMEM;
}

int client_csr_digest(struct arena *arena, const char *pem, const char *more, const char **ret_digest,
                      struct err **err) {
        _cleanup_key_ EVP_PKEY *key = read_key(pem);
        char text[BASE64_URL_LENGTH(SHA256_DIGEST_LENGTH) + 1];
        uint8_t hash[SHA256_DIGEST_LENGTH];

        if (!key)
                return err_set(err, EINVAL, "the key is no private key in PEM");
        if (hash_key(key, more, hash) < 0)
                return -ENOMEM;
        base64_url_encode(hash, sizeof(hash), text);
        *ret_digest = arena_strdup(arena, text);
        return *ret_digest ? 0 : -ENOMEM;
}

/* --- certificates --- */

int client_certificate_life(const char *pem, struct client_life *ret_life, struct err **err) {
        _cleanup_x509_ X509 *certificate = read_certificate(pem);

        if (!certificate)
                return err_set(err, EINVAL, "there is no certificate in PEM");
        *ret_life = (struct client_life){ openssl_seconds(X509_get0_notBefore(certificate)),
                                          openssl_seconds(X509_get0_notAfter(certificate)) };
        return 0;
}

bool client_certificate_fits(const char *pem, const char *key_pem) {
        _cleanup_x509_ X509 *certificate = read_certificate(pem);
        _cleanup_key_ EVP_PKEY *key = read_key(key_pem);
        bool fits = certificate && key && X509_check_private_key(certificate, key) == 1;

        ERR_clear_error();
        return fits;
}

const char *client_certificate_user(struct arena *arena, const char *pem) {
        _cleanup_x509_ X509 *certificate = read_certificate(pem);
        struct x509_subject subject;

        return certificate && x509_subject_read(arena, certificate, &subject, NULL) == 0 ? subject.name : NULL;
}

bool client_certificate_names(const char *pem, const struct client_subject *subject) {
        _cleanup_x509_ X509 *certificate = read_certificate(pem);

        return certificate && x509_names_are(certificate, subject->names, count_names(subject));
}

int client_authority_hash(const char *pem, char ret_text[CLIENT_HASH_TEXT_MAX], struct err **err) {
        _cleanup_x509_ X509 *certificate = read_certificate(pem);
        EVP_PKEY *key = certificate ? X509_get0_pubkey(certificate) : NULL;
        uint8_t hash[SHA256_DIGEST_LENGTH];
        char *at = ret_text;

        if (!key)
                return err_set(err, EINVAL, "there is no certificate in PEM");
        if (hash_key(key, "", hash) < 0)
                return -ENOMEM;
        at += sprintf(at, "sha256:");
        for (size_t i = 0; i < sizeof(hash); i++)
                at += sprintf(at, "%02x", hash[i]);
        return 0;
}
