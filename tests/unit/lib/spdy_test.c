#include "lib/stream/spdy.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"

static const char *const headers[][2] = { { "streamtype", "stdin" }, { "port", "8080" }, { "requestid", "0" } };

/* What one side writes the other reads, in any pieces; the compressor's state goes on from frame to frame. */
static void test_streams_and_data(void **state) {
        struct spdy client, server;
        uint8_t bytes[4096];
        size_t size = 0;

        assert_int_equal(spdy_init(&client), 0);
        for (uint32_t stream = 1; stream <= 5; stream += 2)
                size += spdy_syn_stream(&client, stream, headers, 3, bytes + size, sizeof(bytes) - size);
        spdy_data_header(bytes + size, 3, SPDY_FIN, 5);
        memcpy(bytes + size + SPDY_DATA_HEADER_SIZE, "hello", 5);
        size += SPDY_DATA_HEADER_SIZE + 5;
        size += spdy_ping(7, bytes + size);
        size += spdy_reset(5, 3, bytes + size);
        size += spdy_goaway(5, 0, bytes + size);

        for (size_t step = 1; step < size; step += step < 20 ? 1 : 37) {
                char text[16] = "";
                unsigned streams = 0, others = 0;
                bool fin = false;

                assert_int_equal(spdy_init(&server), 0);
                for (size_t at = 0; at < size; at += step) {
                        const uint8_t *p = bytes + at;
                        size_t n = size - at < step ? size - at : step;
                        struct spdy_event event;
                        int r;

                        while ((r = spdy_decode(&server, &p, &n, &event)) > 0) {
                                if (event.kind == SPDY_STREAM) {
                                        assert_int_equal(event.stream, 2 * streams++ + 1);
                                        assert_string_equal(spdy_header(&server, "streamtype"), "stdin");
                                        assert_string_equal(spdy_header(&server, "port"), "8080");
                                        assert_null(spdy_header(&server, "host"));
                                } else if (event.kind == SPDY_DATA) {
                                        assert_int_equal(event.stream, 3);
                                        strncat(text, (const char *)event.data, event.size);
                                        fin |= event.fin;
                                } else
                                        others++;
                        }
                        assert_int_equal(r, 0);
                }
                assert_int_equal(streams, 3);
                assert_string_equal(text, "hello");
                assert_true(fin);
                assert_int_equal(others, 3);
                spdy_done(&server);
        }
        spdy_done(&client);
}

#define CASE(bytes) bytes, sizeof(bytes) - 1

static const struct {
        const char *bytes;
        size_t size;
        int error;
} refusals[] = {
        { CASE("\x80\x02\0\1\0\0\0\0"), -EPROTO },                           /* SPDY/2 */
        { CASE("\x80\x03\0\1\0\0\0\4\0\0\0\1"), -EPROTO },                   /* SYN_STREAM too short */
        { CASE("\x80\x03\0\1\0\0\0\x0e\0\0\0\1\0\0\0\0\0\0zzzz"), -EPROTO }, /* no zlib */
        { CASE("\x80\x03\0\6\0\0\0\2\0\0"), -EPROTO },                       /* PING too short */
        { CASE("\x80\x03\0\3\0\0\0\4\0\0\0\1"), -EPROTO },                   /* RST_STREAM too short */
        { CASE("\x80\x03\0\1\0\0\x40\1"), -EMSGSIZE },                       /* one past the maximum */
        { CASE("\x80\x03\0\1\0\0\x40\0"), 0 },                               /* the maximum: waits for it */
        { CASE("\x80\x03\0\4\0\0\0\4\0\0\0\0"), 0 },                         /* SETTINGS are passed over */
        { CASE("\x80\x03\0\x09\0\0\0\4\0\0\0\1"), -EPROTO },                 /* WINDOW_UPDATE too short */
        { CASE("\x80\x03\0\x09\0\0\0\x08\0\0\0\1\0\0\0\0"), -EPROTO },       /* of nothing */
        { CASE("\x80\x03\0\x09\0\0\0\x08\0\0\0\1\x7f\xff\xff\xff"), 0 },     /* of the most there is, and again */
        { CASE("\x80\x03\0\x63\0\0\0\1x"), 0 },                              /* so is what is unknown */
};

static void test_refusals(void **state) {
        for (size_t i = 0; i < ELEMENTS(refusals); i++) {
                const uint8_t *p = (const uint8_t *)refusals[i].bytes;
                size_t n = refusals[i].size;
                struct spdy_event event;
                struct spdy spdy;

                assert_int_equal(spdy_init(&spdy), 0);
                if (spdy_decode(&spdy, &p, &n, &event) != refusals[i].error)
                        fail_msg("case %zu", i);
                spdy_done(&spdy);
        }
}

/* A block that decompresses to far more than it is. */
static void test_bomb(void **state) {
        _cleanup_free_ uint8_t *zeros = calloc(1, 1 << 20), *frame = calloc(1, 1 << 16);
        z_stream deflater = { 0 };
        struct spdy server;
        struct spdy_event event;
        const uint8_t *p = frame;
        size_t n;

        assert_int_equal(deflateInit(&deflater, Z_BEST_COMPRESSION), Z_OK);
        assert_int_equal(spdy_init(&server), 0);
        deflater.next_in = zeros;
        deflater.avail_in = 1 << 20;
        deflater.next_out = frame + 18;
        deflater.avail_out = (1 << 16) - 18;
        deflate(&deflater, Z_SYNC_FLUSH);
        n = (1 << 16) - deflater.avail_out;
        assert_true(n < SPDY_CONTROL_MAX);
        memcpy(frame, "\x80\x03\0\1\0\0\0\0", 8);
        frame[6] = (uint8_t)((n - 8) >> 8);
        frame[7] = (uint8_t)(n - 8);
        assert_int_equal(spdy_decode(&server, &p, &n, &event), -EMSGSIZE);
        deflateEnd(&deflater);
        spdy_done(&server);
}

static void test_too_many_headers(void **state) {
        const char *many[SPDY_HEADERS_COUNT_MAX + 1][2];
        struct spdy client, server;
        uint8_t frame[4096];

        for (unsigned i = 0; i <= SPDY_HEADERS_COUNT_MAX; i++)
                many[i][0] = many[i][1] = "x";
        for (unsigned n = SPDY_HEADERS_COUNT_MAX; n <= SPDY_HEADERS_COUNT_MAX + 1; n++) {
                struct spdy_event event;
                const uint8_t *p = frame;
                size_t size;

                assert_int_equal(spdy_init(&client), 0);
                assert_int_equal(spdy_init(&server), 0);
                size = spdy_syn_stream(&client, 1, many, n, frame, sizeof(frame));
                assert_true(size > 0);
                assert_int_equal(spdy_decode(&server, &p, &size, &event), n > SPDY_HEADERS_COUNT_MAX ? -EMSGSIZE : 1);
                spdy_done(&client);
                spdy_done(&server);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_streams_and_data),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_bomb),
                cmocka_unit_test(test_too_many_headers),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
