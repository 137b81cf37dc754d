#include "lib/grpc_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/un.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/h2.h"

/* Bytes of a grpc-message that are kept, still percent-encoded. */
#define ENCODED_TEXT_MAX (3 * GRPC_TEXT_MAX)

/* One connection of a client; its calls point to it. One that its server ends takes no more calls. */
struct link {
        struct h2 h2;
        uv_connect_t connect;
        struct grpc_client *client; /* NULL: it is gone */
        LIST_ENTRY(link) entry;     /* in the client's links */
        LIST_HEAD(, grpc_client_call) calls;
        nghttp2_session_callbacks *callbacks;
        bool connected;
};

struct grpc_client {
        uv_loop_t *loop;
        char *target;
        union {
                struct sockaddr sa;
                struct sockaddr_in in;
                struct sockaddr_in6 in6;
                struct sockaddr_un un;
        } address;
        struct link *link;       /* for new calls; NULL: to be made */
        LIST_HEAD(, link) links; /* it, and those that only end their calls */
        unsigned n_calls;
};

struct call_timer {
        uv_timer_t timer;
        struct grpc_client_call *call;
};

struct grpc_client_call {
        struct grpc_client *client;
        struct link *link;
        LIST_ENTRY(grpc_client_call) entry;
        int32_t stream_id;
        const ProtobufCMessageDescriptor *response;
        struct grpc_client_handlers handlers;
        void *data;
        uint8_t *request;
        size_t n_request, sent;
        struct grpc_reader reader;
        struct call_timer *timer;
        int http_status, grpc_status; /* grpc_status -1: not seen yet */
        enum grpc_code local_code;    /* why this side ended the call, else OK */
        char *text;
};

static void link_forget(struct link *link) {
        if (link->client && link->client->link == link)
                link->client->link = NULL;
}

static bool parse_unix(const char *target, struct sockaddr_un *ret_address) {
        const char *path = strncmp(target, "unix://", 7) == 0 ? target + 7 :
                           strncmp(target, "unix:", 5) == 0   ? target + 5 :
                                                                target;

        if (path[0] != '/' || strlen(path) >= sizeof(ret_address->sun_path))
                return false;
        *ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        strcpy(ret_address->sun_path, path);
        return true;
}

static bool parse_inet(const char *target, struct grpc_client *client) {
        const char *colon = strrchr(target, ':');
        bool bracketed = target[0] == '[';
        char host[INET6_ADDRSTRLEN + 1], *end;
        size_t n;
        long port;

        if (!colon || colon == target)
                return false;
        port = strtol(colon + 1, &end, 10);
        n = (size_t)(colon - target) - (bracketed ? 2 : 0);
        if (*end || port < 1 || port > 65535 || n >= sizeof(host) || (bracketed && colon[-1] != ']'))
                return false;
        memcpy(host, target + bracketed, n);
        host[n] = '\0';
        if (bracketed)
                return uv_ip6_addr(host, (int)port, &client->address.in6) == 0;
        return uv_ip4_addr(host, (int)port, &client->address.in) == 0;
}

int grpc_client_new(uv_loop_t *loop, const char *target, struct grpc_client **ret_client, struct err **err) {
        struct grpc_client *client = calloc(1, sizeof(*client));

        if (!client || !(client->target = strdup(target))) {
                free(client);
                return err_set(err, ENOMEM, "out of memory");
        }
        client->loop = loop;
        LIST_INIT(&client->links);
        if (!parse_unix(target, &client->address.un) && !parse_inet(target, client)) {
                free(client->target);
                free(client);
                return err_set(err, EINVAL, "\"%s\" is no endpoint; use unix:///PATH or ADDRESS:PORT", target);
        }
        *ret_client = client;
        return 0;
}

static void on_timer_closed(uv_handle_t *handle) {
        struct call_timer *timer = handle->data;

        free(timer);
}

static void timer_free(struct grpc_client_call *call) {
        if (call->timer)
                uv_close((uv_handle_t *)&call->timer->timer, on_timer_closed);
        call->timer = NULL;
}

static void call_free(struct grpc_client_call *call) {
        timer_free(call);
        grpc_reader_free(&call->reader);
        free(call->request);
        free(call->text);
        free(call);
}

/* Ends the call: tells the caller, frees it. */
static void call_done(struct grpc_client_call *call, enum grpc_code code, const char *text) {
        LIST_REMOVE(call, entry);
        if (call->client)
                call->client->n_calls--;
        call->handlers.done(call->data, code, text ? text : "");
        call_free(call);
}

