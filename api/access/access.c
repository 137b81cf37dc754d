#include "api/access/access.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/server/attributes.h"
#include "api/auth/attributes.h"
#include "api/auth/authenticate.h"
#include "api/auth/authorizer.h"
#include "api/auth/impersonate.h"
#include "api/auth/issue.h"
#include "api/auth/keys.h"
#include "api/access/follow.h"
#include "api/access/objects.h"
#include "api/rbac/nodes.h"
#include "api/rbac/rbac.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/http/exchange.h"
#include "lib/log.h"
#include "lib/transport/transport.h"

#define ISSUER "https://kubernetes.default.svc"
#define CHAIN_SIZE 4

struct api_access {
        struct auth_authenticator *authenticator;
        struct auth_keys *keys;
        struct auth_issue issue; /* its keys are NULL without a key for tokens */
        struct rbac *rbac;
        struct rbac_nodes *nodes;
        struct api_follow *follow;
        struct auth_authorizer chain[CHAIN_SIZE]; /* renewing nodes, masters, nodes, roles */
};

static int start(struct api_access *a, const struct api_access_config *config, struct err **err) {
        struct auth_config auth = { .authorities = config->authorities,
                                    .objects = { api_objects_find, api_objects_used, config->state },
                                    .issuer = ISSUER,
                                    .bootstrap = true };
        int r = config->token_key ? auth_keys_new(config->token_key, NULL, &auth.keys, err) : 0;

        a->keys = auth.keys;
        a->issue = (struct auth_issue){
                .keys = auth.keys, .issuer = ISSUER, .extend = config->extend_tokens, .objects = auth.objects
        };
        r = r ?: auth_authenticator_new(&auth, &a->authenticator, err);
        if (r < 0)
                return r;
        a->rbac = rbac_new();
        a->nodes = rbac_nodes_new();
        if (!a->rbac || !a->nodes)
                return err_set(err, ENOMEM, "no memory for roles and bindings");
        a->chain[0] = auth_renewing;
        a->chain[1] = auth_masters;
        a->chain[2] = rbac_nodes_authorizer(a->nodes);
        a->chain[3] = rbac_authorizer(a->rbac);
        a->follow = api_follow_new(config->state, a->rbac, a->nodes, err);
        return a->follow ? 0 : -ENOMEM;
}

int api_access_new(const struct api_access_config *config, struct api_access **ret_access, struct err **err) {
        struct api_access *access = calloc(1, sizeof(*access));
        int r = access ? start(access, config, err) : err_set(err, ENOMEM, "no memory for authorization");

        if (r < 0) {
                api_access_free(access);
                return r;
        }
        *ret_access = access;
        return 0;
}

void api_access_free(struct api_access *access) {
        if (!access)
                return;
        api_follow_free(access->follow);
        rbac_free(access->rbac);
        rbac_nodes_free(access->nodes);
        auth_authenticator_free(access->authenticator);
        auth_keys_unref(access->keys);
        free(access);
}

struct auth_authenticator *api_access_authenticator(struct api_access *access) {
        return access->authenticator;
}

const struct auth_issue *api_access_issue(const struct api_access *access) {
        return &access->issue;
}

struct rbac *api_access_roles(const struct api_access *access) {
        return access->rbac;
}

const struct auth_authorizer *api_access_chain(const struct api_access *access, size_t *ret_n) {
        *ret_n = CHAIN_SIZE;
        return access->chain;
}

/* --- a connection's certificate: looked at once, its user kept with the TLS session --- */

struct known {
        struct arena *arena;
        struct auth_identity identity;
        uint64_t generation; /* of what was trusted then */
        int result;
};

static void free_known(void *parent, void *data, CRYPTO_EX_DATA *all, int index, long argument, void *pointer) {
        struct known *known = data;

        if (known)
                arena_free(known->arena);
}

static int index_of_known;
static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;

static void make_index(void) {
        index_of_known = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_known);
}

static int known_index(void) {
        CRYPTO_THREAD_run_once(&once, make_index);
        return index_of_known;
}

