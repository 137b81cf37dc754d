#include "lib/base64.h"

#include <errno.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *data, size_t size, char *ret_text) {
        const uint8_t *p = data;

        for (size_t i = 0; i < size; i += 3) {
                size_t left = size - i;
                uint32_t bits =
                        (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);

                *ret_text++ = digits[bits >> 18];
                *ret_text++ = digits[bits >> 12 & 63];
                *ret_text++ = left > 1 ? digits[bits >> 6 & 63] : '=';
                *ret_text++ = left > 2 ? digits[bits & 63] : '=';
        }
        *ret_text = '\0';
}

int64_t base64_decode(struct base64_decoder *decoder, const void *text, size_t n, void *ret_data) {
        const uint8_t *p = text;
        uint8_t *out = ret_data;

        for (size_t i = 0; i < n; i++) {
                const char *digit = p[i] ? strchr(digits, p[i]) : NULL;

                if (p[i] == '=') {
                        decoder->ended = 1;
                        continue;
                }
                if (!digit || decoder->ended)
                        return -EINVAL;
                decoder->bits = decoder->bits << 6 | (uint32_t)(digit - digits);
                decoder->n_bits = (uint8_t)(decoder->n_bits + 6);
                if (decoder->n_bits >= 8) {
                        decoder->n_bits = (uint8_t)(decoder->n_bits - 8);
                        *out++ = (uint8_t)(decoder->bits >> decoder->n_bits);
                }
        }
        return out - (uint8_t *)ret_data;
}

static const char url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64_url_encode(const void *data, size_t size, char *ret_text) {
        const uint8_t *p = data;
        uint32_t bits = 0;
        unsigned n = 0;

        for (size_t i = 0; i < size; i++) {
                bits = bits << 8 | p[i];
                for (n += 8; n >= 6; n -= 6)
                        *ret_text++ = url_digits[bits >> (n - 6) & 63];
        }
        if (n > 0)
                *ret_text++ = url_digits[bits << (6 - n) & 63];
        *ret_text = '\0';
}

int64_t base64_url_decode(const char *text, size_t n, void *ret_data) {
        uint8_t *out = ret_data;
        uint32_t bits = 0;
        unsigned have = 0;

        for (size_t i = 0; i < n; i++) {
                const char *digit = text[i] ? strchr(url_digits, text[i]) : NULL;

                if (!digit)
                        return -EINVAL;
                bits = bits << 6 | (uint32_t)(digit - url_digits);
                have += 6;
                if (have >= 8) {
                        have -= 8;
                        *out++ = (uint8_t)(bits >> have);
                }
        }
        return have == 6 || (bits & ((1U << have) - 1)) ? -EINVAL : out - (uint8_t *)ret_data;
}
