/* A connection of a server or client: who speaks its protocol's bytes, and whose it is.
 *
 * A driver (h1.c, h2.c) speaks a protocol; its owner (server.c, client.c) decides what exchanges there are.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/http/exchange.h"
#include "lib/http/hub.h"
#include "lib/transport/transport.h"

/* A part of a message's body to come or to go with its head. */
struct http_piece {
        const void *data;
        size_t size;
        bool end; /* the message ends with it */
};

struct http_driver {
        /* Begins on an opened stream; 0 or a negative errno. */
        int (*start)(struct http_connection *connection);
        void (*received)(struct http_connection *connection, uint8_t *bytes, size_t n);
        void (*ended)(struct http_connection *connection);
        void (*drained)(struct http_connection *connection);
        /* Frees what start() made; exchanges that are left were finished before. */
        void (*stop)(struct http_connection *connection);
        /* No new exchanges; closes when none is left. */
        void (*drain)(struct http_connection *connection);
        /* Servers: a head that has begun has not come in time. */
        void (*late)(struct http_connection *connection);
        /* Clients: has the server send something, if it is there still. 0 or a negative errno. NULL: the protocol has
         * no such thing. */
        int (*ping)(struct http_connection *connection);
        /* Clients: sends the request of @x. */
        int (*request)(struct http_exchange *x);
        /* Servers: the head (x->head->response), with what is there of the body; @bytes, if not NULL, holds the piece.
         */
        int (*respond)(struct http_exchange *x, const struct http_piece *piece, struct bytes *bytes);
        int (*inform)(struct http_exchange *x, int status, const struct http_field *fields, size_t n);
        int (*send)(struct http_exchange *x, const struct http_piece *piece, struct bytes *bytes);
        int (*send_ranges)(struct http_exchange *x, const struct iovec *ranges, unsigned n);
        int (*end)(struct http_exchange *x, const struct http_field *trailers, size_t n);
        /* Writes what waits for http_release(). NULL: nothing of the protocol does. */
        void (*flush)(struct http_connection *connection);
        size_t (*pending)(const struct http_exchange *x);
        void (*pause)(struct http_exchange *x, bool pause);
        void (*reset)(struct http_exchange *x, int error);
};

extern const struct http_driver http_driver_1, http_driver_2;

/* What the connection's owner is told. */
struct http_owner {
        void (*opened)(struct http_connection *connection); /* clients */
        void (*begun)(struct http_connection *connection,
                      struct http_exchange *x); /* servers: a request's head is there */
        void (*progress)(
                struct http_connection *connection); /* something changed that idle() or a timer may depend on */
        void (*closing)(struct http_connection *connection); /* it was given up; closed() is to come. May be NULL */
        void (*closed)(struct http_connection *connection, int error, const char *why); /* all is gone; free it */
};

struct http_connection {
        struct http_hub *hub;
        const struct http_owner *owner;
        const struct http_driver *driver; /* NULL until it is known */
        struct transport *stream;
        struct http_exchanges exchanges;
        unsigned n_exchanges;
        void *state;              /* the driver's */
        uint64_t heard;           /* uv_now() when something came last; 0: nothing has */
        uint64_t active;          /* uv_now() when it last had an exchange */
        uint64_t drain_since;     /* the peer knows that it is to go, and may still send what it had begun; 0 */
        uint64_t linger_since;    /* uv_now() when the last answer was sent, and only the peer's end is waited for; 0 */
        uint64_t stall_check;     /* when streams whose output waits are to be looked at; 0: none */
        uint64_t head_since;      /* uv_now() when a head began to come that is not all there; 0: none */
        uint64_t output_since;    /* since when output waits and none of it went; 0: none waits */
        size_t output_left;       /* how much waited then */
        void (*over)(void *data); /* of an exchange that has ended, and whose output waits; may be NULL */
        void *over_data;
        TAILQ_ENTRY(http_connection) due_link;
        bool due; /* in the hub's list */
        bool server, opened, closing, draining;
        bool multiplexed;                /* several exchanges at a time */
        bool deaf;                       /* input is not read until output has gone */
        bool tunnel;                     /* all of it is one exchange's, who says how long it may stand still */
        bool no_date, reset_large_heads; /* of struct http_server_config */
        bool lenient;                    /* of struct http_client_config */
        unsigned streams_max, body_ms, stall_ms;
        unsigned streams_peer; /* that the server takes of us at a time; 0: it has not said yet */
        size_t head_max;
};

/* The events of a stream whose data is a connection. */
extern const struct transport_events http_connection_events;

/* Closes; owner->closed() comes from the loop. Exchanges are finished with @error. */
void connection_close(struct http_connection *connection, int error, const char *why);

/* Writes what the connection has to write: once nobody holds it back, or others take its place. */
void connection_flush(struct http_connection *connection);

/* Writes what the connection that was held back first has; false: there is none. */
bool connection_flush_due(struct http_hub *hub);
