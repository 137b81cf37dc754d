#include "api/auth/legacy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "api/auth/internal.h"
#include "api/auth/jwt.h"
#include "api/auth/text.h"
#include "kube/core_v1.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json_writer.h"
#include "lib/value.h"

#define CLAIM "kubernetes.io/serviceaccount/"
#define CLAIM_NAMESPACE CLAIM "namespace"
#define CLAIM_SECRET CLAIM "secret.name"
#define CLAIM_ACCOUNT CLAIM "service-account.name"
#define CLAIM_UID CLAIM "service-account.uid"
#define WARNING                                                                                                        \
        "Use tokens from the TokenRequest API or manually created secret-based tokens instead of auto-generated "      \
        "secret-based tokens."
#define DAY_S INT64_C(86400)

/* --- dates --- */

void auth_date_format(int64_t seconds, char ret_text[AUTH_DATE_SIZE]) {
        const struct kube_time time = { .seconds = seconds, .set = true };
        char text[KUBE_TIME_TEXT_MAX];

        kube_time_format(&time, false, text);
        memcpy(ret_text, text, AUTH_DATE_SIZE - 1);
        ret_text[AUTH_DATE_SIZE - 1] = '\0';
}

bool auth_date_parse(const char *text, int64_t *ret_seconds) {
        char at[KUBE_TIME_TEXT_MAX];
        struct kube_time time;
        int n = snprintf(at, sizeof(at), "%sT00:00:00Z", text);

        if (strlen(text) != AUTH_DATE_SIZE - 1 || !kube_time_parse(at, (size_t)n, false, &time))
                return false;
        *ret_seconds = time.seconds;
        return true;
}

/* --- tokens --- */

int auth_legacy_issue(struct arena *arena, const struct auth_keys *keys, const struct auth_legacy *legacy,
                      const char **ret_token) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *claims = NULL;
        const char *subject = arena_printf(arena, AUTH_ACCOUNT_PREFIX "%s:%s", legacy->namespace, legacy->account);
        int r;

        json_begin_map(&w);
        json_add_string(&w, "iss", AUTH_LEGACY_ISSUER);
        json_add_string(&w, CLAIM_NAMESPACE, legacy->namespace);
        json_add_string(&w, CLAIM_SECRET, legacy->secret);
        json_add_string(&w, CLAIM_ACCOUNT, legacy->account);
        json_add_string(&w, CLAIM_UID, legacy->uid);
        json_add_string(&w, "sub", subject);
        json_end_map(&w);
        r = subject ? json_writer_finish(&w, &claims, NULL) : -ENOMEM;
        return r ?: auth_jwt_sign(arena, keys, claims, ret_token, NULL);
}

static int refuse(struct err **err, const char *why) {
        return err_set(err, EACCES, "service account token: %s", why);
}

static int read_claims(struct arena *arena, const struct value *claims, struct auth_legacy *ret, struct err **err) {
        const char *subject = value_string_or(value_get(claims, "sub"), ""), *wanted;
        struct auth_legacy legacy = { value_string_or(value_get(claims, CLAIM_NAMESPACE), ""),
                                      value_string_or(value_get(claims, CLAIM_SECRET), ""),
                                      value_string_or(value_get(claims, CLAIM_ACCOUNT), ""),
                                      value_string_or(value_get(claims, CLAIM_UID), "") };

        if (!*legacy.namespace || !*legacy.secret || !*legacy.account || !*legacy.uid)
                return refuse(err, "a claim is missing");
        wanted = arena_printf(arena, AUTH_ACCOUNT_PREFIX "%s:%s", legacy.namespace, legacy.account);
        if (!wanted)
                return -ENOMEM;
        if (strcmp(subject, wanted) != 0)
                return refuse(err, "sub is not the service account");
        *ret = legacy;
        return 0;
}

/* What the token belongs to, which is not being deleted. -ENOENT, -ENOMEM. */
static int find(const struct auth_objects *objects, struct arena *arena, const char *resource, const char *namespace,
                const char *name, struct auth_object *ret_object) {
        int r = objects->find(objects->data, arena, resource, namespace, name, ret_object);

        return r == 0 && ret_object->deleted ? -ENOENT : r;
}

static int refuse_found(struct err **err, int error) {
        return error == -ENOMEM ? error : refuse(err, "what it belongs to is gone");
}

/* The Secret holds just this token. */
static bool holds(const struct kube_secret *secret, const char *token) {
        list_for_each (entry, &secret->data)
                if (strcmp(entry->key, "token") == 0)
                        return entry->value.length == strlen(token) &&
                               CRYPTO_memcmp(entry->value.data, token, entry->value.length) == 0;
        return false;
}

