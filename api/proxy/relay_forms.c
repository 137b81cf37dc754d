/* What passes as it is: requests and their answers, tunnels. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/proxy/html.h"
#include "api/proxy/relay.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/http/client.h"
#include "lib/stream/handshake.h"

#define CACHE_CONTROL                                                                                                  \
        { "cache-control", "no-cache, private" }

/* --- pieces --- */

static void pass_down(struct proxy_relay *relay, uint8_t *bytes, size_t n) {
        proxy_relay_down(relay, bytes, n);
}

static void pass_up(struct proxy_relay *relay, uint8_t *bytes, size_t n) {
        proxy_relay_up(relay, bytes, n);
}

static void end_down(struct proxy_relay *relay, const struct http_fields *trailers) {
        if (relay->down)
                http_end(relay->down, trailers->items, trailers->count);
}

static void end_up(struct proxy_relay *relay, const struct http_fields *trailers) {
        http_end(relay->up, trailers->items, trailers->count);
}

/* --- requests --- */

static int ask_as_asked(struct proxy_relay *relay, struct http_client_request *request) {
        const struct http_request *asked = http_request_of(relay->down);
        bool wraps = relay->target.form == PROXY_REQUEST;
        const char *uri = wraps && !asked->upgrade ? proxy_forwarded_uri(relay->r, &relay->target) : NULL;
        uint32_t n = 0;

        request->method = asked->method;
        request->authority = asked->authority;
        request->fields = proxy_request_fields(relay->r, uri, &n);
        request->n_fields = n;
        if (asked->length != 0 && !asked->upgrade) {
                request->flags |= HTTP_REQUEST_BODY;
                request->length = asked->length;
        }
        return request->fields && (uri || !wraps || asked->upgrade) ? 0 : -ENOMEM;
}

/* The head of an answer to HEAD says what the body would have been. */
static int64_t length_of(struct proxy_relay *relay, const struct http_response *response) {
        const char *length = http_fields_get(&response->fields, "content-length");

        if (strcmp(http_request_of(relay->down)->method, "HEAD") != 0)
                return response->length;
        return length ? http_length(length) : -1;
}

static const char *relocate(struct proxy_relay *relay, const struct proxy_here *here, const char *location) {
        char url[PROXY_URL_MAX];

        return proxy_relocate(here, location, url) ? arena_strdup(relay->r->arena, url) ?: "" : location;
}

/* Whose links are to lead back here; a page that comes compressed is left alone. */
static bool is_page(struct proxy_relay *relay, const struct http_response *response) {
        const char *type = http_fields_get(&response->fields, "content-type");

        return type && strcspn(type, "; ") == 9 && strncmp(type, "text/html", 9) == 0 &&
               !http_fields_get(&response->fields, "content-encoding") &&
               !http_fields_get(&response->fields, "location") &&
               strcmp(http_request_of(relay->down)->method, "HEAD") != 0;
}

static void pass_head(struct proxy_relay *relay, const struct http_response *response) {
        struct proxy_here here;
        uint32_t n = 0;
        struct http_field *fields = proxy_answer_fields(relay->r, &response->fields, &n);

        if (!fields || proxy_here_init(relay->r, &relay->target, &here) < 0)
                return proxy_relay_end(relay, -ENOMEM);
        for (uint32_t i = 0; i < n; i++)
                if (strcmp(fields[i].name, "location") == 0)
                        fields[i].value = relocate(relay, &here, fields[i].value);
        memmove(fields + 1, fields, n++ * sizeof(*fields)); /* this server's come first: who looks for one finds it */
        fields[0] = (struct http_field)CACHE_CONTROL;
        if (is_page(relay, response))
                relay->state = proxy_html_new(&here);
        proxy_relay_answer(relay, response->status, fields, n, relay->state ? -1 : length_of(relay, response));
}

