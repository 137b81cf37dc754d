#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cri/streaming/internal.h"
#include "lib/cleanup.h"
#include "lib/http/server.h"
#include "lib/stream/handshake.h"

/* First those of clients that offer none, over WebSocket and over SPDY: the first version there was. */
static const struct protocol exec_protocols[] = {
        { "", 1, false, true, &streaming_websocket_wire },
        { "", 1, false, false, &streaming_spdy_wire },
        { "v5.channel.k8s.io", 5, false, true, &streaming_websocket_wire },
        { "v4.channel.k8s.io", 4, false, true, &streaming_websocket_wire },
        { "v4.base64.channel.k8s.io", 4, true, true, &streaming_websocket_wire },
        { "channel.k8s.io", 1, false, true, &streaming_websocket_wire },
        { "base64.channel.k8s.io", 1, true, true, &streaming_websocket_wire },
        { "v4.channel.k8s.io", 4, false, false, &streaming_spdy_wire },
        { "v3.channel.k8s.io", 3, false, false, &streaming_spdy_wire },
        { "v2.channel.k8s.io", 2, false, false, &streaming_spdy_wire },
        { "channel.k8s.io", 1, false, false, &streaming_spdy_wire },
};
static const struct protocol forward_protocols[] = {
        { "", 4, false, true, &streaming_websocket_forward_wire },
        { "", 1, false, false, &streaming_spdy_wire },
        { "portforward.k8s.io", 1, false, false, &streaming_spdy_wire },
        { "SPDY/3.1+portforward.k8s.io", 1, false, true, &streaming_tunnel_wire },
        { "v4.channel.k8s.io", 4, false, true, &streaming_websocket_forward_wire },
        { "v4.base64.channel.k8s.io", 4, true, true, &streaming_websocket_forward_wire },
};

struct protocols {
        const struct protocol *rows;
        size_t n;
        bool websocket;
};

static const struct protocol *find(const struct protocols *protocols, const char *name, size_t n) {
        for (size_t i = 0; i < protocols->n; i++) {
                const struct protocol *row = &protocols->rows[i];

                if (row->websocket == protocols->websocket && strlen(row->name) == n &&
                    strncasecmp(row->name, name, n) == 0)
                        return row;
        }
        return NULL;
}

/* The first known one of a list that has commas between its items, of which some may be empty. */
static const struct protocol *find_listed(const struct protocols *protocols, const char *list) {
        static const char separators[] = ", \t";
        const struct protocol *found = NULL;

        for (list += strspn(list, separators); *list && !found; list += strspn(list, separators)) {
                size_t n = strcspn(list, separators);

                found = find(protocols, list, n);
                list += n;
        }
        return found;
}

/* The first protocol of the client's list that is known. */
static const struct protocol *choose(const struct http_request *request, bool forward, bool websocket) {
        const char *name = websocket ? "sec-websocket-protocol" : "x-stream-protocol-version";
        const struct protocols protocols = { forward ? forward_protocols : exec_protocols,
                                             forward ? ELEMENTS(forward_protocols) : ELEMENTS(exec_protocols),
                                             websocket };
        const struct protocol *found = NULL;

        if (!http_fields_get(&request->fields, name))
                return find(&protocols, "", 0);
        for (uint32_t i = 0; i < request->fields.count && !found; i++)
                if (strcmp(request->fields.items[i].name, name) == 0)
                        found = find_listed(&protocols, request->fields.items[i].value);
        return found;
}

static int refuse(struct http_exchange *x, int status, const char *text) {
        if (http_reply(x, status, "text/plain; charset=utf-8", text, strlen(text)) < 0)
                http_reset(x, -ENOMEM);
        return -EPROTO;
}

/* Whether each of the request's ports has its channels; refuses it if not. */
static int check_ports(struct http_exchange *x, const struct streaming_request *request,
                       const struct protocol *protocol) {
        size_t most = protocol->base64 ? STREAMING_BASE64_PORTS_MAX : STREAMING_PORTS_MAX;
        char text[128];

        if (protocol->wire != &streaming_websocket_forward_wire)
                return 0;
        for (size_t i = 0; i < request->n_ports; i++) {
                if (i == most)
                        snprintf(text, sizeof(text), "%zu ports: this protocol has room for %zu\n", request->n_ports,
                                 most);
                else if (request->ports[i] < 1 || request->ports[i] > UINT16_MAX)
                        snprintf(text, sizeof(text), "port %d is not between 1 and 65535\n", request->ports[i]);
                else
                        continue;
                return refuse(x, 400, text);
        }
        return 0;
}

static int accept_upgrade(struct http_exchange *x, const struct protocol *protocol) {
        const struct http_field version = { "x-stream-protocol-version", protocol->name };

        if (protocol->websocket)
                return websocket_accept_upgrade(x, protocol->name);
        return http_accept_upgrade(x, &version, *protocol->name ? 1 : 0);
}

/* Nothing of what came behind the request's head is looked at before the wire is ready for it. */
static int upgrade(struct streaming *streaming, struct http_exchange *x, const struct streaming_request *request,
                   const struct protocol *protocol) {
        struct stream_client *client;
        int r;

        if (streaming_client_new(streaming, x, request, protocol, &client) < 0)
                return refuse(x, 503, "out of memory\n");
        http_pause(x);
        r = accept_upgrade(x, protocol);
        if (r == 0)
                streaming_client_begin(client);
        else if (r != -EPROTO)
                streaming_client_reset(client, r);
        client->finishing |= r < 0;
        if (client->pauses == 0)
                http_resume(x);
        return r;
}

int streaming_serve(struct streaming *streaming, struct http_exchange *x, const struct streaming_request *request) {
        const struct http_request *http = http_request_of(x);
        bool websocket = websocket_is_wanted(x), spdy = http->upgrade && strcasecmp(http->upgrade, "SPDY/3.1") == 0;
        const struct protocol *protocol;
        int r;

        if (!websocket && !spdy)
                return refuse(x, 400, "an upgrade to SPDY/3.1 or websocket is needed\n");
        protocol = choose(http, request->kind == STREAMING_PORT_FORWARD, websocket);
        if (!protocol)
                return refuse(x, 403, "none of the stream protocols offered is known\n");
        if (streaming->n_clients >= STREAMING_CLIENTS_MAX)
                return refuse(x, 503, "too many clients\n");
        r = check_ports(x, request, protocol);
        return r < 0 ? r : upgrade(streaming, x, request, protocol);
}
