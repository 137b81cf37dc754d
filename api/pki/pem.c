#include <errno.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "api/pki/certificate.h"
#include "api/pki/pki.h"
#include "lib/err.h"
#include "lib/openssl.h"

int pki_failed(struct err **err, const char *what) {
        unsigned long code = ERR_get_error();
        const char *reason = ERR_reason_error_string(code);

        ERR_clear_error();
        if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
                return err_set(err, ENOMEM, "%s: out of memory", what);
        return err_set(err, EINVAL, "%s: %s", what, reason ?: "OpenSSL gives no reason");
}

/* What @bio holds, as an allocated text. */
static char *text_of(BIO *bio) {
        char *data = NULL;
        long size = BIO_get_mem_data(bio, &data);

        return size > 0 ? strndup(data, (size_t)size) : NULL;
}

char *pki_certificate_pem(X509 *certificate) {
        _cleanup_bio_ BIO *bio = BIO_new(BIO_s_mem());

        return bio && PEM_write_bio_X509(bio, certificate) == 1 ? text_of(bio) : NULL;
}

char *pki_key_pem(EVP_PKEY *key) {
        _cleanup_bio_ BIO *bio = BIO_new(BIO_s_mem());

        return bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1 ? text_of(bio) : NULL;
}

char *pki_public_pem(EVP_PKEY *key) {
        _cleanup_bio_ BIO *bio = BIO_new(BIO_s_mem());

        return bio && PEM_write_bio_PUBKEY(bio, key) == 1 ? text_of(bio) : NULL;
}

/* A key that wants a password has none for us. */
static int no_password(char *to, int size, int writing, void *data) {
        return 0;
}

X509 *pki_certificate_read(const char *pem) {
        _cleanup_bio_ BIO *bio = BIO_new_mem_buf(pem, (int)strnlen(pem, PKI_FILE_MAX));
        X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, no_password, NULL) : NULL;

        ERR_clear_error();
        return certificate;
}

/* Whether @key's two halves belong together: in a file with a wrong bit they do not, and nothing that it signs counts.
 * What OpenSSL cannot tell of a kind of key is taken. */
static bool is_pair(EVP_PKEY *key) {
        _cleanup_key_context_ EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);

        return context && EVP_PKEY_pairwise_check(context) != 0;
}

EVP_PKEY *pki_key_read(const char *pem) {
        _cleanup_bio_ BIO *bio = BIO_new_mem_buf(pem, (int)strnlen(pem, PKI_FILE_MAX));
        EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;

        if (key && !is_pair(key)) {
                EVP_PKEY_free(key);
                key = NULL;
        }
        ERR_clear_error();
        return key;
}
