#include "cri/server/node.h"

#include <errno.h>
#include <stdlib.h>

#include "cri/extension.pb-c.h"
#include "cri/node.h"
#include "cri/state/state.h"
#include "lib/err.h"
#include "lib/grpc/server.h"

/* What may wait for a client: all parts are written in one go. */
#define PARTS_BUFFER_MAX (64u << 20)

struct server_node {
        struct grpc_method method;
};

void cri_set_node(struct cri *cri, const struct cri_node *node) {
        cri->node = node;
}

static void send_part(void *data, enum cri_node_part kind, const char *json) {
        Nacelle__NodePodsPart part = NACELLE__NODE_PODS_PART__INIT;
        char **const fields[] = {
                [CRI_NODE_FILES] = &part.files, [CRI_NODE_POD] = &part.pod, [CRI_NODE_EVENTS] = &part.events
        };

        *fields[kind] = (char *)(uintptr_t)json;
        grpc_call_send(data, &part.base);
}

static void handle_pods(struct grpc_call *call, const ProtobufCMessage *request) {
        const struct cri *cri = grpc_call_data(call);

        grpc_call_set_buffer(call, PARTS_BUFFER_MAX);
        if (cri->node)
                cri->node->write(cri->node->data, send_part, call);
        if (grpc_call_refused(call))
                grpc_call_fail(call, GRPC_RESOURCE_EXHAUSTED,
                               "the pods are too many for a client that reads so slowly");
        else
                grpc_call_finish(call);
}

int server_node_new(struct grpc_server *grpc, struct cri *cri, struct server_node **ret_node, struct err **err) {
        struct server_node *node = calloc(1, sizeof(*node));
        int r;

        if (!node)
                return err_set(err, ENOMEM, "out of memory");
        node->method = (struct grpc_method){ .path = "/nacelle.v1.Node/Pods",
                                             .request = &nacelle__node_pods_request__descriptor,
                                             .response = &nacelle__node_pods_part__descriptor,
                                             .handle = handle_pods,
                                             .data = cri };
        r = grpc_server_add(grpc, &node->method, 1, err);
        if (r < 0) {
                free(node);
                return r;
        }
        *ret_node = node;
        return 0;
}

void server_node_free(struct server_node *node) {
        free(node);
}
