/* Registry configuration: TOML, rewrites, credentials. */
#include <errno.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "images/worker/endpoints.h"
#include "images/worker/registry.h"
#include "images/worker/toml.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* All entries as "a|b|key=1,2" lines. */
static int collect(void *data, const struct toml_entry *e, struct err **err) {
        FILE *f = data;

        (void)err;
        for (size_t i = 0; i < e->n_keys; i++)
                fprintf(f, "%s%s", i > 0 ? "|" : "", e->keys[i]);
        for (size_t i = 0; i < e->n_values; i++)
                fprintf(f, "%c%s", i > 0 ? ',' : '=', e->values[i]);
        fputc('\n', f);
        return 0;
}

static const struct {
        const char *text, *lines;
} documents[] = {
        { "", "" },
        { "# comment\n\n a = \"x\" # more\r\n", "a=x\n" },
        { "server = 'https://h'\n[host.\"https://m:1\"]\n  capabilities = [\"pull\", 'push',]\n  skip_verify = true\n",
          "server=https://h\nhost|https://m:1|capabilities=pull,push\nhost|https://m:1|skip_verify=true\n" },
        { "client = [[\"c\", \"k\"],\n # comment\n [\"d\", \"\"]]\n", "client=c,k,d,\n" },
        { "a.b.\"c d\" = 12\nt = \"tab\\t\\\"q\\\"\"\n", "a|b|c d=12\nt=tab\t\"q\"\n" },
        { "e = []\n", "e\n" },
};

static void test_toml(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(documents); i++) {
                _cleanup_err_ struct err *err = NULL;
                _cleanup_free_ char *lines = NULL;
                size_t n;
                FILE *f = open_memstream(&lines, &n);

                if (toml_parse(documents[i].text, collect, f, &err) < 0)
                        fail_msg("row %zu: %s", i, err_text(err));
                fclose(f);
                assert_string_equal(lines, documents[i].lines);
        }
}

static const struct {
        const char *text, *says;
} bad_documents[] = {
        { "a = \"x\n", "line 1: a string without its end" },
        { "\na\n", "line 2: a key needs '='" },
        { "a = \n", "line 1: a key or a value is missing" },
        { "[a\n", "needs ']'" },
        { "[[a]]\n", "lists of tables" },
        { "a = {b=1}\n", "inline tables" },
        { "a = \"\"\"x\"\"\"\n", "several lines" },
        { "a = [1 2]\n", "a list needs ',' or ']'" },
        { "a = 1 2\n", "something stands behind" },
        { "a = \"\\x\"\n", "unknown escape" },
        { "a = [[[[[1]]]]]\n", "nested too deep" },
        { "a.b.c.d.e.f.g.h.i = 1\n", "too many parts" },
};

static void test_bad_toml(void **state) {
        FILE *f = fopen("/dev/null", "w");

        (void)state;
        for (size_t i = 0; i < ELEMENTS(bad_documents); i++) {
                _cleanup_err_ struct err *err = NULL;

                if (toml_parse(bad_documents[i].text, collect, f, &err) != -EINVAL)
                        fail_msg("row %zu was taken", i);
                if (!strstr(err_text(err), bad_documents[i].says))
                        fail_msg("row %zu: %s", i, err_text(err));
        }
        fclose(f);
}

