#include <errno.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "api/pki/csr.h"
#include "api/pki/internal.h"
#include "lib/arena.h"
#include "lib/openssl.h"
#include "lib/x509.h"

#define BACKDATE ((int64_t)300)
#define SHORT ((int64_t)8 * 3600) /* what is valid for less is so from now on, and not from BACKDATE */

/* "client auth" as OpenSSL's configuration has it: the keyUsage or the extendedKeyUsage of it. */
static const struct usage {
        const char *name, *key, *extended;
} usages[] = {
        { "digital signature", "digitalSignature", NULL },
        { "key encipherment", "keyEncipherment", NULL },
        { "client auth", NULL, "clientAuth" },
        { "server auth", NULL, "serverAuth" },
};

static const char *join(struct arena *arena, const string_list *wanted, bool extended, const char *first) {
        struct arena_text text = { .arena = arena };

        arena_text_add(&text, "%s", first);
        list_for_each (name, wanted) {
                for (unsigned i = 0; i < ELEMENTS(usages); i++) {
                        const char *word = extended ? usages[i].extended : usages[i].key;

                        if (word && strcmp(*name, usages[i].name) == 0)
                                arena_text_add(&text, "%s%s", text.length > 0 ? "," : "", word);
                }
        }
        return arena_text_of(&text);
}

static int add_usages(struct arena *arena, X509 *certificate, X509 *issuer, const string_list *wanted,
                      struct err **err) {
        const char *key = join(arena, wanted, false, "critical"), *extended = join(arena, wanted, true, "");
        int r;

        if (!key || !extended)
                return -ENOMEM;
        if ((strchr(key, ',') && (r = pki_extend(certificate, issuer, NID_key_usage, key, err)) < 0) ||
            (extended[0] && (r = pki_extend(certificate, issuer, NID_ext_key_usage, extended, err)) < 0) ||
            (r = pki_extend(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE", err)) < 0)
                return r;
        return pki_extend(certificate, issuer, NID_authority_key_identifier, "keyid:always", err);
}

/* Of what the request would have in its certificate its names alone: never a basicConstraints. */
static int copy_names(X509 *certificate, X509_REQ *request, struct err **err) {
        _cleanup_extensions_ STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
        int at = X509v3_get_ext_by_NID(extensions, NID_subject_alt_name, -1);

        if (at >= 0 && X509_add_ext(certificate, X509v3_get_ext(extensions, at), -1) != 1)
                return pki_failed(err, "copy a request's names");
        return 0;
}

static void name_freep(X509_NAME **name) {
        X509_NAME_free(*name);
}

static void object_freep(ASN1_OBJECT **object) {
        ASN1_OBJECT_free(*object);
}

/* The request's, with @uid in the place of any that it would have. */
static int set_subject(X509 *certificate, X509_REQ *request, const char *uid, struct err **err) {
        _cleanup_(name_freep) X509_NAME *name = X509_NAME_dup(X509_REQ_get_subject_name(request));
        _cleanup_(object_freep) ASN1_OBJECT *type = OBJ_txt2obj(X509_USER_UID, 1);
        int at;

        if (!name || !type)
                return -ENOMEM;
        while (uid && (at = X509_NAME_get_index_by_OBJ(name, type, -1)) >= 0)
                X509_NAME_ENTRY_free(X509_NAME_delete_entry(name, at));
        if ((uid &&
             X509_NAME_add_entry_by_OBJ(name, type, MBSTRING_UTF8, (const unsigned char *)uid, -1, -1, 0) != 1) ||
            X509_set_subject_name(certificate, name) != 1)
                return pki_failed(err, "name a certificate");
        return 0;
}

static int64_t ends_at(const struct pki *pki, const struct pki_csr_spec *spec, int64_t now) {
        int64_t seconds = PKI_CSR_SECONDS, last = pki_certificate_ends(pki_authority(pki)), ends;

        if (spec->seconds.set && spec->seconds.value < seconds)
                seconds = spec->seconds.value > PKI_CSR_SECONDS_MIN ? spec->seconds.value : PKI_CSR_SECONDS_MIN;
        ends = now + seconds - (seconds < SHORT ? 0 : BACKDATE);
        return ends < last ? ends : last;
}

static int make(const struct pki *pki, const struct pki_csr *csr, const struct pki_csr_spec *spec,
                X509 **ret_certificate, struct err **err) {
        const unsigned char *at = csr->der;
        _cleanup_request_ X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)csr->size);
        _cleanup_x509_ X509 *certificate = X509_new();
        X509 *issuer = pki_authority(pki);
        int r;

        if (!request)
                return pki_failed(err, "certificate request");
        if (!certificate)
                return -ENOMEM;
        r = pki_certificate_begin(certificate, X509_REQ_get0_pubkey(request), spec->now - BACKDATE,
                                  ends_at(pki, spec, spec->now), err);
        if (r < 0)
                return r;
        if ((r = set_subject(certificate, request, spec->uid, err)) < 0)
                return r;
        if (X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) != 1)
                return pki_failed(err, "name a certificate");
        if ((r = add_usages(csr->arena, certificate, issuer, &spec->usages, err)) < 0 ||
            (r = copy_names(certificate, request, err)) < 0)
                return r;
        if (X509_sign(certificate, pki_authority_key(pki), EVP_sha256()) == 0)
                return pki_failed(err, "sign a certificate");
        *ret_certificate = TAKE_PTR(certificate);
        return 0;
}

int pki_csr_sign(const struct pki *pki, const struct pki_csr *csr, const struct pki_csr_spec *spec,
                 const char **ret_pem, struct err **err) {
        _cleanup_x509_ X509 *certificate = NULL;
        _cleanup_free_ char *pem = NULL;
        int r = make(pki, csr, spec, &certificate, err);

        if (r < 0)
                return r;
        pem = pki_certificate_pem(certificate);
        *ret_pem = pem ? arena_strdup(csr->arena, pem) : NULL;
        return *ret_pem ? 0 : -ENOMEM;
}
