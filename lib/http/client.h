/* An HTTP client of one server: HTTP/2 on one connection that all exchanges share, or HTTP/1.1 on a few that are kept.
 *
 * Which one is ALPN's to say, or, without TLS, the configuration's. A request that finds its kept connection closed by
 * the server is not repeated: whether it may be is its maker's to know.
 */
#pragma once

#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "lib/http/exchange.h"

struct http_client;
struct tls_context;

#define HTTP_CLIENT_EXCHANGES_MAX 4096 /* under way at a time; one more is refused */
#define HTTP_CLIENT_IDLE_MAX 8         /* HTTP/1.1 connections kept without an exchange */
#define HTTP_CLIENT_IDLE_MS 60000      /* and for how long */
#define HTTP_CLIENT_STREAMS_MAX 256    /* of an HTTP/2 connection */
#define HTTP_CLIENT_CONNECTIONS_MAX 64 /* HTTP/1.1: exchanges beyond wait for one */
#define HTTP_DECODED_MAX ((size_t)256 << 20)

/* For Kubernetes' servers, as ReadIdleTimeout and PingTimeout of golang.org/x/net/http2 are there: 45 s after its cable
 * was pulled a connection is given up, where TCP would take a quarter of an hour. */
#define HTTP_CLIENT_SILENCE_MS 30000
#define HTTP_CLIENT_PING_MS 15000

enum http_version {
        HTTP_VERSION_ANY, /* with TLS by ALPN; without, HTTP/1.1 */
        HTTP_VERSION_1,
        HTTP_VERSION_2, /* without TLS by prior knowledge (RFC 9113, 3.3) */
};

struct http_client_config {
        const struct sockaddr *address;
        socklen_t n_address;
        const char *authority;   /* Host: "example.test:8443" */
        struct tls_context *tls; /* NULL: plain; a reference is taken */
        const char *name;        /* whom its certificate must name */
        enum http_version version;
        unsigned connections_max, idle_max; /* 0: as above */
        unsigned idle_ms;                   /* 0: HTTP_CLIENT_IDLE_MS; UINT_MAX: for ever, without a timer */
        /* HTTP/2, with exchanges under way: a server that has sent nothing for silence_ms is asked for a sign of life
         * (PING: RFC 9113, 6.7), and without one for ping_ms the connection ends with -ETIMEDOUT. 0: it is not asked;
         * 0: HTTP_CLIENT_PING_MS. Not for servers of gRPC, which send away who asks so often. */
        unsigned silence_ms, ping_ms;
        bool lenient; /* HTTP/1.1 as Go's net/http speaks it: names are sent with capitals and blanks in a query as they
                       * are, and answers are read as lib/http/lenient.h has it. For who must take any server */
};

/* Connects at the first request. @config is copied. 0 or -ENOMEM. */
int http_client_new(uv_loop_t *loop, const struct http_client_config *config, struct http_client **ret_client);

/* Closes the connections that there are, as if the server had: exchanges on them end with closed(-ECONNRESET). */
void http_client_reconnect(struct http_client *client);

/* Exchanges end with closed(-ECANCELED). Memory goes once the loop has closed the handles. NULL is fine. */
void http_client_free(struct http_client *client);

enum {
        HTTP_REQUEST_BODY = 1 << 0,  /* http_send() and http_end() follow; without, the request ends with its head */
        HTTP_REQUEST_GZIP = 1 << 2,  /* takes gzip, and gives the answer's body as it was before */
        HTTP_REQUEST_ALONE = 1 << 1, /* on a connection of its own (long-lived ones over HTTP/1.1 get one anyway) */
};

struct http_client_request {
        const char *method, *target;
        const char *authority;           /* NULL: the configuration's */
        const char *upgrade;             /* asks for this protocol: Upgrade, or CONNECT with :protocol */
        const struct http_field *fields; /* names in lower case */
        size_t n_fields;
        int64_t length; /* of the body; -1: chunks. Counts with HTTP_REQUEST_BODY */
        unsigned flags;
        size_t decoded_max; /* with HTTP_REQUEST_GZIP: bytes of a decompressed body, past which the exchange ends with
                               -EMSGSIZE; 0: HTTP_DECODED_MAX */
};

/* Begins an exchange; all of @request is copied. Events come from the loop. 0, -EBUSY past the maximum, -EINVAL for
 * what no head may hold, -ENOMEM; then no event comes. */
int http_client_request(struct http_client *client, const struct http_client_request *request,
                        const struct http_events *events, void *data, struct http_exchange **ret_x);

/* Whether a connection was there that took its request: if not, the server has seen nothing of it. */
bool http_client_sent(const struct http_exchange *x);
