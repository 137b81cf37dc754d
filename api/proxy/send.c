/* Where a request goes: the form that it has, and the address that its target's name stands for. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/proxy/relay.h"
#include "api/proxy/trust.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/http/exchange.h"
#include "lib/stream/handshake.h"

/* Who may not be gone to at all. */
static void refuse_address(struct proxy_relay *relay, const char *words) {
        proxy_relay_let_go(relay);
        if (relay->r->x)
                api_refuse(relay->r, API_BAD_REQUEST, "%s", words ?: "out of memory");
        proxy_relay_maybe_free(relay);
}

static void go_to(struct proxy_relay *relay, const struct sockaddr *address, socklen_t n_address) {
        struct api_request *r = relay->r;
        char text[INET6_ADDRSTRLEN] = "";
        bool six = address->sa_family == AF_INET6;
        uint16_t port = (uint16_t)strtoul(strrchr(relay->authority, ':') + 1, NULL, 10);
        int error;

        memcpy(&relay->address, address, n_address);
        if (six) {
                ((struct sockaddr_in6 *)&relay->address)->sin6_port = htons(port);
                inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&relay->address)->sin6_addr, text, sizeof(text));
        } else {
                ((struct sockaddr_in *)&relay->address)->sin_port = htons(port);
                inet_ntop(AF_INET, &((struct sockaddr_in *)&relay->address)->sin_addr, text, sizeof(text));
        }
        relay->address_text = arena_printf(r->arena, six ? "[%s]:%u" : "%s:%u", text, port);
        if (relay->target.unicast && !proxy_is_unicast(text))
                return refuse_address(relay, "address not allowed");
        error = proxy_relay_ask(relay, n_address);
        if (error < 0)
                proxy_relay_fail(relay, error, NULL);
}

static void on_looked_up(void *data, int error, const struct addrinfo *found) {
        struct proxy_relay *relay = data;
        const struct addrinfo *first = found;
        const char *words;

        relay->lookup = NULL;
        for (const struct addrinfo *i = found; i; i = i->ai_next)
                if (i->ai_family == AF_INET) {
                        first = i;
                        break;
                }
        if (error == 0 && first)
                return go_to(relay, first->ai_addr, first->ai_addrlen);
        words = arena_printf(relay->r->arena, "lookup %s: %s", relay->target.host,
                             error == UV_EAI_NONAME || error == UV_EAI_NODATA ? "no such host" : uv_strerror(error));
        if (relay->target.unicast)
                return refuse_address(relay, words);
        proxy_relay_fail(relay, -EHOSTUNREACH, words);
}

static void set_out(struct proxy_relay *relay) {
        struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
        struct sockaddr_in four = { .sin_family = AF_INET };
        const char *port = relay->target.port;
        int64_t number = 1;
        int error;

        if (*port && !proxy_number(port, &number))
                return proxy_relay_fail(relay, -EINVAL,
                                        arena_printf(relay->r->arena, "lookup tcp/%s: unknown port", port));
        if (number < 0 || number > UINT16_MAX)
                return proxy_relay_fail(relay, -EINVAL,
                                        arena_printf(relay->r->arena, "address %s: invalid port", port));
        if (inet_pton(AF_INET, relay->target.host, &four.sin_addr) == 1)
                return go_to(relay, (struct sockaddr *)&four, sizeof(four));
        if (inet_pton(AF_INET6, relay->target.host, &six.sin6_addr) == 1)
                return go_to(relay, (struct sockaddr *)&six, sizeof(six));
        error = proxy_lookup_begin(relay->r->loop->uv, relay->target.host, on_looked_up, relay, &relay->lookup);
        if (error < 0)
                proxy_relay_fail(relay, error, uv_strerror(error));
}

/* --- which form --- */

/* A tunnel by WebSocket, with @protocol. */
static bool is_offered(struct api_request *r, const char *protocol) {
        const struct http_request *request = http_request_of(r->x);

        return request->upgrade && strcasecmp(request->upgrade, "websocket") == 0 &&
               http_fields_list(&request->fields, "sec-websocket-protocol", protocol);
}

static const struct proxy_relay_form *form_of(struct api_request *r, const struct proxy_target *target) {
        if (target->form == PROXY_LOG)
                return websocket_is_wanted(r->x) ? &proxy_log_socket_form : &proxy_log_form;
        if (target->form == PROXY_EXEC && !target->websockets && is_offered(r, "v5.channel.k8s.io"))
                return &proxy_translate_form;
        if (target->form == PROXY_FORWARD && !target->websockets && is_offered(r, "SPDY/3.1+portforward.k8s.io"))
                return &proxy_unwrap_form;
        return http_request_of(r->x)->upgrade ? &proxy_tunnel_form : &proxy_request_form;
}

/* Pages are to be found below the path, so it ends with a slash. */
static bool is_to_be_redirected(struct api_request *r, const struct proxy_target *target) {
        const struct http_request *request = http_request_of(r->x);

        return !*target->path && !request->upgrade &&
               (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0);
}

static enum api_step redirect(struct api_request *r) {
        const char *query = http_request_of(r->x)->query;
        const struct http_field own[] = {
                { "cache-control", "no-cache, private" },
                { "location", arena_printf(r->arena, "%s/%s%s", r->path.whole, *query ? "?" : "", query) ?: "" }
        };

        api_respond_with(r, 301, own, ELEMENTS(own), NULL);
        return API_END;
}

enum api_step proxy_send(struct api_request *r, const struct proxy_target *target) {
        struct proxy_relay *relay = arena_new_of(r->arena, struct proxy_relay);

        if (!relay)
                return api_fail(r, -ENOMEM, NULL);
        if ((target->form == PROXY_EXEC || target->form == PROXY_FORWARD) && !http_request_of(r->x)->upgrade)
                return api_refuse(r, API_BAD_REQUEST, "Upgrade request required");
        if (target->form == PROXY_REQUEST && is_to_be_redirected(r, target))
                return redirect(r);
        if (r->loop->leaves)
                return api_refuse_leaving(r);
        relay->r = r;
        relay->target = *target;
        if (!*target->scheme)
                relay->target.scheme = "http";
        relay->form = form_of(r, target);
        relay->authority = proxy_host_port(r->arena, &relay->target);
        if (!relay->authority)
                return api_fail(r, -ENOMEM, NULL);
        if (!proxy_enter(r->server->config.proxy))
                return api_refuse_too_many(r);
        if (proxy_relay_open(relay) < 0) {
                proxy_exit(r->server->config.proxy);
                return api_fail(r, -ENOMEM, NULL);
        }
        r->taken = true;
        api_count_begun(r);
        relay->begins = true;
        set_out(relay);
        relay->begins = false;
        if (relay->down || relay->up)
                return API_END;
        proxy_relay_release(relay); /* it was answered at once */
        r->taken = false;
        return API_END;
}
