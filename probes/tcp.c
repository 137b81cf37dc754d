/* TCP probes: a connection that comes about is a success. */
#include "lib/transport/transport.h"
#include "probes/internal.h"

static void on_opened(void *data) {
        probe_finish(data, PROBE_SUCCESS, "%s", "");
}

static void on_closed(void *data, int error, const char *why) {
        struct probe *probe = data;

        probe->stream = NULL;
        if (error < 0)
                probe_tcp_failed(probe, error);
        probe_release(probe);
}

/* What comes is not asked for; the probe has ended before it could. */
static void on_received(void *data, uint8_t *bytes, size_t n) {
}

static void on_ended(void *data) {
}

int probe_tcp_connect(struct probe *probe) {
        static const struct transport_events events = {
                .opened = on_opened, .received = on_received, .ended = on_ended, .closed = on_closed
        };
        const struct transport_target target = { .address = (struct sockaddr *)&probe->address,
                                                 .n_address = probe_set_port(probe) };
        int r = transport_connect(probe->loop, &target, &events, probe, &probe->stream);

        if (r == 0)
                probe_hold(probe); /* the stream's */
        return r;
}

void probe_tcp_failed(struct probe *probe, int error) {
        char text[PROBE_ENDPOINT_MAX];

        probe_finish(probe, PROBE_FAILURE, "dial tcp %s: connect: %s", probe_endpoint(probe, text), uv_strerror(error));
}

void probe_tcp_stop(struct probe *probe) {
        if (probe->stream)
                transport_close(probe->stream, 0);
}
