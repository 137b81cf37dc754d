/* Protobuf written from its end to its beginning. What a caller puts last stands first; a failure sticks and is
 * returned at the end.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct kube_type;

struct kube_proto_out {
        uint8_t *data;
        size_t size, at; /* what is written is data[at .. size) */
        int error;
};

/* How much is written, to be handed to kube_proto_put_end() when what follows is complete. */
size_t kube_proto_out_length(const struct kube_proto_out *out);

void kube_proto_put_raw(struct kube_proto_out *out, const void *data, size_t size);

/* Length and key of what was put since the length was @before. */
void kube_proto_put_end(struct kube_proto_out *out, uint32_t field, size_t before);

void kube_proto_put_text(struct kube_proto_out *out, uint32_t field, const char *text); /* NULL is "" */

/* The fields of @object, without key and length. */
void kube_proto_put_message(struct kube_proto_out *out, const struct kube_type *type, const void *object);

/* Hands the bytes over, to be freed; or frees them. -ENOMEM, -E2BIG. */
int kube_proto_out_finish(struct kube_proto_out *out, uint8_t **ret_data, size_t *ret_size);
