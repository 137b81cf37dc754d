#include "images/worker/sha256.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "images/worker/hasher.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define BYTES 4096
#define STREAMS 5

static uint8_t bytes[STREAMS * BYTES];

static void fill(void) {
        uint32_t x = 1;

        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
}

static void assert_digest(const uint8_t digest[SHA256_SIZE], const uint8_t *of, size_t n) {
        uint8_t wanted[SHA256_SIZE];

        assert_true(EVP_Digest(of, n, wanted, NULL, EVP_sha256(), NULL));
        assert_memory_equal(digest, wanted, SHA256_SIZE);
}

/* FIPS 180-4's own examples. */
static void test_known(void **state) {
        static const struct {
                const char *text;
                uint8_t begin[4];
        } cases[] = {
                { "", { 0xe3, 0xb0, 0xc4, 0x42 } },
                { "abc", { 0xba, 0x78, 0x16, 0xbf } },
                { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", { 0x24, 0x8d, 0x6a, 0x61 } },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                for (int portable = 0; portable < 2; portable++) {
                        uint8_t digest[SHA256_SIZE];
                        struct sha256 sha;

                        assert_int_equal(portable ? sha256_init_portable(&sha) : sha256_init(&sha), 0);
                        sha256_add(&sha, cases[i].text, strlen(cases[i].text));
                        sha256_finish(&sha, digest);
                        sha256_clear(&sha);
                        assert_memory_equal(digest, cases[i].begin, sizeof(cases[i].begin));
                }
}

/* Every length up to some blocks, in pieces that do and do not end with a block. */
static void test_lengths(void **state) {
        static const size_t pieces[] = { 1, 7, 63, 64, 65, 128, 1000 };

        for (size_t n = 0; n < 400; n++)
                for (size_t i = 0; i < ELEMENTS(pieces); i++) {
                        uint8_t digest[SHA256_SIZE];
                        struct sha256 sha;

                        assert_int_equal(sha256_init(&sha), 0);
                        for (size_t at = 0; at < n; at += pieces[i])
                                sha256_add(&sha, bytes + at, n - at < pieces[i] ? n - at : pieces[i]);
                        sha256_finish(&sha, digest);
                        sha256_clear(&sha);
                        assert_digest(digest, bytes, n);
                }
}

/* Two at once that are at different places of their blocks; also when one is OpenSSL's. */
static void test_two(void **state) {
        static const size_t first[] = { 0, 1, 63, 64, 100, 129 }, lengths[] = { 0, 1, 62, 64, 127, 128, 500, 3000 };

        for (size_t a = 0; a < ELEMENTS(first); a++)
                for (size_t b = 0; b < ELEMENTS(first); b++)
                        for (size_t i = 0; i < ELEMENTS(lengths); i++) {
                                uint8_t digest[SHA256_SIZE];
                                struct sha256 x, y;

                                assert_int_equal(sha256_init(&x), 0);
                                assert_int_equal(i % 2 ? sha256_init(&y) : sha256_init_portable(&y), 0);
                                sha256_add(&x, bytes, first[a]);
                                sha256_add(&y, bytes + BYTES, first[b]);
                                sha256_add_two(&x, bytes + first[a], &y, bytes + BYTES + first[b], lengths[i]);
                                sha256_finish(&x, digest);
                                assert_digest(digest, bytes, first[a] + lengths[i]);
                                sha256_finish(&y, digest);
                                assert_digest(digest, bytes + BYTES, first[b] + lengths[i]);
                                sha256_clear(&x);
                                sha256_clear(&y);
                        }
}

/* More streams than go at once, of different lengths, with more pieces than may wait. */
static void test_hasher(void **state) {
        struct hash_stream streams[STREAMS];
        struct hasher *hasher = NULL;

        assert_int_equal(hasher_new(&hasher, NULL), 0);
        for (size_t i = 0; i < STREAMS; i++)
                assert_int_equal(hash_stream_init(&streams[i], hasher), 0);
        for (size_t at = 0; at < BYTES; at += 50)
                for (size_t i = 0; i < STREAMS; i++)
                        hash_stream_put(&streams[i], bytes + i * BYTES + at, at + 50 <= BYTES ? 50 - i : BYTES - at);
        for (size_t i = 0; i < STREAMS; i++) {
                uint8_t digest[SHA256_SIZE], wanted[SHA256_SIZE];
                struct sha256 sha;

                hash_stream_wait(&streams[i], 50);
                hash_stream_finish(&streams[i], digest);
                assert_int_equal(sha256_init_portable(&sha), 0);
                for (size_t at = 0; at < BYTES; at += 50)
                        sha256_add(&sha, bytes + i * BYTES + at, at + 50 <= BYTES ? 50 - i : BYTES - at);
                sha256_finish(&sha, wanted);
                sha256_clear(&sha);
                assert_memory_equal(digest, wanted, SHA256_SIZE);
                hash_stream_clear(&streams[i]);
        }
        hasher_free(hasher);
}

/* A stream that is given up with pieces that wait: its bytes are nobody's afterwards. */
static void test_given_up(void **state) {
        struct hasher *hasher = NULL;

        assert_int_equal(hasher_new(&hasher, NULL), 0);
        for (size_t round = 0; round < 50; round++) {
                uint8_t *own = malloc(BYTES);
                struct hash_stream stream;

                assert_non_null(own);
                assert_int_equal(hash_stream_init(&stream, hasher), 0);
                for (size_t i = 0; i < HASH_PIECES_MAX; i++)
                        hash_stream_put(&stream, memset(own, 0, BYTES), BYTES);
                hash_stream_clear(&stream);
                hash_stream_clear(&stream);
                free(own);
        }
        hasher_free(hasher);
        hasher_free(NULL);
}

struct waiter {
        struct hasher *hasher;
        size_t rounds;
};

static void *wait_main(void *data) {
        struct waiter *w = data;
        struct hash_stream stream;

        assert_int_equal(hash_stream_init(&stream, w->hasher), 0);
        for (size_t i = 1; i <= w->rounds; i++) {
                hash_stream_put(&stream, bytes, 64);
                hash_stream_wait(&stream, 64 * i);
        }
        hash_stream_clear(&stream);
        return NULL;
}

/* Few pieces, each waited for by several at once: nobody is forgotten. */
static void test_waiters(void **state) {
        struct waiter w = { .hasher = NULL, .rounds = 20000 };
        pthread_t threads[STREAMS];

        assert_int_equal(hasher_new(&w.hasher, NULL), 0);
        for (size_t i = 0; i < STREAMS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, wait_main, &w), 0);
        for (size_t i = 0; i < STREAMS; i++)
                pthread_join(threads[i], NULL);
        hasher_free(w.hasher);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_known),  cmocka_unit_test(test_lengths),  cmocka_unit_test(test_two),
                cmocka_unit_test(test_hasher), cmocka_unit_test(test_given_up), cmocka_unit_test(test_waiters),
        };

        fill();
        return cmocka_run_group_tests_name("images/worker/sha256", tests, NULL, NULL);
}
