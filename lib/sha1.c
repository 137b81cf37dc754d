#include "lib/sha1.h"

#include <string.h>

#define BLOCK 64

static uint32_t rotate(uint32_t x, int n) {
        return x << n | x >> (32 - n);
}

static void add_block(uint32_t h[5], const uint8_t *p) {
        uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

        for (int i = 0; i < 16; i++)
                w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 |
                       p[4 * i + 3];
        for (int i = 16; i < 80; i++)
                w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        for (int i = 0; i < 80; i++) {
                uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 || i >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
                uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
                uint32_t t = rotate(a, 5) + f + e + k + w[i];

                e = d;
                d = c;
                c = rotate(b, 30);
                b = a;
                a = t;
        }
        h[0] += a;
        h[1] += b;
        h[2] += c;
        h[3] += d;
        h[4] += e;
}

void sha1(const void *data, size_t size, uint8_t ret_digest[SHA1_SIZE]) {
        uint32_t h[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
        uint8_t last[2 * BLOCK] = {};
        size_t whole = size / BLOCK * BLOCK, rest = size - whole, n = rest + 9 <= BLOCK ? BLOCK : 2 * BLOCK;

        for (size_t i = 0; i < whole; i += BLOCK)
                add_block(h, (const uint8_t *)data + i);
        memcpy(last, (const uint8_t *)data + whole, rest);
        last[rest] = 0x80;
        for (int i = 0; i < 8; i++)
                last[n - 1 - (size_t)i] = (uint8_t)((uint64_t)size * 8 >> (8 * i));
        for (size_t i = 0; i < n; i += BLOCK)
                add_block(h, last + i);
        for (int i = 0; i < SHA1_SIZE; i++)
                ret_digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}
