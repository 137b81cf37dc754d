#include "api/proxy/socket.h"

#include "lib/cleanup.h"
#include "lib/http/exchange.h"

void proxy_socket_send(struct proxy_relay *relay, enum websocket_opcode opcode, const void *first, size_t n_first,
                       const void *data, size_t n) {
        uint8_t header[WEBSOCKET_HEADER_MAX];
        const struct iovec ranges[] = { { header, websocket_header(header, opcode, n_first + n, NULL) },
                                        { (void *)(uintptr_t)first, n_first },
                                        { (void *)(uintptr_t)data, n } };

        proxy_relay_down_ranges(relay, ranges, ELEMENTS(ranges));
}

void proxy_socket_close(struct proxy_relay *relay, enum websocket_code code) {
        const uint8_t bytes[2] = { (uint8_t)(code >> 8), (uint8_t)code };

        proxy_socket_send(relay, WEBSOCKET_CLOSE, NULL, 0, bytes, sizeof(bytes));
}

void proxy_socket_finish(struct proxy_relay *relay, enum websocket_code code) {
        proxy_socket_close(relay, code);
        if (relay->down)
                http_end(relay->down, NULL, 0);
        if (relay->up)
                http_end(relay->up, NULL, 0);
        proxy_relay_linger(relay);
}
