#include "agent/endpoint.h"

#include <errno.h>
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "lib/listen.h"
#include "lib/log.h"

struct endpoint {
        uv_loop_t *loop;
        uv_pipe_t pipe;
        uv_tcp_t tcp;
        bool has_pipe, has_tcp, closing;
        char *path;
        const struct endpoint_route *routes;
        void *data;
        struct client *clients;
        unsigned n_clients, handles;
};

struct client {
        struct endpoint *endpoint; /* NULL: it is gone */
        struct client *next;
        union {
                uv_stream_t stream;
                uv_pipe_t pipe;
                uv_tcp_t tcp;
        };
        uv_timer_t timer;
        uv_write_t write;
        http_parser parser;
        char url[1024];
        char input[1024];
        size_t url_length, read;
        char *answer;
        unsigned handles; /* still open */
        bool answered;
};

static void on_client_closed(uv_handle_t *handle) {
        struct client *c = handle->data;

        if (--c->handles > 0)
                return;
        free(c->answer);
        free(c);
}

static void close_client(struct client *c) {
        struct endpoint *e = c->endpoint;

        if (uv_is_closing((uv_handle_t *)&c->timer))
                return;
        for (struct client **at = &e->clients; *at; at = &(*at)->next)
                if (*at == c) {
                        *at = c->next;
                        e->n_clients--;
                        break;
                }
        uv_close((uv_handle_t *)&c->stream, on_client_closed);
        uv_close((uv_handle_t *)&c->timer, on_client_closed);
}

static void on_late(uv_timer_t *timer) {
        close_client(timer->data);
}

static void on_written(uv_write_t *write, int status) {
        if (status != UV_ECANCELED)
                close_client(write->data);
}

static void answer(struct client *c, const char *status, const char *type, const char *body, size_t length) {
        int head;
        char *text;

        c->answered = true;
        uv_read_stop(&c->stream);
        text = malloc(length + 256);
        if (!text) {
                close_client(c);
                return;
        }
        head = snprintf(text, 256,
                        "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status,
                        type, length);
        memcpy(text + head, body, length);
        c->answer = text;
        c->write.data = c;
        uv_buf_t buf = uv_buf_init(text, (unsigned)((size_t)head + length));
        if (uv_write(&c->write, &c->stream, &buf, 1, on_written) < 0)
                close_client(c);
}

static void answer_text(struct client *c, const char *status, const char *text) {
        answer(c, status, "text/plain", text, strlen(text));
}

static void answer_route(struct client *c, const struct endpoint_route *route) {
        const char *type = route->text ? "text/plain; version=0.0.4; charset=utf-8" : "application/json";
        struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        size_t length = 0;
        int r = 0;

        if (route->text) {
                text = route->text(c->endpoint->data);
                length = text ? strlen(text) : 0;
        } else {
                r = route->write(c->endpoint->data, &w);
                if (json_writer_finish(&w, &text, &length) < 0)
                        text = NULL;
        }
        if (r < 0 || !text)
                answer_text(c, "500 Internal Server Error", "the answer could not be made\n");
        else
                answer(c, "200 OK", type, text, length);
}

static int on_url(http_parser *parser, const char *at, size_t length) {
        struct client *c = parser->data;

        if (c->url_length + length >= sizeof(c->url))
                return 1;
        memcpy(c->url + c->url_length, at, length);
        c->url_length += length;
        c->url[c->url_length] = '\0';
        return 0;
}

static int on_complete(http_parser *parser) {
        struct client *c = parser->data;
        size_t length = strcspn(c->url, "?");

        if (c->answered)
                return 1;
        if (length > 1 && c->url[length - 1] == '/')
                length--;
        c->url[length] = '\0';
        if (parser->method != HTTP_GET) {
                answer_text(c, "405 Method Not Allowed", "only GET\n");
                return 0;
        }
        if (strcmp(c->url, "/healthz") == 0) {
                answer_text(c, "200 OK", "ok");
                return 0;
        }
        for (const struct endpoint_route *route = c->endpoint->routes; route->path; route++)
                if (strcmp(route->path, c->url) == 0) {
                        answer_route(c, route);
                        return 0;
                }
        answer_text(c, "404 Not Found", "404 page not found\n");
        return 0;
}

