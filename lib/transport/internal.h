/* What the transport's files share: the stream, and how bytes pass between it and its socket. */
#pragma once

#include "lib/transport/queue.h"
#include "lib/transport/tls.h"
#include "lib/transport/transport.h"

enum transport_state {
        TRANSPORT_CONNECTING,  /* the socket's connect() is under way */
        TRANSPORT_HANDSHAKING, /* of TLS; until opened() was called from the loop */
        TRANSPORT_OPEN,
        TRANSPORT_CLOSING, /* closed() is to come */
};

/* How a kind of stream moves bytes. Each returns bytes moved, -EAGAIN, another negative errno; read 0 at the end. */
struct transport_kind {
        ssize_t (*read)(struct transport *stream, void *buffer, size_t size);
        ssize_t (*write)(struct transport *stream, const struct iovec *ranges, unsigned n);
        int (*handshake)(struct transport *stream); /* 0: done */
        int (*shutdown)(struct transport *stream);  /* of output */
        bool (*buffered)(
                const struct transport *stream); /* bytes were read from the socket that read() has not given */
};

extern const struct transport_kind transport_plain, transport_in_tls;

/* Has the session of @stream use the stream's socket (socket_bio.c). 0 or -ENOMEM. */
int transport_use_socket(struct transport *stream);

/* A TLS client's session is about to begin: what a server answers that speaks plain HTTP is recognized. */
void transport_recognize_http(struct transport *stream);

struct transport {
        uv_poll_t poll;
        const struct transport_kind *kind;
        const struct transport_events *events;
        void *data;
        struct queue out;
        struct ssl_st *ssl;
        struct tls_context *tls;
        uv_timer_t *timer; /* until it is open: for what is to come from the loop, and then for TLS's handshake */
        char *why;
        int fd;
        int error;
        int polled; /* what poll waits for */
        uint8_t state;
        bool paused, in_ended;
        bool finishing, finished; /* output is to end; has ended */
        bool wants_read;          /* the kind's write or handshake waits for the peer's bytes, */
        bool wants_write;         /* and its read or handshake for the socket's room (TLS) */
        bool more;                /* what is written now is not the last of a row of records */
        bool in_event;            /* the loop's call about it is under way: what it waits for is set at its end */
        bool plain_http;          /* what came in place of a handshake is an answer in HTTP */
        bool turn;                /* the next turn of the loop is wanted though the socket has nothing */
        bool dry;                 /* the last read took all that the socket had */
};
