#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/http/h1.h"
#include "lib/http/lenient.h"

/* As a head, what HTTP/2 begins with (RFC 9113, 3.4). */
static const char preface[] = "PRI * HTTP/2.0\r\n\r\n";

/* Of a request's body, behind its answer: net/http's maxPostHandlerReadBytes. */
#define SKIP_MAX ((int64_t)256 << 10)

/* While more than this waits for the socket, no further request is taken. */
#define WAITING_MAX ((size_t)256 << 10)

static int start(struct http_connection *connection) {
        struct h1 *h1 = calloc(1, sizeof(*h1));

        if (!h1)
                return -ENOMEM;
        h1->keep_alive = true;
        connection->state = h1;
        return 0;
}

static void stop(struct http_connection *connection) {
        struct h1 *h1 = connection->state;

        http_chunks_done(&h1->chunks);
        free(h1->in);
        free(h1);
        connection->state = NULL;
}

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

static void forget(struct h1 *h1) {
        free(h1->in);
        h1->in = NULL;
        h1->n_in = h1->scanned = 0;
}

/* The next message may come. */
static void next_message(struct http_connection *connection) {
        struct h1 *h1 = connection->state;

        h1->x = NULL;
        http_chunks_done(&h1->chunks);
        h1->chunks = (struct http_chunks){ 0 };
        h1->chunked_out = h1->continue_due = false;
        h1->state = H1_HEAD;
        transport_resume(connection->stream);
        h1_take_waiting(connection);
}

static bool body_is_empty(const struct http_parsed *parsed) {
        return parsed->framing == HTTP_NO_BODY || (parsed->framing == HTTP_BY_LENGTH && parsed->length == 0);
}

bool h1_is_whole(const struct h1 *h1) {
        return h1->x->in_ended || (h1->state == H1_BODY && body_is_empty(&h1->parsed));
}

bool h1_may_skip(const struct h1 *h1) {
        return h1->state == H1_BODY && h1->parsed.framing == HTTP_BY_LENGTH && h1->left < SKIP_MAX && !h1->continue_due;
}

void h1_discard(struct http_connection *connection) {
        struct h1 *h1 = connection->state;

        h1->state = H1_DISCARD;
        connection->linger_since = uv_now(connection->hub->loop) ?: 1;
}

/* Closes once what waits has gone: a tunnel's last bytes, or an answer to who has ended his side behind the request. */
static void close_drained(struct http_connection *connection) {
        const struct h1 *h1 = connection->state;

        h1_discard(connection);
        if (h1->in_closed && transport_pending(connection->stream) == 0)
                connection_close(connection, 0, NULL);
}

/* As long as for a head. */
static void begin_skip(struct http_connection *connection) {
        struct h1 *h1 = connection->state;

        if (h1->left == 0)
                return next_message(connection);
        h1->state = H1_SKIP;
        connection->head_since = uv_now(connection->hub->loop) ?: 1;
        transport_resume(connection->stream);
        h1_take_waiting(connection);
}

/* The exchange is over, and with it perhaps the connection. */
static void finish_exchange(struct http_connection *connection) {
        struct h1 *h1 = connection->state;
        struct http_exchange *x = h1->x;
        bool whole = h1_is_whole(h1), tunnel = x->tunnel;

        exchange_finish(x, 0, NULL);
        h1->x = NULL;
        connection->tunnel = false;
        if (tunnel)
                return close_drained(connection);
        if (!connection->server && !h1->keep_alive)
                return connection_close(connection, 0, NULL);
        if (whole && h1->keep_alive && !connection->draining) {
                next_message(connection);
                return connection->owner->progress(connection);
        }
        if (connection->server && h1->keep_alive && !connection->draining && h1_may_skip(h1)) {
                begin_skip(connection);
                return connection->owner->progress(connection);
        }
        h1_discard(connection);
        forget(h1);
        transport_resume(connection->stream);
        transport_finish(connection->stream);
        connection->owner->progress(connection);
}

void h1_sent(struct http_connection *connection) {
        struct h1 *h1 = connection->state;
        struct http_exchange *x = h1->x;

        x->out_done = true;
        /* A server's answer ends the exchange, whatever of the request is still to come. */
        if (x->in_ended || (connection->server && !x->tunnel))
                finish_exchange(connection);
}

static void end_input(struct http_connection *connection) {
        struct h1 *h1 = connection->state;
        struct http_exchange *x = h1->x;

        if (h1->state == H1_BODY)
                h1->state = H1_WAIT;
        x->paused = false;
        exchange_end(x);
        if (h1->x == x && !x->finished && x->out_done)
                finish_exchange(connection);
}

