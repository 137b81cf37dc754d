#include "lib/grpc/grpc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cri/api.pb-c.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"

static const struct {
        const char *text, *encoded;
} messages[] = {
        { "", "" },
        { "plain text, 100 of it", "plain text, 100 of it" },
        { "100% \"sure\"\n", "100%25 \"sure\"%0A" },
        { "ü", "%C3%BC" },
        { "\x7f", "%7F" },
};

static void test_message_encoding(void **state) {
        for (size_t i = 0; i < ELEMENTS(messages); i++) {
                _cleanup_free_ char *encoded = grpc_message_encode(messages[i].text);
                _cleanup_free_ char *decoded = grpc_message_decode(encoded, strlen(encoded));

                assert_string_equal(encoded, messages[i].encoded);
                assert_string_equal(decoded, messages[i].text);
        }
}

static void test_message_decode_keeps_bad_escapes(void **state) {
        static const char *const kept[] = { "%", "%4", "%zz", "100%", "%4g" };

        for (size_t i = 0; i < ELEMENTS(kept); i++) {
                _cleanup_free_ char *decoded = grpc_message_decode(kept[i], strlen(kept[i]));

                assert_string_equal(decoded, kept[i]);
        }
}

static void test_message_is_cut_at_its_maximum(void **state) {
        _cleanup_free_ char *text = malloc(GRPC_TEXT_MAX + 2), *encoded = NULL;

        memset(text, 'x', GRPC_TEXT_MAX + 1);
        text[GRPC_TEXT_MAX + 1] = '\0';
        encoded = grpc_message_encode(text);
        assert_int_equal(strlen(encoded), GRPC_TEXT_MAX);
}

static const struct {
        const char *value;
        int error;
        uint64_t ms;
} timeouts[] = {
        { "1S", 0, 1000 },
        { "100m", 0, 100 },
        { "2M", 0, 120000 },
        { "1H", 0, 3600000 },
        { "1u", 0, 1 },
        { "1500u", 0, 2 },
        { "1n", 0, 1 },
        { "99999999m", 0, 99999999 },
        { "100000000m", -EINVAL, 0 },
        { "", -EINVAL, 0 },
        { "S", -EINVAL, 0 },
        { "5", -EINVAL, 0 },
        { "-1S", -EINVAL, 0 },
        { "1s", -EINVAL, 0 },
        { "1 S", -EINVAL, 0 },
};

static void test_timeouts(void **state) {
        for (size_t i = 0; i < ELEMENTS(timeouts); i++) {
                uint64_t ms = 42;

                assert_int_equal(grpc_timeout_parse(timeouts[i].value, strlen(timeouts[i].value), &ms),
                                 timeouts[i].error);
                assert_int_equal(ms, timeouts[i].error ? 42 : timeouts[i].ms);
        }
}

static void test_codes_and_errnos(void **state) {
        static const struct {
                int error;
                enum grpc_code code;
        } rows[] = {
                { ENOENT, GRPC_NOT_FOUND },          { EINVAL, GRPC_INVALID_ARGUMENT },
                { EEXIST, GRPC_ALREADY_EXISTS },     { EPERM, GRPC_PERMISSION_DENIED },
                { ENOSPC, GRPC_RESOURCE_EXHAUSTED }, { ETIMEDOUT, GRPC_DEADLINE_EXCEEDED },
                { EBUSY, GRPC_FAILED_PRECONDITION }, { ENOSYS, GRPC_UNIMPLEMENTED },
                { ECANCELED, GRPC_CANCELLED },       { EAGAIN, GRPC_UNAVAILABLE },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                assert_int_equal(grpc_code_from_errno(rows[i].error), rows[i].code);
                assert_int_equal(grpc_code_to_errno(rows[i].code), rows[i].error);
        }
        assert_int_equal(grpc_code_from_errno(EIO), GRPC_UNKNOWN);
        assert_int_equal(grpc_code_from_errno(0), GRPC_OK);
        assert_string_equal(grpc_code_name(GRPC_NOT_FOUND), "NotFound");
        assert_string_equal(grpc_code_name((enum grpc_code)99), "Unknown");
}

/* Any split of the stream gives the same messages. */
static void test_reader_takes_any_split(void **state) {
        static const uint8_t stream[] = { 0, 0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 'd' };
        static const char *const want[] = { "abc", "", "d" };

        for (size_t step = 1; step <= sizeof(stream); step++) {
                struct grpc_reader reader = {};
                size_t found = 0;

                for (size_t at = 0; at < sizeof(stream); at += step) {
                        const uint8_t *data = stream + at;
                        size_t size = sizeof(stream) - at < step ? sizeof(stream) - at : step;

                        while (grpc_reader_feed(&reader, &data, &size, 3) > 0) {
                                assert_int_equal(reader.size, strlen(want[found]));
                                assert_memory_equal(reader.data ? reader.data : (const uint8_t *)"", want[found],
                                                    reader.size);
                                grpc_reader_next(&reader);
                                found++;
                        }
                }
                assert_int_equal(found, 3);
                assert_false(grpc_reader_partial(&reader));
                grpc_reader_free(&reader);
        }
}

