/* The wire format of protocol buffers, for the two files that speak it: keys, varints, lengths. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum proto_wire_type { PROTO_VARINT = 0, PROTO_FIXED64 = 1, PROTO_BYTES = 2, PROTO_FIXED32 = 5 };

#define PROTO_NUMBER_MAX 0x1fffffff

struct proto_scan {
        const uint8_t *at, *end;
};

/* A field as it stands there: @number is its varint or its fixed bytes, @bytes what has a length. */
struct proto_field {
        uint32_t field;
        enum proto_wire_type wire;
        uint64_t number;
        struct proto_scan bytes;
};

/* A varint of at most ten bytes; most have one. */
bool proto_varint_long(struct proto_scan *s, uint64_t *ret_number);

static inline bool proto_varint(struct proto_scan *s, uint64_t *ret_number) {
        if (s->at == s->end || *s->at >= 0x80)
                return proto_varint_long(s, ret_number);
        *ret_number = *s->at++;
        return true;
}

/* The next field, passed; false for what is none. Groups, which nothing of Kubernetes has, are none. */
bool proto_next(struct proto_scan *s, struct proto_field *ret_field);
