#include "lib/http/h2.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/http/server.h"

/* Bytes that all streams of a connection together may have on their way: one that is paused must not stop the others.
 */
#define CONNECTION_WINDOW ((int32_t)16 << 20)

static nghttp2_session_callbacks *callbacks;
static nghttp2_option *options;

static struct http_exchange *exchange_of(nghttp2_session *session, int32_t stream_id) {
        return nghttp2_session_get_stream_user_data(session, stream_id);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data) {
        struct http_connection *connection = user_data;
        struct http_exchange *x;

        if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
                return 0;
        x = exchange_new(connection);
        if (!x)
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        if (connection->head_since == 0)
                connection->head_since = uv_now(connection->hub->loop) ?: 1;
        x->stream_id = frame->hd.stream_id;
        x->request.version = 20;
        x->request.length = -1;
        nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, x);
        return 0;
}

static const char **request_pseudo(struct http_exchange *x, const char *name) {
        return strcmp(name, ":method") == 0    ? &x->request.method :
               strcmp(name, ":path") == 0      ? &x->request.target :
               strcmp(name, ":authority") == 0 ? &x->request.authority :
               strcmp(name, ":protocol") == 0  ? &x->request.upgrade :
                                                 NULL;
}

static int take_pseudo(struct http_exchange *x, bool server, const char *name, const char *value, size_t n) {
        const char **to = server ? request_pseudo(x, name) : NULL;

        if (!server && strcmp(name, ":status") == 0)
                x->head->response.status = (int)http_length(value);
        if (!to)
                return 0;
        *to = arena_strndup(x->arena, value, n);
        return *to ? 0 : -ENOMEM;
}

/* Names of HPACK's static table (RFC 7541, A) are there for ever, and need no copy. */
static const char *keep_name(struct arena *arena, nghttp2_rcbuf *name, nghttp2_vec text) {
        return nghttp2_rcbuf_is_static(name) ? (const char *)text.base :
                                               arena_strndup(arena, (const char *)text.base, text.len);
}

static int add_field(struct http_fields *fields, struct arena *arena, nghttp2_rcbuf *name, nghttp2_rcbuf *value) {
        nghttp2_vec text = nghttp2_rcbuf_get_buf(value);

        if (fields->count == HTTP_FIELDS_MAX)
                return -E2BIG;
        return http_fields_put(fields, arena, keep_name(arena, name, nghttp2_rcbuf_get_buf(name)),
                               arena_strndup(arena, (const char *)text.base, text.len));
}

/* What costs us more than the peer may come now and then: a level that rises with each and sinks with time, and a peer
 * that reaches the brim is sent away. @weight is in thousandths of a millisecond of the time that it sinks in. */
