#include "images/worker/token.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/worker/auth.h"
#include "images/worker/challenge.h"
#include "images/worker/endpoints.h"
#include "images/worker/http.h"
#include "images/worker/registry.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/value.h"

#define CLIENT_ID "nacelle"

/* What is asked, of whom. */
struct token_request {
        const struct endpoint *endpoint;
        const char *realm, *service, *scope; /* service, scope: NULL for none */
};

bool token_server_allowed(const struct endpoint *e, const char *realm) {
        bool secure = strncmp(e->base, "https:", 6) == 0;

        return realm && (strncasecmp(realm, "https://", 8) == 0 || (!secure && strncasecmp(realm, "http://", 7) == 0));
}

static const char *text_of(const struct value *root, const char *key) {
        const char *text = value_string(value_get(root, key));

        return text && *text ? text : NULL;
}

static int token_value(const struct image_http_response *response, const char *realm, char **ret, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *root;
        const char *token;
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        r = json_parse(arena, response->body ?: "", response->n_body, NULL, &root, NULL);
        if (r < 0)
                return err_set(err, EPROTO, "token server %s: the answer is no JSON", realm);
        token = text_of(root, "token") ?: text_of(root, "access_token");
        if (!token || strpbrk(token, "\r\n"))
                return err_set(err, EPROTO, "token server %s: the answer has no token", realm);
        return asprintf(ret, "Bearer %s", token) < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
}

/* *@ret_status: the answer's, 0 for none. */
static int ask(struct http *http, struct image_http_request *q, const char *realm, long *ret_status, char **ret,
               struct err **err) {
        _cleanup_response_ struct image_http_response response = { 0 };
        char shown[HTTP_SHOWN_MAX];
        int r;

        q->max = REGISTRY_TOKEN_MAX;
        r = image_http_perform(http, q, &response, err);
        *ret_status = response.status;
        if (r < 0)
                return err_wrap(err, r, "token server");
        image_http_shown(realm, shown);
        if (response.status == 401 || response.status == 403 || response.status == 400)
                return err_set(err, EACCES, "token server %s refuses the credentials (status %ld)", shown,
                               response.status);
        if (response.status != 200)
                return err_set(err, response.status >= 500 ? EAGAIN : EPROTO, "token server %s: status %ld", shown,
                               response.status);
        return token_value(&response, shown, ret, err);
}

/* SEPARATORname=value with all but RFC 3986's unreserved characters escaped. */
static void put_field(FILE *f, const char *separator, const char *name, const char *value, size_t n) {
        fprintf(f, "%s%s=", separator, name);
        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)value[i];

                fprintf(f, c < 0x80 && (isalnum(c) || strchr("-._~", c)) ? "%c" : "%%%02X", c);
        }
}

/* With a refresh token: OAuth2's form. */
static int ask_by_form(struct http *http, const struct token_request *t, long *ret_status, char **ret,
                       struct err **err) {
        _cleanup_free_ char *form = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&form, &n);

        if (!f)
                return err_set(err, ENOMEM, "out of memory");
        fputs("grant_type=refresh_token&client_id=" CLIENT_ID, f);
        if (t->service)
                put_field(f, "&", "service", t->service, strlen(t->service));
        if (t->scope)
                put_field(f, "&", "scope", t->scope, strlen(t->scope));
        put_field(f, "&", "refresh_token", t->endpoint->identity_token, strlen(t->endpoint->identity_token));
        if (fclose(f) != 0)
                return err_set(err, ENOMEM, "out of memory");
        struct image_http_request q = { .method = "POST",
                                        .url = t->realm,
                                        .headers = { "Content-Type: application/x-www-form-urlencoded" },
                                        .n_headers = 1,
                                        .tls = &t->endpoint->tls,
                                        .body = form,
                                        .n_body = n };

        return ask(http, &q, t->realm, ret_status, ret, err);
}

/* The realm with what is asked behind its own query; each scope is a field of its own. */
static char *query_url(const struct token_request *t) {
        size_t n = strcspn(t->realm, "#"), size = 0;
        const char *separator = memchr(t->realm, '?', n) ? strchr("?&", t->realm[n - 1]) ? "" : "&" : "?";
        char *url = NULL;
        FILE *f = open_memstream(&url, &size);

        if (!f)
                return NULL;
        fwrite(t->realm, 1, n, f);
        if (t->service) {
                put_field(f, separator, "service", t->service, strlen(t->service));
                separator = "&";
        }
        for (const char *p = t->scope ?: ""; *p;) {
                size_t length = strcspn(p, " ");

                if (length > 0) {
                        put_field(f, separator, "scope", p, length);
                        separator = "&";
                }
                p += length + (p[length] == ' ');
        }
        if (t->endpoint->username)
                fprintf(f, "%sclient_id=" CLIENT_ID, separator);
        if (fclose(f) == 0)
                return url;
        free(url);
        return NULL;
}

static int ask_by_query(struct http *http, const struct token_request *t, char **ret, struct err **err) {
        const struct endpoint *e = t->endpoint;
        const char *password = e->password ?: e->identity_token;
        _cleanup_free_ char *url = query_url(t), *basic = NULL, *header = NULL;
        struct image_http_request q = { .method = "GET", .url = url, .tls = &e->tls, .follow = true };
        long status;
        int r;

        if (!url)
                return err_set(err, ENOMEM, "out of memory");
        if (password) {
                r = auth_basic(e->host, e->username ?: "", password, &basic, err);
                if (r < 0)
                        return r;
                if (asprintf(&header, "Authorization: %s", basic) < 0) {
                        header = NULL;
                        return err_set(err, ENOMEM, "out of memory");
                }
                q.headers[q.n_headers++] = header;
        }
        return ask(http, &q, t->realm, &status, ret, err);
}

/* Servers that have no POST, or none for tokens, say so in these ways: GCR, Artifactory, ACR. */
static bool wants_get(long status) {
        return status == 400 || status == 401 || status == 404 || status == 405;
}

int token_fetch(struct http *http, const struct endpoint *e, const struct challenge *c, const char *scope, char **ret,
                struct err **err) {
        const struct token_request t = {
                .endpoint = e, .realm = c->realm, .service = c->service, .scope = c->scope ?: scope
        };
        struct err *cause = NULL;
        long status;
        int r;

        if (!token_server_allowed(e, c->realm))
                return err_set(err, EPROTO, "%s names no token server that may be asked: \"%.200s\"", e->host,
                               c->realm ?: "");
        if (!e->identity_token)
                return ask_by_query(http, &t, ret, err);
        r = ask_by_form(http, &t, &status, ret, &cause);
        if (r == 0 || !wants_get(status))
                return r < 0 ? err_move(err, cause) : 0;
        err_free(cause);
        return ask_by_query(http, &t, ret, err);
}
