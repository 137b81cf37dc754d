/* Values that one field of a protobuf message holds: texts, numbers, and the messages that stand for a single thing (a
 * time, a quantity). The counterpart of proto_out.h: a failure sticks, and false is what all who meet it return.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kube/codec/proto_wire.h"

struct arena;
struct int_or_string;
struct kube_bytes;
struct quantity;
struct kube_raw;
struct kube_time;

struct kube_proto_in {
        struct arena *arena; /* of all that is read */
        size_t memory;       /* that may still be taken for objects, lists and maps */
        unsigned depth;      /* of messages, that is left */
        int error;           /* the first: -EINVAL, -E2BIG, -ENOMEM */
};

static inline bool kube_proto_fail(struct kube_proto_in *in, int error) {
        if (in->error == 0)
                in->error = error;
        return false;
}

static inline bool kube_proto_wrong(struct kube_proto_in *in) {
        return kube_proto_fail(in, -EINVAL);
}

/* Each reads what @from holds; not the wire's type that belongs there is an error. */

/* Text in C ends with NUL, so that one within is refused; JSON's reader does so too. */
bool kube_proto_get_text(struct kube_proto_in *in, const struct kube_proto_field *from, const char **ret_text);

/* The same, but NULL where it is empty. */
bool kube_proto_get_string(struct kube_proto_in *in, const struct kube_proto_field *from, const char **ret_text);

bool kube_proto_get_varint(struct kube_proto_in *in, const struct kube_proto_field *from, int64_t *ret_number);

/* Neither JSON nor the API knows infinity. */
bool kube_proto_get_double(struct kube_proto_in *in, const struct kube_proto_field *from, double *ret_number);

bool kube_proto_get_bytes(struct kube_proto_in *in, const struct kube_proto_field *from, struct kube_bytes *ret_bytes);
bool kube_proto_get_quantity(struct kube_proto_in *in, const struct kube_proto_field *from, struct quantity *ret);

/* An empty message is no time. Fractions are kept where it is @micro. */
bool kube_proto_get_time(struct kube_proto_in *in, const struct kube_proto_field *from, bool micro,
                         struct kube_time *ret_time);

bool kube_proto_get_int_or_string(struct kube_proto_in *in, const struct kube_proto_field *from,
                                  struct int_or_string *ret);

/* JSON in a message of its own (RawExtension, FieldsV1, JSON): checked and made compact. What is none of it (an object
 * in protobuf again) cannot be kept. */
bool kube_proto_get_raw(struct kube_proto_in *in, const struct kube_proto_field *from, struct kube_raw *ret_raw);
