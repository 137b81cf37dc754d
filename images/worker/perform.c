#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/worker/auth.h"
#include "images/worker/elsewhere.h"
#include "images/worker/registry.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/value.h"

/* What the server wrote: distribution-spec's errors[0], or nothing. */
static void server_says(const struct image_http_response *response, char *text, size_t size) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *root;
        const char *code, *message;

        *text = '\0';
        if (!arena || !response->body || json_parse(arena, response->body, response->n_body, NULL, &root, NULL) < 0)
                return;
        code = value_string(value_find(root, "errors[0].code"));
        message = value_string(value_find(root, "errors[0].message"));
        if (code || message)
                snprintf(text, size, ": %.80s%s%.200s", code ?: "", code && message ? ": " : "", message ?: "");
}

static int status_error(const struct image_http_request *q, const struct image_http_response *response,
                        struct err **err) {
        long status = response->status;
        char says[320], url[HTTP_SHOWN_MAX];
        int code = EPROTO;

        if (status == 404)
                code = ENOENT;
        else if (status == 401 || status == 403)
                code = EACCES;
        else if (status == 408 || status == 429 || status >= 500)
                code = EAGAIN;
        server_says(response, says, sizeof(says));
        return err_set(err, code, "%s %s: status %ld%s", q->method, image_http_shown(response->url ?: q->url, url),
                       status, says);
}

static char *saved_authorization(struct registry *registry, struct endpoint *e) {
        char *value = NULL;

        pthread_mutex_lock(&registry->lock);
        if (e->authorization)
                value = strdup(e->authorization);
        pthread_mutex_unlock(&registry->lock);
        return value;
}

static void save_authorization(struct registry *registry, struct endpoint *e, const char *value) {
        pthread_mutex_lock(&registry->lock);
        free(e->authorization);
        e->authorization = strdup(value);
        pthread_mutex_unlock(&registry->lock);
}

/* With the headers that are configured for the server, but for one that an answered challenge takes the place of. */
static int perform_as(const struct endpoint *server, struct http *http, struct image_http_request *q,
                      const char *authorization, struct image_http_response *response, struct err **err) {
        _cleanup_free_ char *header = NULL;
        size_t n = q->n_headers;
        int r;

        if (authorization) {
                if (asprintf(&header, "Authorization: %s", authorization) < 0) {
                        header = NULL;
                        return err_set(err, ENOMEM, "out of memory");
                }
                q->headers[q->n_headers++] = header;
        }
        for (size_t i = 0; i < server->n_headers; i++)
                if (!header || strncasecmp(server->headers[i], "Authorization:", 14) != 0)
                        q->headers[q->n_headers++] = server->headers[i];
        q->tls = &server->tls;
        r = image_http_perform(http, q, response, err);
        q->n_headers = n;
        return r;
}

/* A server on loopback that speaks no TLS is taken as it is. A request without anything secret finds out: it needs no
 * certificates, which take longer to read than a small layer. */
static void find_scheme(struct registry *registry, struct endpoint *e, struct http *http) {
        _cleanup_response_ struct image_http_response response = { 0 };
        const struct http_tls tls = { .skip_verify = true };
        struct image_http_request q = { .method = "HEAD", .url = e->base, .tls = &tls };
        int r = image_http_perform(http, &q, &response, NULL);

        if (r < 0 && !image_http_was_plain(http))
                return; /* the real one says what is wrong */
        pthread_mutex_lock(&registry->lock);
        if (r < 0 && e->try_plain)
                memmove(e->base + 4, e->base + 5, strlen(e->base) - 4);
        e->try_plain = false;
        pthread_mutex_unlock(&registry->lock);
}

static int settle_scheme(struct registry *registry, struct endpoint *e, struct http *http, struct image_http_request *q,
                         char **ret_url) {
        if (!e->try_plain)
                return 0;
        find_scheme(registry, e, http);
        if (strncmp(e->base, "http:", 5) != 0)
                return 0;
        if (asprintf(ret_url, "http%s", q->url + 5) < 0)
                return -ENOMEM;
        q->url = *ret_url;
        return 0;
}

static bool is_refused(const struct image_http_response *response) {
        return response->status == 401 || response->status == 403;
}

/* A request, and where its answer goes. */
struct exchange {
        struct registry *registry;
        struct http *http;
        struct image_http_request *q;
        struct image_http_response *response;
};

