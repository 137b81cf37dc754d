/* Structs to Kubernetes' protobuf form, from the end to the beginning: a length stands before what it counts, and is
 * known when one comes to it. The bytes are those of Kubernetes' own encoder: numbers in order, maps sorted, what is no
 * pointer in Go always there. */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/codec/proto_out.h"
#include "kube/codec/proto_wire.h"
#include "kube/type.h"

#define OUT_FIRST 1024

static void *grow(struct kube_proto_out *out, size_t n) {
        size_t size = out->size ? out->size : OUT_FIRST, used = out->size - out->at;
        uint8_t *data;

        if (out->error < 0)
                return NULL;
        if (n > KUBE_INPUT_MAX - used) {
                out->error = -E2BIG;
                return NULL;
        }
        while (size < used + n)
                size *= 2;
        data = malloc(size);
        if (!data) {
                out->error = -ENOMEM;
                return NULL;
        }
        if (used > 0)
                memcpy(data + size - used, out->data + out->at, used);
        free(out->data);
        *out = (struct kube_proto_out){ .data = data, .size = size, .at = size - used - n };
        return data + out->at;
}

static inline void *front(struct kube_proto_out *out, size_t n) {
        return out->at >= n ? out->data + (out->at -= n) : grow(out, n);
}

size_t kube_proto_out_length(const struct kube_proto_out *out) {
        return out->size - out->at;
}

void kube_proto_put_raw(struct kube_proto_out *out, const void *data, size_t size) {
        void *to = size > 0 ? front(out, size) : NULL;

        if (to)
                memcpy(to, data, size);
}

static void put_varint(struct kube_proto_out *out, uint64_t number) {
        uint8_t bytes[10];
        size_t n = 0;

        if (number < 0x80 && out->at > 0) { /* most are */
                out->data[--out->at] = (uint8_t)number;
                return;
        }
        while (number >= 0x80) {
                bytes[n++] = (uint8_t)(number | 0x80);
                number >>= 7;
        }
        bytes[n++] = (uint8_t)number;
        kube_proto_put_raw(out, bytes, n);
}

static void put_key(struct kube_proto_out *out, uint32_t field, uint8_t wire) {
        put_varint(out, (uint64_t)field << 3 | wire);
}

void kube_proto_put_end(struct kube_proto_out *out, uint32_t field, size_t before) {
        put_varint(out, kube_proto_out_length(out) - before);
        put_key(out, field, KUBE_PROTO_BYTES);
}

static void put_bytes(struct kube_proto_out *out, uint32_t field, const void *data, size_t size) {
        size_t before = kube_proto_out_length(out);

        kube_proto_put_raw(out, data, size);
        kube_proto_put_end(out, field, before);
}

void kube_proto_put_text(struct kube_proto_out *out, uint32_t field, const char *text) {
        put_bytes(out, field, text, text ? strlen(text) : 0);
}

static void put_number(struct kube_proto_out *out, uint32_t field, int64_t number) {
        put_varint(out, (uint64_t)number);
        put_key(out, field, KUBE_PROTO_VARINT);
}

static void put_double(struct kube_proto_out *out, uint32_t field, double number) {
        uint64_t bits;

        memcpy(&bits, &number, sizeof(bits));
        bits = htole64(bits);
        kube_proto_put_raw(out, &bits, sizeof(bits));
        put_key(out, field, KUBE_PROTO_FIXED64);
}

static void put_quantity(struct kube_proto_out *out, uint32_t field, struct quantity quantity) {
        size_t before = kube_proto_out_length(out);
        char text[QUANTITY_TEXT_MAX];

        kube_proto_put_text(out, 1, quantity_format(quantity, text));
        kube_proto_put_end(out, field, before);
}

static void put_time(struct kube_proto_out *out, uint32_t field, const struct kube_time *time) {
        size_t before = kube_proto_out_length(out);

        if (time->set) {
                put_number(out, 2, time->nanoseconds);
                put_number(out, 1, time->seconds);
        }
        kube_proto_put_end(out, field, before);
}

