/* What the HTTP layer's files share: the hub of a server or client, its connections, and exchanges on them.
 *
 * A driver (h1.c, h2.c) speaks a protocol's bytes; server.c and client.c decide what exchanges there are. An exchange
 * is ended once, by exchange_finish(), and told so from the hub's idle handle: no owner is called back from within its
 * own call, and no driver loses an exchange under its hands.
 */
#pragma once

#include <sys/queue.h>
#include <uv.h>

#include "lib/http/exchange.h"
#include "lib/http/h2_memory.h"
#include "lib/transport/queue.h"
#include "lib/transport/transport.h"

#define HTTP_PARAMS_MAX 8
#define HTTP_DATE_SIZE 32
#define HTTP_SPARE_MAX 64 /* exchanges that wait for the next request */
#define HTTP_HELD_MAX                                                                                                  \
        16 /* connections that http_hold() holds back: few enough that they stay in the processor's cache */

struct http_connection;
struct http_route;

TAILQ_HEAD(http_exchanges, http_exchange);
TAILQ_HEAD(http_collecting, http_exchange_head);

struct http_hub {
        uv_loop_t *loop;
        uv_idle_t later;
        struct http_exchanges finished;    /* their closed() is to come */
        STAILQ_HEAD(, http_exchange) dry;  /* their drained() is to come */
        unsigned n_holds;                  /* http_hold() */
        STAILQ_HEAD(, http_exchange) held; /* have sent meanwhile, and did not wait before */
        TAILQ_HEAD(, http_connection) due; /* have something to write then, HTTP_HELD_MAX at most */
        unsigned n_due;
        void (*turn)(struct http_hub *hub); /* after them; may be NULL */
        void (*on_closed)(struct http_hub *hub);
        struct http_exchanges spare;
        unsigned n_spare;
        unsigned n_exchanges; /* not yet freed */
        struct h2_memory memory;
        unsigned n_compressing;            /* up to HTTP_GZIP_AT_ONCE */
        struct http_collecting collecting; /* whose bodies are waited for, the first one longest */
        uv_timer_t *collecting_timer;      /* NULL until it is needed */
        time_t date_second;
        char date[HTTP_DATE_SIZE];
};

void hub_init(struct http_hub *hub, uv_loop_t *loop);

/* Tells what is finished, then closes the handle and calls @on_closed from the loop. */
void hub_close(struct http_hub *hub, void (*on_closed)(struct http_hub *hub));

/* Has closed(), drained() and turn() called from the loop. */
void hub_wake(struct http_hub *hub);

/* Calls them now, if they are due: at the end of an event of the loop, which saves it a turn. */
void hub_settle(struct http_hub *hub);

/* The time as Date has it (RFC 9110, 5.6.7). */
const char *hub_date(struct http_hub *hub);

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

struct http_param {
        const char *name; /* in the route's pattern */
        size_t n_name;
        const char *value;
};

#define HTTP_ARENA_FIRST 512 /* bytes: a request's head with a few fields */

/* What an exchange has until its answer has begun, and a client's to its end. */
struct http_exchange_head {
        struct http_exchange *x;
        TAILQ_ENTRY(http_exchange_head) collect_link; /* of the hub's collecting */
        uint64_t collect_since;
        void (*collect_late)(struct http_exchange *x); /* not NULL: in the hub's collecting */
        struct http_response response;                 /* received, or to send */
        struct http_fields trailers_in, trailers_out;
        struct http_gunzip *gunzip; /* clients: the answer comes compressed, and is given as it was */
        size_t decoded_max;         /* and how large it may be */
        size_t head_bytes;          /* HTTP/2: of the head as it comes in */
        struct http_param *params;  /* servers: HTTP_PARAMS_MAX of the route's, of which */
        unsigned n_params;
        const char *why; /* it has failed */
};

/* Thousands of them may wait for years with nothing to send: each byte counts. */
struct http_exchange {
        TAILQ_ENTRY(http_exchange) link; /* of its connection, or of the hub's finished ones */
        STAILQ_ENTRY(http_exchange) dry_link;
        struct http_connection *connection; /* NULL: gone */
        struct http_hub *hub;
        const struct http_events *events;
        void *data;
        void (*over)(void *data); /* may be NULL */
        void *over_data;
        struct http_exchange_head *head; /* both NULL: forgotten */
        struct arena *arena;
        struct http_request request;
        const struct http_route *route; /* servers: it came by */
        void *owner_data;               /* the server's or client's */
        struct queue out;               /* HTTP/2: body bytes that wait for the window */
        uint64_t out_since;             /* HTTP/2: since when nothing of @out went */
        size_t unconsumed;              /* HTTP/2: bytes given while paused, whose window is not yet opened again */
        int64_t body_left;              /* of a body of known length: still to be sent */
        int32_t stream_id;
        int error;
        bool has_body_left : 1;
        bool head_out : 1, out_ended : 1, out_done : 1; /* sent: the head; all by the owner; all by the driver */
        bool in_ended : 1, paused : 1, tunnel : 1;
        bool upgrading : 1; /* servers: it asks for a tunnel, and its route may give one */
        bool decodes : 1;   /* clients: takes gzip */
        bool placed : 1;    /* clients: a connection has it */
        bool fresh : 1;     /* the connection was made for it */
        bool discards : 1;  /* what is sent is not transmitted: a response to HEAD, 204, 304 */
        /* HTTP/2: the session has a DATA frame of it to make, else it is given one when there is something to send; it
         * waits for more; it is sending the last bytes that there are, and is then without. */
        bool sends : 1, deferred : 1, lapses : 1;
        bool finished : 1;
        bool head_in : 1; /* the final head is there */
        bool waited : 1;  /* output waits; drained() is due */
        bool dry : 1;     /* in the hub's list */
        bool held : 1;    /* in the hub's list, by @dry_link */
};

/* NULL without memory. */
struct http_exchange *exchange_new(struct http_connection *connection);

/* Gives back its head and arena; nothing of a gunzip is left. */
void exchange_forget(struct http_exchange *x);

/* Nothing goes any more; closed() comes from the loop. Calling it again is fine. */
void exchange_finish(struct http_exchange *x, int error, const char *why);

/* Clients: the server has agreed to a tunnel; the request that asked for it had ended, the tunnel's output has not. */
void exchange_open_tunnel(struct http_exchange *x);

/* Servers: the exchange's body is waited for, until exchange_uncollect() or, when it takes too long, @late. 0 or
 * -ENOMEM. */
int exchange_collect(struct http_exchange *x, void (*late)(struct http_exchange *x));
void exchange_uncollect(struct http_exchange *x);

/* Events, for the drivers; nothing happens with a finished exchange. */
void exchange_head(struct http_exchange *x);
void exchange_data(struct http_exchange *x, uint8_t *bytes, size_t n);
void exchange_end(struct http_exchange *x);
void exchange_drained(struct http_exchange *x);

/* Clients: the answer to a request that takes gzip: has exchange_decode() called if it is in gzip. Both are 0 or a
 * negative errno that ends the exchange. */
int exchange_begin_decoding(struct http_exchange *x);
int exchange_decode(struct http_exchange *x, const uint8_t *bytes, size_t n);

/* Writes what the connection has to write: once nobody holds it back, or others take its place. */
void connection_flush(struct http_connection *connection);

/* Writes what the connection that was held back first has; false: there is none. */
bool connection_flush_due(struct http_hub *hub);

/* As exchange_drained(), later, from the loop. */
void exchange_dry(struct http_exchange *x);
