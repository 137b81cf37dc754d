#include "lib/http/served.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/http/dispatch.h"
#include "lib/http/patience.h"
#include "lib/log.h"
#include "lib/transport/transport.h"

/* Takes its place behind those who stand there already. */
static void stand(struct served *served, enum served_standing standing) {
        struct http_server *server = served->server;

        TAILQ_REMOVE(&server->connections[served->standing], served, link);
        server->n_handshakes -= served->standing == SERVED_HANDSHAKING;
        served->standing = standing;
        TAILQ_INSERT_TAIL(&server->connections[standing], served, link);
        server->n_handshakes += standing == SERVED_HANDSHAKING;
}

/* Any thread may look on. */
static void count(struct http_server *server, int change) {
        __atomic_store_n(&server->n_connections, server->n_connections + (unsigned)change, __ATOMIC_RELAXED);
}

unsigned http_server_connections(const struct http_server *server) {
        return __atomic_load_n(&server->n_connections, __ATOMIC_RELAXED);
}

uint64_t http_server_failed_handshakes(const struct http_server *server) {
        return __atomic_load_n(&server->n_failed, __ATOMIC_RELAXED);
}

/* --- what a connection tells --- */

static void on_opened(struct http_connection *connection) {
        connection->active = uv_now(connection->hub->loop);
        stand(served_of(connection), SERVED_IDLE);
        uv_timer_stop(&served_of(connection)->timer); /* the handshake's */
        patience_arm(served_of(connection));
}

static void on_begun(struct http_connection *connection, struct http_exchange *x) {
        struct served *served = served_of(connection);

        if (served->standing != SERVED_BUSY)
                stand(served, SERVED_BUSY);
        connection->active = uv_now(connection->hub->loop);
        dispatch(served->server, x);
}

static void on_progress(struct http_connection *connection) {
        struct served *served = served_of(connection);

        if (served->standing == SERVED_BUSY && connection->n_exchanges == 0)
                stand(served, SERVED_IDLE);
        patience_watch_output(connection);
        patience_arm(served);
}

static void on_timer_closed(uv_handle_t *handle) {
        struct served *served = handle->data;
        struct http_server *server = served->server;

        free(served);
        server->n_going--;
        count(server, -1);
        server_left(server);
}

static void on_closing(struct http_connection *connection) {
        served_of(connection)->server->n_going++;
}

static void on_closed(struct http_connection *connection, int error, const char *why) {
        struct served *served = served_of(connection);

        if (error < 0 && error != -ECONNRESET && error != -EPIPE && error != -ECANCELED)
                log_debug("HTTP connection: %s", why ?: strerror(-error));
        TAILQ_REMOVE(&served->server->connections[served->standing], served, link);
        served->server->n_handshakes -= served->standing == SERVED_HANDSHAKING;
        if (!connection->opened && !served->server->closing)
                __atomic_store_n(&served->server->n_failed, served->server->n_failed + 1, __ATOMIC_RELAXED);
        uv_close((uv_handle_t *)&served->timer, on_timer_closed);
}

static const struct http_owner owner = {
        .opened = on_opened, .begun = on_begun, .progress = on_progress, .closing = on_closing, .closed = on_closed
};

/* --- room for one more --- */

/* Closes who has stood there longest. */
static bool close_first(struct http_server *server, enum served_standing standing) {
        struct served *served;

        TAILQ_FOREACH (served, &server->connections[standing], link) {
                if (served->connection.closing)
                        continue; /* gone with the loop's next turn */
                connection_close(&served->connection, 0, NULL);
                return true;
        }
        return false;
}

/* Makes room for one more, which those that are on their way out do not take. False when all others have work. */
static bool make_room(struct http_server *server) {
        if (server->n_handshakes >= server->config.handshakes_max)
                close_first(server, SERVED_HANDSHAKING);
        return server->n_connections - server->n_going < server->config.connections_max ||
               close_first(server, SERVED_IDLE) || close_first(server, SERVED_HANDSHAKING);
}

static void init_connection(struct http_server *server, struct http_connection *connection) {
        const struct http_server_config *config = &server->config;

        *connection = (struct http_connection){ .hub = &server->hub,
                                                .owner = &owner,
                                                .driver = config->flags & HTTP_SERVER_ONLY_2 ? &http_driver_2 : NULL,
                                                .server = true,
                                                .active = uv_now(server->hub.loop),
                                                .streams_max = config->streams_max,
                                                .body_ms = config->body_ms,
                                                .stall_ms = config->stall_ms,
                                                .head_max = config->head_max,
                                                .no_date = config->flags & HTTP_SERVER_NO_DATE,
                                                .reset_large_heads = config->flags & HTTP_SERVER_RESET_LARGE_HEADS };
        TAILQ_INIT(&connection->exchanges);
}

static void begin_handshake(struct served *served) {
        struct http_server *server = served->server;

        uv_timer_init(server->hub.loop, &served->timer);
        served->timer.data = served;
        served->standing = SERVED_HANDSHAKING;
        TAILQ_INSERT_TAIL(&server->connections[SERVED_HANDSHAKING], served, link);
        server->n_handshakes++;
        count(server, 1);
        patience_arm(served);
}

int http_server_accept(struct http_server *server, int fd) {
        struct served *served = make_room(server) ? calloc(1, sizeof(*served)) : NULL;
        int r;

        if (!served) {
                close(fd);
                return -ENOMEM;
        }
        served->server = server;
        init_connection(server, &served->connection);
        r = transport_accept(server->hub.loop, fd, server->config.tls, &http_connection_events, &served->connection,
                             &served->connection.stream);
        if (r < 0) {
                free(served);
                return r;
        }
        begin_handshake(served);
        return 0;
}

/* --- on their way out --- */

/* It takes no more requests, and closes when none is left: at once, where it has never had one. */
static void drain(struct served *served) {
        struct http_connection *connection = &served->connection;

        if (connection->closing)
                return;
        if (connection->state)
                connection->driver->drain(connection);
        else
                connection_close(connection, 0, NULL);
        patience_arm(served);
}

void served_send_off(struct served *served) {
        struct http_connection *connection = &served->connection;
        unsigned most = served->server->config.linger_ms;

        if (connection->stall_ms > most) {
                connection->stall_ms = most;
                if (connection->stall_check > 0)
                        connection->stall_check = uv_now(connection->hub->loop);
        }
        drain(served);
}

void http_send_away(struct http_exchange *x) {
        /* A request from within the process (local.h) has a connection without a stream. */
        if (x->connection && x->connection->stream && x->connection->multiplexed && !x->connection->draining)
                drain(served_of(x->connection));
}