static const struct {
        int http;
        enum grpc_code code;
} http_codes[] = {
        { 400, GRPC_INTERNAL },      { 401, GRPC_UNAUTHENTICATED }, { 403, GRPC_PERMISSION_DENIED },
        { 404, GRPC_UNIMPLEMENTED }, { 429, GRPC_UNAVAILABLE },     { 502, GRPC_UNAVAILABLE },
        { 503, GRPC_UNAVAILABLE },   { 504, GRPC_UNAVAILABLE },
};

/* A server that does not speak gRPC: what its HTTP status means (grpc/doc/http-grpc-status-mapping.md). */
static enum grpc_code code_of_http(int status) {
        for (size_t i = 0; i < ELEMENTS(http_codes); i++)
                if (http_codes[i].http == status)
                        return http_codes[i].code;
        return GRPC_UNKNOWN;
}

static enum grpc_code code_of_reset(uint32_t error) {
        return error == NGHTTP2_REFUSED_STREAM ? GRPC_UNAVAILABLE :
               error == NGHTTP2_CANCEL         ? GRPC_CANCELLED :
                                                 GRPC_INTERNAL;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error, void *user_data) {
        struct grpc_client_call *call = nghttp2_session_get_stream_user_data(session, stream_id);
        char text[64];

        if (!call)
                return 0;
        if (call->local_code != GRPC_OK)
                call_done(call, call->local_code, call->text);
        else if (call->grpc_status == GRPC_OK && grpc_reader_partial(&call->reader))
                call_done(call, GRPC_INTERNAL, "the answer ends within a message");
        else if (call->grpc_status >= 0)
                call_done(call, (enum grpc_code)call->grpc_status, call->text);
        else if (error != NGHTTP2_NO_ERROR) {
                snprintf(text, sizeof(text), "the server reset the stream: %s", nghttp2_http2_strerror(error));
                call_done(call, code_of_reset(error), text);
        } else {
                snprintf(text, sizeof(text), "the server answered HTTP status %d without a gRPC status",
                         call->http_status);
                call_done(call, code_of_http(call->http_status), text);
        }
        return 0;
}

/* Ends the call from this side; done() comes when the stream closes. */
static void call_abort(struct grpc_client_call *call, enum grpc_code code, const char *text) {
        if (call->local_code != GRPC_OK)
                return;
        call->local_code = code;
        free(call->text);
        call->text = strdup(text);
        nghttp2_submit_rst_stream(call->link->h2.session, NGHTTP2_FLAG_NONE, call->stream_id, NGHTTP2_CANCEL);
        if (call->link->connected)
                h2_flush(&call->link->h2);
}

static int number(const uint8_t *value, size_t size, int max) {
        int n = 0;

        if (size == 0 || size > 4)
                return -1;
        for (size_t i = 0; i < size; i++) {
                if (value[i] < '0' || value[i] > '9')
                        return -1;
                n = n * 10 + (value[i] - '0');
        }
        return n <= max ? n : -1;
}

static bool is(const uint8_t *name, size_t n, const char *want) {
        return n == strlen(want) && memcmp(name, want, n) == 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t n_name,
                     const uint8_t *value, size_t n_value, uint8_t flags, void *user_data) {
        struct grpc_client_call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

        if (!call || call->local_code != GRPC_OK)
                return 0;
        if (is(name, n_name, ":status"))
                call->http_status = number(value, n_value, 999);
        else if (is(name, n_name, "grpc-status")) {
                call->grpc_status = number(value, n_value, GRPC_UNAUTHENTICATED);
                if (call->grpc_status < 0)
                        call->grpc_status = GRPC_UNKNOWN;
        } else if (is(name, n_name, "grpc-message") && n_value <= ENCODED_TEXT_MAX) {
                free(call->text);
                call->text = grpc_message_decode((const char *)value, n_value);
        }
        return 0;
}

