/* What proxies make of paths, queries and addresses: the answers are those of Go's path, net/url and net, and of
 * apimachinery's proxy. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/proxy/html.h"
#include "api/proxy/internal.h"
#include "api/server/request.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

static void paths_are_cleaned_and_encoded(void **state) {
        static const struct {
                const char *sent, *goes_on;
        } rows[] = {
                { "/api/v1/nodes/n/proxy", "" },
                { "/api/v1/nodes/n/proxy/", "/" },
                { "/api/v1/nodes/n/proxy/v1", "/v1" },
                { "/api/v1/nodes/n/proxy/a/", "/a/" },
                { "/api/v1/nodes/n/proxy//a//b", "/a/b" },
                { "/api/v1/nodes/n/proxy/a/./b/../c", "/a/c" },
                { "/api/v1/nodes/n/proxy/../../x", "/x" },
                { "/api/v1/nodes/n/proxy/%2e%2e/x", "/x" },
                { "/api/v1/nodes/n/proxy/a%20b%2Fc", "/a%20b/c" },
                { "/api/v1/nodes/n/proxy/a;b=c:d@e!f", "/a;b=c:d@e%21f" },
                { "/api/v1/nodes/n/proxy/%C3%A4", "/%C3%A4" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                struct api_request r = { .arena = arena };

                assert_int_equal(api_path_parse(arena, rows[i].sent, strlen(rows[i].sent), &r.path), 0);
                assert_string_equal(proxy_rest(&r), rows[i].goes_on);
        }
}

static void queries_are_encoded(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();

        assert_string_equal(proxy_escape_query(arena, "a b/c?d=e&f~-_.*"), "a+b%2Fc%3Fd%3De%26f~-_.%2A");
}

static void names_and_ports(void **state) {
        static const struct {
                const char *text, *scheme, *name, *port; /* @name NULL: it is none */
        } rows[] = {
                { "n", "", "n", "" },
                { "n:80", "", "n", "80" },
                { "https:n:web", "https", "n", "web" },
                { "http:n:", "http", "n", "" },
                { .text = "ftp:n:1" },
                { .text = "a:b:c:d" },
                { .text = ":80" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                struct api_request r = { .arena = arena };
                struct proxy_id id;
                bool valid = proxy_id_parse(&r, rows[i].text, &id);

                assert_int_equal(valid, rows[i].name != NULL);
                if (!valid)
                        continue;
                assert_string_equal(id.scheme, rows[i].scheme);
                assert_string_equal(id.name, rows[i].name);
                assert_string_equal(id.port, rows[i].port);
        }
}

static void addresses_of_others_alone(void **state) {
        static const char *const others[] = { "10.0.0.1", "192.0.2.1", "fd00::1", "2001:db8::1", "::ffff:10.0.0.1" };
        static const char *const own[] = { "127.0.0.1",
                                           "127.9.9.9",
                                           "0.0.0.0",
                                           "255.255.255.255",
                                           "169.254.1.1",
                                           "224.0.0.1",
                                           "::1",
                                           "::",
                                           "fe80::1",
                                           "ff02::1",
                                           "::ffff:127.0.0.1",
                                           "::ffff:7f00:1",
                                           "::ffff:169.254.169.254",
                                           "::ffff:0.0.0.0",
                                           "::ffff:224.0.0.1",
                                           "name",
                                           "" };

        for (size_t i = 0; i < ELEMENTS(others); i++)
                assert_true(proxy_is_unicast(others[i]));
        for (size_t i = 0; i < ELEMENTS(own); i++)
                assert_false(proxy_is_unicast(own[i]));
}

static void numbers_are_go_s(void **state) {
        static const char *const bad[] = {
                "", " 80", "\t80", "\r\n80", "80 ", "+", "-", "0x50", "9223372036854775808"
        };
        int64_t number;

        assert_true(proxy_number("80", &number) && number == 80);
        assert_true(proxy_number("+80", &number) && number == 80);
        assert_true(proxy_number("-1", &number) && number == -1);
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_false(proxy_number(bad[i], &number));
}

static void lists_of_address_types(void **state) {
        static const char *const bad[] = {
                "",
                "InternalIP,",
                "internalip",
                "InternalIP Hostname",
                "Hostname,,ExternalIP",
                "Hostname,Hostname,Hostname,Hostname,Hostname,Hostname,Hostname,Hostname,Hostname"
        };

        assert_int_equal(proxy_check_types(PROXY_ADDRESS_TYPES, NULL), 0);
        assert_int_equal(proxy_check_types("InternalIP", NULL), 0);
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                _cleanup_err_ struct err *err = NULL;

                assert_int_equal(proxy_check_types(bad[i], &err), -EINVAL);
                assert_non_null(strstr(err_text(err), "--kubelet-preferred-address-types"));
        }
}

static void words_are_go_s(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct proxy_target six = { .scheme = "https", .host = "fd00::1", .port = "" };

        assert_string_equal(proxy_dial_words(arena, "10.0.0.1:80", -ECONNREFUSED, NULL),
                            "dial tcp 10.0.0.1:80: connect: connection refused");
        assert_string_equal(proxy_dial_words(arena, NULL, -EHOSTUNREACH, "lookup x: no such host"),
                            "dial tcp: lookup x: no such host");
        assert_string_equal(proxy_dial_words(arena, "a:1", -EPROTO, "certificate has expired"),
                            "tls: failed to verify certificate: x509: certificate has expired or is not yet valid");
        assert_string_equal(proxy_host_port(arena, &six), "[fd00::1]:443");
}

