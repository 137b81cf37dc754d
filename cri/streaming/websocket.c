#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cri/streaming/internal.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/stream/websocket.h"

/* The first byte of a message; in version 5 this one says that the channel in the second byte has ended. */
#define CHANNEL_CLOSE 255

/* Output in base64 is encoded piece by piece. */
#define PIECE_MAX (48u << 10)

struct websocket_state {
        struct websocket_decoder decoder;
        struct base64_decoder base64;
        int channel; /* of the message under way; -1 before its first byte */
        size_t open; /* port-forward: channels that have not ended */
};

static void send_frame(struct stream_client *client, enum websocket_opcode opcode, const void *first, size_t n_first,
                       const void *data, size_t n) {
        uint8_t header[WEBSOCKET_HEADER_MAX];
        const struct iovec ranges[] = { { header, websocket_header(header, opcode, n_first + n, NULL) },
                                        { (void *)(uintptr_t)first, n_first },
                                        { (void *)(uintptr_t)data, n } };

        streaming_client_send(client, ranges, ELEMENTS(ranges));
}

static enum websocket_code close_code(int error) {
        switch (error) {
        case 0:
                return WEBSOCKET_NORMAL;
        case -EMSGSIZE:
                return WEBSOCKET_TOO_BIG;
        case -ENOMEM:
                return WEBSOCKET_INTERNAL_ERROR;
        default:
                return WEBSOCKET_PROTOCOL_ERROR;
        }
}

static void send_close(struct stream_client *client, int error) {
        enum websocket_code code = close_code(error);
        const uint8_t bytes[2] = { (uint8_t)(code >> 8), (uint8_t)(code & 255) };

        if (client->close_sent)
                return;
        client->close_sent = true;
        send_frame(client, WEBSOCKET_CLOSE, NULL, 0, bytes, sizeof(bytes));
}

static void send_base64(struct stream_client *client, uint32_t id, const uint8_t *data, size_t n) {
        char text[BASE64_LENGTH(PIECE_MAX) + 1], channel = (char)('0' + id);

        do {
                size_t piece = n < PIECE_MAX ? n : PIECE_MAX;

                base64_encode(data, piece, text);
                send_frame(client, WEBSOCKET_TEXT, &channel, 1, text, BASE64_LENGTH(piece));
                data += piece;
                n -= piece;
        } while (n > 0);
}

static void websocket_send(struct stream_client *client, uint32_t id, const void *data, size_t n) {
        uint8_t channel = (uint8_t)id;

        if (client->protocol->base64)
                return send_base64(client, id, data, n);
        send_frame(client, WEBSOCKET_BINARY, &channel, 1, data, n);
}

/* Channels have no end of their own towards the client: the close frame ends all. */
static void websocket_end(struct stream_client *client, uint32_t id) {
}

static void websocket_finish(struct stream_client *client, int error) {
        send_close(client, error);
}

static int state_new(struct stream_client *client) {
        struct websocket_state *state = calloc(1, sizeof(*state));

        if (!state)
                return -ENOMEM;
        state->channel = -1;
        client->wire_state = state;
        return 0;
}

/* Clients wait for a first message, empty, before they take the stream for open. */
static int websocket_begin(struct stream_client *client) {
        const struct streaming_request *request = &client->session->request;

        if (state_new(client) < 0)
                return -ENOMEM;
        if (request->out || request->err)
                websocket_send(client, request->out ? CHANNEL_OUT : CHANNEL_ERR, "", 0);
        streaming_session_start(client->session);
        return 0;
}

static void wire_done(struct stream_client *client) {
        free(TAKE_PTR(client->wire_state));
}

static void give_input(struct stream_client *client, int channel, const void *data, size_t n) {
        if (n == 0)
                return;
        if (client->session->request.kind == STREAMING_PORT_FORWARD)
                streaming_forward_input(client->session, (uint32_t)channel + 1, data, n);
        else if (channel == CHANNEL_IN)
                streaming_session_input(client->session, data, n);
        else if (channel == CHANNEL_RESIZE)
                streaming_session_resize(client->session, data, n);
        else if (channel == CHANNEL_CLOSE && client->protocol->version >= 5 && *(const uint8_t *)data == CHANNEL_IN)
                streaming_session_input_end(client->session);
}

/* A piece of a message. */
static int on_message(struct stream_client *client, const struct websocket_event *event) {
        struct websocket_state *state = client->wire_state;
        const uint8_t *data = event->data;
        size_t n = event->size;
        int64_t decoded;

        if (event->begin) {
                state->channel = -1;
                state->base64 = (struct base64_decoder){};
        }
        if (state->channel < 0 && n > 0) {
                state->channel = client->protocol->base64 ? *data - '0' : *data;
                data++;
                n--;
        }
        if (!client->protocol->base64) {
                give_input(client, state->channel, data, n);
                return 0;
        }
        decoded = base64_decode(&state->base64, data, n, (uint8_t *)(uintptr_t)data);
        if (decoded < 0)
                return (int)decoded;
        give_input(client, state->channel, data, (size_t)decoded);
        return 0;
}

