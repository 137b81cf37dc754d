/* Who asks: certificates, service account tokens and bootstrap tokens, right ones and each way of being wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/x509.h>

#include "api/auth/attributes.h"
#include "api/auth/authenticate.h"
#include "api/auth/authorizer.h"
#include "api/auth/issue.h"
#include "api/auth/jwt.h"
#include "api/auth/keys.h"
#include "api/auth/review.h"
#include "api/auth/text.h"
#include "api/pki/certificate.h"
#include "kube/core_v1.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/err.h"
#include "lib/http/exchange.h"
#include "lib/openssl.h"
#include "lib/x509.h"

#define NOW INT64_C(1796000000)
#define DAY ((int64_t)24 * 3600)
#define ISSUER "https://kubernetes.default.svc"
#define PROTOCOL "base64url.bearer.authorization.k8s.io."

static struct arena *arena;
static X509 *ca, *other_ca;
static EVP_PKEY *ca_key, *other_key, *token_key, *rsa_key;
static char *token_public;
static struct auth_keys *keys;
static struct auth_authenticator *authenticator;

/* The objects that the service has: changed by tests. */
static struct auth_object account, pod, node, secret;
static struct kube_secret bootstrap;
static struct kube_bytes_entry data[6];

static void set_datum(unsigned i, const char *key, const char *value) {
        data[i] = (struct kube_bytes_entry){ key, { (const uint8_t *)value, (uint32_t)strlen(value) } };
}

static int find(void *unused, struct arena *a, const char *resource, const char *namespace, const char *name,
                struct auth_object *ret) {
        static const struct {
                const char *resource, *namespace, *name;
                struct auth_object *object;
        } objects[] = {
                { "serviceaccounts", "web", "robot", &account },
                { "pods", "web", "pod-1", &pod },
                { "nodes", "", "node-1", &node },
                { "secrets", "kube-system", "bootstrap-token-abcdef", &secret },
                { "secrets", "web", "s", &pod },
        };

        for (unsigned i = 0; i < ELEMENTS(objects); i++) {
                if (strcmp(resource, objects[i].resource) == 0 && strcmp(namespace, objects[i].namespace) == 0 &&
                    strcmp(name, objects[i].name) == 0 && objects[i].object->uid) {
                        *ret = *objects[i].object;
                        return 0;
                }
        }
        return -ENOENT;
}

static X509 *make_certificate(const char *name, const char *organization, EVP_PKEY *key, X509 *issuer,
                              EVP_PKEY *issuer_key, unsigned uses, int64_t begins, int64_t ends) {
        struct pki_order order = {
                .common_name = name, .begins = begins, .ends = ends, .uses = uses, .authority = !issuer
        };
        X509 *certificate = NULL;

        if (organization)
                order.organizations = (string_list){ &organization, 1 };
        assert_int_equal(pki_certificate_new(&order, key, issuer, issuer_key, &certificate, NULL), 0);
        return certificate;
}

static struct auth_authenticator *make_authenticator(enum auth_anonymous anonymous) {
        _cleanup_free_ char *pem = pki_certificate_pem(ca);
        const struct auth_config config = { .authorities = pem,
                                            .anonymous = anonymous,
                                            .objects = { .find = find },
                                            .issuer = ISSUER,
                                            .keys = keys,
                                            .bootstrap = true };
        struct auth_authenticator *a = NULL;

        assert_int_equal(auth_authenticator_new(&config, &a, NULL), 0);
        return a;
}

static int set_up(void **state) {
        _cleanup_free_ char *private = NULL;

        arena = arena_new();
        assert_int_equal(pki_key_new(&ca_key, NULL) | pki_key_new(&other_key, NULL) | pki_key_new(&token_key, NULL), 0);
        rsa_key = EVP_RSA_gen(2048);
        ca = make_certificate("kubernetes", NULL, ca_key, NULL, NULL, 0, NOW - DAY, NOW + 100 * DAY);
        other_ca = make_certificate("kubernetes", NULL, other_key, NULL, NULL, 0, NOW - DAY, NOW + 100 * DAY);
        private = pki_key_pem(token_key);
        token_public = pki_public_pem(rsa_key);
        assert_int_equal(auth_keys_new(private, token_public, &keys, NULL), 0);
        authenticator = make_authenticator(AUTH_ANONYMOUS_PUBLIC);
        account = (struct auth_object){ .uid = "account-uid" };
        pod = (struct auth_object){ .uid = "pod-uid", .node = "node-1", .account = "robot" };
        node = (struct auth_object){ .uid = "node-uid" };
        set_datum(0, "auth-extra-groups", "system:bootstrappers:b,system:bootstrappers:a");
        set_datum(1, "expiration", "2026-12-31T00:00:00Z");
        set_datum(2, "token-id", "abcdef");
        set_datum(3, "token-secret", "0123456789abcdef");
        set_datum(4, "usage-bootstrap-authentication", "true");
        bootstrap = (struct kube_secret){ .type = "bootstrap.kubernetes.io/token", .data = { data, 5 } };
        secret = (struct auth_object){ .uid = "s", .secret = &bootstrap };
        return 0;
}

