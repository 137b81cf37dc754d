#include "lib/stream/websocket.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/http/exchange.h"
#include "lib/sha1.h"
#include "lib/stream/bearer.h"

/* FIPS 180's own examples, and lengths around a block's end. */
static void test_sha1(void **state) {
        static const struct {
                const char *text;
                uint8_t begins[4];
        } rows[] = {
                { "", { 0xda, 0x39, 0xa3, 0xee } },
                { "abc", { 0xa9, 0x99, 0x3e, 0x36 } },
                { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", { 0x84, 0x98, 0x3e, 0x44 } },
                { "0123456789012345678901234567890123456789012345678901234567890123", { 0xcf, 0x08, 0x00, 0xf7 } },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                uint8_t digest[SHA1_SIZE];

                sha1(rows[i].text, strlen(rows[i].text), digest);
                assert_memory_equal(digest, rows[i].begins, 4);
        }
}

static void test_base64_url(void **state) {
        static const struct {
                const char *text, *data;
                int n; /* -EINVAL: none */
        } cases[] = {
                { "", "", 0 },
                { "_w", "\xff", 1 },
                { "-_8", "\xfb\xff", 2 },
                { "AAAA", "\0\0\0", 3 },
                { "AAAAAQ", "\0\0\0\1", 4 },
                { "A", NULL, -EINVAL },
                { "AAAAA", NULL, -EINVAL },
                { "_x", NULL, -EINVAL }, /* bits that no byte has */
                { "_w==", NULL, -EINVAL },
                { "/w", NULL, -EINVAL },
                { "_ w", NULL, -EINVAL },
        };

        for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                uint8_t data[8];
                char text[16];

                assert_int_equal(base64_url_decode(cases[i].text, strlen(cases[i].text), data), cases[i].n);
                if (cases[i].n < 0)
                        continue;
                assert_memory_equal(data, cases[i].data, cases[i].n);
                base64_url_encode(data, (size_t)cases[i].n, text);
                assert_string_equal(text, cases[i].text);
                assert_int_equal(strlen(text), BASE64_URL_LENGTH((size_t)cases[i].n));
        }
        assert_int_equal(base64_url_decode("A\0AA", 4, (uint8_t[4]){ 0 }), -EINVAL);
}

static void test_base64(void **state) {
        static const struct {
                const char *plain, *encoded;
        } rows[] = { { "", "" },        { "f", "Zg==" },        { "fo", "Zm8=" },
                     { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "\xff\xfe", "//4=" } };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct base64_decoder decoder = {};
                char text[32], plain[32];
                int64_t n = 0;

                base64_encode(rows[i].plain, strlen(rows[i].plain), text);
                assert_string_equal(text, rows[i].encoded);
                for (size_t k = 0; k < strlen(text); k++) /* in any pieces */
                        n += base64_decode(&decoder, text + k, 1, plain + n);
                assert_int_equal(n, strlen(rows[i].plain));
                assert_memory_equal(plain, rows[i].plain, (size_t)n);
        }
        struct base64_decoder decoder = {};
        char out[8];
        assert_int_equal(base64_decode(&decoder, "Zm9*", 4, out), -EINVAL);
        decoder = (struct base64_decoder){};
        assert_int_equal(base64_decode(&decoder, "Zg==Zg", 6, out), -EINVAL);
}

