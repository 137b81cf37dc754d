#include "lib/http/server.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/http/route.h"
#include "lib/http/served.h"
#include "lib/log.h"
#include "lib/transport/listener.h"
#include "lib/transport/tls.h"

struct served_socket {
        struct listener *listener;
        LIST_ENTRY(served_socket) link;
};

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
        LIST_INIT(&server->sockets);
        for (unsigned i = 0; i < SERVED_STANDINGS; i++)
                TAILQ_INIT(&server->connections[i]);
        hub_init(&server->hub, loop);
        *ret_server = server;
        return 0;
}

static void on_connection(void *data, int fd) {
        int r = http_server_accept(data, fd);

        if (r < 0)
                log_debug("HTTP connection: %s", strerror(-r));
}

int http_server_listen(struct http_server *server, int fd) {
        struct served_socket *socket = calloc(1, sizeof(*socket));
        int r;

        if (!socket) {
                close(fd);
                return -ENOMEM;
        }
        r = listener_new(server->hub.loop, fd, on_connection, server, &socket->listener);
        if (r < 0) {
                free(socket);
                return r;
        }
        LIST_INSERT_HEAD(&server->sockets, socket, link);
        return 0;
}

void http_server_set_tls(struct http_server *server, struct tls_context *tls) {
        if (tls)
                tls_context_ref(tls);
        tls_context_unref(server->config.tls);
        server->config.tls = tls;
}

unsigned http_loop(const struct http_exchange *x) {
        const struct http_server *server = x->owner_data;

        return server->config.loop;
}

/* --- its end --- */

static void on_hub_closed(struct http_hub *hub) {
        struct http_server *server = (struct http_server *)hub;

        if (server->on_gone)
                server->on_gone(server->gone_data);
        tls_context_unref(server->config.tls);
        free(server);
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

void server_left(struct http_server *server) {
        maybe_drained(server);
        maybe_gone(server);
}

static void stop_listening(struct http_server *server) {
        struct served_socket *socket;

        while ((socket = LIST_FIRST(&server->sockets))) {
                LIST_REMOVE(socket, link);
                listener_free(socket->listener);
                free(socket);
        }
}

/* A connection that is closed, or whose last exchange ends, may change lists meanwhile, but only later in the order. */
static void drain_all(struct http_server *server) {
        struct served *served, *next;

        for (unsigned i = SERVED_STANDINGS; i-- > 0;)
                for (served = TAILQ_FIRST(&server->connections[i]); served; served = next) {
                        next = TAILQ_NEXT(served, link);
                        served_send_off(served);
                }
}

void http_server_drain(struct http_server *server, void (*on_drained)(void *data), void *data) {
        server->on_drained = on_drained;
        server->drained_data = data;
        server->drains_since = uv_now(server->hub.loop) ?: 1;
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
        for (unsigned i = 0; i < SERVED_STANDINGS; i++)
                TAILQ_FOREACH (served, &server->connections[i], link)
                        connection_close(&served->connection, -ECANCELED, NULL);
        maybe_gone(server);
}
