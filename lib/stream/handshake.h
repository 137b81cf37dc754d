/* WebSocket's opening handshake on an exchange: by Upgrade with a key and its proof over HTTP/1.1 (RFC 6455, 4), by
 * extended CONNECT without them over HTTP/2 (RFC 8441, 5).
 */
#pragma once

#include <stdbool.h>

#include "lib/base64.h"
#include "lib/http/client.h"
#include "lib/stream/websocket.h"

#define WEBSOCKET_KEY_SIZE 16
#define WEBSOCKET_KEY_LENGTH BASE64_LENGTH(WEBSOCKET_KEY_SIZE)

/* Whether @x asks to be upgraded to WebSocket. */
bool websocket_is_wanted(const struct http_exchange *x);

/* Servers: accepts such a request with the subprotocol @protocol ("" for none; one that the client has offered). One
 * that is not as the RFC has it is answered with 400, saying why and which version is known; then -EPROTO. Or -ENOMEM.
 */
int websocket_accept_upgrade(struct http_exchange *x, const char *protocol);

/* Clients: what is offered, kept until the server has answered. */
struct websocket_offer {
        const char *target, *protocol;
        char key[WEBSOCKET_KEY_LENGTH + 1]; /* websocket_request()'s */
};

/* Asks for @offer->target as a WebSocket, on a connection of its own. As http_client_request(). */
int websocket_request(struct http_client *client, struct websocket_offer *offer, const struct http_events *events,
                      void *data, struct http_exchange **ret_x);

/* Whether the server has agreed to what was offered; -EPROTO when not. */
int websocket_check_answer(const struct websocket_offer *offer, const struct http_exchange *x,
                           const struct http_response *response);
