#include "lib/http/gzip.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/body.h"
#include "lib/http/client.h"
#include "lib/http/gunzip.h"
#include "lib/http/server.h"
#include "lib/transport/address.h"
#include "lib/transport/listener.h"

#define LARGE ((size_t)4 << 20)
#define COLLECT_MAX ((size_t)1 << 20)

/* --- who takes gzip --- */

static void test_accept_encoding(void **state) {
        static const struct {
                const char *value;
                bool takes;
        } cases[] = {
                { NULL, false },
                { "", false },
                { "gzip", true },
                { "GZip", true },
                { "x-gzip", true },
                { "deflate, gzip, br", true },
                { "deflate,gzip", true },
                { "gzip;q=0", false },
                { "gzip;q=0.000", false },
                { "gzip; q=0.001", true },
                { "gzip ; Q=1.000", true },
                { "gzip;q=1.001", false },
                { "gzip;q=0.0001", false },
                { "gzip;q=x", false },
                { "gzip;level=1", false },
                { "identity", false },
                { "identity, gzip", true },
                { "identity;q=1, gzip;q=0.5", false },
                { "identity;q=0.5, gzip;q=0.5", true },
                { "*", true },
                { "*;q=0", false },
                { "*;q=0, gzip", true },
                { "*, gzip;q=0", false },
                { "br, *;q=0.1", true },
                { "gzipped", false },
                { ",,gzip,", true },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct http_field field = { "accept-encoding", cases[i].value };
                struct http_fields fields = { &field, cases[i].value ? 1 : 0, 0 };

                if (http_accepts_gzip(&fields) != cases[i].takes)
                        fail_msg("%s", cases[i].value);
        }
}

static void test_two_fields_are_one_list(void **state) {
        struct http_field both[] = { { "accept-encoding", "br" }, { "accept-encoding", "gzip" } };

        assert_true(http_accepts_gzip(&(struct http_fields){ both, 2, 0 }));
}

static void test_content_encoding(void **state) {
        struct http_field fields[] = { { "content-encoding", "gzip" }, { "content-encoding", "gzip" } };

        assert_int_equal(http_coding_of(&(struct http_fields){ fields, 0, 0 }), HTTP_CODING_IDENTITY);
        assert_int_equal(http_coding_of(&(struct http_fields){ fields, 1, 0 }), HTTP_CODING_GZIP);
        assert_int_equal(http_coding_of(&(struct http_fields){ fields, 2, 0 }), HTTP_CODING_OTHER);
        fields[0].value = "identity";
        assert_int_equal(http_coding_of(&(struct http_fields){ fields, 1, 0 }), HTTP_CODING_IDENTITY);
        fields[0].value = "br";
        assert_int_equal(http_coding_of(&(struct http_fields){ fields, 1, 0 }), HTTP_CODING_OTHER);
}

/* --- bytes --- */

/* Text that compresses to about a third. */
static struct bytes *make_text(size_t size) {
        struct bytes *text = bytes_new(size);
        uint32_t random = 1;

