/* Exec, attach and port-forward for crictl and kubectl, over SPDY/3.1 and WebSocket, on any HTTP server.
 *
 * A route's handler that knows what its client may have gives the exchange to streaming_serve(): it is upgraded, the
 * source is asked for the process's descriptors, and bytes go between them and the client's streams; the source says
 * when the process ended. What a client does not read waits in the pipe, up to STREAMING_BUFFER_MAX on this side, and
 * goes away with the client: a slow or vanished one never blocks the loop or another client.
 *
 * Protocols: SPDY/3.1 with X-Stream-Protocol-Version v4..v1.channel (k8s.io/apimachinery httpstream, kubelet's
 * remotecommand) and portforward.k8s.io; WebSocket (RFC 6455, and over HTTP/2 RFC 8441) with v5.channel.k8s.io, v4 and
 * v1 in their binary and base64 forms, SPDY/3.1+portforward.k8s.io tunnelled in WebSocket, and port-forward in its
 * plain WebSocket form (none, v4 or v4.base64): for the request's i-th port channel 2i has its data and 2i+1 its error,
 * and the first message on each is the port in two bytes, the lower first. Of several protocols the first known one of
 * the client's list is taken.
 *
 * All functions are for the loop's thread, which the servers whose exchanges come here share. Nothing blocks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct err;
struct http_exchange;
struct streaming;
struct streaming_session;
struct streaming_connection;

#define STREAMING_ID_MAX 256
#define STREAMING_CLIENTS_MAX 512            /* at a time; one more gets 503 */
#define STREAMING_BUFFER_MAX (256 * 1024)    /* bytes a session holds for its client, and for its process */
#define STREAMING_PORTS_MAX 127              /* of a request, for plain WebSocket: two channels each, and 255 is none */
#define STREAMING_BASE64_PORTS_MAX 40        /* there the channel is a character, from '0' on */
#define STREAMING_FORWARDS_MAX 256           /* connections of one port-forward at a time */
#define STREAMING_STREAMS_SECONDS 30         /* for a client to open its streams, all of one command or connection */
#define STREAMING_IDLE_SECONDS (4 * 60 * 60) /* without a byte: the session is closed, as kubelet has it */

enum streaming_kind { STREAMING_EXEC, STREAMING_ATTACH, STREAMING_PORT_FORWARD };

/* What a client wants. */
struct streaming_request {
        enum streaming_kind kind;
        const char *id;       /* the container's, for port-forward the sandbox's; at most STREAMING_ID_MAX bytes */
        char *const *command; /* exec: NULL-terminated */
        const int32_t *ports; /* port-forward: those of plain WebSocket; SPDY's streams name their own */
        size_t n_ports;
        bool tty, in, out, err; /* which streams are wanted; with a tty stderr is part of stdout */
};

/* A process's end of the session, or a connection's into a pod. -EBADF for what was not asked for. With a terminal, in
 * and out are two descriptors of its master. Made non-blocking by the session. */
struct streaming_process {
        int in;       /* written to; closing it is the process's end of file */
        int out, err; /* read from */
};

/* What really runs the processes. @data is streaming_new()'s. */
struct streaming_source {
        /* A client has opened its streams. Answered, then or later, with
         * streaming_started() or streaming_failed(). @request lives as long as the session. */
        void (*start)(void *data, struct streaming_session *session, const struct streaming_request *request);
        /* The process's terminal is to be resized. */
        void (*resize)(void *data, struct streaming_session *session, uint16_t columns, uint16_t rows);
        /* The client has gone, or the session timed out, before streaming_exited(); its descriptors are closed. Not
         * called after streaming_exited(), streaming_failed(). The session is gone after it. */
        void (*gone)(void *data, struct streaming_session *session);
        /* port-forward: a connected socket to @port inside the sandbox's network; each client connection one.
         * Answered with streaming_connected(). */
        void (*connect)(void *data, struct streaming_session *session, const struct streaming_request *request,
                        uint16_t port, struct streaming_connection *connection);
        /* The client's input has ended and was handed over. May be NULL. */
        void (*input_ended)(void *data, struct streaming_session *session);
};

/* Returns 0 or -ENOMEM. @source lives as long. */
int streaming_new(uv_loop_t *loop, const struct streaming_source *source, void *data, struct streaming **ret_streaming);

/* Ends all sessions, with gone(). Memory goes when their exchanges have closed. NULL is fine. */
void streaming_free(struct streaming *streaming);

/* Answers @x, a request just received on a route that may upgrade (lib/http/server.h). 0: it is upgraded, and the
 * client's from here on; @request is copied. Else it was refused with 400, 403 or 503, saying why: -EPROTO or -ENOMEM.
 */
int streaming_serve(struct streaming *streaming, struct http_exchange *x, const struct streaming_request *request);

/* The process runs; its descriptors are the session's now. */
void streaming_started(struct streaming_session *session, const struct streaming_process *process);

/* It could not be started: the client gets the text. The session is gone for the source. @err stays the caller's. */
void streaming_failed(struct streaming_session *session, const struct err *err);

/* The process ended (for an attach: the container did) with @code: the client gets what is still to be read from the
 * descriptors, for at most STREAMING_DRAIN_SECONDS after it has read what there is, then the exit code. The session is
 * gone for the source. */
void streaming_exited(struct streaming_session *session, int code);
#define STREAMING_DRAIN_SECONDS 5

/* An attached client has left: its streams end with success at once. The session is gone for the source. */
void streaming_detached(struct streaming_session *session);

/* Answers connect() with descriptors (taken over), or with @err. Also when the session was told gone() meanwhile: a
 * connection lives until it is answered. */
void streaming_connected(struct streaming_connection *connection, const struct streaming_process *process,
                         const struct err *err);

/* The source's own pointer with a session, NULL at first. */
void streaming_session_set_data(struct streaming_session *session, void *data);
void *streaming_session_data(const struct streaming_session *session);

/* Clients whose exchanges have not closed, for metrics and tests. */
unsigned streaming_clients(const struct streaming *streaming);
