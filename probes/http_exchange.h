/* An HTTP probe's exchange: one request, or several along redirects. For probes/http*.c only. */
#pragma once

#include <http_parser.h>

#include "probes/internal.h"
#include "probes/url.h"

struct arena;

struct probe_http_exchange {
        http_parser parser;
        struct arena *arena;
        struct url url;               /* where the request under way goes */
        const char *first_host;       /* the first one's host, the only one that is followed to */
        const char *host_header;      /* the manifest's; NULL: the URL's host */
        const char *user_agent;       /* "": none is sent */
        const char *referer;          /* NULL: none */
        struct probe_header *headers; /* all others, sorted by their canonical names */
        size_t n_headers;
        const char *refusal; /* why nothing can be sent; NULL: it can */
        char *body;          /* PROBE_MESSAGE_MAX + 1 when there is one */
        size_t body_length;
        char *location;
        size_t location_length;
        bool hook;        /* any answer will do */
        bool fell_back;   /* the server of an https hook speaks http */
        bool in_location; /* the header whose value comes is Location */
        bool has_location;
        bool answered; /* the headers of a final answer are there */
        unsigned redirects;
};

/* Takes the manifest's headers. -E2BIG, -ENOMEM. */
int probe_http_take_headers(struct probe_http_exchange *http, const struct probe_target *target, struct err **err);

/* The bytes of the request under way; NULL without memory. To be freed. */
char *probe_http_write_request(const struct probe_http_exchange *http, size_t *ret_length);

/* The fallback of a hook sends no credentials over plain HTTP. */
void probe_http_drop_credentials(struct probe_http_exchange *http);
