#include "probes/http_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* From http://10.0.0.1:8080/a/b?q to where each Location leads; NULL: it is not followed. */
static const struct {
        const char *location, *path;
        uint16_t port;
        bool tls;
} rows[] = {
        { "/x", "/x", 8080, false },
        { "x", "/a/x", 8080, false },
        { "?y", "/a/b?y", 8080, false },
        { "../x", "/x", 8080, false },
        { "../../../x", "/x", 8080, false },
        { "./", "/a/", 8080, false },
        { "x/./y/..", "/a/x/", 8080, false },
        { "http://10.0.0.1/x?y#z", "/x?y", 80, false },
        { "http://10.0.0.1", "/", 80, false },
        { "http://10.0.0.1?x", "/?x", 80, false },
        { "HTTPS://10.0.0.1:9443/x", "/x", 9443, true },
        { "https://10.0.0.1/", "/", 443, true },
        { "//10.0.0.1:81/x", "/x", 81, false },
        { "/a b\"\xc3\xa9", "/a%20b%22%C3%A9", 8080, false },
        { "http://10.0.0.2/x", NULL, 0, false },
        { "http://example.com/", NULL, 0, false },
        { "//example.com/", NULL, 0, false },
        { "http://u@10.0.0.1/", NULL, 0, false },
        { "http://10.0.0.1:0/", NULL, 0, false },
        { "http://10.0.0.1:65536/", NULL, 0, false },
        { "http://10.0.0.1:x/", NULL, 0, false },
        { "http://10.0.0.10/", NULL, 0, false },
        { "ftp://10.0.0.1/", NULL, 0, false },
        { "javascript:x", NULL, 0, false },
};

static void test_resolve(void **state) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct http_url url = { .port = 8080 };
                bool followed;

                assert_true(http_url_set_path(&url, "/a/b?q"));
                followed = http_url_resolve(&url, "10.0.0.1", rows[i].location);
                if (followed != (rows[i].path != NULL))
                        fail_msg("%s: %s", rows[i].location, followed ? url.path : "not followed");
                if (!followed)
                        continue;
                assert_string_equal(url.path, rows[i].path);
                assert_int_equal(url.port, rows[i].port);
                assert_int_equal(url.tls, rows[i].tls);
        }
}

static void test_six(void **state) {
        struct http_url url = { .port = 80, .path = "/" };

        assert_true(http_url_resolve(&url, "fd00::1", "http://[FD00::1]:81/x"));
        assert_int_equal(url.port, 81);
        assert_false(http_url_resolve(&url, "fd00::1", "http://[fd00::2]/x"));
        assert_false(http_url_resolve(&url, "fd00::1", "http://[fd00::1/x"));
}

static void test_length(void **state) {
        struct http_url url = { .port = 80 };
        char path[HTTP_PATH_MAX + 8];

        memset(path, 'x', sizeof(path));
        path[0] = '/';
        path[HTTP_PATH_MAX - 4] = '\0';
        assert_true(http_url_set_path(&url, path));
        path[HTTP_PATH_MAX - 4] = 'x';
        path[HTTP_PATH_MAX + 4] = '\0';
        assert_false(http_url_set_path(&url, path));
        assert_true(http_url_set_path(&url, "healthz"));
        assert_string_equal(url.path, "/healthz");
        assert_false(http_url_resolve(&url, "h", path + 1));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_resolve),
                cmocka_unit_test(test_six),
                cmocka_unit_test(test_length),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
