/* gRPC server: unary and server-streaming methods with protobuf-c messages, on the loop, over Unix or TCP sockets.
 *
 * A service is a table of methods. A handler gets a call and answers it whenever it likes, on the loop:
 * exactly once, with grpc_call_reply(), grpc_call_finish() or grpc_call_fail(), after which the call is gone.
 * This also holds for calls whose client went away (it is told by on_cancel): the call object belongs to the
 * handler until it answers, and an answer that nobody waits for is dropped.
 *
 * Peers are not trusted: connections, streams, header bytes, message sizes, bytes buffered for slow readers and
 * the unpacked size are bounded, each with the gRPC code that the specification names.
 */
#pragma once

#include <sys/socket.h>
#include <uv.h>

#include "lib/grpc/grpc.h"
#include "lib/trace/span.h"

/* One connection more, and the one that has been without a call for the longest time is closed; when all have calls,
 * the new one. Streams beyond theirs are refused (REFUSED_STREAM: clients wait). */
#define GRPC_CONNECTIONS_MAX 400
#define GRPC_STREAMS_MAX 256

/* Calls of all connections, those counted whose client has gone before the answer (RESOURCE_EXHAUSTED). */
#define GRPC_CALLS_MAX 8192

/* Bytes of one call's headers. */
#define GRPC_HEADERS_MAX (16u << 10)

/* Request bytes that all calls of a server together may hold while they come in. */
#define GRPC_SERVER_REQUEST_BYTES_MAX (128u << 20)

/* Bytes of a streamed answer that wait for a slow reader; grpc_call_send() refuses more. One message may pass it. */
#define GRPC_CALL_BUFFER_MAX (4u << 20)

/* Names in the table of methods that a server can hold. */
#define GRPC_METHODS_MAX 256

struct err;
struct grpc_server;
struct grpc_call;

struct grpc_method {
        const char *path; /* "/runtime.v1.RuntimeService/Version"; lives as long as the server */
        const ProtobufCMessageDescriptor *request, *response;
        /* On the loop. @request is the call's and lives until the call is answered. */
        void (*handle)(struct grpc_call *call, const ProtobufCMessage *request);
        void *data; /* for grpc_call_data() */
};

/* Creates a server without sockets. Returns 0 or -ENOMEM. */
int grpc_server_new(uv_loop_t *loop, struct grpc_server **ret_server);

/* Adds @n methods; the rows must live as long as the server. Returns 0, -EEXIST for a path there already, or
 * -ENOSPC past GRPC_METHODS_MAX. */
int grpc_server_add(struct grpc_server *server, const struct grpc_method *methods, size_t n, struct err **err);

/* Serves connections on @fd, a listening Unix or TCP socket, which is taken over also on failure. A server may
 * listen on several. */
int grpc_server_listen(struct grpc_server *server, int fd, struct err **err);

/* Stops listening, tells clients to go (GOAWAY), cancels all calls, closes the connections. The server's memory goes
 * when the last call was answered and its handles closed: run the loop until then. NULL is fine. */
void grpc_server_free(struct grpc_server *server);

/* Has @on_gone called when grpc_server_free() has run to its end: the methods' rows may be freed in it. */
void grpc_server_on_gone(struct grpc_server *server, void (*on_gone)(void *data), void *data);

/* Connections and calls at this moment, for metrics and tests. */
unsigned grpc_server_connections(const struct grpc_server *server);
unsigned grpc_server_calls(const struct grpc_server *server);

/* The row that the call is for, and its data. */
const struct grpc_method *grpc_call_method(const struct grpc_call *call);
void *grpc_call_data(const struct grpc_call *call);

/* Who calls: pid, uid and gid by SO_PEERCRED when the connection was made; pid 0 and uid and gid -1 over TCP, and once
 * the client has gone. */
struct ucred grpc_call_peer(const struct grpc_call *call);

/* The span that the client says its call is a part of (the traceparent header); none when it says nothing valid. */
const struct trace_parent *grpc_call_trace_parent(const struct grpc_call *call);

/* Has @on_cancel called, once, when nobody waits for the answer any more: @code is CANCELLED (reset, disconnected)
 * or DEADLINE_EXCEEDED. Called from the loop, never from within this function or grpc_call_send(). The handler still
 * has to answer the call. */
void grpc_call_on_cancel(struct grpc_call *call,
                         void (*on_cancel)(struct grpc_call *call, enum grpc_code code, void *data), void *data);

/* Streams one message of the method's response type; copied before it returns. Returns 0, -ENOBUFS while more than
 * GRPC_CALL_BUFFER_MAX bytes wait for the reader (nothing was sent: wait for on_drain), -ECANCELED when cancelled,
 * -EMSGSIZE past GRPC_MESSAGE_MAX, or -ENOMEM. */
int grpc_call_send(struct grpc_call *call, const ProtobufCMessage *message);

/* Lets @bytes in place of GRPC_CALL_BUFFER_MAX wait for this call's reader: for a handler that sends a list of known
 * size in one go. */
void grpc_call_set_buffer(struct grpc_call *call, size_t bytes);

/* Whether a grpc_call_send() was refused since the buffer was last empty. */
bool grpc_call_refused(const struct grpc_call *call);

/* Has @on_drain called each time the buffer has become empty after a refused grpc_call_send(). */
void grpc_call_on_drain(struct grpc_call *call, void (*on_drain)(struct grpc_call *call, void *data), void *data);

/* Sends the headers of a streamed answer before its first message, so that the client sees the stream open. */
void grpc_call_open(struct grpc_call *call);

/* Answers with @message (unary), or ends a stream (status OK). The call is gone after it. */
void grpc_call_reply(struct grpc_call *call, const ProtobufCMessage *message);
void grpc_call_finish(struct grpc_call *call);

/* Answers with a status; @text may be NULL. The call is gone after it. */
void grpc_call_fail(struct grpc_call *call, enum grpc_code code, const char *text);

/* Answers with the code and text of @err, which stays the caller's. */
void grpc_call_fail_err(struct grpc_call *call, const struct err *err);
