/* What the gRPC server's files share: server.c has the sockets, call.c a call's life. */
#pragma once

#include <sys/queue.h>

#include "lib/grpc/server.h"
#include "lib/http/server.h"

/* Calls that are over and wait for the next one, with their arenas and timers. */
#define GRPC_SPARE_MAX 64

struct grpc_call {
        struct grpc_server *server;
        struct http_exchange *x;             /* NULL when it is over: nobody waits for the answer */
        STAILQ_ENTRY(grpc_call) cancel_link; /* in the server's cancelled; once it is over, in its spare ones */
        const struct grpc_method *method;
        struct arena *arena;  /* of the unpacked request */
        uv_timer_t *deadline; /* NULL when none of its calls had one yet */

        /* The request, as it comes in. */
        size_t held;
        bool has_encoding;
        struct grpc_reader reader;
        ProtobufCMessage *request; /* in the arena */
        unsigned n_requests;
        struct trace_parent trace_parent;

        /* The answer, as it goes out. */
        size_t buffer_max;
        bool headers_sent, answered;

        /* The handler's side. */
        bool owned; /* a handler has it and has not answered yet */
        bool cancelled, cancel_queued, refused;
        enum grpc_code cancel_code;
        void (*on_cancel)(struct grpc_call *call, enum grpc_code code, void *data);
        void (*on_drain)(struct grpc_call *call, void *data);
        void *cancel_data, *drain_data;
};

struct grpc_server {
        uv_loop_t *loop;
        uv_idle_t later; /* runs while calls wait to be told of their cancellation */
        struct http_server *http;
        const struct grpc_method *methods[GRPC_METHODS_MAX];
        unsigned n_methods, n_calls;
        size_t request_bytes;
        bool closing, http_gone, later_gone;
        void (*on_gone)(void *data);
        void *gone_data;
        STAILQ_HEAD(cancelled, grpc_call) cancelled;
        STAILQ_HEAD(, grpc_call) spare;
        unsigned n_spare;
};

/* A request's head has come: http_route.handle, with the server as its data. */
void grpc_call_begin(struct http_exchange *x, void *data);

/* Frees the calls that wait for the next one. */
void grpc_server_free_spare(struct grpc_server *server);

/* Has grpc_server_tell_cancelled() called from the loop. */
void grpc_server_wake(struct grpc_server *server);

/* Tells the calls in server->cancelled. */
void grpc_server_tell_cancelled(struct grpc_server *server);

/* Frees the server when nothing of it is left. */
void grpc_server_maybe_free(struct grpc_server *server);
