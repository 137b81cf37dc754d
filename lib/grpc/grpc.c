#include "lib/grpc/grpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/grow.h"
#include "lib/hex.h"
#include "lib/utf8.h"

static const char *const code_names[] = {
        "OK",       "Canceled",        "Unknown",          "InvalidArgument",   "DeadlineExceeded",
        "NotFound", "AlreadyExists",   "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
        "Aborted",  "OutOfRange",      "Unimplemented",    "Internal",          "Unavailable",
        "DataLoss", "Unauthenticated",
};

/* The first row of a code is the one that grpc_code_to_errno() takes. */
static const struct {
        int error;
        enum grpc_code code;
} errors[] = {
        { 0, GRPC_OK },
        { ECANCELED, GRPC_CANCELLED },
        { EINVAL, GRPC_INVALID_ARGUMENT },
        { E2BIG, GRPC_INVALID_ARGUMENT },
        { ENAMETOOLONG, GRPC_INVALID_ARGUMENT },
        { ETIMEDOUT, GRPC_DEADLINE_EXCEEDED },
        { ENOENT, GRPC_NOT_FOUND },
        { EEXIST, GRPC_ALREADY_EXISTS },
        { EPERM, GRPC_PERMISSION_DENIED },
        { EACCES, GRPC_PERMISSION_DENIED },
        { ENOSPC, GRPC_RESOURCE_EXHAUSTED },
        { EDQUOT, GRPC_RESOURCE_EXHAUSTED },
        { ENOMEM, GRPC_RESOURCE_EXHAUSTED },
        { ENOBUFS, GRPC_RESOURCE_EXHAUSTED },
        { EMFILE, GRPC_RESOURCE_EXHAUSTED },
        { ENFILE, GRPC_RESOURCE_EXHAUSTED },
        { EMSGSIZE, GRPC_RESOURCE_EXHAUSTED },
        { EBUSY, GRPC_FAILED_PRECONDITION },
        { ESRCH, GRPC_FAILED_PRECONDITION },
        { ENOTEMPTY, GRPC_FAILED_PRECONDITION },
        { ERANGE, GRPC_OUT_OF_RANGE },
        { ENOSYS, GRPC_UNIMPLEMENTED },
        { EOPNOTSUPP, GRPC_UNIMPLEMENTED },
        { EPROTO, GRPC_INTERNAL },
        { EAGAIN, GRPC_UNAVAILABLE },
        { EHOSTDOWN, GRPC_UNAVAILABLE },
        { ECONNREFUSED, GRPC_UNAVAILABLE },
        { EBADMSG, GRPC_DATA_LOSS },
};

const char *grpc_code_name(enum grpc_code code) {
        return (size_t)code < ELEMENTS(code_names) ? code_names[code] : "Unknown";
}

enum grpc_code grpc_code_from_errno(int error) {
        for (size_t i = 0; i < ELEMENTS(errors); i++)
                if (errors[i].error == error)
                        return errors[i].code;
        return GRPC_UNKNOWN;
}

int grpc_code_to_errno(enum grpc_code code) {
        for (size_t i = 0; i < ELEMENTS(errors); i++)
                if (errors[i].code == code)
                        return errors[i].error;
        return EPROTO;
}

char *grpc_message_encode(const char *text) {
        static const char hex[] = "0123456789ABCDEF";
        size_t n = strnlen(text, GRPC_TEXT_MAX);
        char *out = malloc(n * 3 + 1), *o = out;

        if (!out)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)text[i];

                if (c >= 0x20 && c <= 0x7e && c != '%') {
                        *o++ = (char)c;
                        continue;
                }
                *o++ = '%';
                *o++ = hex[c >> 4];
                *o++ = hex[c & 15];
        }
        *o = '\0';
        return out;
}

char *grpc_message_decode(const char *value, size_t size) {
        char *out = malloc(size + 1), *o = out;

        if (!out)
                return NULL;
        for (size_t i = 0; i < size; i++) {
                int high = i + 2 < size && value[i] == '%' ? hex_digit(value[i + 1]) : -1;
                int low = high >= 0 ? hex_digit(value[i + 2]) : -1;

                if (low < 0) {
                        *o++ = value[i];
                        continue;
                }
                *o++ = (char)(high << 4 | low);
                i += 2;
        }
        *o = '\0';
        return out;
}

int grpc_timeout_parse(const char *value, size_t size, uint64_t *ret_ms) {
        static const struct {
                char unit;
                uint64_t multiply, divide;
        } units[] = {
                { 'H', 3600000, 1 }, { 'M', 60000, 1 }, { 'S', 1000, 1 },
                { 'm', 1, 1 },       { 'u', 1, 1000 },  { 'n', 1, 1000000 },
        };
        uint64_t n = 0;

        if (size < 2 || size > 9) /* at most 8 digits, and the unit */
                return -EINVAL;
        for (size_t i = 0; i < size - 1; i++) {
                if (value[i] < '0' || value[i] > '9')
                        return -EINVAL;
                n = n * 10 + (uint64_t)(value[i] - '0');
        }
        for (size_t i = 0; i < ELEMENTS(units); i++)
                if (units[i].unit == value[size - 1]) {
                        *ret_ms = (n * units[i].multiply + units[i].divide - 1) / units[i].divide;
                        return 0;
                }
        return -EINVAL;
}

