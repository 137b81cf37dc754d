#include "agent/kubelet/self_signed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "lib/err.h"
#include "lib/openssl.h"

#define BACKDATE ((int64_t)24 * 3600) /* clocks differ */
#define NAMES_MAX 512
#define SERIAL_SIZE 16

static int failed(struct err **err, const char *what) {
        ERR_clear_error();
        return err_set(err, ENOMEM, "%s: OpenSSL cannot", what);
}

static int add(X509 *certificate, int nid, const char *value, struct err **err) {
        X509V3_CTX ctx;
        X509_EXTENSION *extension;
        int ok;

        X509V3_set_ctx_nodb(&ctx);
        X509V3_set_ctx(&ctx, certificate, certificate, NULL, NULL, 0);
        extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
        if (!extension) {
                ERR_clear_error();
                return err_set(err, EINVAL, "\"%s\" is nothing for a certificate", value);
        }
        ok = X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
        return ok ? 0 : failed(err, "an extension");
}

static bool set_serial(X509 *certificate) {
        uint8_t bytes[SERIAL_SIZE];
        BIGNUM *number;
        bool ok;

        if (RAND_bytes(bytes, sizeof(bytes)) != 1)
                return false;
        bytes[0] &= 0x7f;
        number = BN_bin2bn(bytes, sizeof(bytes), NULL);
        ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
        BN_free(number);
        return ok;
}

/* As kubelet has it: NAME@TIME, so that two of one node are not the same issuer. */
static bool set_name(X509 *certificate, const char *name, int64_t now) {
        X509_NAME *subject = X509_get_subject_name(certificate);
        char text[64 + 1]; /* what a common name may have */

        snprintf(text, sizeof(text), "%.40s@%lld", name, (long long)now);
        return X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, (const unsigned char *)text, -1, -1,
                                          0) == 1 &&
               X509_set_issuer_name(certificate, subject) == 1;
}

static int extend(X509 *certificate, const char *name, const char *address, struct err **err) {
        char names[NAMES_MAX];
        int r;

        snprintf(names, sizeof(names), "DNS:%s%s%s", name, *address ? ",IP:" : "", address);
        if ((r = add(certificate, NID_basic_constraints, "critical,CA:FALSE", err)) < 0 ||
            (r = add(certificate, NID_key_usage, "critical,digitalSignature", err)) < 0 ||
            (r = add(certificate, NID_ext_key_usage, "serverAuth", err)) < 0)
                return r;
        return add(certificate, NID_subject_alt_name, names, err);
}

static bool write_pem(X509 *certificate, EVP_PKEY *key, char **ret_text) {
        _cleanup_bio_ BIO *bio = BIO_new(BIO_s_mem());
        char *data;
        long size;

        if (!bio || (certificate ? PEM_write_bio_X509(bio, certificate) :
                                   PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)) != 1)
                return false;
        size = BIO_get_mem_data(bio, &data);
        *ret_text = strndup(data, (size_t)size);
        return *ret_text;
}

static EVP_PKEY *make_key(void) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
        EVP_PKEY *key = NULL;

        if (!ctx || EVP_PKEY_keygen_init(ctx) != 1 ||
            EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx, NID_X9_62_prime256v1) != 1 || EVP_PKEY_keygen(ctx, &key) != 1)
                key = NULL;
        EVP_PKEY_CTX_free(ctx);
        return key;
}

int kubelet_self_signed_new(const char *name, const char *address, int64_t now, char **ret_certificate, char **ret_key,
                            struct err **err) {
        _cleanup_key_ EVP_PKEY *key = make_key();
        _cleanup_x509_ X509 *certificate = X509_new();
        _cleanup_free_ char *certificate_pem = NULL, *key_pem = NULL;
        int64_t begins = now - BACKDATE;
        int r;

        if (!key || !certificate || X509_set_version(certificate, X509_VERSION_3) != 1 || !set_serial(certificate) ||
            !ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)begins) ||
            !ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)(begins + KUBELET_CERTIFICATE_SECONDS)) ||
            X509_set_pubkey(certificate, key) != 1 || !set_name(certificate, name, now))
                return failed(err, "a certificate");
        if ((r = extend(certificate, name, address, err)) < 0)
                return r;
        if (X509_sign(certificate, key, EVP_sha256()) == 0 || !write_pem(certificate, NULL, &certificate_pem) ||
            !write_pem(NULL, key, &key_pem))
                return failed(err, "a certificate's signature");
        *ret_certificate = TAKE_PTR(certificate_pem);
        *ret_key = TAKE_PTR(key_pem);
        return 0;
}

bool kubelet_self_signed_is_good(const char *pem, int64_t now) {
        _cleanup_bio_ BIO *bio = BIO_new_mem_buf(pem, -1);
        _cleanup_x509_ X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

        ERR_clear_error();
        if (certificate && X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) != 0)
                return true;
        return certificate && openssl_seconds(X509_get0_notBefore(certificate)) <= now &&
               now < openssl_seconds(X509_get0_notAfter(certificate)) - KUBELET_CERTIFICATE_SECONDS / 3;
}
