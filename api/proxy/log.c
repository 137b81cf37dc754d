/* Logs: this server asks for them in its own name, and gives them as a body, or in messages of a WebSocket. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/proxy/relay.h"
#include "api/proxy/socket.h"
#include "api/server/request.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/http/client.h"
#include "lib/stream/handshake.h"

/* Of a log that is not given: what is said instead. */
struct refusal {
        int status;
        size_t n;
        char text[PROXY_ERROR_MAX + 1];
};

static int ask_for_log(struct proxy_relay *relay, struct http_client_request *request) {
        request->method = "GET";
        return 0;
}

/* Whether there is one; else it is refused, perhaps behind what the kubelet says of it. */
static bool is_given(struct proxy_relay *relay, const struct http_response *response) {
        const char *location = http_fields_get(&response->fields, "location");
        struct refusal *refusal;

        if (response->status >= 200 && response->status <= 206)
                return true;
        if (location && http_is_redirect(response->status)) {
                proxy_relay_refuse_redirect(relay, location);
        } else if ((refusal = calloc(1, sizeof(*refusal)))) {
                refusal->status = response->status;
                relay->state = refusal;
        } else {
                proxy_relay_end(relay, -ENOMEM);
        }
        return false;
}

static void log_head(struct proxy_relay *relay, const struct http_response *response) {
        static const struct http_field own[] = { { "cache-control", "no-cache, private" },
                                                 { "content-type", "text/plain" } };

        if (is_given(relay, response))
                proxy_relay_answer(relay, 200, own, ELEMENTS(own), -1);
}

static void keep_refusal(struct refusal *refusal, const uint8_t *bytes, size_t n) {
        if (n > PROXY_ERROR_MAX - refusal->n)
                n = PROXY_ERROR_MAX - refusal->n;
        memcpy(refusal->text + refusal->n, bytes, n);
        refusal->n += n;
}

static void log_data(struct proxy_relay *relay, uint8_t *bytes, size_t n) {
        if (relay->state)
                keep_refusal(relay->state, bytes, n);
        else
                proxy_relay_down(relay, bytes, n);
}

static void refuse(struct proxy_relay *relay) {
        struct refusal *refusal = relay->state;

        relay->state = NULL;
        proxy_relay_refuse_log(relay, refusal->status, refusal->text);
        free(refusal);
}

static void log_ended(struct proxy_relay *relay, const struct http_fields *trailers) {
        if (relay->state)
                refuse(relay);
        else if (relay->down)
                http_end(relay->down, trailers->items, trailers->count);
}

static void drop(struct proxy_relay *relay, uint8_t *bytes, size_t n) {
}

static void drop_end(struct proxy_relay *relay, const struct http_fields *trailers) {
}

static void free_state(struct proxy_relay *relay) {
        free(relay->state);
}

const struct proxy_relay_form proxy_log_form = {
        .ask = ask_for_log,
        .head = log_head,
        .from_target = log_data,
        .from_client = drop,
        .target_ended = log_ended,
        .client_ended = drop_end,
        .free = free_state,
};

/* --- the same in messages of a WebSocket: as kube-apiserver's wsstream.Reader --- */

#define BASE64_MAX ((size_t)3 << 10) /* bytes of the log in a message of text */

/* What clients may ask for, the best first; the last is of those that ask for none. */
static const char *const protocols[] = { "binary.k8s.io", "base64.binary.k8s.io", "" };

static const char *protocol_of(struct proxy_relay *relay) {
        const struct http_fields *fields = &http_request_of(relay->down)->fields;

        for (size_t i = 0; i < ELEMENTS(protocols) - 1; i++)
                if (http_fields_list(fields, "sec-websocket-protocol", protocols[i]))
                        return protocols[i];
        return "";
}

static void socket_head(struct proxy_relay *relay, const struct http_response *response) {
        if (is_given(relay, response))
                proxy_relay_accept(relay, protocol_of(relay));
}

static void send_text(struct proxy_relay *relay, const uint8_t *bytes, size_t n) {
        char text[BASE64_LENGTH(BASE64_MAX) + 1];

        for (size_t length; n > 0; bytes += length, n -= length) {
                length = n < BASE64_MAX ? n : BASE64_MAX;
                base64_encode(bytes, length, text);
                proxy_socket_send(relay, WEBSOCKET_TEXT, NULL, 0, text, BASE64_LENGTH(length));
        }
}

static void socket_data(struct proxy_relay *relay, uint8_t *bytes, size_t n) {
        if (relay->state)
                keep_refusal(relay->state, bytes, n);
        else if (strcmp(protocol_of(relay), "base64.binary.k8s.io") == 0)
                send_text(relay, bytes, n);
        else
                proxy_socket_send(relay, WEBSOCKET_BINARY, NULL, 0, bytes, n);
}

static void socket_ended(struct proxy_relay *relay, const struct http_fields *trailers) {
        if (relay->state)
                return refuse(relay);
        if (!relay->down)
                return;
        proxy_socket_close(relay, WEBSOCKET_NORMAL);
        http_end(relay->down, NULL, 0);
        proxy_relay_linger(relay);
}

/* Who reads no more says so, or is gone; all else that a reader says is nothing. */
static void socket_client_ended(struct proxy_relay *relay, const struct http_fields *trailers) {
        if (relay->answered)
                proxy_relay_end(relay, -ECANCELED);
}

const struct proxy_relay_form proxy_log_socket_form = {
        .ask = ask_for_log,
        .head = socket_head,
        .from_target = socket_data,
        .from_client = drop,
        .target_ended = socket_ended,
        .client_ended = socket_client_ended,
        .free = free_state,
};
