#include "lib/http/dispatch.h"

#include <errno.h>
#include <string.h>

#include "lib/http/internal.h"
#include "lib/http/route.h"
#include "lib/http/served.h"

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

void dispatch(struct http_server *server, struct http_exchange *x) {
        const struct http_route *route;
        int status;

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

int http_accept_upgrade(struct http_exchange *x, const struct http_field *fields, size_t n) {
        if (!x->upgrading)
                return -EINVAL;
        x->tunnel = true;
        return http_respond(x, 101, fields, n, -1);
}