static void begin_body(struct http_connection *connection) {
        struct h1 *h1 = connection->state;

        h1->left = h1->parsed.length;
        h1->state = H1_BODY;
        if (body_is_empty(&h1->parsed))
                end_input(connection);
}

/* Whoever waits for "100 Continue" waits for the one that takes the body; a final answer has told it all already. */
static void tell_continue(struct http_connection *connection) {
        struct h1 *h1 = connection->state;

        if (h1->continue_due && h1->x && !h1->x->head_out)
                h1_inform(h1->x, 100, NULL, 0);
        h1->continue_due = false;
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
        h1->continue_due = h1->parsed.expects_continue && !body_is_empty(&h1->parsed);
        h1->left = h1->parsed.length;
        h1->state = H1_BODY;
        connection->owner->begun(connection, x);
        if (h1->x != x || connection->closing)
                return;
        if (x->upgrading && !x->tunnel)
                h1->state = H1_WAIT; /* for the answer, which says what the bytes behind the head are */
        else if (!x->tunnel && body_is_empty(&h1->parsed))
                end_input(connection);
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

        stop(connection);
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
                end_input(connection);
        return size;
}

static void drain(struct http_connection *connection) {
        struct h1 *h1 = connection->state;

        connection->draining = true;
        if ((h1->state != H1_HEAD && h1->state != H1_SKIP) || h1->x)
                return;
        if (h1->state == H1_HEAD && transport_pending(connection->stream) == 0)
                return connection_close(connection, 0, NULL);
        h1_discard(connection); /* the last answer is still on its way */
        transport_resume(connection->stream);
        transport_finish(connection->stream);
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
                drain(connection);
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
                end_input(connection);
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

/* Takes what it can of @n bytes; what must wait is kept, and the socket read no more. */
static void take(struct http_connection *connection, uint8_t *bytes, size_t n) {
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
                take(connection, (uint8_t *)waiting, n);
        free(waiting);
}

static void received(struct http_connection *connection, uint8_t *bytes, size_t n) {
        take(connection, bytes, n);
}

static void ended(struct http_connection *connection) {
        struct h1 *h1 = connection->state;

        h1->in_closed = true;
        switch (h1->state) {
        case H1_TUNNEL:
                return end_input(connection);
        case H1_BODY:
                if (h1->parsed.framing != HTTP_BY_CLOSE)
                        break;
                return end_input(connection);
        case H1_HEAD:
                if (connection->server || !h1->x)
                        return connection_close(connection, 0, NULL);
                break;
        case H1_DISCARD:
                return close_drained(connection);
        case H1_SKIP:
        case H1_WAIT:
                break;
        }
        connection_close(connection, -ECONNRESET, "the peer has closed the connection");
}

static void drained(struct http_connection *connection) {
        struct h1 *h1 = connection->state;

        if (h1->x)
                return exchange_drained(h1->x);
        if (h1->state == H1_DISCARD)
                return close_drained(connection);
        if (connection->server && h1->state == H1_HEAD) {
                transport_resume(connection->stream);
                h1_take_waiting(connection);
        }
}

static void late(struct http_connection *connection) {
        const struct h1 *h1 = connection->state;

        connection->head_since = 0;
        if (h1->state == H1_SKIP)
                return connection_close(connection, -ETIMEDOUT, "the rest of an answered request does not come");
        forget(connection->state);
        h1_refuse(connection, 408, "the request's head takes too long");
}

static size_t pending(const struct http_exchange *x) {
        return transport_pending(x->connection->stream);
}

static void pause_input(struct http_exchange *x, bool pause) {
        struct http_connection *connection = x->connection;

        if (pause)
                return transport_pause(connection->stream);
        transport_resume(connection->stream);
        h1_take_waiting(connection);
}

static void reset(struct http_exchange *x, int error) {
        struct http_connection *connection = x->connection;

        exchange_finish(x, error, NULL);
        connection_close(connection, error, NULL);
}

const struct http_driver http_driver_1 = {
        .start = start,
        .received = received,
        .ended = ended,
        .drained = drained,
        .stop = stop,
        .drain = drain,
        .late = late,
        .request = h1_request,
        .respond = h1_respond,
        .inform = h1_inform,
        .send = h1_send,
        .send_ranges = h1_send_ranges,
        .end = h1_end,
        .pending = pending,
        .pause = pause_input,
        .reset = reset,
};
