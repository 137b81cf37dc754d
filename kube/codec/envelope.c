/* runtime.Unknown around an object's protobuf, with the magic before it (apimachinery, serializer/protobuf). */
#include <errno.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/problem.h"
#include "kube/codec/proto_out.h"
#include "kube/codec/proto_wire.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/utf8.h"
#include "lib/value.h"

static const char magic[4] = { 'k', '8', 's', '\0' };

enum { UNKNOWN_TYPE_META = 1, UNKNOWN_RAW = 2, UNKNOWN_CONTENT_ENCODING = 3, UNKNOWN_CONTENT_TYPE = 4 };
enum { TYPE_META_API_VERSION = 1, TYPE_META_KIND = 2 };

struct envelope {
        const char *api_version, *kind; /* "" when not given */
        const void *message;            /* of the caller's data */
        size_t size;
        bool encoded; /* contentEncoding or contentType is not empty: the message is not protobuf */
};

static size_t length_of(const struct kube_proto_scan *bytes) {
        return (size_t)(bytes->end - bytes->at);
}

static int read_name(struct arena *arena, const struct kube_proto_field *field, const char **ret) {
        size_t length = length_of(&field->bytes);
        const char *copy;

        if (length > KUBE_NAME_BYTES_MAX)
                return -E2BIG;
        if (memchr(field->bytes.at, '\0', length) || !utf8_valid(field->bytes.at, length))
                return -EINVAL;
        copy = arena_strndup(arena, (const char *)field->bytes.at, length);
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}

static int read_type_meta(struct arena *arena, struct kube_proto_scan scan, struct envelope *envelope) {
        struct kube_proto_field field;
        int r = 0;

        while (scan.at < scan.end && r == 0) {
                if (!kube_proto_next(&scan, &field))
                        return -EINVAL;
                if (field.field != TYPE_META_API_VERSION && field.field != TYPE_META_KIND)
                        continue;
                if (field.wire != KUBE_PROTO_BYTES)
                        return -EINVAL;
                r = read_name(arena, &field, field.field == TYPE_META_KIND ? &envelope->kind : &envelope->api_version);
        }
        return r;
}

static int read_unknown(struct arena *arena, const struct kube_proto_field *field, struct envelope *envelope) {
        if (field->field > UNKNOWN_CONTENT_TYPE)
                return 0;
        if (field->wire != KUBE_PROTO_BYTES)
                return -EINVAL;
        switch (field->field) {
        case UNKNOWN_TYPE_META:
                return read_type_meta(arena, field->bytes, envelope);
        case UNKNOWN_RAW:
                envelope->message = field->bytes.at;
                envelope->size = length_of(&field->bytes);
                return 0;
        default:
                envelope->encoded |= length_of(&field->bytes) > 0;
                return 0;
        }
}

static int read_envelope(struct arena *arena, const void *data, size_t size, struct envelope *ret_envelope) {
        struct envelope envelope = { .api_version = "", .kind = "", .message = "" };
        struct kube_proto_scan scan = { data, (const uint8_t *)data + size };
        struct kube_proto_field field;
        int r;

        if (size > KUBE_INPUT_MAX)
                return -E2BIG;
        if (size < sizeof(magic) || memcmp(data, magic, sizeof(magic)) != 0)
                return -EINVAL;
        scan.at += sizeof(magic);
        while (scan.at < scan.end) {
                if (!kube_proto_next(&scan, &field))
                        return -EINVAL;
                r = read_unknown(arena, &field, &envelope);
                if (r < 0)
                        return r;
        }
        *ret_envelope = envelope;
        return 0;
}

/* Where an object says its kind and apiVersion: rows 0 and 1 of every KUBE_KIND. */
enum { ROW_KIND, ROW_API_VERSION };

static const char *named(const struct kube_type *type, const void *object, int row) {
        if (!(type->flags & KUBE_KIND)) /* a WatchEvent has an envelope too */
                return NULL;
        return *(const char *const *)((const char *)object + type->fields[row].offset);
}

static void name(const struct kube_type *type, void *object, int row, const char *text) {
        if (type->flags & KUBE_KIND)
                *(const char **)((char *)object + type->fields[row].offset) = *text ? text : NULL;
}

int kube_envelope_read_object(struct arena *arena, const struct kube_type *type, const void *data, size_t size,
                              void *object) {
        struct envelope envelope;
        int r = read_envelope(arena, data, size, &envelope);

        if (r < 0)
                return r;
        if (envelope.encoded)
                return -EINVAL;
        r = kube_proto_read(arena, type, envelope.message, envelope.size, object);
        if (r < 0)
                return r;
        name(type, object, ROW_KIND, envelope.kind);
        name(type, object, ROW_API_VERSION, envelope.api_version);
        return 0;
}

int kube_envelope_write_object(const struct kube_type *type, const void *object, uint8_t **ret_data, size_t *ret_size) {
        struct kube_proto_out out = { 0 };
        size_t before;

        if (!(type->flags & KUBE_MESSAGE))
                return -EINVAL;
        kube_proto_put_text(&out, UNKNOWN_CONTENT_TYPE, NULL);
        kube_proto_put_text(&out, UNKNOWN_CONTENT_ENCODING, NULL);
        before = kube_proto_out_length(&out);
        kube_proto_put_message(&out, type, object);
        kube_proto_put_end(&out, UNKNOWN_RAW, before);
        before = kube_proto_out_length(&out);
        kube_proto_put_text(&out, TYPE_META_KIND, named(type, object, ROW_KIND));
        kube_proto_put_text(&out, TYPE_META_API_VERSION, named(type, object, ROW_API_VERSION));
        kube_proto_put_end(&out, UNKNOWN_TYPE_META, before);
        kube_proto_put_raw(&out, magic, sizeof(magic));
        return kube_proto_out_finish(&out, ret_data, ret_size);
}

int kube_value_from_envelope(struct arena *arena, const struct kube_type *type, const void *data, size_t size,
                             const struct value **ret_value, struct err **err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_arena_ struct arena *scratch = arena_new();
        void *object = scratch ? arena_alloc(scratch, type->size) : NULL;
        _cleanup_free_ char *text = NULL;
        size_t length;
        int r;

        if (!object)
                return err_set(err, ENOMEM, "out of memory");
        r = kube_envelope_read_object(scratch, type, data, size, object);
        if (r < 0)
                return err_set(err, -r, "not a %s in Kubernetes' protobuf form", type->name);
        kube_json_write(&w, type, object);
        r = json_writer_finish(&w, &text, &length);
        if (r < 0)
                return err_set(err, -r, "%s: too large, or out of memory", type->name);
        return json_parse(arena, text, length, NULL, ret_value, err);
}

int kube_value_to_envelope(const struct kube_type *type, const struct value *value, struct problems *problems,
                           uint8_t **ret_data, size_t *ret_size) {
        _cleanup_arena_ struct arena *scratch = arena_new();
        void *object = scratch ? arena_alloc(scratch, type->size) : NULL;
        uint32_t errors = problems->errors;
        int r;

        if (!object)
                return -ENOMEM;
        r = kube_value_read(scratch, type, value, "", problems, object);
        if (r < 0)
                return r;
        if (problems->errors > errors)
                return -EINVAL;
        return kube_envelope_write_object(type, object, ret_data, ret_size);
}
