#include "lib/hash.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>

struct state {
        uint64_t v[4];
};

static uint64_t secret[2];
static pthread_once_t drawn = PTHREAD_ONCE_INIT;

/* A kernel that has no randomness yet gives what it has: the tables of a program at boot are no target. */
static void draw(void) {
        (void)!getrandom(secret, sizeof(secret), GRND_INSECURE);
}

static uint64_t rotate(uint64_t x, unsigned bits) {
        return x << bits | x >> (64 - bits);
}

static void mix(struct state *s) {
        s->v[0] += s->v[1];
        s->v[1] = rotate(s->v[1], 13) ^ s->v[0];
        s->v[0] = rotate(s->v[0], 32);
        s->v[2] += s->v[3];
        s->v[3] = rotate(s->v[3], 16) ^ s->v[2];
        s->v[0] += s->v[3];
        s->v[3] = rotate(s->v[3], 21) ^ s->v[0];
        s->v[2] += s->v[1];
        s->v[1] = rotate(s->v[1], 17) ^ s->v[2];
        s->v[2] = rotate(s->v[2], 32);
}

static void take(struct state *s, uint64_t word) {
        s->v[3] ^= word;
        mix(s);
        s->v[0] ^= word;
}

uint64_t hash_bytes(const void *bytes, size_t size) {
        const unsigned char *p = bytes;
        uint64_t last = (uint64_t)size << 56, word;
        struct state s;
        size_t n = size;

        pthread_once(&drawn, draw);
        s = (struct state){ { secret[0] ^ 0x736f6d6570736575, secret[1] ^ 0x646f72616e646f6d,
                              secret[0] ^ 0x6c7967656e657261, secret[1] ^ 0x7465646279746573 } };
        for (; n >= sizeof(word); n -= sizeof(word), p += sizeof(word)) {
                memcpy(&word, p, sizeof(word));
                take(&s, word);
        }
        for (size_t i = 0; i < n; i++)
                last |= (uint64_t)p[i] << (8 * i);
        take(&s, last);
        s.v[2] ^= 0xff;
        for (int i = 0; i < 3; i++)
                mix(&s);
        return s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
}
