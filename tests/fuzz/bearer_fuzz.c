/* A bearer token among a WebSocket's protocols: none of it is left in what is passed on. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/http/exchange.h"
#include "lib/stream/bearer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct arena *arena = arena_new();
        char *list = arena_strndup(arena, (const char *)data, size);
        struct http_field field = { "sec-websocket-protocol", list };
        struct http_request request = { .upgrade = "websocket", .fields = { &field, 1, 1 } };
        const char *token = NULL;

        if (websocket_bearer(&request, arena, &token, NULL) == 0)
                assert(*token);
        field.value = websocket_protocols_but_bearer(arena, list);
        assert(websocket_bearer(&request, arena, &token, NULL) < 0);
        arena_free(arena);
        return 0;
}
