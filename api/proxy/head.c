/* Heads that pass: which fields go on and which end here (RFC 9110, 7.6.1), what is added, and where answers point. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "api/proxy/internal.h"
#include "api/server/request.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/http/exchange.h"
#include "lib/stream/bearer.h"
#include "lib/transport/transport.h"

#define FIELDS_MORE 3 /* beside those that pass */

/* What is between two neighbours, the layers' own, and who it is that asks here. */
static const char *const ours_of_requests[] = { "connection",
                                                "keep-alive",
                                                "proxy-authenticate",
                                                "te",
                                                "proxy-connection",
                                                "proxy-authorization",
                                                "trailer",
                                                "transfer-encoding",
                                                "upgrade",
                                                "host",
                                                "content-length",
                                                "expect",
                                                "authorization",
                                                "http2-settings" };

static const char *const ours_of_answers[] = { "connection",
                                               "keep-alive",
                                               "proxy-authenticate",
                                               "proxy-connection",
                                               "te",
                                               "trailer",
                                               "transfer-encoding",
                                               "upgrade",
                                               "content-length",
                                               "date",
                                               "access-control-allow-credentials",
                                               "access-control-allow-headers",
                                               "access-control-allow-methods",
                                               "access-control-allow-origin" };

static bool is_among(const char *name, const char *const *names, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(name, names[i]) == 0)
                        return true;
        return false;
}

