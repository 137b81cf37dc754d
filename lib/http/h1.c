/* The driver of HTTP/1.1: messages in turn, and when a connection goes on behind one. */
#include <errno.h>
#include <stdlib.h>

#include "lib/http/h1.h"

/* Of a request's body, behind its answer: net/http's maxPostHandlerReadBytes. */
#define SKIP_MAX ((int64_t)256 << 10)

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

bool h1_is_whole(const struct h1 *h1) {
        return h1->x->in_ended || (h1->state == H1_BODY && h1_body_is_empty(&h1->parsed));
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

void h1_finish(struct http_connection *connection) {
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
        h1_forget(h1);
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
                h1_finish(connection);
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

static void ended(struct http_connection *connection) {
        struct h1 *h1 = connection->state;

        h1->in_closed = true;
        switch (h1->state) {
        case H1_TUNNEL:
                return h1_end_input(connection);
        case H1_BODY:
                if (h1->parsed.framing != HTTP_BY_CLOSE)
                        break;
                return h1_end_input(connection);
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
        h1_forget(connection->state);
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
        .received = h1_take,
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
