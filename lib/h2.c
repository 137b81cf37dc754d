#include "lib/h2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/sigpipe.h"

/* Scratch, used within one callback only; there is one loop, and its thread never nests them. (Thread-local memory
 * would be a part of every thread's stack.) */
static char read_buffer[H2_BUFFER_SIZE];
static char write_buffer[H2_BUFFER_SIZE];

static void on_handle_closed(uv_handle_t *handle) {
        struct h2 *h2 = handle->data;

        free(TAKE_PTR(h2->pending));
        h2->on_closed(h2, h2->error);
}

static void finish_close(struct h2 *h2) {
        if (h2->on_dead)
                h2->on_dead(h2);
        nghttp2_session_del(h2->session);
        h2->session = NULL;
        uv_close(&h2->uv.handle, on_handle_closed);
}

void h2_close(struct h2 *h2, int error) {
        if (h2->closing)
                return;
        h2->closing = true;
        h2->error = error;
        if (!h2->busy)
                finish_close(h2);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
        *buf = uv_buf_init(read_buffer, sizeof(read_buffer));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
        struct h2 *h2 = stream->data;
        ssize_t r;

        if (n <= 0) {
                if (n < 0)
                        h2_close(h2, n == UV_EOF ? 0 : (int)n);
                return;
        }
        h2->busy = true;
        r = nghttp2_session_mem_recv(h2->session, (const uint8_t *)buf->base, (size_t)n);
        h2->busy = false;
        if (h2->closing)
                return finish_close(h2);
        if (r < 0 && r != NGHTTP2_ERR_NOMEM)
                nghttp2_session_terminate_session(h2->session, NGHTTP2_PROTOCOL_ERROR);
        h2_flush(h2);
        if (r < 0)
                h2_close(h2, -EPROTO);
}

static void on_written(uv_write_t *write, int status) {
        struct h2 *h2 = write->data;

        free(TAKE_PTR(h2->pending));
        if (h2->closing)
                return;
        if (status < 0)
                return h2_close(h2, status);
        h2_flush(h2);
        if (!h2->pending && !h2->closing)
                uv_read_start(&h2->uv.stream, on_alloc, on_read);
}

/* Collects what nghttp2 wants to send, up to the buffer's size: frames are small and system calls are not. */
static ssize_t collect(struct h2 *h2, const uint8_t **rest, size_t *n_rest) {
        size_t filled = 0;

        for (;;) {
                const uint8_t *data = *rest;
                ssize_t n = (ssize_t)*n_rest;

                if (n == 0)
                        n = nghttp2_session_mem_send(h2->session, &data);
                if (n < 0)
                        return n;
                *rest = data;
                *n_rest = (size_t)n;
                if (n == 0 || filled + (size_t)n > sizeof(write_buffer))
                        return (ssize_t)filled;
                memcpy(write_buffer + filled, data, (size_t)n);
                filled += (size_t)n;
                *n_rest = 0;
        }
}

/* Keeps what the socket did not take, and the frame that was already taken out of the session, for later. */
static int write_later(struct h2 *h2, const char *data, size_t n, const uint8_t *rest, size_t n_rest) {
        uv_buf_t buf;

        h2->pending = malloc(n + n_rest);
        if (!h2->pending)
                return -ENOMEM;
        memcpy(h2->pending, data, n);
        if (n_rest > 0)
                memcpy(h2->pending + n, rest, n_rest);
        buf = uv_buf_init(h2->pending, (unsigned)(n + n_rest));
        h2->write.data = h2;
        uv_read_stop(&h2->uv.stream);
        return uv_write(&h2->write, &h2->uv.stream, &buf, 1, on_written);
}

static int flush(struct h2 *h2) {
        const uint8_t *rest = NULL;
        size_t n_rest = 0;

        while (!h2->pending) {
                ssize_t filled = collect(h2, &rest, &n_rest);
                uv_buf_t buf;
                int n;

                if (filled <= 0 || h2->failed)
                        return h2->failed ?: (int)filled;
                buf = uv_buf_init(write_buffer, (unsigned)filled);
                n = uv_try_write(&h2->uv.stream, &buf, 1);
                if (n < 0 && n != UV_EAGAIN)
                        return n;
                if (n < 0)
                        n = 0;
                if (n < filled)
                        return write_later(h2, write_buffer + n, (size_t)(filled - n), rest, n_rest);
        }
        return 0;
}

void h2_flush(struct h2 *h2) {
        int r;

        if (h2->busy || h2->closing || (h2->pending && !h2->failed))
                return;
        h2->busy = true;
        r = h2->failed ?: flush(h2);
        h2->busy = false;
        if (h2->closing)
                return finish_close(h2);
        if (r < 0)
                return h2_close(h2, r);
        if (!h2->pending && !nghttp2_session_want_read(h2->session) && !nghttp2_session_want_write(h2->session))
                h2_close(h2, 0);
}

int h2_init(struct h2 *h2, uv_loop_t *loop, bool is_unix) {
        int r = is_unix ? uv_pipe_init(loop, &h2->uv.pipe, 0) : uv_tcp_init(loop, &h2->uv.tcp);

        sigpipe_survive();
        h2->uv.handle.data = h2;
        return r;
}

int h2_start(struct h2 *h2) {
        int r = uv_read_start(&h2->uv.stream, on_alloc, on_read);

        if (r < 0)
                return r;
        h2_flush(h2);
        return 0;
}
