/* The wire format of protocol buffers, for the files that speak it: keys, varints, lengths. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kube_proto_wire_type {
        KUBE_PROTO_VARINT = 0,
        KUBE_PROTO_FIXED64 = 1,
        KUBE_PROTO_BYTES = 2,
        KUBE_PROTO_FIXED32 = 5
};

#define KUBE_PROTO_NUMBER_MAX 0x1fffffff

struct kube_proto_scan {
        const uint8_t *at, *end;
};

/* A field as it stands there: @number is its varint or its fixed bytes, @bytes what has a length. */
struct kube_proto_field {
        uint32_t field;
        enum kube_proto_wire_type wire;
        uint64_t number;
        struct kube_proto_scan bytes;
};

/* A varint of at most ten bytes; most have one. */
bool kube_proto_varint_long(struct kube_proto_scan *s, uint64_t *ret_number);

static inline bool kube_proto_varint(struct kube_proto_scan *s, uint64_t *ret_number) {
        if (s->at == s->end || *s->at >= 0x80)
                return kube_proto_varint_long(s, ret_number);
        *ret_number = *s->at++;
        return true;
}

/* The next field, passed; false for what is none. Groups, which nothing of Kubernetes has, are none. */
bool kube_proto_next(struct kube_proto_scan *s, struct kube_proto_field *ret_field);
