/* Why a pod is not (yet) what it should be, in a reason and a sentence: from its status and its events. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct node_view;
struct value;

#define POD_REASON_MAX 128
#define POD_MESSAGE_MAX 2048

struct pod_state {
        const char *phase;           /* "Pending"; of the value's arena */
        char reason[POD_REASON_MAX]; /* "ImagePullBackOff", "Init:Error"; "": nothing is to be said */
        char message[POD_MESSAGE_MAX];
        uint32_t ready, containers; /* containers that are ready, and that there are */
        bool well;                  /* it runs and is ready, or has succeeded */
};

/* @pod is the API's object. The reason is the one that kubectl shows (printPod() in pkg/printers); where that says only
 * that containers are being made or are not ready, the pod's last warning says why. */
void pod_state_read(const struct node_view *view, const struct value *pod, struct pod_state *ret_state);
