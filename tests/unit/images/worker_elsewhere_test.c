/* Which server a URL on the way leads to, and what that one is told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "images/worker/elsewhere.h"
#include "images/worker/registry.h"
#include "lib/cleanup.h"

/* A registry of two servers, each with its own credentials. */
static void make(struct registry *r, const struct image_transfer_request *request, const char *mirror,
                 const char *origin) {
        const char *const bases[] = { mirror, origin };

        *r = (struct registry){ .lock = PTHREAD_MUTEX_INITIALIZER, .request = request, .endpoints = { .count = 2 } };
        for (size_t i = 0; i < 2; i++) {
                struct endpoint *e = &r->endpoints.items[i];

                e->base = strdup(bases[i]);
                e->host = strdup(strstr(bases[i], "://") + 3);
                e->username = strdup(i ? "origin's" : "mirror's");
                e->password = strdup("secret");
                e->ca_file = strdup("/ca");
                e->cert_file = strdup("/cert");
                e->tls = (struct http_tls){ .ca_file = e->ca_file, .cert_file = e->cert_file, .skip_verify = true };
        }
}

static void test_servers(void **state) {
        static const struct {
                const char *mirror, *origin, *url;
                const char *username; /* that is used, NULL for none */
        } rows[] = {
                { "https://m/v2", "https://o/v2", "https://m/v2/x", "mirror's" },
                { "https://m/v2", "https://o/v2", "https://o/v2/x", "origin's" },
                { "https://m/v2", "https://o/v2", "https://M:443/elsewhere?x=y", "mirror's" },
                { "https://m/v2", "https://o/v2", "https://m:444/v2/x", NULL },
                { "https://m/v2", "https://o/v2", "http://m/v2/x", NULL },
                { "https://m/v2", "https://o/v2", "http://m:443/v2/x", NULL },
                { "https://m/v2", "https://o/v2", "https://m.evil/v2/x", NULL },
                { "https://m/v2", "https://o/v2", "https://evil.m/v2/x", NULL },
                { "https://m/v2", "https://o/v2", "https://m@evil/v2/x", NULL },
                { "https://m/v2", "https://o/v2", "https://evil/m", NULL },
                { "https://m:1/v2", "https://o/v2", "https://m:11/v2/x", NULL },
                { "https://m:1/v2", "https://o/v2", "https://m/v2/x", NULL },
                { "http://m/v2", "https://o/v2", "https://m/v2/x", "mirror's" }, /* it has TLS after all */
                { "http://m:80/v2", "https://o/v2", "https://m:443/v2/x", "mirror's" },
                { "http://m:5000/v2", "https://o/v2", "https://m:5000/v2/x", "mirror's" },
                { "http://m:5000/v2", "https://o/v2", "https://m/v2/x", NULL },
                { "http://m/v2", "https://o/v2", "http://o/v2/x", NULL },
        };
        const struct image_transfer_request request = { .kind = IMAGE_PULL };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct registry registry;
                struct endpoint *server;

                make(&registry, &request, rows[i].mirror, rows[i].origin);
                assert_int_equal(elsewhere_find(&registry, &registry.endpoints.items[0], rows[i].url, &server, NULL),
                                 0);
                if (rows[i].username ? !server->username || strcmp(server->username, rows[i].username) != 0 :
                                       server->username != NULL)
                        fail_msg("row %zu: %s", i, server->username ?: "none");
                if (!rows[i].username) { /* the CA goes along, the certificate stays */
                        assert_string_equal(server->tls.ca_file, "/ca");
                        assert_null(server->tls.cert_file);
                        assert_true(server->tls.skip_verify);
                }
                registry_close(&registry);
        }
}

/* What a file has for a host by its name, when it may be said and over which connection. */
static void test_own_credentials(void **state) {
        static const struct {
                const char *url, *insecure;
                bool told;
        } rows[] = {
                { "https://b:1/x", NULL, true },        { "http://b:1/x", NULL, false },
                { "http://b:1/x", "b", false },         { "http://b:1/x", "a,b:1", true },
                { "https://b:2/x", NULL, false },       { "https://b/x", NULL, false },
                { "http://127.0.0.1:7/x", NULL, true }, { "https://127.0.0.1:7/x", NULL, true },
        };
        char path[] = "/tmp/elsewhere-test.XXXXXX";
        int fd = mkstemp(path);

        (void)state;
        assert_true(fd >= 0);
        dprintf(fd, "{\"auths\":{\"b:1\":{\"auth\":\"dTpw\"},\"127.0.0.1:7\":{\"auth\":\"dTpw\"}}}");
        close(fd);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const struct image_transfer_request request = { .insecure = rows[i].insecure, .docker_config = path };
                struct registry registry;
                struct endpoint *server;

                make(&registry, &request, "http://m/v2", "http://o/v2");
                assert_int_equal(elsewhere_find(&registry, &registry.endpoints.items[0], rows[i].url, &server, NULL),
                                 0);
                if ((server->username != NULL) != rows[i].told)
                        fail_msg("row %zu: %s", i, server->username ?: "none");
                if (server->username) { /* who is told a secret is verified */
                        assert_string_equal(server->username, "u");
                        assert_false(server->tls.skip_verify);
                        assert_null(server->tls.ca_file);
                }
                registry_close(&registry);
        }
        assert_int_equal(unlink(path), 0);
}

static void test_number(void **state) {
        const struct image_transfer_request request = { .kind = IMAGE_PULL };
        struct registry registry;
        struct endpoint *server, *first = NULL;
        char url[64];

        (void)state;
        make(&registry, &request, "https://m/v2", "https://o/v2");
        for (int i = 0; i <= REGISTRY_ELSEWHERE_MAX; i++) {
                snprintf(url, sizeof(url), "https://h%d/x", i);
                assert_int_equal(elsewhere_find(&registry, &registry.endpoints.items[0], url, &server, NULL),
                                 i < REGISTRY_ELSEWHERE_MAX ? 0 : -E2BIG);
                first = first ?: server;
        }
        assert_int_equal(elsewhere_find(&registry, &registry.endpoints.items[0], "https://h0/y", &server, NULL), 0);
        assert_ptr_equal(server, first);
        assert_int_equal(elsewhere_find(&registry, &registry.endpoints.items[0], "https://", &server, NULL), -EPROTO);
        registry_close(&registry);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_servers),
                cmocka_unit_test(test_own_credentials),
                cmocka_unit_test(test_number),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
