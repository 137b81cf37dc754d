/* What comes in: heads, bodies, and what waits. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/http/h1.h"
#include "lib/http/lenient.h"

/* As a head, what HTTP/2 begins with (RFC 9113, 3.4). */
static const char preface[] = "PRI * HTTP/2.0\r\n\r\n";

/* While more than this waits for the socket, no further request is taken. */
#define WAITING_MAX ((size_t)256 << 10)

static int keep(struct h1 *h1, const uint8_t *bytes, size_t n) {
        char *grown = n > 0 ? realloc(h1->in, h1->n_in + n) : h1->in;

        if (n == 0)
                return 0;
        if (!grown)
                return -ENOMEM;
        memcpy(grown + h1->n_in, bytes, n);
        h1->in = grown;
        h1->n_in += n;
        return 0;
}

void h1_forget(struct h1 *h1) {
        free(h1->in);
        h1->in = NULL;
        h1->n_in = h1->scanned = 0;
}

/* Whoever waits for "100 Continue" waits for the one that takes the body; a final answer has told it all already. */
static void tell_continue(struct http_connection *connection) {
        struct h1 *h1 = connection->state;

        if (h1->continue_due && h1->x && !h1->x->head_out)
                h1_inform(h1->x, 100, NULL, 0);
        h1->continue_due = false;
}

void h1_end_input(struct http_connection *connection) {
        struct h1 *h1 = connection->state;
        struct http_exchange *x = h1->x;

        if (h1->state == H1_BODY)
                h1->state = H1_WAIT;
        x->paused = false;
        exchange_end(x);
        if (h1->x == x && !x->finished && x->out_done)
                h1_finish(connection);
}

static void begin_body(struct http_connection *connection) {
        struct h1 *h1 = connection->state;

        h1->left = h1->parsed.length;
        h1->state = H1_BODY;
        if (h1_body_is_empty(&h1->parsed))
                h1_end_input(connection);
}

static void begin_request(struct http_connection *connection, const char *head, size_t n) {
        struct h1 *h1 = connection->state;
        struct http_exchange *x = exchange_new(connection);
        int r = x ? http_parse_request(x->arena, head, n, &x->request, &h1->parsed) : -ENOMEM;

        if (r == -EPROTO) {
                h1_refuse(connection, h1->parsed.status, h1->parsed.why);
                return exchange_finish(x, -EPROTO, NULL);
        }
        if (r < 0)
                return connection_close(connection, r, NULL);
        h1->x = x;
        h1->served = true;
        h1->keep_alive = h1->parsed.keep_alive;
        h1->continue_due = h1->parsed.expects_continue && !h1_body_is_empty(&h1->parsed);
        h1->left = h1->parsed.length;
        h1->state = H1_BODY;
        connection->owner->begun(connection, x);
        if (h1->x != x || connection->closing)
                return;
        if (x->upgrading && !x->tunnel)
                h1->state = H1_WAIT; /* for the answer, which says what the bytes behind the head are */
        else if (!x->tunnel && h1_body_is_empty(&h1->parsed))
                h1_end_input(connection);
        else if (!x->tunnel)
                tell_continue(connection);
}

static void begin_response(struct http_connection *connection, const char *head, size_t n) {
        struct h1 *h1 = connection->state;
        struct http_exchange *x = h1->x;
        struct http_response response;
        int r = (connection->lenient ? http_lenient_response : http_parse_response)(
                x->arena, head, n, x->request.method, &response, &h1->parsed);
        bool switches;

        if (r < 0)
                return connection_close(connection, r, h1->parsed.why);
        if (response.status < 200 && response.status != 101)
                return;
        x->head->response = response;
        switches = response.status == 101 && x->request.upgrade;
        if (response.status == 101 && !switches && !connection->lenient)
                return connection_close(connection, -EPROTO, "the server switches protocols unasked");
        if (switches || (response.status < 300 && strcmp(x->request.method, "CONNECT") == 0)) {
                exchange_open_tunnel(x);
                connection->tunnel = true;
                h1->chunked_out = false;
        }
        h1->keep_alive = h1->parsed.keep_alive && !x->tunnel;
        exchange_head(x);
        if (h1->x != x || connection->closing)
                return;
        h1->state = x->tunnel ? H1_TUNNEL : H1_BODY;
        if (!x->tunnel)
                begin_body(connection);
}

static void refuse_head(struct http_connection *connection, int error) {
        if (!connection->server)
                return connection_close(connection, error,
                                        error == -E2BIG ? HTTP_HEAD_TOO_LARGE : "the server's answer is no HTTP");
        if (error == -E2BIG)
                return h1_refuse(connection, 431, "the request's head is too large");
        h1_refuse(connection, 400, "the request's head is no HTTP/1.1");
}

/* A client that speaks HTTP/2 without saying so first, and sent its preface in small pieces. */
static void switch_to_2(struct http_connection *connection, uint8_t *bytes, size_t n) {
        int r;

        http_driver_1.stop(connection);
        connection->driver = &http_driver_2;
        r = http_driver_2.start(connection);
        if (r < 0)
                return connection_close(connection, r, NULL);
        http_driver_2.received(connection, (uint8_t *)(uintptr_t)preface, sizeof(preface) - 1);
        if (!connection->closing && n > 0)
                http_driver_2.received(connection, bytes, n);
}

static void take_whole_head(struct http_connection *connection, const char *head, size_t n) {
        connection->head_since = 0;
        if (connection->server)
                begin_request(connection, head, n);
        else
                begin_response(connection, head, n);
}