static int tear_down(void **state) {
        auth_authenticator_free(authenticator);
        auth_keys_unref(keys);
        X509_free(ca);
        X509_free(other_ca);
        EVP_PKEY_free(ca_key);
        EVP_PKEY_free(other_key);
        EVP_PKEY_free(token_key);
        EVP_PKEY_free(rsa_key);
        free(token_public);
        arena_free(arena);
        return 0;
}

static int by_certificate(X509 *certificate, int64_t now, struct auth_identity *ret, const char *why) {
        _cleanup_err_ struct err *err = NULL;
        int r = auth_certificate(authenticator, &(struct auth_credentials){ .certificate = certificate }, now, arena,
                                 ret, &err);

        if (r == -EACCES && !strstr(err_text(err), why))
                fail_msg("%s has no %s", err_text(err), why);
        return r;
}

/* A node's certificate at the wrong time: it may renew, if its Node is there and the certificate is of the Node's life.
 */
static void test_renewing_nodes(void **state) {
        const struct {
                const char *name, *organization;
                X509 *issuer;
                EVP_PKEY *issuer_key;
                int64_t now, created, deleted;
                int r;
        } cases[] = {
                { "system:node:node-1", "system:nodes", ca, ca_key, NOW + 1000 * DAY, NOW - DAY, 0, 0 },
                { "system:node:node-1", "system:nodes", ca, ca_key, NOW - 1000 * DAY, NOW - DAY, 0, 0 },
                { "system:node:node-1", "system:nodes", ca, ca_key, NOW + 1000 * DAY, NOW + DAY, 0, 0 },
                { "system:node:node-1", "system:nodes", ca, ca_key, NOW + 1000 * DAY, NOW + DAY + 1, 0, -EACCES },
                { "system:node:node-1", "system:nodes", ca, ca_key, NOW + 1000 * DAY, NOW - DAY, NOW, -EACCES },
                { "system:node:node-1", "system:nodes", other_ca, other_key, NOW + 1000 * DAY, NOW - DAY, 0, -EACCES },
                { "system:node:node-1", "devs", ca, ca_key, NOW + 1000 * DAY, NOW - DAY, 0, -EACCES },
                { "system:node:node-2", "system:nodes", ca, ca_key, NOW + 1000 * DAY, NOW - DAY, 0, -EACCES },
                { "jane", "system:masters", ca, ca_key, NOW + 1000 * DAY, NOW - DAY, 0, -EACCES },
        };

        for (unsigned i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_x509_ X509 *c =
                        make_certificate(cases[i].name, cases[i].organization, other_key, cases[i].issuer,
                                         cases[i].issuer_key, PKI_USE_CLIENT, NOW, NOW + DAY);
                struct auth_identity identity = { 0 };

                node = (struct auth_object){ .uid = "node-uid",
                                             .created = cases[i].created,
                                             .deleted = cases[i].deleted };
                assert_int_equal(by_certificate(c, cases[i].now, &identity, ""), cases[i].r);
                if (cases[i].r < 0)
                        continue;
                assert_string_equal(identity.user.name, cases[i].name);
                assert_string_equal(auth_join(arena, &identity.user.groups, " "),
                                    AUTH_GROUP_RENEWING " system:authenticated");
                assert_null(auth_user_node(&identity.user));
                assert_true(identity.valid_until <= cases[i].now);
        }
        node = (struct auth_object){ .uid = "node-uid" };
}

/* One that was over before the Node was made, signed while a clock was far behind: by the Node's uid in it. */
static void test_a_node_is_known_by_its_uid(void **state) {
        static const struct {
                const char *uid;
                int64_t deleted;
                int r;
        } cases[] = { { "node-uid", 0, 0 }, { "node-uid", NOW, -EACCES }, { "another", 0, -EACCES } };

        for (unsigned i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_x509_ X509 *c = make_certificate("system:node:node-1", "system:nodes", other_key, ca, ca_key,
                                                          PKI_USE_CLIENT, NOW - 1000 * DAY, NOW - 999 * DAY);
                struct auth_identity identity = { 0 };

                assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(c), X509_USER_UID, MBSTRING_UTF8,
                                                            (const unsigned char *)cases[i].uid, -1, -1, 0),
                                 1);
                assert_true(X509_sign(c, ca_key, EVP_sha256()) > 0);
                node = (struct auth_object){ .uid = "node-uid", .created = NOW - DAY, .deleted = cases[i].deleted };
                assert_int_equal(by_certificate(c, NOW, &identity, ""), cases[i].r);
        }
        node = (struct auth_object){ .uid = "node-uid" };
}

static enum auth_decision decide(struct auth_attributes a) {
        return auth_authorize((const struct auth_authorizer[]){ auth_renewing }, 1, &a, arena).decision;
}

