#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cri/streaming/internal.h"
#include "lib/cleanup.h"
#include "lib/stream/spdy.h"

/* A data frame's length has 24 bits; what is sent at once is far below it. */
#define DATA_MAX (1u << 20)

#define REFUSED_STREAM 3 /* RST_STREAM's status (SPDY 3.1, 2.6.3) */
#define PROTOCOL_ERROR 1 /* GOAWAY's (2.6.6) */

struct spdy_state {
        struct spdy spdy;
        uint32_t streams[CHANNELS]; /* exec and attach: a channel's stream, 0 when there is none */
        uint32_t last;
};

static void write_frame(struct stream_client *client, const void *data, size_t n) {
        streaming_tunnel_write(client, data, n, "", 0);
}

static int spdy_begin(struct stream_client *client) {
        struct spdy_state *state = calloc(1, sizeof(*state));
        int r = state ? spdy_init(&state->spdy) : -ENOMEM;

        if (r < 0 && state)
                spdy_done(&state->spdy);
        if (r < 0) {
                free(state);
                return r;
        }
        client->wire_state = state;
        if (client->session->request.kind == STREAMING_PORT_FORWARD)
                streaming_session_start(client->session);
        return 0;
}

static void wire_done(struct stream_client *client) {
        struct spdy_state *state = client->wire_state;

        if (!state)
                return;
        spdy_done(&state->spdy);
        free(TAKE_PTR(client->wire_state));
}

static void send_data(struct stream_client *client, uint32_t stream, const void *data, size_t n, uint8_t flags) {
        uint8_t head[SPDY_DATA_HEADER_SIZE];
        const char *p = data;

        do {
                size_t piece = n < DATA_MAX ? n : DATA_MAX;

                spdy_data_header(head, stream, piece == n ? flags : 0, (uint32_t)piece);
                streaming_tunnel_write(client, head, sizeof(head), p, piece);
                n -= piece;
                p += piece;
        } while (n > 0);
}

/* The stream that @id stands for. */
static uint32_t stream_of(struct stream_client *client, uint32_t id) {
        const struct spdy_state *state = client->wire_state;

        if (client->session && client->session->request.kind == STREAMING_PORT_FORWARD)
                return id;
        return id < CHANNELS ? state->streams[id] : 0;
}

static void spdy_send(struct stream_client *client, uint32_t id, const void *data, size_t n) {
        uint32_t stream = stream_of(client, id);

        if (stream != 0 && n > 0)
                send_data(client, stream, data, n, 0);
}

static void spdy_end(struct stream_client *client, uint32_t id) {
        uint32_t stream = stream_of(client, id);

        if (stream != 0)
                send_data(client, stream, "", 0, SPDY_FIN);
}

static void spdy_finish(struct stream_client *client, int error) {
        struct spdy_state *state = client->wire_state;
        uint8_t frame[SPDY_REPLY_MAX];

        write_frame(client, frame, spdy_goaway(state->last, error ? PROTOCOL_ERROR : 0, frame));
}

static const char *const channel_names[CHANNELS] = { "stdin", "stdout", "stderr", "error", "resize" };

static bool channel_wanted(const struct stream_client *client, enum channel channel) {
        const struct streaming_request *request = &client->session->request;

        switch (channel) {
        case CHANNEL_IN:
                return request->in;
        case CHANNEL_OUT:
                return request->out;
        case CHANNEL_ERR:
                return request->err && !request->tty;
        case CHANNEL_RESIZE:
                return request->tty && client->protocol->version >= 3;
        default:
                return true;
        }
}

/* A stream of a remote command. The command begins when all that are wanted are there. */
static int open_channel(struct stream_client *client, uint32_t stream, const char *type) {
        struct spdy_state *state = client->wire_state;
        unsigned channel = 0;

        while (channel < CHANNELS && strcmp(channel_names[channel], type) != 0)
                channel++;
        if (channel == CHANNELS || state->streams[channel] != 0)
                return -EPROTO;
        state->streams[channel] = stream;
        for (unsigned i = 0; i < CHANNELS; i++)
                if (channel_wanted(client, (enum channel)i) && state->streams[i] == 0)
                        return 0;
        if (!client->session->started)
                streaming_session_start(client->session);
        return 0;
}

static int on_stream(struct stream_client *client, const struct spdy_event *event) {
        struct spdy_state *state = client->wire_state;
        struct streaming_session *session = client->session;
        const char *type = spdy_header(&state->spdy, "streamtype");
        uint8_t frame[SPDY_REPLY_MAX];
        int r;

        if (!type || event->stream <= state->last)
                return -EPROTO;
        state->last = event->stream;
        if (session->request.kind == STREAMING_PORT_FORWARD && streaming_forwards_full(session)) {
                write_frame(client, frame, spdy_reset(event->stream, REFUSED_STREAM, frame));
                return 0;
        }
        write_frame(client, frame, spdy_syn_reply(&state->spdy, event->stream, frame));
        if (session->request.kind != STREAMING_PORT_FORWARD)
                return open_channel(client, event->stream, type);
        r = streaming_forward_stream(session, event->stream, strcmp(type, "error") == 0,
                                     spdy_header(&state->spdy, "port"), spdy_header(&state->spdy, "requestid"));
        if (r == 0 && event->fin)
                streaming_forward_input_end(session, event->stream);
        return r;
}

static void on_data(struct stream_client *client, const struct spdy_event *event) {
        struct spdy_state *state = client->wire_state;
        struct streaming_session *session = client->session;

        if (session->request.kind == STREAMING_PORT_FORWARD) {
                if (event->size > 0)
                        streaming_forward_input(session, event->stream, event->data, event->size);
                if (event->fin)
                        streaming_forward_input_end(session, event->stream);
        } else if (event->stream == state->streams[CHANNEL_IN]) {
                if (event->size > 0)
                        streaming_session_input(session, event->data, event->size);
                if (event->fin)
                        streaming_session_input_end(session);
        } else if (event->stream == state->streams[CHANNEL_RESIZE])
                streaming_session_resize(session, event->data, event->size);
}

static int on_event(struct stream_client *client, const struct spdy_event *event) {
        struct spdy_state *state = client->wire_state;
        uint8_t frame[SPDY_REPLY_MAX];

        switch (event->kind) {
        case SPDY_STREAM:
                return on_stream(client, event);
        case SPDY_DATA:
                on_data(client, event);
                return 0;
        case SPDY_RESET:
                if (client->session->request.kind == STREAMING_PORT_FORWARD)
                        streaming_forward_reset(client->session, event->stream);
                else if (event->stream == state->streams[CHANNEL_IN])
                        streaming_session_input_end(client->session);
                return 0;
        case SPDY_PING:
                if (event->stream & 1) /* the client's own, not an answer to one */
                        write_frame(client, frame, spdy_ping(event->stream, frame));
                return 0;
        case SPDY_GOAWAY:
                return 0;
        }
        return 0;
}

static int spdy_receive(struct stream_client *client, uint8_t *data, size_t n) {
        struct spdy_state *state = client->wire_state;
        const uint8_t *p = data;
        struct spdy_event event;
        int r;

        while ((r = spdy_decode(&state->spdy, &p, &n, &event)) > 0) {
                r = on_event(client, &event);
                if (r < 0 || client->finishing)
                        break;
        }
        return r < 0 ? r : 0;
}

const struct wire streaming_spdy_wire = {
        .begin = spdy_begin,
        .receive = spdy_receive,
        .send = spdy_send,
        .end = spdy_end,
        .finish = spdy_finish,
        .done = wire_done,
};
