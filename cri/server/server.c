#include "cri/server/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cri/cri.h"
#include "cri/state/events.h"
#include "cri/server/images.h"
#include "cri/server/node.h"
#include "cri/call/trace.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grpc/server.h"
#include "lib/listen.h"

/* Bytes of one streamed list (StreamContainers and its like) that may wait for the client: cri gives it in one go. */
#define LIST_BUFFER_MAX (64u << 20)

/* What a row of the gRPC table leads to. */
struct binding {
        struct cri_server *server;
        enum cri_method method;
};

struct cri_server {
        struct cri *cri;
        struct grpc_server *grpc;
        char *path; /* of the socket; NULL before it is bound */
        struct binding bindings[CRI_METHODS];
        struct grpc_method methods[CRI_METHODS];
        struct server_images *images;
        struct server_node *node;
};

static void on_unary_done(void *data, const ProtobufCMessage *response, const struct err *err) {
        struct grpc_call *call = data;

        if (err)
                grpc_call_fail_err(call, err);
        else
                grpc_call_reply(call, response);
}

static void on_unary_cancel(struct grpc_call *call, enum grpc_code code, void *data) {
        struct binding *binding = grpc_call_data(call);

        cri_cancel(binding->server->cri, call);
}

static void handle_unary(struct grpc_call *call, const ProtobufCMessage *request) {
        struct binding *binding = grpc_call_data(call);

        grpc_call_on_cancel(call, on_unary_cancel, NULL);
        cri_call_traced(binding->server->cri, binding->method, request,
                        &(struct cri_caller){ SPAN_SERVER, grpc_call_trace_parent(call) }, on_unary_done, call);
}

static void on_list_done(void *data, const ProtobufCMessage *response, const struct err *err) {
        struct grpc_call *call = data;

        if (err)
                grpc_call_fail_err(call, err);
        else if (response)
                grpc_call_send(call, response);
        else if (grpc_call_refused(call))
                grpc_call_fail(call, GRPC_RESOURCE_EXHAUSTED, "the list is too long for a client that reads so slowly");
        else
                grpc_call_finish(call);
}

static void handle_list(struct grpc_call *call, const ProtobufCMessage *request) {
        struct binding *binding = grpc_call_data(call);

        grpc_call_set_buffer(call, LIST_BUFFER_MAX);
        cri_call_traced(binding->server->cri, binding->method, request,
                        &(struct cri_caller){ SPAN_SERVER, grpc_call_trace_parent(call) }, on_list_done, call);
}

/* One GetContainerEvents stream; it ends only by its client. */
struct events {
        struct grpc_call *call;
        struct cri_event_queue *queue;
        struct span *span; /* until the client goes */
};

static void events_send(struct events *events) {
        const Cri__ContainerEventResponse *event;

        while ((event = cri_event_queue_peek(events->queue))) {
                if (grpc_call_send(events->call, &event->base) == -ENOBUFS)
                        return;
                cri_event_queue_next(events->queue);
        }
}

static void on_event(void *data) {
        events_send(data);
}

static void on_events_drain(struct grpc_call *call, void *data) {
        events_send(data);
}

static void on_events_cancel(struct grpc_call *call, enum grpc_code code, void *data) {
        struct events *events = data;
        _cleanup_err_ struct err *gone = NULL;

        if (events->span) {
                err_set(&gone, grpc_code_to_errno(code), "the client has gone");
                trace_end(events->span, CRI_GET_CONTAINER_EVENTS, NULL, gone);
        }
        cri_event_queue_free(events->queue);
        free(events);
        grpc_call_finish(call);
}

static void handle_events(struct grpc_call *call, const ProtobufCMessage *request) {
        struct binding *binding = grpc_call_data(call);
        struct events *events = calloc(1, sizeof(*events));
        int r;

        if (!events)
                return grpc_call_fail(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
        events->call = call;
        r = cri_event_queue_new(binding->server->cri, on_event, events, &events->queue);
        if (r < 0) {
                free(events);
                return grpc_call_fail(call, GRPC_RESOURCE_EXHAUSTED, "too many readers of events");
        }
        events->span = trace_begin(binding->server->cri, binding->method, SPAN_SERVER, grpc_call_trace_parent(call));
        grpc_call_on_cancel(call, on_events_cancel, events);
        grpc_call_on_drain(call, on_events_drain, events);
        grpc_call_open(call);
}

static void bind_methods(struct cri_server *server) {
        for (unsigned i = 0; i < CRI_METHODS; i++) {
                const struct cri_method_row *row = &cri_methods[i];

                server->bindings[i] = (struct binding){ .server = server, .method = (enum cri_method)i };
                server->methods[i] = (struct grpc_method){
                        .path = row->path,
                        .request = row->request,
                        .response = row->response,
                        .handle = i == CRI_GET_CONTAINER_EVENTS ? handle_events :
                                  row->flags & CRI_STREAM       ? handle_list :
                                                                  handle_unary,
                        .data = &server->bindings[i],
                };
        }
}

static int serve(struct cri_server *server, const char *path, struct err **err) {
        int fd, r;

        if ((r = grpc_server_add(server->grpc, server->methods, CRI_METHODS, err)) < 0 ||
            (r = server_images_new(server->grpc, server->cri, &server->images, err)) < 0 ||
            (r = server_node_new(server->grpc, server->cri, &server->node, err)) < 0 ||
            (r = listen_unix(path, CRI_SERVER_SOCKET_MODE, &fd, err)) < 0)
                return r;
        server->path = strdup(path);
        if (!server->path) {
                close(fd);
                unlink(path);
                return err_set(err, ENOMEM, "out of memory");
        }
        return grpc_server_listen(server->grpc, fd, err);
}

int cri_server_new(uv_loop_t *loop, struct cri *cri, const char *endpoint, struct cri_server **ret_server,
                   struct err **err) {
        const char *path = listen_unix_path(endpoint);
        struct cri_server *server;
        int r;

        if (!path)
                return err_set(err, EINVAL, "endpoint \"%s\": only unix:///PATH can be served", endpoint);
        server = calloc(1, sizeof(*server));
        if (!server)
                return err_set(err, ENOMEM, "out of memory");
        server->cri = cri;
        bind_methods(server);
        if ((r = grpc_server_new(loop, &server->grpc)) < 0 || (r = serve(server, path, err)) < 0) {
                cri_server_free(server);
                return r;
        }
        *ret_server = server;
        return 0;
}

static void on_grpc_gone(void *data) {
        struct cri_server *server = data;

        server_images_free(server->images);
        server_node_free(server->node);
        free(server);
}

void cri_server_free(struct cri_server *server) {
        if (!server)
                return;
        if (server->path)
                unlink(server->path);
        free(TAKE_PTR(server->path));
        if (!server->grpc)
                return on_grpc_gone(server);
        grpc_server_on_gone(server->grpc, on_grpc_gone, server);
        grpc_server_free(server->grpc);
}