/* RFC 6455, section 1.3. */
static void test_accept(void **state) {
        char accept[WEBSOCKET_ACCEPT_LENGTH + 1];

        websocket_accept("dGhlIHNhbXBsZSBub25jZQ==", 24, accept);
        assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#define CASE(bytes) bytes, sizeof(bytes) - 1

/* RFC 6455, section 5.7, and what it forbids. Servers' frames: @client decodes them. */
static const struct {
        const char *bytes;
        size_t size;
        bool client;
        int error;
        enum websocket_opcode opcode;
        const char *payload;
} frames[] = {
        { CASE("\x81\x05Hello"), true, 1, WEBSOCKET_TEXT, "Hello" },
        { CASE("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), false, 1, WEBSOCKET_TEXT, "Hello" },
        { CASE("\x89\x05Hello"), true, 1, WEBSOCKET_PING, "Hello" },
        { CASE("\x82\x7e\x00\x05Hello"), true, 1, WEBSOCKET_BINARY, "Hello" },
        { CASE("\x82\x7f\0\0\0\0\0\0\0\x05Hello"), true, 1, WEBSOCKET_BINARY, "Hello" },
        { CASE("\x88\x02\x03\xe8"), true, 1, WEBSOCKET_CLOSE, "\x03\xe8" },
        { CASE("\x82\x00"), true, 1, WEBSOCKET_BINARY, "" },
        { CASE("\x81\x05Hello"), false, -EPROTO, 0, NULL }, /* not masked */
        { CASE("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), true, -EPROTO, 0, NULL },
        { CASE("\xc1\x05Hello"), true, -EPROTO, 0, NULL },                  /* an extension's bit */
        { CASE("\x83\x05Hello"), true, -EPROTO, 0, NULL },                  /* opcode 3 */
        { CASE("\x80\x05Hello"), true, -EPROTO, 0, NULL },                  /* continues nothing */
        { CASE("\x09\x05Hello"), true, -EPROTO, 0, NULL },                  /* a control frame in pieces */
        { CASE("\x89\x7e\x00\x7e"), true, -EPROTO, 0, NULL },               /* a control frame of 126 bytes */
        { CASE("\x82\x7f\0\0\0\0\x02\0\0\x01"), true, -EMSGSIZE, 0, NULL }, /* one past the maximum */
};

static void test_frames(void **state) {
        for (size_t i = 0; i < ELEMENTS(frames); i++) {
                struct websocket_decoder decoder = { .client = frames[i].client };
                struct websocket_event event;
                uint8_t bytes[64], *p = bytes;
                size_t n = frames[i].size;

                memcpy(bytes, frames[i].bytes, n);
                if (websocket_decode(&decoder, &p, &n, &event) != frames[i].error)
                        fail_msg("case %zu", i);
                if (frames[i].error < 0)
                        continue;
                assert_int_equal(event.opcode, frames[i].opcode);
                assert_true(event.begin && event.end);
                assert_int_equal(event.size, strlen(frames[i].payload));
                assert_memory_equal(event.data, frames[i].payload, event.size);
                assert_int_equal(websocket_decode(&decoder, &p, &n, &event), 0);
        }
}

/* A fragmented message with a ping in its midst, cut at every length. */
static void test_pieces(void **state) {
        static const char stream[] = "\x01\x03Hel\x89\x01!\x80\x02lo\x82\x01x";

        for (size_t step = 1; step < sizeof(stream); step++) {
                struct websocket_decoder decoder = { .client = true };
                char text[16] = "", binary[16] = "", ping[16] = "";
                unsigned begins = 0, ends = 0;

                for (size_t at = 0; at < sizeof(stream) - 1; at += step) {
                        uint8_t bytes[32], *p = bytes;
                        size_t n = sizeof(stream) - 1 - at < step ? sizeof(stream) - 1 - at : step;
                        struct websocket_event event;

                        memcpy(bytes, stream + at, n);
                        while (websocket_decode(&decoder, &p, &n, &event) > 0) {
                                char *to = event.opcode == WEBSOCKET_TEXT   ? text :
                                           event.opcode == WEBSOCKET_BINARY ? binary :
                                                                              ping;

                                strncat(to, (const char *)event.data, event.size);
                                begins += event.opcode != WEBSOCKET_PING && event.begin;
                                ends += event.opcode != WEBSOCKET_PING && event.end;
                        }
                }
                assert_string_equal(text, "Hello");
                assert_string_equal(ping, "!");
                assert_string_equal(binary, "x");
                assert_int_equal(begins, 2);
                assert_int_equal(ends, 2);
        }
}

/* From any place in the payload on, at any length and address. */
static void test_mask(void **state) {
        static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };

        for (size_t at = 0; at < 9; at++)
                for (size_t size = 0; size < 40; size++) {
                        uint8_t bytes[64] = { 0 };

                        websocket_mask(bytes + at, size, mask, at + ((uint64_t)1 << 33));
                        for (size_t i = 0; i < sizeof(bytes); i++)
                                assert_int_equal(bytes[i], i >= at && i < at + size ? mask[i & 3] : 0);
                }
}

/* Headers at the lengths where their form changes. */
static void test_headers(void **state) {
        static const struct {
                uint64_t size;
                size_t header;
        } rows[] = { { 0, 2 }, { 125, 2 }, { 126, 4 }, { 65535, 4 }, { 65536, 10 } };
        static const uint8_t mask[4] = { 1, 2, 3, 4 };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                uint8_t header[WEBSOCKET_HEADER_MAX];

                assert_int_equal(websocket_header(header, WEBSOCKET_BINARY, rows[i].size, NULL), rows[i].header);
                assert_int_equal(websocket_header(header, WEBSOCKET_BINARY, rows[i].size, mask), rows[i].header + 4);
        }
}

#define BEARER "base64url.bearer.authorization.k8s.io."

/* What one field, or two, bring of a token, beside what kube-apiserver says of the same. */
static void test_tokens_among_protocols(void **state) {
        static const struct {
                const char *upgrade, *first, *second, *token;
                int r;
        } rows[] = {
                { "websocket", BEARER "YWJj, v5.channel.k8s.io", NULL, "abc", 0 },
                { "WebSocket", "v5.channel.k8s.io", "\t" BEARER "YWJj ", "abc", 0 },
                { "websocket", "," BEARER "YWJj", NULL, "abc", 0 }, /* an empty one is one */
                { "websocket", "v5.channel.k8s.io", NULL, NULL, -ENODATA },
                { "websocket", "v5.channel.k8s.io," BEARER, NULL, NULL, -ENODATA },
                { "websocket", "x" BEARER "YWJj, v5.channel.k8s.io", NULL, NULL, -ENODATA },
                { "SPDY/3.1", BEARER "YWJj, v5.channel.k8s.io", NULL, NULL, -ENODATA },
                { NULL, BEARER "YWJj, v5.channel.k8s.io", NULL, NULL, -ENODATA },
                { "websocket", BEARER "YWJj", NULL, NULL, -EACCES },
                { "websocket", BEARER "YWJj," BEARER "YWJj,x", NULL, NULL, -EACCES },
                { "websocket", BEARER "YWJj,x", BEARER, NULL, -EACCES },
                { "websocket", BEARER "YWJj=,x", NULL, NULL, -EACCES },
                { "websocket", BEARER "YW%Jj,x", NULL, NULL, -EACCES },
                { "websocket", BEARER "_w,x", NULL, NULL, -EACCES }, /* no UTF-8 */
                { "websocket", BEARER "AAAA,x", NULL, NULL, -EACCES },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                struct http_field fields[] = { { "sec-websocket-protocol", rows[i].first },
                                               { "sec-websocket-protocol", rows[i].second } };
                const struct http_request request = { .upgrade = rows[i].upgrade,
                                                      .fields = { fields, rows[i].second ? 2 : 1, 2 } };
                const char *token = NULL;
                int r = websocket_bearer(&request, arena, &token, NULL);

                if (r != rows[i].r)
                        fail_msg("row %zu: %d", i, r);
                if (r == 0)
                        assert_string_equal(token, rows[i].token);
        }
}

static void test_protocols_without_tokens(void **state) {
        static const char *const rows[][2] = {
                { "", "" },
                { "a,b", "a,b" },
                { BEARER "YWJj", "" },
                { "a," BEARER "YWJj ,\tb", "a, b" },
                { BEARER "YWJj," BEARER "x=y,c", "c" },
                { "x" BEARER ",d", "x" BEARER ", d" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();

                assert_string_equal(websocket_protocols_but_bearer(arena, rows[i][0]), rows[i][1]);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sha1),
                cmocka_unit_test(test_base64),
                cmocka_unit_test(test_base64_url),
                cmocka_unit_test(test_accept),
                cmocka_unit_test(test_frames),
                cmocka_unit_test(test_mask),
                cmocka_unit_test(test_pieces),
                cmocka_unit_test(test_headers),
                cmocka_unit_test(test_tokens_among_protocols),
                cmocka_unit_test(test_protocols_without_tokens),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
