#include "kube/codec/proto_in.h"

#include <errno.h>
#include <string.h>

#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/json_scan.h"
#include "lib/utf8.h"

bool kube_proto_get_text(struct kube_proto_in *in, const struct kube_proto_field *from, const char **ret) {
        size_t length;
        char *copy;

        if (from->wire != KUBE_PROTO_BYTES)
                return kube_proto_wrong(in);
        length = (size_t)(from->bytes.end - from->bytes.at);
        if (memchr(from->bytes.at, '\0', length) || !utf8_valid(from->bytes.at, length))
                return kube_proto_wrong(in);
        copy = arena_strndup(in->arena, (const char *)from->bytes.at, length);
        *ret = copy;
        return copy || kube_proto_fail(in, -ENOMEM);
}

bool kube_proto_get_string(struct kube_proto_in *in, const struct kube_proto_field *from, const char **ret) {
        *ret = NULL;
        return (from->wire == KUBE_PROTO_BYTES && from->bytes.at == from->bytes.end) ||
               kube_proto_get_text(in, from, ret);
}

bool kube_proto_get_varint(struct kube_proto_in *in, const struct kube_proto_field *from, int64_t *ret) {
        if (from->wire != KUBE_PROTO_VARINT)
                return kube_proto_wrong(in);
        *ret = (int64_t)from->number;
        return true;
}

bool kube_proto_get_double(struct kube_proto_in *in, const struct kube_proto_field *from, double *ret) {
        if (from->wire != KUBE_PROTO_FIXED64)
                return kube_proto_wrong(in);
        memcpy(ret, &from->number, sizeof(*ret));
        return (*ret - *ret == 0) || kube_proto_wrong(in);
}

bool kube_proto_get_bytes(struct kube_proto_in *in, const struct kube_proto_field *from, struct kube_bytes *ret) {
        size_t length;
        uint8_t *copy;

        if (from->wire != KUBE_PROTO_BYTES)
                return kube_proto_wrong(in);
        length = (size_t)(from->bytes.end - from->bytes.at);
        copy = arena_alloc_uncleared(in->arena, length);
        if (!copy)
                return kube_proto_fail(in, -ENOMEM);
        memcpy(copy, from->bytes.at, length);
        *ret = (struct kube_bytes){ copy, (uint32_t)length };
        return true;
}

static bool read_json(struct kube_proto_in *in, const struct kube_proto_field *from, struct kube_raw *ret) {
        struct json_scan scan;
        size_t length;
        char *copy;

        if (from->wire != KUBE_PROTO_BYTES)
                return kube_proto_wrong(in);
        *ret = (struct kube_raw){ 0 };
        length = (size_t)(from->bytes.end - from->bytes.at);
        if (length == 0)
                return true;
        scan = (struct json_scan){ (const char *)from->bytes.at, (const char *)from->bytes.end };
        if (!json_scan_skip(&scan, in->depth) || (json_scan_peek(&scan), scan.at != scan.end))
                return kube_proto_wrong(in);
        copy = arena_strndup(in->arena, (const char *)from->bytes.at, length);
        if (!copy)
                return kube_proto_fail(in, -ENOMEM);
        length = json_compact((const char *)from->bytes.at, length, copy);
        copy[length] = '\0';
        *ret = (struct kube_raw){ copy, (uint32_t)length };
        return true;
}

/* The messages behind single values: each field in turn, by number. */
typedef bool (*read_part)(struct kube_proto_in *in, const struct kube_proto_field *from, void *at);

static bool read_parts(struct kube_proto_in *in, const struct kube_proto_field *from, read_part part, void *at) {
        struct kube_proto_scan scan = from->bytes;
        struct kube_proto_field field;

        if (from->wire != KUBE_PROTO_BYTES)
                return kube_proto_wrong(in);
        while (scan.at < scan.end)
                if (!kube_proto_next(&scan, &field))
                        return kube_proto_wrong(in);
                else if (!part(in, &field, at))
                        return false;
        return true;
}

static bool quantity_part(struct kube_proto_in *in, const struct kube_proto_field *from, void *at) {
        if (from->field != 1)
                return true;
        if (from->wire != KUBE_PROTO_BYTES)
                return kube_proto_wrong(in);
        return kube_quantity_parse((const char *)from->bytes.at, (size_t)(from->bytes.end - from->bytes.at), at) ||
               kube_proto_wrong(in);
}

bool kube_proto_get_quantity(struct kube_proto_in *in, const struct kube_proto_field *from, struct quantity *ret) {
        return read_parts(in, from, quantity_part, ret);
}

static bool time_part(struct kube_proto_in *in, const struct kube_proto_field *from, void *at) {
        struct kube_time *time = at;

        if ((from->field == 1 || from->field == 2) && from->wire != KUBE_PROTO_VARINT)
                return kube_proto_wrong(in);
        if (from->field == 1)
                time->seconds = (int64_t)from->number;
        else if (from->field == 2)
                time->nanoseconds = (int32_t)from->number;
        return true;
}

/* Seconds are all that a time has in JSON, and so all that it has here. */
bool kube_proto_get_time(struct kube_proto_in *in, const struct kube_proto_field *from, bool micro,
                         struct kube_time *ret) {
        *ret = (struct kube_time){ 0 };
        if (!read_parts(in, from, time_part, ret))
                return false;
        ret->set = from->bytes.at < from->bytes.end;
        if (ret->set && !kube_time_settle(ret, micro))
                return kube_proto_wrong(in);
        return true;
}

#define TYPE_STRING 1 /* intstr.Type */

struct int_or_string_parts {
        int64_t type, number;
        const char *text;
};

static bool int_or_string_part(struct kube_proto_in *in, const struct kube_proto_field *from, void *at) {
        struct int_or_string_parts *parts = at;

        switch (from->field) {
        case 1:
                return kube_proto_get_varint(in, from, &parts->type);
        case 2:
                return kube_proto_get_varint(in, from, &parts->number);
        case 3:
                return kube_proto_get_text(in, from, &parts->text);
        default:
                return true;
        }
}

bool kube_proto_get_int_or_string(struct kube_proto_in *in, const struct kube_proto_field *from,
                                  struct int_or_string *ret) {
        struct int_or_string_parts parts = { 0 };

        if (!read_parts(in, from, int_or_string_part, &parts))
                return false;
        *ret = (struct int_or_string){ .set = true };
        if (parts.type == TYPE_STRING)
                ret->text = parts.text ? parts.text : "";
        else
                ret->number = (int32_t)parts.number;
        return true;
}

static bool raw_part(struct kube_proto_in *in, const struct kube_proto_field *from, void *at) {
        return from->field != 1 || read_json(in, from, at);
}

bool kube_proto_get_raw(struct kube_proto_in *in, const struct kube_proto_field *from, struct kube_raw *ret) {
        return read_parts(in, from, raw_part, ret);
}
