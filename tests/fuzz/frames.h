/* Any HTTP/2 frames out of a fuzzer's input. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static const uint8_t frames_settings[9] = { [3] = 4 }; /* SETTINGS with nothing in it */

/* A record of @data is a frame: type, flags, stream (below @streams), length, payload. Returns the size of @out. */
static inline size_t frames_make(const uint8_t *data, size_t size, unsigned streams, uint8_t *out, size_t room) {
        size_t n = 0;

        while (size >= 4 && n + 9 + 255 < room) {
                size_t length = data[3] < size - 4 ? data[3] : size - 4;
                const uint8_t head[9] = {
                        0, 0, (uint8_t)length, data[0] % 10, data[1], 0, 0, 0, (uint8_t)(data[2] % streams)
                };

                memcpy(out + n, head, 9);
                memcpy(out + n + 9, data + 4, length);
                n += 9 + length;
                data += 4 + length;
                size -= 4 + length;
        }
        return n;
}
