#include <errno.h>
#include <string.h>

#include <openssl/x509_vfy.h>

#include "api/auth/internal.h"
#include "api/auth/text.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/x509.h"

int auth_authenticator_trust(struct auth_authenticator *a, const char *authorities, struct err **err) {
        _cleanup_x509_authorities_ X509_STORE *store = NULL;
        X509_STORE *old;
        int r = x509_authorities_read(authorities, &store, err);

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

static int make_user(struct arena *arena, const struct x509_subject *subject, struct auth_user *user) {
        int r = 0;

        user->name = subject->name;
        user->uid = subject->uid;
        for (size_t i = 0; r >= 0 && i < subject->n_organizations; i++)
                r = auth_list_add(arena, &user->groups, subject->organizations[i]);
        return r;
}

static int64_t ends_at(X509 *certificate) {
        struct tm tm;

        return ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) == 1 ? (int64_t)timegm(&tm) : INT64_MIN;
}

/* 1: @c counts, but at another time (a node's may be renewed then: renewing.c). Else as x509_check_client(). */
static int check_time(X509_STORE *store, const struct auth_credentials *c, int64_t now, int64_t *ret_until,
                      struct err **err) {
        int64_t until;
        int r = x509_check_client(store, c->certificate, c->chain, now, ret_until, err);

        if (r != -EACCES || x509_check_client(store, c->certificate, c->chain, X509_ANY_TIME, &until, NULL) < 0)
                return r;
        return 1;
}

int auth_certificate(struct auth_authenticator *a, const struct auth_credentials *credentials, int64_t now,
                     struct arena *arena, struct auth_identity *ret_identity, struct err **err) {
        _cleanup_x509_authorities_ X509_STORE *store = take_authorities(a);
        struct auth_identity identity = { 0 };
        _cleanup_err_ struct err *why = NULL;
        X509 *certificate = credentials->certificate;
        struct x509_subject subject;
        int r, untimely;

        if (!certificate || !store)
                return -ENODATA;
        untimely = check_time(store, credentials, now, &identity.valid_until, &why);
        r = untimely < 0 ? untimely : x509_subject_read(arena, certificate, &subject, err);
        if (r == 0 && (!subject.name || !subject.name[0]))
                return -ENODATA;
        if (r == 0)
                r = make_user(arena, &subject, &identity.user);
        if (r == 0 && untimely)
                r = auth_renewing_become(a, ends_at(certificate), arena, &identity);
        if (r < 0)
                return why && r == -EACCES ? err_move(err, TAKE_PTR(why)) : r;
        if ((r = auth_user_add_extra(arena, &identity.user, AUTH_EXTRA_CREDENTIAL, subject.credential)) < 0 ||
            (r = auth_user_add_group(arena, &identity.user, AUTH_GROUP_AUTHENTICATED)) < 0)
                return r;
        *ret_identity = identity;
        return 0;
}