        for (size_t i = 0; i < size; i++) {
                random = random * 1664525 + 1013904223;
                text->data[i] = i % 64 < 40 ? (uint8_t)("{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":x"[i % 64]) :
                                              (uint8_t)('a' + (random >> 24) % 26);
        }
        return text;
}

static size_t compress_all(const uint8_t *data, size_t size, uint8_t *out, size_t room, size_t piece) {
        struct http_gzip *gzip = http_gzip_new(false);
        size_t n_out = 0;

        for (size_t left = size;;) {
                size_t n = left < piece ? left : piece, taking = n, written;

                written = http_gzip_put(gzip, &data, &n, left == taking, out + n_out, room - n_out);
                left -= taking - n;
                n_out += written;
                if (left == 0)
                        break;
        }
        http_gzip_free(gzip);
        return n_out;
}

static void test_there_and_back(void **state) {
        static const size_t sizes[] = { 0, 1, 100, 65535, 65536, 65537, LARGE };
        static const size_t pieces[] = { 1000, 65536, LARGE };

        for (size_t i = 0; i < ELEMENTS(sizes) * ELEMENTS(pieces); i++) {
                _cleanup_bytes_ struct bytes *text = make_text(sizes[i / ELEMENTS(pieces)]);
                size_t room = text->size + 1000, piece = pieces[i % ELEMENTS(pieces)];
                uint8_t *packed = malloc(room), *back = malloc(text->size + 1);
                size_t n = compress_all(text->data, text->size, packed, room, piece), n_back = 0;
                struct http_gunzip *gunzip = http_gunzip_new();
                const uint8_t *at = packed;

                for (;;) {
                        size_t some = text->size + 1 - n_back < 777 ? text->size + 1 - n_back : 777;
                        ssize_t r = http_gunzip_put(gunzip, &at, &n, back + n_back, some);

                        assert_true(r >= 0);
                        n_back += (size_t)r;
                        if (http_gunzip_ended(gunzip))
                                break;
                }
                assert_int_equal(n_back, text->size);
                assert_memory_equal(back, text->data, text->size);
                n = 1;
                assert_int_equal(http_gunzip_put(gunzip, &at, &n, back, 1), -EBADMSG); /* what is behind the end */
                http_gunzip_free(gunzip);
                free(packed);
                free(back);
        }
}

/* --- over the wire, by both protocols --- */

static uv_loop_t loop;
static struct http_server *server;
static struct http_client *client;
static struct http_body *body, *small, *limit, *noise, *rest;

#define HEAD_TEXT "a head, and "

static void handle_body(struct http_exchange *x, void *data) {
        static const struct http_field type = { "content-type", "application/json" };
        const char *name = http_param(x, "name");
        struct http_body *which = strcmp(name, "large") == 0 ? body :
                                  strcmp(name, "small") == 0 ? small :
                                  strcmp(name, "limit") == 0 ? limit :
                                                               noise;

        assert_int_equal(http_respond_body(x, 200, &type, 1, which), 0);
}

static void handle_headed(struct http_exchange *x, void *data) {
        struct bytes *head = bytes_copy(HEAD_TEXT, strlen(HEAD_TEXT));

        assert_int_equal(http_respond_headed(x, 200, NULL, 0, head, rest), 0);
        bytes_unref(head);
}

static void on_collected(struct http_exchange *x, int error, const void *bytes, size_t size, void *data) {
        char text[32];

        snprintf(text, sizeof(text), "%d %zu", error, size);
        if (error != -ECANCELED)
                assert_int_equal(http_reply(x, 200, "text/plain", text, strlen(text)), 0);
}

static void handle_upload(struct http_exchange *x, void *data) {
        http_collect(x, COLLECT_MAX, on_collected, NULL);
}

static const struct http_route routes[] = {
        { "GET", "/body/{name}", handle_body, 0 },
        { "GET", "/headed", handle_headed, 0 },
        { "POST", "/upload", handle_upload, 0 },
};

static struct http_body *make_body(struct bytes *bytes) {
        struct http_body *made = http_body_new(bytes);

