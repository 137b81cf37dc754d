#include "api/rest/frame.h"

#include <string.h>

#include "api/server/codec.h"
#include "kube/meta_v1.h"
#include "kube/stream/frames.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"

#define VARINT_MAX 5
#define TAG(number) ((number) << 3 | 2) /* a field that has a length */

const struct kube_type *api_status_type(void) {
        return &kube_status_type;
}

static size_t varint_size(size_t n) {
        size_t size = 1;

        for (; n > 0x7f; n >>= 7)
                size++;
        return size;
}

static uint8_t *put_head(uint8_t *to, unsigned number, size_t n) {
        *to++ = (uint8_t)TAG(number);
        for (; n > 0x7f; n >>= 7)
                *to++ = (uint8_t)(n | 0x80);
        *to++ = (uint8_t)n;
        return to;
}

/* WatchEvent: type = 1, object = 2; RawExtension: raw = 1. */
struct bytes *api_frame_protobuf(const struct kube_type *type, enum kube_watch_type event, const char *json,
                                 size_t length) {
        const char *name = kube_watch_type_name(event);
        size_t n_name = strlen(name), n_raw, n_object, n_message;
        _cleanup_bytes_ struct bytes *raw = NULL;
        struct bytes *bytes;
        uint8_t *to;

        if (api_protobuf(type, json, length, &raw) < 0)
                return NULL;
        n_raw = raw->size;
        n_object = 1 + varint_size(n_raw) + n_raw;
        n_message = 1 + varint_size(n_name) + n_name + 1 + varint_size(n_object) + n_object;
        bytes = bytes_new(KUBE_FRAME_HEAD + n_message);
        if (!bytes)
                return NULL;
        kube_frame_head((uint32_t)n_message, bytes->data);
        to = put_head(bytes->data + KUBE_FRAME_HEAD, 1, n_name);
        memcpy(to, name, n_name);
        to = put_head(to + n_name, 2, n_object);
        to = put_head(to, 1, n_raw);
        memcpy(to, raw->data, n_raw);
        return bytes;
}
