/* What gRPC servers and clients share: status codes, message framing, the encoding of status texts, time-outs.
 *
 * Wire format: "gRPC over HTTP2" (grpc/doc/PROTOCOL-HTTP2.md). Codes: grpc/doc/statuscodes.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

/* The longest message taken or sent, in bytes: what kubelet and crictl use on the CRI socket. */
#define GRPC_MESSAGE_MAX (16u << 20)

/* The most memory that one received message may take when unpacked; its wire form can be far smaller. */
#define GRPC_UNPACKED_MAX (64u << 20)

/* The longest status text sent or kept, in bytes before percent-encoding; what is longer is cut. */
#define GRPC_TEXT_MAX 4096

/* Bytes in front of each message: the compressed flag and the length. */
#define GRPC_PREFIX_SIZE 5

struct arena;
struct bytes;

enum grpc_code {
        GRPC_OK = 0,
        GRPC_CANCELLED = 1,
        GRPC_UNKNOWN = 2,
        GRPC_INVALID_ARGUMENT = 3,
        GRPC_DEADLINE_EXCEEDED = 4,
        GRPC_NOT_FOUND = 5,
        GRPC_ALREADY_EXISTS = 6,
        GRPC_PERMISSION_DENIED = 7,
        GRPC_RESOURCE_EXHAUSTED = 8,
        GRPC_FAILED_PRECONDITION = 9,
        GRPC_ABORTED = 10,
        GRPC_OUT_OF_RANGE = 11,
        GRPC_UNIMPLEMENTED = 12,
        GRPC_INTERNAL = 13,
        GRPC_UNAVAILABLE = 14,
        GRPC_DATA_LOSS = 15,
        GRPC_UNAUTHENTICATED = 16,
};

/* The name clients print, "NotFound"; "Code(99)" forms are "Unknown". */
const char *grpc_code_name(enum grpc_code code);

/* The code for a positive errno (ENOENT is NOT_FOUND); UNKNOWN for what the table lacks, OK for 0. */
enum grpc_code grpc_code_from_errno(int error);

/* The errno for a code, the table's inverse; EPROTO for what it lacks. */
int grpc_code_to_errno(enum grpc_code code);

/* Percent-encodes @text (cut at GRPC_TEXT_MAX bytes) as grpc-message wants it. Returns a string to free, or NULL
 * without memory. */
char *grpc_message_encode(const char *text);

/* Decodes @size bytes of a grpc-message value; what is no valid escape is kept as it is. NULL without memory. */
char *grpc_message_decode(const char *value, size_t size);

/* Reads a grpc-timeout value ("100m", "5S"). Returns 0, or -EINVAL. Milliseconds are rounded up. */
int grpc_timeout_parse(const char *value, size_t size, uint64_t *ret_ms);

/* Packs @message behind its prefix. Returns 0 with a reference, -ENOMEM, or -EMSGSIZE past GRPC_MESSAGE_MAX. */
int grpc_pack(const ProtobufCMessage *message, struct bytes **ret_bytes);

/* A message unpacked into one arena, freed by grpc_unpacked_free(); .message is NULL when there is none. */
struct grpc_unpacked {
        ProtobufCMessage *message;
        struct arena *arena;
};

/* Unpacks @size bytes as @type. Returns 0, -EBADMSG when they are no such message or a string in it is not UTF-8
 * (proto3), -ENOBUFS when it would take more than GRPC_UNPACKED_MAX, or -ENOMEM. */
int grpc_unpack(const ProtobufCMessageDescriptor *type, const void *data, size_t size,
                struct grpc_unpacked *ret_message);

/* The same, into @arena, which holds what was made of it also after a failure. */
int grpc_unpack_into(struct arena *arena, const ProtobufCMessageDescriptor *type, const void *data, size_t size,
                     ProtobufCMessage **ret_message);

void grpc_unpacked_free(struct grpc_unpacked *message);

/* Takes a byte stream apart into messages. Zeroed memory is a reader at its beginning. */
struct grpc_reader {
        uint8_t prefix[GRPC_PREFIX_SIZE];
        uint8_t n_prefix;
        uint8_t *data;
        size_t size, filled, allocated;
};

/* Takes bytes from *@data up to the end of one message, and moves *@data and *@size past them.
 * Returns 1 when a message is complete: it is in reader->data (reader->size bytes) until grpc_reader_next();
 * 0 when more bytes are needed; -EMSGSIZE past @max; -ENOTSUP for a compressed message; -EPROTO for an
 * impossible flag; -ENOMEM. Memory grows with the bytes received, not with the length announced. */
int grpc_reader_feed(struct grpc_reader *reader, const uint8_t **data, size_t *size, size_t max);

/* Forgets the complete message. */
void grpc_reader_next(struct grpc_reader *reader);

/* In the middle of a message: the stream must not end here. */
static inline bool grpc_reader_partial(const struct grpc_reader *reader) {
        return reader->n_prefix > 0;
}

void grpc_reader_free(struct grpc_reader *reader);
