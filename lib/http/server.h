/* An HTTP server: HTTP/1.1 and HTTP/2 on the same sockets, told apart by ALPN or, without TLS, by HTTP/2's preface.
 *
 * A server belongs to one loop; several loops with a server each are lib/http/loops.h's.
 *
 * Peers are not trusted: all that they can have us hold has a maximum here, and all that they can have us wait for a
 * time.
 */
#pragma once

#include <uv.h>

#include "lib/http/exchange.h"

struct err;
struct http_server;
struct tls_context;

/* Past it, the connection that has been idle for the longest is closed; if none is idle, the new one. */
#define HTTP_CONNECTIONS_MAX 400
#define HTTP_STREAMS_MAX 256              /* of an HTTP/2 connection */
#define HTTP_WINDOW ((uint32_t)256 << 10) /* bytes of a stream that may be on their way (RFC 9113, 5.2) */
#define HTTP_RESETS_MAX 200               /* streams that a peer may reset in HTTP_RESETS_MS, then it is sent away */
#define HTTP_RESETS_MS 30000
#define HTTP_EMPTY_FRAMES_MAX 10000 /* frames that bring nothing, in HTTP_RESETS_MS; the same */
#define HTTP_HANDSHAKES_MAX 1000    /* TLS handshakes under way: past it, the oldest is closed */
#define HTTP_HANDSHAKE_MS 10000     /* for a handshake to be done; then the same */
#define HTTP_HEAD_MS 10000          /* for a request's head to come, from its first byte on: 408, and closed */
#define HTTP_BODY_MS 60000          /* for a body that http_collect() waits for: -ETIMEDOUT */
#define HTTP_IDLE_MS 120000         /* without a request: closed */
/* Output waits, and the peer takes none of it: its stream is reset, or all is closed; not a tunnel. */
#define HTTP_STALL_MS 60000
#define HTTP_LINGER_MS 5000 /* for a client to read its last answer, and close */
#define HTTP_ROUTES_MAX 256

enum {
        /* Takes requests to upgrade, by its method or CONNECT with :protocol. A body before the tunnel has no place:
         * with one, and on routes without these flags, Upgrade is ignored. */
        HTTP_ROUTE_UPGRADE = 1 << 0,     /* others get 426 */
        HTTP_ROUTE_MAY_UPGRADE = 1 << 1, /* takes others, too */
};

/* One row of the table of routes; the first that fits counts. */
struct http_route {
        const char *method; /* "GET" (HEAD is GET without a body), "POST" ...; NULL: any */
        /* "/healthz"; "/exec/{token}": one segment, not empty; "/static/{path...}": all that follows, may be empty. */
        const char *path;
        void (*handle)(struct http_exchange *x, void *data);
        unsigned flags;
};

enum {
        HTTP_SERVER_NO_DATE = 1 << 0,           /* responses go without Date */
        HTTP_SERVER_RESET_LARGE_HEADS = 1 << 1, /* in place of 431, for HTTP/2's clients that know no statuses */
        HTTP_SERVER_ONLY_2 = 1 << 2,            /* HTTP/2 by prior knowledge, nothing else */
};

struct http_server_config {
        const struct http_route *routes; /* live as long as the server */
        size_t n_routes;
        void *data;                                                   /* for handle() */
        struct tls_context *tls;                                      /* NULL: plain; a reference is taken */
        unsigned connections_max;                                     /* 0: HTTP_CONNECTIONS_MAX */
        unsigned streams_max;                                         /* 0: HTTP_STREAMS_MAX */
        unsigned handshakes_max;                                      /* 0: HTTP_HANDSHAKES_MAX */
        unsigned idle_ms;                                             /* 0: HTTP_IDLE_MS; UINT_MAX: for ever */
        unsigned handshake_ms, head_ms, body_ms, stall_ms, linger_ms; /* 0: as above */
        unsigned head_max; /* bytes of a request's head over HTTP/2; 0: HTTP_HEAD_MAX */
        unsigned loop;     /* which of several it is: for http_loop() */
        unsigned flags;
        /* Whether requests with this Host are served; NULL: all. Against DNS rebinding, of servers without credentials.
         */
        bool (*host)(void *data, const char *authority);
};

/* 0; -EINVAL for a route that is none; -ENOMEM. @config is copied. */
int http_server_new(uv_loop_t *loop, const struct http_server_config *config, struct http_server **ret_server,
                    struct err **err);

/* Serves connections on the listening socket @fd, which is taken over also on failure. Several are fine. */
int http_server_listen(struct http_server *server, int fd);

/* Serves the connected socket @fd, taken over. */
int http_server_accept(struct http_server *server, int fd);

/* New connections are made with @tls, those that are there go on with their own. */
void http_server_set_tls(struct http_server *server, struct tls_context *tls);

/* Takes no more connections and requests; what is under way may end (GOAWAY, "Connection: close"), as long as its
 * client neither leaves output untaken nor a body unsent for linger_ms. @on_drained (may be NULL) is called when no
 * connection is left, perhaps at once; not after http_server_free(). */
void http_server_drain(struct http_server *server, void (*on_drained)(void *data), void *data);

/* Closes all. Exchanges end with closed(); memory goes once the loop has closed the handles, then @on_gone (may be
 * NULL) is called. NULL is fine. */
void http_server_free(struct http_server *server, void (*on_gone)(void *data), void *data);

/* Connections at this moment, for metrics and tests. From any thread. */
unsigned http_server_connections(const struct http_server *server);

/* Connections that ended before their TLS handshake did. From any thread. */
uint64_t http_server_failed_handshakes(const struct http_server *server);

/* The number of the server's loop, of its configuration. */
unsigned http_loop(const struct http_exchange *x);

/* The row of the server's table that @x came by. */
const struct http_route *http_route_of(const struct http_exchange *x);

/* What the route's {NAME} stood for, decoded; NULL when it is not in the route. "{path...}" is not decoded. */
const char *http_param(struct http_exchange *x, const char *name);

/* Collects the request's body, decompressed when it comes in gzip, and then calls @done: with 0; -EMSGSIZE when it is
 * larger than @max; -ETIMEDOUT when it was not there in time; -EBADMSG for what is no gzip, -EOPNOTSUPP for other
 * codings; or a negative errno when the client has gone or there is no memory. @done comes once, from the loop or, when
 * all is there, at once. */
void http_collect(struct http_exchange *x, size_t max,
                  void (*done)(struct http_exchange *x, int error, const void *body, size_t size, void *data),
                  void *data);

/* Ends what http_collect() waits for: @done gets @error. Only while it does. */
void http_collect_end(struct http_exchange *x, int error);

/* Has the connection of @x take no more requests over HTTP/2 (GOAWAY); what is under way may end. Nothing over HTTP/1.
 */
void http_send_away(struct http_exchange *x);

/* Accepts an upgrade: 101 (HTTP/1.1, with Connection and Upgrade) or 200 (CONNECT), with @fields besides. Bytes go
 * through data() and http_send() from then on. */
int http_accept_upgrade(struct http_exchange *x, const struct http_field *fields, size_t n);