static void write_page(void *data, const void *bytes, size_t n) {
        proxy_relay_down(data, bytes, n);
}

static void pass_page(struct proxy_relay *relay, uint8_t *bytes, size_t n) {
        if (relay->state)
                proxy_html_feed(relay->state, (const char *)bytes, n, write_page, relay);
        else
                pass_down(relay, bytes, n);
}

static void end_page(struct proxy_relay *relay, const struct http_fields *trailers) {
        if (relay->state)
                proxy_html_end(relay->state, write_page, relay);
        end_down(relay, trailers);
}

static void free_page(struct proxy_relay *relay) {
        proxy_html_free(relay->state);
}

const struct proxy_relay_form proxy_request_form = {
        .ask = ask_as_asked,
        .head = pass_head,
        .from_target = pass_page,
        .from_client = pass_up,
        .target_ended = end_page,
        .client_ended = end_up,
        .free = free_page,
};

/* --- tunnels --- */

/* Over HTTP/2 a WebSocket is asked for without a key (RFC 8441, 5): it is of this server's making then. */
static int add_key(struct proxy_relay *relay, struct http_client_request *request) {
        uint32_t n = (uint32_t)request->n_fields;
        struct http_field *fields = arena_alloc_array(relay->r->arena, n + 1, sizeof(*fields));
        char *key = arena_alloc(relay->r->arena, WEBSOCKET_KEY_LENGTH + 1);
        uint8_t nonce[WEBSOCKET_KEY_SIZE];

        if (!fields || !key)
                return -ENOMEM;
        api_loop_random(relay->r->loop, nonce, sizeof(nonce));
        base64_encode(nonce, sizeof(nonce), key);
        memcpy(fields, request->fields, n * sizeof(*fields));
        fields[n] = (struct http_field){ "sec-websocket-key", key };
        request->fields = fields;
        request->n_fields = n + 1;
        request->method = "GET";
        return 0;
}

static int ask_for_tunnel(struct proxy_relay *relay, struct http_client_request *request) {
        const struct http_request *asked = http_request_of(relay->down);
        int r = ask_as_asked(relay, request);

        request->upgrade = asked->upgrade;
        return r == 0 && asked->version == 20 ? add_key(relay, request) : r;
}

static void tunnel_head(struct proxy_relay *relay, const struct http_response *response) {
        uint32_t n = 0, kept = 0;
        struct http_field *fields;

        if (response->status != 101 && response->status < 400)
                return proxy_relay_refuse(
                        relay,
                        arena_printf(relay->r->arena, "invalid upgrade response: status code %d", response->status),
                        true);
        fields = proxy_answer_fields(relay->r, &response->fields, &n);
        if (!fields)
                return proxy_relay_end(relay, -ENOMEM);
        for (uint32_t i = 0; i < n; i++)
                if (http_request_of(relay->down)->version < 20 || strcmp(fields[i].name, "sec-websocket-accept") != 0)
                        fields[kept++] = fields[i];
        proxy_relay_answer(relay, response->status, fields, kept, response->length);
}

bool proxy_relay_refused(struct proxy_relay *relay, const struct http_response *response) {
        if (response->status == 101)
                return false;
        tunnel_head(relay, response);
        return true;
}

static void end_tunnel_down(struct proxy_relay *relay, const struct http_fields *trailers) {
        end_down(relay, trailers);
        if (http_is_tunnel(relay->up))
                proxy_relay_linger(relay);
}

static void end_tunnel_up(struct proxy_relay *relay, const struct http_fields *trailers) {
        end_up(relay, trailers);
        if (http_is_tunnel(relay->up))
                proxy_relay_linger(relay);
}

const struct proxy_relay_form proxy_tunnel_form = {
        .ask = ask_for_tunnel,
        .head = tunnel_head,
        .from_target = pass_down,
        .from_client = pass_up,
        .target_ended = end_tunnel_down,
        .client_ended = end_tunnel_up,
};
