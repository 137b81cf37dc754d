#include "lib/stream/handshake.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "lib/cleanup.h"
#include "lib/http/server.h"

#define VERSION "13"

bool websocket_is_wanted(const struct http_exchange *x) {
        const char *upgrade = http_request_of(x)->upgrade;

        return upgrade && strcasecmp(upgrade, "websocket") == 0;
}

/* Base64 of 16 bytes (RFC 6455, 4.2.1). */
static bool is_key(const char *text) {
        struct base64_decoder decoder = { 0 };
        uint8_t bytes[WEBSOCKET_KEY_LENGTH];

        return text && strlen(text) == WEBSOCKET_KEY_LENGTH &&
               base64_decode(&decoder, (const uint8_t *)text, WEBSOCKET_KEY_LENGTH, bytes) == WEBSOCKET_KEY_SIZE;
}

/* What is wrong with the request; NULL: nothing. */
static const char *find_fault(const struct http_request *request) {
        const char *version = http_fields_only(&request->fields, "sec-websocket-version");

        if (!version || strcmp(version, VERSION) != 0)
                return "Sec-WebSocket-Version must be " VERSION "\n";
        if (request->version < 20 && !is_key(http_fields_only(&request->fields, "sec-websocket-key")))
                return "Sec-WebSocket-Key must be 16 bytes in base64\n";
        return NULL;
}

static int refuse(struct http_exchange *x, const char *why) {
        static const struct http_field fields[] = { { "content-type", "text/plain; charset=utf-8" },
                                                    { "sec-websocket-version", VERSION } };
        size_t n = strlen(why);

        if (http_respond(x, 400, fields, ELEMENTS(fields), (int64_t)n) < 0 || http_send(x, why, n) < 0 ||
            http_end(x, NULL, 0) < 0)
                http_reset(x, -ENOMEM);
        return -EPROTO;
}

int websocket_accept_upgrade(struct http_exchange *x, const char *protocol) {
        const struct http_request *request = http_request_of(x);
        const char *fault = find_fault(request), *key = http_fields_get(&request->fields, "sec-websocket-key");
        char accept[WEBSOCKET_ACCEPT_LENGTH + 1];
        struct http_field fields[2];
        size_t n = 0;

        if (fault)
                return refuse(x, fault);
        if (request->version < 20) {
                websocket_accept(key, strlen(key), accept);
                fields[n++] = (struct http_field){ "sec-websocket-accept", accept };
        }
        if (*protocol)
                fields[n++] = (struct http_field){ "sec-websocket-protocol", protocol };
        return http_accept_upgrade(x, fields, n);
}

int websocket_request(struct http_client *client, struct websocket_offer *offer, const struct http_events *events,
                      void *data, struct http_exchange **ret_x) {
        const struct http_field fields[] = { { "sec-websocket-version", VERSION },
                                             { "sec-websocket-key", offer->key },
                                             { "sec-websocket-protocol", offer->protocol } };
        const struct http_client_request request = { .method = "GET",
                                                     .target = offer->target,
                                                     .upgrade = "websocket",
                                                     .fields = fields,
                                                     .n_fields = ELEMENTS(fields),
                                                     .flags = HTTP_REQUEST_ALONE };
        uint8_t nonce[WEBSOCKET_KEY_SIZE];

        if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce))
                return -errno;
        base64_encode(nonce, sizeof(nonce), offer->key);
        return http_client_request(client, &request, events, data, ret_x);
}

int websocket_check_answer(const struct websocket_offer *offer, const struct http_exchange *x,
                           const struct http_response *response) {
        const char *proof = http_fields_get(&response->fields, "sec-websocket-accept"),
                   *protocol = http_fields_get(&response->fields, "sec-websocket-protocol");
        char accept[WEBSOCKET_ACCEPT_LENGTH + 1];

        if (!http_is_tunnel(x))
                return -EPROTO;
        websocket_accept(offer->key, WEBSOCKET_KEY_LENGTH, accept);
        if (response->status == 101 && (!proof || strcmp(proof, accept) != 0))
                return -EPROTO;
        return protocol && strcmp(protocol, offer->protocol) == 0 ? 0 : -EPROTO;
}