/* Once a day is enough; a clock of another server may be ahead. */
static void note_use(const struct auth_authenticator *a, const struct kube_object_meta *secret, int64_t now,
                     struct arena *arena) {
        const char *used = string_map_get(&secret->labels, AUTH_LEGACY_USED) ?: "";
        char today[AUTH_DATE_SIZE], tomorrow[AUTH_DATE_SIZE];

        auth_date_format(now, today);
        auth_date_format(now + DAY_S, tomorrow);
        if (a->objects.used && strcmp(used, today) != 0 && strcmp(used, tomorrow) != 0)
                a->objects.used(a->objects.data, arena, secret->namespace, secret->name, secret->uid, today);
}

/* The account names the Secret, as it did of those that were made by themselves. */
static bool is_automatic(const struct auth_object *account, const char *secret) {
        return value_item(account->secrets, "name", secret);
}

static int refuse_marked(struct err **err, const struct auth_legacy *legacy) {
        return err_set(err, EACCES,
                       "the token in secret %s/%s for service account %s/%s has been marked invalid. Use tokens from "
                       "the TokenRequest API or manually created secret-based tokens, or remove the '%s' label from "
                       "the secret to temporarily allow use of this token",
                       legacy->namespace, legacy->secret, legacy->namespace, legacy->account, AUTH_LEGACY_INVALID);
}

/* What the audit is told of one that counts. */
static int note_kind(struct arena *arena, const struct auth_legacy *legacy, struct auth_identity *identity) {
        const char *subject = arena_printf(arena, AUTH_ACCOUNT_PREFIX "%s:%s", legacy->namespace, legacy->account),
                   *kind = identity->warning ? "authentication.k8s.io/legacy-token-autogenerated-secret" :
                                               "authentication.k8s.io/legacy-token-manual-secret";
        struct string_pair *notes = arena_alloc_array(arena, 2, sizeof(*notes));

        if (!subject || !notes)
                return -ENOMEM;
        notes[0] = (struct string_pair){ "authentication.k8s.io/legacy-token", subject };
        notes[1] = (struct string_pair){ kind, legacy->secret };
        identity->notes.items = notes;
        identity->notes.count = 2;
        return 0;
}

/* The identity gets the warning of one that counts. */
static int check(const struct auth_authenticator *a, const struct auth_shown *shown, const struct auth_legacy *legacy,
                 struct arena *arena, struct auth_identity *identity, struct err **err) {
        struct auth_object secret = { 0 }, account = { 0 };
        const char *invalid;
        int r = find(&a->objects, arena, "secrets", legacy->namespace, legacy->secret, &secret);

        if (r < 0)
                return refuse_found(err, r);
        if (!secret.secret || !holds(secret.secret, shown->bearer->token))
                return refuse(err, "its Secret has another");
        r = find(&a->objects, arena, "serviceaccounts", legacy->namespace, legacy->account, &account);
        if (r < 0)
                return refuse_found(err, r);
        if (strcmp(account.uid ?: "", legacy->uid) != 0)
                return refuse(err, "the account is another now");
        note_use(a, &secret.secret->metadata, shown->now, arena);
        invalid = string_map_get(&secret.secret->metadata.labels, AUTH_LEGACY_INVALID);
        if (invalid && *invalid)
                return refuse_marked(err, legacy);
        if (is_automatic(&account, legacy->secret))
                identity->warning = WARNING;
        return note_kind(arena, legacy, identity);
}

static int make_user(struct arena *arena, const struct auth_legacy *legacy, struct auth_user *ret_user) {
        struct auth_user user = { .uid = legacy->uid };
        const char *group = arena_printf(arena, AUTH_GROUP_ACCOUNTS ":%s", legacy->namespace);
        int r;

        user.name = arena_printf(arena, AUTH_ACCOUNT_PREFIX "%s:%s", legacy->namespace, legacy->account);
        if (!user.name || !group)
                return -ENOMEM;
        r = auth_user_add_group(arena, &user, AUTH_GROUP_ACCOUNTS) ?: auth_user_add_group(arena, &user, group);
        if (r == 0)
                *ret_user = user;
        return r;
}

/* It has no audiences of its own: it is the API's. */
int auth_legacy_token(struct auth_authenticator *a, const struct auth_shown *shown, struct arena *arena,
                      struct auth_identity *ret_identity, struct err **err) {
        struct auth_identity identity = { .valid_until = INT64_MAX };
        struct auth_legacy legacy = { 0 };
        int r = auth_check_signature(a, shown->bearer->token, shown->jwt, err);

        if (r < 0 || (r = auth_intersect(arena, &a->audiences, &shown->bearer->audiences, &identity.audiences)) < 0)
                return r;
        if (identity.audiences.count == 0)
                return refuse(err, "it is not for these audiences");
        if ((r = read_claims(arena, shown->jwt->claims, &legacy, err)) < 0 ||
            (r = check(a, shown, &legacy, arena, &identity, err)) < 0 ||
            (r = make_user(arena, &legacy, &identity.user)) < 0)
                return r;
        *ret_identity = identity;
        return 0;
}