static void put_int_or_string(struct kube_proto_out *out, uint32_t field, const struct int_or_string *value) {
        size_t before = kube_proto_out_length(out);

        kube_proto_put_text(out, 3, value->text);
        put_number(out, 2, value->text ? 0 : value->number);
        put_number(out, 1, value->text != NULL);
        kube_proto_put_end(out, field, before);
}

static void put_raw(struct kube_proto_out *out, uint32_t field, const struct kube_raw *raw) {
        size_t before = kube_proto_out_length(out);

        if (raw->text)
                put_bytes(out, 1, raw->text, raw->length);
        kube_proto_put_end(out, field, before);
}

static void put_object(struct kube_proto_out *out, uint32_t field, const struct kube_type *type, const void *object) {
        size_t before = kube_proto_out_length(out);

        kube_proto_put_message(out, type, object);
        kube_proto_put_end(out, field, before);
}

static void put_one(struct kube_proto_out *out, uint32_t number, const struct kube_field *field, const void *at) {
        const struct kube_bytes *bytes = at;

        switch ((enum kube_element)field->element) {
        case KUBE_STRING:
                kube_proto_put_text(out, number, *(const char *const *)at);
                break;
        case KUBE_BOOL:
                put_number(out, number, *(const bool *)at);
                break;
        case KUBE_INT32:
                put_number(out, number, *(const int32_t *)at);
                break;
        case KUBE_INT64:
                put_number(out, number, *(const int64_t *)at);
                break;
        case KUBE_DOUBLE:
                put_double(out, number, *(const double *)at);
                break;
        case KUBE_QUANTITY:
                put_quantity(out, number, *(const struct quantity *)at);
                break;
        case KUBE_TIME:
        case KUBE_MICRO_TIME:
                put_time(out, number, at);
                break;
        case KUBE_INT_OR_STRING:
                put_int_or_string(out, number, at);
                break;
        case KUBE_BYTES:
                if (bytes->data)
                        put_bytes(out, number, bytes->data, bytes->length);
                break;
        case KUBE_JSON:
        case KUBE_RAW:
        case KUBE_FIELDS:
                put_raw(out, number, at);
                break;
        case KUBE_OBJECT:
                put_object(out, number, field->type, at);
                break;
        }
}

static void put_optional(struct kube_proto_out *out, uint32_t number, const struct kube_field *field, const void *at) {
        const struct opt_quantity *quantity = at;
        const struct opt_double *real = at;
        const struct opt_int *integer = at;
        const void *below;

        switch ((enum kube_element)field->element) {
        case KUBE_STRING:
                if (*(const char *const *)at)
                        put_one(out, number, field, at);
                break;
        case KUBE_BOOL:
                if (*(const enum tri *)at != TRI_UNSET)
                        put_number(out, number, *(const enum tri *)at == TRI_TRUE);
                break;
        case KUBE_INT32:
        case KUBE_INT64:
                if (integer->set)
                        put_number(out, number, integer->value);
                break;
        case KUBE_DOUBLE:
                if (real->set)
                        put_double(out, number, real->value);
                break;
        case KUBE_QUANTITY:
                if (quantity->set)
                        put_quantity(out, number, quantity->amount);
                break;
        case KUBE_TIME:
        case KUBE_MICRO_TIME:
                if (((const struct kube_time *)at)->set)
                        put_one(out, number, field, at);
                break;
        case KUBE_INT_OR_STRING:
                if (((const struct int_or_string *)at)->set)
                        put_one(out, number, field, at);
                break;
        case KUBE_BYTES:
                put_one(out, number, field, at);
                break;
        case KUBE_JSON:
        case KUBE_RAW:
        case KUBE_FIELDS:
                if (((const struct kube_raw *)at)->text)
                        put_one(out, number, field, at);
                break;
        case KUBE_OBJECT:
                memcpy(&below, at, sizeof(below));
                if (below)
                        put_object(out, number, field->type, below);
                break;
        }
}

