#include "images/worker/auth.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "images/worker/endpoints.h"
#include "images/worker/http.h"
#include "images/worker/registry.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/value.h"

#define SECRET_MAX 8192

/* One `name=token` or `name="quoted"` at *@p, which moves behind it and its comma. */
static bool next_parameter(const char **p, const char **ret_name, size_t *ret_n, char *value, size_t size) {
        size_t n = 0;

        *p += strspn(*p, " \t,");
        *ret_name = *p;
        *ret_n = strcspn(*p, "=, \t");
        *p += *ret_n;
        if (*ret_n == 0 || **p != '=')
                return false;
        ++*p;
        if (**p == '"') {
                for (++*p; **p && **p != '"'; ++*p) {
                        if (**p == '\\' && (*p)[1])
                                ++*p;
                        if (n + 1 < size)
                                value[n++] = **p;
                }
                *p += **p == '"';
        } else {
                for (; **p && **p != ',' && **p != ' '; ++*p)
                        if (n + 1 < size)
                                value[n++] = **p;
        }
        value[n] = '\0';
        return true;
}

char *auth_parameter(const char *challenge, const char *name) {
        const char *p = challenge + strcspn(challenge, " "), *found;
        char value[4096];
        size_t n;

        while (next_parameter(&p, &found, &n, value, sizeof(value)))
                if (n == strlen(name) && strncasecmp(found, name, n) == 0)
                        return strdup(value);
        return NULL;
}

static int basic_value(const struct endpoint *e, char **ret, struct err **err) {
        _cleanup_free_ unsigned char *plain = NULL, *coded = NULL;
        int n;

        if (!e->username || !e->password)
                return err_set(err, EACCES, "%s wants credentials, and there are none for it", e->host);
        n = asprintf((char **)&plain, "%s:%s", e->username, e->password);
        if (n < 0) {
                plain = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        coded = n < SECRET_MAX ? malloc((size_t)n * 4 / 3 + 8) : NULL;
        if (!coded)
                return err_set(err, EINVAL, "the credentials for %s are too long", e->host);
        EVP_EncodeBlock(coded, plain, n);
        explicit_bzero(plain, (size_t)n);
        return asprintf(ret, "Basic %s", coded) < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
}

static int token_value(const struct http_response *response, const char *realm, char **ret, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *root;
        const char *token;
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        r = json_parse(arena, response->body ?: "", response->n_body, NULL, &root, err);
        if (r < 0)
                return err_wrap(err, "token server %s", realm) ?: r;
        token = value_string(value_get(root, "token")) ?: value_string(value_get(root, "access_token"));
        if (!token || !*token || strpbrk(token, "\r\n"))
                return err_set(err, EPROTO, "token server %s: the answer has no token", realm);
        return asprintf(ret, "Bearer %s", token) < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
}

static int ask(struct http *http, struct http_request *q, const char *realm, char **ret, struct err **err) {
        _cleanup_response_ struct http_response response = { 0 };
        int r;

        q->max = REGISTRY_TOKEN_MAX;
        r = http_perform(http, q, &response, err);
        if (r < 0)
                return err_wrap(err, "token server") ?: r;
        if (response.status == 401 || response.status == 403 || response.status == 400)
                return err_set(err, EACCES, "token server %s refuses the credentials (status %ld)", realm,
                               response.status);
        if (response.status != 200)
                return err_set(err, response.status >= 500 ? EAGAIN : EPROTO, "token server %s: status %ld", realm,
                               response.status);
        return token_value(&response, realm, ret, err);
}

/* With a refresh token: OAuth2's form. */
static int ask_by_form(struct http *http, struct http_request *q, const struct endpoint *e, const char *realm,
                       const char *service, const char *scope, char **ret, struct err **err) {
        _cleanup_free_ char *token = http_escape(e->identity_token), *form = NULL;
        int n = token ? asprintf(&form,
                                 "grant_type=refresh_token&client_id=nacelle&service=%s&scope=%s&refresh_token=%s",
                                 service, scope, token) :
                        -1;

        if (n < 0) {
                form = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        q->method = "POST";
        q->url = realm;
        q->headers[q->n_headers++] = "Content-Type: application/x-www-form-urlencoded";
        q->body = form;
        q->n_body = (size_t)n;
        return ask(http, q, realm, ret, err);
}

static int ask_by_query(struct http *http, struct http_request *q, const struct endpoint *e, const char *realm,
                        const char *service, const char *scope, char **ret, struct err **err) {
        _cleanup_free_ char *url = NULL, *basic = NULL, *header = NULL;
        int r;

        if (asprintf(&url, "%s%cservice=%s&scope=%s%s", realm, strchr(realm, '?') ? '&' : '?', service, scope,
                     e->username ? "&client_id=nacelle" : "") < 0) {
                url = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        if (e->username && e->password) {
                r = basic_value(e, &basic, err);
                if (r < 0)
                        return r;
                if (asprintf(&header, "Authorization: %s", basic) < 0) {
                        header = NULL;
                        return err_set(err, ENOMEM, "out of memory");
                }
                q->headers[q->n_headers++] = header;
        }
        q->method = "GET";
        q->url = url;
        return ask(http, q, realm, ret, err);
}

static int bearer_value(struct http *http, const struct endpoint *e, const char *challenge, const char *default_scope,
                        char **ret, struct err **err) {
        _cleanup_free_ char *realm = auth_parameter(challenge, "realm"),
                            *service = auth_parameter(challenge, "service");
        _cleanup_free_ char *scope = auth_parameter(challenge, "scope"), *service_escaped = http_escape(service ?: "");
        _cleanup_free_ char *scope_escaped = http_escape(scope ?: default_scope);
        struct http_request q = { .tls = &e->tls };
        bool secure = strncmp(e->base, "https:", 6) == 0;

        if (!service_escaped || !scope_escaped)
                return err_set(err, ENOMEM, "out of memory");
        if (!realm || (strncmp(realm, "https://", 8) != 0 && (secure || strncmp(realm, "http://", 7) != 0)))
                return err_set(err, EPROTO, "%s names no token server that may be asked: \"%.200s\"", e->host,
                               realm ?: "");
        return e->identity_token ? ask_by_form(http, &q, e, realm, service_escaped, scope_escaped, ret, err) :
                                   ask_by_query(http, &q, e, realm, service_escaped, scope_escaped, ret, err);
}

int auth_answer(struct http *http, const struct endpoint *e, const struct http_response *response, const char *scope,
                char **ret_value, struct err **err) {
        const char *basic = NULL;

        if (e->registry_token)
                return asprintf(ret_value, "Bearer %s", e->registry_token) < 0 ? err_set(err, ENOMEM, "out of memory") :
                                                                                 0;
        for (size_t i = 0; i < ELEMENTS(response->authenticate) && response->authenticate[i]; i++) {
                const char *challenge = response->authenticate[i];

                if (strncasecmp(challenge, "Bearer ", 7) == 0)
                        return bearer_value(http, e, challenge, scope, ret_value, err);
                if (strncasecmp(challenge, "Basic", 5) == 0)
                        basic = challenge;
        }
        if (basic)
                return basic_value(e, ret_value, err);
        return err_set(err, EACCES, "%s refuses access and does not say what it wants", e->host);
}
