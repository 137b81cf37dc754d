/* A bearer token among the subprotocols that a WebSocket's client offers, as Kubernetes' servers take it from browsers,
 * which set no other field: base64url.bearer.authorization.k8s.io.TOKEN, the token in base64url without padding.
 */
#pragma once

struct arena;
struct err;
struct http_request;

/* The token that @request offers, in @arena. 0; -ENODATA: it is for no WebSocket, or offers none; -EACCES: what it
 * offers counts for nothing, since it is no encoding, one of several, or all that is offered, so that the server could
 * agree to no protocol; -ENOMEM. */
int websocket_bearer(const struct http_request *request, struct arena *arena, const char **ret_token, struct err **err);

/* The subprotocols of @list, a field's value, that are no token: @list itself where all are such, "" for none. NULL
 * without memory. */
const char *websocket_protocols_but_bearer(struct arena *arena, const char *list);
