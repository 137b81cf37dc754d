#include "lib/http/server.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/http/internal.h"
#include "lib/http/route.h"
#include "lib/log.h"
#include "lib/transport/listener.h"
#include "lib/transport/tls.h"

struct listening {
        struct listener *listener;
        LIST_ENTRY(listening) link;
};

/* Where a connection stands; each list has first who has stood there longest. */
enum standing { HANDSHAKING, IDLE, BUSY, N_STANDINGS };

struct served {
        struct http_connection connection; /* first: see served_of() */
        struct http_server *server;
        uv_timer_t timer;
        enum standing standing;
        TAILQ_ENTRY(served) link;
};

TAILQ_HEAD(served_list, served);

struct http_server {
        struct http_hub hub; /* first: see on_hub_closed() */
        struct http_server_config config;
        LIST_HEAD(, listening) listenings;
        struct served_list connections[N_STANDINGS];
        unsigned n_handshakes, n_connections;
        uint64_t n_failed; /* handshakes */
        unsigned n_going;  /* of them, those that are closing */
        bool closing;
        void (*on_gone)(void *data);
        void *gone_data;
        void (*on_drained)(void *data);
        void *drained_data;
};

static struct served *served_of(struct http_connection *connection) {
        return (struct served *)connection;
}

/* --- time: a connection has one timer, which looks at what is due --- */

static void sooner(uint64_t *due, uint64_t since, unsigned ms) {
        if (since > 0 && ms != UINT_MAX && since + ms < *due)
                *due = since + ms;
}

/* When the connection's patience ends; UINT64_MAX: never. */
static uint64_t deadline(const struct served *served) {
        const struct http_connection *connection = &served->connection;
        const struct http_server_config *config = &served->server->config;
        uint64_t due = UINT64_MAX;

        sooner(&due, connection->head_since, config->head_ms);
        sooner(&due, connection->output_since, config->stall_ms);
        sooner(&due, connection->stall_check, 0);
        sooner(&due, connection->drain_since, config->linger_ms);
        if (!connection->opened)
                sooner(&due, connection->active ?: 1, config->handshake_ms);
        if (connection->output_since > 0)
                return due; /* the last answer is on its way */
        sooner(&due, connection->linger_since, config->linger_ms);
        if (connection->n_exchanges == 0 && connection->head_since == 0 && connection->linger_since == 0)
                sooner(&due, connection->active ?: 1, config->idle_ms);
        return due;
}

static void on_timer(uv_timer_t *timer);

/* Armed for the earliest time that matters, and left alone when that moves away: on_timer() looks again. */
static void arm(struct served *served) {
        uint64_t due = deadline(served), now = uv_now(served->server->hub.loop);

        if (due == UINT64_MAX || served->connection.closing)
                return;
        if (uv_is_active((uv_handle_t *)&served->timer) && now + uv_timer_get_due_in(&served->timer) <= due)
                return;
        uv_timer_start(&served->timer, on_timer, due > now ? due - now : 0, 0);
}

/* Whether output moves: what waits is measured against what waited before. */
static void watch_output(struct http_connection *connection) {
        size_t waits = transport_pending(connection->stream);

        if (waits == 0 && connection->output_since > 0)
                connection->active = uv_now(connection->hub->loop);
        if (waits == 0 || connection->tunnel)
                connection->output_since = 0;
        else if (connection->output_since == 0 || waits < connection->output_left)
                connection->output_since = uv_now(connection->hub->loop);
        connection->output_left = waits;
}

/* Streams whose output the peer has not taken for too long, though it may take others'. */
static void end_stalled(struct http_connection *connection) {
        struct http_exchange *x, *next;
        uint64_t now = uv_now(connection->hub->loop), check = 0;

        for (x = TAILQ_FIRST(&connection->exchanges); x; x = next) {
                next = TAILQ_NEXT(x, link);
                if (x->out_since == 0 || x->tunnel)
                        continue;
                if (x->out_since + connection->stall_ms <= now)
                        http_reset(x, -ETIMEDOUT);
                else if (check == 0 || x->out_since + connection->stall_ms < check)
                        check = x->out_since + connection->stall_ms;
                if (connection->closing)
                        return;
        }
        connection->stall_check = check;
}

static bool is_due(uint64_t since, unsigned ms, uint64_t now) {
        return since > 0 && since + ms <= now;
}

