/* Service account tokens: JWTs of our own, which count as long as what they are bound to is there. */
#include <errno.h>
#include <string.h>

#include "api/auth/internal.h"
#include "api/auth/jwt.h"
#include "api/auth/text.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/value.h"

/* The private claims: "kubernetes.io". A reference that is not there has NULLs. */
struct reference {
        const char *name, *uid;
};

struct claims {
        const char *namespace, *id; /* id: "jti" */
        struct reference account, pod, node, secret;
        bool has_pod, has_node, has_secret;
        int64_t expires, not_before, issued, warns; /* 0: not given */
        string_list audiences;
};

static bool looks_signed(const char *token) {
        const char *dot = strchr(token, '.');

        return dot && strchr(dot + 1, '.');
}

static int bad(struct err **err, const char *what) {
        return err_set(err, EACCES, "the token's claims: %s", what);
}

/* A time claim: a number (RFC 7519, 2: NumericDate), of which fractions do not count; absent is 0. */
static bool read_time(const struct value *claims, const char *name, int64_t *ret) {
        const struct value *value = value_get(claims, name);
        double number;

        if (!value)
                return true;
        if (!value_double(value, &number) || !(number >= 0 && number < 1e15))
                return false;
        *ret = (int64_t)number;
        return true;
}

/* A string, or a list of strings. */
static int read_audiences(struct arena *arena, const struct value *value, string_list *ret_list) {
        string_list list = { 0 };

        if (value_is(value, VALUE_STRING)) {
                const char *one = value_string(value);
                int r = auth_list_add(arena, &list, one);

                *ret_list = list;
                return r;
        }
        if (!value_is(value, VALUE_LIST))
                return value ? -EINVAL : 0;
        list.items = arena_alloc_array(arena, value_count(value) + 1, sizeof(*list.items));
        if (!list.items)
                return -ENOMEM;
        for (; list.count < value_count(value); list.count++) {
                list.items[list.count] = value_string(value_at(value, list.count));
                if (!list.items[list.count])
                        return -EINVAL;
        }
        *ret_list = list;
        return 0;
}

static bool read_reference(const struct value *private, const char *name, struct reference *ret, bool *ret_there) {
        const struct value *value = value_get(private, name);

        *ret_there = !value_is_null(value);
        ret->name = value_string(value_get(value, "name"));
        ret->uid = value_string(value_get(value, "uid"));
        return !*ret_there || (ret->name && ret->uid);
}

static int read_claims(struct arena *arena, const struct value *value, struct claims *ret, struct err **err) {
        const struct value *private = value_get(value, "kubernetes.io");
        bool has_account;
        int r;

        ret->namespace = value_string(value_get(private, "namespace"));
        ret->id = value_string(value_get(value, "jti"));
        if (!ret->namespace || !read_reference(private, "serviceaccount", &ret->account, &has_account) || !has_account)
                return bad(err, "they name no service account");
        if (!read_reference(private, "pod", &ret->pod, &ret->has_pod) ||
            !read_reference(private, "node", &ret->node, &ret->has_node) ||
            !read_reference(private, "secret", &ret->secret, &ret->has_secret))
                return bad(err, "a bound object has no name or no uid");
        if (!read_time(value, "exp", &ret->expires) || !read_time(value, "nbf", &ret->not_before) ||
            !read_time(value, "iat", &ret->issued) || !read_time(private, "warnafter", &ret->warns))
                return bad(err, "a time is no number of seconds");
        r = read_audiences(arena, value_get(value, "aud"), &ret->audiences);
        return r == -EINVAL ? bad(err, "aud is neither a string nor a list of strings") : r;
}

/* "sub" says the same account. */
static int check_subject(struct arena *arena, const struct value *value, const struct claims *claims,
                         struct err **err) {
        const char *subject = value_string(value_get(value, "sub"));
        const char *wanted = arena_printf(arena, AUTH_ACCOUNT_PREFIX "%s:%s", claims->namespace, claims->account.name);

        if (!wanted)
                return -ENOMEM;
        return subject && strcmp(subject, wanted) == 0 ? 0 : bad(err, "sub is not the service account");
}

static int check_times(const struct claims *claims, int64_t now, struct err **err) {
        if (!claims->expires || now - AUTH_LEEWAY > claims->expires)
                return err_set(err, EACCES, "service account token has expired");
        if (now + AUTH_LEEWAY < claims->not_before)
                return err_set(err, EACCES, "service account token is not valid yet");
        if (now + AUTH_LEEWAY < claims->issued)
                return err_set(err, EACCES, "service account token is issued in the future");
        return 0;
}

/* What a token may be bound to. */
struct bound {
        const char *resource, *namespace;
        const struct reference *to;
        bool wanted;
};

/* The object that is meant, with this uid, and not deleted for longer than the leeway. */
static int check_object(const struct auth_objects *objects, const struct bound *bound, int64_t now, struct arena *arena,
                        struct err **err) {
        const char *resource = bound->resource, *name = bound->to->name, *uid = bound->to->uid;
        struct auth_object object = { 0 };
        int r = objects->find(objects->data, arena, resource, bound->namespace, name, &object);

        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return err_set(err, EACCES, "the token is bound to %s \"%s\", which is not there", resource, name);
        if (!object.uid || strcmp(object.uid, uid) != 0)
                return err_set(err, EACCES, "the token is bound to %s \"%s\" with uid %s, and it is another now",
                               resource, name, uid);
        if (object.deleted && object.deleted < now - AUTH_LEEWAY)
                return err_set(err, EACCES, "the token is bound to %s \"%s\", which has been deleted", resource, name);
        return 0;
}