        bytes_unref(bytes);
        return made;
}

static int set_up(void **state) {
        struct http_server_config config = { .routes = routes, .n_routes = ELEMENTS(routes) };
        struct http_client_config to = { .authority = "test.local",
                                         .version = *state ? HTTP_VERSION_2 : HTTP_VERSION_1 };
        struct bytes *random = bytes_new(LARGE);
        struct sockaddr_storage address;
        char text[64];
        int fd;

        for (size_t i = 0; i < LARGE; i++)
                random->data[i] = (uint8_t)(rand() >> 8);
        body = make_body(make_text(LARGE));
        small = make_body(make_text(HTTP_GZIP_ABOVE));
        limit = make_body(make_text(HTTP_GZIP_ABOVE + 1));
        noise = make_body(random);
        random = make_text(LARGE);
        rest = http_body_new_rest(random);
        bytes_unref(random);
        uv_loop_init(&loop);
        assert_int_equal(http_server_new(&loop, &config, &server, NULL), 0);
        assert_int_equal(listener_tcp("127.0.0.1:0", &fd, NULL), 0);
        snprintf(text, sizeof(text), "127.0.0.1:%d", listener_port(fd));
        assert_int_equal(http_server_listen(server, fd), 0);
        assert_int_equal(address_parse(text, &address, &to.n_address, NULL), 0);
        to.address = (const struct sockaddr *)&address;
        return http_client_new(&loop, &to, &client);
}

static int tear_down(void **state) {
        http_client_free(client);
        http_server_free(server, NULL, NULL);
        uv_run(&loop, UV_RUN_DEFAULT);
        http_body_unref(body);
        http_body_unref(small);
        http_body_unref(limit);
        http_body_unref(noise);
        http_body_unref(rest);
        return uv_loop_close(&loop);
}

struct seen {
        int status, error;
        bool closed;
        int64_t length;
        char coding[16], vary[32], text[64];
        size_t size;
        uint32_t crc;
};

static void on_head(struct http_exchange *x, const struct http_response *response) {
        struct seen *seen = http_data(x);

        seen->status = response->status;
        seen->length = response->length;
        snprintf(seen->coding, sizeof(seen->coding), "%s",
                 http_fields_get(&response->fields, "content-encoding") ?: "");
        snprintf(seen->vary, sizeof(seen->vary), "%s", http_fields_get(&response->fields, "vary") ?: "");
}

static void on_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct seen *seen = http_data(x);

        if (seen->size == 0)
                snprintf(seen->text, sizeof(seen->text), "%.*s", (int)n, (const char *)bytes);
        seen->size += n;
        seen->crc = (uint32_t)crc32(seen->crc, bytes, (uInt)n);
}

static void on_closed(struct http_exchange *x, int error, const char *why) {
        struct seen *seen = http_data(x);

        seen->closed = true;
        seen->error = error;
}

static const struct http_events events = { .head = on_head, .data = on_data, .closed = on_closed };

static struct seen get(const char *method, const char *target, unsigned flags, size_t max) {
        struct http_client_request request = { .method = method, .target = target, .flags = flags, .decoded_max = max };
        struct seen seen = { 0 };
        struct http_exchange *x;

        assert_int_equal(http_client_request(client, &request, &events, &seen, &x), 0);
        while (!seen.closed)
                uv_run(&loop, UV_RUN_ONCE);
        return seen;
}

static uint32_t crc_of(struct bytes *bytes) {
        uint32_t crc = (uint32_t)crc32(0, bytes->data, (uInt)bytes->size);

        bytes_unref(bytes);
        return crc;
}

static void test_responses(void **state) {
        uint32_t crc = crc_of(make_text(LARGE));
        struct seen plain = get("GET", "/body/large", 0, 0), first, then;

        assert_int_equal(plain.error, 0);
        assert_int_equal(plain.crc, crc);
        assert_int_equal(plain.length, LARGE);
        assert_string_equal(plain.vary, "Accept-Encoding");
        assert_int_equal(http_body_size(body), LARGE); /* nobody has asked for the other form */
        first = get("GET", "/body/large", HTTP_REQUEST_GZIP, 0);
        assert_int_equal(first.error, 0);
        assert_int_equal(first.size, LARGE);
        assert_int_equal(first.crc, crc);
        assert_true(http_body_size(body) > LARGE && http_body_size(body) < 2 * LARGE);
        then = get("GET", "/body/large", HTTP_REQUEST_GZIP, 0);
        assert_int_equal(then.error, 0);
        assert_int_equal(then.crc, crc);
        assert_string_equal(then.coding, ""); /* given as it was before */
}

/* One member of gzip, whether its rest was compressed before or not; what it says of the whole is looked at. */
static void test_headed(void **state) {
        struct bytes *text = make_text(LARGE);
        uint32_t crc = (uint32_t)crc32(0, (const uint8_t *)HEAD_TEXT, (uInt)strlen(HEAD_TEXT));

        crc = (uint32_t)crc32(crc, text->data, (uInt)text->size);
        bytes_unref(text);
        for (unsigned i = 0; i < 4; i++) {
                struct seen seen = get("GET", "/headed", i == 0 ? 0 : HTTP_REQUEST_GZIP, 0);

                assert_int_equal(seen.error, 0);
                assert_int_equal(seen.size, LARGE + strlen(HEAD_TEXT));
                assert_int_equal(seen.crc, crc);
        }
        assert_true(http_body_size(rest) > LARGE);
        assert_int_equal(get("HEAD", "/headed", 0, 0).size, 0);
        assert_int_equal(get("HEAD", "/headed", HTTP_REQUEST_GZIP, 0).size, 0);
}

