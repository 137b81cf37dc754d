#include "images/worker/inflate.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#define PLAIN 300000

static uint8_t plain[PLAIN];

/* Text that compresses, but not to nothing. */
static void make_plain(void) {
        unsigned seed = 1;

        for (size_t i = 0; i < PLAIN; i++) {
                seed = seed * 1103515245 + 12345;
                plain[i] = (uint8_t)('a' + (seed >> 16) % 17);
        }
}

static size_t deflate(const uint8_t *in, size_t n, uint8_t *out, size_t room) {
        struct isal_zstream stream;

        isal_deflate_stateless_init(&stream);
        stream.gzip_flag = IGZIP_GZIP;
        stream.next_in = (uint8_t *)in;
        stream.avail_in = (uint32_t)n;
        stream.next_out = out;
        stream.avail_out = (uint32_t)room;
        stream.end_of_stream = 1;
        assert_int_equal(isal_deflate_stateless(&stream), COMP_OK);
        return stream.total_out;
}

/* The data in three members or frames, padding behind them. */
static size_t pack(const char *kind, uint8_t *out, size_t room) {
        size_t n = 0, part = PLAIN / 3;

        for (int i = 0; i < 3; i++)
                if (strcmp(kind, "gzip") == 0)
                        n += deflate(plain + (size_t)i * part, part, out + n, room - n);
                else if (strcmp(kind, "zstd") == 0)
                        n += ZSTD_compress(out + n, room - n, plain + (size_t)i * part, part, 3);
                else {
                        memcpy(out + n, plain + (size_t)i * part, part);
                        n += part;
                }
        return n;
}

/* Feeds @n bytes in pieces of @step into output of pieces of @room; the first piece is long enough to tell. */
static int unpack(const uint8_t *packed, size_t n, size_t step, size_t room, uint8_t *out, size_t *ret_n,
                  struct err **err) {
        _cleanup_(inflater_freep) struct inflater *inflater = inflater_new();
        size_t at = 0, total = 0;
        int r;

        while (at < n || total == 0) {
                size_t part = at == 0 ? 16 : step, left;
                const uint8_t *in = packed + at;

                part = part < n - at ? part : n - at;
                at += part;
                do {
                        uint8_t *to = out + total;

                        left = room;
                        if (total + room > PLAIN + 4096)
                                return -E2BIG;
                        r = inflater_run(inflater, &in, &part, &to, &left, err);
                        if (r < 0)
                                return r;
                        total += room - left;
                } while (left == 0);
                if (part > 0)
                        return -EIO; /* input that is not taken although there is room */
                if (n == 0)
                        break;
        }
        *ret_n = total;
        return inflater_finish(inflater, err);
}

static void test_any_boundaries(void **state) {
        static const char *const kinds[] = { "gzip", "zstd", "none" };
        static const size_t steps[] = { 1, 7, 511, 4096, 65536 }, rooms[] = { 512, 4096 };
        uint8_t *packed = malloc(2 * PLAIN), *out = malloc(PLAIN + 8192);

        (void)state;
        for (size_t k = 0; k < ELEMENTS(kinds); k++) {
                size_t n = pack(kinds[k], packed, 2 * PLAIN), got;

                for (size_t s = 0; s < ELEMENTS(steps); s++)
                        for (size_t o = 0; o < ELEMENTS(rooms); o++) {
                                _cleanup_err_ struct err *err = NULL;

                                if (unpack(packed, n, steps[s], rooms[o], out, &got, &err) < 0)
                                        fail_msg("%s by %zu to %zu: %s", kinds[k], steps[s], rooms[o], err_text(err));
                                assert_int_equal(got, PLAIN / 3 * 3);
                                assert_memory_equal(out, plain, got);
                        }
        }
        free(packed);
        free(out);
}

