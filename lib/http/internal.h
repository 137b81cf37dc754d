/* What an exchange is to the files of this room. */
#pragma once

#include <sys/queue.h>
#include <uv.h>

#include "lib/http/connection.h"
#include "lib/http/exchange.h"
#include "lib/http/hub.h"
#include "lib/transport/queue.h"

#define HTTP_PARAMS_MAX 8

struct http_route;

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

/* As exchange_drained(), later, from the loop. */
void exchange_dry(struct http_exchange *x);
