#include "agent/kubelet/call.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/arena.h"

struct kubelet_call *kubelet_call_new(struct kubelet_request *q) {
        struct kubelet_call *call = calloc(1, sizeof(*call));

        if (!call || !(call->arena = arena_new())) {
                free(call);
                http_reset(q->x, -ENOMEM);
                return NULL;
        }
        call->q = q;
        kubelet_hold(q);
        return call;
}

void kubelet_call_free(struct kubelet_call *call) {
        if (call->freed && call->data)
                call->freed(call->data);
        arena_free(call->arena);
        kubelet_drop(call->q);
        free(call);
}

static void on_done(void *data, const ProtobufCMessage *response, const struct err *err) {
        struct kubelet_call *call = data;
        struct kubelet_request *q = call->q;

        if (q->call == call)
                q->call = NULL;
        if (q->x && q->kubelet)
                call->done(call, response, err);
        kubelet_call_free(call);
}

void kubelet_call_start(struct kubelet_call *call, enum cri_method method, const ProtobufCMessage *message) {
        struct kubelet_request *q = call->q;

        q->call = call;
        cri_call(q->kubelet->world.cri, method, message, on_done, call);
}

void kubelet_call_stats(struct kubelet_call *call) {
        Cri__ListPodSandboxStatsRequest *request = arena_new_of(call->arena, Cri__ListPodSandboxStatsRequest);
        struct http_exchange *x = call->q->x;

        if (!request) {
                kubelet_call_free(call);
                return http_reset(x, -ENOMEM);
        }
        cri__list_pod_sandbox_stats_request__init(request);
        kubelet_call_start(call, CRI_LIST_POD_SANDBOX_STATS, &request->base);
}