/* Answers @challenges of @server and asks again. */
static int answer(const struct exchange *x, struct endpoint *server, const char *challenges, const char *scope,
                  struct err **err) {
        _cleanup_free_ char *value = NULL;
        int r = auth_answer(x->http, server, challenges, scope, &value, err);

        if (r < 0)
                return r;
        r = perform_as(server, x->http, x->q, value, x->response, err);
        if (r == 0 && !is_refused(x->response))
                save_authorization(x->registry, server, value);
        return r;
}

/* At one server. A challenge without a scope gets a token without one; where that opens nothing, one for the image. */
static int perform_at(const struct exchange *x, struct endpoint *server, struct err **err) {
        const struct registry *registry = x->registry;
        struct image_http_response *response = x->response;
        _cleanup_free_ char *saved = saved_authorization(x->registry, server), *challenges = NULL;
        char scope[IMAGE_NAME_MAX + 32];
        int r = perform_as(server, x->http, x->q, saved, response, err);

        if (r < 0 || response->status != 401)
                return r;
        challenges = TAKE_PTR(response->authenticate);
        r = answer(x, server, challenges, NULL, err);
        if (r < 0 || !is_refused(response) || !auth_scope_is_open(server, challenges))
                return r;
        snprintf(scope, sizeof(scope), "repository:%s:pull%s", registry->path, registry->push ? ",push" : "");
        return answer(x, server, challenges, scope, err);
}

int registry_lead(const char *url, const char *location, char **ret_url, struct err **err) {
        char from[HTTP_SHOWN_MAX], to[HTTP_SHOWN_MAX];
        _cleanup_free_ char *whole = location ? image_http_resolve(url, location) : NULL;

        image_http_shown(url, from);
        if (!whole)
                return err_set(err, EPROTO, "%s leads to %s, which is no URL of http or https", from,
                               location ? image_http_shown(location, to) : "nowhere");
        if (strncmp(url, "https:", 6) == 0 && strncmp(whole, "https:", 6) != 0)
                return err_set(err, EPROTO, "%s leads to %s, from https to plain http, where nothing is sent", from,
                               image_http_shown(whole, to));
        *ret_url = TAKE_PTR(whole);
        return 0;
}

/* A body goes on only where its method does. */
static bool is_redirect(const struct image_http_request *q, const struct image_http_response *response) {
        bool reads = strcmp(q->method, "GET") == 0 || strcmp(q->method, "HEAD") == 0;

        switch (response->status) {
        case 307:
        case 308:
                return true;
        case 301:
        case 302:
        case 303:
                return reads;
        default:
                return false;
        }
}

/* Goes where the answers lead; *@ret_server is the last that was asked. */
static int perform_all(const struct exchange *x, struct endpoint *e, struct endpoint **ret_server, struct err **err) {
        struct image_http_request *q = x->q;
        char *url = NULL;
        int r;

        for (unsigned hop = 0;; hop++) {
                char *next;

                if ((r = elsewhere_find(x->registry, e, q->url, ret_server, err)) < 0 ||
                    (r = perform_at(x, *ret_server, err)) < 0 || !is_redirect(q, x->response))
                        break;
                r = hop < HTTP_REDIRECTS_MAX ?
                            registry_lead(q->url, x->response->location, &next, err) :
                            err_set(err, EPROTO, "%s redirects more than %d times", e->host, HTTP_REDIRECTS_MAX);
                if (r < 0)
                        break;
                free(url);
                q->url = url = next;
        }
        free(url);
        return r;
}

int registry_perform(struct registry *registry, struct endpoint *e, struct http *http, struct image_http_request *q,
                     struct image_http_response *response, struct err **err) {
        const struct exchange x = { registry, http, q, response };
        _cleanup_free_ char *plain_url = NULL;
        struct endpoint *server = e;
        const char *url = q->url;
        struct err *cause = NULL;
        int r;

        if (settle_scheme(registry, e, http, q, &plain_url) < 0)
                return err_set(err, ENOMEM, "out of memory");
        r = perform_all(&x, e, &server, &cause);
        q->url = url;
        if (r == 0 && (response->status < 200 || response->status > 299))
                r = status_error(q, response, &cause);
        if (r == -EACCES && server->complaint) /* the reason, as likely as not */
                err_wrap(&cause, r, "%s; without its credentials", server->complaint);
        return r < 0 ? err_move(err, cause) : 0;
}
