#include "api/rest/watch_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/rest/watch.h"
#include "api/server/request.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/exchange.h"
#include "lib/stream/bearer.h"
#include "lib/stream/handshake.h"

#define LENGTH_SIZE 4 /* before each event of protobuf, where nothing else says how long it is */

struct watch_socket {
        struct websocket_decoder decoder;
};

int watch_socket_wanted(struct api_request *r, const char **ret_protocol) {
        const char *offered = http_fields_get(&http_request_of(r->x)->fields, "sec-websocket-protocol");

        *ret_protocol = NULL;
        if (!websocket_is_wanted(r->x))
                return 0;
        *ret_protocol = websocket_protocols_but_bearer(r->arena, offered ?: "");
        if (!*ret_protocol)
                return -ENOMEM;
        return strchr(*ret_protocol, ',') ? -EINVAL : 0;
}

int watch_socket_accept(struct watch *w, const char *protocol) {
        w->socket = calloc(1, sizeof(*w->socket));
        return w->socket ? websocket_accept_upgrade(w->x, protocol) : -ENOMEM;
}

void watch_socket_free(struct watch *w) {
        free(w->socket);
}

static int send_head(struct watch *w, enum websocket_opcode opcode, size_t size) {
        uint8_t header[WEBSOCKET_HEADER_MAX];

        return http_send(w->x, header, websocket_header(header, opcode, size, NULL));
}

static int send_message(struct watch *w, enum websocket_opcode opcode, const void *bytes, size_t n) {
        int r = send_head(w, opcode, n);

        return r < 0 ? r : http_send(w->x, bytes, n);
}

int watch_socket_tell(struct watch *w, struct bytes *bytes) {
        int r;

        if (watch_is_protobuf(w))
                return send_message(w, WEBSOCKET_BINARY, bytes->data + LENGTH_SIZE, bytes->size - LENGTH_SIZE);
        r = send_head(w, WEBSOCKET_TEXT, bytes->size);
        return r < 0 ? r : http_send_bytes(w->x, bytes);
}

void watch_socket_close(struct watch *w) {
        static const uint8_t code[] = { WEBSOCKET_NORMAL >> 8, WEBSOCKET_NORMAL & 0xff };

        send_message(w, WEBSOCKET_CLOSE, code, sizeof(code));
        http_end(w->x, NULL, 0);
}

/* Who asks without reading what was answered gets no more answers. */
static void answer(struct watch *w, const struct websocket_event *ping) {
        if (w->x && !w->ends && http_pending(w->x) < WATCH_PENDING_MAX)
                send_message(w, WEBSOCKET_PONG, ping->data, ping->size);
}

void watch_socket_take(struct watch *w, uint8_t *bytes, size_t n) {
        struct websocket_event event;
        int r;

        while ((r = websocket_decode(&w->socket->decoder, &bytes, &n, &event)) > 0) {
                if (event.opcode == WEBSOCKET_PING)
                        answer(w, &event);
                else if (event.opcode == WEBSOCKET_CLOSE)
                        watch_end(w);
        }
        if (r < 0)
                watch_end(w);
}
