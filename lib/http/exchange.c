#include "lib/http/exchange.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/http/gunzip.h"
#include "lib/http/internal.h"

void http_set_events(struct http_exchange *x, const struct http_events *events, void *data) {
        x->events = events;
        x->data = data;
}

void *http_data(const struct http_exchange *x) {
        return x->data;
}

void http_set_over(struct http_exchange *x, void (*over)(void *data), void *data) {
        x->over = over;
        x->over_data = data;
}

struct arena *http_arena(struct http_exchange *x) {
        return x->arena;
}

const struct http_request *http_request_of(const struct http_exchange *x) {
        return &x->request;
}

void http_forget_head(struct http_exchange *x) {
        bool idle = x->connection && x->connection->server && x->connection->driver == &http_driver_2 && x->head &&
                    x->head_out && !x->head->collect_late && !x->finished && x->head->trailers_out.count == 0;

        if (!idle)
                return;
        x->request = (struct http_request){
                .method = "GET", .target = "", .query = "", .version = x->request.version, .length = x->request.length
        };
        exchange_forget(x);
}

struct transport *http_transport(const struct http_exchange *x) {
        return x->connection ? x->connection->stream : NULL;
}

void exchange_head(struct http_exchange *x) {
        int r = x->decodes && !x->finished ? exchange_begin_decoding(x) : 0;

        if (r < 0)
                return http_reset(x, r);
        if (!x->finished && x->events && x->events->head)
                x->events->head(x, &x->head->response);
}

void exchange_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        bool decodes = x->head && x->head->gunzip;
        int r = decodes && !x->finished ? exchange_decode(x, bytes, n) : 0;

        if (r < 0)
                return http_reset(x, r);
        if (decodes)
                return;
        if (!x->finished && x->events && x->events->data && n > 0)
                x->events->data(x, bytes, n);
}

void exchange_end(struct http_exchange *x) {
        static const struct http_fields none;

        if (x->finished || x->in_ended)
                return;
        if (x->head && x->head->gunzip && !http_gunzip_ended(x->head->gunzip))
                return http_reset(x, -EBADMSG);
        x->in_ended = true;
        if (x->events && x->events->end)
                x->events->end(x, x->head ? &x->head->trailers_in : &none);
}

void exchange_open_tunnel(struct http_exchange *x) {
        x->tunnel = true;
        x->out_ended = x->out_done = x->has_body_left = false;
}

void exchange_drained(struct http_exchange *x) {
        if (x->finished || !x->waited || http_pending(x) > 0)
                return;
        x->waited = false;
        if (x->events && x->events->drained)
                x->events->drained(x);
}

int http_add_trailers(struct http_exchange *x, const struct http_field *trailers, size_t n) {
        assert(x->head || n == 0);
        for (size_t i = 0; i < n; i++) {
                int r = http_fields_add(&x->head->trailers_out, x->arena, trailers[i].name, strlen(trailers[i].name),
                                        trailers[i].value, strlen(trailers[i].value));

                if (r < 0)
                        return r;
        }
        return 0;
}

/* Statuses whose responses have no body (RFC 9110, 6.4.1); HEAD's have none either. */
static bool is_bodiless(const struct http_exchange *x) {
        int status = x->head->response.status;

        return status == 204 || status == 304 || strcmp(x->request.method, "HEAD") == 0;
}

/* A stream whose window stays closed, while the connection moves: of a connection as a whole, the server sees it. */
static void watch_stall(struct http_exchange *x) {
        struct http_connection *connection = x->connection;

        if (!connection->multiplexed || !connection->server || x->tunnel || queue_empty(&x->out))
                return;
        if (x->out_since == 0)
                x->out_since = uv_now(x->hub->loop);
        if (connection->stall_check == 0)
                connection->stall_check = x->out_since + connection->stall_ms;
}

/* @fields are lent for the time of the driver's call, which is all that it needs them. */
static int begin_response(struct http_exchange *x, int status, const struct http_field *fields, size_t n,
                          int64_t length) {
        if (x->head_out)
                return -EALREADY;
        if (x->finished)
                return -EPIPE;
        if (n > HTTP_FIELDS_SENT_MAX)
                return -E2BIG;
        x->head_out = true;
        x->head->response = (struct http_response){
                .status = status, .length = length, .fields = { (struct http_field *)(uintptr_t)fields, (uint32_t)n, 0 }
        };
        x->discards = is_bodiless(x);
        return 0;
}

static int respond(struct http_exchange *x, struct http_piece *piece, struct bytes *bytes) {
        int64_t length = x->head->response.length;
        int r;

        if (x->discards)
                piece->size = 0;
        x->has_body_left = length >= 0 && !x->discards && !x->tunnel;
        x->body_left = x->has_body_left ? length - (int64_t)piece->size : 0;
        x->out_ended = piece->end;
        r = x->connection->driver->respond(x, piece, piece->size > 0 ? bytes : NULL);
        x->head->response.fields = (struct http_fields){ 0 };
        if (!x->finished && !queue_empty(&x->out)) {
                watch_stall(x);
                x->connection->owner->progress(x->connection);
        }
        return r;
}

