#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/h2.h"
#include "lib/thread_buffer.h"

/* Given to the transport at once. */
#define WRITE_SIZE ((size_t)64 << 10)

/* Of a frame (RFC 9113, 4.1). */
#define FRAME_HEAD_SIZE 9

/* While more than this waits for the socket, nothing is taken from the session, and nothing new from the peer. */
#define WAITING_MAX ((size_t)256 << 10)

/* Where frames are gathered. One a thread that writes, used within one call only. */
static struct thread_buffer write_buffer = THREAD_BUFFER(WRITE_SIZE);

/* nghttp2's answer to something submitted: without memory for it the connection ends. */
static int h2_submitted(struct http_connection *connection, int r) {
        struct h2 *h2 = connection->state;

        if (r == NGHTTP2_ERR_NOMEM)
                h2->failed = -ENOMEM;
        return r == NGHTTP2_ERR_NOMEM ? -ENOMEM : r < 0 ? -EPROTO : 0;
}

/* Frames on their way to the transport, some at a time: their bytes in the thread's buffer, but for the payloads of
 * DATA frames, which stay where they are. */
struct h2_output {
        struct transport *stream;
        uint8_t *buffer;
        size_t filled;
        struct iovec ranges[TRANSPORT_RANGES_MAX];
        struct bytes *owners[TRANSPORT_RANGES_MAX]; /* a reference; NULL: in the buffer */
        unsigned n;
};

static int output_write(struct h2_output *output) {
        int r = output->n > 0 ? transport_write_shared(output->stream, output->ranges, output->owners, output->n) : 0;

        for (unsigned i = 0; i < output->n; i++)
                bytes_unref(output->owners[i]);
        output->n = 0;
        output->filled = 0;
        return r;
}

static int output_add(struct h2_output *output, const uint8_t *data, size_t n) {
        bool extends = output->n > 0 && !output->owners[output->n - 1];
        int r = 0;

        if (output->filled + n > WRITE_SIZE || (!extends && output->n == TRANSPORT_RANGES_MAX)) {
                r = output_write(output);
                extends = false;
        }
        if (!extends) {
                output->ranges[output->n] = (struct iovec){ output->buffer + output->filled, 0 };
                output->owners[output->n++] = NULL;
        }
        memcpy(output->buffer + output->filled, data, n);
        output->filled += n;
        output->ranges[output->n - 1].iov_len += n;
        return r;
}

static int output_add_shared(struct h2_output *output, struct bytes *bytes, const struct iovec *range) {
        int r = output->n == TRANSPORT_RANGES_MAX ? output_write(output) : 0;

        output->ranges[output->n] = *range;
        output->owners[output->n++] = bytes_ref(bytes);
        return r;
}

static bool output_is_full(const struct h2_output *output) {
        size_t size = transport_pending(output->stream);

        for (unsigned i = 0; i < output->n; i++)
                size += output->ranges[i].iov_len;
        return size >= WAITING_MAX;
}

/* Lets the session make frames, which are small, for writes, which are not, until it has none or enough wait. */
static int gather(struct http_connection *connection, struct h2_output *output) {
        struct h2 *h2 = connection->state;

        while (!h2->failed && !output_is_full(output)) {
                const uint8_t *data;
                ssize_t n = nghttp2_session_mem_send(h2->session, &data);
                int r;

                if (n < 0)
                        return h2->failed ?: n == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EPROTO;
                if (n == 0)
                        break;
                r = output_add(output, data, (size_t)n);
                if (r < 0)
                        return r;
        }
        return h2->failed;
}

static int write_frames(struct http_connection *connection) {
        struct h2 *h2 = connection->state;
        struct h2_output output = { .stream = connection->stream, .buffer = thread_buffer(&write_buffer) };
        bool was_full;
        int r, written;

        if (!output.buffer)
                return -ENOMEM;
        h2->output = &output;
        do {
                r = gather(connection, &output);
                was_full = output_is_full(&output);
                written = output_write(&output);
        } while (r == 0 && written == 0 && was_full && !output_is_full(&output));
        h2->output = NULL;
        return r < 0 ? r : written;
}