static void count_cost(struct http_connection *connection, uint64_t weight) {
        struct h2 *h2 = connection->state;
        uint64_t now = uv_now(connection->hub->loop), passed = (now - h2->cost_at) * 1000;

        h2->cost = (h2->cost > passed ? h2->cost - passed : 0) + weight;
        h2->cost_at = now;
        if (h2->cost > (uint64_t)HTTP_RESETS_MS * 1000)
                nghttp2_session_terminate_session(h2->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* Streams that are opened only to be reset (CVE-2023-44487), by either side (CVE-2025-8671). */
static void count_reset(struct http_connection *connection) {
        count_cost(connection, (uint64_t)HTTP_RESETS_MS * 1000 / HTTP_RESETS_MAX);
}

/* A few bytes that name a large field of HPACK's table, again and again, are a head of any size, all of which is to be
 * looked at: each HEAD_MAX of it counts as a stream that is reset. */
static void count_head(struct http_connection *connection, struct http_exchange *x, size_t n) {
        size_t before = x->head->head_bytes / connection->head_max;

        x->head->head_bytes += n;
        if (connection->server && x->head->head_bytes / connection->head_max > before)
                count_reset(connection);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name, nghttp2_rcbuf *value,
                     uint8_t flags, void *user_data) {
        struct http_connection *connection = user_data;
        nghttp2_vec name_text = nghttp2_rcbuf_get_buf(name), value_text = nghttp2_rcbuf_get_buf(value);
        struct http_exchange *x = exchange_of(session, frame->hd.stream_id);
        struct http_fields *fields;
        int r;

        if (!x || !x->head || frame->hd.type != NGHTTP2_HEADERS)
                return 0;
        count_head(connection, x, name_text.len + value_text.len + 32);
        if (x->head->head_bytes > connection->head_max)
                return connection->server && !x->head_in && !connection->reset_large_heads ?
                               0 :
                               NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        fields = x->head_in         ? &x->head->trailers_in :
                 connection->server ? &x->request.fields :
                                      &x->head->response.fields;
        if (name_text.len > 0 && name_text.base[0] == ':')
                r = take_pseudo(x, connection->server, (const char *)name_text.base, (const char *)value_text.base,
                                value_text.len);
        else
                r = add_field(fields, x->arena, name, value);
        if (r == -E2BIG && connection->server && !x->head_in)
                return 0; /* answered when the head is all there */
        return r < 0 ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

static bool complete_request(struct http_exchange *x, bool ends) {
        struct http_request *request = &x->request;
        const char *length = http_fields_get(&request->fields, "content-length"), *query;

        if (!request->authority)
                request->authority = http_fields_get(&request->fields, "host") ?: "";
        if (!request->target)
                request->target = "";
        if (!request->method || (*request->target && !http_is_target(request->target, strlen(request->target))))
                return false;
        query = strchr(request->target, '?');
        request->n_path = query ? (size_t)(query - request->target) : strlen(request->target);
        request->query = query ? query + 1 : "";
        if (ends)
                request->length = 0;
        else if (length)
                request->length = http_length(length);
        return true;
}

#define TOO_LARGE "the request's head is too large\n"

static void begin_request(struct http_connection *connection, struct http_exchange *x, bool ends) {
        struct h2 *h2 = connection->state;

        if (!complete_request(x, ends)) {
                nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, x->stream_id, NGHTTP2_PROTOCOL_ERROR);
                return;
        }
        x->head_in = true;
        if (x->head->head_bytes > connection->head_max || x->request.fields.count == HTTP_FIELDS_MAX) {
                http_reply(x, 431, "text/plain", TOO_LARGE, strlen(TOO_LARGE));
                return;
        }
        x->head->head_bytes = 0; /* the trailers' begin */
        connection->owner->begun(connection, x);
}

static void begin_response(struct http_exchange *x) {
        const char *length = http_fields_get(&x->head->response.fields, "content-length");

        if (x->head->response.status < 200) {
                x->head->response = (struct http_response){ 0 };
                return;
        }
        x->head_in = true;
        x->head->head_bytes = 0;
        x->head->response.length = length ? http_length(length) : -1;
        if (x->head->response.status < 300 && (x->request.upgrade || strcmp(x->request.method, "CONNECT") == 0))
                exchange_open_tunnel(x);
        exchange_head(x);
}

#define DRAIN_PING "draining"

static void send_goaway(struct http_connection *connection) {
        struct h2 *h2 = connection->state;

        connection->drain_since = 0;
        nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h2->session),
                              NGHTTP2_NO_ERROR, NULL, 0);
}

/* Frames that bring nothing (CVE-2019-9512, -9515, -9518). */
static void count_empty(struct http_connection *connection, const nghttp2_frame *frame) {
        bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
        uint8_t type = frame->hd.type;

        if (type == NGHTTP2_PING || type == NGHTTP2_SETTINGS || type == NGHTTP2_PRIORITY ||
            (type == NGHTTP2_DATA && frame->hd.length - frame->data.padlen == 0 && !ends))
                count_cost(connection, (uint64_t)HTTP_RESETS_MS * 1000 / HTTP_EMPTY_FRAMES_MAX);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user_data) {
        struct http_connection *connection = user_data;
        struct http_exchange *x;
        bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

        if (frame->hd.type == NGHTTP2_GOAWAY)
                connection->draining = true;
        if (connection->server)
                count_empty(connection, frame);
        else if (frame->hd.type == NGHTTP2_SETTINGS)
                connection->streams_peer =
                        nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
        if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) && connection->drain_since > 0 &&
            memcmp(frame->ping.opaque_data, DRAIN_PING, sizeof(frame->ping.opaque_data)) == 0)
                send_goaway(connection);
        if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
                return 0;
        if (frame->hd.type == NGHTTP2_HEADERS)
                connection->head_since = 0;
        x = exchange_of(session, frame->hd.stream_id);
        if (!x)
                return 0;
        if (frame->hd.type == NGHTTP2_HEADERS && !x->head_in && connection->server)
                begin_request(connection, x, ends);
        else if (frame->hd.type == NGHTTP2_HEADERS && !x->head_in)
                begin_response(x);
        if (ends)
                exchange_end(x);
        return 0;
}