int http_respond(struct http_exchange *x, int status, const struct http_field *fields, size_t n, int64_t length) {
        int r = begin_response(x, status, fields, n, length);

        return r < 0 ? r : respond(x, &(struct http_piece){ 0 }, NULL);
}

int http_respond_whole(struct http_exchange *x, int status, const struct http_field *fields, size_t n,
                       struct bytes *body) {
        struct http_piece piece = { .data = body ? body->data : NULL, .size = body ? body->size : 0, .end = true };
        int r = begin_response(x, status, fields, n, x->head->trailers_out.count > 0 ? -1 : (int64_t)piece.size);

        return r < 0 ? r : respond(x, &piece, body);
}

int http_reply(struct http_exchange *x, int status, const char *content_type, const void *body, size_t size) {
        struct http_field field = { "content-type", content_type };

        int r = begin_response(x, status, &field, content_type ? 1 : 0, (int64_t)size);

        return r < 0 ? r : respond(x, &(struct http_piece){ .data = body, .size = size, .end = true }, NULL);
}

/* A body of known length is never longer: what is behind it would be taken for the next message. */
static int check_send(struct http_exchange *x, size_t size) {
        if (x->finished || x->out_ended)
                return -EPIPE;
        assert(x->head_out);
        if (!x->has_body_left)
                return 0;
        if ((int64_t)size > x->body_left)
                return -EMSGSIZE;
        x->body_left -= (int64_t)size;
        return 0;
}

static void note_waiting(struct http_exchange *x) {
        if (x->finished || http_pending(x) == 0)
                return;
        if (x->hub->n_holds > 0) {
                if (!x->waited && !x->held)
                        STAILQ_INSERT_TAIL(&x->hub->held, x, dry_link);
                x->held = !x->waited;
                return;
        }
        x->waited = true;
        watch_stall(x);
        x->connection->owner->progress(x->connection);
}

struct http_hub *http_hold(struct http_exchange *x) {
        x->hub->n_holds++;
        return x->hub;
}

void http_release(struct http_hub *hub) {
        struct http_exchange *x;

        assert(hub->n_holds > 0);
        if (--hub->n_holds > 0)
                return;
        while (connection_flush_due(hub))
                ;
        while ((x = STAILQ_FIRST(&hub->held))) {
                STAILQ_REMOVE_HEAD(&hub->held, dry_link);
                x->held = false;
                exchange_dry(x); /* of http_again() meanwhile */
                note_waiting(x);
        }
}

void http_push(struct http_exchange *x) {
        if (x->connection && x->connection->due)
                x->connection->driver->flush(x->connection);
}

int http_send(struct http_exchange *x, const void *data, size_t size) {
        int r = check_send(x, size);

        if (r < 0 || size == 0 || x->discards)
                return r;
        r = x->connection->driver->send(x, &(struct http_piece){ .data = data, .size = size }, NULL);
        note_waiting(x);
        return r;
}

int http_send_bytes(struct http_exchange *x, struct bytes *bytes) {
        int r = check_send(x, bytes->size);

        if (r < 0 || bytes->size == 0 || x->discards)
                return r;
        r = x->connection->driver->send(x, &(struct http_piece){ .data = bytes->data, .size = bytes->size }, bytes);
        note_waiting(x);
        return r;
}

int http_send_ranges(struct http_exchange *x, const struct iovec *ranges, unsigned n) {
        size_t size = 0;
        int r;

        assert(n <= HTTP_RANGES_MAX);
        for (unsigned i = 0; i < n; i++)
                size += ranges[i].iov_len;
        r = check_send(x, size);
        if (r < 0 || size == 0 || x->discards)
                return r;
        r = x->connection->driver->send_ranges(x, ranges, n);
        note_waiting(x);
        return r;
}

/* A message that ends before its length is not whole: the peer must not take it for one. */
int http_end(struct http_exchange *x, const struct http_field *trailers, size_t n) {
        if (x->finished || x->out_ended)
                return -EPIPE;
        assert(x->head_out);
        if (x->has_body_left && x->body_left > 0) {
                http_reset(x, -EMSGSIZE);
                return -EMSGSIZE;
        }
        x->out_ended = true;
        return x->connection->driver->end(x, trailers, n);
}

bool http_is_tunnel(const struct http_exchange *x) {
        return x->tunnel;
}

size_t http_pending(const struct http_exchange *x) {
        return x->connection ? x->connection->driver->pending(x) : 0;
}

void http_again(struct http_exchange *x) {
        x->waited = true;
        exchange_dry(x);
}

void http_pause(struct http_exchange *x) {
        if (x->finished || x->paused)
                return;
        x->paused = true;
        x->connection->driver->pause(x, true);
}

void http_resume(struct http_exchange *x) {
        if (x->finished || !x->paused)
                return;
        x->paused = false;
        x->connection->driver->pause(x, false);
}

void http_reset(struct http_exchange *x, int error) {
        if (!x->finished)
                x->connection->driver->reset(x, error);
}
