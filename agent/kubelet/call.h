/* A call of cri's for a request. */
#pragma once

#include "agent/kubelet/internal.h"

struct kubelet_call {
        struct kubelet_request *q; /* held */
        struct arena *arena;       /* for the call's request; goes with it */
        void (*done)(struct kubelet_call *call, const ProtobufCMessage *response, const struct err *err);
        void *data;                /* the caller's: of @arena, or */
        void (*freed)(void *data); /* given back by this when the call goes; NULL: it need not be */
};

/* NULL without memory; then the exchange was reset. */
struct kubelet_call *kubelet_call_new(struct kubelet_request *q);

/* Makes it. @message is in its arena. done() gets one of response and err, while the client is there still; the call is
 * gone after it. A client that goes has it cancelled. */
void kubelet_call_start(struct kubelet_call *call, enum cri_method method, const ProtobufCMessage *message);

/* The same of what all pods use: @done gets a ListPodSandboxStatsResponse. */
void kubelet_call_stats(struct kubelet_call *call);
void kubelet_call_free(struct kubelet_call *call); /* in place of it */
