/* What the two files of the HTTP/2 driver share: h2.c takes frames in, h2_write.c sends them. RFC 9113, by nghttp2. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "lib/http/internal.h"

struct h2_output;

struct h2 {
        nghttp2_session *session;
        struct h2_output *output; /* what frames are being gathered in; NULL outside of that */
        bool busy;                /* inside nghttp2: it must not be entered again */
        bool reading;             /* the transport is not paused by us */
        int failed;               /* a negative errno that ends the connection once nghttp2 is left */
        uint64_t cost;            /* of what the peer has sent without use, lately: see count_cost() */
        uint64_t cost_at;
};

/* Writes what the session has to send; may be called from anywhere, then it happens after what nghttp2 is doing. */
void h2_flush(struct http_connection *connection);

/* nghttp2's: sends a DATA frame whose payload is the front of the exchange's queue. */
int h2_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t n,
                 nghttp2_data_source *source, void *user_data);

/* The exchange's DATA frames are sent, and its stream has none to make until there is more to send. */
void h2_lapsed(struct http_exchange *x);

int h2_request(struct http_exchange *x);
int h2_respond(struct http_exchange *x, const struct http_piece *piece, struct bytes *bytes);
int h2_inform(struct http_exchange *x, int status, const struct http_field *fields, size_t n);
int h2_send(struct http_exchange *x, const struct http_piece *piece, struct bytes *bytes);
int h2_send_ranges(struct http_exchange *x, const struct iovec *ranges, unsigned n);
int h2_end(struct http_exchange *x, const struct http_field *trailers, size_t n);
size_t h2_pending(const struct http_exchange *x);
