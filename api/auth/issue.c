#include "api/auth/issue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "api/auth/jwt.h"
#include "api/auth/text.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/go_text.h"
#include "lib/json_writer.h"

#define UUID_SIZE 37

/* What a token may be bound to. */
static const struct bindable {
        const char *kind, *resource, *claim;
        bool namespaced;
} bindables[] = {
        { "Pod", "pods", "pod", true },
        { "Secret", "secrets", "secret", true },
        { "Node", "nodes", "node", false },
};

struct bound {
        const struct bindable *kind;   /* NULL: nothing */
        const char *name, *uid, *node; /* node: of a pod, where it has one */
};

/* A token that is being made. */
struct order {
        const struct auth_issue *issue;
        const struct auth_account *account;
        struct arena *arena;
        struct bound bound;
        int64_t expires, warns; /* s since 1970; warns 0: never */
};

static int check_spec(const struct auth_issue *issue, struct kube_authentication_v1_token_request_spec *spec,
                      struct problems *problems) {
        const char *own[] = { issue->issuer, NULL };
        int64_t seconds;

        if (!spec->expiration_seconds.set)
                spec->expiration_seconds = (struct opt_int){ AUTH_TOKEN_SECONDS, true };
        seconds = spec->expiration_seconds.value;
        if (seconds < AUTH_TOKEN_SECONDS_MIN)
                problem_error(problems, "spec.expirationSeconds",
                              "Invalid value: %lld: may not specify a duration less than 10 minutes",
                              (long long)seconds);
        if (seconds > AUTH_TOKEN_SECONDS_MAX)
                problem_error(problems, "spec.expirationSeconds",
                              "Invalid value: %lld: may not specify a duration larger than 2^32 seconds",
                              (long long)seconds);
        if (spec->audiences.count > AUTH_TOKEN_AUDIENCES_MAX)
                problem_error(problems, "spec.audiences", "Too many: %u: must have at most %d items",
                              spec->audiences.count, AUTH_TOKEN_AUDIENCES_MAX);
        if (problems->errors > 0)
                return -EINVAL;
        return spec->audiences.count > 0 ? 0 : auth_list_of(problems->arena, issue->audiences ?: own, &spec->audiences);
}

static const char *or_empty(const char *text) {
        return text ?: "";
}

static int refuse_kind(struct arena *arena, const struct kube_authentication_v1_bound_object_reference *ref,
                       const char **ret_message) {
        const char *version = or_empty(ref->api_version), *slash = strchr(version, '/') ? "" : "/";

        *ret_message = arena_printf(arena, "cannot bind token to object of type %s%s, Kind=%s", slash, version,
                                    or_empty(ref->kind));
        return *ret_message ? -EINVAL : -ENOMEM;
}

static int refuse_uid(struct arena *arena, const struct kube_authentication_v1_bound_object_reference *ref,
                      const char **ret_message) {
        const char *name = go_text_quote(arena, or_empty(ref->name));

        *ret_message = name ? arena_printf(arena,
                                           "Operation cannot be fulfilled on %s %s: the UID in the bound object "
                                           "reference (%s) does not match "
                                           "the UID in record. The object might have been deleted and then recreated",
                                           ref->kind, name, ref->uid) :
                              NULL;
        return *ret_message ? -EEXIST : -ENOMEM;
}

static int refuse_account(struct arena *arena, const struct auth_account *account, const char **ret_message) {
        const char *name = go_text_quote(arena, account->name);

        *ret_message = name ? arena_printf(arena,
                                           "cannot bind token for serviceaccount %s to pod running with different "
                                           "serviceaccount name.",
                                           name) :
                              NULL;
        return *ret_message ? -EINVAL : -ENOMEM;
}

static const struct bindable *bindable_of(const struct kube_authentication_v1_bound_object_reference *ref) {
        const char *version = or_empty(ref->api_version), *slash = strchr(version, '/');

        /* Of the core group, in whatever version: what is no group and version is none. */
        if (slash > version && !strchr(slash + 1, '/'))
                return NULL;
        for (unsigned i = 0; i < ELEMENTS(bindables); i++) {
                if (strcmp(or_empty(ref->kind), bindables[i].kind) == 0)
                        return &bindables[i];
        }
        return NULL;
}

static int find_bound(struct order *o, const struct kube_authentication_v1_bound_object_reference *ref,
                      const char **ret_message) {
        const struct auth_objects *objects = &o->issue->objects;
        const struct bindable *kind = bindable_of(ref);
        struct auth_object object = { 0 };
        const char *name = go_text_quote(o->arena, or_empty(ref->name));
        int r;

        if (!kind)
                return refuse_kind(o->arena, ref, ret_message);
        if (!or_empty(ref->name)[0]) {
                *ret_message = "Name parameter required.";
                return -EINVAL;
        }
        r = objects->find(objects->data, o->arena, kind->resource, kind->namespaced ? o->account->namespace : "",
                          or_empty(ref->name), &object);
        if (r == -ENOENT) {
                *ret_message = name ? arena_printf(o->arena, "%s %s not found", kind->resource, name) : NULL;
                return *ret_message ? r : -ENOMEM;
        }
        if (r < 0)
                return r;
        if (kind == &bindables[0] && strcmp(or_empty(object.account), o->account->name) != 0)
                return refuse_account(o->arena, o->account, ret_message);
        if (or_empty(ref->uid)[0] && strcmp(ref->uid, or_empty(object.uid)) != 0)
                return refuse_uid(o->arena, ref, ret_message);
        o->bound = (struct bound){ .kind = kind,
                                   .name = ref->name,
                                   .uid = or_empty(object.uid),
                                   .node = object.node && object.node[0] ? object.node : NULL };
        return 0;
}

