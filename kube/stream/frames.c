#include "kube/stream/frames.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/grow.h"

void kube_frame_head(uint32_t length, uint8_t ret_head[KUBE_FRAME_HEAD]) {
        uint32_t big = htobe32(length);

        memcpy(ret_head, &big, sizeof(big));
}

static uint32_t length_of(const struct kube_frames *f) {
        uint32_t big;

        memcpy(&big, f->head, sizeof(big));
        return be32toh(big);
}

/* Grows with what came: a length alone takes no memory. */
static int keep(struct kube_frames *f, const uint8_t *bytes, size_t n, struct err **err) {
        size_t length = f->got - KUBE_FRAME_HEAD;

        if (GROW(f->bytes, f->size, length + n, f->max) < 0)
                return err_set(err, ENOMEM, "out of memory");
        memcpy(f->bytes + length, bytes, n);
        f->got += n;
        return 0;
}

static int hand_out(struct kube_frames *f, const uint8_t *frame, struct err **err) {
        f->got = 0;
        return f->frame(f->data, frame, length_of(f), err);
}

/* Part of a message, or all of it: that is not copied. Advances *@at. */
static int take(struct kube_frames *f, const uint8_t **at, const uint8_t *end, struct err **err) {
        size_t missing = length_of(f) - (f->got - KUBE_FRAME_HEAD), n = (size_t)(end - *at);
        const uint8_t *from = *at;
        int r;

        if (length_of(f) > f->max)
                return err_set(err, E2BIG, "a message of %u bytes, more than the %u allowed", length_of(f), f->max);
        n = n < missing ? n : missing;
        *at += n;
        if (f->got == KUBE_FRAME_HEAD && n == missing)
                return hand_out(f, from, err);
        r = keep(f, from, n, err);
        return r < 0 || n < missing ? r : hand_out(f, f->bytes, err);
}

int kube_frames_feed(struct kube_frames *f, const uint8_t *bytes, size_t n, struct err **err) {
        const uint8_t *at = bytes, *end = bytes + n;

        if (f->error < 0)
                return err_set(err, -f->error, "the stream has failed before");
        while (f->error >= 0 && at < end) {
                if (f->got < KUBE_FRAME_HEAD)
                        f->head[f->got++] = *at++;
                /* A message of no bytes is complete with its head, one that is too long is refused by it. */
                if (f->got >= KUBE_FRAME_HEAD && (at < end || length_of(f) == 0 || length_of(f) > f->max))
                        f->error = take(f, &at, end, err);
        }
        return f->error;
}

int kube_frames_end(const struct kube_frames *f, struct err **err) {
        if (f->error < 0)
                return err_set(err, -f->error, "the stream has failed before");
        return f->got == 0 ? 0 : err_set(err, EINVAL, "the stream ends within a message");
}

void kube_frames_done(struct kube_frames *f) {
        free(f->bytes);
        f->bytes = NULL;
}