/* One complete message is in the reader. */
static void take_message(struct grpc_client_call *call) {
        struct grpc_unpacked message;
        int r = grpc_unpack(call->response, call->reader.data, call->reader.size, &message);

        grpc_reader_next(&call->reader);
        if (r < 0)
                return call_abort(call, r == -EBADMSG ? GRPC_INTERNAL : GRPC_RESOURCE_EXHAUSTED,
                                  r == -EBADMSG ? "the answer is no valid message of its type" :
                                                  "the answer takes too much memory");
        if (call->handlers.message)
                call->handlers.message(call->data, message.message);
        grpc_unpacked_free(&message);
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data, size_t size,
                         void *user_data) {
        struct grpc_client_call *call = nghttp2_session_get_stream_user_data(session, stream_id);

        while (call && size > 0 && call->local_code == GRPC_OK) {
                int r = grpc_reader_feed(&call->reader, &data, &size, GRPC_MESSAGE_MAX);

                if (r < 0)
                        call_abort(call, r == -EMSGSIZE || r == -ENOMEM ? GRPC_RESOURCE_EXHAUSTED : GRPC_INTERNAL,
                                   r == -EMSGSIZE ? "the answer is larger than a message may be" :
                                                    "the answer's framing is not understood");
                if (r > 0)
                        take_message(call);
        }
        return 0;
}

/* A server that goes away: later calls take a new connection. */
static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user_data) {
        if (frame->hd.type == NGHTTP2_GOAWAY)
                link_forget(user_data);
        return 0;
}

/* Ends a call whose request was not sent. Its stream, where nghttp2 makes one all the same, closes without it. */
static void call_unsent(struct grpc_client_call *call, enum grpc_code code, const char *text) {
        nghttp2_session_set_stream_user_data(call->link->h2.session, call->stream_id, NULL);
        call_done(call, code, text);
}

/* A request that could not be sent any more: its server goes, or this side has ended it. */
static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user_data) {
        struct link *link = user_data;
        struct grpc_client_call *call;

        if (frame->hd.type != NGHTTP2_HEADERS)
                return 0;
        LIST_FOREACH (call, &link->calls, entry)
                if (call->stream_id == frame->hd.stream_id) {
                        if (call->local_code != GRPC_OK)
                                call_unsent(call, call->local_code, call->text);
                        else
                                call_unsent(call, GRPC_UNAVAILABLE, "the server is closing the connection");
                        break;
                }
        return 0;
}

static ssize_t on_read_request(nghttp2_session *session, int32_t stream_id, uint8_t *buf, size_t size, uint32_t *flags,
                               nghttp2_data_source *source, void *user_data) {
        struct grpc_client_call *call = source->ptr;
        size_t n = call->n_request - call->sent < size ? call->n_request - call->sent : size;

        memcpy(buf, call->request + call->sent, n);
        call->sent += n;
        if (call->sent == call->n_request)
                *flags |= NGHTTP2_DATA_FLAG_EOF;
        return (ssize_t)n;
}

static void link_free(struct link *link) {
        nghttp2_session_callbacks_del(link->callbacks);
        free(link);
}

static void on_link_dead(struct h2 *h2) {
        struct link *link = h2->data;
        char text[512] = "the client was closed";
        struct grpc_client_call *call;

        link_forget(link);
        if (link->client)
                snprintf(text, sizeof(text), link->connected ? "connection to %s lost: %s" : "connect to %s: %s",
                         link->client->target, h2->error == 0 ? "closed by the server" : uv_strerror(h2->error));
        while ((call = LIST_FIRST(&link->calls)))
                call_done(call,
                          call->local_code ? call->local_code :
                          link->client     ? GRPC_UNAVAILABLE :
                                             GRPC_CANCELLED,
                          call->local_code ? call->text : text);
        if (link->client) /* a call's end may have freed it */
                LIST_REMOVE(link, entry);
        link->client = NULL;
}

static void on_link_closed(struct h2 *h2, int error) {
        link_free(h2->data);
}

static void on_connected(uv_connect_t *connect, int status) {
        struct link *link = connect->data;
        int r = status;

        if (link->h2.closing)
                return;
        if (r == 0) {
                link->connected = true;
                r = h2_start(&link->h2);
        }
        if (r < 0)
                h2_close(&link->h2, r);
}

