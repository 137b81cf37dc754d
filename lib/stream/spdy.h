/* SPDY/3.1 frames, as far as Kubernetes' exec, attach and port-forward use them: streams opened by the client with a
 * few headers, data both ways, half-close. Flow control is not part of it: its clients (moby/spdystream) have none.
 *
 * SPDY Protocol, Draft 3.1, section 2.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <zlib.h>

#define SPDY_CONTROL_MAX (16u << 10) /* bytes of a control frame */
#define SPDY_HEADERS_MAX (16u << 10) /* bytes of a frame's headers when decompressed */
#define SPDY_HEADERS_COUNT_MAX 32
#define SPDY_DATA_HEADER_SIZE 8
#define SPDY_REPLY_MAX 256 /* room for any frame written here */

#define SPDY_FIN 1 /* flag: the sender's half of the stream ends */

enum spdy_event_kind { SPDY_STREAM, SPDY_DATA, SPDY_RESET, SPDY_PING, SPDY_GOAWAY };

struct spdy_event {
        enum spdy_event_kind kind;
        uint32_t stream;     /* PING: its id */
        bool fin;            /* STREAM, DATA: the client sends nothing further there */
        const uint8_t *data; /* DATA: a piece, in the input */
        size_t size;
};

struct spdy {
        z_stream inflate;  /* one context for all headers that come in; those that go out are not compressed */
        bool headers_sent; /* the first of them has zlib's own head in front */
        uint8_t head[8];
        uint8_t n_head;
        uint32_t left; /* of a data frame's payload */
        uint32_t stream;
        uint8_t flags;
        bool in_data, in_control;
        uint8_t *control; /* while one comes in */
        uint32_t control_size, control_filled;
        char *headers; /* of the last SPDY_STREAM, decompressed */
        struct {
                const char *name, *value;
        } fields[SPDY_HEADERS_COUNT_MAX];
        unsigned n_fields;
};

/* Returns 0 or -ENOMEM. End with spdy_done(), also after a failure; zeroed memory is fine there. */
int spdy_init(struct spdy *spdy);
void spdy_done(struct spdy *spdy);

/* Takes bytes from *@data and moves *@data and *@size past them. Returns 1 with an event, 0 when more bytes are needed,
 * -EPROTO for what is no SPDY/3.1, -EMSGSIZE past a maximum, -ENOMEM. */
int spdy_decode(struct spdy *spdy, const uint8_t **data, size_t *size, struct spdy_event *ret_event);

/* The value of header @name (lower case) of the last SPDY_STREAM; NULL when it has none. Valid until spdy_decode(). */
const char *spdy_header(const struct spdy *spdy, const char *name);

/* The head of a data frame with @size bytes behind it. */
void spdy_data_header(uint8_t ret_head[SPDY_DATA_HEADER_SIZE], uint32_t stream, uint8_t flags, uint32_t size);

/* Whole frames, written to @ret_frame; each returns the length. */
size_t spdy_syn_reply(struct spdy *spdy, uint32_t stream, uint8_t ret_frame[SPDY_REPLY_MAX]);
size_t spdy_ping(uint32_t id, uint8_t ret_frame[SPDY_REPLY_MAX]);
size_t spdy_reset(uint32_t stream, uint32_t status, uint8_t ret_frame[SPDY_REPLY_MAX]);
size_t spdy_goaway(uint32_t last_stream, uint32_t status, uint8_t ret_frame[SPDY_REPLY_MAX]);

/* Clients: opens a stream with @n headers. Returns the length, 0 when it does not fit @room. */
size_t spdy_syn_stream(struct spdy *spdy, uint32_t stream, const char *const (*headers)[2], unsigned n,
                       uint8_t *ret_frame, size_t room);
