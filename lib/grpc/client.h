/* gRPC client: unary and server-streaming calls on the loop, over a Unix or TCP socket, and blocking ones for commands.
 *
 * A connection is made by the first call and kept; calls share it. When it breaks, all its calls end with
 * UNAVAILABLE and the next call connects again: whether to repeat one is the caller's to know.
 */
#pragma once

#include <uv.h>

#include "lib/grpc/grpc.h"

struct err;
struct grpc_client;
struct grpc_client_call;

/* Calls that may be under way on one client; one more fails with -EBUSY. */
#define GRPC_CLIENT_CALLS_MAX 1024

/* Creates a client for @target: "unix:///run/x.sock", "unix:/run/x.sock", a path beginning with "/", or
 * "ADDRESS:PORT" with a numeric address ("[::1]:80" for IPv6). Connects at the first call. Returns 0, -EINVAL for a
 * target of no such form, or -ENOMEM. */
int grpc_client_new(uv_loop_t *loop, const char *target, struct grpc_client **ret_client, struct err **err);

/* Ends the calls that are under way (with CANCELLED) and closes. Memory goes once the loop has closed the handles.
 * NULL is fine. */
void grpc_client_free(struct grpc_client *client);

/* What is asked, copied by the call. */
struct grpc_client_request {
        const char *path; /* "/package.Service/Method" */
        const ProtobufCMessage *message;
        const ProtobufCMessageDescriptor *response; /* the type of the answer's messages */
        uint64_t timeout_ms;                        /* the server is told it and the client keeps it too; 0: none */
};

struct grpc_client_handlers {
        /* A message of the answer, valid during the call. May be NULL for a caller that only wants the status. */
        void (*message)(void *data, const ProtobufCMessage *message);
        /* The end, exactly once; the call object is gone after it. @text is never NULL. */
        void (*done)(void *data, enum grpc_code code, const char *text);
};

/* A call with one answer: a second message ends it with INTERNAL, unseen. Returns 0 with the call, which lives until
 * done() was called (@ret_call may be NULL); or -EBUSY, -EMSGSIZE, -ENOMEM with nothing called. */
int grpc_client_call(struct grpc_client *client, const struct grpc_client_request *request,
                     const struct grpc_client_handlers *handlers, void *data, struct grpc_client_call **ret_call);

/* The same of a call whose answer is any number of messages. */
int grpc_client_watch(struct grpc_client *client, const struct grpc_client_request *request,
                      const struct grpc_client_handlers *handlers, void *data, struct grpc_client_call **ret_call);

/* Resets the call; done() follows from the loop with CANCELLED. */
void grpc_client_cancel(struct grpc_client_call *call);

/* Blocking: runs the client's loop until the answer is there. For commands that have nothing else to do.
 * Returns 0 with the answer in @ret_response (free with grpc_unpacked_free()), or the negative errno of the status
 * with its text in *@err. */
int grpc_client_unary(struct grpc_client *client, const struct grpc_client_request *request,
                      struct grpc_unpacked *ret_response, struct err **err);

/* Blocking, for a stream: each message is given to @message, which returns false to end the stream early (then 0 is
 * returned). */
int grpc_client_stream(struct grpc_client *client, const struct grpc_client_request *request,
                       bool (*message)(void *data, const ProtobufCMessage *message), void *data, struct err **err);