static void on_timer(uv_timer_t *timer) {
        struct served *served = timer->data;
        struct http_connection *connection = &served->connection;
        uint64_t now = uv_now(timer->loop);

        watch_output(connection);
        if (is_due(connection->stall_check, 0, now))
                end_stalled(connection);
        if (!connection->closing && is_due(connection->drain_since, served->server->config.linger_ms, now))
                connection->driver->drain(connection);
        if (!connection->closing && is_due(connection->head_since, served->server->config.head_ms, now))
                connection->driver->late(connection);
        if (!connection->closing && deadline(served) <= now)
                connection_close(connection, connection->output_since > 0 || !connection->opened ? -ETIMEDOUT : 0,
                                 NULL);
        arm(served);
        hub_settle(connection->hub);
}

/* --- where connections stand --- */

static void stand(struct served *served, enum standing standing) {
        struct http_server *server = served->server;

        TAILQ_REMOVE(&server->connections[served->standing], served, link);
        server->n_handshakes -= served->standing == HANDSHAKING;
        served->standing = standing;
        TAILQ_INSERT_TAIL(&server->connections[standing], served, link);
        server->n_handshakes += standing == HANDSHAKING;
}

static void on_opened(struct http_connection *connection) {
        connection->active = uv_now(connection->hub->loop);
        stand(served_of(connection), IDLE);
        uv_timer_stop(&served_of(connection)->timer); /* the handshake's */
        arm(served_of(connection));
}

static void on_progress(struct http_connection *connection) {
        struct served *served = served_of(connection);

        if (served->standing == BUSY && connection->n_exchanges == 0)
                stand(served, IDLE);
        watch_output(connection);
        arm(served);
}

/* --- requests --- */

static void refuse(struct http_exchange *x, int status) {
        const char *reason = http_reason(status);
        size_t n = strlen(reason);
        char text[64];

        memcpy(text, reason, n);
        text[n] = '\n';
        if (http_reply(x, status, "text/plain; charset=utf-8", text, n + 1) < 0)
                http_reset(x, -ENOMEM);
}

static void refuse_method(struct http_exchange *x) {
        const struct http_server *server = x->owner_data;
        struct http_field fields[] = {
                { "allow", route_methods(server->config.routes, server->config.n_routes, x) },
                { "content-type", "text/plain; charset=utf-8" },
        };
        static const char text[] = "Method Not Allowed\n";

        if (http_respond(x, 405, fields, 2, sizeof(text) - 1) < 0 || http_send(x, text, sizeof(text) - 1) < 0 ||
            http_end(x, NULL, 0) < 0)
                http_reset(x, -ENOMEM);
}

/* OPTIONS of the server as a whole, which is no more than a ping (RFC 9110, 9.3.7), as Go's net/http answers it. */
static void answer_ping(struct http_exchange *x) {
        if (http_respond(x, 200, NULL, 0, 0) < 0 || http_end(x, NULL, 0) < 0)
                http_reset(x, -ENOMEM);
}

static void on_begun(struct http_connection *connection, struct http_exchange *x) {
        struct served *served = served_of(connection);
        struct http_server *server = served->server;
        const struct http_route *route;
        int status;

        if (served->standing != BUSY)
                stand(served, BUSY);
        connection->active = uv_now(server->hub.loop);
        x->owner_data = server;
        if (server->config.host && !server->config.host(server->config.data, x->request.authority))
                return refuse(x, 403);
        if (strcmp(x->request.target, "*") == 0 && strcmp(x->request.method, "OPTIONS") == 0)
                return answer_ping(x);
        route = route_find(server->config.routes, server->config.n_routes, x, &status);
        if (!route && status == 405)
                return refuse_method(x);
        if (!route)
                return refuse(x, status);
        x->route = route;
        x->upgrading = x->request.upgrade && (route->flags & ROUTE_UPGRADES) &&
                       (x->request.version == 20 || x->request.length == 0);
        if (!x->upgrading)
                x->request.upgrade = NULL;
        if (!x->upgrading && (route->flags & HTTP_ROUTE_UPGRADE))
                return refuse(x, 426);
        route->handle(x, server->config.data);
}

const struct http_route *http_route_of(const struct http_exchange *x) {
        return x->route;
}

unsigned http_loop(const struct http_exchange *x) {
        const struct http_server *server = x->owner_data;

        return server->config.loop;
}

int http_accept_upgrade(struct http_exchange *x, const struct http_field *fields, size_t n) {
        if (!x->upgrading)
                return -EINVAL;
        x->tunnel = true;
        return http_respond(x, 101, fields, n, -1);
}

/* --- connections --- */

