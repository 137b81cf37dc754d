/* The table of CRI's methods: one row each, in the order of api.proto. */
#pragma once

#include <protobuf-c/protobuf-c.h>

enum cri_method {
        CRI_VERSION,
        CRI_RUN_POD_SANDBOX,
        CRI_STOP_POD_SANDBOX,
        CRI_REMOVE_POD_SANDBOX,
        CRI_POD_SANDBOX_STATUS,
        CRI_LIST_POD_SANDBOX,
        CRI_STREAM_POD_SANDBOXES,
        CRI_CREATE_CONTAINER,
        CRI_START_CONTAINER,
        CRI_STOP_CONTAINER,
        CRI_REMOVE_CONTAINER,
        CRI_LIST_CONTAINERS,
        CRI_STREAM_CONTAINERS,
        CRI_CONTAINER_STATUS,
        CRI_UPDATE_CONTAINER_RESOURCES,
        CRI_REOPEN_CONTAINER_LOG,
        CRI_EXEC_SYNC,
        CRI_EXEC, /* answered by the streaming server: see cri/exec/exec.h */
        CRI_ATTACH,
        CRI_PORT_FORWARD,
        CRI_CONTAINER_STATS,
        CRI_LIST_CONTAINER_STATS,
        CRI_STREAM_CONTAINER_STATS,
        CRI_POD_SANDBOX_STATS,
        CRI_LIST_POD_SANDBOX_STATS,
        CRI_STREAM_POD_SANDBOX_STATS,
        CRI_UPDATE_RUNTIME_CONFIG,
        CRI_STATUS,
        CRI_CHECKPOINT_CONTAINER,
        CRI_GET_CONTAINER_EVENTS, /* cri_call() refuses it: see cri/state/events.h */
        CRI_LIST_METRIC_DESCRIPTORS,
        CRI_LIST_POD_SANDBOX_METRICS,
        CRI_STREAM_POD_SANDBOX_METRICS,
        CRI_RUNTIME_CONFIG,
        CRI_UPDATE_POD_SANDBOX_RESOURCES,
        CRI_LIST_IMAGES,
        CRI_STREAM_IMAGES,
        CRI_IMAGE_STATUS,
        CRI_PULL_IMAGE,
        CRI_REMOVE_IMAGE,
        CRI_IMAGE_FS_INFO,
        CRI_METHODS,
};

enum cri_method_flags {
        CRI_STREAM = 1,        /* the response is a stream of messages */
        CRI_IMAGE_SERVICE = 2, /* runtime.v1.ImageService, else runtime.v1.RuntimeService */
};

struct cri_call;

struct cri_method_row {
        const char *name; /* "RunPodSandbox" */
        const char *path; /* "/runtime.v1.RuntimeService/RunPodSandbox" */
        const ProtobufCMessageDescriptor *request, *response;
        unsigned flags;
        void (*handle)(struct cri_call *call); /* cri's */
};

extern const struct cri_method_row cri_methods[CRI_METHODS];
