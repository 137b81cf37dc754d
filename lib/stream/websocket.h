/* WebSocket frames (RFC 6455), for servers and clients: taken apart as they come, without holding a message in memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEBSOCKET_HEADER_MAX 14
#define WEBSOCKET_CONTROL_MAX 125 /* bytes of a control frame's payload */
#define WEBSOCKET_ACCEPT_LENGTH 28

/* The longest frame taken; a sender of more is broken or hostile. */
#define WEBSOCKET_FRAME_MAX (32u << 20)

enum websocket_opcode {
        WEBSOCKET_CONTINUATION = 0,
        WEBSOCKET_TEXT = 1,
        WEBSOCKET_BINARY = 2,
        WEBSOCKET_CLOSE = 8,
        WEBSOCKET_PING = 9,
        WEBSOCKET_PONG = 10,
};

/* Why a connection is closed (RFC 6455, 7.4.1): the first two bytes of a close frame. */
enum websocket_code {
        WEBSOCKET_NORMAL = 1000,
        WEBSOCKET_PROTOCOL_ERROR = 1002,
        WEBSOCKET_TOO_BIG = 1009,
        WEBSOCKET_INTERNAL_ERROR = 1011,
};

/* Zeroed but for @client is a decoder at its beginning. */
struct websocket_decoder {
        bool client; /* this side is a client: frames come unmasked */
        uint8_t header[WEBSOCKET_HEADER_MAX];
        uint8_t n_header;
        bool in_payload, fin;
        bool in_message;        /* between the frames of a fragmented one */
        bool begin;             /* the next piece of data begins its message */
        uint8_t opcode;         /* of the frame */
        uint8_t message_opcode; /* of the data message under way */
        uint8_t mask[4];
        uint64_t left, at; /* bytes of the payload to come; of it seen */
        uint8_t control[WEBSOCKET_CONTROL_MAX];
};

/* A piece of a data message, or a whole control frame. */
struct websocket_event {
        enum websocket_opcode opcode; /* of the message: never WEBSOCKET_CONTINUATION */
        bool begin, end;              /* the message's first, last piece */
        const uint8_t *data;          /* within the input, or the decoder for control frames */
        size_t size;                  /* may be 0 */
};

/* Takes bytes from *@data, which it unmasks in place, and moves *@data and *@size past them. Returns 1 with an event; 0
 * when more bytes are needed; -EPROTO for what RFC 6455 forbids; -EMSGSIZE past WEBSOCKET_FRAME_MAX. */
int websocket_decode(struct websocket_decoder *decoder, uint8_t **data, size_t *size,
                     struct websocket_event *ret_event);

/* Writes the header of a final frame of @size bytes; @mask is NULL for a server. Returns its length. */
size_t websocket_header(uint8_t ret_header[WEBSOCKET_HEADER_MAX], enum websocket_opcode opcode, uint64_t size,
                        const uint8_t mask[4]);

/* Masks or unmasks @size bytes in place; @at is how many of the payload came before. */
void websocket_mask(uint8_t *data, size_t size, const uint8_t mask[4], uint64_t at);

/* The Sec-WebSocket-Accept for a Sec-WebSocket-Key of @size bytes; ends with a NUL. */
void websocket_accept(const char *key, size_t size, char ret_accept[WEBSOCKET_ACCEPT_LENGTH + 1]);