/* Without our client's decoding: what is on the wire. */
static struct seen get_raw(const char *method, const char *target) {
        struct http_field accept = { "accept-encoding", "gzip" };
        struct http_client_request request = { .method = method, .target = target, .fields = &accept, .n_fields = 1 };
        struct seen seen = { 0 };
        struct http_exchange *x;

        assert_int_equal(http_client_request(client, &request, &events, &seen, &x), 0);
        while (!seen.closed)
                uv_run(&loop, UV_RUN_ONCE);
        assert_int_equal(seen.error, 0);
        return seen;
}

static void test_the_wire(void **state) {
        struct seen seen = get_raw("HEAD", "/body/large");

        assert_string_equal(seen.coding, "gzip");
        assert_int_equal(seen.size, 0);
        seen = get_raw("GET", "/body/large");
        assert_string_equal(seen.coding, "gzip");
        assert_int_equal(seen.length, -1);
        assert_true(seen.size < LARGE * 2 / 3);
        seen = get_raw("GET", "/body/large"); /* now it is known how large it is */
        assert_int_equal(seen.length, (int64_t)seen.size);
        assert_int_equal(seen.size, http_body_size(body) - LARGE);
        assert_string_equal(get_raw("GET", "/body/small").coding, "");
        assert_string_equal(get_raw("GET", "/body/small").vary, "");
        assert_string_equal(get_raw("GET", "/body/limit").coding, "gzip");
}

/* What does not become smaller is sent right, and not kept. */
static void test_noise(void **state) {
        struct seen first = get("GET", "/body/noise", HTTP_REQUEST_GZIP, 0), plain = get("GET", "/body/noise", 0, 0);

        assert_int_equal(first.error, 0);
        assert_int_equal(first.crc, plain.crc);
        assert_int_equal(first.size, LARGE);
        assert_int_equal(http_body_size(noise), LARGE);
}

/* Many ask at once before it is there: some get it as it is made, and memory stays bounded; all get it right. */
static void test_many_first_ones(void **state) {
        struct http_field accept = { "accept-encoding", "gzip" };
        struct http_client_request request = {
                .method = "GET", .target = "/body/large", .fields = &accept, .n_fields = 1
        };
        static struct seen seen[3 * HTTP_GZIP_AT_ONCE];
        unsigned compressed = 0;
        struct http_exchange *x;

        memset(seen, 0, sizeof(seen));
        for (size_t i = 0; i < ELEMENTS(seen); i++)
                assert_int_equal(http_client_request(client, &request, &events, &seen[i], &x), 0);
        for (size_t i = 0; i < ELEMENTS(seen); i++) {
                while (!seen[i].closed)
                        uv_run(&loop, UV_RUN_ONCE);
                assert_int_equal(seen[i].error, 0);
                compressed += strcmp(seen[i].coding, "gzip") == 0;
                if (!*seen[i].coding)
                        assert_int_equal(seen[i].size, LARGE);
        }
        assert_in_range(compressed, HTTP_GZIP_AT_ONCE, ELEMENTS(seen) - 1);
        assert_true(http_body_size(body) > LARGE);
}