/* A peer that does not read its answers cannot ask for more. */
static void balance(struct http_connection *connection) {
        struct h2 *h2 = connection->state;
        size_t waits = transport_pending(connection->stream);

        if (h2->reading != (waits < WAITING_MAX)) {
                h2->reading = !h2->reading;
                connection->deaf = !h2->reading;
                if (h2->reading)
                        transport_resume(connection->stream);
                else
                        transport_pause(connection->stream);
        }
        if (waits > 0)
                connection->owner->progress(connection);
}

void h2_flush(struct http_connection *connection) {
        struct h2 *h2 = connection->state;
        int r;

        if (h2->busy || connection->closing)
                return;
        h2->busy = true;
        r = h2->failed ?: write_frames(connection);
        h2->busy = false;
        if (r < 0)
                return connection_close(connection, r, NULL);
        balance(connection);
        if (!nghttp2_session_want_read(h2->session) && !nghttp2_session_want_write(h2->session) &&
            transport_pending(connection->stream) == 0)
                connection_close(connection, 0, NULL);
}

/* Its values do not come twice: in HPACK's table they would push out those that do, and each would be looked for among
 * all that came before (RFC 7541, 6.2.3). */
static bool is_fresh(const char *name) {
        return name[0] == 'a' && strcmp(name, "audit-id") == 0;
}

static nghttp2_nv pair(const char *name, const char *value) {
        return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name,
                             .value = (uint8_t *)(uintptr_t)value,
                             .namelen = strlen(name),
                             .valuelen = strlen(value),
                             .flags = is_fresh(name) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE };
}

#define DIGITS_SIZE 24

/* @number, which is not negative, in decimal; within @buffer. snprintf() would be a tenth of a small response. */
static const char *digits(int64_t number, char buffer[DIGITS_SIZE]) {
        char *at = buffer + DIGITS_SIZE;

        *--at = '\0';
        do
                *--at = (char)('0' + number % 10);
        while ((number /= 10) > 0);
        return at;
}

/* Fields of HTTP/1's connections have no place here (RFC 9113, 8.2.2). */
static bool is_of_connection(const char *name) {
        return strchr("cukpt", name[0]) &&
               (strcmp(name, "connection") == 0 || strcmp(name, "upgrade") == 0 || strcmp(name, "keep-alive") == 0 ||
                strcmp(name, "transfer-encoding") == 0 || strcmp(name, "proxy-connection") == 0);
}

#define PAIRS_MAX (HTTP_FIELDS_SENT_MAX + 8)

static size_t add_pairs(nghttp2_nv *pairs, size_t n, const struct http_field *fields, size_t n_fields) {
        for (size_t i = 0; i < n_fields && n < PAIRS_MAX; i++)
                if (!is_of_connection(fields[i].name))
                        pairs[n++] = pair(fields[i].name, fields[i].value);
        return n;
}

static bool has_trailers(const struct http_exchange *x) {
        return x->head && x->head->trailers_out.count > 0;
}

/* Ends the stream with trailers, which nghttp2 takes from within the body's end. */
static int submit_trailers(struct http_exchange *x) {
        nghttp2_nv pairs[PAIRS_MAX];
        size_t n = add_pairs(pairs, 0, x->head->trailers_out.items, x->head->trailers_out.count);
        struct h2 *h2 = x->connection->state;

        return h2_submitted(x->connection, nghttp2_submit_trailer(h2->session, x->stream_id, pairs, n));
}

/* Some of the exchange's queue has gone. */
static void note_sent(struct http_exchange *x) {
        x->out_since = queue_empty(&x->out) ? 0 : uv_now(x->hub->loop);
        if (queue_empty(&x->out))
                exchange_dry(x);
}

/* Payloads from this size on are sent from where they are. */
#define SHARED_MIN ((size_t)2 << 10)