static void on_hub_closed(struct http_hub *hub) {
        struct http_server *server = (struct http_server *)hub;

        if (server->on_gone)
                server->on_gone(server->gone_data);
        tls_context_unref(server->config.tls);
        free(server);
}

/* Others look on: see http_server_connections(). */
static void count(struct http_server *server, int change) {
        __atomic_store_n(&server->n_connections, server->n_connections + (unsigned)change, __ATOMIC_RELAXED);
}

uint64_t http_server_failed_handshakes(const struct http_server *server) {
        return __atomic_load_n(&server->n_failed, __ATOMIC_RELAXED);
}

static void maybe_drained(struct http_server *server) {
        void (*on_drained)(void *data) = server->on_drained;

        if (!on_drained || server->n_connections > 0)
                return;
        server->on_drained = NULL;
        on_drained(server->drained_data);
}

static void maybe_gone(struct http_server *server) {
        if (server->closing && server->n_connections == 0)
                hub_close(&server->hub, on_hub_closed);
}

static void on_timer_closed(uv_handle_t *handle) {
        struct served *served = handle->data;
        struct http_server *server = served->server;

        free(served);
        server->n_going--;
        count(server, -1);
        maybe_drained(server);
        maybe_gone(server);
}

static void on_closing(struct http_connection *connection) {
        served_of(connection)->server->n_going++;
}

static void on_closed(struct http_connection *connection, int error, const char *why) {
        struct served *served = served_of(connection);

        if (error < 0 && error != -ECONNRESET && error != -EPIPE && error != -ECANCELED)
                log_debug("HTTP connection: %s", why ?: strerror(-error));
        TAILQ_REMOVE(&served->server->connections[served->standing], served, link);
        served->server->n_handshakes -= served->standing == HANDSHAKING;
        if (!connection->opened && !served->server->closing)
                __atomic_store_n(&served->server->n_failed, served->server->n_failed + 1, __ATOMIC_RELAXED);
        uv_close((uv_handle_t *)&served->timer, on_timer_closed);
}

static const struct http_owner owner = {
        .opened = on_opened, .begun = on_begun, .progress = on_progress, .closing = on_closing, .closed = on_closed
};

/* Closes who has stood there longest. */
static bool close_first(struct http_server *server, enum standing standing) {
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
                close_first(server, HANDSHAKING);
        return server->n_connections - server->n_going < server->config.connections_max || close_first(server, IDLE) ||
               close_first(server, HANDSHAKING);
}

int http_server_accept(struct http_server *server, int fd) {
        struct served *served = make_room(server) ? calloc(1, sizeof(*served)) : NULL;
        struct http_connection *connection;
        int r;

        if (!served) {
                close(fd);
                return -ENOMEM;
        }
        connection = &served->connection;
        served->server = server;
        *connection =
                (struct http_connection){ .hub = &server->hub,
                                          .owner = &owner,
                                          .server = true,
                                          .active = uv_now(server->hub.loop),
                                          .streams_max = server->config.streams_max,
                                          .body_ms = server->config.body_ms,
                                          .stall_ms = server->config.stall_ms,
                                          .head_max = server->config.head_max,
                                          .no_date = server->config.flags & HTTP_SERVER_NO_DATE,
                                          .reset_large_heads = server->config.flags & HTTP_SERVER_RESET_LARGE_HEADS };
        if (server->config.flags & HTTP_SERVER_ONLY_2)
                connection->driver = &http_driver_2;
        TAILQ_INIT(&connection->exchanges);
        r = transport_accept(server->hub.loop, fd, server->config.tls, &http_connection_events, connection,
                             &connection->stream);
        if (r < 0) {
                free(served);
                return r;
        }
        uv_timer_init(server->hub.loop, &served->timer);
        served->timer.data = served;
        served->standing = HANDSHAKING;
        TAILQ_INSERT_TAIL(&server->connections[HANDSHAKING], served, link);
        server->n_handshakes++;
        count(server, 1);
        arm(served);
        return 0;
}

static void on_connection(void *data, int fd) {
        int r = http_server_accept(data, fd);

        if (r < 0)
                log_debug("HTTP connection: %s", strerror(-r));
}

/* --- the server --- */

static int check_routes(const struct http_server_config *config, struct err **err) {
        if (config->n_routes > HTTP_ROUTES_MAX)
                return err_set(err, EINVAL, "more than %d routes", HTTP_ROUTES_MAX);
        for (size_t i = 0; i < config->n_routes; i++)
                if (!route_is_valid(config->routes[i].path))
                        return err_set(err, EINVAL, "route %s: no path of segments and {names}",
                                       config->routes[i].path);
        return 0;
}

