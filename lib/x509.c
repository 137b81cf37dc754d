#include "lib/x509.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/openssl.h"

static void ctx_freep(X509_STORE_CTX **ctx) {
        X509_STORE_CTX_free(*ctx);
}

void x509_storep(struct x509_store_st **store) {
        X509_STORE_free(*store);
}

int x509_authorities_read(const char *pem, X509_STORE **ret_store, struct err **err) {
        _cleanup_x509_authorities_ X509_STORE *store = X509_STORE_new();
        _cleanup_bio_ BIO *bio = BIO_new_mem_buf(pem, (int)strnlen(pem, X509_AUTHORITIES_MAX));
        unsigned n = 0;

        if (!store || !bio || X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) != 1)
                return -ENOMEM;
        for (X509 *ca; (ca = PEM_read_bio_X509(bio, NULL, NULL, NULL)); n++) {
                int ok = X509_STORE_add_cert(store, ca);

                X509_free(ca);
                if (ok != 1)
                        return -ENOMEM;
        }
        ERR_clear_error();
        if (n == 0)
                return err_set(err, EINVAL, "client certificate authorities: there is no certificate in PEM");
        *ret_store = TAKE_PTR(store);
        return 0;
}

/* For clients, or for anything: each of a chain, as Go has it; what a key may be used for is not looked at. */
static bool is_for_clients(X509 *certificate) {
        uint32_t uses = X509_get_extended_key_usage(certificate);

        return uses == UINT32_MAX || (uses & (XKU_SSL_CLIENT | XKU_ANYEKU));
}

static int refuse(struct err **err, X509 *certificate, const char *why) {
        char subject[256] = "";

        X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof(subject));
        ERR_clear_error();
        return err_set(err, EACCES, "verifying certificate \"%s\" failed: %s", subject, why);
}

static bool is_of_time(int error) {
        return error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID;
}

int x509_check_client(X509_STORE *store, X509 *certificate, STACK_OF(X509) * others, int64_t now, int64_t *ret_until,
                      struct err **err) {
        _cleanup_(ctx_freep) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
        int64_t until = INT64_MAX;
        STACK_OF(X509) * chain;
        X509_VERIFY_PARAM *param;

        if (!ctx || X509_STORE_CTX_init(ctx, store, certificate, others) != 1)
                return -ENOMEM;
        param = X509_STORE_CTX_get0_param(ctx);
        if (now == X509_ANY_TIME)
                X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME);
        else
                X509_VERIFY_PARAM_set_time(param, (time_t)now);
        X509_VERIFY_PARAM_set_depth(param, X509_CHAIN_MAX);
        X509_VERIFY_PARAM_set_auth_level(param, 1); /* no SHA-1, no RSA below 1024 bits */
        if (X509_verify_cert(ctx) != 1) {
                int error = X509_STORE_CTX_get_error(ctx);

                refuse(err, certificate, X509_verify_cert_error_string(error));
                return is_of_time(error) ? -EKEYEXPIRED : -EACCES;
        }
        chain = X509_STORE_CTX_get0_chain(ctx);
        for (int i = 0; i < sk_X509_num(chain); i++) {
                struct tm tm;

                if (!is_for_clients(sk_X509_value(chain, i)))
                        return refuse(err, certificate, "it is not for clients (extendedKeyUsage)");
                if (ASN1_TIME_to_tm(X509_get0_notAfter(sk_X509_value(chain, i)), &tm) == 1 && timegm(&tm) < until)
                        until = timegm(&tm);
        }
        *ret_until = until;
        return 0;
}

/* @entry's value as UTF-8; NULL for one with a NUL in it, and without memory. */
static const char *text_of(struct arena *arena, X509_NAME_ENTRY *entry) {
        unsigned char *utf8 = NULL;
        int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
        const char *text = NULL;

        if (size >= 0 && !memchr(utf8, '\0', (size_t)size))
                text = arena_strndup(arena, (const char *)utf8, (size_t)size);
        OPENSSL_free(utf8);
        ERR_clear_error();
        return text;
}

static bool add_entry(struct arena *arena, X509_NAME_ENTRY *entry, struct x509_subject *s) {
        const ASN1_OBJECT *object = X509_NAME_ENTRY_get_object(entry);
        const char *text = text_of(arena, entry);
        char oid[64] = "";

        if (!text)
                return false;
        switch (OBJ_obj2nid(object)) {
        case NID_commonName: /* of several the last, as Go reads names */
                s->name = text;
                return true;
        case NID_organizationName:
                if (s->n_organizations == X509_ORGANIZATIONS_MAX)
                        return false;
                s->organizations[s->n_organizations++] = text;
                return true;
        default:
                OBJ_obj2txt(oid, sizeof(oid), object, 1);
                if (strcmp(oid, X509_USER_UID) != 0)
                        return true;
                if (s->uid)
                        return false;
                s->uid = text;
                return true;
        }
}

static bool set_credential(X509 *certificate, char text[X509_CREDENTIAL_SIZE]) {
        uint8_t digest[SHA256_DIGEST_LENGTH];
        char *at = text + sprintf(text, "X509SHA256=");

        if (X509_digest(certificate, EVP_sha256(), digest, NULL) != 1)
                return false;
        for (unsigned i = 0; i < sizeof(digest); i++)
                at += sprintf(at, "%02x", digest[i]);
        return true;
}

int x509_subject_read(struct arena *arena, X509 *certificate, struct x509_subject *ret_subject, struct err **err) {
        X509_NAME *name = X509_get_subject_name(certificate);

        *ret_subject = (struct x509_subject){ 0 };
        for (int i = 0; i < X509_NAME_entry_count(name); i++)
                if (!add_entry(arena, X509_NAME_get_entry(name, i), ret_subject))
                        return refuse(err, certificate, "its subject is not text");
        return set_credential(certificate, ret_subject->credential) ? 0 : -ENOMEM;
}
