/* Watches over a WebSocket, as browsers have them: an event is a message, text in JSON and binary in protobuf. What the
 * client sends is passed over, but for its pings and its end. Within api/rest.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct api_request;
struct bytes;
struct http_exchange;
struct watch;

/* Whether such a watch is asked for, and in *@ret_protocol (in the request's arena; "": none) the only subprotocol that
 * is offered. -EINVAL: there are several, of which none is known to be meant; -ENOMEM. */
int watch_socket_wanted(struct api_request *r, const char **ret_protocol);

/* Answers the request of @w. 0; -EPROTO: it was refused; -ENOMEM. */
int watch_socket_accept(struct watch *w, const char *protocol);
void watch_socket_free(struct watch *w);

/* 0 or a negative errno. */
int watch_socket_tell(struct watch *w, struct bytes *bytes);

/* Says that there is no more. */
void watch_socket_close(struct watch *w);

/* What has come. */
void watch_socket_take(struct watch *w, uint8_t *bytes, size_t n);
