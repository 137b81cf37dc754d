/* The authenticator, for the files of it: authenticate.c, certificate.c, account_token.c, bootstrap.c. */
#pragma once

#include <pthread.h>
#include <stdint.h>

#include "api/auth/authenticate.h"

struct x509_store_st;

#define AUTH_LEEWAY ((int64_t)60) /* between clocks, and after a deletion (as kube-apiserver) */

#define AUTH_DIGEST_SIZE 32
#define AUTH_SIGNED_MAX 1024 /* tokens that are remembered */

struct auth_authenticator {
        struct arena *arena; /* of the texts */
        struct auth_keys *keys;
        enum auth_anonymous anonymous;
        struct auth_objects objects;
        const char *issuer;
        string_list audiences;
        bool bootstrap;
        pthread_rwlock_t lock; /* of what follows */
        struct x509_store_st *authorities;
        uint64_t generation;
        uint8_t verified[AUTH_SIGNED_MAX][AUTH_DIGEST_SIZE]; /* of tokens, each in the slot of its first bytes */
};

/* As auth_jwt_verify() for @token, which @jwt was read from; the second time at a fraction of the cost. */
struct auth_jwt;
int auth_check_signature(struct auth_authenticator *authenticator, const char *token, const struct auth_jwt *jwt,
                         struct err **err);

/* What each says of a token: 0; -ENODATA: it is none of mine; -EACCES: it is wrong; -ENOMEM. Of the
 * bearer's audiences, which are some here, the identity gets what it has. */
int auth_account_token(struct auth_authenticator *authenticator, const struct auth_bearer *bearer, int64_t now,
                       struct arena *arena, struct auth_identity *ret_identity, struct err **err);
/* One of the old kind (api/auth/legacy.h), which was read as the jwt. */
#define AUTH_LEGACY_ISSUER "kubernetes/serviceaccount"
struct auth_shown {
        const struct auth_bearer *bearer;
        const struct auth_jwt *jwt;
        int64_t now;
};
int auth_legacy_token(struct auth_authenticator *authenticator, const struct auth_shown *shown, struct arena *arena,
                      struct auth_identity *ret_identity, struct err **err);
int auth_bootstrap_token(const struct auth_authenticator *authenticator, const struct auth_bearer *bearer, int64_t now,
                         struct arena *arena, struct auth_identity *ret_identity, struct err **err);

/* renewing.c: @identity is a certificate's that ended at @ends, or is not valid yet. It becomes that of a node which
 * may ask for another one: 0; -EACCES: it is no node, or one that is not known any more; -ENOMEM. */
int auth_renewing_become(const struct auth_authenticator *authenticator, int64_t ends, struct arena *arena,
                         struct auth_identity *identity);

/* Those of @a that are in @b. -ENOMEM or 0. */
int auth_intersect(struct arena *arena, const string_list *a, const string_list *b, string_list *ret_both);