/* A random UUID (RFC 9562, 5.4). */
static int make_id(char ret_text[UUID_SIZE]) {
        uint8_t b[16];

        if (RAND_bytes(b, sizeof(b)) != 1)
                return -EIO;
        b[6] = (b[6] & 0x0f) | 0x40;
        b[8] = (b[8] & 0x3f) | 0x80;
        snprintf(ret_text, UUID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                 b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
        return 0;
}

static void write_reference(struct json_writer *w, const char *claim, const char *name, const char *uid) {
        json_key(w, claim);
        json_begin_map(w);
        json_add_string(w, "name", name);
        json_add_string_if(w, "uid", uid);
        json_end_map(w);
}

/* The private claims, their members sorted as Go's encoder has them. */
static int write_private(struct json_writer *w, const struct order *o) {
        const struct auth_objects *objects = &o->issue->objects;
        const struct auth_account *account = o->account;
        const struct bound *bound = &o->bound;
        struct auth_object node = { 0 };
        int r = bound->node ? objects->find(objects->data, o->arena, "nodes", "", bound->node, &node) : 0;

        json_key(w, "kubernetes.io");
        json_begin_map(w);
        json_add_string(w, "namespace", account->namespace);
        if (bound->node && r != -ENOMEM)
                write_reference(w, "node", bound->node, r < 0 ? NULL : node.uid);
        if (bound->kind)
                write_reference(w, bound->kind->claim, bound->name, bound->uid);
        write_reference(w, "serviceaccount", account->name, account->uid);
        if (o->warns > 0)
                json_add_int(w, "warnafter", o->warns);
        json_end_map(w);
        return r == -ENOMEM ? r : 0;
}

static int write_claims(const struct order *o, const struct kube_authentication_v1_token_request_spec *spec,
                        int64_t now, char **ret_claims) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        char id[UUID_SIZE];
        int r = make_id(id);

        if (r < 0)
                return r;
        json_begin_map(&w);
        json_key(&w, "aud");
        json_begin_list(&w);
        list_for_each (audience, &spec->audiences)
                json_string(&w, *audience);
        json_end_list(&w);
        json_add_int(&w, "exp", o->expires);
        json_add_int(&w, "iat", now);
        json_add_string(&w, "iss", o->issue->issuer);
        json_add_string(&w, "jti", id);
        r = write_private(&w, o);
        json_add_int(&w, "nbf", now);
        json_add_string(&w, "sub",
                        arena_printf(o->arena, AUTH_ACCOUNT_PREFIX "%s:%s", o->account->namespace, o->account->name));
        json_end_map(&w);
        return r < 0 ? r : json_writer_finish(&w, ret_claims, NULL);
}

static bool is_for_the_api(const struct auth_issue *issue, const string_list *audiences) {
        const char *const own[] = { issue->issuer, NULL };

        list_for_each (audience, audiences) {
                const char *const *known = issue->audiences ?: own;

                while (*known && strcmp(*known, *audience) != 0)
                        known++;
                if (!*known)
                        return false;
        }
        return true;
}

/* Clients that read a pod's token once and never again go on, as with the tokens of old that had no end. */
static void set_end(struct order *o, const struct kube_authentication_v1_token_request_spec *spec, int64_t now) {
        o->expires = now + spec->expiration_seconds.value;
        if (!o->issue->extend || o->bound.kind != &bindables[0] ||
            spec->expiration_seconds.value != AUTH_TOKEN_SECONDS_PROJECTED ||
            !is_for_the_api(o->issue, &spec->audiences))
                return;
        o->warns = o->expires;
        o->expires = now + AUTH_TOKEN_SECONDS_EXTENDED;
}

int auth_issue_token(const struct auth_issue *issue, const struct auth_account *account, int64_t now,
                     struct kube_authentication_v1_token_request *request, struct problems *problems,
                     const char **ret_message) {
        struct kube_authentication_v1_token_request_spec *spec = &request->spec;
        struct order order = { .issue = issue, .account = account, .arena = problems->arena };
        _cleanup_free_ char *claims = NULL;
        int r = check_spec(issue, spec, problems);

        if (r < 0)
                return r;
        if (spec->bound_object_ref && (r = find_bound(&order, spec->bound_object_ref, ret_message)) < 0)
                return r;
        if (issue->seconds_max > 0 && spec->expiration_seconds.value > issue->seconds_max)
                spec->expiration_seconds.value = issue->seconds_max;
        set_end(&order, spec, now);
        if ((r = write_claims(&order, spec, now, &claims)) < 0 ||
            (r = auth_jwt_sign(order.arena, issue->keys, claims, &request->status.token, NULL)) < 0)
                return r;
        request->status.expiration_timestamp =
                (struct kube_time){ .seconds = now + spec->expiration_seconds.value, .set = true };
        return 0;
}
