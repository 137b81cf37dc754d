/* What the streaming server's files share.
 *
 * A client (streaming.c) is a connection; after its HTTP request was upgraded (streaming_http.c) its bytes go to a
 * wire: SPDY (streaming_spdy.c) or WebSocket (streaming_websocket.c). A wire turns them into input for the session
 * (streaming_session.c: one process) or for forwards (streaming_forward.c: connections into a pod), and their output
 * into frames.
 */
#pragma once

#include <sys/queue.h>

#include "cri/streaming/streaming.h"
#include "cri/streaming/pump.h"

#define TOKEN_LENGTH 32    /* hex digits */
#define HEAD_SIZE_MAX 8192 /* of an HTTP request */
#define HEAD_SECONDS 10    /* for sending it */
#define STREAMS_SECONDS 30 /* for opening the streams after it */

enum channel { CHANNEL_IN, CHANNEL_OUT, CHANNEL_ERR, CHANNEL_STATUS, CHANNEL_RESIZE, CHANNELS };

struct client;
struct websocket_decoder;

/* @id is an enum channel for exec and attach; for port-forward a SPDY stream, or a channel's number and one. */
struct wire {
        int (*begin)(struct client *client); /* after the answer to the upgrade; negative errno: close */
        int (*receive)(struct client *client, uint8_t *data, size_t n);
        void (*send)(struct client *client, uint32_t id, const void *data, size_t n);
        void (*end)(struct client *client, uint32_t id); /* no more will be sent there */
        void (*finish)(struct client *client);           /* nothing more at all: the client is closed after it */
        void (*done)(struct client *client);             /* frees client->wire_state */
};

extern const struct wire spdy_wire, websocket_wire, websocket_forward_wire, tunnel_wire;

struct client {
        union {
                uv_handle_t handle;
                uv_stream_t stream;
                uv_tcp_t tcp;
        } uv;
        uv_timer_t timer;
        struct streaming *streaming;
        LIST_ENTRY(client) link;
        char *head; /* the request while it comes in */
        size_t n_head;
        uv_write_t write;
        char *writing, *out; /* in the kernel's hands; behind it */
        size_t n_writing, n_out, out_allocated;
        uint64_t active; /* uv_now() of the last byte */
        unsigned n_handles;
        bool paused, closing, finishing, doomed;
        const struct wire *wire;
        void *wire_state;
        struct websocket_decoder *tunnel; /* of the WebSocket around SPDY; NULL without */
        bool close_sent;                  /* of WebSocket */
        unsigned version;                 /* of the remote command protocol, 1 to 5 */
        bool base64;
        struct streaming_session *session;
};

struct streaming_session {
        struct client *client;
        struct streaming *streaming;
        struct streaming_request request; /* its texts are the session's */
        struct pump_sink *in;
        struct pump_source *out, *err;
        uv_timer_t *drain;
        bool started;  /* the backend was asked */
        bool running;  /* and has given descriptors */
        bool released; /* the backend has no interest in it any more */
        bool exited, finished;
        int exit_code;
        char resize[64]; /* a JSON object as it comes in */
        size_t n_resize;
        uint16_t columns, rows; /* as told last, perhaps before the process runs; 0: not told */
        void *data;
        LIST_HEAD(, streaming_connection) connections;
        unsigned n_connections;
};

struct token {
        char text[TOKEN_LENGTH + 1];
        uint64_t expires; /* uv_now() */
        struct streaming_session *session;
        TAILQ_ENTRY(token) link;
};

struct streaming {
        uv_loop_t *loop;
        uv_tcp_t listener;
        char address[64]; /* "127.0.0.1:PORT" */
        const struct streaming_backend *backend;
        void *data;
        TAILQ_HEAD(tokens, token) tokens; /* oldest first */
        LIST_HEAD(, client) clients;
        unsigned n_tokens, n_clients;
        bool closing, listener_closed;
};

/* streaming.c */
void client_write(struct client *client, const void *data, size_t n);
void client_write_framed(struct client *client, const void *head, size_t n_head, const void *data, size_t n);
size_t client_pending(const struct client *client);
void client_doom(struct client *client); /* closes it from the loop */
void client_close_after_flush(struct client *client);
void client_pause(struct client *client); /* its input */
void client_resume(struct client *client);
void client_set_timer(struct client *client, unsigned seconds);
/* NULL: unknown, too old, or of another kind. */
struct streaming_session *streaming_claim(struct streaming *streaming, enum streaming_kind kind, const char *token);

/* streaming_http.c: looks at the request so far. Returns how many bytes of it were the head once it is complete and
 * upgraded; 0 when more is needed or it was refused. */
size_t client_head(struct client *client);

/* streaming_session.c */
struct streaming_session *session_new(struct streaming *streaming, const struct streaming_request *request);
void session_free(struct streaming_session *session);
void session_start(struct streaming_session *session);
void session_input(struct streaming_session *session, const void *data, size_t n);
void session_input_end(struct streaming_session *session);
void session_resize(struct streaming_session *session, const void *data, size_t n); /* {"Width":W,"Height":H} */
void session_drained(struct streaming_session *session);                            /* the client has room again */
void session_client_gone(struct streaming_session *session);                        /* frees it */

/* streaming_forward.c: one connection into the pod, by its data and error streams. */
int forward_stream(struct streaming_session *session, uint32_t stream, bool is_error, const char *port,
                   const char *request_id);
void forward_input(struct streaming_session *session, uint32_t stream, const void *data, size_t n);
void forward_input_end(struct streaming_session *session, uint32_t stream);
void forward_drained(struct streaming_session *session);
void forward_reset(struct streaming_session *session, uint32_t stream);
void forwards_free(struct streaming_session *session);
bool forwards_full(const struct streaming_session *session);
