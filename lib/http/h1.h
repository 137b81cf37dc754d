/* What the files of the HTTP/1.1 driver share: h1_read.c takes messages in, h1_write.c sends them, h1.c leads from one
 * to the next. */
#pragma once

#include "lib/http/internal.h"
#include "lib/http/parse.h"

enum h1_state {
        H1_HEAD, /* between messages, or in a head */
        H1_BODY, /* of the peer's message */
        H1_WAIT, /* the peer's message is in; ours is not yet out */
        H1_SKIP, /* the peer's message is still coming, and answered */
        H1_TUNNEL,
        H1_DISCARD, /* nothing more is answered: what comes is thrown away until the peer closes (RFC 9112, 9.6) */
};

struct h1 {
        char *in; /* a head that is not complete, or what came behind what could be taken */
        size_t n_in;
        size_t scanned; /* of a head: without its end */
        struct http_exchange *x;
        struct http_parsed parsed;
        struct http_chunks chunks;
        int64_t left; /* of a body of known length: to come */
        enum h1_state state;
        bool keep_alive, chunked_out, continue_due, served;
        bool in_closed; /* the peer sends nothing further at all */
};

/* Whether nothing of the peer's message is still to come. */
bool h1_is_whole(const struct h1 *h1);

/* Whether the rest of a request that is answered is let come, so that the connection serves on: of known length, and
 * not more than Go's server takes (RFC 9112, 9.3). Who waits for "100 Continue" may leave it out, or not. */
bool h1_may_skip(const struct h1 *h1);

static inline bool h1_body_is_empty(const struct http_parsed *parsed) {
        return parsed->framing == HTTP_NO_BODY || (parsed->framing == HTTP_BY_LENGTH && parsed->length == 0);
}

/* Takes what it can of @n bytes; what must wait is kept, and the socket read no more. */
void h1_take(struct http_connection *connection, uint8_t *bytes, size_t n);

/* What is kept is of no use. */
void h1_forget(struct h1 *h1);

/* The peer's message of h1->x is in. */
void h1_end_input(struct http_connection *connection);

/* The exchange is over, and with it perhaps the connection. */
void h1_finish(struct http_connection *connection);

/* Takes in what waits in h1->in. */
void h1_take_waiting(struct http_connection *connection);

/* Nothing more is answered. */
void h1_discard(struct http_connection *connection);

/* Our message of h1->x is sent: goes on when the peer's is in, too. */
void h1_sent(struct http_connection *connection);

int h1_request(struct http_exchange *x);
int h1_respond(struct http_exchange *x, const struct http_piece *piece, struct bytes *bytes);
int h1_inform(struct http_exchange *x, int status, const struct http_field *fields, size_t n);
int h1_send(struct http_exchange *x, const struct http_piece *piece, struct bytes *bytes);
int h1_send_ranges(struct http_exchange *x, const struct iovec *ranges, unsigned n);
int h1_end(struct http_exchange *x, const struct http_field *trailers, size_t n);

/* Refuses what is no request, or one that cannot be served: a response without an exchange. */
void h1_refuse(struct http_connection *connection, int status, const char *why);
