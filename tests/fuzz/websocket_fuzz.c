/* WebSocket frames of any bytes: messages begin before they end, control frames come whole, all of it within the input.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/stream/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct websocket_decoder decoder = { .client = size > 0 && (data[0] & 1) };
        uint8_t *copy = malloc(size + 1), *p = copy;
        struct websocket_event event;
        bool open = false;

        memcpy(copy, data, size);
        while (websocket_decode(&decoder, &p, &size, &event) > 0) {
                if (event.opcode >= WEBSOCKET_CLOSE) {
                        if (event.size > WEBSOCKET_CONTROL_MAX || !event.begin || !event.end)
                                abort();
                        continue;
                }
                if (event.begin == open || event.opcode == WEBSOCKET_CONTINUATION || event.data < copy ||
                    event.data + event.size > p)
                        abort();
                open = !event.end;
        }
        free(copy);
        return 0;
}
