#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grpc/internal.h"
#include "lib/handle.h"
#include "lib/transport/transport.h"

/* The longest method path that is quoted. */
#define PATH_MAX_BYTES 256

static const struct http_field grpc_type = { "content-type", "application/grpc" };

/* Gives back what the incoming request held. */
static void release_request(struct grpc_call *call) {
        call->server->request_bytes -= call->held;
        call->held = 0;
        grpc_reader_free(&call->reader);
}

static void destroy(struct grpc_call *call) {
        arena_free(call->arena);
        handle_free(call->deadline);
        free(call);
}

static struct grpc_call *call_new(struct grpc_server *server) {
        struct grpc_call *call = STAILQ_FIRST(&server->spare);

        if (call) {
                STAILQ_REMOVE_HEAD(&server->spare, cancel_link);
                server->n_spare--;
                return call;
        }
        call = calloc(1, sizeof(*call));
        if (!call)
                return NULL;
        call->arena = arena_new();
        if (call->arena)
                return call;
        free(call);
        return NULL;
}

void grpc_server_free_spare(struct grpc_server *server) {
        while (server->n_spare > 0)
                destroy(call_new(server));
}

static void end_deadline(struct grpc_call *call) {
        if (call->deadline)
                uv_timer_stop(call->deadline);
}

static void call_free(struct grpc_call *call) {
        struct grpc_server *server = call->server;

        if (call->cancel_queued)
                STAILQ_REMOVE(&server->cancelled, call, grpc_call, cancel_link);
        release_request(call);
        end_deadline(call);
        server->n_calls--;
        if (server->closing || server->n_spare == GRPC_SPARE_MAX) {
                destroy(call);
                return grpc_server_maybe_free(server);
        }
        arena_reset(call->arena);
        *call = (struct grpc_call){ .arena = call->arena, .deadline = call->deadline };
        if (call->deadline)
                call->deadline->data = call;
        STAILQ_INSERT_HEAD(&server->spare, call, cancel_link);
        server->n_spare++;
}

static const struct grpc_method *find_method(const struct grpc_server *server, const char *path) {
        for (unsigned i = 0; i < server->n_methods; i++)
                if (strcmp(server->methods[i]->path, path) == 0)
                        return server->methods[i];
        return NULL;
}

/* The status and what goes with it; @code_text has room for the code. Returns how many fields. */
static size_t status_fields(struct grpc_call *call, enum grpc_code code, const char *text, char code_text[8],
                            struct http_field ret_fields[4]) {
        size_t n = 0;

        if (code < 10)
                memcpy(code_text, (char[]){ (char)('0' + code), '\0' }, 2);
        else
                memcpy(code_text, (char[]){ '1', (char)('0' + code % 10), '\0' }, 3);
        ret_fields[n++] = (struct http_field){ "grpc-status", code_text };
        if (text)
                ret_fields[n++] = (struct http_field){ "grpc-message", text };
        if (code == GRPC_UNIMPLEMENTED && call->has_encoding)
                ret_fields[n++] = (struct http_field){ "grpc-accept-encoding", "identity" };
        return n;
}

/* Behind a head that is sent. */
static int send_end(struct grpc_call *call, struct bytes *last, const struct http_field *trailers, size_t n) {
        int r = last ? http_send_bytes(call->x, last) : 0;

        return r < 0 ? r : http_end(call->x, trailers, n);
}

static int send_whole(struct grpc_call *call, struct bytes *body, const struct http_field *fields, size_t n) {
        int r = http_add_trailers(call->x, fields + 1, n);

        return r < 0 ? r : http_respond_whole(call->x, 200, fields, 1, body);
}

/* The end of an answer: what is left to send (@last may be NULL), and the status as trailers or, when nothing was sent
 * at all, as the only head ("Trailers-Only"). A client that cannot be answered is not left to wait for ever. */
static void answer_http(struct grpc_call *call, enum grpc_code code, const char *text, int http_status,
                        struct bytes *last) {
        bool says = text && *text;
        _cleanup_free_ char *encoded = says ? grpc_message_encode(text) : NULL;
        struct http_field fields[5] = { grpc_type };
        char code_text[8];
        size_t n;
        int r;

        if (call->answered || !call->x)
                return;
        call->answered = true;
        n = status_fields(call, code, encoded ?: says ? "out of memory" : NULL, code_text, fields + 1);
        if (!call->owned)
                release_request(call);
        if (call->headers_sent)
                r = send_end(call, last, fields + 1, n);
        else if (last)
                r = send_whole(call, last, fields, n);
        else
                r = http_respond_whole(call->x, http_status, fields, n + 1, NULL);
        if (r == -ENOMEM)
                http_reset(call->x, r);
}