/* How much of a frame of @size bytes the front of the queue gives without a copy; 0: it is too small for that. */
static size_t take_shared(const struct http_exchange *x, size_t size) {
        struct iovec front = { .iov_len = 0 };

        if (!queue_empty(&x->out))
                queue_first(&x->out, &front);
        if (front.iov_len < SHARED_MIN || size < SHARED_MIN)
                return 0;
        return front.iov_len < size ? front.iov_len : size;
}

/* A response's or request's stream is open for more of our body. */
static ssize_t h2_read_body(nghttp2_session *session, int32_t stream_id, uint8_t *buffer, size_t size, uint32_t *flags,
                            nghttp2_data_source *source, void *user_data) {
        struct http_exchange *x = source->ptr;
        size_t n, shared;

        if (nghttp2_session_get_stream_user_data(session, stream_id) != x || x->finished)
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        n = shared = take_shared(x, size);
        if (shared > 0) {
                *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
        } else {
                n = queue_take(&x->out, buffer, size);
                note_sent(x);
        }
        if (x->out.size == shared && x->out_ended) {
                *flags |= NGHTTP2_DATA_FLAG_EOF;
                if (has_trailers(x)) {
                        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
                        submit_trailers(x);
                }
                return (ssize_t)n;
        }
        if (n == 0) {
                x->deferred = true;
                return NGHTTP2_ERR_DEFERRED;
        }
        if (x->out.size == shared) { /* a frame that waits for more would take 200 bytes meanwhile */
                *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
                x->lapses = true;
        }
        return (ssize_t)n;
}

