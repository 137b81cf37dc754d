#include "lib/grpc/client.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/handle.h"
#include "lib/http/client.h"
#include "lib/transport/address.h"

/* Bytes of a grpc-message that are kept, still percent-encoded. */
#define ENCODED_TEXT_MAX (3 * GRPC_TEXT_MAX)

struct grpc_client {
        uv_loop_t *loop;
        char *target;
        struct http_client *http;
        LIST_HEAD(, grpc_client_call) calls;
        unsigned n_calls;
};

struct grpc_client_call {
        struct grpc_client *client; /* NULL: it is gone */
        struct http_exchange *x;
        LIST_ENTRY(grpc_client_call) entry;
        const ProtobufCMessageDescriptor *response;
        struct grpc_client_handlers handlers;
        void *data;
        struct grpc_reader reader;
        uv_timer_t *timer;
        int http_status, grpc_status; /* -1: not seen yet */
        enum grpc_code local_code;    /* why this side ended the call, else OK */
        bool reading;                 /* inside on_data(): it must not go */
        bool streams, answered;       /* any number of messages may come; one has */
        char *text;
};

int grpc_client_new(uv_loop_t *loop, const char *target, struct grpc_client **ret_client, struct err **err) {
        struct http_client_config config = { .authority = "localhost", .version = HTTP_VERSION_2, .idle_ms = UINT_MAX };
        struct grpc_client *client;
        struct sockaddr_storage address;
        int r;

        if (address_parse(target, &address, &config.n_address, NULL) < 0 ||
            (address.ss_family != AF_UNIX && address_port(&address) == 0))
                return err_set(err, EINVAL, "\"%s\" is no endpoint; use unix:///PATH or ADDRESS:PORT", target);
        if (address.ss_family != AF_UNIX) /* as grpc-go has it: proxies go by it */
                config.authority = target;
        config.address = (const struct sockaddr *)&address;
        client = calloc(1, sizeof(*client));
        if (!client)
                return err_set(err, ENOMEM, "out of memory");
        client->loop = loop;
        client->target = strdup(target);
        LIST_INIT(&client->calls);
        r = client->target ? http_client_new(loop, &config, &client->http) : -ENOMEM;
        if (r < 0) {
                free(client->target);
                free(client);
                return err_set(err, -r, "out of memory");
        }
        *ret_client = client;
        return 0;
}

static void call_free(struct grpc_client_call *call) {
        handle_free(call->timer);
        grpc_reader_free(&call->reader);
        free(call->text);
        free(call);
}

