#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "cri/streaming/internal.h"
#include "lib/handle.h"
#include "lib/http/exchange.h"
#include "lib/transport/transport.h"

/* Seconds without a sign of life before TCP asks for one. */
#define KEEP_ALIVE_SECONDS 60

static void maybe_free(struct streaming *streaming) {
        if (streaming->closing && streaming->n_clients == 0)
                free(streaming);
}

static void end_session(struct stream_client *client) {
        struct streaming_session *session = client->session;

        client->session = NULL;
        if (session)
                streaming_session_client_gone(session);
}

static void client_free(struct stream_client *client) {
        struct streaming *streaming = client->streaming;

        end_session(client);
        if (client->wire_state)
                client->protocol->wire->done(client);
        free(client->tunnel);
        handle_free(client->timer);
        LIST_REMOVE(client, link);
        streaming->n_clients--;
        free(client);
        maybe_free(streaming);
}

static void on_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct stream_client *client = http_data(x);
        int r;

        client->active = uv_now(client->streaming->loop);
        if (client->finishing)
                return;
        r = client->protocol->wire->receive(client, bytes, n);
        if (r < 0)
                streaming_client_fail(client, r);
}

/* Protocols have ends of their own: a client that ends its bytes without them has gone, unless it is over anyway. */
static void on_end(struct http_exchange *x, const struct http_fields *trailers) {
        struct stream_client *client = http_data(x);

        if (!client->finishing)
                streaming_client_reset(client, -ECANCELED);
}

static void on_drained(struct http_exchange *x) {
        struct stream_client *client = http_data(x);

        client->active = uv_now(client->streaming->loop);
        if (client->finishing)
                return streaming_client_set_timer(client, STREAMING_DRAIN_SECONDS);
        streaming_client_resume(client, CLIENT_OUTPUT_WAITS);
        if (client->session)
                streaming_session_drained(client->session);
}

static void on_closed(struct http_exchange *x, int error, const char *why) {
        client_free(http_data(x));
}

static void on_timer(uv_timer_t *timer) {
        struct stream_client *client = timer->data;
        uint64_t idle = uv_now(client->streaming->loop) - client->active, most = STREAMING_IDLE_SECONDS * 1000;

        if (!client->finishing && client->session && client->session->started && idle < most)
                uv_timer_start(timer, on_timer, most - idle, 0);
        else if (client->finishing && streaming_client_pending(client) == 0)
                streaming_client_reset(client, -ECANCELED); /* a slow reader may still fetch what the kernel has */
        else
                streaming_client_reset(client, -ETIMEDOUT);
}

void streaming_client_set_timer(struct stream_client *client, unsigned seconds) {
        uv_timer_start(client->timer, on_timer, (uint64_t)seconds * 1000, 0);
}

/* A peer whose host has vanished says nothing, and neither does one that waits. */
static void keep_alive(struct http_exchange *x) {
        int fd = transport_fd(http_transport(x));

        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){ 1 }, sizeof(int));
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){ KEEP_ALIVE_SECONDS }, sizeof(int));
}

int streaming_client_new(struct streaming *streaming, struct http_exchange *x, const struct streaming_request *request,
                         const struct protocol *protocol, struct stream_client **ret_client) {
        static const struct http_events events = {
                .data = on_data, .end = on_end, .drained = on_drained, .closed = on_closed
        };
        struct stream_client *client = calloc(1, sizeof(*client));

        if (!client)
                return -ENOMEM;
        client->session = streaming_session_new(streaming, request);
        client->timer = handle_timer(streaming->loop, client);
        if (!client->session || !client->timer) {
                if (client->session)
                        streaming_session_free(client->session);
                handle_free(client->timer);
                free(client);
                return -ENOMEM;
        }
        client->session->client = client;
        client->streaming = streaming;
        client->protocol = protocol;
        client->x = x;
        client->active = uv_now(streaming->loop);
        LIST_INSERT_HEAD(&streaming->clients, client, link);
        streaming->n_clients++;
        http_set_events(x, &events, client);
        *ret_client = client;
        return 0;
}

void streaming_client_begin(struct stream_client *client) {
        int r;

        keep_alive(client->x);
        uv_timer_start(client->timer, on_timer, client->streaming->streams_ms, 0);
        r = client->protocol->wire->begin(client);
        if (r < 0)
                streaming_client_reset(client, r);
}

size_t streaming_client_pending(const struct stream_client *client) {
        return http_pending(client->x);
}

/* Sessions and forwards stop at STREAMING_BUFFER_MAX; beyond it there is only what the client itself makes: answers to
 * its pings and streams. One that does not read them is not read either. */
void streaming_client_send(struct stream_client *client, const struct iovec *ranges, unsigned n) {
        if (client->finishing)
                return;
        if (http_send_ranges(client->x, ranges, n) == -ENOMEM)
                return streaming_client_reset(client, -ENOMEM);
        if (streaming_client_pending(client) >= 2 * STREAMING_BUFFER_MAX)
                streaming_client_pause(client, CLIENT_OUTPUT_WAITS);
}

void streaming_client_reset(struct stream_client *client, int error) {
        client->finishing = true;
        http_reset(client->x, error);
}

/* It has as long to read what it is owed as it had before; then it may take a moment to close its side. */
void streaming_client_finish(struct stream_client *client) {
        if (client->finishing)
                return;
        client->finishing = true;
        streaming_client_set_timer(client, streaming_client_pending(client) > 0 ? STREAMING_IDLE_SECONDS :
                                                                                  STREAMING_DRAIN_SECONDS);
        http_end(client->x, NULL, 0);
        http_resume(client->x);
}

void streaming_client_fail(struct stream_client *client, int error) {
        end_session(client);
        client->protocol->wire->finish(client, error);
        streaming_client_finish(client);
}

void streaming_client_pause(struct stream_client *client, enum streaming_client_pause why) {
        client->pauses |= why;
        if (!client->finishing)
                http_pause(client->x);
}

void streaming_client_resume(struct stream_client *client, enum streaming_client_pause why) {
        client->pauses &= ~(unsigned)why;
        if (client->pauses == 0 && !client->finishing)
                http_resume(client->x);
}

int streaming_new(uv_loop_t *loop, const struct streaming_source *source, void *data,
                  struct streaming **ret_streaming) {
        struct streaming *streaming = calloc(1, sizeof(*streaming));

        if (!streaming)
                return -ENOMEM;
        *streaming = (struct streaming){
                .loop = loop, .source = source, .data = data, .streams_ms = STREAMING_STREAMS_SECONDS * 1000
        };
        LIST_INIT(&streaming->clients);
        *ret_streaming = streaming;
        return 0;
}

void streaming_free(struct streaming *streaming) {
        struct stream_client *client;

        if (!streaming || streaming->closing)
                return;
        streaming->closing = true;
        LIST_FOREACH (client, &streaming->clients, link) {
                end_session(client);
                streaming_client_reset(client, -ECANCELED);
        }
        maybe_free(streaming);
}

unsigned streaming_clients(const struct streaming *streaming) {
        return streaming->n_clients;
}