/* Called again later when the transport has enough, the exchange having at least as much as it said then. */
int h2_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t n,
                 nghttp2_data_source *source, void *user_data) {
        struct http_exchange *x = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        struct http_connection *connection = user_data;
        struct h2 *h2 = connection->state;
        struct iovec payload;
        struct bytes *bytes;
        int r;

        if (!x || x->finished)
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        if (output_is_full(h2->output))
                return NGHTTP2_ERR_WOULDBLOCK;
        bytes = queue_first(&x->out, &payload);
        assert(payload.iov_len >= n);
        payload.iov_len = n;
        if ((r = output_add(h2->output, head, FRAME_HEAD_SIZE)) < 0 ||
            (r = output_add_shared(h2->output, bytes, &payload)) < 0) {
                h2->failed = r;
                return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
        queue_drop(&x->out, n);
        note_sent(x);
        return 0;
}

/* With a body to come, or trailers, a provider; without, the head ends the stream. */
static const nghttp2_data_provider *provide(struct http_exchange *x, nghttp2_data_provider *provider) {
        *provider = (nghttp2_data_provider){ .source.ptr = x, .read_callback = h2_read_body };
        x->sends = true;
        return x->out_ended && queue_empty(&x->out) && !has_trailers(x) ? NULL : provider;
}

/* Has the session take what there is to send. */
static int submit_body(struct http_exchange *x) {
        struct h2 *h2 = x->connection->state;
        nghttp2_data_provider provider = { .source.ptr = x, .read_callback = h2_read_body };

        if (x->deferred) {
                x->deferred = false;
                return h2_submitted(x->connection, nghttp2_session_resume_data(h2->session, x->stream_id));
        }
        if (x->sends || (queue_empty(&x->out) && !x->out_ended))
                return 0;
        x->sends = true;
        return h2_submitted(x->connection,
                            nghttp2_submit_data(h2->session, NGHTTP2_FLAG_END_STREAM, x->stream_id, &provider));
}

void h2_lapsed(struct http_exchange *x) {
        x->lapses = x->sends = false;
        submit_body(x);
}

static int wake(struct http_exchange *x) {
        int r = submit_body(x);

        connection_flush(x->connection);
        return r;
}

int h2_respond(struct http_exchange *x, const struct http_piece *piece, struct bytes *bytes) {
        struct http_connection *connection = x->connection;
        struct h2 *h2 = connection->state;
        nghttp2_nv pairs[PAIRS_MAX];
        nghttp2_data_provider provider;
        char status[DIGITS_SIZE], length[DIGITS_SIZE];
        size_t n = 0;
        int r = bytes ? queue_add(&x->out, bytes_ref(bytes), 0) : queue_add_copy(&x->out, piece->data, piece->size);

        if (r < 0)
                return r;
        pairs[n++] = pair(":status", digits(x->head->response.status == 101 ? 200 : x->head->response.status, status));
        n = add_pairs(pairs, n, x->head->response.fields.items, x->head->response.fields.count);
        if (!connection->no_date)
                pairs[n++] = pair("date", hub_date(connection->hub));
        if (x->head->response.length >= 0 && !x->tunnel && x->head->response.status != 204 &&
            x->head->response.status != 304)
                pairs[n++] = pair("content-length", digits(x->head->response.length, length));
        if (queue_empty(&x->out) && !x->out_ended) /* the body comes later */
                r = nghttp2_submit_headers(h2->session, NGHTTP2_FLAG_NONE, x->stream_id, NULL, pairs, n, NULL);
        else
                r = nghttp2_submit_response(h2->session, x->stream_id, pairs, n, provide(x, &provider));
        r = h2_submitted(connection, r);
        connection_flush(connection);
        return r;
}

int h2_inform(struct http_exchange *x, int status, const struct http_field *fields, size_t n_fields) {
        struct h2 *h2 = x->connection->state;
        nghttp2_nv pairs[PAIRS_MAX];
        char text[8];
        size_t n = 0;
        int r;

        snprintf(text, sizeof(text), "%d", status);
        pairs[n++] = pair(":status", text);
        n = add_pairs(pairs, n, fields, n_fields);
        r = h2_submitted(x->connection,
                         nghttp2_submit_headers(h2->session, NGHTTP2_FLAG_NONE, x->stream_id, NULL, pairs, n, NULL));
        h2_flush(x->connection);
        return r;
}

int h2_request(struct http_exchange *x) {
        struct http_connection *connection = x->connection;
        const struct http_request *request = &x->request;
        struct h2 *h2 = connection->state;
        nghttp2_nv pairs[PAIRS_MAX];
        nghttp2_data_provider provider;
        char length[24];
        bool plain_connect = strcmp(request->method, "CONNECT") == 0 && !request->upgrade;
        size_t n = 0;
        int32_t id;

        if (request->upgrade || plain_connect)
                x->out_ended = false; /* the tunnel's end is to come */
        pairs[n++] = pair(":method", request->upgrade ? "CONNECT" : request->method);
        if (!plain_connect) {
                pairs[n++] = pair(":scheme", transport_tls(connection->stream) ? "https" : "http");
                pairs[n++] = pair(":path", request->target);
        }
        pairs[n++] = pair(":authority", request->authority);
        if (request->upgrade)
                pairs[n++] = pair(":protocol", request->upgrade);
        n = add_pairs(pairs, n, request->fields.items, request->fields.count);
        snprintf(length, sizeof(length), "%lld", (long long)request->length);
        if (request->length > 0)
                pairs[n++] = pair("content-length", length);
        id = nghttp2_submit_request(h2->session, NULL, pairs, n, provide(x, &provider), x);
        if (id < 0)
                return h2_submitted(connection, id) ?: -EPROTO;
        x->stream_id = id;
        x->head_out = true;
        h2_flush(connection);
        return 0;
}

int h2_send(struct http_exchange *x, const struct http_piece *piece, struct bytes *bytes) {
        int r = bytes ? queue_add(&x->out, bytes_ref(bytes), 0) : queue_add_copy(&x->out, piece->data, piece->size);

        return r < 0 ? r : wake(x);
}

int h2_send_ranges(struct http_exchange *x, const struct iovec *ranges, unsigned n) {
        int r = 0;

        for (unsigned i = 0; i < n && r == 0; i++)
                r = queue_add_copy(&x->out, ranges[i].iov_base, ranges[i].iov_len);
        return r < 0 ? r : wake(x);
}

int h2_end(struct http_exchange *x, const struct http_field *trailers, size_t n) {
        int r = http_add_trailers(x, trailers, n);

        if (r < 0)
                return r;
        return wake(x);
}

size_t h2_pending(const struct http_exchange *x) {
        return x->out.size;
}
