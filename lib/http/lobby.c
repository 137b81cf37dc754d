#include "lib/http/lobby.h"

#include "lib/bytes.h"

static int send_later(struct http_exchange *x, const struct http_piece *piece, struct bytes *bytes) {
        return bytes ? queue_add(&x->out, bytes_ref(bytes), 0) : queue_add_copy(&x->out, piece->data, piece->size);
}

static int send_ranges_later(struct http_exchange *x, const struct iovec *ranges, unsigned n) {
        int r = 0;

        for (unsigned i = 0; i < n && r == 0; i++)
                r = queue_add_copy(&x->out, ranges[i].iov_base, ranges[i].iov_len);
        return r;
}

static int end_later(struct http_exchange *x, const struct http_field *trailers, size_t n) {
        return http_add_trailers(x, trailers, n);
}

static size_t pending(const struct http_exchange *x) {
        return x->out.size;
}

static void pause_later(struct http_exchange *x, bool pause) {
}

static void reset(struct http_exchange *x, int error) {
        exchange_finish(x, error, NULL);
}

static const struct http_driver driver = { .send = send_later,
                                           .send_ranges = send_ranges_later,
                                           .end = end_later,
                                           .pending = pending,
                                           .pause = pause_later,
                                           .reset = reset };

void lobby_init(struct http_connection *lobby, struct http_hub *hub, const struct http_owner *owner) {
        *lobby = (struct http_connection){ .hub = hub, .owner = owner, .driver = &driver };
        TAILQ_INIT(&lobby->exchanges);
}

void lobby_leave(struct http_exchange *x, struct http_connection *connection) {
        TAILQ_REMOVE(&x->connection->exchanges, x, link);
        x->connection->n_exchanges--;
        TAILQ_INSERT_TAIL(&connection->exchanges, x, link);
        connection->n_exchanges++;
        x->connection = connection;
}