/* The window opens again for what was taken; what a paused owner got is remembered until it goes on. */
static void consumed(struct http_connection *connection, struct http_exchange *x, int32_t stream_id, size_t n) {
        struct h2 *h2 = connection->state;

        nghttp2_session_consume_connection(h2->session, n);
        if (x && x->paused)
                x->unconsumed += n;
        else
                nghttp2_session_consume_stream(h2->session, stream_id, n);
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data, size_t n,
                         void *user_data) {
        struct http_connection *connection = user_data;
        struct http_exchange *x = exchange_of(session, stream_id);

        if (x)
                exchange_data(x, (uint8_t *)(uintptr_t)data, n);
        if (!connection->closing)
                consumed(connection, x && !x->finished ? x : NULL, stream_id, n);
        return 0;
}

/* An answer that came before the request's end: the client is told that the rest is not wanted (RFC 9113, 8.1). */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user_data) {
        struct http_connection *connection = user_data;
        struct http_exchange *x;

        if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
                return 0;
        x = exchange_of(session, frame->hd.stream_id);
        if (!x)
                return 0;
        if (x->lapses && frame->hd.type == NGHTTP2_DATA)
                h2_lapsed(x);
        if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
                return 0;
        x->out_done = true;
        if (connection->server && !x->in_ended && !x->tunnel)
                nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
        return 0;
}

/* A request that could not be sent any more: its server goes. Nobody closes the stream that it never had. */
static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user_data) {
        struct http_connection *connection = user_data;
        struct http_exchange *x;

        if (frame->hd.type != NGHTTP2_HEADERS || connection->server)
                return 0;
        TAILQ_FOREACH (x, &connection->exchanges, link)
                if (x->stream_id == frame->hd.stream_id) {
                        exchange_finish(x, -EAGAIN, "the server is closing the connection");
                        break;
                }
        return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error, void *user_data) {
        struct http_connection *connection = user_data;
        struct http_exchange *x = exchange_of(session, stream_id);

        if (connection->server && error != NGHTTP2_NO_ERROR)
                count_reset(connection);
        if (!x)
                return 0;
        nghttp2_session_set_stream_user_data(session, stream_id, NULL);
        if (x->out_done && (x->in_ended || (connection->server && !x->tunnel)))
                exchange_finish(x, 0, NULL);
        else if (error == NGHTTP2_REFUSED_STREAM)
                exchange_finish(x, -EAGAIN, "the peer refuses the stream");
        else
                exchange_finish(x, error == NGHTTP2_CANCEL || error == NGHTTP2_NO_ERROR ? -ECANCELED : -EPROTO,
                                error == NGHTTP2_CANCEL ? NULL : nghttp2_http2_strerror(error));
        return 0;
}

static void make_callbacks(void) {
        if (nghttp2_session_callbacks_new(&callbacks) < 0 || nghttp2_option_new(&options) < 0)
                return;
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
        nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
        nghttp2_session_callbacks_set_send_data_callback(callbacks, h2_send_data);
        /* Closed streams are of no use here, and kept ones cost memory. */
        nghttp2_option_set_no_closed_streams(options, 1);
        nghttp2_option_set_no_auto_window_update(options, 1);
}