static const http_parser_settings settings = { .on_url = on_url, .on_message_complete = on_complete };

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
        struct client *c = handle->data;

        *buf = uv_buf_init(c->input, sizeof(c->input));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
        struct client *c = stream->data;

        if (n == 0)
                return;
        if (n < 0 || (c->read += (size_t)n) > ENDPOINT_REQUEST_MAX) {
                close_client(c);
                return;
        }
        if (http_parser_execute(&c->parser, &settings, buf->base, (size_t)n) != (size_t)n && !c->answered)
                answer_text(c, "400 Bad Request", "400 Bad Request\n");
}

static void on_connection(uv_stream_t *server, int status) {
        struct endpoint *e = server->data;
        struct client *c;

        if (status < 0)
                return;
        if (!(c = calloc(1, sizeof(*c)))) {
                listen_refuse(server);
                return;
        }
        c->endpoint = e;
        c->stream.data = c->timer.data = c;
        c->handles = 2;
        if (server == (uv_stream_t *)&e->pipe)
                uv_pipe_init(e->loop, &c->pipe, 0);
        else
                uv_tcp_init(e->loop, &c->tcp);
        uv_timer_init(e->loop, &c->timer);
        c->stream.data = c->timer.data = c;
        http_parser_init(&c->parser, HTTP_REQUEST);
        c->parser.data = c;
        c->next = e->clients;
        e->clients = c;
        e->n_clients++;
        if (uv_accept(server, &c->stream) < 0 || e->n_clients > ENDPOINT_CLIENTS_MAX ||
            uv_read_start(&c->stream, on_alloc, on_read) < 0)
                close_client(c);
        else
                uv_timer_start(&c->timer, on_late, ENDPOINT_SECONDS * 1000, 0);
}

static int listen_pipe(struct endpoint *e, struct err **err) {
        int fd, r;

        if ((r = listen_unix(e->path, 0660, &fd, err)) < 0)
                return r;
        uv_pipe_init(e->loop, &e->pipe, 0);
        e->pipe.data = e;
        e->has_pipe = true;
        e->handles++;
        if ((r = uv_pipe_open(&e->pipe, fd)) < 0) {
                close(fd);
                return err_errno(err, -r, "%s", e->path);
        }
        if ((r = uv_listen((uv_stream_t *)&e->pipe, 16, on_connection)) < 0)
                return err_errno(err, -r, "cannot listen on %s", e->path);
        return 0;
}

static int listen_tcp(struct endpoint *e, const char *address, int port, struct err **err) {
        struct sockaddr_storage at;
        int r;

        if (uv_ip4_addr(address, port, (struct sockaddr_in *)&at) < 0 &&
            uv_ip6_addr(address, port, (struct sockaddr_in6 *)&at) < 0)
                return err_set(err, EINVAL, "read-only port: \"%s\" is not an address", address);
        uv_tcp_init(e->loop, &e->tcp);
        e->tcp.data = e;
        e->has_tcp = true;
        e->handles++;
        if ((r = uv_tcp_bind(&e->tcp, (struct sockaddr *)&at, 0)) < 0 ||
            (r = uv_listen((uv_stream_t *)&e->tcp, 16, on_connection)) < 0)
                return err_errno(err, -r, "cannot listen on the read-only port %s:%d", address, port);
        return 0;
}

int endpoint_new(uv_loop_t *loop, const struct options *options, const struct endpoint_route *routes, void *data,
                 struct endpoint **ret_endpoint, struct err **err) {
        struct endpoint *e = calloc(1, sizeof(*e));
        int r;

        if (!e || asprintf(&e->path, "%s/kubelet.sock", options->run_dir) < 0) {
                free(e);
                return err_set(err, ENOMEM, "out of memory");
        }
        e->loop = loop;
        e->routes = routes;
        e->data = data;
        r = listen_pipe(e, err);
        if (r == 0 && options->read_only_port)
                r = listen_tcp(e, options->read_only_address, options->read_only_port, err);
        if (r < 0) {
                endpoint_free(e);
                return r;
        }
        *ret_endpoint = e;
        return 0;
}

static void on_closed(uv_handle_t *handle) {
        struct endpoint *e = handle->data;

        if (--e->handles > 0)
                return;
        free(e->path);
        free(e);
}

void endpoint_free(struct endpoint *e) {
        if (!e)
                return;
        while (e->clients)
                close_client(e->clients);
        if (e->has_pipe) {
                unlink(e->path);
                uv_close((uv_handle_t *)&e->pipe, on_closed);
        }
        if (e->has_tcp)
                uv_close((uv_handle_t *)&e->tcp, on_closed);
        if (!e->has_pipe && !e->has_tcp) {
                free(e->path);
                free(e);
        }
}