static void set_defaults(struct http_server_config *config) {
        config->connections_max = config->connections_max ?: HTTP_CONNECTIONS_MAX;
        config->streams_max = config->streams_max ?: HTTP_STREAMS_MAX;
        config->handshakes_max = config->handshakes_max ?: HTTP_HANDSHAKES_MAX;
        config->head_max = config->head_max ?: HTTP_HEAD_MAX;
        config->idle_ms = config->idle_ms ?: HTTP_IDLE_MS;
        config->handshake_ms = config->handshake_ms ?: HTTP_HANDSHAKE_MS;
        config->head_ms = config->head_ms ?: HTTP_HEAD_MS;
        config->body_ms = config->body_ms ?: HTTP_BODY_MS;
        config->stall_ms = config->stall_ms ?: HTTP_STALL_MS;
        config->linger_ms = config->linger_ms ?: HTTP_LINGER_MS;
}

int http_server_new(uv_loop_t *loop, const struct http_server_config *config, struct http_server **ret_server,
                    struct err **err) {
        struct http_server *server;
        int r = check_routes(config, err);

        if (r < 0)
                return r;
        server = calloc(1, sizeof(*server));
        if (!server)
                return err_set(err, ENOMEM, "out of memory");
        server->config = *config;
        set_defaults(&server->config);
        if (config->tls)
                tls_context_ref(config->tls);
        LIST_INIT(&server->listenings);
        for (unsigned i = 0; i < N_STANDINGS; i++)
                TAILQ_INIT(&server->connections[i]);
        hub_init(&server->hub, loop);
        *ret_server = server;
        return 0;
}

int http_server_listen(struct http_server *server, int fd) {
        struct listening *listening = calloc(1, sizeof(*listening));
        int r;

        if (!listening) {
                close(fd);
                return -ENOMEM;
        }
        r = listener_new(server->hub.loop, fd, on_connection, server, &listening->listener);
        if (r < 0) {
                free(listening);
                return r;
        }
        LIST_INSERT_HEAD(&server->listenings, listening, link);
        return 0;
}

void http_server_set_tls(struct http_server *server, struct tls_context *tls) {
        if (tls)
                tls_context_ref(tls);
        tls_context_unref(server->config.tls);
        server->config.tls = tls;
}

static void stop_listening(struct http_server *server) {
        struct listening *listening;

        while ((listening = LIST_FIRST(&server->listenings))) {
                LIST_REMOVE(listening, link);
                listener_free(listening->listener);
                free(listening);
        }
}

static void drain_one(struct http_connection *connection) {
        if (connection->closing)
                return;
        if (connection->state)
                connection->driver->drain(connection);
        else
                connection_close(connection, 0, NULL);
        arm(served_of(connection));
}

void http_send_away(struct http_exchange *x) {
        /* A request from within the process (local.h) has a connection without a stream. */
        if (x->connection && x->connection->stream && x->connection->multiplexed && !x->connection->draining)
                drain_one(x->connection);
}

/* A connection that is closed, or whose last exchange ends, may change lists meanwhile, but only later in the order. */
static void drain_all(struct http_server *server) {
        struct served *served, *next;

        for (unsigned i = N_STANDINGS; i-- > 0;)
                for (served = TAILQ_FIRST(&server->connections[i]); served; served = next) {
                        next = TAILQ_NEXT(served, link);
                        drain_one(&served->connection);
                }
}

void http_server_drain(struct http_server *server, void (*on_drained)(void *data), void *data) {
        server->on_drained = on_drained;
        server->drained_data = data;
        stop_listening(server);
        drain_all(server);
        maybe_drained(server);
}

void http_server_free(struct http_server *server, void (*on_gone)(void *data), void *data) {
        struct served *served;

        if (!server)
                return;
        stop_listening(server);
        server->on_gone = on_gone;
        server->gone_data = data;
        server->on_drained = NULL;
        server->closing = true;
        drain_all(server);
        for (unsigned i = 0; i < N_STANDINGS; i++)
                TAILQ_FOREACH (served, &server->connections[i], link)
                        connection_close(&served->connection, -ECANCELED, NULL);
        maybe_gone(server);
}

unsigned http_server_connections(const struct http_server *server) {
        return __atomic_load_n(&server->n_connections, __ATOMIC_RELAXED);
}