/* The one that keeps it goes before it has all: the next one does. */
static void test_a_first_one_that_goes(void **state) {
        struct http_field accept = { "accept-encoding", "gzip" };
        struct http_client_request request = {
                .method = "GET", .target = "/body/large", .fields = &accept, .n_fields = 1
        };
        struct seen seen = { 0 };
        struct http_exchange *x;

        assert_int_equal(http_client_request(client, &request, &events, &seen, &x), 0);
        while (seen.size == 0)
                uv_run(&loop, UV_RUN_ONCE);
        http_reset(x, -ECANCELED);
        while (!seen.closed)
                uv_run(&loop, UV_RUN_ONCE);
        for (int i = 0; i < 100; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        assert_int_equal(http_body_size(body), LARGE);
        get_raw("GET", "/body/large");
        assert_true(http_body_size(body) > LARGE);
}

static void test_made_beforehand(void **state) {
        assert_int_equal(http_body_compress(body), 0);
        assert_int_equal(http_body_compress(body), 0);
        assert_int_equal(http_body_compress(small), 0);
        assert_int_equal(http_body_size(small), HTTP_GZIP_ABOVE);
        assert_true(get_raw("GET", "/body/large").length > 0);
}

static void test_the_client_bounds_what_it_decodes(void **state) {
        struct seen seen = get("GET", "/body/large", HTTP_REQUEST_GZIP, LARGE);

        assert_int_equal(seen.error, 0);
        assert_int_equal(seen.size, LARGE);
        seen = get("GET", "/body/large", HTTP_REQUEST_GZIP, LARGE - 1);
        assert_int_equal(seen.error, -EMSGSIZE);
        assert_true(seen.size < LARGE);
}

static struct seen upload(const char *coding, const void *bytes, size_t size) {
        struct http_field field = { "content-encoding", coding };
        struct http_client_request request = { .method = "POST",
                                               .target = "/upload",
                                               .fields = &field,
                                               .n_fields = 1,
                                               .length = (int64_t)size,
                                               .flags = HTTP_REQUEST_BODY };
        struct seen seen = { 0 };
        struct http_exchange *x;

        assert_int_equal(http_client_request(client, &request, &events, &seen, &x), 0);
        assert_int_equal(http_send(x, bytes, size), 0);
        assert_int_equal(http_end(x, NULL, 0), 0);
        while (!seen.closed)
                uv_run(&loop, UV_RUN_ONCE);
        return seen;
}

static void test_uploads(void **state) {
        _cleanup_free_ uint8_t *bomb = calloc(1, COLLECT_MAX + 1), *packed = malloc(COLLECT_MAX);
        size_t n = compress_all(bomb, COLLECT_MAX, packed, COLLECT_MAX, COLLECT_MAX);
        char text[64];

        assert_true(n < COLLECT_MAX / 100);
        snprintf(text, sizeof(text), "0 %zu", COLLECT_MAX);
        assert_string_equal(upload("gzip", packed, n).text, text);
        snprintf(text, sizeof(text), "%d 0", -EBADMSG);
        assert_memory_equal(upload("gzip", packed, n - 1).text, text, strlen(text) - 2);
        packed[n] = 'x';
        assert_memory_equal(upload("gzip", packed, n + 1).text, text, strlen(text) - 2);
        packed[0] = 'x';
        assert_memory_equal(upload("gzip", packed, n).text, text, strlen(text) - 2);
        n = compress_all(bomb, COLLECT_MAX + 1, packed, COLLECT_MAX, COLLECT_MAX);
        snprintf(text, sizeof(text), "%d", -EMSGSIZE);
        assert_memory_equal(upload("gzip", packed, n).text, text, strlen(text));
        snprintf(text, sizeof(text), "%d", -EOPNOTSUPP);
        assert_memory_equal(upload("br", "abc", 3).text, text, strlen(text));
        assert_string_equal(upload("identity", "abc", 3).text, "0 3");
}

#define BOTH(test)                                                                                                     \
        { #test " (HTTP/1.1)", test, set_up, tear_down, NULL }, {                                                      \
#test " (HTTP/2)", test, set_up, tear_down, &loop                                                      \
        }

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_accept_encoding),
                cmocka_unit_test(test_two_fields_are_one_list),
                cmocka_unit_test(test_content_encoding),
                cmocka_unit_test(test_there_and_back),
                BOTH(test_responses),
                BOTH(test_headed),
                BOTH(test_the_wire),
                BOTH(test_noise),
                BOTH(test_many_first_ones),
                BOTH(test_a_first_one_that_goes),
                BOTH(test_made_beforehand),
                BOTH(test_the_client_bounds_what_it_decodes),
                BOTH(test_uploads),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
