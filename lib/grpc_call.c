#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grpc_server_internal.h"

/* The longest method path that is looked at. */
#define PATH_MAX_BYTES 256

struct grpc_call *grpc_call_new(struct connection *connection, int32_t stream_id) {
        struct grpc_call *call = calloc(1, sizeof(*call));

        if (!call)
                return NULL;
        call->server = connection->server;
        call->connection = connection;
        call->stream_id = stream_id;
        call->peer = connection->peer;
        call->out_last = &call->out;
        call->buffer_max = GRPC_CALL_BUFFER_MAX;
        LIST_INSERT_HEAD(&connection->calls, call, link);
        call->server->n_calls++;
        return call;
}

static void on_deadline_closed(uv_handle_t *handle) {
        struct grpc_deadline *deadline = handle->data;

        free(deadline);
}

static void deadline_free(struct grpc_call *call) {
        if (call->deadline)
                uv_close((uv_handle_t *)&call->deadline->timer, on_deadline_closed);
        call->deadline = NULL;
}

static void chunks_free(struct grpc_call *call) {
        struct grpc_chunk *chunk;

        while ((chunk = call->out)) {
                call->out = chunk->next;
                free(chunk->data);
                free(chunk);
        }
        call->out_last = &call->out;
        call->out_bytes = 0;
}

/* Gives back what the incoming request held. */
static void release_request(struct grpc_call *call) {
        call->server->request_bytes -= call->held;
        call->held = 0;
        grpc_reader_free(&call->reader);
}

static void call_free(struct grpc_call *call) {
        struct grpc_server *server = call->server;

        if (call->cancel_queued)
                STAILQ_REMOVE(&server->cancelled, call, grpc_call, cancel_link);
        release_request(call);
        grpc_unpacked_free(&call->request);
        chunks_free(call);
        deadline_free(call);
        free(call->path);
        free(call->text);
        free(call);
        server->n_calls--;
        grpc_server_maybe_free(server);
}

static const struct grpc_method *find_method(const struct grpc_server *server, const char *path) {
        for (unsigned i = 0; i < server->n_methods; i++)
                if (strcmp(server->methods[i]->path, path) == 0)
                        return server->methods[i];
        return NULL;
}

static bool is(const char *name, size_t n, const char *want) {
        return n == strlen(want) && memcmp(name, want, n) == 0;
}

/* Of two nobody knows which one is meant: neither is. */
static void take_trace_parent(struct grpc_call *call, const char *value, size_t size) {
        if (call->n_trace_parents++ > 0 || trace_parent_parse(value, size, &call->trace_parent) < 0)
                call->trace_parent.decision = TRACE_NONE;
}

void grpc_call_header(struct grpc_call *call, const char *name, size_t n_name, const char *value, size_t n_value) {
        if (is(name, n_name, ":path") && !call->path) {
                call->path = strndup(value, n_value < PATH_MAX_BYTES ? n_value : PATH_MAX_BYTES);
                call->no_memory = !call->path;
        } else if (is(name, n_name, ":method"))
                call->is_post = is(value, n_value, "POST");
        else if (is(name, n_name, "content-type"))
                call->is_grpc = n_value >= 16 && memcmp(value, "application/grpc", 16) == 0 &&
                                (n_value == 16 || value[16] == '+' || value[16] == ';');
        else if (is(name, n_name, "grpc-timeout"))
                call->timeout_bad = grpc_timeout_parse(value, n_value, &call->timeout_ms) < 0;
        else if (is(name, n_name, "grpc-encoding"))
                call->has_encoding = !is(value, n_value, "identity");
        else if (is(name, n_name, "traceparent"))
                take_trace_parent(call, value, n_value);
}

static nghttp2_nv header(const char *name, const char *value) {
        return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name,
                             .value = (uint8_t *)(uintptr_t)value,
                             .namelen = strlen(name),
                             .valuelen = strlen(value),
                             .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME };
}

static nghttp2_session *session_of(struct grpc_call *call) {
        return call->connection->h2.session;
}

/* Without memory for an answer the connection is closed: its client sees that, and does not wait for ever. */
static void submitted(struct grpc_call *call, int r) {
        if (r == NGHTTP2_ERR_NOMEM)
                call->connection->h2.failed = -ENOMEM;
}