int grpc_pack(const ProtobufCMessage *message, struct bytes **ret_bytes) {
        size_t size = protobuf_c_message_get_packed_size(message);
        struct bytes *bytes;

        if (size > GRPC_MESSAGE_MAX)
                return -EMSGSIZE;
        bytes = bytes_new(GRPC_PREFIX_SIZE + size);
        if (!bytes)
                return -ENOMEM;
        bytes->data[0] = 0;
        for (int i = 0; i < 4; i++)
                bytes->data[1 + i] = (uint8_t)(size >> (24 - 8 * i));
        protobuf_c_message_pack(message, bytes->data + GRPC_PREFIX_SIZE);
        *ret_bytes = bytes;
        return 0;
}

struct unpacking {
        struct arena *arena;
        bool full;
        bool no_memory;
};

static void *unpack_alloc(void *data, size_t size) {
        struct unpacking *unpacking = data;
        void *p;

        if (size > GRPC_UNPACKED_MAX || arena_size(unpacking->arena) + size > GRPC_UNPACKED_MAX) {
                unpacking->full = true;
                return NULL;
        }
        p = arena_alloc(unpacking->arena, size);
        unpacking->no_memory |= !p;
        return p;
}

static void unpack_free(void *data, void *memory) {
}

static bool strings_valid(const ProtobufCMessage *message);

static bool element_valid(const ProtobufCFieldDescriptor *field, const void *const *element) {
        if (!*element)
                return true;
        if (field->type == PROTOBUF_C_TYPE_STRING)
                return utf8_valid(*element, strlen(*element));
        return strings_valid(*element);
}

static bool field_valid(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field) {
        const char *base = (const char *)message;
        const void *const *values = (const void *const *)(const void *)(base + field->offset);
        size_t n;

        if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE)
                return true;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
                n = *(const size_t *)(const void *)(base + field->quantifier_offset);
                values = *values;
                for (size_t i = 0; i < n; i++)
                        if (!element_valid(field, &values[i]))
                                return false;
                return true;
        }
        if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
            *(const uint32_t *)(const void *)(base + field->quantifier_offset) != field->id)
                return true;
        return element_valid(field, values);
}

/* protobuf-c leaves to the caller what proto3 asks of strings and numbers; Go clients refuse to read back what is not
 * UTF-8. */
static bool strings_valid(const ProtobufCMessage *message) {
        for (unsigned i = 0; i < message->n_unknown_fields; i++)
                if (message->unknown_fields[i].tag == 0) /* no field has this number; it would not pack again */
                        return false;
        for (unsigned i = 0; i < message->descriptor->n_fields; i++)
                if (!field_valid(message, &message->descriptor->fields[i]))
                        return false;
        return true;
}

int grpc_unpack_into(struct arena *arena, const ProtobufCMessageDescriptor *type, const void *data, size_t size,
                     ProtobufCMessage **ret_message) {
        struct unpacking unpacking = { .arena = arena };
        ProtobufCAllocator allocator = { .alloc = unpack_alloc, .free = unpack_free, .allocator_data = &unpacking };
        ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, size, data);

        if (!message || !strings_valid(message))
                return unpacking.no_memory ? -ENOMEM : unpacking.full ? -ENOBUFS : -EBADMSG;
        *ret_message = message;
        return 0;
}

int grpc_unpack(const ProtobufCMessageDescriptor *type, const void *data, size_t size,
                struct grpc_unpacked *ret_message) {
        struct arena *arena = arena_new();
        ProtobufCMessage *message;
        int r = arena ? grpc_unpack_into(arena, type, data, size, &message) : -ENOMEM;

        if (r < 0) {
                arena_free(arena);
                return r;
        }
        *ret_message = (struct grpc_unpacked){ .message = message, .arena = arena };
        return 0;
}

void grpc_unpacked_free(struct grpc_unpacked *message) {
        message->arena = arena_free(message->arena);
        message->message = NULL;
}

/* With what came, not with what is announced. */
static int reader_grow(struct grpc_reader *reader, size_t more) {
        return GROW(reader->data, reader->allocated, reader->filled + more, reader->size);
}

static int reader_check_prefix(struct grpc_reader *reader, size_t max) {
        const uint8_t *p = reader->prefix;

        if (p[0] > 1)
                return -EPROTO;
        if (p[0] == 1)
                return -ENOTSUP;
        reader->size = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
        return reader->size > max ? -EMSGSIZE : 0;
}

int grpc_reader_feed(struct grpc_reader *reader, const uint8_t **data, size_t *size, size_t max) {
        size_t n;
        int r;

        while (reader->n_prefix < GRPC_PREFIX_SIZE) {
                if (*size == 0)
                        return 0;
                reader->prefix[reader->n_prefix++] = *(*data)++;
                (*size)--;
                if (reader->n_prefix == GRPC_PREFIX_SIZE && (r = reader_check_prefix(reader, max)) < 0)
                        return r;
        }
        n = reader->size - reader->filled < *size ? reader->size - reader->filled : *size;
        if (n > 0) {
                r = reader_grow(reader, n);
                if (r < 0)
                        return r;
                memcpy(reader->data + reader->filled, *data, n);
                reader->filled += n;
                *data += n;
                *size -= n;
        }
        return reader->filled == reader->size;
}

void grpc_reader_next(struct grpc_reader *reader) {
        grpc_reader_free(reader);
}

void grpc_reader_free(struct grpc_reader *reader) {
        free(reader->data);
        *reader = (struct grpc_reader){};
}