static void answer(struct grpc_call *call, enum grpc_code code, const char *text) {
        answer_http(call, code, text, 200, NULL);
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
        struct grpc_call *call = timer->data;

        cancel(call, GRPC_DEADLINE_EXCEEDED);
        answer(call, GRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
}

static void start_deadline(struct grpc_call *call, uint64_t timeout_ms) {
        if (timeout_ms == 0)
                return;
        if (!call->deadline)
                call->deadline = handle_timer(call->server->loop, call);
        if (!call->deadline)
                return answer(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
        uv_update_time(call->server->loop);
        uv_timer_start(call->deadline, on_deadline, timeout_ms, 0);
}

static void answer_unknown(struct grpc_call *call) {
        const char *target = http_request_of(call->x)->target, *path = target[0] == '/' ? target + 1 : "";
        const char *slash = strrchr(path, '/');
        char text[PATH_MAX_BYTES + 64];

        if (!slash || slash == path)
                snprintf(text, sizeof(text), "malformed method name: \"%.*s\"", PATH_MAX_BYTES, target);
        else
                snprintf(text, sizeof(text), "unknown method %s for service %.*s", slash + 1, (int)(slash - path),
                         path);
        answer(call, GRPC_UNIMPLEMENTED, text);
}

static bool is_grpc(const char *type) {
        return type && strncmp(type, "application/grpc", 16) == 0 && (!type[16] || type[16] == '+' || type[16] == ';');
}

/* Of two nobody knows which one is meant: neither is. */
static void take_trace_parent(struct grpc_call *call, const struct http_fields *fields) {
        const char *value = http_fields_only(fields, "traceparent");

        if (!value || trace_parent_parse(value, strlen(value), &call->trace_parent) < 0)
                call->trace_parent.decision = TRACE_NONE;
}

/* Answers what can be refused by the head. */
static void check_head(struct grpc_call *call) {
        const struct http_request *request = http_request_of(call->x);
        const char *timeout = http_fields_get(&request->fields, "grpc-timeout"),
                   *encoding = http_fields_get(&request->fields, "grpc-encoding");
        uint64_t timeout_ms = 0;

        call->has_encoding = encoding && strcmp(encoding, "identity") != 0;
        take_trace_parent(call, &request->fields);
        if (strcmp(request->method, "POST") != 0)
                return answer_http(call, GRPC_INTERNAL, "the method must be POST", 405, NULL);
        if (!is_grpc(http_fields_get(&request->fields, "content-type")))
                return answer_http(call, GRPC_INVALID_ARGUMENT, "the content type must be application/grpc", 415, NULL);
        if (timeout && grpc_timeout_parse(timeout, strlen(timeout), &timeout_ms) < 0)
                return answer_http(call, GRPC_INTERNAL, "malformed grpc-timeout", 400, NULL);
        call->method = find_method(call->server, request->target);
        if (!call->method)
                return answer_unknown(call);
        if (call->server->n_calls > GRPC_CALLS_MAX)
                return answer(call, GRPC_RESOURCE_EXHAUSTED, "too many calls under way");
        start_deadline(call, timeout_ms);
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
        r = grpc_unpack_into(call->arena, call->method->request, call->reader.data, call->reader.size, &call->request);
        release_request(call);
        if (r == -ENOMEM)
                return answer(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
        if (r == -EBADMSG)
                return answer(call, GRPC_INTERNAL, "the request is no valid message of its type");
        if (r < 0)
                return answer(call, GRPC_RESOURCE_EXHAUSTED, "the request takes too much memory");
        hold(call, arena_size(call->arena));
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

static void on_data(struct http_exchange *x, uint8_t *bytes, size_t size) {
        struct grpc_call *call = http_data(x);
        const uint8_t *data = bytes;
        int r;

        while (!call->answered && !call->owned && size > 0) {
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

static void on_end(struct http_exchange *x, const struct http_fields *trailers) {
        struct grpc_call *call = http_data(x);

        if (call->answered || call->owned)
                return;
        if (grpc_reader_partial(&call->reader))
                return answer(call, GRPC_INTERNAL, "the request ends within a message");
        if (call->n_requests == 0)
                return answer(call, GRPC_INTERNAL, "the request has no message");
        call->owned = true;
        call->method->handle(call, call->request);
}

static void on_drained(struct http_exchange *x) {
        struct grpc_call *call = http_data(x);

        if (!call->refused || !call->owned || call->cancelled)
                return;
        call->refused = false;
        if (call->on_drain)
                call->on_drain(call, call->drain_data);
}

static void on_closed(struct http_exchange *x, int error, const char *why) {
        struct grpc_call *call = http_data(x);

        call->x = NULL;
        end_deadline(call);
        if (!call->owned)
                return call_free(call);
        cancel(call, GRPC_CANCELLED);
}

void grpc_call_begin(struct http_exchange *x, void *data) {
        static const struct http_events events = {
                .data = on_data, .end = on_end, .drained = on_drained, .closed = on_closed
        };
        struct grpc_server *server = data;
        struct grpc_call *call = call_new(server);

        if (!call)
                return http_reset(x, -ENOMEM);
        call->server = server;
        call->x = x;
        call->buffer_max = GRPC_CALL_BUFFER_MAX;
        server->n_calls++;
        http_set_events(x, &events, call);
        check_head(call);
}

void grpc_server_tell_cancelled(struct grpc_server *server) {
        struct grpc_call *call;

        while ((call = STAILQ_FIRST(&server->cancelled))) {
                STAILQ_REMOVE_HEAD(&server->cancelled, cancel_link);
                call->cancel_queued = false;
                call->on_cancel(call, call->cancel_code, call->cancel_data);
        }
}

const struct grpc_method *grpc_call_method(const struct grpc_call *call) {
        return call->method;
}

void *grpc_call_data(const struct grpc_call *call) {
        return call->method->data;
}

struct ucred grpc_call_peer(const struct grpc_call *call) {
        struct ucred peer;
        socklen_t size = sizeof(peer);

        if (!call->x || getsockopt(transport_fd(http_transport(call->x)), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
            peer.pid == 0)
                return (struct ucred){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
        return peer;
}

const struct trace_parent *grpc_call_trace_parent(const struct grpc_call *call) {
        return &call->trace_parent;
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

static int send_head(struct grpc_call *call) {
        if (call->headers_sent)
                return 0;
        call->headers_sent = true;
        return http_respond(call->x, 200, &grpc_type, 1, -1);
}

int grpc_call_send(struct grpc_call *call, const ProtobufCMessage *message) {
        _cleanup_bytes_ struct bytes *bytes = NULL;
        int r;

        if (call->cancelled || !call->x)
                return -ECANCELED;
        if (http_pending(call->x) > call->buffer_max) {
                call->refused = true;
                return -ENOBUFS;
        }
        if ((r = grpc_pack(message, &bytes)) < 0 || (r = send_head(call)) < 0 ||
            (r = http_send_bytes(call->x, bytes)) < 0)
                return r == -EPIPE ? -ECANCELED : r;
        return 0;
}

void grpc_call_open(struct grpc_call *call) {
        if (!call->cancelled && call->x)
                send_head(call);
}

/* The handler is done with the call; the exchange may still need it. */
static void disown(struct grpc_call *call) {
        call->owned = false;
        release_request(call);
        call->request = NULL;
        arena_reset(call->arena);
        if (!call->x)
                call_free(call);
}

static void answer_and_disown(struct grpc_call *call, enum grpc_code code, const char *text, struct bytes *last) {
        call->on_cancel = NULL;
        if (call->cancel_queued) {
                STAILQ_REMOVE(&call->server->cancelled, call, grpc_call, cancel_link);
                call->cancel_queued = false;
        }
        end_deadline(call);
        answer_http(call, code, text, 200, last);
        disown(call);
}

void grpc_call_reply(struct grpc_call *call, const ProtobufCMessage *message) {
        _cleanup_bytes_ struct bytes *bytes = NULL;
        int r = call->answered || !call->x ? 0 : grpc_pack(message, &bytes);

        if (r == -EMSGSIZE)
                return answer_and_disown(call, GRPC_RESOURCE_EXHAUSTED, "the answer is larger than a message may be",
                                         NULL);
        if (r < 0)
                return answer_and_disown(call, GRPC_RESOURCE_EXHAUSTED, "out of memory", NULL);
        answer_and_disown(call, GRPC_OK, NULL, bytes);
}

void grpc_call_finish(struct grpc_call *call) {
        answer_and_disown(call, GRPC_OK, NULL, NULL);
}

void grpc_call_fail(struct grpc_call *call, enum grpc_code code, const char *text) {
        answer_and_disown(call, code, text, NULL);
}

void grpc_call_fail_err(struct grpc_call *call, const struct err *err) {
        answer_and_disown(call, grpc_code_from_errno(err_code(err)), err_text(err), NULL);
}
