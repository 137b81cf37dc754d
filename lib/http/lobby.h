/* Where a client's exchanges wait for a connection: a connection without a socket, whose driver keeps what is sent. */
#pragma once

#include "lib/http/internal.h"

void lobby_init(struct http_connection *lobby, struct http_hub *hub, const struct http_owner *owner);

/* Moves @x to @connection, whose driver is then asked to send its request with what is kept in x->out. */
void lobby_leave(struct http_exchange *x, struct http_connection *connection);
