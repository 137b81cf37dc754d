/* Bootstrap tokens: ID.SECRET, kept in the Secret bootstrap-token-ID of kube-system, with which a node joins. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "api/auth/internal.h"
#include "api/auth/text.h"
#include "kube/core_v1.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/texts.h"

#define ID_SIZE 6
#define SECRET_SIZE 16
#define LETTERS "abcdefghijklmnopqrstuvwxyz0123456789"
#define GROUP_PREFIX AUTH_GROUP_BOOTSTRAPPERS ":"
#define GROUP_MAX 255 /* of the characters between the prefix and the last */
#define GROUPS_MAX 64

static bool is_token(const char *token) {
        return strlen(token) == ID_SIZE + 1 + SECRET_SIZE && strspn(token, LETTERS) == ID_SIZE &&
               token[ID_SIZE] == '.' && strspn(token + ID_SIZE + 1, LETTERS) == SECRET_SIZE;
}

static const struct kube_bytes *datum(const struct kube_secret *secret, const char *key) {
        list_for_each (entry, &secret->data) {
                if (strcmp(entry->key, key) == 0)
                        return &entry->value;
        }
        return NULL;
}

static bool datum_is(const struct kube_secret *secret, const char *key, const char *text, size_t size) {
        const struct kube_bytes *value = datum(secret, key);

        /* The time that this takes tells nothing of where they differ. */
        return value && value->length == size && CRYPTO_memcmp(value->data, text, size) == 0;
}

/* One that cannot be read counts as over. */
static bool is_expired(const struct kube_secret *secret, int64_t now, int64_t *ret_until) {
        const struct kube_bytes *value = datum(secret, "expiration");
        struct kube_time time;

        *ret_until = INT64_MAX;
        if (!value || value->length == 0)
                return false;
        if (!kube_time_parse((const char *)value->data, value->length, false, &time) || time.seconds < now)
                return true;
        *ret_until = time.seconds;
        return false;
}

static bool is_group(const char *text) {
        size_t n = strlen(GROUP_PREFIX), size = strlen(text);

        if (strncmp(text, GROUP_PREFIX, n) != 0 || size == n || size > n + GROUP_MAX + 1)
                return false;
        return text[n + strspn(text + n, LETTERS ":-")] == '\0' && strchr(LETTERS, text[size - 1]);
}

static int add_groups(struct arena *arena, const struct kube_secret *secret, struct auth_user *user, struct err **err) {
        const struct kube_bytes *value = datum(secret, "auth-extra-groups");
        char *rest = value && value->data ? arena_strndup(arena, (const char *)value->data, value->length) : NULL;
        int r = auth_user_add_group(arena, user, AUTH_GROUP_BOOTSTRAPPERS);

        if (r < 0)
                return r;
        if (value && value->data && (!rest || strlen(rest) != value->length))
                return rest ? err_set(err, EACCES, "bootstrap token: auth-extra-groups is not text") : -ENOMEM;
        for (unsigned n = 0; rest && rest[0];) {
                const char *group = strsep(&rest, ",");

                if (!is_group(group) || ++n > GROUPS_MAX)
                        return err_set(err, EACCES, "bootstrap token: \"%s\" in auth-extra-groups is no group for it",
                                       group);
                if ((r = auth_user_add_group(arena, user, group)) < 0)
                        return r;
        }
        qsort(user->groups.items, user->groups.count, sizeof(*user->groups.items), texts_order);
        return 0;
}

static int find_secret(const struct auth_authenticator *a, const char *token, struct arena *arena,
                       const struct kube_secret **ret_secret) {
        const char *name = arena_printf(arena, "bootstrap-token-%.*s", ID_SIZE, token);
        struct auth_object object = { 0 };
        int r = name ? a->objects.find(a->objects.data, arena, "secrets", "kube-system", name, &object) : -ENOMEM;

        if (r == -ENOMEM)
                return r;
        if (r < 0 || object.deleted || !object.secret)
                return -ENODATA;
        *ret_secret = object.secret;
        return 0;
}

static bool is_right(const struct kube_secret *secret, const char *token) {
        return secret->type && strcmp(secret->type, "bootstrap.kubernetes.io/token") == 0 &&
               datum_is(secret, "token-secret", token + ID_SIZE + 1, SECRET_SIZE) &&
               datum_is(secret, "token-id", token, ID_SIZE) &&
               datum_is(secret, "usage-bootstrap-authentication", "true", strlen("true"));
}

int auth_bootstrap_token(const struct auth_authenticator *a, const struct auth_bearer *bearer, int64_t now,
                         struct arena *arena, struct auth_identity *ret_identity, struct err **err) {
        const char *token = bearer->token;
        struct auth_identity identity = { 0 };
        const struct kube_secret *secret;
        int r;

        if (!a->bootstrap || !is_token(token))
                return -ENODATA;
        r = find_secret(a, token, arena, &secret);
        if (r < 0)
                return r;
        if (!is_right(secret, token) || is_expired(secret, now, &identity.valid_until))
                return -ENODATA;
        r = auth_intersect(arena, &a->audiences, &bearer->audiences, &identity.audiences);
        if (r < 0)
                return r;
        if (identity.audiences.count == 0)
                return -ENODATA;
        identity.user.name = arena_printf(arena, "system:bootstrap:%.*s", ID_SIZE, token);
        if (!identity.user.name)
                return -ENOMEM;
        r = add_groups(arena, secret, &identity.user, err);
        if (r >= 0)
                *ret_identity = identity;
        return r;
}
