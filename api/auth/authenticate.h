/* Who asks, from what a request brings: a client's certificate, a bearer token (of a service account, of a bootstrap
 * Secret) in a header or among a WebSocket's protocols, or nothing.
 *
 * As kube-apiserver's union: certificate, then tokens; the first that knows the user wins. Where none does and one
 * found its credential wrong, the request is refused (401, "Unauthorized"), and it is anonymous only where none was
 * brought.
 *
 * An authenticator is shared by the loops; what rotates (authorities, keys) is swapped below a lock, and no call blocks
 * on anything else. Times are seconds since 1970 as the caller's wall clock has them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/auth/user.h"

struct arena;
struct auth_authenticator;
struct auth_keys;
struct err;
struct http_request;
struct kube_secret;
struct stack_st_X509;
struct value;
struct x509_st;

#define AUTH_TOKEN_MAX ((size_t)64 << 10) /* bytes of a bearer token */

/* What a token's validity hangs on. */
struct auth_object {
        const char *uid;
        int64_t created;                  /* metadata.creationTimestamp */
        int64_t deleted;                  /* metadata.deletionTimestamp; 0: none */
        const struct kube_secret *secret; /* of secrets: with its type and data */
        const char *node;                 /* of pods: spec.nodeName; NULL or "": none */
        const char *account;              /* of pods: spec.serviceAccountName */
        const struct value *secrets;      /* of service accounts: the references to secrets */
};

/* How the service is asked for an object: @resource is serviceaccounts, pods, nodes or secrets; @namespace "" for
 * nodes. From the state that is committed, on any thread, without blocking. 0, -ENOENT, -ENOMEM. */
struct auth_objects {
        int (*find)(void *data, struct arena *arena, const char *resource, const char *namespace, const char *name,
                    struct auth_object *ret_object);
        /* NULL, or has the Secret's label AUTH_LEGACY_USED (api/auth/legacy.h) say @date soon, as long as it has @uid:
         * from any thread, without blocking. What fails is logged. */
        void (*used)(void *data, struct arena *arena, const char *namespace, const char *name, const char *uid,
                     const char *date);
        void *data;
};

enum auth_anonymous {
        AUTH_ANONYMOUS_PUBLIC, /* /healthz, /livez, /readyz and what is below them, and cluster-info: the default */
        AUTH_ANONYMOUS_NEVER,
        AUTH_ANONYMOUS_ALWAYS,
};

struct auth_config {
        const char *authorities; /* PEM: who signs clients' certificates; NULL: none counts */
        enum auth_anonymous anonymous;
        struct auth_objects objects;
        const char *issuer;           /* of service account tokens, also that which tokens are issued with */
        const char *const *audiences; /* of the API itself, ends with NULL; NULL: the issuer */
        struct auth_keys *keys; /* service account keys (api/auth/keys.h); a reference is taken; NULL: no tokens */
        bool bootstrap;         /* bootstrap tokens (--enable-bootstrap-token-auth) */
};

/* What a request brings. A connection's certificate is checked once for it: keep what auth_certificate() gave with the
 * connection, and ask anew when valid_until has passed or auth_generation() has changed. */
struct auth_credentials {
        struct x509_st *certificate; /* NULL: none, or its user is in @of_certificate */
        struct stack_st_X509 *chain; /* what came with it; NULL: none */
        const char *authorization;   /* the header; NULL: none */
        const struct http_request
                *request; /* which may bring a token as a WebSocket's protocol; NULL: it brings none */
        const char *path;
};

/* A bearer token, and whom it is to be for: one of @audiences; where that is empty, the API itself. */
struct auth_bearer {
        const char *token;
        string_list audiences;
};

struct auth_identity {
        struct auth_user user;
        bool anonymous;
        int64_t valid_until;   /* the credential's end, where it has one; INT64_MAX */
        string_list audiences; /* of a token, those that were asked for; NULL items: of no token */
        const char *warning;   /* for who shows the credential; NULL: none */
        string_map notes;      /* annotations for the audit */
};

int auth_authenticator_new(const struct auth_config *config, struct auth_authenticator **ret_authenticator,
                           struct err **err);
struct auth_authenticator *auth_authenticator_free(struct auth_authenticator *authenticator);

/* Other authorities from now on; several may be in the text, so that clients of an old one go on. */
int auth_authenticator_trust(struct auth_authenticator *authenticator, const char *authorities, struct err **err);

/* Changes with what has been trusted. */
uint64_t auth_generation(const struct auth_authenticator *authenticator);

/* 0; -EACCES: 401, *err says why for the log, not for the client; -ENOMEM. The identity is in @arena. */
int auth_authenticate(struct auth_authenticator *authenticator, const struct auth_credentials *credentials, int64_t now,
                      struct arena *arena, struct auth_identity *ret_identity, struct err **err);

/* The parts: the certificate of @credentials alone, and a token. 0; -ENODATA: no credential of that kind; -EACCES: a
 * wrong one. */
int auth_certificate(struct auth_authenticator *authenticator, const struct auth_credentials *credentials, int64_t now,
                     struct arena *arena, struct auth_identity *ret_identity, struct err **err);
int auth_token(struct auth_authenticator *authenticator, const struct auth_bearer *bearer, int64_t now,
               struct arena *arena, struct auth_identity *ret_identity, struct err **err);
