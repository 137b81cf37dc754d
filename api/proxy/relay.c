#include "api/proxy/relay.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "api/proxy/trust.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/server.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/http/client.h"
#include "lib/http/server.h"
#include "lib/stream/handshake.h"
#include "lib/transport/tls.h"
#include "lib/transport/transport.h"

/* HTTP_WINDOW, and a piece. */
#define EARLY_MAX ((size_t)512 << 10)

/* --- the end --- */

static void stop_timer(struct proxy_relay *relay) {
        handle_free(relay->timer);
        relay->timer = NULL;
}

void proxy_relay_release(struct proxy_relay *relay) {
        proxy_lookup_forget(relay->lookup);
        stop_timer(relay);
        http_client_free(relay->client);
        free(relay->early);
        if (relay->form->free)
                relay->form->free(relay);
        proxy_relays_remove(relay);
        proxy_exit(relay->r->server->config.proxy);
}

/* Its memory is the request's: nothing of it is there afterwards. */
void proxy_relay_maybe_free(struct proxy_relay *relay) {
        if (relay->down || relay->up || relay->begins)
                return;
        proxy_relay_release(relay);
        api_request_free(relay->r);
}

void proxy_relay_let_go(struct proxy_relay *relay) {
        struct http_exchange *x = relay->down;

        relay->ending = true;
        relay->down = NULL;
        if (!x)
                return;
        http_set_events(x, NULL, NULL);
        http_resume(x);
}

void proxy_relay_refuse(struct proxy_relay *relay, const char *words, bool sent) {
        proxy_relay_let_go(relay);
        if (relay->r->x)
                proxy_refuse(relay->r, &relay->target, words, sent);
        if (relay->up)
                http_reset(relay->up, -ECANCELED);
}

void proxy_relay_end(struct proxy_relay *relay, int error) {
        relay->ending = true;
        if (relay->up)
                http_reset(relay->up, error);
        if (relay->down)
                http_reset(relay->down, error);
}

void proxy_relay_refuse_log(struct proxy_relay *relay, int status, const char *text) {
        proxy_relay_let_go(relay);
        if (relay->r->x)
                proxy_refuse_log(relay->r, status, text);
}

void proxy_relay_refuse_redirect(struct proxy_relay *relay, const char *location) {
        proxy_relay_let_go(relay);
        if (relay->r->x)
                proxy_refuse_redirect(relay->r, location);
        http_reset(relay->up, -ECANCELED);
}

static void refuse_switch(struct proxy_relay *relay, const struct http_response *response) {
        proxy_relay_let_go(relay);
        if (relay->r->x)
                proxy_refuse_switch(relay->r, http_fields_get(&response->fields, "upgrade") ?: "");
        http_reset(relay->up, -ECANCELED);
}

static void on_lingered(uv_timer_t *timer) {
        proxy_relay_end(timer->data, -ETIMEDOUT);
}

void proxy_relay_linger(struct proxy_relay *relay) {
        if (!relay->timer)
                relay->timer = handle_timer(relay->r->loop->uv, relay);
        if (relay->timer)
                uv_timer_start(relay->timer, on_lingered, PROXY_LINGER_MS, 0);
        else
                proxy_relay_end(relay, -ENOMEM);
}

/* --- pieces, and who does not read --- */

static void hold_back(struct http_exchange *to, struct http_exchange *from) {
        if (from && http_pending(to) > PROXY_WAITING_MAX)
                http_pause(from);
}

void proxy_relay_down_ranges(struct proxy_relay *relay, const struct iovec *ranges, unsigned n) {
        if (!relay->down)
                return;
        if (http_send_ranges(relay->down, ranges, n) == -ENOMEM)
                return proxy_relay_end(relay, -ENOMEM);
        hold_back(relay->down, relay->up);
}

void proxy_relay_up_ranges(struct proxy_relay *relay, const struct iovec *ranges, unsigned n) {
        if (!relay->up)
                return;
        if (http_send_ranges(relay->up, ranges, n) == -ENOMEM)
                return proxy_relay_end(relay, -ENOMEM);
        hold_back(relay->up, relay->down);
}

void proxy_relay_down(struct proxy_relay *relay, const void *bytes, size_t n) {
        proxy_relay_down_ranges(relay, &(struct iovec){ (void *)(uintptr_t)bytes, n }, 1);
}

