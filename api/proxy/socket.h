/* What is sent to a client in the frames of a WebSocket (RFC 6455). */
#pragma once

#include "api/proxy/relay.h"
#include "lib/stream/websocket.h"

/* A message of one frame; where @n_first is not 0, @first goes before @data. */
void proxy_socket_send(struct proxy_relay *relay, enum websocket_opcode opcode, const void *first, size_t n_first,
                       const void *data, size_t n);

/* The frame that closes. */
void proxy_socket_close(struct proxy_relay *relay, enum websocket_code code);

/* The same, and both sides have said all. */
void proxy_socket_finish(struct proxy_relay *relay, enum websocket_code code);
