/* How much of a text stands in a JSON string as it is: what readers and the writer pass over sixteen or eight bytes at
 * a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Of each byte: JSON_PLAIN where it stands in a string as it is, JSON_PLAIN_GO where it does in Go's too. */
enum { JSON_PLAIN = 1, JSON_PLAIN_GO = 2 };
extern const uint8_t json_plain_bytes[256];

#ifdef __SSE2__
#include <emmintrin.h>

#define JSON_PLAIN_STEP 16

/* How many of the first sixteen bytes at @p are plain. */
static inline unsigned json_plain_step(const char *p, bool go) {
        const __m128i v = _mm_loadu_si128((const __m128i *)p);
        /* Signed: what is not ASCII is less than a blank too. */
        __m128i found = _mm_or_si128(
                _mm_cmplt_epi8(v, _mm_set1_epi8(0x20)),
                _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));

        if (go)
                found = _mm_or_si128(
                        _mm_or_si128(found, _mm_cmpeq_epi8(v, _mm_set1_epi8('<'))),
                        _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('>')), _mm_cmpeq_epi8(v, _mm_set1_epi8('&'))));
        return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(found) | 1u << JSON_PLAIN_STEP);
}
#else
#define JSON_PLAIN_STEP 8
#define JSON_PLAIN_ONES UINT64_C(0x0101010101010101)

/* A top bit for each of eight bytes that is @c, and maybe for one above such a byte. */
static inline uint64_t json_plain_equals(uint64_t eight, char c) {
        return (eight ^ JSON_PLAIN_ONES * (uint8_t)c) - JSON_PLAIN_ONES;
}

/* Eight, or 0 where the caller has to look. */
static inline unsigned json_plain_step(const char *p, bool go) {
        uint64_t eight, found;

        memcpy(&eight, p, sizeof(eight));
        found = eight | (eight - JSON_PLAIN_ONES * 0x20) | json_plain_equals(eight, '"') |
                json_plain_equals(eight, '\\');
        if (go)
                found |= json_plain_equals(eight, '<') | json_plain_equals(eight, '>') | json_plain_equals(eight, '&');
        return found & JSON_PLAIN_ONES << 7 ? 0 : 8;
}
#endif

/* The bytes before the first that is a control character, a quote, a backslash, not ASCII, or with @go one that Go
 * escapes in HTML's name. */
static inline size_t json_plain_length(const char *text, size_t length, bool go) {
        size_t i = 0;

        while (length - i >= JSON_PLAIN_STEP) {
                unsigned n = json_plain_step(text + i, go);

                i += n;
                if (n < JSON_PLAIN_STEP)
                        break;
        }
        while (i < length && json_plain_bytes[(unsigned char)text[i]] & (go ? JSON_PLAIN_GO : JSON_PLAIN))
                i++;
        return i;
}