static const struct known *look_at_certificate(struct api_access *a, SSL *tls, X509 *certificate, int64_t now) {
        const struct auth_credentials credentials = { .certificate = certificate,
                                                      .chain = SSL_get_peer_cert_chain(tls) };
        struct arena *arena = arena_new();
        struct known *known = arena ? arena_new_of(arena, struct known) : NULL,
                     *old = SSL_get_ex_data(tls, known_index());
        _cleanup_err_ struct err *err = NULL;

        if (!known) {
                arena_free(arena);
                return NULL;
        }
        known->arena = arena;
        known->generation = auth_generation(a->authenticator);
        known->result = auth_certificate(a->authenticator, &credentials, now, arena, &known->identity, &err);
        if (known->result == -EACCES)
                log_debug("a client's certificate does not count: %s", err_text(err));
        SSL_set_ex_data(tls, known_index(), known);
        if (old)
                arena_free(old->arena);
        return known;
}

static const struct known *known_of(struct api_access *a, struct http_exchange *x, int64_t now) {
        SSL *tls = http_transport(x) ? transport_tls(http_transport(x)) : NULL;
        const struct known *known = tls ? SSL_get_ex_data(tls, known_index()) : NULL;
        X509 *certificate;

        if (known && known->generation == auth_generation(a->authenticator) && now < known->identity.valid_until)
                return known;
        certificate = tls ? SSL_get_peer_certificate(tls) : NULL;
        known = certificate ? look_at_certificate(a, tls, certificate, now) : NULL;
        X509_free(certificate);
        return known;
}

/* --- stages --- */

static enum api_step refuse_unknown(struct api_request *r, int error, const struct err *err) {
        if (error != -EACCES) {
                metrics_count(&r->loop->counts.authentications[API_FAILED], 1);
                return api_fail(r, error, NULL);
        }
        metrics_count(&r->loop->counts.authentications[API_DENIED], 1);
        log_debug("a request for %s was not authenticated: %s", r->path.whole, err_text(err));
        return api_refuse(r, API_UNAUTHORIZED, "Unauthorized");
}

/* What the connection's certificate does not say, the request has to. */
static enum api_step authenticate(struct api_request *r) {
        struct api_access *a = r->server->config.data;
        const struct http_fields *fields = &http_request_of(r->x)->fields;
        struct auth_credentials credentials = { .authorization = http_fields_get(fields, "authorization"),
                                                .request = http_request_of(r->x),
                                                .path = r->path.whole };
        const struct known *known = known_of(a, r->x, time(NULL));
        _cleanup_err_ struct err *err = NULL;
        struct auth_identity identity;
        int error;

        if (known && known->result == 0) {
                metrics_count(&r->loop->counts.authentications[API_GRANTED], 1);
                return auth_user_copy(r->arena, &known->identity.user, &r->user) < 0 ? api_fail(r, -ENOMEM, NULL) :
                                                                                       API_NEXT;
        }
        error = auth_authenticate(a->authenticator, &credentials, time(NULL), r->arena, &identity, &err);
        if (error == 0 && identity.anonymous && known && known->result == -EACCES)
                error = -EACCES;
        if (error < 0)
                return refuse_unknown(r, error, err);
        metrics_count(&r->loop->counts.authentications[API_GRANTED], 1);
        r->user = identity.user;
        list_for_each (note, &identity.notes)
                api_annotate(r, note->key, note->value);
        if (identity.warning)
                api_warn(r, identity.warning);
        return API_NEXT;
}

/* Who asks from within the process is known. */
enum api_step api_authenticate(struct api_request *r) {
        return r->user.name ? API_NEXT : authenticate(r);
}

static bool wants_impersonation(const struct http_fields *fields) {
        static const char prefix[] = "impersonate-";

        for (size_t i = 0; i < fields->count; i++)
                if (strncmp(fields->items[i].name, prefix, sizeof(prefix) - 1) == 0)
                        return true;
        return false;
}