static void test_what_renewing_nodes_may(void **state) {
        const char *group = AUTH_GROUP_RENEWING, *nodes = "system:nodes";
        const struct auth_user user = { .name = "system:node:n", .groups = { &group, 1 } },
                               other = { .name = "system:node:n", .groups = { &nodes, 1 } };
        struct auth_attributes a = AUTH_ATTRIBUTES(&user);

        a.is_resource = true;
        a.group = "certificates.k8s.io";
        a.resource = "certificatesigningrequests";
        a.verb = "create";
        assert_int_equal(decide(a), AUTH_ALLOW);
        a.subresource = "selfnodeclient";
        assert_int_equal(decide(a), AUTH_ALLOW);
        a.subresource = "nodeclient";
        assert_int_equal(decide(a), AUTH_DENY);
        a.subresource = "approval";
        a.verb = "update";
        assert_int_equal(decide(a), AUTH_DENY);
        a.subresource = "";
        a.verb = "watch";
        assert_int_equal(decide(a), AUTH_DENY);
        assert_int_equal(auth_attributes_select(arena, "metadata.name=x", &a), 0);
        assert_int_equal(decide(a), AUTH_ALLOW);
        a.verb = "delete";
        assert_int_equal(decide(a), AUTH_DENY);
        a.verb = "get";
        a.resource = "nodes";
        a.group = "";
        assert_int_equal(decide(a), AUTH_DENY);
        a.is_resource = false;
        assert_int_equal(decide(a), AUTH_DENY);
        a.user = &other;
        assert_int_equal(decide(a), AUTH_NO_OPINION);
}

static void test_certificates(void **state) {
        const struct {
                const char *name, *organization;
                X509 *issuer;
                EVP_PKEY *issuer_key;
                unsigned uses;
                int64_t begins, ends, now;
                int r;
                const char *why;
        } cases[] = {
                { "jane", "devs", ca, ca_key, PKI_USE_CLIENT, NOW, NOW + DAY, NOW, 0, "" },
                { "jane", "devs", ca, ca_key, PKI_USE_CLIENT | PKI_USE_SERVER, NOW, NOW + DAY, NOW + DAY - 1, 0, "" },
                { "jane", "devs", ca, ca_key, 0, NOW, NOW + DAY, NOW, 0, "" },
                { "jane", "devs", ca, ca_key, PKI_USE_SERVER, NOW, NOW + DAY, NOW, -EACCES, "extendedKeyUsage" },
                { "jane", "devs", ca, ca_key, PKI_USE_CLIENT, NOW, NOW + DAY, NOW + DAY + 1, -EACCES, "expired" },
                { "jane", "devs", ca, ca_key, PKI_USE_CLIENT, NOW, NOW + DAY, NOW - 1, -EACCES, "not yet valid" },
                { "jane", "devs", other_ca, other_key, PKI_USE_CLIENT, NOW, NOW + DAY, NOW, -EACCES, "failed" },
                { NULL, "devs", ca, ca_key, PKI_USE_CLIENT, NOW, NOW + DAY, NOW, -ENODATA, "" },
        };

        for (unsigned i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_x509_ X509 *c =
                        make_certificate(cases[i].name, cases[i].organization, other_key, cases[i].issuer,
                                         cases[i].issuer_key, cases[i].uses, cases[i].begins, cases[i].ends);
                struct auth_identity identity = { 0 };

                assert_int_equal(by_certificate(c, cases[i].now, &identity, cases[i].why), cases[i].r);
                if (cases[i].r < 0)
                        continue;
                assert_string_equal(identity.user.name, "jane");
                assert_string_equal(auth_join(arena, &identity.user.groups, " "), "devs system:authenticated");
                assert_int_equal(strncmp(auth_user_extra(&identity.user, AUTH_EXTRA_CREDENTIAL), "X509SHA256=", 11), 0);
                assert_int_equal(identity.valid_until, cases[i].ends);
        }
}

static void test_authorities_are_swapped(void **state) {
        _cleanup_x509_ X509 *c =
                make_certificate("jane", NULL, token_key, other_ca, other_key, PKI_USE_CLIENT, NOW, NOW + DAY);
        _cleanup_free_ char *pem = pki_certificate_pem(other_ca);
        uint64_t before = auth_generation(authenticator);
        struct auth_identity identity;

        assert_int_equal(by_certificate(c, NOW, &identity, "failed"), -EACCES);
        assert_int_equal(auth_authenticator_trust(authenticator, "rubbish", NULL), -EINVAL);
        assert_int_equal(auth_generation(authenticator), before);
        assert_int_equal(auth_authenticator_trust(authenticator, pem, NULL), 0);
        assert_int_not_equal(auth_generation(authenticator), before);
        assert_int_equal(by_certificate(c, NOW, &identity, ""), 0);
}

/* A token with these claims and header, signed with ES256 or RS256, or what is said. */
static const char *sign(const char *header, const char *claims, EVP_PKEY *key, const char *digest) {
        char *text = arena_alloc(arena, 8192), *at = text;
        uint8_t signature[512], flat[64] = { 0 };
        size_t n = sizeof(signature);
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();

        base64_url_encode(header, strlen(header), at);
        at += strlen(at);
        *at++ = '.';
        base64_url_encode(claims, strlen(claims), at);
        at += strlen(at);
        assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, digest, NULL, NULL, key, NULL), 1);
        assert_int_equal(EVP_DigestSign(ctx, signature, &n, (uint8_t *)text, (size_t)(at - text)), 1);
        EVP_MD_CTX_free(ctx);
        *at++ = '.';
        if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) {
                const uint8_t *r = signature + 4, *s = r + signature[3] + 2;

                for (int i = 0; i < 2; i++) {
                        const uint8_t *number = i ? s : r;
                        size_t size = number[-1];

                        while (size > 32)
                                number++, size--;
                        memcpy(flat + 32 * i + 32 - size, number, size);
                }
                base64_url_encode(flat, sizeof(flat), at);
        } else
                base64_url_encode(signature, n, at);
        return text;
}

