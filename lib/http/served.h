/* A server's connections: where each of them stands, and which has to go when there are too many. The server itself,
 * too, as its files share it: server.c (its life), served.c (its connections), patience.c (how long they may take),
 * dispatch.c (whose request it is). All is of the server's loop, where it does not say otherwise.
 */
#pragma once

#include <sys/queue.h>
#include <uv.h>

#include "lib/http/internal.h"
#include "lib/http/server.h"

/* Each has its list, first of which is who has stood there longest. */
enum served_standing { SERVED_HANDSHAKING, SERVED_IDLE, SERVED_BUSY, SERVED_STANDINGS };

struct served {
        struct http_connection connection; /* first: see served_of() */
        struct http_server *server;
        uv_timer_t timer;
        enum served_standing standing;
        TAILQ_ENTRY(served) link;
};

TAILQ_HEAD(served_list, served);

struct served_socket; /* that is listened on */

struct http_server {
        struct http_hub hub; /* first: see on_hub_closed() */
        struct http_server_config config;
        LIST_HEAD(, served_socket) sockets;
        struct served_list connections[SERVED_STANDINGS];
        unsigned n_handshakes;
        unsigned n_connections, n_going; /* the first is read by any thread; those of them that are closing */
        uint64_t n_failed;               /* handshakes; read by any thread */
        bool closing;
        void (*on_gone)(void *data);
        void *gone_data;
        uint64_t drains_since; /* uv_now() when all were told to go; 0 */
        void (*on_drained)(void *data);
        void *drained_data;
};

static inline struct served *served_of(struct http_connection *connection) {
        return (struct served *)connection;
}

/* For its server's leaving: it takes no more requests, and closes when none is left: at once, where it has never had
 * one. Nobody is waited for who stands still. */
void served_send_off(struct served *served);

/* What server.c is told when the memory of a connection has gone: the last may be waited for. */
void server_left(struct http_server *server);