/* Ends the call: tells the caller, frees it. */
static void call_done(struct grpc_client_call *call, enum grpc_code code, const char *text) {
        if (call->client) {
                LIST_REMOVE(call, entry);
                call->client->n_calls--;
        }
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

/* Ends the call from this side; done() comes when the exchange has ended. */
static void call_abort(struct grpc_client_call *call, enum grpc_code code, const char *text) {
        if (call->local_code != GRPC_OK)
                return;
        call->local_code = code;
        free(call->text);
        call->text = strdup(text);
        http_reset(call->x, -ECANCELED);
}

/* The status may be in the trailers, or in a head that is all of the answer. */
static void take_status(struct grpc_client_call *call, const struct http_fields *fields) {
        const char *status = http_fields_get(fields, "grpc-status"), *message = http_fields_get(fields, "grpc-message");
        int64_t code = status ? http_length(status) : -1;

        if (status)
                call->grpc_status = code >= 0 && code <= GRPC_UNAUTHENTICATED ? (int)code : GRPC_UNKNOWN;
        if (message && strlen(message) <= ENCODED_TEXT_MAX) {
                free(call->text);
                call->text = grpc_message_decode(message, strlen(message));
        }
}

static void on_head(struct http_exchange *x, const struct http_response *response) {
        struct grpc_client_call *call = http_data(x);

        call->http_status = response->status;
        take_status(call, &response->fields);
}

/* One complete message is in the reader. */
static void take_message(struct grpc_client_call *call) {
        struct grpc_unpacked message;
        int r;

        if (call->answered && !call->streams)
                return call_abort(call, GRPC_INTERNAL, "there is more than one message in the answer");
        call->answered = true;
        r = grpc_unpack(call->response, call->reader.data, call->reader.size, &message);
        grpc_reader_next(&call->reader);
        if (r < 0)
                return call_abort(call, r == -EBADMSG ? GRPC_INTERNAL : GRPC_RESOURCE_EXHAUSTED,
                                  r == -EBADMSG ? "the answer is no valid message of its type" :
                                                  "the answer takes too much memory");
        if (call->handlers.message)
                call->handlers.message(call->data, message.message);
        grpc_unpacked_free(&message);
}

static void on_data(struct http_exchange *x, uint8_t *bytes, size_t size) {
        struct grpc_client_call *call = http_data(x);
        const uint8_t *data = bytes;

        call->reading = true;
        while (size > 0 && call->local_code == GRPC_OK) {
                int r = grpc_reader_feed(&call->reader, &data, &size, GRPC_MESSAGE_MAX);

                if (r < 0)
                        call_abort(call, r == -EMSGSIZE || r == -ENOMEM ? GRPC_RESOURCE_EXHAUSTED : GRPC_INTERNAL,
                                   r == -EMSGSIZE ? "the answer is larger than a message may be" :
                                                    "the answer's framing is not understood");
                if (r > 0)
                        take_message(call);
        }
        call->reading = false;
}

static void on_end(struct http_exchange *x, const struct http_fields *trailers) {
        struct grpc_client_call *call = http_data(x);

        if (call->local_code == GRPC_OK)
                take_status(call, trailers);
}

/* An exchange that failed by what happened to its stream or connection. */
static void done_without_status(struct grpc_client_call *call, int error, const char *why) {
        const char *what = why ?: error == -ECONNRESET ? "closed by the server" : uv_strerror(error);
        enum grpc_code code = error == -ECANCELED ? GRPC_CANCELLED :
                              error == -EPROTO    ? GRPC_INTERNAL :
                                                    GRPC_UNAVAILABLE;
        const char *target = call->client ? call->client->target : "";
        char text[512];

        if (!call->client)
                return call_done(call, GRPC_CANCELLED, "the client was closed");
        if (error == -EAGAIN)
                snprintf(text, sizeof(text), "%s: %s", target, what);
        else if (error == -ECANCELED || error == -EPROTO)
                snprintf(text, sizeof(text), "the server reset the stream: %s", what);
        else
                snprintf(text, sizeof(text),
                         http_client_sent(call->x) ? "connection to %s lost: %s" : "connect to %s: %s", target, what);
        call_done(call, code, text);
}

static void on_closed(struct http_exchange *x, int error, const char *why) {
        struct grpc_client_call *call = http_data(x);
        char text[64];

        if (call->local_code != GRPC_OK)
                return call_done(call, call->local_code, call->text);
        if (call->grpc_status == GRPC_OK && grpc_reader_partial(&call->reader))
                return call_done(call, GRPC_INTERNAL, "the answer ends within a message");
        if (call->grpc_status >= 0)
                return call_done(call, (enum grpc_code)call->grpc_status, call->text);
        if (error < 0)
                return done_without_status(call, error, why);
        snprintf(text, sizeof(text), "the server answered HTTP status %d without a gRPC status", call->http_status);
        call_done(call, code_of_http(call->http_status), text);
}

static const struct http_events events = { .head = on_head, .data = on_data, .end = on_end, .closed = on_closed };

static void on_timeout(uv_timer_t *timer) {
        call_abort(timer->data, GRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
}

static int start_timer(struct grpc_client_call *call, uint64_t timeout_ms) {
        if (timeout_ms == 0)
                return 0;
        call->timer = handle_timer(call->client->loop, call);
        if (!call->timer)
                return -ENOMEM;
        uv_update_time(call->client->loop);
        return uv_timer_start(call->timer, on_timeout, timeout_ms, 0);
}

/* grpc-timeout has at most eight digits. */
static void format_timeout(uint64_t timeout_ms, char ret_text[24]) {
        bool seconds = timeout_ms > 99999999;

        snprintf(ret_text, 24, "%llu%c", (unsigned long long)(seconds ? timeout_ms / 1000 % 100000000 : timeout_ms),
                 seconds ? 'S' : 'm');
}

static int submit(struct grpc_client_call *call, const struct grpc_client_request *asked) {
        _cleanup_bytes_ struct bytes *packed = NULL;
        char timeout[24];
        struct http_field fields[4] = { { "te", "trailers" },
                                        { "content-type", "application/grpc" },
                                        { "user-agent", "nacelle/" NACELLE_VERSION },
                                        { "grpc-timeout", timeout } };
        struct http_client_request request = { .method = "POST",
                                               .target = asked->path,
                                               .fields = fields,
                                               .n_fields = asked->timeout_ms > 0 ? 4 : 3,
                                               .length = -1,
                                               .flags = HTTP_REQUEST_BODY };
        int r = grpc_pack(asked->message, &packed);

        if (r < 0)
                return r;
        format_timeout(asked->timeout_ms, timeout);
        r = http_client_request(call->client->http, &request, &events, call, &call->x);
        if (r < 0)
                return r;
        r = http_send_bytes(call->x, packed);
        if (r == 0)
                r = http_end(call->x, NULL, 0);
        if (r == -EPIPE) /* it has failed already: closed() is to come */
                return 0;
        if (r < 0) {
                http_set_events(call->x, NULL, NULL);
                http_reset(call->x, r);
        }
        return r;
}

static int start(struct grpc_client *client, const struct grpc_client_request *request, bool streams,
                 const struct grpc_client_handlers *handlers, void *data, struct grpc_client_call **ret_call) {
        struct grpc_client_call *call;
        int r;

        if (client->n_calls >= GRPC_CLIENT_CALLS_MAX)
                return -EBUSY;
        call = calloc(1, sizeof(*call));
        if (!call)
                return -ENOMEM;
        *call = (struct grpc_client_call){ .client = client,
                                           .response = request->response,
                                           .streams = streams,
                                           .handlers = *handlers,
                                           .data = data,
                                           .http_status = -1,
                                           .grpc_status = -1 };
        if ((r = start_timer(call, request->timeout_ms)) < 0 || (r = submit(call, request)) < 0) {
                call_free(call);
                return r;
        }
        LIST_INSERT_HEAD(&client->calls, call, entry);
        client->n_calls++;
        if (ret_call)
                *ret_call = call;
        return 0;
}

int grpc_client_call(struct grpc_client *client, const struct grpc_client_request *request,
                     const struct grpc_client_handlers *handlers, void *data, struct grpc_client_call **ret_call) {
        return start(client, request, false, handlers, data, ret_call);
}

int grpc_client_watch(struct grpc_client *client, const struct grpc_client_request *request,
                      const struct grpc_client_handlers *handlers, void *data, struct grpc_client_call **ret_call) {
        return start(client, request, true, handlers, data, ret_call);
}

void grpc_client_cancel(struct grpc_client_call *call) {
        call_abort(call, GRPC_CANCELLED, "cancelled");
}

void grpc_client_free(struct grpc_client *client) {
        struct grpc_client_call *call;

        if (!client)
                return;
        while ((call = LIST_FIRST(&client->calls))) {
                if (!call->reading) {
                        http_set_events(call->x, NULL, NULL);
                        call_done(call, GRPC_CANCELLED, "the client was closed");
                        continue;
                }
                LIST_REMOVE(call, entry);
                call->client = NULL;
        }
        http_client_free(client->http);
        free(client->target);
        free(client);
}

struct blocking {
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

int grpc_client_stream(struct grpc_client *client, const struct grpc_client_request *request,
                       bool (*message)(void *data, const ProtobufCMessage *message), void *data, struct err **err) {
        const struct grpc_client_handlers handlers = { .message = on_blocking_message, .done = on_blocking_done };
        struct blocking blocking = { .message = message, .data = data };
        int r = grpc_client_watch(client, request, &handlers, &blocking, &blocking.call);

        if (r < 0)
                return err_errno(err, -r, "%s", request->path);
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
        _cleanup_bytes_ struct bytes *packed = NULL;

        unary->error = unary->has ? -EPROTO : grpc_pack(message, &packed);
        if (unary->error == 0)
                unary->error = grpc_unpack(message->descriptor, packed->data + GRPC_PREFIX_SIZE,
                                           packed->size - GRPC_PREFIX_SIZE, &unary->response);
        unary->has = unary->error == 0;
        return unary->has;
}

int grpc_client_unary(struct grpc_client *client, const struct grpc_client_request *request,
                      struct grpc_unpacked *ret_response, struct err **err) {
        struct unary unary = {};
        int r = grpc_client_stream(client, request, on_unary_message, &unary, err);

        if (r < 0 || (unary.error < 0 && (r = err_errno(err, -unary.error, "%s: answer", request->path)) < 0) ||
            (!unary.has && (r = err_set(err, EPROTO, "%s: no answer", request->path)) < 0)) {
                grpc_unpacked_free(&unary.response);
                return r;
        }
        *ret_response = unary.response;
        return 0;
}