static int make_session(struct link *link) {
        const nghttp2_settings_entry settings[] = {
                { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
                { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1u << 20 },
        };

        if (nghttp2_session_callbacks_new(&link->callbacks) < 0)
                return -ENOMEM;
        nghttp2_session_callbacks_set_on_header_callback(link->callbacks, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(link->callbacks, on_frame_recv);
        nghttp2_session_callbacks_set_on_frame_not_send_callback(link->callbacks, on_frame_not_send);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(link->callbacks, on_data_chunk);
        nghttp2_session_callbacks_set_on_stream_close_callback(link->callbacks, on_stream_close);
        if (nghttp2_session_client_new(&link->h2.session, link->callbacks, link) < 0 ||
            nghttp2_submit_settings(link->h2.session, NGHTTP2_FLAG_NONE, settings, ELEMENTS(settings)) < 0)
                return -ENOMEM;
        nghttp2_session_set_local_window_size(link->h2.session, NGHTTP2_FLAG_NONE, 0, 1 << 20);
        return 0;
}

static int link_connect(struct grpc_client *client) {
        bool is_unix = client->address.sa.sa_family == AF_UNIX;
        struct link *link = calloc(1, sizeof(*link));
        int r;

        if (!link)
                return -ENOMEM;
        r = make_session(link);
        if (r == 0)
                r = h2_init(&link->h2, client->loop, is_unix);
        if (r < 0) {
                nghttp2_session_del(link->h2.session);
                link_free(link);
                return r;
        }
        LIST_INIT(&link->calls);
        link->client = client;
        link->h2.data = link;
        link->h2.on_dead = on_link_dead;
        link->h2.on_closed = on_link_closed;
        link->connect.data = link;
        client->link = link;
        LIST_INSERT_HEAD(&client->links, link, entry);
        if (is_unix)
                uv_pipe_connect(&link->connect, &link->h2.uv.pipe, client->address.un.sun_path, on_connected);
        else
                r = uv_tcp_connect(&link->connect, &link->h2.uv.tcp, &client->address.sa, on_connected);
        if (r < 0)
                h2_close(&link->h2, r);
        return r;
}

static void on_timeout(uv_timer_t *timer) {
        struct grpc_client_call *call = ((struct call_timer *)timer->data)->call;
        bool connected = call->link->connected;

        call_abort(call, GRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
        if (!connected) /* which may take the kernel minutes */
                call_unsent(call, call->local_code, call->text);
}

static int start_timer(struct grpc_client_call *call, uint64_t timeout_ms) {
        if (timeout_ms == 0)
                return 0;
        call->timer = calloc(1, sizeof(*call->timer));
        if (!call->timer)
                return -ENOMEM;
        call->timer->call = call;
        call->timer->timer.data = call->timer;
        uv_timer_init(call->client->loop, &call->timer->timer);
        uv_update_time(call->client->loop);
        uv_timer_start(&call->timer->timer, on_timeout, timeout_ms, 0);
        return 0;
}

static nghttp2_nv header(const char *name, const char *value) {
        return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name,
                             .value = (uint8_t *)(uintptr_t)value,
                             .namelen = strlen(name),
                             .valuelen = strlen(value) };
}

static int submit(struct grpc_client_call *call, const char *path, uint64_t timeout_ms) {
        nghttp2_data_provider provider = { .source.ptr = call, .read_callback = on_read_request };
        char timeout[24];
        nghttp2_nv nv[8];
        size_t n = 0;

        nv[n++] = header(":method", "POST");
        nv[n++] = header(":scheme", "http");
        nv[n++] = header(":path", path);
        nv[n++] = header(":authority", "localhost");
        nv[n++] = header("te", "trailers");
        nv[n++] = header("content-type", "application/grpc");
        nv[n++] = header("user-agent", "nacelle/" NACELLE_VERSION);
        if (timeout_ms > 0) {
                /* at most eight digits */
                bool seconds = timeout_ms > 99999999;

                snprintf(timeout, sizeof(timeout), "%llu%c",
                         (unsigned long long)(seconds ? timeout_ms / 1000 % 100000000 : timeout_ms),
                         seconds ? 'S' : 'm');
                nv[n++] = header("grpc-timeout", timeout);
        }
        call->stream_id = nghttp2_submit_request(call->link->h2.session, NULL, nv, n, &provider, call);
        return call->stream_id < 0 ? -ENOMEM : 0;
}

int grpc_client_call(struct grpc_client *client, const char *path, const ProtobufCMessage *request,
                     const ProtobufCMessageDescriptor *response, uint64_t timeout_ms,
                     const struct grpc_client_handlers *handlers, void *data, struct grpc_client_call **ret_call) {
        struct grpc_client_call *call;
        int r;

        if (client->n_calls >= GRPC_CLIENT_CALLS_MAX)
                return -EBUSY;
        if (!client->link && (r = link_connect(client)) < 0)
                return r;
        call = calloc(1, sizeof(*call));
        if (!call)
                return -ENOMEM;
        call->client = client;
        call->link = client->link;
        call->response = response;
        call->handlers = *handlers;
        call->data = data;
        call->grpc_status = -1;
        r = grpc_pack(request, &call->request, &call->n_request);
        if (r == 0)
                r = start_timer(call, timeout_ms);
        if (r == 0)
                r = submit(call, path, timeout_ms);
        if (r < 0) {
                call_free(call);
                return r;
        }
        LIST_INSERT_HEAD(&call->link->calls, call, entry);
        client->n_calls++;
        if (ret_call)
                *ret_call = call;
        if (call->link->connected)
                h2_flush(&call->link->h2);
        return 0;
}

void grpc_client_cancel(struct grpc_client_call *call) {
        call_abort(call, GRPC_CANCELLED, "cancelled");
}

void grpc_client_free(struct grpc_client *client) {
        struct grpc_client_call *call;
        struct link *link;

        if (!client)
                return;
        client->link = NULL;
        while ((link = LIST_FIRST(&client->links))) {
                LIST_REMOVE(link, entry);
                link->client = NULL;
                LIST_FOREACH (call, &link->calls, entry)
                        call->client = NULL;
                h2_close(&link->h2, 0);
        }
        free(client->target);
        free(client);
}

struct blocking {
        const ProtobufCMessageDescriptor *response;
        bool (*message)(void *data, const ProtobufCMessage *message);
        void *data;
        struct grpc_client_call *call;
        bool ended, enough;
        enum grpc_code code;
        char *text;
};

static void on_blocking_message(void *data, const ProtobufCMessage *message) {
        struct blocking *blocking = data;

        if (blocking->enough || blocking->message(blocking->data, message))
                return;
        blocking->enough = true;
        grpc_client_cancel(blocking->call);
}

static void on_blocking_done(void *data, enum grpc_code code, const char *text) {
        struct blocking *blocking = data;

        blocking->ended = true;
        blocking->code = code;
        blocking->text = strdup(text);
}

int grpc_client_stream(struct grpc_client *client, const char *path, const ProtobufCMessage *request,
                       const ProtobufCMessageDescriptor *response, uint64_t timeout_ms,
                       bool (*message)(void *data, const ProtobufCMessage *message), void *data, struct err **err) {
        const struct grpc_client_handlers handlers = { .message = on_blocking_message, .done = on_blocking_done };
        struct blocking blocking = { .response = response, .message = message, .data = data };
        int r;

        r = grpc_client_call(client, path, request, response, timeout_ms, &handlers, &blocking, &blocking.call);
        if (r < 0)
                return err_errno(err, -r, "%s", path);
        while (!blocking.ended && uv_run(client->loop, UV_RUN_ONCE))
                ;
        r = 0;
        if (blocking.code != GRPC_OK && !blocking.enough)
                r = err_set(err, grpc_code_to_errno(blocking.code), "%s: %s", grpc_code_name(blocking.code),
                            blocking.text ? blocking.text : "");
        free(blocking.text);
        return r;
}

struct unary {
        struct grpc_unpacked response;
        bool has;
        int error;
};

/* Keeps a copy: the message lives only during the callback. */
static bool on_unary_message(void *data, const ProtobufCMessage *message) {
        struct unary *unary = data;
        _cleanup_free_ uint8_t *packed = NULL;
        size_t n;

        unary->error = unary->has ? -EPROTO : grpc_pack(message, &packed, &n);
        if (unary->error == 0)
                unary->error = grpc_unpack(message->descriptor, packed + GRPC_PREFIX_SIZE, n - GRPC_PREFIX_SIZE,
                                           &unary->response);
        unary->has = unary->error == 0;
        return unary->has;
}

int grpc_client_unary(struct grpc_client *client, const char *path, const ProtobufCMessage *request,
                      const ProtobufCMessageDescriptor *response, uint64_t timeout_ms,
                      struct grpc_unpacked *ret_response, struct err **err) {
        struct unary unary = {};
        int r;

        r = grpc_client_stream(client, path, request, response, timeout_ms, on_unary_message, &unary, err);
        if (r == 0 && unary.error < 0)
                r = err_errno(err, -unary.error, "%s: answer", path);
        if (r == 0 && !unary.has)
                r = err_set(err, EPROTO, "%s: no answer", path);
        if (r < 0) {
                grpc_unpacked_free(&unary.response);
                return r;
        }
        *ret_response = unary.response;
        return 0;
}