/* The node of a token that is bound to a pod is told, and not what it hangs on. */
static int check_objects(const struct auth_authenticator *a, const struct claims *claims, int64_t now,
                         struct arena *arena, struct err **err) {
        const struct bound bound[] = {
                { "serviceaccounts", claims->namespace, &claims->account, true },
                { "secrets", claims->namespace, &claims->secret, claims->has_secret },
                { "pods", claims->namespace, &claims->pod, claims->has_pod },
                { "nodes", "", &claims->node, claims->has_node && !claims->has_pod },
        };

        for (unsigned i = 0; i < sizeof(bound) / sizeof(bound[0]); i++) {
                int r = bound[i].wanted ? check_object(&a->objects, &bound[i], now, arena, err) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_extras(struct arena *arena, const struct claims *claims, struct auth_user *user) {
        const char *id = claims->id && claims->id[0] ? arena_printf(arena, "JTI=%s", claims->id) : NULL;
        const struct {
                const char *key, *value;
        } extras[] = {
                { AUTH_EXTRA_CREDENTIAL, id },
                { AUTH_EXTRA_NODE, claims->node.name },
                { AUTH_EXTRA_NODE_UID, claims->node.uid },
                { AUTH_EXTRA_POD, claims->pod.name },
                { AUTH_EXTRA_POD_UID, claims->pod.uid },
        };
        int r = 0;

        for (unsigned i = 0; r >= 0 && i < sizeof(extras) / sizeof(extras[0]); i++) {
                if (extras[i].value && extras[i].value[0])
                        r = auth_user_add_extra(arena, user, extras[i].key, extras[i].value);
        }
        return r;
}

static int make_user(struct arena *arena, const struct claims *claims, struct auth_user *ret_user) {
        struct auth_user user = { .uid = claims->account.uid };
        const char *group = arena_printf(arena, AUTH_GROUP_ACCOUNTS ":%s", claims->namespace);
        int r;

        user.name = arena_printf(arena, AUTH_ACCOUNT_PREFIX "%s:%s", claims->namespace, claims->account.name);
        if (!user.name || !group)
                return -ENOMEM;
        if ((r = auth_user_add_group(arena, &user, AUTH_GROUP_ACCOUNTS)) < 0 ||
            (r = auth_user_add_group(arena, &user, group)) < 0 || (r = add_extras(arena, claims, &user)) < 0)
                return r;
        *ret_user = user;
        return r;
}

/* One that goes on only because its reader may not read it again. */
static int note_stale(struct arena *arena, const struct claims *claims, int64_t now, struct auth_identity *identity) {
        struct string_pair *note;

        if (claims->warns == 0 || now <= claims->warns)
                return 0;
        note = arena_new_of(arena, struct string_pair);
        if (!note)
                return -ENOMEM;
        note->key = "authentication.k8s.io/stale-token";
        note->value = arena_printf(arena, "subject: %s, seconds after warning threshold: %lld", identity->user.name,
                                   (long long)(now - claims->warns));
        if (!note->value)
                return -ENOMEM;
        identity->notes.items = note;
        identity->notes.count = 1;
        return 0;
}

static int check_audiences(struct arena *arena, const struct claims *claims, const string_list *wanted,
                           string_list *ret_both, struct err **err) {
        int r = auth_intersect(arena, &claims->audiences, wanted, ret_both);
        char *has, *for_whom;

        if (r < 0 || ret_both->count > 0)
                return r;
        has = auth_quote_list(arena, &claims->audiences);
        for_whom = auth_quote_list(arena, wanted);
        return err_set(err, EACCES, "token audiences %s is invalid for the target audiences %s", has ?: "",
                       for_whom ?: "");
}

int auth_account_token(struct auth_authenticator *a, const struct auth_bearer *bearer, int64_t now, struct arena *arena,
                       struct auth_identity *ret_identity, struct err **err) {
        const char *token = bearer->token;
        struct auth_identity identity = { 0 };
        struct claims claims = { 0 };
        struct auth_jwt jwt;
        const char *issuer;
        int r;

        if (!a->keys || !looks_signed(token))
                return -ENODATA;
        r = auth_jwt_read(arena, token, &jwt, err);
        if (r < 0)
                return r == -ENOMEM ? r : -EACCES;
        issuer = value_string(value_get(jwt.claims, "iss"));
        if (issuer && strcmp(issuer, AUTH_LEGACY_ISSUER) == 0)
                return auth_legacy_token(a, &(struct auth_shown){ bearer, &jwt, now }, arena, ret_identity, err);
        if (!issuer || strcmp(issuer, a->issuer) != 0)
                return -ENODATA;
        if ((r = auth_check_signature(a, token, &jwt, err)) < 0 ||
            (r = read_claims(arena, jwt.claims, &claims, err)) < 0 ||
            (r = check_subject(arena, jwt.claims, &claims, err)) < 0 ||
            (r = check_audiences(arena, &claims, &bearer->audiences, &identity.audiences, err)) < 0 ||
            (r = check_times(&claims, now, err)) < 0 || (r = check_objects(a, &claims, now, arena, err)) < 0 ||
            (r = make_user(arena, &claims, &identity.user)) < 0 || (r = note_stale(arena, &claims, now, &identity)) < 0)
                return r;
        identity.valid_until = claims.expires + AUTH_LEEWAY;
        *ret_identity = identity;
        return 0;
}
