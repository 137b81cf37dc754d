#include "api/auth/authenticate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/x509_vfy.h>

#include "api/auth/internal.h"
#include "api/auth/keys.h"
#include "api/auth/text.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/stream/bearer.h"
#include "lib/texts.h"

static int copy_config(struct auth_authenticator *a, const struct auth_config *config) {
        const char *audiences[] = { config->issuer, NULL };
        string_list list;
        int r = auth_list_of(a->arena, config->audiences ?: audiences, &list);

        if (r >= 0)
                r = auth_list_copy(a->arena, &list, &a->audiences);
        a->issuer = arena_strdup(a->arena, config->issuer ?: "");
        return r < 0 || !a->issuer ? -ENOMEM : 0;
}

int auth_authenticator_new(const struct auth_config *config, struct auth_authenticator **ret, struct err **err) {
        struct auth_authenticator *a = calloc(1, sizeof(*a));
        int r;

        if (!a)
                return -ENOMEM;
        pthread_rwlock_init(&a->lock, NULL);
        a->arena = arena_new();
        a->anonymous = config->anonymous;
        a->objects = config->objects;
        a->bootstrap = config->bootstrap;
        a->keys = config->keys ? auth_keys_ref(config->keys) : NULL;
        if ((r = a->arena ? copy_config(a, config) : -ENOMEM) < 0 ||
            (config->authorities && (r = auth_authenticator_trust(a, config->authorities, err)) < 0)) {
                auth_authenticator_free(a);
                return r;
        }
        *ret = a;
        return 0;
}

struct auth_authenticator *auth_authenticator_free(struct auth_authenticator *a) {
        if (!a)
                return NULL;
        X509_STORE_free(a->authorities);
        auth_keys_unref(a->keys);
        arena_free(a->arena);
        pthread_rwlock_destroy(&a->lock);
        free(a);
        return NULL;
}

uint64_t auth_generation(const struct auth_authenticator *a) {
        return __atomic_load_n(&a->generation, __ATOMIC_ACQUIRE);
}

int auth_intersect(struct arena *arena, const string_list *a, const string_list *b, string_list *ret_both) {
        string_list both = { .items = arena_alloc_array(arena, b->count + 1, sizeof(*both.items)) };
        const char **sorted = arena_alloc_array(arena, a->count + 1, sizeof(*sorted));

        if (!both.items || !sorted)
                return -ENOMEM;
        if (a->count > 0) {
                memcpy(sorted, a->items, a->count * sizeof(*sorted));
                qsort(sorted, a->count, sizeof(*sorted), texts_order);
        }
        list_for_each (text, b)
                if (a->count > 0 && bsearch(text, sorted, a->count, sizeof(*sorted), texts_order))
                        both.items[both.count++] = *text;
        *ret_both = both;
        return 0;
}

int auth_token(struct auth_authenticator *a, const struct auth_bearer *bearer, int64_t now, struct arena *arena,
               struct auth_identity *ret_identity, struct err **err) {
        const struct auth_bearer wanted = { bearer->token,
                                            bearer->audiences.count > 0 ? bearer->audiences : a->audiences };
        int r;

        if (strnlen(bearer->token, AUTH_TOKEN_MAX + 1) > AUTH_TOKEN_MAX)
                return err_set(err, EACCES, "the token has more than %zu bytes", AUTH_TOKEN_MAX);
        r = auth_account_token(a, &wanted, now, arena, ret_identity, err);
        if (r == -ENODATA)
                r = auth_bootstrap_token(a, &wanted, now, arena, ret_identity, err);
        if (r == -ENODATA)
                return err_set(err, EACCES, "invalid bearer token");
        return r < 0 ? r : auth_user_add_group(arena, &ret_identity->user, AUTH_GROUP_AUTHENTICATED);
}

/* "Bearer TOKEN", the word in any case; NULL: the header is another's. */
static const char *bearer_of(struct arena *arena, const char *header) {
        header += strspn(header, " \t");
        if (strncasecmp(header, "bearer ", 7) != 0)
                return NULL;
        header += 7;
        return arena_strndup(arena, header, strcspn(header, " "));
}

/* How a cluster is told by who joins it, and has no credential that he could send before (kubeadm's discovery). */
#define CLUSTER_INFO "/api/v1/namespaces/kube-public/configmaps/cluster-info"

/* The health of the service is nobody's secret: who looks has no credential. */
static bool is_public(const char *path) {
        static const char *const paths[] = { "/healthz", "/livez", "/readyz" };

        for (unsigned i = 0; i < ELEMENTS(paths); i++) {
                size_t n = strlen(paths[i]);

                if (strncmp(path, paths[i], n) == 0 && (!path[n] || path[n] == '/'))
                        return !strstr(path, "..");
        }
        return strcmp(path, CLUSTER_INFO) == 0;
}

static int be_anonymous(const struct auth_authenticator *a, const char *path, struct arena *arena,
                        struct auth_identity *ret_identity, struct err **err) {
        struct auth_identity identity = { .anonymous = true, .valid_until = INT64_MAX };

        if (a->anonymous == AUTH_ANONYMOUS_NEVER || (a->anonymous == AUTH_ANONYMOUS_PUBLIC && !is_public(path)))
                return err_set(err, EACCES, "there is neither a client certificate nor a token");
        identity.user.name = AUTH_USER_ANONYMOUS;
        identity.audiences = a->audiences;
        if (auth_user_add_group(arena, &identity.user, AUTH_GROUP_UNAUTHENTICATED) < 0)
                return -ENOMEM;
        *ret_identity = identity;
        return 0;
}

static int by_header(struct auth_authenticator *a, const struct auth_credentials *c, int64_t now, struct arena *arena,
                     struct auth_identity *ret_identity, struct err **err) {
        const char *token = c->authorization ? bearer_of(arena, c->authorization) : NULL;

        return token && *token ? auth_token(a, &(struct auth_bearer){ .token = token }, now, arena, ret_identity, err) :
                                 -ENODATA;
}

static int by_protocol(struct auth_authenticator *a, const struct auth_credentials *c, int64_t now, struct arena *arena,
                       struct auth_identity *ret_identity, struct err **err) {
        const char *token;
        int r = c->request ? websocket_bearer(c->request, arena, &token, err) : -ENODATA;

        return r < 0 ? r : auth_token(a, &(struct auth_bearer){ .token = token }, now, arena, ret_identity, err);
}

int auth_authenticate(struct auth_authenticator *a, const struct auth_credentials *c, int64_t now, struct arena *arena,
                      struct auth_identity *ret_identity, struct err **err) {
        static int (*const ways[])(struct auth_authenticator * a, const struct auth_credentials *c, int64_t now,
                                   struct arena *arena, struct auth_identity *ret_identity,
                                   struct err **err) = { auth_certificate, by_header, by_protocol };
        _cleanup_err_ struct err *wrong = NULL;
        int refused = -ENODATA;

        for (size_t i = 0; i < ELEMENTS(ways); i++) {
                _cleanup_err_ struct err *why = NULL;
                int r = ways[i](a, c, now, arena, ret_identity, &why);

                if (r == 0 || r == -ENOMEM)
                        return r;
                if (r == -ENODATA)
                        continue;
                refused = r; /* what the last one says may be why it cannot be read */
                err_free(wrong);
                wrong = TAKE_PTR(why);
        }
        if (refused != -ENODATA) {
                err_move(err, TAKE_PTR(wrong));
                return refused;
        }
        return be_anonymous(a, c->path, arena, ret_identity, err);
}
