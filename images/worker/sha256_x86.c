#include "images/worker/sha256_internal.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define NEEDED __attribute__((target("sha,sse4.1,ssse3")))
#define PART static inline __attribute__((always_inline)) NEEDED
#define ROUNDS 64

static const uint32_t constants[ROUNDS] __attribute__((aligned(16))) = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* One stream: its state in the instructions' order (words named as in FIPS 180-4, 6.2.2), four words a part of the
 * message schedule. */
struct lane {
        __m128i abef, cdgh, schedule[4];
};

bool sha256_x86_usable(void) {
        unsigned a, b, c, d;

        if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1) || !(c & bit_SSSE3))
                return false;
        return __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
               (b & (1U << 29)); /* bit_SHA, by its name not in every cpuid.h */
}

PART void load_state(struct lane *l, const uint32_t state[8]) {
        __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
        __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);

        l->abef = _mm_alignr_epi8(badc, hgfe, 8);
        l->cdgh = _mm_blend_epi16(hgfe, badc, 0xf0);
}

PART void store_state(const struct lane *l, uint32_t state[8]) {
        __m128i feba = _mm_shuffle_epi32(l->abef, 0x1b);
        __m128i dchg = _mm_shuffle_epi32(l->cdgh, 0xb1);

        _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
        _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

PART void load_block(struct lane *l, const uint8_t *bytes) {
        const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);

        for (size_t i = 0; i < 4; i++)
                l->schedule[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(bytes + 16 * i)), big_endian);
}

/* Four rounds from 4 * @i on, and the words of the schedule that the same place holds four times later. */
PART void four_rounds(struct lane *l, size_t i) {
        __m128i *m = l->schedule, words = _mm_add_epi32(m[i % 4], _mm_load_si128((const __m128i *)&constants[4 * i]));

        l->cdgh = _mm_sha256rnds2_epu32(l->cdgh, l->abef, words);
        l->abef = _mm_sha256rnds2_epu32(l->abef, l->cdgh, _mm_shuffle_epi32(words, 0x0e));
        if (i < ROUNDS / 4 - 4) {
                __m128i sum = _mm_sha256msg1_epu32(m[i % 4], m[(i + 1) % 4]);

                sum = _mm_add_epi32(sum, _mm_alignr_epi8(m[(i + 3) % 4], m[(i + 2) % 4], 4));
                m[i % 4] = _mm_sha256msg2_epu32(sum, m[(i + 3) % 4]);
        }
}

/* @n_lanes is known when this is compiled, so that its loops vanish. */
PART void blocks(struct lane *lanes, uint32_t *const *states, const uint8_t *const *bytes, size_t n_lanes, size_t n) {
        for (size_t k = 0; k < n_lanes; k++)
                load_state(&lanes[k], states[k]);
        for (size_t at = 0; at < n * 64; at += 64) {
                __m128i abef[2], cdgh[2];

                for (size_t k = 0; k < n_lanes; k++) {
                        abef[k] = lanes[k].abef;
                        cdgh[k] = lanes[k].cdgh;
                        load_block(&lanes[k], bytes[k] + at);
                }
#pragma GCC unroll 16
                for (size_t i = 0; i < ROUNDS / 4; i++)
                        for (size_t k = 0; k < n_lanes; k++)
                                four_rounds(&lanes[k], i);
                for (size_t k = 0; k < n_lanes; k++) {
                        lanes[k].abef = _mm_add_epi32(lanes[k].abef, abef[k]);
                        lanes[k].cdgh = _mm_add_epi32(lanes[k].cdgh, cdgh[k]);
                }
        }
        for (size_t k = 0; k < n_lanes; k++)
                store_state(&lanes[k], states[k]);
}

NEEDED void sha256_x86_blocks(uint32_t state[8], const uint8_t *bytes, size_t n) {
        struct lane lane;

        blocks(&lane, &state, &bytes, 1, n);
}

NEEDED void sha256_x86_blocks_two(uint32_t state_a[8], const uint8_t *bytes_a, uint32_t state_b[8],
                                  const uint8_t *bytes_b, size_t n) {
        uint32_t *const states[2] = { state_a, state_b };
        const uint8_t *const bytes[2] = { bytes_a, bytes_b };
        struct lane lanes[2];

        blocks(lanes, states, bytes, 2, n);
}

#else

bool sha256_x86_usable(void) {
        return false;
}

void sha256_x86_blocks(uint32_t state[8], const uint8_t *bytes, size_t n) {
}

void sha256_x86_blocks_two(uint32_t state_a[8], const uint8_t *bytes_a, uint32_t state_b[8], const uint8_t *bytes_b,
                           size_t n) {
}

#endif
