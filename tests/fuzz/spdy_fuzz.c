/* SPDY frames of any bytes, cut in two anywhere: headers end with their NUL, data lies within the input. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/stream/spdy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int feed(struct spdy *spdy, const uint8_t *data, size_t size) {
        const uint8_t *p = data;
        struct spdy_event event;
        int r;

        while ((r = spdy_decode(spdy, &p, &size, &event)) > 0) {
                if (event.kind == SPDY_DATA && (event.data < data || event.data + event.size > p))
                        abort();
                if (event.kind == SPDY_STREAM && spdy_header(spdy, "streamtype") &&
                    strlen(spdy_header(spdy, "streamtype")) > SPDY_HEADERS_MAX)
                        abort();
        }
        return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct spdy spdy;
        size_t cut = size > 0 ? data[0] % size : 0;

        if (spdy_init(&spdy) == 0 && feed(&spdy, data, cut) == 0)
                feed(&spdy, data + cut, size - cut);
        spdy_done(&spdy);
        return 0;
}
