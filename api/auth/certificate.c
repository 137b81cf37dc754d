#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "api/auth/internal.h"
#include "api/auth/text.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/openssl.h"

#define PEM_MAX ((size_t)1 << 20)
#define CHAIN_MAX 8
#define USER_UID "1.3.6.1.4.1.57683.2" /* a user's uid in a subject (KEP-4828) */

static void store_freep(X509_STORE **store) {
        X509_STORE_free(*store);
}

static void ctx_freep(X509_STORE_CTX **ctx) {
        X509_STORE_CTX_free(*ctx);
}

/* As in Go any authority that is trusted ends a chain, also one that another has signed. */
static int read_authorities(const char *pem, X509_STORE **ret_store, struct err **err) {
        _cleanup_(store_freep) X509_STORE *store = X509_STORE_new();
        _cleanup_bio_ BIO *bio = BIO_new_mem_buf(pem, (int)strnlen(pem, PEM_MAX));
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

int auth_authenticator_trust(struct auth_authenticator *a, const char *authorities, struct err **err) {
        _cleanup_(store_freep) X509_STORE *store = NULL;
        X509_STORE *old;
        int r = read_authorities(authorities, &store, err);

        if (r < 0)
                return r;
        pthread_rwlock_wrlock(&a->lock);
        old = a->authorities;
        a->authorities = TAKE_PTR(store);
        a->generation++;
        pthread_rwlock_unlock(&a->lock);
        X509_STORE_free(old);
        return 0;
}

static X509_STORE *take_authorities(struct auth_authenticator *a) {
        X509_STORE *store;

        pthread_rwlock_rdlock(&a->lock);
        store = a->authorities;
        if (store)
                X509_STORE_up_ref(store);
        pthread_rwlock_unlock(&a->lock);
        return store;
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

/* What @certificate was found to be. */
struct verdict {
        int64_t until; /* when the first of its chain ends */
        bool untimely; /* it is right but for the time */
};

static bool is_of_time(int error) {
        return error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID;
}

/* When the first of @chain ends; -EACCES: one of them is not for clients. */
static int look_at_chain(STACK_OF(X509) * chain, int64_t *ret_until) {
        int64_t until = INT64_MAX;

        for (int i = 0; i < sk_X509_num(chain); i++) {
                struct tm tm;

                if (!is_for_clients(sk_X509_value(chain, i)))
                        return -EACCES;
                if (ASN1_TIME_to_tm(X509_get0_notAfter(sk_X509_value(chain, i)), &tm) == 1 && timegm(&tm) < until)
                        until = timegm(&tm);
        }
        *ret_until = until;
        return 0;
}

/* At any time where @now is negative. */
static int verify(X509_STORE *store, const struct auth_credentials *c, int64_t now, struct verdict *ret,
                  struct err **err) {
        _cleanup_(ctx_freep) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
        X509_VERIFY_PARAM *param;

        if (!ctx || X509_STORE_CTX_init(ctx, store, c->certificate, c->chain) != 1)
                return -ENOMEM;
        param = X509_STORE_CTX_get0_param(ctx);
        if (now >= 0)
                X509_VERIFY_PARAM_set_time(param, (time_t)now);
        else
                X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME);
        X509_VERIFY_PARAM_set_depth(param, CHAIN_MAX);
        X509_VERIFY_PARAM_set_auth_level(param, 1); /* no SHA-1, no RSA below 1024 bits */
        if (X509_verify_cert(ctx) != 1) {
                ret->untimely = is_of_time(X509_STORE_CTX_get_error(ctx));
                return refuse(err, c->certificate, X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
        }
        if (look_at_chain(X509_STORE_CTX_get0_chain(ctx), &ret->until) < 0)
                return refuse(err, c->certificate, "it is not for clients (extendedKeyUsage)");
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

static int add_entry(struct arena *arena, X509_NAME_ENTRY *entry, struct auth_user *user) {
        const ASN1_OBJECT *object = X509_NAME_ENTRY_get_object(entry);
        const char *text = text_of(arena, entry);
        char oid[64] = "";

        if (!text)
                return -EINVAL;
        switch (OBJ_obj2nid(object)) {
        case NID_commonName: /* of several the last, as Go reads names */
                user->name = text;
                return 0;
        case NID_organizationName:
                return auth_list_add(arena, &user->groups, text);
        default:
                OBJ_obj2txt(oid, sizeof(oid), object, 1);
                if (strcmp(oid, USER_UID) != 0)
                        return 0;
                if (user->uid)
                        return -EINVAL;
                user->uid = text;
                return 0;
        }
}

static int add_credential(struct arena *arena, X509 *certificate, struct auth_user *user) {
        char id[sizeof("X509SHA256=") + 2 * SHA256_DIGEST_LENGTH] = "X509SHA256=";
        uint8_t digest[SHA256_DIGEST_LENGTH];
        char *at = id + strlen(id);

        if (X509_digest(certificate, EVP_sha256(), digest, NULL) != 1)
                return -ENOMEM;
        for (unsigned i = 0; i < sizeof(digest); i++)
                at += sprintf(at, "%02x", digest[i]);
        return auth_user_add_extra(arena, user, AUTH_EXTRA_CREDENTIAL, id);
}

static int read_subject(X509 *certificate, struct arena *arena, struct auth_user *user, struct err **err) {
        X509_NAME *subject = X509_get_subject_name(certificate);

        for (int i = 0; i < X509_NAME_entry_count(subject); i++) {
                int r = add_entry(arena, X509_NAME_get_entry(subject, i), user);

                if (r < 0)
                        return r == -ENOMEM ? r : refuse(err, certificate, "its subject is not text");
        }
        return user->name && user->name[0] ? 0 : -ENODATA;
}

/* One that is right at another time is a node's that has been away (renewing.c), or wrong: @ret_identity, and 0 or
 * -EACCES. */
static int renew(struct auth_authenticator *a, X509_STORE *store, const struct auth_credentials *c, struct arena *arena,
                 struct auth_identity *identity) {
        struct verdict verdict = { 0 };
        struct tm tm;
        int r = verify(store, c, -1, &verdict, NULL);

        if (r == 0)
                r = read_subject(c->certificate, arena, &identity->user, NULL);
        if (r == 0 && ASN1_TIME_to_tm(X509_get0_notAfter(c->certificate), &tm) != 1)
                r = -EACCES;
        if (r == 0)
                r = auth_renewing_become(a, timegm(&tm), arena, identity);
        return r == -ENODATA ? -EACCES : r;
}

int auth_certificate(struct auth_authenticator *a, const struct auth_credentials *credentials, int64_t now,
                     struct arena *arena, struct auth_identity *ret_identity, struct err **err) {
        _cleanup_(store_freep) X509_STORE *store = take_authorities(a);
        struct auth_identity identity = { 0 };
        _cleanup_err_ struct err *why = NULL;
        struct verdict verdict = { 0 };
        int r;

        if (!credentials->certificate || !store)
                return -ENODATA;
        r = verify(store, credentials, now, &verdict, &why);
        if (r == 0) {
                identity.valid_until = verdict.until;
                r = read_subject(credentials->certificate, arena, &identity.user, &why);
        } else if (verdict.untimely) {
                r = renew(a, store, credentials, arena, &identity);
        }
        if (r < 0)
                return why && r == -EACCES ? err_move(err, TAKE_PTR(why)) : r;
        r = add_credential(arena, credentials->certificate, &identity.user);
        if (r >= 0)
                r = auth_user_add_group(arena, &identity.user, AUTH_GROUP_AUTHENTICATED);
        if (r >= 0)
                *ret_identity = identity;
        return r;
}
