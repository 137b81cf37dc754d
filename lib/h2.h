/* One HTTP/2 connection: an nghttp2 session on a libuv stream, for the gRPC server and client.
 *
 * Input is read only while all output is written: a peer that does not read its answers cannot ask for more. Buffers
 * for reading and writing are shared by all connections (there is one loop's thread), so that one at rest costs only
 * its session.
 */
#pragma once

#include <stdbool.h>

#include <nghttp2/nghttp2.h>
#include <uv.h>

/* Read and written at once. */
#define H2_BUFFER_SIZE (64u << 10)

struct h2 {
        union {
                uv_handle_t handle;
                uv_stream_t stream;
                uv_pipe_t pipe;
                uv_tcp_t tcp;
        } uv;
        nghttp2_session *session;
        /* Called once, on the loop, when the handle is closed and the session freed; may free the object. @error is the
         * negative errno that ended the connection, 0 for the peer's end of file or h2_close(). */
        void (*on_closed)(struct h2 *h2, int error);
        void (*on_dead)(struct h2 *h2); /* before it: the session is about to go. May be NULL */
        uv_write_t write;
        char *pending; /* what the socket did not take at once */
        int error;
        int failed; /* set to a negative errno, it makes the next h2_flush() close; for callers that may not lose the
                       session yet */
        bool busy;  /* inside nghttp2: it must not be entered again, nor freed */
        bool closing;
        void *data;
};

/* Initializes @h2's handle for a Unix (@is_unix) or TCP socket. Returns 0 or a negative errno. */
int h2_init(struct h2 *h2, uv_loop_t *loop, bool is_unix);

/* Starts reading once the handle is connected and the session made. Returns 0 or a negative errno. */
int h2_start(struct h2 *h2);

/* Writes what the session has to send. May be called from the session's callbacks: then it happens after them. */
void h2_flush(struct h2 *h2);

/* Closes; on_closed() follows from the loop. Calling it again is fine. */
void h2_close(struct h2 *h2, int error);