/* Whoever may be another is that one from here on. */
enum api_step api_impersonate(struct api_request *r) {
        struct api_access *a = r->server->config.data;
        const struct http_fields *fields = &http_request_of(r->x)->fields;
        struct auth_attributes attributes;
        struct auth_impersonated other = { 0 };
        int error;

        if (!wants_impersonation(fields))
                return API_NEXT;
        attributes = api_attributes(r);
        error = auth_impersonate(fields, &attributes, a->chain, CHAIN_SIZE, r->arena, &other);
        switch (error) {
        case 0:
                r->impersonator = arena_new_of(r->arena, struct auth_user);
                if (!r->impersonator)
                        return api_fail(r, -ENOMEM, NULL);
                *r->impersonator = r->user;
                r->user = other.user;
                return API_NEXT;
        case 1:
                return API_NEXT;
        case -EACCES:
                r->no_sniff = true;
                return api_forbid_of(
                        r, &(struct kube_kind){ .group = other.group ?: "", .resource = other.resource ?: "" },
                        other.name ?: "", other.message ?: "");
        case -EINVAL:
                r->no_sniff = true;
                return api_refuse(r, API_BAD_REQUEST, "%s", other.message ?: "");
        default:
                return api_fail(r, error, NULL);
        }
}

/* What the chain says of the request as one to create. */
static struct auth_verdict ask_to_create(struct api_request *r, struct auth_attributes *ret_attributes) {
        struct api_access *a = r->server->config.data;

        *ret_attributes = api_attributes(r);
        ret_attributes->verb = "create";
        return auth_authorize(a->chain, CHAIN_SIZE, ret_attributes, r->arena);
}

/* WebSockets are asked for by GET, SPDY by POST: what is granted is the same, so that the same is asked for. */
enum api_step api_authorize_tunnel(struct api_request *r) {
        static const char *const subs[] = { "exec", "attach", "portforward" };
        struct auth_attributes attributes;
        struct auth_verdict verdict;
        bool any = false;

        for (size_t i = 0; r->sub && i < ELEMENTS(subs); i++)
                any |= strcmp(r->sub->name, subs[i]) == 0;
        if (!any || *r->kind->group || strcmp(r->kind->resource, "pods") != 0)
                return API_NEXT;
        verdict = ask_to_create(r, &attributes);
        if (verdict.decision == AUTH_ALLOW)
                return API_NEXT;
        r->no_sniff = true;
        return api_forbid(r, attributes.name, verdict.reason ?: "");
}

/* What a change of nothing makes is made by who may make it (withAuthorization of createAuthorizerAttributes). */
enum api_step api_authorize_creation(struct api_request *r) {
        struct auth_attributes attributes;
        struct auth_verdict verdict;
        const char *text;

        if (!r->creates || r->verb == KUBE_VERB_CREATE)
                return API_NEXT;
        verdict = ask_to_create(r, &attributes);
        if (verdict.decision == AUTH_ALLOW)
                return API_NEXT;
        text = auth_forbidden(r->arena, &attributes, verdict.reason);
        return api_forbid(r, attributes.name, text ?: "");
}

enum api_step api_authorize(struct api_request *r) {
        struct api_access *a = r->server->config.data;
        struct auth_attributes attributes = api_attributes(r);
        struct auth_verdict verdict = auth_authorize(a->chain, CHAIN_SIZE, &attributes, r->arena);
        const char *text;

        metrics_count(&r->loop->counts.authorizations[verdict.decision == AUTH_ALLOW ? API_GRANTED : API_DENIED], 1);
        api_annotate(r, "authorization.k8s.io/decision", verdict.decision == AUTH_ALLOW ? "allow" : "forbid");
        api_annotate(r, "authorization.k8s.io/reason", verdict.reason ?: "");
        if (verdict.decision == AUTH_ALLOW)
                return API_NEXT;
        text = auth_forbidden(r->arena, &attributes, verdict.reason);
        r->no_sniff = true;
        return api_forbid(r, attributes.name, text ?: "");
}