void proxy_relay_up(struct proxy_relay *relay, const void *bytes, size_t n) {
        proxy_relay_up_ranges(relay, &(struct iovec){ (void *)(uintptr_t)bytes, n }, 1);
}

/* --- who has vanished without a word --- */

/* As Go's net has it: a host that is gone is noticed within three minutes. */
static void watch_over(const struct http_exchange *x) {
        static const struct {
                int level, option, value;
        } options[] = { { SOL_SOCKET, SO_KEEPALIVE, 1 },
                        { IPPROTO_TCP, TCP_KEEPIDLE, 30 },
                        { IPPROTO_TCP, TCP_KEEPINTVL, 15 },
                        { IPPROTO_TCP, TCP_KEEPCNT, 9 } };
        const struct transport *stream = x ? http_transport(x) : NULL;

        for (size_t i = 0; stream && i < ELEMENTS(options); i++)
                (void)!setsockopt(transport_fd(stream), options[i].level, options[i].option, &options[i].value,
                                  sizeof(int));
}

/* --- the client's exchange --- */

/* What was on its way when it was held back, before there is anybody who takes it. */
static void keep_early(struct proxy_relay *relay, const uint8_t *bytes, size_t n) {
        uint8_t *grown = n <= EARLY_MAX - relay->n_early ? realloc(relay->early, relay->n_early + n) : NULL;

        if (!grown)
                return proxy_relay_end(relay, -ENOMEM);
        memcpy(grown + relay->n_early, bytes, n);
        relay->early = grown;
        relay->n_early += n;
}

static void down_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct proxy_relay *relay = http_data(x);

        if (relay->up)
                relay->form->from_client(relay, bytes, n);
        else if (!relay->ending && !relay->answered)
                keep_early(relay, bytes, n);
}

static void down_end(struct http_exchange *x, const struct http_fields *trailers) {
        struct proxy_relay *relay = http_data(x);

        if (relay->up)
                relay->form->client_ended(relay, trailers);
        else
                relay->ended_early = true;
}

static void give_early(struct proxy_relay *relay) {
        static const struct http_fields none;

        if (relay->n_early > 0)
                relay->form->from_client(relay, relay->early, relay->n_early);
        free(relay->early);
        relay->early = NULL;
        if (relay->ended_early)
                relay->form->client_ended(relay, &none);
        http_resume(relay->down);
}

static void down_drained(struct http_exchange *x) {
        const struct proxy_relay *relay = http_data(x);

        if (relay->up)
                http_resume(relay->up);
}

static void down_closed(struct http_exchange *x, int error, const char *why) {
        struct proxy_relay *relay = http_data(x);

        relay->down = relay->r->x = NULL;
        relay->ending = true;
        /* A tunnel whose two directions have ended here has ended there, too, once what waits has gone. */
        if (relay->up && !(error == 0 && http_is_tunnel(relay->up)))
                http_reset(relay->up, -ECANCELED);
        proxy_relay_maybe_free(relay);
}

static const struct http_events down_events = {
        .data = down_data, .end = down_end, .drained = down_drained, .closed = down_closed
};

void proxy_relay_answer(struct proxy_relay *relay, int status, const struct http_field *own, uint32_t n,
                        int64_t length) {
        struct api_request *r = relay->r;
        size_t n_fields = n;
        const struct http_field *fields = api_answer_fields(r, status, 0, own, n, &n_fields);
        int error = fields ? 0 : -ENOMEM;

        relay->answered = true;
        if (error == 0 && status == 101)
                error = http_accept_upgrade(relay->down, own, n);
        else if (error == 0)
                error = http_respond(relay->down, status, fields, n_fields, length);
        if (error < 0)
                proxy_relay_end(relay, error);
}

bool proxy_relay_accept(struct proxy_relay *relay, const char *protocol) {
        static const struct http_field none;
        size_t n = 0;

        relay->answered = true;
        if (!api_answer_fields(relay->r, 101, 0, &none, 0, &n)) {
                proxy_relay_end(relay, -ENOMEM);
                return false;
        }
        if (websocket_accept_upgrade(relay->down, protocol) == 0)
                return true;
        relay->ending = true; /* it was told why */
        http_reset(relay->up, -ECANCELED);
        return false;
}

/* --- the exchange with who answers --- */