static void put_list(struct kube_proto_out *out, uint32_t number, const struct kube_field *field, const void *at) {
        size_t size = kube_element_size(field);
        struct list list;

        memcpy(&list, at, sizeof(list));
        for (uint32_t i = list.count; i-- > 0;)
                put_one(out, number, field, (const char *)list.items + i * size);
}

static void put_wrapped(struct kube_proto_out *out, uint32_t number, const struct kube_field *field, const void *at) {
        size_t before = kube_proto_out_length(out);
        struct list list;

        memcpy(&list, at, sizeof(list));
        if (!list.items && field->form == KUBE_LIST)
                return;
        put_list(out, 1, field, at);
        kube_proto_put_end(out, number, before);
}

static void put_map(struct kube_proto_out *out, uint32_t number, const struct kube_field *field, const void *at) {
        size_t size = kube_entry_size(field);
        struct list list;

        memcpy(&list, at, sizeof(list));
        for (uint32_t i = list.count; i-- > 0;) {
                const char *entry = (const char *)list.items + i * size;
                size_t before = kube_proto_out_length(out);

                if (field->form == KUBE_MAP_OF_LISTS)
                        put_wrapped(out, 2, field, entry + KUBE_ENTRY_VALUE);
                else
                        put_one(out, 2, field, entry + KUBE_ENTRY_VALUE);
                kube_proto_put_text(out, 1, *(const char *const *)entry);
                kube_proto_put_end(out, number, before);
        }
}

static void put_field(struct kube_proto_out *out, uint32_t number, const struct kube_field *field, const void *object) {
        const void *at = (const char *)object + field->offset;

        switch ((enum kube_form)field->form) {
        case KUBE_ONE:
                put_one(out, number, field, at);
                break;
        case KUBE_OPTIONAL:
                put_optional(out, number, field, at);
                break;
        case KUBE_LIST:
                if (field->flags & KUBE_WRAPPED)
                        put_wrapped(out, number, field, at);
                else
                        put_list(out, number, field, at);
                break;
        case KUBE_MAP:
        case KUBE_MAP_OF_LISTS:
                put_map(out, number, field, at);
                break;
        }
}

static void put_wire(struct kube_proto_out *out, const struct kube_type *type, const struct kube_wire *wire, size_t n,
                     const void *object) {
        while (n-- > 0) {
                size_t before = kube_proto_out_length(out);

                if (!wire[n].part) {
                        put_field(out, wire[n].number, &type->fields[wire[n].index], object);
                        continue;
                }
                put_wire(out, type, wire[n].part, wire[n].index, object);
                kube_proto_put_end(out, wire[n].number, before);
        }
}

void kube_proto_put_message(struct kube_proto_out *out, const struct kube_type *type, const void *object) {
        put_wire(out, type, type->wire, type->n_wire, object);
}

int kube_proto_out_finish(struct kube_proto_out *out, uint8_t **ret_data, size_t *ret_size) {
        size_t length = kube_proto_out_length(out);

        if (out->error == 0 && !out->data)
                grow(out, 0);
        if (out->error < 0) {
                free(out->data);
                return out->error;
        }
        if (out->data && out->at > 0)
                memmove(out->data, out->data + out->at, length);
        *ret_data = out->data;
        *ret_size = length;
        return 0;
}

int kube_proto_write(const struct kube_type *type, const void *object, uint8_t **ret_data, size_t *ret_size) {
        struct kube_proto_out out = { 0 };

        if (!(type->flags & KUBE_MESSAGE))
                return -EINVAL;
        kube_proto_put_message(&out, type, object);
        return kube_proto_out_finish(&out, ret_data, ret_size);
}