/* The status, as trailers or, when nothing was sent before, as the only headers ("Trailers-Only"). */
static void submit_status(struct grpc_call *call, const char *http_status) {
        char code[8];
        nghttp2_nv nv[5];
        size_t n = 0;
        bool only = !call->headers_sent;

        snprintf(code, sizeof(code), "%d", call->code);
        if (only) {
                nv[n++] = header(":status", http_status);
                nv[n++] = header("content-type", "application/grpc");
        }
        nv[n++] = header("grpc-status", code);
        if (call->text)
                nv[n++] = header("grpc-message", call->text);
        if (call->code == GRPC_UNIMPLEMENTED && call->has_encoding)
                nv[n++] = header("grpc-accept-encoding", "identity");
        call->headers_sent = true;
        submitted(call, only ? nghttp2_submit_response(session_of(call), call->stream_id, nv, n, NULL) :
                               nghttp2_submit_trailer(session_of(call), call->stream_id, nv, n));
}

ssize_t grpc_call_read_out(nghttp2_session *session, int32_t stream_id, uint8_t *buf, size_t size, uint32_t *flags,
                           nghttp2_data_source *source, void *user_data) {
        struct grpc_call *call = source->ptr;
        size_t filled = 0;
        struct grpc_chunk *chunk;

        while ((chunk = call->out) && filled < size) {
                size_t n = chunk->size - chunk->sent < size - filled ? chunk->size - chunk->sent : size - filled;

                memcpy(buf + filled, chunk->data + chunk->sent, n);
                chunk->sent += n;
                filled += n;
                if (chunk->sent < chunk->size)
                        break;
                if (!(call->out = chunk->next))
                        call->out_last = &call->out;
                free(chunk->data);
                free(chunk);
        }
        call->out_bytes -= filled;
        if (!call->out && call->answered) {
                *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
                submit_status(call, "200");
                return (ssize_t)filled;
        }
        if (!call->out && call->refused && call->owned && call->on_drain && !call->cancelled)
                grpc_server_wake(call->server);
        if (filled == 0) {
                call->deferred = true;
                return NGHTTP2_ERR_DEFERRED;
        }
        return (ssize_t)filled;
}

/* Sends the answer's headers with what follows as data, or wakes the data up. */
static void pump(struct grpc_call *call) {
        nghttp2_nv nv[] = { header(":status", "200"), header("content-type", "application/grpc") };
        nghttp2_data_provider provider = { .source.ptr = call, .read_callback = grpc_call_read_out };

        if (!call->headers_sent) {
                call->headers_sent = true;
                submitted(call,
                          nghttp2_submit_response(session_of(call), call->stream_id, nv, ELEMENTS(nv), &provider));
        } else if (call->deferred) {
                call->deferred = false;
                submitted(call, nghttp2_session_resume_data(session_of(call), call->stream_id));
        }
        h2_flush(&call->connection->h2);
}

static void answer_http(struct grpc_call *call, enum grpc_code code, const char *text, const char *http_status) {
        if (call->answered || !call->connection)
                return;
        call->answered = true;
        call->code = code;
        if (text && *text)
                call->text = grpc_message_encode(text);
        if (!call->owned)
                release_request(call);
        if (call->headers_sent || call->out)
                return pump(call);
        submit_status(call, http_status);
        h2_flush(&call->connection->h2);
}

static void answer(struct grpc_call *call, enum grpc_code code, const char *text) {
        answer_http(call, code, text, "200");
}

static void cancel(struct grpc_call *call, enum grpc_code code) {
        if (call->cancelled || !call->owned)
                return;
        call->cancelled = true;
        call->cancel_code = code;
        if (!call->on_cancel)
                return;
        call->cancel_queued = true;
        STAILQ_INSERT_TAIL(&call->server->cancelled, call, cancel_link);
        grpc_server_wake(call->server);
}

