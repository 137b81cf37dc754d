/* Messages in a stream, each behind its length: four bytes, the highest first (Kubernetes' protobuf watch). */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct err;

#define KUBE_FRAME_HEAD 4

/* @frame is gone after the call. A negative errno ends the reading with it. */
typedef int (*kube_frame)(void *data, const uint8_t *frame, size_t length, struct err **err);

struct kube_frames {
        kube_frame frame;
        void *data;
        uint32_t max; /* bytes of a message */

        /* The reader's; zeroed at first. */
        uint8_t head[KUBE_FRAME_HEAD];
        uint8_t *bytes; /* of the message that is not complete yet */
        size_t got, size;
        int error;
};

/* 0, or for good -E2BIG (told by the length alone), -ENOMEM or what frame() gave. */
int kube_frames_feed(struct kube_frames *frames, const uint8_t *bytes, size_t n, struct err **err);

/* -EINVAL when the stream ended within a message. */
int kube_frames_end(const struct kube_frames *frames, struct err **err);

void kube_frames_done(struct kube_frames *frames);
#define _cleanup_kube_frames_ __attribute__((cleanup(kube_frames_done)))

/* What goes before a message of @length bytes. */
void kube_frame_head(uint32_t length, uint8_t ret_head[KUBE_FRAME_HEAD]);