#define KUBERNETES                                                                                                     \
        "\"kubernetes.io\":{\"namespace\":\"web\",\"serviceaccount\":{\"name\":\"robot\",\"uid\":\"account-uid\"}}"
#define CLAIMS(more)                                                                                                   \
        "{\"iss\":\"" ISSUER "\",\"sub\":\"system:serviceaccount:web:robot\",\"aud\":[\"" ISSUER                       \
        "\"],\"exp\":1796003600,\"nbf\":1796000000,\"iat\":1796000000,\"jti\":\"id\"," KUBERNETES more "}"

static int by_token(const char *token, int64_t now, struct auth_identity *ret, const char *why) {
        _cleanup_err_ struct err *err = NULL;
        int r = auth_token(authenticator, &(struct auth_bearer){ .token = token }, now, arena, ret, &err);

        if (r == -EACCES && !strstr(err_text(err), why))
                fail_msg("\"%s\" has no \"%s\"", err_text(err), why);
        return r;
}

static void test_token_with_a_made_up_header(void **state) {
        char rs256[256];
        struct auth_identity identity;

        snprintf(rs256, sizeof(rs256), "{\"alg\":\"RS256\",\"typ\":\"JWT\"}");
        assert_int_equal(by_token(sign("{\"alg\":\"ES256\"}", CLAIMS(""), token_key, "SHA256"), NOW, &identity, ""), 0);
        assert_string_equal(identity.user.name, "system:serviceaccount:web:robot");
        assert_string_equal(identity.user.uid, "account-uid");
        assert_string_equal(auth_join(arena, &identity.user.groups, " "),
                            "system:serviceaccounts system:serviceaccounts:web system:authenticated");
        assert_string_equal(auth_user_extra(&identity.user, AUTH_EXTRA_CREDENTIAL), "JTI=id");
        assert_int_equal(by_token(sign(rs256, CLAIMS(""), rsa_key, "SHA256"), NOW, &identity, ""), 0);

        /* A key has one algorithm, whatever the token says. */
        assert_int_equal(
                by_token(sign("{\"alg\":\"ES256\"}", CLAIMS(""), rsa_key, "SHA256"), NOW, &identity, "signature"),
                -EACCES);
        assert_int_equal(by_token(sign(rs256, CLAIMS(""), token_key, "SHA256"), NOW, &identity, "signature"), -EACCES);
        assert_int_equal(
                by_token(sign("{\"alg\":\"RS512\"}", CLAIMS(""), rsa_key, "SHA512"), NOW, &identity, "signature"),
                -EACCES);
        assert_int_equal(
                by_token(sign("{\"alg\":\"none\"}", CLAIMS(""), token_key, "SHA256"), NOW, &identity, "signature"),
                -EACCES);
        assert_int_equal(
                by_token(sign("{\"alg\":\"ES256\"}", CLAIMS(""), other_key, "SHA256"), NOW, &identity, "signature"),
                -EACCES);
        assert_int_equal(by_token(sign("{\"alg\":\"ES256\",\"kid\":\"x\"}", CLAIMS(""), token_key, "SHA256"), NOW,
                                  &identity, "key is not known"),
                         -EACCES);
        assert_int_equal(by_token(sign("{\"alg\":\"ES256\",\"crit\":[\"x\"]}", CLAIMS(""), token_key, "SHA256"), NOW,
                                  &identity, "crit"),
                         -EACCES);
        assert_int_equal(by_token(sign("{\"alg\":\"ES256\",\"alg\":\"ES256\"}", CLAIMS(""), token_key, "SHA256"), NOW,
                                  &identity, "alg"),
                         -EACCES);
        assert_int_equal(by_token(sign("{\"alg\":7}", CLAIMS(""), token_key, "SHA256"), NOW, &identity, "strings"),
                         -EACCES);
        assert_int_equal(by_token(sign("[]", CLAIMS(""), token_key, "SHA256"), NOW, &identity, "no map"), -EACCES);
}

/* HS256 with the public key as its secret, the old trick. */
static void test_public_key_as_a_secret(void **state) {
        char text[4096], *at = text;
        const char *header = "{\"alg\":\"HS256\"}", *claims = CLAIMS("");
        struct auth_identity identity;
        uint8_t mac[64];
        unsigned n;

        base64_url_encode(header, strlen(header), at);
        at += strlen(at);
        *at++ = '.';
        base64_url_encode(claims, strlen(claims), at);
        at += strlen(at);
        HMAC(EVP_sha256(), token_public, (int)strlen(token_public), (uint8_t *)text, (size_t)(at - text), mac, &n);
        *at++ = '.';
        base64_url_encode(mac, n, at);
        assert_int_equal(by_token(text, NOW, &identity, "signature"), -EACCES);
}

