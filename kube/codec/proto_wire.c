#include "kube/codec/proto_wire.h"

#include <endian.h>
#include <string.h>

bool kube_proto_varint_long(struct kube_proto_scan *s, uint64_t *ret_number) {
        uint64_t n = 0;

        for (int shift = 0; s->at < s->end && shift < 70; shift += 7) {
                uint8_t byte = *s->at++;

                if (shift == 63 && byte > 1)
                        return false;
                n |= (uint64_t)(byte & 0x7f) << shift;
                if (byte < 0x80) {
                        *ret_number = n;
                        return true;
                }
        }
        return false;
}

static bool fixed(struct kube_proto_scan *s, size_t size, uint64_t *ret_number) {
        uint64_t n = 0;

        if ((size_t)(s->end - s->at) < size)
                return false;
        memcpy(&n, s->at, size);
        s->at += size;
        *ret_number = le64toh(n);
        return true;
}

static bool bytes(struct kube_proto_scan *s, struct kube_proto_scan *ret_bytes) {
        uint64_t length;

        if (!kube_proto_varint(s, &length) || length > (size_t)(s->end - s->at))
                return false;
        *ret_bytes = (struct kube_proto_scan){ s->at, s->at + length };
        s->at += length;
        return true;
}

bool kube_proto_next(struct kube_proto_scan *s, struct kube_proto_field *ret_field) {
        uint64_t key;

        if (!kube_proto_varint(s, &key) || key >> 3 == 0 || key >> 3 > KUBE_PROTO_NUMBER_MAX)
                return false;
        ret_field->field = (uint32_t)(key >> 3);
        ret_field->wire = (enum kube_proto_wire_type)(key & 7);
        switch (key & 7) {
        case KUBE_PROTO_VARINT:
                return kube_proto_varint(s, &ret_field->number);
        case KUBE_PROTO_FIXED64:
                return fixed(s, 8, &ret_field->number);
        case KUBE_PROTO_FIXED32:
                return fixed(s, 4, &ret_field->number);
        case KUBE_PROTO_BYTES:
                return bytes(s, &ret_field->bytes);
        default:
                return false;
        }
}
