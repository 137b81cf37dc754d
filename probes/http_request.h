/* What an HTTP probe asks, as kubelet's prober does: one request, or several along redirects. For probes/http*.c only.
 */
#pragma once

#include "lib/http/client.h"
#include "probes/internal.h"
#include "probes/url.h"

struct arena;

struct probe_http {
        struct http_client *client; /* of the request under way; NULL: none */
        struct http_exchange *x;
        struct arena *arena;
        struct url url;               /* where the request under way goes */
        const char *first_host;       /* the first one's host, the only one that is followed to */
        const char *host_header;      /* the manifest's; NULL: the URL's host */
        const char *user_agent;       /* "": none is sent */
        const char *referer;          /* NULL: none */
        struct probe_header *headers; /* all others, sorted by their canonical names */
        size_t n_headers;
        const char *refusal; /* why nothing can be sent; NULL: it can */
        int status;          /* of the answer; 0: none came yet */
        char *body;          /* PROBE_MESSAGE_MAX + 1 when there is one */
        size_t body_length;
        bool hook;      /* any answer will do */
        bool fell_back; /* the server of an https hook speaks http */
        unsigned redirects;
};

/* Takes the manifest's headers. -E2BIG, -ENOMEM. */
int probe_http_take_headers(struct probe_http *http, const struct probe_target *target, struct err **err);

/* Asks @client, which is for probe_http_host(). As http_client_request(). */
int probe_http_ask(struct probe_http *http, struct http_client *client, const struct http_events *events, void *data,
                   struct http_exchange **ret_x);

/* The value of Host; NULL without memory. */
const char *probe_http_host(const struct probe_http *http);

/* The fallback of a hook sends no credentials over plain HTTP. */
void probe_http_drop_credentials(struct probe_http *http);
