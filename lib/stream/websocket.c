#include "lib/stream/websocket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/sha1.h"

#define KEY_MAX 64

static size_t header_length(const struct websocket_decoder *d) {
        uint8_t length = d->header[1] & 127;

        if (d->n_header < 2)
                return 2;
        return (length == 127 ? 10u : length == 126 ? 4u : 2u) + (d->header[1] & 128 ? 4u : 0u);
}

static bool is_control(uint8_t opcode) {
        return opcode >= WEBSOCKET_CLOSE;
}

static int check_opcode(struct websocket_decoder *d) {
        switch (d->opcode) {
        case WEBSOCKET_CONTINUATION:
                return d->in_message ? 0 : -EPROTO;
        case WEBSOCKET_TEXT:
        case WEBSOCKET_BINARY:
                if (d->in_message)
                        return -EPROTO;
                d->message_opcode = d->opcode;
                d->begin = true;
                return 0;
        case WEBSOCKET_CLOSE:
        case WEBSOCKET_PING:
        case WEBSOCKET_PONG:
                return d->fin && d->left <= WEBSOCKET_CONTROL_MAX ? 0 : -EPROTO;
        default:
                return -EPROTO;
        }
}

/* The header is complete. */
static int begin_payload(struct websocket_decoder *d) {
        const uint8_t *h = d->header;
        uint8_t length = h[1] & 127;
        bool masked = h[1] & 128;
        int bytes = length == 127 ? 8 : length == 126 ? 2 : 0;

        if (h[0] & 0x70 || masked == d->client) /* extensions are not negotiated; only clients mask */
                return -EPROTO;
        d->left = bytes ? 0 : length;
        for (int i = 0; i < bytes; i++)
                d->left = d->left << 8 | h[2 + i];
        if (d->left > WEBSOCKET_FRAME_MAX)
                return -EMSGSIZE;
        memset(d->mask, 0, sizeof(d->mask));
        if (masked)
                memcpy(d->mask, h + 2 + bytes, 4);
        d->fin = h[0] & 128;
        d->opcode = h[0] & 15;
        d->at = 0;
        d->n_header = 0;
        d->in_payload = true;
        return check_opcode(d);
}

static int take_control(struct websocket_decoder *d, const uint8_t *data, size_t n, struct websocket_event *ret_event) {
        memcpy(d->control + d->at, data, n);
        d->at += n;
        d->left -= n;
        if (d->left > 0)
                return 0;
        d->in_payload = false;
        *ret_event = (struct websocket_event){
                .opcode = d->opcode, .begin = true, .end = true, .data = d->control, .size = d->at
        };
        return 1;
}

static int take_data(struct websocket_decoder *d, const uint8_t *data, size_t n, struct websocket_event *ret_event) {
        bool frame_ends = n == d->left;

        *ret_event = (struct websocket_event){
                .opcode = d->message_opcode, .begin = d->begin, .end = frame_ends && d->fin, .data = data, .size = n
        };
        d->begin = false;
        d->at += n;
        d->left -= n;
        d->in_payload = !frame_ends;
        if (frame_ends)
                d->in_message = !d->fin;
        return 1;
}

int websocket_decode(struct websocket_decoder *d, uint8_t **data, size_t *size, struct websocket_event *ret_event) {
        for (;;) {
                uint8_t *p = *data;
                size_t n;
                int r;

                while (!d->in_payload) {
                        if (*size == 0)
                                return 0;
                        d->header[d->n_header++] = *(*data)++;
                        (*size)--;
                        if (d->n_header >= 2 && d->n_header == header_length(d) && (r = begin_payload(d)) < 0)
                                return r;
                        p = *data;
                }
                if (*size == 0 && d->left > 0)
                        return 0;
                n = d->left < *size ? (size_t)d->left : *size;
                websocket_mask(p, n, d->mask, d->at);
                *data += n;
                *size -= n;
                r = is_control(d->opcode) ? take_control(d, p, n, ret_event) : take_data(d, p, n, ret_event);
                if (r != 0)
                        return r;
        }
}

size_t websocket_header(uint8_t ret_header[WEBSOCKET_HEADER_MAX], enum websocket_opcode opcode, uint64_t size,
                        const uint8_t mask[4]) {
        int bytes = size > 65535 ? 8 : size > 125 ? 2 : 0;
        size_t n = 2;

        ret_header[0] = (uint8_t)(0x80 | opcode);
        ret_header[1] = (uint8_t)((mask ? 0x80 : 0) | (bytes == 8 ? 127 : bytes == 2 ? 126 : (uint8_t)size));
        for (int i = 0; i < bytes; i++)
                ret_header[n++] = (uint8_t)(size >> (8 * (bytes - 1 - i)));
        if (mask) {
                memcpy(ret_header + n, mask, 4);
                n += 4;
        }
        return n;
}

void websocket_mask(uint8_t *data, size_t size, const uint8_t mask[4], uint64_t at) {
        uint8_t turned[sizeof(uint64_t)];
        uint64_t word, key;
        size_t i = 0;

        for (size_t k = 0; k < sizeof(turned); k++)
                turned[k] = mask[(at + k) & 3];
        memcpy(&key, turned, sizeof(key));
        for (; i + sizeof(word) <= size; i += sizeof(word)) {
                memcpy(&word, data + i, sizeof(word));
                word ^= key;
                memcpy(data + i, &word, sizeof(word));
        }
        for (; i < size; i++)
                data[i] ^= turned[i & 7];
}

void websocket_accept(const char *key, size_t size, char ret_accept[WEBSOCKET_ACCEPT_LENGTH + 1]) {
        char text[KEY_MAX + 40];
        uint8_t digest[SHA1_SIZE];
        int n;

        if (size > KEY_MAX)
                size = KEY_MAX;
        n = snprintf(text, sizeof(text), "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", (int)size, key);
        sha1(text, (size_t)n, digest);
        base64_encode(digest, sizeof(digest), ret_accept);
}
