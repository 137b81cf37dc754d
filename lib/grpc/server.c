#include "lib/grpc/server.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grpc/internal.h"

static const struct http_route routes[] = { { NULL, "/{method...}", grpc_call_begin, 0 } };

static void on_later(uv_idle_t *idle) {
        struct grpc_server *server = idle->data;

        uv_idle_stop(idle);
        grpc_server_tell_cancelled(server);
}

void grpc_server_wake(struct grpc_server *server) {
        if (!uv_is_closing((uv_handle_t *)&server->later))
                uv_idle_start(&server->later, on_later);
}

int grpc_server_new(uv_loop_t *loop, struct grpc_server **ret_server) {
        struct grpc_server *server = calloc(1, sizeof(*server));
        struct http_server_config config = { .routes = routes,
                                             .n_routes = ELEMENTS(routes),
                                             .data = server,
                                             .connections_max = GRPC_CONNECTIONS_MAX,
                                             .streams_max = GRPC_STREAMS_MAX,
                                             .head_max = GRPC_HEADERS_MAX,
                                             .idle_ms = UINT_MAX,
                                             .flags = HTTP_SERVER_NO_DATE | HTTP_SERVER_RESET_LARGE_HEADS |
                                                      HTTP_SERVER_ONLY_2 };

        if (!server)
                return -ENOMEM;
        if (http_server_new(loop, &config, &server->http, NULL) < 0) {
                free(server);
                return -ENOMEM;
        }
        server->loop = loop;
        STAILQ_INIT(&server->cancelled);
        STAILQ_INIT(&server->spare);
        uv_idle_init(loop, &server->later);
        server->later.data = server;
        *ret_server = server;
        return 0;
}

int grpc_server_add(struct grpc_server *server, const struct grpc_method *methods, size_t n, struct err **err) {
        for (size_t i = 0; i < n; i++) {
                for (unsigned j = 0; j < server->n_methods; j++)
                        if (strcmp(server->methods[j]->path, methods[i].path) == 0)
                                return err_set(err, EEXIST, "gRPC method %s is there twice", methods[i].path);
                if (server->n_methods == GRPC_METHODS_MAX)
                        return err_set(err, ENOSPC, "more than %d gRPC methods", GRPC_METHODS_MAX);
                server->methods[server->n_methods++] = &methods[i];
        }
        return 0;
}

int grpc_server_listen(struct grpc_server *server, int fd, struct err **err) {
        int r = http_server_listen(server->http, fd);

        return r < 0 ? err_errno(err, -r, "gRPC socket: listen") : 0;
}

void grpc_server_maybe_free(struct grpc_server *server) {
        if (!server->closing || !server->http_gone || !server->later_gone || server->n_calls > 0)
                return;
        if (server->on_gone)
                server->on_gone(server->gone_data);
        free(server);
}

static void on_later_closed(uv_handle_t *handle) {
        struct grpc_server *server = handle->data;

        server->later_gone = true;
        grpc_server_maybe_free(server);
}

static void on_http_gone(void *data) {
        struct grpc_server *server = data;

        grpc_server_tell_cancelled(server);
        server->http_gone = true;
        uv_close((uv_handle_t *)&server->later, on_later_closed);
}

void grpc_server_free(struct grpc_server *server) {
        if (!server || server->closing)
                return;
        server->closing = true;
        grpc_server_free_spare(server);
        http_server_free(TAKE_PTR(server->http), on_http_gone, server);
}

void grpc_server_on_gone(struct grpc_server *server, void (*on_gone)(void *data), void *data) {
        server->on_gone = on_gone;
        server->gone_data = data;
}

unsigned grpc_server_connections(const struct grpc_server *server) {
        return server->http ? http_server_connections(server->http) : 0;
}

unsigned grpc_server_calls(const struct grpc_server *server) {
        return server->n_calls;
}
