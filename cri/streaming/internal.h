/* What the streaming server's files share.
 *
 * A client (client.c) is an exchange that protocol.c has upgraded; its bytes go to a wire: SPDY (spdy.c), WebSocket or
 * one in the other (websocket.c). A wire turns them into input for the session (session.c: one process) or for forwards
 * (forward.c: connections into a pod), and their output into frames.
 *
 * A client lives until its exchange has closed, its session until then or until something has gone wrong on the wire.
 */
#pragma once

#include <sys/queue.h>
#include <sys/uio.h>

#include "cri/streaming/pump.h"
#include "cri/streaming/server.h"
#include "cri/streaming/streaming.h"

enum channel { CHANNEL_IN, CHANNEL_OUT, CHANNEL_ERR, CHANNEL_STATUS, CHANNEL_RESIZE, CHANNELS };

struct stream_client;
struct websocket_decoder;

/* @id is an enum channel for exec and attach; for port-forward a SPDY stream, or a channel's number and one. */
struct wire {
        int (*begin)(struct stream_client *client); /* after the upgrade; negative errno: close */
        int (*receive)(struct stream_client *client, uint8_t *data, size_t n);
        void (*send)(struct stream_client *client, uint32_t id, const void *data, size_t n);
        void (*end)(struct stream_client *client, uint32_t id); /* no more will be sent there */
        /* Nothing more at all: the client is closed after it. @error is a negative errno that says what of the client's
         * could not be taken, or 0. */
        void (*finish)(struct stream_client *client, int error);
        void (*done)(struct stream_client *client); /* frees client->wire_state */
};

extern const struct wire streaming_spdy_wire, streaming_websocket_wire, streaming_websocket_forward_wire,
        streaming_tunnel_wire;

/* A protocol (protocol.c): its name and what it means. */
struct protocol {
        const char *name; /* "": clients that offer none */
        unsigned version; /* of the remote command protocol, 1 to 5 */
        bool base64, websocket;
        const struct wire *wire;
};

/* Why a client's input is held back. */
enum streaming_client_pause {
        CLIENT_INPUT_WAITS = 1 << 0,  /* for the process, or the pod, to take it */
        CLIENT_OUTPUT_WAITS = 1 << 1, /* for the client to read what it is owed */
};

struct stream_client {
        struct http_exchange *x;
        struct streaming *streaming;
        LIST_ENTRY(stream_client) link;
        uv_timer_t *timer;
        uint64_t active; /* uv_now() of the last byte */
        const struct protocol *protocol;
        void *wire_state;
        struct websocket_decoder *tunnel;  /* of the WebSocket around SPDY; NULL without */
        unsigned pauses;                   /* of enum streaming_client_pause */
        bool finishing;                    /* nothing is sent behind what waits, and what comes is dropped */
        bool close_sent;                   /* of WebSocket */
        struct streaming_session *session; /* NULL when it is over */
};

struct streaming_session {
        struct stream_client *client;
        struct streaming *streaming;
        struct streaming_request request; /* the session's own */
        struct pump_sink *in;
        struct pump_source *out, *err;
        uv_timer_t *drain;
        bool started;  /* the source was asked */
        bool running;  /* and has given descriptors */
        bool released; /* the source has no interest in it any more */
        bool exited, finished;
        int exit_code;
        char resize[64]; /* a JSON object as it comes in */
        size_t n_resize;
        uint16_t columns, rows; /* as told last, perhaps before the process runs; 0: not told */
        void *data;
        LIST_HEAD(, streaming_connection) connections;
        unsigned n_connections;
        uv_timer_t *halves; /* for the oldest of them that lacks a stream; NULL until there was one */
};

struct streaming {
        uv_loop_t *loop;
        const struct streaming_source *source;
        void *data;
        LIST_HEAD(, stream_client) clients;
        unsigned n_clients;
        unsigned streams_ms; /* STREAMING_STREAMS_SECONDS */
        bool closing;
};

/* server.c */
#define STREAMING_TOKEN_LENGTH 32 /* hex digits */

struct streaming_token {
        char text[STREAMING_TOKEN_LENGTH + 1];
        uint64_t expires; /* uv_now() */
        struct streaming_request request;
        TAILQ_ENTRY(streaming_token) link;
};

struct streaming_server {
        uv_loop_t *loop;
        struct streaming *streaming;
        struct http_server *http;
        char address[64];                     /* "127.0.0.1:PORT" */
        TAILQ_HEAD(, streaming_token) tokens; /* oldest first */
        unsigned n_tokens;
};

/* client.c */
/* Makes the client of @x, which was upgraded, and begins its session. */
int streaming_client_new(struct streaming *streaming, struct http_exchange *x, const struct streaming_request *request,
                         const struct protocol *protocol, struct stream_client **ret_client);
void streaming_client_begin(struct stream_client *client);
void streaming_client_send(struct stream_client *client, const struct iovec *ranges, unsigned n);
size_t streaming_client_pending(const struct stream_client *client);
void streaming_client_reset(struct stream_client *client, int error); /* drops what waits */
void streaming_client_finish(struct stream_client *client);           /* ends it behind what waits */
void streaming_client_fail(struct stream_client *client, int error);  /* ends its session, and it behind a last word */
void streaming_client_pause(struct stream_client *client, enum streaming_client_pause why);
void streaming_client_resume(struct stream_client *client, enum streaming_client_pause why);
void streaming_client_set_timer(struct stream_client *client, unsigned seconds);

/* websocket.c. Writes a frame of SPDY, its head and its data, as it is, or in a binary message for a client that
 * tunnels. */
void streaming_tunnel_write(struct stream_client *client, const void *head, size_t n_head, const void *data, size_t n);

/* request.c */
int streaming_request_copy(const struct streaming_request *request, struct streaming_request *ret_copy);
void streaming_request_done(struct streaming_request *request);

/* session.c */
struct streaming_session *streaming_session_new(struct streaming *streaming, const struct streaming_request *request);
void streaming_session_free(struct streaming_session *session);
void streaming_session_start(struct streaming_session *session);
void streaming_session_input(struct streaming_session *session, const void *data, size_t n);
void streaming_session_input_end(struct streaming_session *session);
void streaming_session_resize(struct streaming_session *session, const void *data,
                              size_t n);                               /* {"Width":W,"Height":H} */
void streaming_session_drained(struct streaming_session *session);     /* the client has room again */
void streaming_session_client_gone(struct streaming_session *session); /* frees it */

/* forward.c: one connection into the pod, by its data and error streams. */
int streaming_forward_stream(struct streaming_session *session, uint32_t stream, bool is_error, const char *port,
                             const char *request_id);
void streaming_forward_input(struct streaming_session *session, uint32_t stream, const void *data, size_t n);
void streaming_forward_input_end(struct streaming_session *session, uint32_t stream);
void streaming_forward_drained(struct streaming_session *session);
void streaming_forward_reset(struct streaming_session *session, uint32_t stream);
void streaming_forwards_free(struct streaming_session *session);
bool streaming_forwards_full(const struct streaming_session *session);
