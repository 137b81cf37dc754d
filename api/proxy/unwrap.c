/* SPDY/3.1+portforward.k8s.io: port forwarding's SPDY in a WebSocket's binary messages, taken out for kubelets that
 * know SPDY alone. */
#include <errno.h>
#include <stdlib.h>

#include "api/proxy/relay.h"
#include "api/proxy/socket.h"
#include "lib/cleanup.h"
#include "lib/http/client.h"
#include "lib/stream/websocket.h"

#define PROTOCOL "SPDY/3.1+portforward.k8s.io"

struct wrapping {
        struct websocket_decoder decoder;
        bool finished; /* the client has its close frame */
};

static void finish(struct proxy_relay *relay, enum websocket_code code) {
        struct wrapping *w = relay->state;

        if (w->finished)
                return;
        w->finished = true;
        proxy_socket_finish(relay, code);
}

static int unwrap_ask(struct proxy_relay *relay, struct http_client_request *request) {
        static const struct http_field fields[] = { { "x-stream-protocol-version", "portforward.k8s.io" } };

        request->method = "POST";
        request->upgrade = "SPDY/3.1";
        request->fields = fields;
        request->n_fields = ELEMENTS(fields);
        return 0;
}

static void unwrap_head(struct proxy_relay *relay, const struct http_response *response) {
        if (proxy_relay_refused(relay, response))
                return;
        relay->state = calloc(1, sizeof(struct wrapping));
        if (!relay->state)
                return proxy_relay_end(relay, -ENOMEM);
        proxy_relay_accept(relay, PROTOCOL);
}

static void unwrap_client(struct proxy_relay *relay, uint8_t *bytes, size_t n) {
        struct wrapping *w = relay->state;
        struct websocket_event event;
        int r = 0;

        while (w && !w->finished && (r = websocket_decode(&w->decoder, &bytes, &n, &event)) > 0) {
                if (event.opcode == WEBSOCKET_PING)
                        proxy_socket_send(relay, WEBSOCKET_PONG, NULL, 0, event.data, event.size);
                else if (event.opcode == WEBSOCKET_CLOSE)
                        finish(relay, WEBSOCKET_NORMAL);
                else if (event.opcode == WEBSOCKET_BINARY && event.size > 0)
                        proxy_relay_up(relay, event.data, event.size);
        }
        if (r < 0)
                finish(relay, WEBSOCKET_PROTOCOL_ERROR);
}

static void unwrap_target(struct proxy_relay *relay, uint8_t *bytes, size_t n) {
        const struct wrapping *w = relay->state;

        if (!w)
                return proxy_relay_down(relay, bytes, n);
        if (!w->finished)
                proxy_socket_send(relay, WEBSOCKET_BINARY, NULL, 0, bytes, n);
}

static void unwrap_target_ended(struct proxy_relay *relay, const struct http_fields *trailers) {
        if (relay->state)
                finish(relay, WEBSOCKET_NORMAL);
        else if (relay->down)
                http_end(relay->down, NULL, 0);
}

static void unwrap_client_ended(struct proxy_relay *relay, const struct http_fields *trailers) {
        if (relay->state)
                finish(relay, WEBSOCKET_NORMAL);
}

static void unwrap_free(struct proxy_relay *relay) {
        free(relay->state);
}

const struct proxy_relay_form proxy_unwrap_form = {
        .ask = unwrap_ask,
        .head = unwrap_head,
        .from_target = unwrap_target,
        .from_client = unwrap_client,
        .target_ended = unwrap_target_ended,
        .client_ended = unwrap_client_ended,
        .free = unwrap_free,
};