static bool begins(const char *name, const char *prefix) {
        return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* What a client says of who it is, or would be: nobody behind this server is to take it for this server's word, which a
 * kubelet or an API that is one's front proxy may (as kube-apiserver takes them out behind authentication). */
static bool is_of_identity(const char *name) {
        static const char *const names[] = { "x-remote-user", "x-remote-uid", "x-remote-group" };

        return is_among(name, names, ELEMENTS(names)) || begins(name, "x-remote-extra-") ||
               begins(name, "impersonate-");
}

static bool passes(const struct http_fields *all, const char *name, const char *const *ours, size_t n) {
        return !is_among(name, ours, n) && !http_fields_list(all, "connection", name) && !is_of_identity(name);
}

/* The client's address; "" where it has none. */
static const char *client_of(struct api_request *r) {
        const struct transport *stream = http_transport(r->x);
        struct sockaddr_storage address;
        socklen_t size = sizeof(address);
        char text[NI_MAXHOST];

        if (!stream || getpeername(transport_fd(stream), (struct sockaddr *)&address, &size) < 0 ||
            getnameinfo((struct sockaddr *)&address, size, text, sizeof(text), NULL, 0, NI_NUMERICHOST) != 0)
                return "";
        return arena_strdup(r->arena, text) ?: "";
}

/* All that were passed before, and this server's client behind them. */
static const char *forwarded_for(struct api_request *r, const struct http_fields *fields) {
        const char *client = client_of(r);
        struct arena_text text = { .arena = r->arena };

        for (uint32_t i = 0; i < fields->count; i++)
                if (strcmp(fields->items[i].name, "x-forwarded-for") == 0)
                        arena_text_add(&text, "%s%s", text.length > 0 ? ", " : "", fields->items[i].value);
        if (*client)
                arena_text_add(&text, "%s%s", text.length > 0 ? ", " : "", client);
        return arena_text_of(&text);
}

/* A field that passes; of a WebSocket's protocols not the token that says who asks here. */
static int pass_field(struct api_request *r, const struct http_field *field, struct http_field *to, uint32_t *n) {
        struct http_field passed = *field;

        if (strcmp(field->name, "sec-websocket-protocol") == 0) {
                passed.value = websocket_protocols_but_bearer(r->arena, field->value);
                if (!passed.value)
                        return -ENOMEM;
                if (!*passed.value)
                        return 0;
        }
        to[(*n)++] = passed;
        return 0;
}

struct http_field *proxy_request_fields(struct api_request *r, const char *forwarded_uri, uint32_t *ret_n) {
        const struct http_fields *fields = &http_request_of(r->x)->fields;
        struct http_field *to = arena_alloc_array(r->arena, fields->count + FIELDS_MORE, sizeof(*to));
        const char *by = forwarded_for(r, fields);
        uint32_t n = 0;

        if (!to || !by)
                return NULL;
        for (uint32_t i = 0; i < fields->count; i++) {
                const char *name = fields->items[i].name;

                if (passes(fields, name, ours_of_requests, ELEMENTS(ours_of_requests)) &&
                    strcmp(name, "x-forwarded-for") != 0 && (!forwarded_uri || strcmp(name, "x-forwarded-uri") != 0) &&
                    pass_field(r, &fields->items[i], to, &n) < 0)
                        return NULL;
        }
        if (http_fields_list(fields, "te", "trailers"))
                to[n++] = (struct http_field){ "te", "trailers" };
        if (*by)
                to[n++] = (struct http_field){ "x-forwarded-for", by };
        if (forwarded_uri)
                to[n++] = (struct http_field){ "x-forwarded-uri", forwarded_uri };
        *ret_n = n;
        return to;
}

struct http_field *proxy_answer_fields(struct api_request *r, const struct http_fields *answer, uint32_t *ret_n) {
        struct http_field *to = arena_alloc_array(r->arena, answer->count + FIELDS_MORE, sizeof(*to));
        uint32_t n = 0;

        for (uint32_t i = 0; to && i < answer->count; i++)
                if (passes(answer, answer->items[i].name, ours_of_answers, ELEMENTS(ours_of_answers)))
                        to[n++] = answer->items[i];
        *ret_n = n;
        return to;
}

/* --- paths --- */

/* What of the request's own path stands before the one that its target gets, decoded. */
static const char *prefix_of(struct api_request *r) {
        const char *whole = r->path.whole, *end = r->path.rest ?: whole + strlen(whole);

        while (end > whole && end[-1] == '/')
                end--;
        return http_decode(r->arena, whole, (size_t)(end - whole), false) ?: "";
}

const char *proxy_forwarded_uri(struct api_request *r, const struct proxy_target *target) {
        return arena_printf(r->arena, "%s%s", proxy_escape_path(r->arena, prefix_of(r)) ?: "", target->path);
}

int proxy_here_init(struct api_request *r, const struct proxy_target *target, struct proxy_here *ret_here) {
        *ret_here = (struct proxy_here){ .prefix = proxy_escape_path(r->arena, prefix_of(r)),
                                         .authority = http_request_of(r->x)->authority,
                                         .there = proxy_host_port(r->arena, target),
                                         .host = *target->port ? "" : target->host };
        return ret_here->prefix && ret_here->there ? 0 : -ENOMEM;
}

static bool is(const char *text, const char *other, size_t n) {
        return strlen(text) == n && memcmp(text, other, n) == 0;
}

/* "SCHEME://HOST" in front of a path is left out, but where the client knows this server by it. */
bool proxy_relocate(const struct proxy_here *here, const char *url, char ret_url[PROXY_URL_MAX]) {
        size_t n_scheme = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-."), n_own = 0,
               n;
        const char *slashes = url[n_scheme] == ':' ? url + n_scheme + 1 : url, *path = url;
        bool prefixed;

        if (strncmp(slashes, "//", 2) == 0) {
                n = strcspn(slashes + 2, "/?#");
                path = slashes + 2 + n;
                if (is(here->authority, slashes + 2, n))
                        n_own = (size_t)(path - url);
                else if (!is(here->there, slashes + 2, n) && !(*here->host && is(here->host, slashes + 2, n)))
                        return false;
        }
        if (*path != '/')
                return false;
        prefixed = strncmp(path, here->prefix, strlen(here->prefix)) == 0;
        n = (size_t)snprintf(ret_url, PROXY_URL_MAX, "%.*s%s%s", (int)n_own, url, prefixed ? "" : here->prefix, path);
        return n < PROXY_URL_MAX;
}
