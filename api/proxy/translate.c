/* WebSocket's v5.channel.k8s.io as SPDY/3.1's v4.channel.k8s.io, for kubelets that know no other: a channel is a
 * stream, by its name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/proxy/relay.h"
#include "api/proxy/socket.h"
#include "api/server/request.h"
#include "lib/cleanup.h"
#include "lib/http/client.h"
#include "lib/stream/spdy.h"
#include "lib/stream/websocket.h"

#define PROTOCOL "v5.channel.k8s.io"
#define CHANNEL_CLOSE 255 /* the channel in the byte behind it has ended */

enum channel { CHANNEL_IN, CHANNEL_OUT, CHANNEL_ERR, CHANNEL_STATUS, CHANNEL_RESIZE, CHANNELS };

static const char *const names[CHANNELS] = { "stdin", "stdout", "stderr", "error", "resize" };

struct translation {
        struct websocket_decoder decoder;
        struct spdy spdy;
        int channel;                /* of the client's message under way; -1: before its first byte */
        uint32_t streams[CHANNELS]; /* 0: there is none */
        bool ended[CHANNELS];
        bool finished; /* the client has its close frame */
};

/* --- to the client --- */

static void send_channel(struct proxy_relay *relay, enum channel channel, const void *data, size_t n) {
        const uint8_t first = (uint8_t)channel;

        proxy_socket_send(relay, WEBSOCKET_BINARY, &first, 1, data, n);
}

/* All was said: both sides close. */
static void finish(struct proxy_relay *relay, enum websocket_code code) {
        struct translation *t = relay->state;

        if (t->finished)
                return;
        t->finished = true;
        proxy_socket_finish(relay, code);
}

/* --- to the node --- */

static void send_data(struct proxy_relay *relay, enum channel channel, const void *data, size_t n, uint8_t flags) {
        struct translation *t = relay->state;
        uint8_t head[SPDY_DATA_HEADER_SIZE];
        const struct iovec ranges[] = { { head, sizeof(head) }, { (void *)(uintptr_t)data, n } };

        if (t->streams[channel] == 0 || t->finished)
                return;
        spdy_data_header(head, t->streams[channel], flags, (uint32_t)n);
        proxy_relay_up_ranges(relay, ranges, n > 0 ? 2 : 1);
}

static bool is_wanted(struct api_request *r, enum channel channel) {
        bool tty = proxy_ask_bool(r, "tty");

        switch (channel) {
        case CHANNEL_STATUS:
                return true;
        case CHANNEL_RESIZE:
                return tty;
        case CHANNEL_ERR:
                return proxy_ask_bool(r, "stderr") && !tty;
        default:
                return proxy_ask_bool(r, names[channel]);
        }
}

/* The error stream comes first, as from others. */
static void open_streams(struct proxy_relay *relay) {
        static const enum channel order[] = { CHANNEL_STATUS, CHANNEL_IN, CHANNEL_OUT, CHANNEL_ERR, CHANNEL_RESIZE };
        struct translation *t = relay->state;
        uint8_t frame[SPDY_REPLY_MAX];
        uint32_t stream = 1;

        for (size_t i = 0; i < ELEMENTS(order); i++) {
                const char *const headers[][2] = { { "streamtype", names[order[i]] } };

                t->ended[order[i]] = !is_wanted(relay->r, order[i]);
                if (t->ended[order[i]])
                        continue;
                t->streams[order[i]] = stream;
                proxy_relay_up(relay, frame, spdy_syn_stream(&t->spdy, stream, headers, 1, frame, sizeof(frame)));
                stream += 2;
        }
}

/* --- the tunnel --- */

static int translate_ask(struct proxy_relay *relay, struct http_client_request *request) {
        static const struct http_field fields[] = { { "x-stream-protocol-version", "v4.channel.k8s.io" } };

        request->method = "POST";
        request->upgrade = "SPDY/3.1";
        request->fields = fields;
        request->n_fields = ELEMENTS(fields);
        return 0;
}

/* Clients wait for a first message, empty, before they take the tunnel for open. */
static void greet(struct proxy_relay *relay) {
        const struct translation *t = relay->state;

        send_channel(relay,
                     t->streams[CHANNEL_OUT] ? CHANNEL_OUT :
                     t->streams[CHANNEL_ERR] ? CHANNEL_ERR :
                                               CHANNEL_STATUS,
                     NULL, 0);
}

static void translate_head(struct proxy_relay *relay, const struct http_response *response) {
        struct translation *t;

        if (proxy_relay_refused(relay, response))
                return;
        relay->state = t = calloc(1, sizeof(*t));
        if (!t || spdy_init(&t->spdy) < 0)
                return proxy_relay_end(relay, -ENOMEM);
        t->channel = -1;
        open_streams(relay);
        if (proxy_relay_accept(relay, PROTOCOL))
                greet(relay);
}

