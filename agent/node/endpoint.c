#include "agent/node/endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/http/server.h"
#include "lib/json_writer.h"
#include "lib/listen.h"
#include "lib/transport/listener.h"

struct endpoint {
        struct http_server *server;
        char *path;
        const struct endpoint_route *routes;
        void *data;
};

static void reply(struct http_exchange *x, int status, const char *type, const char *text, size_t length) {
        int r = http_reply(x, status, type, text, length);

        if (r < 0)
                http_reset(x, r);
}

static void reply_text(struct http_exchange *x, int status, const char *text) {
        reply(x, status, "text/plain", text, strlen(text));
}

static void reply_route(struct http_exchange *x, const struct endpoint *e, const struct endpoint_route *route) {
        const char *type = route->text ? "text/plain; version=0.0.4; charset=utf-8" : "application/json";
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        size_t length = 0;
        int r = 0;

        if (route->text) {
                text = route->text(e->data);
                length = text ? strlen(text) : 0;
        } else {
                r = route->write(e->data, &w);
                if (json_writer_finish(&w, &text, &length) < 0)
                        text = NULL;
        }
        if (r < 0 || !text)
                return reply_text(x, 500, "the answer could not be made\n");
        reply(x, 200, type, text, length);
}

/* A slash at the path's end makes no difference. */
static bool is_path(const struct http_request *request, const char *path) {
        size_t n = request->n_path;

        if (n > 1 && request->target[n - 1] == '/')
                n--;
        return strlen(path) == n && memcmp(request->target, path, n) == 0;
}

static void handle_get(struct http_exchange *x, void *data) {
        const struct endpoint *e = data;

        if (is_path(http_request_of(x), "/healthz"))
                return reply_text(x, 200, "ok");
        for (const struct endpoint_route *route = e->routes; route->path; route++)
                if (is_path(http_request_of(x), route->path))
                        return reply_route(x, e, route);
        reply_text(x, 404, "404 page not found\n");
}

static int listen_path(struct endpoint *e, struct err **err) {
        int fd, r = listen_unix(e->path, 0660, &fd, err);

        if (r < 0) {
                free(TAKE_PTR(e->path)); /* it is not ours to remove */
                return r;
        }
        r = http_server_listen(e->server, fd);
        return r < 0 ? err_errno(err, -r, "cannot listen on %s", e->path) : 0;
}

static int listen_port(struct endpoint *e, const char *address, int port, struct err **err) {
        char text[64];
        int fd, r;

        snprintf(text, sizeof(text), strchr(address, ':') ? "[%s]:%d" : "%s:%d", address, port);
        r = listener_tcp(text, &fd, err);
        if (r < 0)
                return err_wrap(err, r, "the read-only port");
        r = http_server_listen(e->server, fd);
        return r < 0 ? err_errno(err, -r, "the read-only port %s", text) : 0;
}

int endpoint_new(uv_loop_t *loop, const struct options *options, const struct endpoint_route *routes, void *data,
                 struct endpoint **ret_endpoint, struct err **err) {
        static const struct http_route all[] = { { "GET", "/{path...}", handle_get, 0 } };
        struct endpoint *e = calloc(1, sizeof(*e));
        struct http_server_config config = {
                .routes = all, .n_routes = ELEMENTS(all), .data = e, .connections_max = ENDPOINT_CLIENTS_MAX
        };
        int r;

        if (!e || asprintf(&e->path, "%s/kubelet.sock", options->run_dir) < 0) {
                free(e);
                return err_set(err, ENOMEM, "out of memory");
        }
        e->routes = routes;
        e->data = data;
        if ((r = http_server_new(loop, &config, &e->server, err)) < 0 || (r = listen_path(e, err)) < 0 ||
            (options->read_only_port &&
             (r = listen_port(e, options->read_only_address, options->read_only_port, err)) < 0)) {
                endpoint_free(e);
                return r;
        }
        *ret_endpoint = e;
        return 0;
}

static void on_gone(void *data) {
        struct endpoint *e = data;

        free(e->path);
        free(e);
}

void endpoint_free(struct endpoint *e) {
        if (!e)
                return;
        if (e->path)
                unlink(e->path);
        if (e->server)
                http_server_free(e->server, on_gone, e);
        else
                on_gone(e);
}