static const struct {
        uint8_t prefix[GRPC_PREFIX_SIZE];
        int error;
} prefixes[] = {
        { { 0, 0, 0, 0, 4 }, 0 }, /* the limit */
        { { 0, 0, 0, 0, 5 }, -EMSGSIZE }, { { 0, 0xff, 0xff, 0xff, 0xff }, -EMSGSIZE },
        { { 1, 0, 0, 0, 1 }, -ENOTSUP },  { { 2, 0, 0, 0, 1 }, -EPROTO },
};

static void test_reader_refuses(void **state) {
        for (size_t i = 0; i < ELEMENTS(prefixes); i++) {
                struct grpc_reader reader = {};
                const uint8_t *data = prefixes[i].prefix;
                size_t size = GRPC_PREFIX_SIZE;

                assert_int_equal(grpc_reader_feed(&reader, &data, &size, 4), prefixes[i].error);
                grpc_reader_free(&reader);
        }
}

/* An announced length alone costs nothing. */
static void test_reader_grows_with_what_came(void **state) {
        static const uint8_t bytes[] = { 0, 1, 0, 0, 0, 'x' };
        struct grpc_reader reader = {};
        const uint8_t *data = bytes;
        size_t size = sizeof(bytes);

        assert_int_equal(grpc_reader_feed(&reader, &data, &size, GRPC_MESSAGE_MAX), 0);
        assert_true(reader.allocated <= 4096);
        assert_true(grpc_reader_partial(&reader));
        grpc_reader_free(&reader);
}

static const struct {
        const char *bytes;
        size_t size;
        int error;
} packed[] = {
        { "", 0, 0 },
        { "\x0a\x02v1", 4, 0 },
        { "\x0a\x02\xc3\xbc", 4, 0 },
        { "\x0a\x02\xc3\x28", 4, -EBADMSG }, /* not UTF-8 */
        { "\x0a\x05v1", 4, -EBADMSG },       /* the string passes the end */
        { "\x0a", 1, -EBADMSG },
        { "\xff\xff\xff\xff\xff\xff", 6, -EBADMSG },
        { "\x52\x01x", 3, 0 },           /* an unknown field */
        { "\x80\x00\x07", 3, -EBADMSG }, /* field number 0 */
};

static void test_unpack(void **state) {
        for (size_t i = 0; i < ELEMENTS(packed); i++) {
                struct grpc_unpacked message = {};

                assert_int_equal(
                        grpc_unpack(&cri__version_request__descriptor, packed[i].bytes, packed[i].size, &message),
                        packed[i].error);
                grpc_unpacked_free(&message);
        }
}

/* Two bytes a string on the wire, sixteen and more in memory. */
static void test_unpack_is_bounded(void **state) {
        size_t size = GRPC_MESSAGE_MAX;
        _cleanup_free_ uint8_t *bytes = malloc(size);
        struct grpc_unpacked message = {};

        for (size_t i = 0; i + 1 < size; i += 2) {
                bytes[i] = 0x12; /* ExecRequest.cmd */
                bytes[i + 1] = 0;
        }
        assert_int_equal(grpc_unpack(&cri__exec_request__descriptor, bytes, size, &message), -ENOBUFS);
        assert_null(message.message);
        assert_int_equal(grpc_unpack(&cri__exec_request__descriptor, bytes, 1 << 20, &message), 0);
        assert_int_equal(((Cri__ExecRequest *)message.message)->n_cmd, 1 << 19);
        grpc_unpacked_free(&message);
}

static void test_pack(void **state) {
        Cri__VersionRequest request = CRI__VERSION_REQUEST__INIT;
        _cleanup_free_ char *text = calloc(1, GRPC_MESSAGE_MAX + 1);
        _cleanup_bytes_ struct bytes *message = NULL;

        request.version = (char *)"v1";
        assert_int_equal(grpc_pack(&request.base, &message), 0);
        assert_int_equal(message->size, 9);
        assert_memory_equal(message->data, "\0\0\0\0\4\x0a\x02v1", 9);
        memset(text, 'x', GRPC_MESSAGE_MAX);
        request.version = text;
        assert_int_equal(grpc_pack(&request.base, &message), -EMSGSIZE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_message_encoding),
                cmocka_unit_test(test_message_decode_keeps_bad_escapes),
                cmocka_unit_test(test_message_is_cut_at_its_maximum),
                cmocka_unit_test(test_timeouts),
                cmocka_unit_test(test_codes_and_errnos),
                cmocka_unit_test(test_reader_takes_any_split),
                cmocka_unit_test(test_reader_refuses),
                cmocka_unit_test(test_reader_grows_with_what_came),
                cmocka_unit_test(test_unpack),
                cmocka_unit_test(test_unpack_is_bounded),
                cmocka_unit_test(test_pack),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
