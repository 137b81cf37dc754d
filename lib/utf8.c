#include "lib/utf8.h"

#include <stdint.h>
#include <string.h>

/* The second byte's range is what rules out overlong forms and surrogates (Unicode table 3-7). */
static const struct lead {
        uint8_t from, to, length, second_from, second_to;
} leads[] = {
        { 0xc2, 0xdf, 2, 0x80, 0xbf }, { 0xe0, 0xe0, 3, 0xa0, 0xbf }, { 0xe1, 0xec, 3, 0x80, 0xbf },
        { 0xed, 0xed, 3, 0x80, 0x9f }, { 0xee, 0xef, 3, 0x80, 0xbf }, { 0xf0, 0xf0, 4, 0x90, 0xbf },
        { 0xf1, 0xf3, 4, 0x80, 0xbf }, { 0xf4, 0xf4, 4, 0x80, 0x8f },
};

static const struct lead *find_lead(uint8_t byte) {
        for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++)
                if (byte >= leads[i].from && byte <= leads[i].to)
                        return &leads[i];
        return NULL;
}

size_t utf8_character(const void *text, size_t size) {
        const uint8_t *p = text;
        const struct lead *lead;

        if (*p < 0x80)
                return 1;
        lead = find_lead(*p);
        if (!lead || size < lead->length || p[1] < lead->second_from || p[1] > lead->second_to)
                return 0;
        for (int i = 2; i < lead->length; i++)
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
        return lead->length;
}

/* Eight bytes at once: most text is all of it. */
static bool is_ascii(const uint8_t *p) {
        uint64_t eight;

        memcpy(&eight, p, sizeof(eight));
        return (eight & UINT64_C(0x8080808080808080)) == 0;
}

bool utf8_valid(const void *text, size_t size) {
        const uint8_t *p = text, *end = p + size;

        while (p < end) {
                size_t n;

                if (end - p >= 8 && is_ascii(p)) {
                        p += 8;
                        continue;
                }
                n = utf8_character(p, (size_t)(end - p));

                if (n == 0)
                        return false;
                p += n;
        }
        return true;
}

size_t utf8_count(const char *text) {
        size_t n = 0;

        for (; *text; text++)
                n += ((unsigned char)*text & 0xc0) != 0x80;
        return n;
}