static void take_message(struct proxy_relay *relay, const struct websocket_event *event) {
        struct translation *t = relay->state;
        const uint8_t *data = event->data;
        size_t n = event->size;

        if (event->begin)
                t->channel = -1;
        if (t->channel < 0 && n > 0) {
                t->channel = *data++;
                n--;
        }
        if (n == 0)
                return;
        if (t->channel == CHANNEL_IN || t->channel == CHANNEL_RESIZE)
                send_data(relay, (enum channel)t->channel, data, n, 0);
        else if (t->channel == CHANNEL_CLOSE && *data == CHANNEL_IN)
                send_data(relay, CHANNEL_IN, NULL, 0, SPDY_FIN);
}

static void translate_client(struct proxy_relay *relay, uint8_t *bytes, size_t n) {
        struct translation *t = relay->state;
        struct websocket_event event;
        int r = 0;

        while (t && !t->finished && (r = websocket_decode(&t->decoder, &bytes, &n, &event)) > 0) {
                if (event.opcode == WEBSOCKET_PING)
                        proxy_socket_send(relay, WEBSOCKET_PONG, NULL, 0, event.data, event.size);
                else if (event.opcode == WEBSOCKET_CLOSE)
                        finish(relay, WEBSOCKET_NORMAL);
                else if (event.opcode == WEBSOCKET_TEXT || event.opcode == WEBSOCKET_BINARY)
                        take_message(relay, &event);
        }
        if (r < 0)
                finish(relay, WEBSOCKET_PROTOCOL_ERROR);
}

/* A stream of the node's has ended; with the last of them all has. */
static void end_stream(struct proxy_relay *relay, enum channel channel) {
        struct translation *t = relay->state;

        t->ended[channel] = true;
        if (t->ended[CHANNEL_STATUS] && t->ended[CHANNEL_OUT] && t->ended[CHANNEL_ERR])
                finish(relay, WEBSOCKET_NORMAL);
}

static void take_event(struct proxy_relay *relay, const struct spdy_event *event) {
        struct translation *t = relay->state;
        uint8_t frame[SPDY_REPLY_MAX];

        if (event->kind == SPDY_PING)
                proxy_relay_up(relay, frame, spdy_ping(event->stream, frame));
        if (event->kind != SPDY_DATA && event->kind != SPDY_RESET)
                return;
        for (unsigned c = CHANNEL_OUT; c <= CHANNEL_STATUS; c++) {
                if (t->streams[c] == 0 || t->streams[c] != event->stream || t->ended[c])
                        continue;
                if (event->kind == SPDY_DATA && event->size > 0)
                        send_channel(relay, (enum channel)c, event->data, event->size);
                if (event->fin || event->kind == SPDY_RESET)
                        end_stream(relay, (enum channel)c);
                return;
        }
}

static const char broken[] =
        "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"Internal error occurred: the node has "
        "closed the connection\",\"reason\":\"InternalError\",\"details\":{\"causes\":[{\"message\":"
        "\"the node has closed the connection\"}]},\"code\":500}";

static void break_off(struct proxy_relay *relay) {
        const struct translation *t = relay->state;

        if (!t->finished && !t->ended[CHANNEL_STATUS])
                send_channel(relay, CHANNEL_STATUS, broken, sizeof(broken) - 1);
        finish(relay, WEBSOCKET_NORMAL);
}

static void translate_target(struct proxy_relay *relay, uint8_t *bytes, size_t n) {
        struct translation *t = relay->state;
        const uint8_t *at = bytes;
        struct spdy_event event;
        int r = 0;

        if (!t)
                return proxy_relay_down(relay, bytes, n);
        while (!t->finished && (r = spdy_decode(&t->spdy, &at, &n, &event)) > 0)
                take_event(relay, &event);
        if (r < 0)
                break_off(relay);
}

static void translate_target_ended(struct proxy_relay *relay, const struct http_fields *trailers) {
        if (relay->state)
                break_off(relay);
        else if (relay->down)
                http_end(relay->down, NULL, 0);
}

static void translate_client_ended(struct proxy_relay *relay, const struct http_fields *trailers) {
        if (relay->state)
                finish(relay, WEBSOCKET_NORMAL);
}

static void translate_free(struct proxy_relay *relay) {
        struct translation *t = relay->state;

        if (t)
                spdy_done(&t->spdy);
        free(t);
}

const struct proxy_relay_form proxy_translate_form = {
        .ask = translate_ask,
        .head = translate_head,
        .from_target = translate_target,
        .from_client = translate_client,
        .target_ended = translate_target_ended,
        .client_ended = translate_client_ended,
        .free = translate_free,
};