static int on_event(struct stream_client *client, const struct websocket_event *event,
                    int (*message)(struct stream_client *client, const struct websocket_event *event)) {
        switch (event->opcode) {
        case WEBSOCKET_PING:
                send_frame(client, WEBSOCKET_PONG, NULL, 0, event->data, event->size);
                return 0;
        case WEBSOCKET_CLOSE:
                if (event->size == 1) /* half a code */
                        return -EPROTO;
                streaming_client_fail(client, 0);
                return 0;
        case WEBSOCKET_TEXT:
        case WEBSOCKET_BINARY:
                return message(client, event);
        default:
                return 0;
        }
}

static int receive(struct stream_client *client, struct websocket_decoder *decoder, uint8_t *data, size_t n,
                   int (*message)(struct stream_client *client, const struct websocket_event *event)) {
        struct websocket_event event;
        int r;

        while ((r = websocket_decode(decoder, &data, &n, &event)) > 0) {
                r = on_event(client, &event, message);
                if (r < 0 || client->finishing)
                        break;
        }
        return r < 0 ? r : 0;
}

static int websocket_receive(struct stream_client *client, uint8_t *data, size_t n) {
        struct websocket_state *state = client->wire_state;

        return receive(client, &state->decoder, data, n, on_message);
}

const struct wire streaming_websocket_wire = {
        .begin = websocket_begin,
        .receive = websocket_receive,
        .send = websocket_send,
        .end = websocket_end,
        .finish = websocket_finish,
        .done = wire_done,
};

static void forward_send(struct stream_client *client, uint32_t stream, const void *data, size_t n) {
        websocket_send(client, stream - 1, data, n);
}

/* Nothing says that a channel has ended; the connection ends with the last of them. */
static void forward_end(struct stream_client *client, uint32_t stream) {
        struct websocket_state *state = client->wire_state;

        if (--state->open > 0)
                return;
        send_close(client, 0);
        streaming_client_finish(client);
}

/* Connects to the @i-th port, whose channels begin with its number. */
static int forward_port(struct stream_client *client, uint32_t i) {
        struct streaming_session *session = client->session;
        uint16_t port = (uint16_t)session->request.ports[i];
        const uint8_t bytes[2] = { (uint8_t)(port & 255), (uint8_t)(port >> 8) };
        char text[8], id[16];
        int r;

        snprintf(text, sizeof(text), "%u", port);
        snprintf(id, sizeof(id), "%u", i);
        forward_send(client, 2 * i + 1, bytes, sizeof(bytes));
        forward_send(client, 2 * i + 2, bytes, sizeof(bytes));
        r = streaming_forward_stream(session, 2 * i + 1, false, text, id);
        return r < 0 ? r : streaming_forward_stream(session, 2 * i + 2, true, text, id);
}

static int forward_begin(struct stream_client *client) {
        const struct streaming_request *request = &client->session->request;
        struct websocket_state *state;
        int r = state_new(client);

        if (r < 0)
                return r;
        state = client->wire_state;
        state->open = 2 * request->n_ports + 1; /* and one that ends when all were begun */
        streaming_session_start(client->session);
        for (size_t i = 0; i < request->n_ports; i++)
                if ((r = forward_port(client, (uint32_t)i)) < 0)
                        return r;
        forward_end(client, 0);
        return 0;
}

const struct wire streaming_websocket_forward_wire = {
        .begin = forward_begin,
        .receive = websocket_receive,
        .send = forward_send,
        .end = forward_end,
        .finish = websocket_finish,
        .done = wire_done,
};

void streaming_tunnel_write(struct stream_client *client, const void *head, size_t n_head, const void *data, size_t n) {
        uint8_t header[WEBSOCKET_HEADER_MAX];
        size_t n_header = client->tunnel ? websocket_header(header, WEBSOCKET_BINARY, n_head + n, NULL) : 0;
        const struct iovec ranges[] = { { header, n_header },
                                        { (void *)(uintptr_t)head, n_head },
                                        { (void *)(uintptr_t)data, n } };

        streaming_client_send(client, ranges, ELEMENTS(ranges));
}

static int tunnel_begin(struct stream_client *client) {
        client->tunnel = calloc(1, sizeof(*client->tunnel));
        return client->tunnel ? streaming_spdy_wire.begin(client) : -ENOMEM;
}

static int on_tunnelled(struct stream_client *client, const struct websocket_event *event) {
        return streaming_spdy_wire.receive(client, (uint8_t *)(uintptr_t)event->data, event->size);
}

static int tunnel_receive(struct stream_client *client, uint8_t *data, size_t n) {
        return receive(client, client->tunnel, data, n, on_tunnelled);
}

static void tunnel_send(struct stream_client *client, uint32_t id, const void *data, size_t n) {
        streaming_spdy_wire.send(client, id, data, n);
}

static void tunnel_end(struct stream_client *client, uint32_t id) {
        streaming_spdy_wire.end(client, id);
}

static void tunnel_finish(struct stream_client *client, int error) {
        streaming_spdy_wire.finish(client, error);
        send_close(client, error);
}

static void tunnel_done(struct stream_client *client) {
        streaming_spdy_wire.done(client);
}

const struct wire streaming_tunnel_wire = {
        .begin = tunnel_begin,
        .receive = tunnel_receive,
        .send = tunnel_send,
        .end = tunnel_end,
        .finish = tunnel_finish,
        .done = tunnel_done,
};