static void test_forms_of_a_token(void **state) {
        const char *good = sign("{\"alg\":\"ES256\"}", CLAIMS(""), token_key, "SHA256");
        size_t n = strlen(good);
        struct auth_identity identity;
        char *long_token = arena_alloc(arena, AUTH_TOKEN_MAX + 2);

        assert_int_equal(by_token(good, NOW, &identity, ""), 0);
        assert_int_equal(by_token(good, NOW, &identity, ""), 0);
        assert_int_equal(by_token(good, NOW + 2 * DAY, &identity, "expired"), -EACCES);

        /* Each bit of it counts: there is no other text for the same token. */
        for (size_t i = 0; i < n; i++) {
                char *changed = arena_strdup(arena, good);

                changed[i] = changed[i] == 'A' ? 'B' : 'A';
                assert_int_equal(by_token(changed, NOW, &identity, ""), -EACCES);
        }
        assert_int_equal(by_token(arena_printf(arena, "%s=", good), NOW, &identity, "base64url"), -EACCES);
        assert_int_equal(by_token(arena_printf(arena, "%s.", good), NOW, &identity, "three parts"), -EACCES);
        assert_int_equal(by_token(arena_printf(arena, "%.*s", (int)n - 2, good), NOW, &identity, ""), -EACCES);
        assert_int_equal(by_token("..", NOW, &identity, ""), -EACCES);
        assert_int_equal(by_token("a.b", NOW, &identity, "invalid bearer token"), -EACCES);
        memset(long_token, 'a', AUTH_TOKEN_MAX + 1);
        assert_int_equal(by_token(long_token, NOW, &identity, "more than 65536 bytes"), -EACCES);
        long_token[AUTH_TOKEN_MAX] = '\0';
        assert_int_equal(by_token(long_token, NOW, &identity, "invalid bearer token"), -EACCES);
}

static void test_claims(void **state) {
        static const struct {
                const char *claims, *why;
                int64_t now;
        } cases[] = {
                { CLAIMS(""), NULL, NOW - 60 },
                { CLAIMS(""), "not valid yet", NOW - 61 },
                { CLAIMS(""), NULL, NOW + 3660 },
                { CLAIMS(""), "has expired", NOW + 3661 },
                { CLAIMS(",\"exp\":1796003601"), "exp", NOW },
                { "{\"iss\":\"other\"," KUBERNETES "}", "invalid bearer token", NOW },
                { "{\"iss\":\"" ISSUER "\"}", "no service account", NOW },
                { "{\"iss\":\"" ISSUER "\",\"sub\":\"system:serviceaccount:web:root\"," KUBERNETES "}", "sub", NOW },
                { "{\"iss\":\"" ISSUER
                  "\",\"sub\":\"system:serviceaccount:web:robot\",\"aud\":\"vault\",\"exp\":1796003600," KUBERNETES "}",
                  "token audiences [\"vault\"] is invalid for the target audiences [\"" ISSUER "\"]", NOW },
                { "{\"iss\":\"" ISSUER "\",\"sub\":\"system:serviceaccount:web:robot\",\"aud\":\"" ISSUER
                  "\",\"exp\":1796003600.5," KUBERNETES "}",
                  NULL, NOW },
                { "{\"iss\":\"" ISSUER "\",\"sub\":\"system:serviceaccount:web:robot\",\"aud\":\"" ISSUER
                  "\"," KUBERNETES "}",
                  "expired", NOW },
                { "{\"iss\":\"" ISSUER "\",\"sub\":\"system:serviceaccount:web:robot\",\"aud\":\"" ISSUER
                  "\",\"exp\":\"1796003600\"," KUBERNETES "}",
                  "no number", NOW },
                { "{\"iss\":\"" ISSUER
                  "\",\"sub\":\"system:serviceaccount:web:robot\",\"aud\":{},\"exp\":1796003600," KUBERNETES "}",
                  "aud", NOW },
                { "{\"iss\":\"" ISSUER "\",\"sub\":\"system:serviceaccount:web:robot\",\"aud\":\"" ISSUER
                  "\",\"exp\":1796003600,\"iat\":1796000061," KUBERNETES "}",
                  "issued in the future", NOW },
        };

        for (unsigned i = 0; i < ELEMENTS(cases); i++) {
                struct auth_identity identity;
                int r = by_token(sign("{\"alg\":\"ES256\"}", cases[i].claims, token_key, "SHA256"), cases[i].now,
                                 &identity, cases[i].why ?: "-");

                if (r != (cases[i].why ? -EACCES : 0))
                        fail_msg("case %u: %d", i, r);
        }
}

static bool extends;
static string_list audiences;

