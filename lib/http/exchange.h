/* An exchange: one request and its response, seen by the server or the client, over HTTP/1.1 or HTTP/2.
 *
 * Either side sends a head, pieces of a body and an end, and is told the other's through struct http_events. What it
 * sends waits while the peer does not take it: http_pending() says how much, drained() when nothing waits any more.
 * What it is given and not done with, it holds back with http_pause(): HTTP/2's window closes, HTTP/1's socket fills.
 *
 * After an upgrade (101, or 2xx to CONNECT, RFC 8441 included) the same functions carry the tunnel's bytes, with the
 * same back-pressure. Its two directions end apart: http_end() is the end of this side's bytes (FIN, END_STREAM) behind
 * what waits, and lets the peer's go on; end() is the peer's, after which there is still sending; closed(0) comes when
 * both have ended. How long a tunnel may stand still is its owner's to say: no time-out of a server counts in it.
 *
 * An exchange lives until closed() was called, which happens exactly once, from the loop or from within a function that
 * brings it about, but never from within a call of its own owner's. All functions are for the loop's thread.
 */
#pragma once

#include <sys/uio.h>

#include "lib/http/message.h"

struct bytes;
struct http_exchange;
struct http_request;
struct http_response;
struct transport;

/* Any may be NULL. */
struct http_events {
        /* Clients: the response's head. 1xx heads but 101 are not told. */
        void (*head)(struct http_exchange *x, const struct http_response *response);
        /* A piece of the peer's body; gone after the call. While paused only what was on its way already: over HTTP/2
         * HTTP_WINDOW bytes at most. */
        void (*data)(struct http_exchange *x, uint8_t *bytes, size_t n);
        /* The peer's message ended well; @trailers may be empty. */
        void (*end)(struct http_exchange *x, const struct http_fields *trailers);
        void (*drained)(struct http_exchange *x);
        /* Nothing goes any more, either way. 0: both messages ended well. Else a negative errno: -ECANCELED (the peer
         * has reset it), -ECONNRESET, -EPROTO, -EMSGSIZE, -ETIMEDOUT; @why is more text, or NULL. */
        void (*closed)(struct http_exchange *x, int error, const char *why);
};

struct http_request {
        const char *method;
        const char *target;    /* origin form, as sent, at least "/"; "" for CONNECT without a protocol */
        size_t n_path;         /* of @target, before the "?" */
        const char *query;     /* behind it; "" without one */
        const char *authority; /* Host, or :authority; "" for none (HTTP/1.0) */
        const char *upgrade;   /* "websocket", "SPDY/3.1": Upgrade, or CONNECT's :protocol; servers: NULL unless it can
                                * be accepted */
        int64_t length;        /* of the body; -1: not known; 0: none */
        int version;           /* 10, 11, 20 */
        struct http_fields fields;
};

struct http_response {
        int status;
        int64_t length; /* as above */
        struct http_fields fields;
};

/* Who gets the events from now on, and their data. */
void http_set_events(struct http_exchange *x, const struct http_events *events, void *data);
void *http_data(const struct http_exchange *x);

/* Has @over(@data) called once, whoever gets the events then, when nothing of the exchange waits any more: all is with
 * the peer's kernel, or never will be. It may come behind closed(). */
void http_set_over(struct http_exchange *x, void (*over)(void *data), void *data);

/* Memory that lives as long as the exchange. */
struct arena *http_arena(struct http_exchange *x);

/* The request: the server's as received, the client's as sent. */
const struct http_request *http_request_of(const struct http_exchange *x);

/* Servers: nobody looks at the head of the request any more, nor has anything in its memory, which HTTP/2 then gives
 * back. For answers that take long; theirs has begun, and ends without trailers. */
void http_forget_head(struct http_exchange *x);

/* The connection below, for the peer's address and certificate. NULL once it is gone. */
struct transport *http_transport(const struct http_exchange *x);

/* Servers: the final head. @fields are copied; Date, Content-Length or Transfer-Encoding and Connection are the
 * layer's:
 * @length is the body's when known, -1 when not. 0, -ENOMEM, -EALREADY when one was sent. After a failure:
 * http_reset(). */
int http_respond(struct http_exchange *x, int status, const struct http_field *fields, size_t n, int64_t length);

/* Sends a piece of the body, copied, or as a reference that is kept (the caller's stays its own). 0; -ENOMEM; -EPIPE
 * once the peer takes no more (closed() has come or will come). */
int http_send(struct http_exchange *x, const void *data, size_t size);
int http_send_bytes(struct http_exchange *x, struct bytes *bytes);

/* The same for up to HTTP_RANGES_MAX ranges that go as one piece, such as a frame's head and its payload. */
#define HTTP_RANGES_MAX 8
int http_send_ranges(struct http_exchange *x, const struct iovec *ranges, unsigned n);

/* From now on what is sent over the loop's HTTP/2 connections waits, until http_release() was called as often: what is
 * for one connection then goes together, in as few records of TLS as hold it. Both within one event of the loop. */
struct http_hub;
struct http_hub *http_hold(struct http_exchange *x);
void http_release(struct http_hub *hub);

/* Has what waits so for the connection of @x go now. */
void http_push(struct http_exchange *x);

/* Ends the message; @trailers are dropped where they cannot be sent (HTTP/1 with a length). */
int http_end(struct http_exchange *x, const struct http_field *trailers, size_t n);

/* Servers: a whole response in one go, from shared bytes (NULL: no body; the caller's reference stays its own). */
int http_respond_whole(struct http_exchange *x, int status, const struct http_field *fields, size_t n,
                       struct bytes *body);

/* Trailers of the message that is being sent, or of the whole response to come; copied. 0, -ENOMEM, -E2BIG. */
int http_add_trailers(struct http_exchange *x, const struct http_field *trailers, size_t n);

/* The same from bytes that are copied. */
int http_reply(struct http_exchange *x, int status, const char *content_type, const void *body, size_t size);

/* Whether it is a tunnel by now: the upgrade that was asked for was accepted. */
bool http_is_tunnel(const struct http_exchange *x);

/* Bytes that wait to be sent. */
size_t http_pending(const struct http_exchange *x);

/* Has drained() called from the loop's next turn, or, when something waits, once it has gone: for what is made in
 * slices. */
void http_again(struct http_exchange *x);

void http_pause(struct http_exchange *x);
void http_resume(struct http_exchange *x);

/* Gives the exchange up: the peer is told (RST_STREAM CANCEL; HTTP/1: the connection closes), closed() comes from the
 * loop with @error. */
void http_reset(struct http_exchange *x, int error);