static void up_head(struct http_exchange *x, const struct http_response *response) {
        struct proxy_relay *relay = http_data(x);

        stop_timer(relay);
        watch_over(relay->up);
        watch_over(relay->down);
        if (relay->ending)
                return;
        /* Whoever got such an answer would take what follows for bytes of another protocol. */
        if (response->status == 101 && !http_is_tunnel(x))
                return refuse_switch(relay, response);
        relay->form->head(relay, response);
}

static void up_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct proxy_relay *relay = http_data(x);

        if (!relay->ending)
                relay->form->from_target(relay, bytes, n);
}

static void up_end(struct http_exchange *x, const struct http_fields *trailers) {
        struct proxy_relay *relay = http_data(x);

        if (!relay->ending)
                relay->form->target_ended(relay, trailers);
}

static void up_drained(struct http_exchange *x) {
        const struct proxy_relay *relay = http_data(x);

        if (relay->down)
                http_resume(relay->down);
}

static const char *why_closed(struct proxy_relay *relay, bool sent, int error, const char *why) {
        if (!sent)
                return proxy_dial_words(relay->r->arena, relay->address_text, error, why);
        return error == -ECONNRESET || error == -EPIPE || error == 0 ? "EOF" : why ?: strerror(-error);
}

static void up_closed(struct http_exchange *x, int error, const char *why) {
        struct proxy_relay *relay = http_data(x);
        bool sent = http_client_sent(x);

        relay->up = NULL;
        if (relay->down && !relay->answered)
                proxy_relay_refuse(relay, why_closed(relay, sent, error, why), sent);
        else if (relay->down && error < 0)
                http_reset(relay->down, -ECONNRESET);
        proxy_relay_maybe_free(relay);
}

static const struct http_events up_events = {
        .head = up_head, .data = up_data, .end = up_end, .drained = up_drained, .closed = up_closed
};

/* --- the beginning --- */

void proxy_relay_fail(struct proxy_relay *relay, int error, const char *why) {
        proxy_relay_refuse(relay, proxy_dial_words(relay->r->arena, relay->address_text, error, why), false);
        proxy_relay_maybe_free(relay);
}

static void on_late(uv_timer_t *timer) {
        struct proxy_relay *relay = timer->data;

        stop_timer(relay);
        if (relay->up && http_client_sent(relay->up))
                return;
        proxy_relay_fail(relay, -ETIMEDOUT, relay->lookup ? "i/o timeout" : NULL);
}

static int make_client(struct proxy_relay *relay, socklen_t n_address) {
        struct http_client_config config = { .address = (struct sockaddr *)&relay->address,
                                             .n_address = n_address,
                                             .authority = relay->authority,
                                             .name = relay->target.host,
                                             .version = HTTP_VERSION_1,
                                             .lenient = true };
        int r;

        if (strcmp(relay->target.scheme, "https") == 0)
                config.tls = proxy_tls(relay->r->server->config.proxy, &relay->target);
        r = http_client_new(relay->r->loop->uv, &config, &relay->client);
        tls_context_unref(config.tls);
        return r;
}

int proxy_relay_ask(struct proxy_relay *relay, socklen_t n_address) {
        const struct proxy_target *target = &relay->target;
        struct http_client_request request = { .flags = HTTP_REQUEST_ALONE };
        struct api_request *r = relay->r;
        int error = make_client(relay, n_address);

        request.target = arena_printf(r->arena, "%s%s%s", *target->path ? target->path : "/", *target->query ? "?" : "",
                                      target->query);
        if (error < 0 || !request.target)
                return error ?: -ENOMEM;
        error = relay->form->ask(relay, &request);
        if (error == 0)
                error = http_client_request(relay->client, &request, &up_events, relay, &relay->up);
        if (error == 0)
                give_early(relay);
        return error;
}

int proxy_relay_open(struct proxy_relay *relay) {
        struct proxy *proxy = relay->r->server->config.proxy;

        relay->timer = handle_timer(relay->r->loop->uv, relay);
        if (!relay->timer)
                return -ENOMEM;
        uv_timer_start(relay->timer, on_late, proxy_patience(proxy, &relay->target), 0);
        relay->down = relay->r->x;
        http_set_events(relay->down, &down_events, relay);
        if (http_request_of(relay->down)->length != 0)
                http_pause(relay->down);
        proxy_relays_append(proxy_open(proxy, relay->r->loop), relay);
        return 0;
}