static const char *issue(struct kube_authentication_v1_bound_object_reference *ref, int64_t seconds, int wanted,
                         const char *message) {
        const struct auth_issue config = {
                .keys = keys, .issuer = ISSUER, .extend = extends, .objects = { .find = find }
        };
        const struct auth_account robot = { "web", "robot", "account-uid" };
        struct kube_authentication_v1_token_request request = { .spec.bound_object_ref = ref };
        struct problems problems;
        const char *why = "";
        int r;

        request.spec.audiences = audiences;
        if (seconds)
                request.spec.expiration_seconds = (struct opt_int){ seconds, true };
        problems_init(&problems, arena, NULL, NULL);
        r = auth_issue_token(&config, &robot, NOW, &request, &problems, &why);
        assert_int_equal(r, wanted);
        if (problems.errors > 0)
                why = problems.items[0].text;
        if (message)
                assert_string_equal(why, message);
        if (r == 0)
                assert_int_equal(request.status.expiration_timestamp.seconds,
                                 NOW + request.spec.expiration_seconds.value);
        return request.status.token;
}

static void test_issued_tokens_live_as_long_as_what_they_are_bound_to(void **state) {
        struct kube_authentication_v1_bound_object_reference to_pod = { "Pod", "v1", "pod-1", NULL };
        struct auth_identity identity;
        const char *token = issue(&to_pod, 0, 0, NULL), *alone = issue(NULL, 600, 0, NULL);

        assert_int_equal(by_token(alone, NOW + 660, &identity, ""), 0);
        assert_int_equal(by_token(alone, NOW + 661, &identity, "expired"), -EACCES);
        assert_int_equal(by_token(token, NOW, &identity, ""), 0);
        assert_string_equal(auth_user_extra(&identity.user, AUTH_EXTRA_POD), "pod-1");
        assert_string_equal(auth_user_extra(&identity.user, AUTH_EXTRA_POD_UID), "pod-uid");
        assert_string_equal(auth_user_extra(&identity.user, AUTH_EXTRA_NODE), "node-1");
        assert_string_equal(auth_user_extra(&identity.user, AUTH_EXTRA_NODE_UID), "node-uid");
        node.uid = NULL; /* told, and not what the token hangs on */
        assert_int_equal(by_token(token, NOW, &identity, ""), 0);
        pod.deleted = NOW;
        assert_int_equal(by_token(token, NOW + 60, &identity, ""), 0);
        assert_int_equal(by_token(token, NOW + 61, &identity, "deleted"), -EACCES);
        pod = (struct auth_object){ .uid = "another" };
        assert_int_equal(by_token(token, NOW, &identity, "another now"), -EACCES);
        pod.uid = NULL;
        assert_int_equal(by_token(token, NOW, &identity, "not there"), -EACCES);
        account.uid = "another";
        assert_int_equal(by_token(alone, NOW, &identity, "another now"), -EACCES);
}

/* Those of pods' own volumes, for the API alone, live for a year; what is told of them is what was asked for. */
static void test_tokens_that_are_extended(void **state) {
        struct kube_authentication_v1_bound_object_reference to_pod = { "Pod", "v1", "pod-1", NULL };
        const char *own = ISSUER, *both[] = { ISSUER, "else" };
        struct auth_identity identity;
        const char *token;

        extends = true;
        token = issue(&to_pod, 3607, 0, NULL);
        assert_int_equal(by_token(token, NOW + 3607, &identity, ""), 0);
        assert_int_equal(identity.notes.count, 0);
        assert_int_equal(by_token(token, NOW + 3607 + 61, &identity, ""), 0);
        assert_string_equal(string_map_get(&identity.notes, "authentication.k8s.io/stale-token"),
                            "subject: system:serviceaccount:web:robot, seconds after warning threshold: 61");
        assert_int_equal(by_token(token, NOW + 365 * 86400 + 60, &identity, ""), 0);
        assert_int_equal(by_token(token, NOW + 365 * 86400 + 61, &identity, "expired"), -EACCES);
        assert_int_equal(by_token(issue(&to_pod, 3600, 0, NULL), NOW + 3661, &identity, "expired"), -EACCES);
        assert_int_equal(by_token(issue(NULL, 3607, 0, NULL), NOW + 3668, &identity, "expired"), -EACCES);
        audiences = (string_list){ &own, 1 };
        assert_int_equal(by_token(issue(&to_pod, 3607, 0, NULL), NOW + 3668, &identity, ""), 0);
        audiences = (string_list){ both, 2 };
        assert_int_equal(by_token(issue(&to_pod, 3607, 0, NULL), NOW + 3668, &identity, "expired"), -EACCES);
        audiences = (string_list){ 0 };
        extends = false;
        assert_int_equal(by_token(issue(&to_pod, 3607, 0, NULL), NOW + 3668, &identity, "expired"), -EACCES);
}