static int make_session(struct http_connection *connection, struct h2 *h2) {
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        const nghttp2_settings_entry settings[] = {
                { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, connection->streams_max },
                { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)connection->head_max },
                { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP_WINDOW },
                { NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 }, /* RFC 8441; the server's to say */
        };
        nghttp2_mem memory = { &connection->hub->memory, h2_memory_malloc, h2_memory_free, h2_memory_calloc,
                               h2_memory_realloc };
        int r;

        pthread_once(&once, make_callbacks);
        if (!callbacks || !options)
                return -ENOMEM;
        r = connection->server ? nghttp2_session_server_new3(&h2->session, callbacks, connection, options, &memory) :
                                 nghttp2_session_client_new3(&h2->session, callbacks, connection, options, &memory);
        if (r < 0)
                return -ENOMEM;
        if (nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, connection->server ? 4 : 3) < 0 ||
            nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW) < 0)
                return -ENOMEM;
        return 0;
}

static int start(struct http_connection *connection) {
        struct h2 *h2 = calloc(1, sizeof(*h2));
        int r;

        if (!h2)
                return -ENOMEM;
        connection->state = h2;
        connection->multiplexed = true;
        h2->reading = true;
        r = make_session(connection, h2);
        if (r < 0)
                return r;
        h2_flush(connection);
        return 0;
}

static void stop(struct http_connection *connection) {
        struct h2 *h2 = connection->state;

        nghttp2_session_del(h2->session);
        free(h2);
        connection->state = NULL;
}

static void received(struct http_connection *connection, uint8_t *bytes, size_t n) {
        struct h2 *h2 = connection->state;
        ssize_t r;

        h2->busy = true;
        r = nghttp2_session_mem_recv(h2->session, bytes, n);
        h2->busy = false;
        if (connection->closing)
                return;
        if (r < 0 && r != NGHTTP2_ERR_NOMEM)
                nghttp2_session_terminate_session(h2->session, NGHTTP2_PROTOCOL_ERROR);
        h2_flush(connection);
        if (r < 0)
                connection_close(connection, r == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EPROTO, nghttp2_strerror((int)r));
}

static void ended(struct http_connection *connection) {
        connection_close(connection, connection->n_exchanges > 0 ? -ECONNRESET : 0, NULL);
}

static void drained(struct http_connection *connection) {
        h2_flush(connection);
}

/* In two steps (RFC 9113, 6.8): the client is told to begin no more streams, and those that it had begun by then, which
 * come before its answer to a PING, are served. A client that does not answer is not waited for: the second call. */
static void drain(struct http_connection *connection) {
        struct h2 *h2 = connection->state;

        if (connection->draining || !connection->server)
                send_goaway(connection);
        else {
                nghttp2_submit_shutdown_notice(h2->session);
                nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, (const uint8_t *)DRAIN_PING);
                connection->drain_since = uv_now(connection->hub->loop) ?: 1;
        }
        connection->draining = true;
        h2_flush(connection);
}

static void late(struct http_connection *connection) {
        connection_close(connection, -ETIMEDOUT, NULL);
}

static int ping(struct http_connection *connection) {
        struct h2 *h2 = connection->state;
        int r = nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL);

        if (r < 0)
                return -ENOMEM;
        h2_flush(connection);
        return 0;
}

static void pause_input(struct http_exchange *x, bool pause) {
        struct h2 *h2 = x->connection->state;

        if (pause || x->unconsumed == 0)
                return;
        nghttp2_session_consume_stream(h2->session, x->stream_id, x->unconsumed);
        x->unconsumed = 0;
        h2_flush(x->connection);
}

static void reset(struct http_exchange *x, int error) {
        struct http_connection *connection = x->connection;
        struct h2 *h2 = connection->state;

        nghttp2_session_set_stream_user_data(h2->session, x->stream_id, NULL);
        nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, x->stream_id, NGHTTP2_CANCEL);
        exchange_finish(x, error, NULL);
        h2_flush(connection);
}

const struct http_driver http_driver_2 = {
        .start = start,
        .received = received,
        .ended = ended,
        .drained = drained,
        .stop = stop,
        .drain = drain,
        .late = late,
        .ping = ping,
        .request = h2_request,
        .respond = h2_respond,
        .inform = h2_inform,
        .send = h2_send,
        .send_ranges = h2_send_ranges,
        .end = h2_end,
        .flush = h2_flush,
        .pending = h2_pending,
        .pause = pause_input,
        .reset = reset,
};