static const struct proxy_here here = { "/p", "api:6443", "10.0.0.1:80", "" };

static void links_lead_back(void **state) {
        static const struct {
                const char *url, *leads; /* NULL: as it is */
        } rows[] = {
                { "/x?y#z", "/p/x?y#z" },
                { "x", NULL },
                { "/p/x", "/p/x" },
                { "//10.0.0.1:80/x", "/p/x" },
                { "http://10.0.0.1:80/x", "/p/x" },
                { "https://api:6443/x", "https://api:6443/p/x" },
                { "http://other/x", NULL },
                { "//other/x", NULL },
                { "#top", NULL },
                { "mailto:a@b", NULL },
                { "", NULL },
                { "http://10.0.0.1:80", NULL },
        };
        char url[PROXY_URL_MAX], *longest = calloc(1, PROXY_URL_MAX);

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                bool moved = proxy_relocate(&here, rows[i].url, url);

                assert_int_equal(moved, rows[i].leads != NULL);
                if (moved)
                        assert_string_equal(url, rows[i].leads);
        }
        memset(longest, '/', PROXY_URL_MAX - 1);
        memset(longest + 1, 'x', PROXY_URL_MAX - 4);
        longest[PROXY_URL_MAX - 3] = '\0'; /* and two bytes more */
        assert_true(proxy_relocate(&here, longest, url));
        longest[PROXY_URL_MAX - 3] = 'x';
        assert_false(proxy_relocate(&here, longest, url));
        free(longest);
}

struct text {
        char bytes[16384];
        size_t n;
};

static void append(void *data, const void *bytes, size_t n) {
        struct text *text = data;

        assert_true(n < sizeof(text->bytes) - text->n);
        memcpy(text->bytes + text->n, bytes, n);
        text->n += n;
        text->bytes[text->n] = '\0';
}

static void rewrite(const char *page, size_t n, size_t piece, struct text *ret_text) {
        struct proxy_html *html = proxy_html_new(&here);

        ret_text->n = 0;
        ret_text->bytes[0] = '\0';
        for (size_t i = 0; i < n; i += piece)
                proxy_html_feed(html, page + i, n - i < piece ? n - i : piece, append, ret_text);
        proxy_html_end(html, append, ret_text);
        proxy_html_free(html);
}

static void pages_are_rewritten(void **state) {
        static const char *const rows[][2] = {
                { "<a href=\"/x\">/x</a>", "<a href=\"/p/x\">/x</a>" },
                { "<A class=/no HREF = '/x' id=a>", "<A class=/no HREF = '/p/x' id=a>" },
                { "<a href=/x>t", "<a href=/p/x>t" },
                { "<img alt=\"<a href='/x'>\" src=\"/y\"/>", "<img alt=\"<a href='/x'>\" src=\"/p/y\"/>" },
                { "<!-- <a href='/x'> --><a href='/y'>", "<!-- <a href='/x'> --><a href='/p/y'>" },
                { "<!DOCTYPE html><p>1 < 2</p><link href=/s>", "<!DOCTYPE html><p>1 < 2</p><link href=/p/s>" },
                { "<script src='/s'>'<a href=\"/x\">'</scripty></script ><a href='/y'>",
                  "<script src='/p/s'>'<a href=\"/x\">'</scripty></script ><a href='/p/y'>" },
                { "<form action='/f' method=post><b href='/x'>", "<form action='/p/f' method=post><b href='/x'>" },
                { "<a href><a href=''><a href=", "<a href><a href=''><a href=" },
                { "<a href='/unfinished", "<a href='/unfinished" },
                { "<verylongelementname href='/x'><a verylongattributename='/x'>",
                  "<verylongelementname href='/x'><a verylongattributename='/x'>" },
                { "<<a href='/x'>", "<<a href='/p/x'>" },
        };
        struct text whole, parts;

        for (size_t i = 0; i < ELEMENTS(rows); i++)
                for (size_t piece = 1; piece <= strlen(rows[i][0]); piece++) {
                        rewrite(rows[i][0], strlen(rows[i][0]), piece, &parts);
                        assert_string_equal(parts.bytes, rows[i][1]);
                }
        memset(parts.bytes, 'x', 8192); /* a value longer than any that is held passes as it is */
        memcpy(parts.bytes, "<a href='/", 10);
        memcpy(parts.bytes + 8190, "'>", 3);
        rewrite(parts.bytes, 8192, 100, &whole);
        assert_int_equal(whole.n, 8192);
        assert_memory_equal(whole.bytes, parts.bytes, 8192);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(paths_are_cleaned_and_encoded),
                cmocka_unit_test(queries_are_encoded),
                cmocka_unit_test(names_and_ports),
                cmocka_unit_test(addresses_of_others_alone),
                cmocka_unit_test(numbers_are_go_s),
                cmocka_unit_test(lists_of_address_types),
                cmocka_unit_test(words_are_go_s),
                cmocka_unit_test(links_lead_back),
                cmocka_unit_test(pages_are_rewritten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