static void test_requests_for_tokens(void **state) {
        struct kube_authentication_v1_bound_object_reference refs[] = {
                { "Pod", "v1", "none", NULL },
                { "ConfigMap", "v1", "x", NULL },
                { "Pod", "v1", "pod-1", "1" },
                { "Pod", "v1", "pod-1", "pod-uid" },
        };

        issue(NULL, 599, -EINVAL,
              "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes");
        issue(NULL, INT64_C(1) << 32, 0, NULL);
        issue(NULL, (INT64_C(1) << 32) + 1, -EINVAL,
              "spec.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds");
        issue(&refs[0], 0, -ENOENT, "pods \"none\" not found");
        issue(&refs[1], 0, -EINVAL, "cannot bind token to object of type /v1, Kind=ConfigMap");
        issue(&refs[2], 0, -EEXIST,
              "Operation cannot be fulfilled on Pod \"pod-1\": the UID in the bound object reference (1) does not "
              "match the UID "
              "in record. The object might have been deleted and then recreated");
        issue(&refs[3], 0, 0, NULL);
        pod.account = "root";
        issue(&refs[3], 0, -EINVAL,
              "cannot bind token for serviceaccount \"robot\" to pod running with different serviceaccount name.");
}

static void test_bootstrap_tokens(void **state) {
        const char *token = "abcdef.0123456789abcdef";
        struct auth_identity identity;

        assert_int_equal(by_token(token, NOW, &identity, ""), 0);
        assert_string_equal(identity.user.name, "system:bootstrap:abcdef");
        assert_string_equal(auth_join(arena, &identity.user.groups, " "),
                            "system:bootstrappers system:bootstrappers:a system:bootstrappers:b system:authenticated");
        assert_int_equal(by_token("abcdef.0123456789abcdeF", NOW, &identity, "invalid"), -EACCES);
        assert_int_equal(by_token("abcdef.0123456789abcdee", NOW, &identity, "invalid"), -EACCES);
        assert_int_equal(by_token("abcdee.0123456789abcdef", NOW, &identity, "invalid"), -EACCES);
        assert_int_equal(by_token(token, NOW + 40 * DAY, &identity, "invalid"), -EACCES);
        set_datum(1, "expiration", "next year");
        assert_int_equal(by_token(token, NOW, &identity, "invalid"), -EACCES);
        set_datum(1, "expiration", "");
        assert_int_equal(by_token(token, NOW + 4000 * DAY, &identity, ""), 0);
        set_datum(0, "auth-extra-groups", "system:masters");
        assert_int_equal(by_token(token, NOW, &identity, "no group for it"), -EACCES);
        set_datum(0, "auth-extra-groups", "");
        set_datum(4, "usage-bootstrap-authentication", "false");
        assert_int_equal(by_token(token, NOW, &identity, "invalid"), -EACCES);
        set_datum(4, "usage-bootstrap-authentication", "true");
        bootstrap.type = "Opaque";
        assert_int_equal(by_token(token, NOW, &identity, "invalid"), -EACCES);
}

static void test_who_brings_nothing_and_who_brings_something_wrong(void **state) {
        static const struct {
                enum auth_anonymous mode;
                const char *path, *authorization;
                int r;
        } cases[] = {
                { AUTH_ANONYMOUS_PUBLIC, "/livez", NULL, 0 },
                { AUTH_ANONYMOUS_PUBLIC, "/readyz/ping", NULL, 0 },
                { AUTH_ANONYMOUS_PUBLIC, "/healthz", "Basic eA==", 0 },
                { AUTH_ANONYMOUS_PUBLIC, "/healthz", "Bearer wrong", -EACCES },
                { AUTH_ANONYMOUS_PUBLIC, "/healthzz", NULL, -EACCES },
                { AUTH_ANONYMOUS_PUBLIC, "/livez/../api", NULL, -EACCES },
                { AUTH_ANONYMOUS_PUBLIC, "/api", NULL, -EACCES },
                { AUTH_ANONYMOUS_PUBLIC, "/api/v1/namespaces/kube-public/configmaps/cluster-info", NULL, 0 },
                { AUTH_ANONYMOUS_PUBLIC, "/api/v1/namespaces/kube-public/configmaps/cluster-info/x", NULL, -EACCES },
                { AUTH_ANONYMOUS_PUBLIC, "/api/v1/namespaces/kube-public/configmaps", NULL, -EACCES },
                { AUTH_ANONYMOUS_NEVER, "/livez", NULL, -EACCES },
                { AUTH_ANONYMOUS_ALWAYS, "/api", NULL, 0 },
                { AUTH_ANONYMOUS_ALWAYS, "/api", "bearer x", -EACCES },
                { AUTH_ANONYMOUS_ALWAYS, "/api", "Bearer abcdef.0123456789abcdef", 0 },
        };

        for (unsigned i = 0; i < ELEMENTS(cases); i++) {
                struct auth_authenticator *a = make_authenticator(cases[i].mode);
                const struct auth_credentials c = { .authorization = cases[i].authorization, .path = cases[i].path };
                struct auth_identity identity = { 0 };
                int r = auth_authenticate(a, &c, NOW, arena, &identity, NULL);

                if (r != cases[i].r)
                        fail_msg("case %u: %d", i, r);
                if (r == 0)
                        assert_int_equal(identity.anonymous, strcmp(identity.user.name, AUTH_USER_ANONYMOUS) == 0);
                auth_authenticator_free(a);
        }
}

