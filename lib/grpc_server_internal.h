/* What the gRPC server's two files share: grpc_server.c has sockets and connections, grpc_call.c a call's life. */
#pragma once

#include <sys/queue.h>

#include "lib/grpc_server.h"
#include "lib/h2.h"

struct connection {
        struct h2 h2;
        struct grpc_server *server;
        struct ucred peer;
        uint64_t active; /* its last call's begin, or its own, in uv_now() */
        LIST_ENTRY(connection) link;
        LIST_HEAD(, grpc_call) calls;
};

/* A packed message on its way out. */
struct grpc_chunk {
        struct grpc_chunk *next;
        uint8_t *data;
        size_t size, sent;
};

/* The deadline's timer: outlives its call until libuv has closed it. */
struct grpc_deadline {
        uv_timer_t timer;
        struct grpc_call *call;
        uint64_t at;
};

struct grpc_call {
        struct grpc_server *server;
        struct connection *connection;       /* NULL when the stream is gone */
        LIST_ENTRY(grpc_call) link;          /* in the connection's calls */
        STAILQ_ENTRY(grpc_call) cancel_link; /* in the server's cancelled */
        int32_t stream_id;
        const struct grpc_method *method;
        struct ucred peer;

        /* The request, as it comes in. */
        char *path;
        size_t header_bytes, held;
        bool is_post, is_grpc, timeout_bad, has_encoding, no_memory;
        uint64_t timeout_ms;
        struct grpc_reader reader;
        struct grpc_unpacked request;
        unsigned n_requests, n_trace_parents;
        struct trace_parent trace_parent;
        bool remote_ended;

        /* The answer, as it goes out. */
        struct grpc_chunk *out, **out_last;
        size_t out_bytes, buffer_max;
        bool headers_sent, deferred, answered;
        enum grpc_code code;
        char *text; /* percent-encoded */

        /* The handler's side. */
        bool owned; /* a handler has it and has not answered yet */
        bool cancelled, cancel_queued, refused;
        enum grpc_code cancel_code;
        struct grpc_deadline *deadline;
        void (*on_cancel)(struct grpc_call *call, enum grpc_code code, void *data);
        void (*on_drain)(struct grpc_call *call, void *data);
        void *cancel_data, *drain_data;
};

struct grpc_server {
        uv_loop_t *loop;
        uv_idle_t later; /* runs while calls wait to be told of their cancellation */
        const struct grpc_method *methods[GRPC_METHODS_MAX];
        unsigned n_methods, n_connections, n_calls;
        unsigned n_handles; /* listeners and the idle handle that libuv has not closed yet */
        size_t request_bytes;
        bool closing;
        void (*on_gone)(void *data);
        void *gone_data;
        LIST_HEAD(, connection) connections;
        LIST_HEAD(, listener) listeners;
        STAILQ_HEAD(cancelled, grpc_call) cancelled;
        nghttp2_session_callbacks *callbacks;
        nghttp2_option *options;
};

/* A call for a new stream, or NULL without memory. */
struct grpc_call *grpc_call_new(struct connection *connection, int32_t stream_id);

/* One request header. */
void grpc_call_header(struct grpc_call *call, const char *name, size_t n_name, const char *value, size_t n_value);

/* The request's headers are complete: answers what can be refused by them. */
void grpc_call_begin(struct grpc_call *call);

/* Bytes of the request. */
void grpc_call_data_in(struct grpc_call *call, const uint8_t *data, size_t size);

/* The request has ended: hands it to its handler. */
void grpc_call_end_in(struct grpc_call *call);

/* The stream is gone, by reset, answer or disconnection. The call may be freed. */
void grpc_call_stream_gone(struct grpc_call *call);

/* nghttp2's data source for the answer. */
ssize_t grpc_call_read_out(nghttp2_session *session, int32_t stream_id, uint8_t *buf, size_t size, uint32_t *flags,
                           nghttp2_data_source *source, void *user_data);

/* Has grpc_server_tell_cancelled() called from the loop. */
void grpc_server_wake(struct grpc_server *server);

/* Tells the calls in server->cancelled, and those that may send again. */
void grpc_server_tell_cancelled(struct grpc_server *server);

/* Frees the server when nothing of it is left. */
void grpc_server_maybe_free(struct grpc_server *server);
