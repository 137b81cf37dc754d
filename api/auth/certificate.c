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
        return r < 0 ? r : auth_user_add_group(arena, user, AUTH_GROUP_AUTHENTICATED);
}

int auth_certificate(struct auth_authenticator *a, const struct auth_credentials *credentials, int64_t now,
                     struct arena *arena, struct auth_identity *ret_identity, struct err **err) {
        _cleanup_x509_authorities_ X509_STORE *store = take_authorities(a);
        struct auth_identity identity = { 0 };
        X509 *certificate = credentials->certificate;
        struct x509_subject subject;
        int r;

        if (!certificate || !store)
                return -ENODATA;
        if ((r = x509_check_client(store, certificate, credentials->chain, now, &identity.valid_until, err)) < 0 ||
            (r = x509_subject_read(arena, certificate, &subject, err)) < 0)
                return r;
        if (!subject.name || !subject.name[0])
                return -ENODATA;
        if ((r = make_user(arena, &subject, &identity.user)) < 0)
                return r;
        *ret_identity = identity;
        return 0;
}