static void test_a_wrong_certificate_is_refused_and_a_token_makes_up_for_it(void **state) {
        _cleanup_x509_ X509 *wrong =
                make_certificate("jane", NULL, token_key, other_ca, other_key, PKI_USE_CLIENT, NOW, NOW + DAY);
        struct auth_credentials c = { .certificate = wrong, .path = "/livez" };
        struct auth_identity identity;

        assert_int_equal(auth_authenticate(authenticator, &c, NOW, arena, &identity, NULL), -EACCES);
        c.authorization = "Bearer abcdef.0123456789abcdef";
        assert_int_equal(auth_authenticate(authenticator, &c, NOW, arena, &identity, NULL), 0);
        assert_string_equal(identity.user.name, "system:bootstrap:abcdef");
}

static void test_a_token_among_protocols_counts_where_no_other_credential_does(void **state) {
        struct http_field field = { "sec-websocket-protocol",
                                    "v5.channel.k8s.io, " PROTOCOL "YWJjZGVmLjAxMjM0NTY3ODlhYmNkZWY" };
        const struct http_request request = { .upgrade = "websocket", .fields = { &field, 1, 1 } };
        struct auth_credentials c = { .request = &request, .path = "/livez" };
        struct auth_identity identity;

        assert_int_equal(auth_authenticate(authenticator, &c, NOW, arena, &identity, NULL), 0);
        assert_string_equal(identity.user.name, "system:bootstrap:abcdef");
        c.authorization = "Bearer wrong";
        assert_int_equal(auth_authenticate(authenticator, &c, NOW, arena, &identity, NULL), 0);
        assert_string_equal(identity.user.name, "system:bootstrap:abcdef");
        c.authorization = NULL;
        field.value = "v5.channel.k8s.io, " PROTOCOL "d3Jvbmc";
        assert_int_equal(auth_authenticate(authenticator, &c, NOW, arena, &identity, NULL), -EACCES);
        field.value = PROTOCOL "YWJjZGVmLjAxMjM0NTY3ODlhYmNkZWY"; /* and no protocol to agree on */
        assert_int_equal(auth_authenticate(authenticator, &c, NOW, arena, &identity, NULL), -EACCES);
        field.value = "v5.channel.k8s.io";
        assert_int_equal(auth_authenticate(authenticator, &c, NOW, arena, &identity, NULL), 0);
        assert_true(identity.anonymous);
}

static void test_token_reviews(void **state) {
        const char *other = "vault", *own[] = { "vault", ISSUER };
        struct kube_authentication_v1_token_review review = { .spec.token = issue(NULL, 0, 0, NULL) };

        assert_int_equal(auth_review_token(authenticator, NOW, arena, &review), 0);
        assert_true(review.status.authenticated);
        assert_string_equal(review.status.user.username, "system:serviceaccount:web:robot");
        assert_string_equal(auth_join(arena, &review.status.audiences, " "), ISSUER);
        review.spec.audiences = (string_list){ own, 2 };
        assert_int_equal(auth_review_token(authenticator, NOW, arena, &review), 0);
        assert_string_equal(auth_join(arena, &review.status.audiences, " "), ISSUER);
        review.spec.audiences = (string_list){ &other, 1 };
        assert_int_equal(auth_review_token(authenticator, NOW, arena, &review), 0);
        assert_false(review.status.authenticated);
        review.spec.token = "";
        assert_int_equal(auth_review_token(authenticator, NOW, arena, &review), -EINVAL);
}

static void test_discovery(void **state) {
        char *text = auth_discovery(arena, keys, ISSUER, "https://10.0.0.1:6443/openid/v1/jwks"),
             *set = auth_jwks(arena, keys);

        assert_string_equal(text,
                            "{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"https://10.0.0.1:6443/openid/v1/jwks\","
                            "\"response_types_supported\":[\"id_token\"],\"subject_types_supported\":[\"public\"],"
                            "\"id_token_signing_alg_values_supported\":[\"ES256\",\"RS256\"]}");
        assert_non_null(strstr(set, "\"crv\":\"P-256\",\"alg\":\"ES256\",\"x\":\""));
        assert_non_null(strstr(set, "\"alg\":\"RS256\",\"n\":\""));
        assert_non_null(strstr(set, "\"e\":\"AQAB\"}]}"));
        assert_int_equal(auth_keys_new("rubbish", NULL, &keys, NULL), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_certificates),
                TEST(test_renewing_nodes),
                TEST(test_a_node_is_known_by_its_uid),
                TEST(test_what_renewing_nodes_may),
                TEST(test_authorities_are_swapped),
                TEST(test_token_with_a_made_up_header),
                TEST(test_public_key_as_a_secret),
                TEST(test_forms_of_a_token),
                TEST(test_claims),
                TEST(test_issued_tokens_live_as_long_as_what_they_are_bound_to),
                TEST(test_tokens_that_are_extended),
                TEST(test_requests_for_tokens),
                TEST(test_bootstrap_tokens),
                TEST(test_who_brings_nothing_and_who_brings_something_wrong),
                TEST(test_a_wrong_certificate_is_refused_and_a_token_makes_up_for_it),
                TEST(test_a_token_among_protocols_counts_where_no_other_credential_does),
                TEST(test_token_reviews),
                TEST(test_discovery),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