static void on_deadline(uv_timer_t *timer) {
        struct grpc_deadline *deadline = timer->data;
        struct grpc_call *call = deadline->call;

        deadline_free(call);
        cancel(call, GRPC_DEADLINE_EXCEEDED);
        answer(call, GRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
}

static void start_deadline(struct grpc_call *call) {
        struct grpc_deadline *deadline;

        if (call->timeout_ms == 0)
                return;
        deadline = calloc(1, sizeof(*deadline));
        if (!deadline)
                return answer(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
        uv_update_time(call->server->loop);
        deadline->at = uv_now(call->server->loop) + call->timeout_ms;
        deadline->call = call;
        deadline->timer.data = deadline;
        call->deadline = deadline;
        uv_timer_init(call->server->loop, &deadline->timer);
        uv_timer_start(&deadline->timer, on_deadline, call->timeout_ms, 0);
}

static void answer_unknown(struct grpc_call *call) {
        const char *path = call->path && call->path[0] == '/' ? call->path + 1 : "";
        const char *slash = strrchr(path, '/');
        char text[PATH_MAX_BYTES + 64];

        if (!slash || slash == path)
                snprintf(text, sizeof(text), "malformed method name: \"%s\"", call->path ? call->path : "");
        else
                snprintf(text, sizeof(text), "unknown method %s for service %.*s", slash + 1, (int)(slash - path),
                         path);
        answer(call, GRPC_UNIMPLEMENTED, text);
}

void grpc_call_begin(struct grpc_call *call) {
        if (call->no_memory)
                return answer(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
        if (!call->is_post)
                return answer_http(call, GRPC_INTERNAL, "the method must be POST", "405");
        if (!call->is_grpc)
                return answer_http(call, GRPC_INVALID_ARGUMENT, "the content type must be application/grpc", "415");
        if (call->timeout_bad)
                return answer_http(call, GRPC_INTERNAL, "malformed grpc-timeout", "400");
        call->method = call->path ? find_method(call->server, call->path) : NULL;
        if (!call->method)
                return answer_unknown(call);
        if (call->server->n_calls > GRPC_CALLS_MAX)
                return answer(call, GRPC_RESOURCE_EXHAUSTED, "too many calls under way");
        start_deadline(call);
}

static void hold(struct grpc_call *call, size_t bytes) {
        call->held += bytes;
        call->server->request_bytes += bytes;
}

/* One complete message is in the reader. */
static void take_request(struct grpc_call *call) {
        int r;

        if (call->n_requests++ > 0)
                return answer(call, GRPC_INTERNAL, "more than one request message");
        r = grpc_unpack(call->method->request, call->reader.data, call->reader.size, &call->request);
        release_request(call);
        if (r == -ENOMEM)
                return answer(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
        if (r == -EBADMSG)
                return answer(call, GRPC_INTERNAL, "the request is no valid message of its type");
        if (r < 0)
                return answer(call, GRPC_RESOURCE_EXHAUSTED, "the request takes too much memory");
        hold(call, arena_size(call->request.arena));
}

static void refuse_frame(struct grpc_call *call, int error) {
        char text[128];

        switch (error) {
        case -EMSGSIZE:
                snprintf(text, sizeof(text), "received message larger than max (%zu vs. %u)", call->reader.size,
                         GRPC_MESSAGE_MAX);
                return answer(call, GRPC_RESOURCE_EXHAUSTED, text);
        case -ENOTSUP:
                if (call->has_encoding)
                        return answer(call, GRPC_UNIMPLEMENTED, "compressed messages are not supported");
                return answer(call, GRPC_INTERNAL, "compressed flag set without grpc-encoding");
        case -ENOMEM:
                return answer(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
        default:
                return answer(call, GRPC_INTERNAL, "malformed message prefix");
        }
}

void grpc_call_data_in(struct grpc_call *call, const uint8_t *data, size_t size) {
        int r;

        while (!call->answered && !call->owned && (size > 0)) {
                size_t before = call->reader.allocated;

                r = grpc_reader_feed(&call->reader, &data, &size, GRPC_MESSAGE_MAX);
                if (r < 0)
                        return refuse_frame(call, r);
                hold(call, call->reader.allocated - before);
                if (r > 0)
                        take_request(call);
                if (call->server->request_bytes > GRPC_SERVER_REQUEST_BYTES_MAX)
                        return answer(call, GRPC_RESOURCE_EXHAUSTED, "too many request bytes under way");
        }
}

void grpc_call_end_in(struct grpc_call *call) {
        call->remote_ended = true;
        if (call->answered || call->owned)
                return;
        if (grpc_reader_partial(&call->reader))
                return answer(call, GRPC_INTERNAL, "the request ends within a message");
        if (call->n_requests == 0)
                return answer(call, GRPC_INTERNAL, "the request has no message");
        call->owned = true;
        call->method->handle(call, call->request.message);
}

void grpc_call_stream_gone(struct grpc_call *call) {
        LIST_REMOVE(call, link);
        call->connection = NULL;
        chunks_free(call);
        deadline_free(call);
        cancel(call, GRPC_CANCELLED);
        if (!call->owned)
                call_free(call);
}

/* Calls whose buffer ran empty after a refusal. They are told from the loop, as the cancelled ones. */
static void tell_drained(struct grpc_server *server) {
        struct connection *connection;
        struct grpc_call *call;

again:
        LIST_FOREACH (connection, &server->connections, link) {
                LIST_FOREACH (call, &connection->calls, link) {
                        if (!call->refused || call->out || !call->owned || call->cancelled || !call->on_drain)
                                continue;
                        call->refused = false;
                        call->on_drain(call, call->drain_data);
                        goto again; /* the lists may have changed */
                }
        }
}

void grpc_server_tell_cancelled(struct grpc_server *server) {
        struct grpc_call *call;

        while ((call = STAILQ_FIRST(&server->cancelled))) {
                STAILQ_REMOVE_HEAD(&server->cancelled, cancel_link);
                call->cancel_queued = false;
                call->on_cancel(call, call->cancel_code, call->cancel_data);
        }
        tell_drained(server);
}

const struct grpc_method *grpc_call_method(const struct grpc_call *call) {
        return call->method;
}

void *grpc_call_data(const struct grpc_call *call) {
        return call->method->data;
}

const struct ucred *grpc_call_peer(const struct grpc_call *call) {
        return &call->peer;
}

const struct trace_parent *grpc_call_trace_parent(const struct grpc_call *call) {
        return &call->trace_parent;
}

uint64_t grpc_call_deadline(const struct grpc_call *call) {
        return call->deadline ? call->deadline->at : 0;
}

void grpc_call_on_cancel(struct grpc_call *call,
                         void (*on_cancel)(struct grpc_call *call, enum grpc_code code, void *data), void *data) {
        call->on_cancel = on_cancel;
        call->cancel_data = data;
        if (on_cancel && call->cancelled && !call->cancel_queued) {
                call->cancelled = false;
                cancel(call, call->cancel_code);
        }
}

bool grpc_call_cancelled(const struct grpc_call *call) {
        return call->cancelled;
}

void grpc_call_set_buffer(struct grpc_call *call, size_t bytes) {
        call->buffer_max = bytes;
}

bool grpc_call_refused(const struct grpc_call *call) {
        return call->refused;
}

void grpc_call_on_drain(struct grpc_call *call, void (*on_drain)(struct grpc_call *call, void *data), void *data) {
        call->on_drain = on_drain;
        call->drain_data = data;
}

static int push(struct grpc_call *call, const ProtobufCMessage *message) {
        struct grpc_chunk *chunk = calloc(1, sizeof(*chunk));
        int r;

        if (!chunk)
                return -ENOMEM;
        r = grpc_pack(message, &chunk->data, &chunk->size);
        if (r < 0) {
                free(chunk);
                return r;
        }
        *call->out_last = chunk;
        call->out_last = &chunk->next;
        call->out_bytes += chunk->size;
        return 0;
}

int grpc_call_send(struct grpc_call *call, const ProtobufCMessage *message) {
        int r;

        if (call->cancelled || !call->connection)
                return -ECANCELED;
        if (call->out_bytes > call->buffer_max) {
                call->refused = true;
                return -ENOBUFS;
        }
        r = push(call, message);
        if (r == 0)
                pump(call);
        return r;
}

void grpc_call_open(struct grpc_call *call) {
        if (!call->cancelled && call->connection && !call->headers_sent)
                pump(call);
}

/* The handler is done with the call; the stream may still need it. */
static void disown(struct grpc_call *call) {
        call->owned = false;
        release_request(call);
        grpc_unpacked_free(&call->request);
        if (!call->connection)
                call_free(call);
}

/* The answer may end the stream, and with it the call, within h2_flush(): hold it by keeping it owned meanwhile. */
static void answer_and_disown(struct grpc_call *call, enum grpc_code code, const char *text) {
        call->on_cancel = NULL;
        if (call->cancel_queued) {
                STAILQ_REMOVE(&call->server->cancelled, call, grpc_call, cancel_link);
                call->cancel_queued = false;
        }
        deadline_free(call);
        answer(call, code, text);
        disown(call);
}

void grpc_call_reply(struct grpc_call *call, const ProtobufCMessage *message) {
        int r = call->answered || !call->connection ? 0 : push(call, message);

        if (r == -EMSGSIZE)
                return answer_and_disown(call, GRPC_RESOURCE_EXHAUSTED, "the answer is larger than a message may be");
        if (r < 0)
                return answer_and_disown(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
        answer_and_disown(call, GRPC_OK, NULL);
}

void grpc_call_finish(struct grpc_call *call) {
        answer_and_disown(call, GRPC_OK, NULL);
}

void grpc_call_fail(struct grpc_call *call, enum grpc_code code, const char *text) {
        answer_and_disown(call, code, text);
}

void grpc_call_fail_err(struct grpc_call *call, const struct err *err) {
        answer_and_disown(call, grpc_code_from_errno(err_code(err)), err_text(err));
}