static void test_damage(void **state) {
        static const char *const kinds[] = { "gzip", "zstd" };
        uint8_t *packed = malloc(2 * PLAIN), *out = malloc(PLAIN + 8192);

        (void)state;
        for (size_t k = 0; k < ELEMENTS(kinds); k++) {
                size_t n = pack(kinds[k], packed, 2 * PLAIN), got;

                for (size_t cut = 1; cut < n; cut += n / 9)
                        if (cut != n / 3)
                                assert_true(unpack(packed, cut, 4096, 4096, out, &got, NULL) < 0 ||
                                            got < PLAIN / 3 * 3);
                packed[n / 2] ^= 0x10;
                assert_true(unpack(packed, n, 4096, 4096, out, &got, NULL) < 0 || memcmp(out, plain, got) != 0);
        }
        free(packed);
        free(out);
}

/* A frame to be skipped comes first, between or last, of each of the sixteen kinds, empty or not. */
static void test_skippable_frames(void **state) {
        uint8_t *packed = malloc(2 * PLAIN), *out = malloc(PLAIN + 8192);

        (void)state;
        for (unsigned kind = 0; kind < 16; kind++)
                for (uint8_t content = 0; content < 40; content += 13) {
                        const uint8_t frame[48] = { (uint8_t)(0x50 + kind), 0x2a, 0x4d, 0x18, content };
                        _cleanup_err_ struct err *err = NULL;
                        size_t n = 0, got, part = PLAIN / 2;

                        for (int i = 0; i < 2; i++) {
                                memcpy(packed + n, frame, 8 + (size_t)content);
                                n += 8 + (size_t)content;
                                n += ZSTD_compress(packed + n, PLAIN, plain + (size_t)i * part, part, 3);
                        }
                        memcpy(packed + n, frame, 8 + (size_t)content);
                        n += 8 + (size_t)content;
                        assert_string_equal(inflate_tell(packed, INFLATE_TELL_MAX), "zstd");
                        if (unpack(packed, n, 7, 4096, out, &got, &err) < 0)
                                fail_msg("kind %u of %u bytes: %s", kind, content, err_text(err));
                        assert_int_equal(got, 2 * part);
                        assert_memory_equal(out, plain, got);
                }
        free(packed);
        free(out);
}

/* What begins nearly so is a tar: its first bytes are a file's name. */
static void test_names_that_look_compressed(void **state) {
        static const char *const names[] = {
                "BZh.txt", "BZh9", "BZh91AY&S", "LZIP", "7zXZ", "\x40\x2a\x4d\x18", "\x60\x2a\x4d\x18", ""
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                uint8_t first[INFLATE_TELL_MAX] = { 0 };

                memcpy(first, names[i], strlen(names[i]));
                assert_string_equal(inflate_tell(first, sizeof(first)), "none");
                assert_string_equal(inflate_tell(first, strlen(names[i])), "none");
        }
}

static void test_unsupported(void **state) {
        static const struct {
                const char *bytes, *says;
        } rows[] = { { "\xfd"
                       "7zXZ\0aaaaaaaaaaaa",
                       "xz compression is not supported" },
                     { "BZh91AY&SYaaaaaa", "bzip2 compression is not supported" },
                     { "\x04\x22\x4d\x18"
                       "aaaaaaaaaaaa",
                       "lz4 compression is not supported" },
                     { "LZIP\001aaaaaaaaaaa", "lzip compression is not supported" } };
        uint8_t out[64];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_(inflater_freep) struct inflater *inflater = inflater_new();
                _cleanup_err_ struct err *err = NULL;
                const uint8_t *in = (const uint8_t *)rows[i].bytes;
                uint8_t *to = out;
                size_t n = 16, room = sizeof(out);

                assert_int_equal(inflater_run(inflater, &in, &n, &to, &room, &err), -ENOTSUP);
                assert_non_null(strstr(err_text(err), rows[i].says));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_any_boundaries),   cmocka_unit_test(test_damage),
                cmocka_unit_test(test_skippable_frames), cmocka_unit_test(test_names_that_look_compressed),
                cmocka_unit_test(test_unsupported),
        };

        make_plain();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
