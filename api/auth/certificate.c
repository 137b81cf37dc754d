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
        int r = auth_user_add_extra(arena, user, AUTH_EXTRA_CREDENTIAL, subject->credential);

        user->name = subject->name;
        user->uid = subject->uid;
        for (size_t i = 0; r >= 0 && i < subject->n_organizations; i++)
                r = auth_list_add(arena, &user->groups, subject->organizations[i]);
        return r;
}

static int read_user(X509 *certificate, struct arena *arena, struct auth_user *ret_user, struct err **err) {
        struct x509_subject subject;
        int r;

        if ((r = x509_subject_read(arena, certificate, &subject, err)) < 0)
                return r;
        if (!subject.name || !subject.name[0])
                return -ENODATA;
        return make_user(arena, &subject, ret_user);
}

/* One that is right at another time is a node's that has been away (renewing.c), or wrong: @ret_identity, and 0 or
 * -EACCES. */
static int renew(struct auth_authenticator *a, X509_STORE *store, const struct auth_credentials *c, struct arena *arena,
                 struct auth_identity *ret_identity) {
        int64_t until;
        struct tm tm;
        int r = x509_check_client(store, c->certificate, c->chain, X509_ANY_TIME, &until, NULL);

        if (r < 0 || (r = read_user(c->certificate, arena, &ret_identity->user, NULL)) < 0)
                return r == -ENODATA ? -EACCES : r;
        if (ASN1_TIME_to_tm(X509_get0_notAfter(c->certificate), &tm) != 1)
                return -EACCES;
        r = auth_renewing_become(a, timegm(&tm), arena, ret_identity);
        return r == -ENODATA ? -EACCES : r;
}

int auth_certificate(struct auth_authenticator *a, const struct auth_credentials *credentials, int64_t now,
                     struct arena *arena, struct auth_identity *ret_identity, struct err **err) {
        _cleanup_x509_authorities_ X509_STORE *store = take_authorities(a);
        struct auth_identity identity = { 0 };
        _cleanup_err_ struct err *why = NULL;
        int r;

        if (!credentials->certificate || !store)
                return -ENODATA;
        r = x509_check_client(store, credentials->certificate, credentials->chain, now, &identity.valid_until, &why);
        if (r == 0)
                r = read_user(credentials->certificate, arena, &identity.user, &why);
        else if (r == -EKEYEXPIRED)
                r = renew(a, store, credentials, arena, &identity);
        if (r < 0)
                return why && r == -EACCES ? err_move(err, TAKE_PTR(why)) : r;
        if ((r = auth_user_add_group(arena, &identity.user, AUTH_GROUP_AUTHENTICATED)) < 0)
                return r;
        *ret_identity = identity;
        return 0;
}
