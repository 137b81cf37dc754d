#include "api/pki/certificate.h"

#include <errno.h>

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "api/pki/internal.h"
#include "lib/openssl.h"
#include "lib/x509_names.h"

#define SERIAL_BYTES 16

int pki_key_new(EVP_PKEY **ret_key, struct err **err) {
        EVP_PKEY *key = EVP_EC_gen("P-256");

        if (!key)
                return pki_failed(err, "make a key");
        *ret_key = key;
        return 0;
}

/* Positive and not short, as RFC 5280, 4.1.2.2 wants it. */
static int set_serial(X509 *certificate) {
        uint8_t bytes[SERIAL_BYTES];
        BIGNUM *number;
        bool good;

        if (RAND_bytes(bytes, sizeof(bytes)) != 1)
                return -EIO;
        bytes[0] = (bytes[0] & 0x7f) | 0x40;
        number = BN_bin2bn(bytes, sizeof(bytes), NULL);
        good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
        BN_free(number);
        return good ? 0 : -ENOMEM;
}

int pki_certificate_begin(X509 *certificate, EVP_PKEY *key, int64_t begins, int64_t ends, struct err **err) {
        if (X509_set_version(certificate, X509_VERSION_3) != 1 || set_serial(certificate) < 0 ||
            !ASN1_TIME_set(X509_getm_notBefore(certificate), begins) ||
            !ASN1_TIME_set(X509_getm_notAfter(certificate), ends) || X509_set_pubkey(certificate, key) != 1)
                return pki_failed(err, "make a certificate");
        return 0;
}

int pki_extend(X509 *certificate, X509 *issuer, int nid, const char *value, struct err **err) {
        X509_EXTENSION *extension;
        X509V3_CTX ctx;
        int ok;

        X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
        extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
        ok = extension ? X509_add_ext(certificate, extension, -1) : 0;
        X509_EXTENSION_free(extension);
        return ok == 1 ? 0 : pki_failed(err, "make a certificate's extension");
}

static int add_names(X509 *certificate, const string_list *texts, struct err **err) {
        _cleanup_names_ GENERAL_NAMES *names = NULL;

        if (texts->count == 0)
                return 0;
        names = x509_names_of(texts->items, texts->count);
        if (!names || X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) != 1)
                return pki_failed(err, "name a certificate");
        return 0;
}

static int add_extensions(X509 *certificate, X509 *issuer, const struct pki_order *order, struct err **err) {
        static const char *const uses[] = { "", "serverAuth", "clientAuth", "serverAuth,clientAuth" };
        int r = pki_extend(certificate, issuer, NID_basic_constraints,
                           order->authority ? "critical,CA:TRUE" : "critical,CA:FALSE", err);

        if (r < 0 ||
            (r = pki_extend(certificate, issuer, NID_key_usage,
                            order->authority ? "critical,digitalSignature,keyEncipherment,keyCertSign" :
                            order->encipher  ? "critical,digitalSignature,keyEncipherment" :
                                               "critical,digitalSignature",
                            err)) < 0 ||
            (order->uses && (r = pki_extend(certificate, issuer, NID_ext_key_usage, uses[order->uses], err)) < 0) ||
            (r = pki_extend(certificate, issuer, NID_subject_key_identifier, "hash", err)) < 0 ||
            (!order->authority &&
             (r = pki_extend(certificate, issuer, NID_authority_key_identifier, "keyid:always", err)) < 0))
                return r;
        return add_names(certificate, &order->names, err);
}

static int set_subject(X509 *certificate, const struct pki_order *order, struct err **err) {
        X509_NAME *name = X509_get_subject_name(certificate);
        int ok = 1;

        list_for_each (text, &order->organizations)
                ok &= X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const uint8_t *)*text, -1, -1, 0) == 1;
        if (order->common_name)
                ok &= X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)order->common_name, -1, -1,
                                                 0) == 1;
        return ok ? 0 : pki_failed(err, "name a certificate");
}

int pki_certificate_new(const struct pki_order *order, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
                        X509 **ret_certificate, struct err **err) {
        _cleanup_x509_ X509 *certificate = X509_new();
        int r;

        if (!certificate)
                return pki_failed(err, "make a certificate");
        if ((r = pki_certificate_begin(certificate, key, order->begins, order->ends, err)) < 0 ||
            (r = set_subject(certificate, order, err)) < 0)
                return r;
        if (!issuer)
                issuer = certificate;
        if (X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) != 1)
                return pki_failed(err, "name a certificate's issuer");
        r = add_extensions(certificate, issuer, order, err);
        if (r < 0)
                return r;
        if (X509_sign(certificate, issuer_key ?: key, EVP_sha256()) == 0)
                return pki_failed(err, "sign a certificate");
        *ret_certificate = TAKE_PTR(certificate);
        return 0;
}

bool pki_certificate_is_of(X509 *certificate, EVP_PKEY *key) {
        return X509_check_private_key(certificate, key) == 1;
}

bool pki_certificate_signed_by(X509 *certificate, X509 *issuer) {
        EVP_PKEY *key = X509_get0_pubkey(issuer);

        return key && X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(issuer)) == 0 &&
               X509_verify(certificate, key) == 1;
}

bool pki_certificate_names(X509 *certificate, const string_list *texts) {
        return x509_names_are(certificate, texts->items, texts->count);
}

int64_t pki_certificate_begins(const X509 *certificate) {
        return openssl_seconds(X509_get0_notBefore(certificate));
}

int64_t pki_certificate_ends(const X509 *certificate) {
        return openssl_seconds(X509_get0_notAfter(certificate));
}