static void test_rewrites(void **state) {
        static const struct {
                const char *pattern, *replacement, *path, *result;
        } rows[] = {
                { "^library/(.*)", "mirror/$1", "library/nginx", "mirror/nginx" },
                { "^library/(.*)", "mirror/${1}x", "library/nginx", "mirror/nginxx" },
                { "^(a)/(b)$", "$2/$1", "a/b", "b/a" },
                { "^library/(.*)", "x", "other/app", "other/app" },
                { "b", "c", "a/b/d", "a/c/d" },
                { "(x)?a", "<$1>", "a", "<>" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct endpoint e = { .n_rewrites = 1 };
                _cleanup_free_ char *result = NULL;

                assert_int_equal(regcomp(&e.rewrites[0].pattern, rows[i].pattern, REG_EXTENDED), 0);
                e.rewrites[0].replacement = (char *)rows[i].replacement;
                result = endpoint_path(&e, rows[i].path);
                assert_string_equal(result, rows[i].result);
                regfree(&e.rewrites[0].pattern);
        }
}

/* Where a registry's images come from without any configuration. */
static void test_defaults(void **state) {
        static const struct {
                const char *host, *insecure, *base;
                bool try_plain;
        } rows[] = {
                { "docker.io", NULL, "https://registry-1.docker.io/v2", false },
                { "registry.test:5000", NULL, "https://registry.test:5000/v2", false },
                { "registry.test", "other,registry.test", "http://registry.test/v2", false },
                { "registry.test", "registry.test:5000", "https://registry.test/v2", false },
                { "127.0.0.1:5000", NULL, "https://127.0.0.1:5000/v2", true },
                { "localhost", NULL, "https://localhost/v2", true },
                { "localhost.evil.test", NULL, "https://localhost.evil.test/v2", false },
                { "[::1]:5000", NULL, "https://[::1]:5000/v2", true },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct image_transfer_request request = { .insecure = rows[i].insecure };
                struct endpoints endpoints;

                assert_int_equal(endpoints_find(&request, rows[i].host, "a/b", &endpoints, NULL), 0);
                assert_int_equal(endpoints.count, 1);
                assert_string_equal(endpoints.items[0].base, rows[i].base);
                assert_int_equal(endpoints.items[0].try_plain, rows[i].try_plain);
                endpoints_clear(&endpoints);
        }
}

/* Credentials that came with the request go to the registry that they are for. */
static void test_request_credentials(void **state) {
        static const struct {
                const char *host, *server, *username, *auth;
                const char *says; /* the username that is used, or NULL */
        } rows[] = {
                { "a.test", NULL, "u", NULL, "u" },
                { "a.test", "", "u", NULL, "u" },
                { "a.test", "https://a.test/v1/", "u", NULL, "u" },
                { "a.test", "b.test", "u", NULL, NULL },
                { "a.test", "a.test.evil", "u", NULL, NULL },
                { "docker.io", "https://index.docker.io/v1/", "u", NULL, "u" },
                { "a.test", NULL, NULL, "dTpwYXNz", "u" },
                { "a.test", NULL, "", "", NULL },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct image_transfer_request request = {
                        .auth = { .username = rows[i].username, .auth = rows[i].auth, .server = rows[i].server }
                };
                struct endpoints endpoints;

                assert_int_equal(endpoints_find(&request, rows[i].host, "a", &endpoints, NULL), 0);
                if (rows[i].says)
                        assert_string_equal(endpoints.items[0].username, rows[i].says);
                else
                        assert_null(endpoints.items[0].username);
                endpoints_clear(&endpoints);
        }
}

static void test_backoff(void **state) {
        (void)state;
        assert_int_equal(registry_backoff(0, 0), 250);
        assert_int_equal(registry_backoff(1, 0), 500);
        assert_int_equal(registry_backoff(5, 0), 8000);
        assert_int_equal(registry_backoff(60, 0), 8000);
        assert_int_equal(registry_backoff(5, 2), 2000); /* as the server asks */
        assert_int_equal(registry_backoff(0, REGISTRY_RETRY_AFTER_MAX_SECONDS),
                         REGISTRY_RETRY_AFTER_MAX_SECONDS * 1000);
        assert_int_equal(registry_backoff(0, 3600), REGISTRY_RETRY_AFTER_MAX_SECONDS * 1000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_toml),
                cmocka_unit_test(test_bad_toml),
                cmocka_unit_test(test_rewrites),
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_request_credentials),
                cmocka_unit_test(test_backoff),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