/* Looks for the end of a head, in what came now or, when that begins before it, in what is kept. Returns how many of @n
 * bytes belong to it. */
static size_t take_head(struct http_connection *connection, uint8_t *bytes, size_t n) {
        struct h1 *h1 = connection->state;
        size_t kept = h1->n_in;
        const char *head = (const char *)bytes;
        char *own = NULL;
        ssize_t found;

        /* Lines before the first are no request's (RFC 9112, 2.2, lets one be passed over). */
        if (kept == 0 && !connection->server && !h1->x) {
                connection_close(connection, -EPROTO, "the server sends without being asked");
                return n;
        }
        if (kept > 0 && keep(h1, bytes, n) < 0) {
                connection_close(connection, -ENOMEM, NULL);
                return n;
        }
        if (kept > 0)
                head = h1->in;
        found = (connection->lenient ? http_lenient_find : http_parse_find)(head, kept + n, h1->scanned);
        if (found == 0) {
                if (kept == 0 && keep(h1, bytes, n) < 0)
                        connection_close(connection, -ENOMEM, NULL);
                h1->scanned = h1->n_in;
                if (connection->head_since == 0)
                        connection->head_since = uv_now(connection->hub->loop) ?: 1;
                return n;
        }
        if (found < 0) {
                refuse_head(connection, (int)found);
                return n;
        }
        own = h1->in;
        h1->in = NULL;
        h1->n_in = h1->scanned = 0;
        if (connection->server && !h1->served && found == sizeof(preface) - 1 &&
            memcmp(head, preface, (size_t)found) == 0) {
                switch_to_2(connection, bytes + ((size_t)found - kept), n - ((size_t)found - kept));
                found = (ssize_t)(kept + n);
        } else
                take_whole_head(connection, head, (size_t)found);
        free(own);
        return (size_t)found - kept;
}

static size_t take_length(struct http_connection *connection, uint8_t *bytes, size_t n) {
        struct h1 *h1 = connection->state;
        struct http_exchange *x = h1->x;
        size_t size = (uint64_t)h1->left < n ? (size_t)h1->left : n;

        h1->left -= (int64_t)size;
        exchange_data(x, bytes, size);
        if (h1->left == 0 && h1->x == x && !connection->closing)
                h1_end_input(connection);
        return size;
}

static size_t take_skipped(struct http_connection *connection, size_t n) {
        struct h1 *h1 = connection->state;
        size_t size = (uint64_t)h1->left < n ? (size_t)h1->left : n;

        h1->left -= (int64_t)size;
        if (h1->left > 0)
                return size;
        connection->head_since = 0;
        h1->chunked_out = h1->continue_due = false;
        h1->state = H1_HEAD;
        if (connection->draining)
                http_driver_1.drain(connection);
        return size;
}

static size_t take_chunks(struct http_connection *connection, uint8_t *bytes, size_t n) {
        struct h1 *h1 = connection->state;
        struct http_exchange *x = h1->x;
        struct http_span piece;
        size_t left = n;
        int r = http_chunks_take(&h1->chunks, x->arena, &bytes, &left, &x->head->trailers_in, &piece);

        if (r < 0) {
                connection_close(connection, -EPROTO, "a body whose chunks are wrong");
                return n;
        }
        if (r > 0)
                exchange_data(x, piece.data, piece.size);
        else if (h1->chunks.state == HTTP_CHUNKS_DONE)
                h1_end_input(connection);
        return n - left;
}

static size_t take_body(struct http_connection *connection, uint8_t *bytes, size_t n) {
        struct h1 *h1 = connection->state;

        switch (h1->parsed.framing) {
        case HTTP_BY_LENGTH:
                return take_length(connection, bytes, n);
        case HTTP_BY_CHUNKS:
                return take_chunks(connection, bytes, n);
        default:
                exchange_data(h1->x, bytes, n);
                return n;
        }
}

/* Whether what comes has to wait: for the answer to what came before, for its owner, or, from a peer that asks and does
 * not read, until it has read. */
static bool must_wait(const struct http_connection *connection) {
        const struct h1 *h1 = connection->state;

        return h1->state == H1_WAIT || (h1->x && h1->x->paused) ||
               (connection->server && h1->state == H1_HEAD && transport_pending(connection->stream) > WAITING_MAX);
}

void h1_take(struct http_connection *connection, uint8_t *bytes, size_t n) {
        while (n > 0 && !connection->closing && connection->driver == &http_driver_1) {
                struct h1 *h1 = connection->state;
                size_t taken = n;

                if (must_wait(connection)) {
                        if (keep(h1, bytes, n) < 0)
                                return connection_close(connection, -ENOMEM, NULL);
                        return transport_pause(connection->stream);
                }
                if (h1->state == H1_HEAD)
                        taken = take_head(connection, bytes, n);
                else if (h1->state == H1_BODY)
                        taken = take_body(connection, bytes, n);
                else if (h1->state == H1_SKIP)
                        taken = take_skipped(connection, n);
                else if (h1->state == H1_TUNNEL)
                        exchange_data(h1->x, bytes, n);
                bytes += taken;
                n -= taken;
        }
}

void h1_take_waiting(struct http_connection *connection) {
        struct h1 *h1 = connection->state;
        char *waiting = h1->in;
        size_t n = h1->n_in;

        h1->in = NULL;
        h1->n_in = h1->scanned = 0;
        if (n > 0)
                h1_take(connection, (uint8_t *)waiting, n);
        free(waiting);
}
