/* WWW-Authenticate: what RFC 9110, 11.6.1 allows, what servers send besides, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "images/worker/challenge.h"
#include "images/worker/endpoints.h"
#include "images/worker/http.h"
#include "images/worker/token.h"
#include "lib/cleanup.h"

/* "SCHEME realm|service|scope" a challenge, "-" for what is not there, each ended by ';'. */
static char *shown(const char *lines) {
        _cleanup_challenges_ struct challenges list;
        char *text = NULL;
        size_t n;
        FILE *f = open_memstream(&text, &n);

        assert_int_equal(challenges_parse(lines, &list), 0);
        for (size_t i = 0; i < list.count; i++) {
                const struct challenge *c = &list.items[i];

                fprintf(f, "%s %s|%s|%s;", c->scheme, c->realm ?: "-", c->service ?: "-", c->scope ?: "-");
        }
        fclose(f);
        return text;
}

static void test_challenges(void **state) {
        static const struct {
                const char *lines, *shown;
        } rows[] = {
                { "", "" },
                { "\n\n", "" },
                { " , ,, \n", "" },
                { "Bearer realm=\"https://a/t\",service=\"s\"\n", "Bearer https://a/t|s|-;" },
                { "Bearer realm=\"https://a/t\", service=\"s, with = comma\"\n",
                  "Bearer https://a/t|s, with = comma|-;" },
                /* names and schemes in any case; values as they come */
                { "BEARER Realm=Plain,SCOPE=x", "BEARER Plain|-|x;" },
                /* blanks round '=' and ',', tabs too */
                { "Bearer realm = \"r\" ,\t service\t=\t\"s\"  ,scope= x\n", "Bearer r|s|x;" },
                /* quoted pairs */
                { "Bearer realm=\"quote \\\" and \\\\ in\", scope=\"\\a\\b\"", "Bearer quote \" and \\ in|-|ab;" },
                { "Bearer realm=\"\", service=\"\"", "Bearer ||-;" },
                /* several in a line, in several lines, in any order */
                { "Basic realm=\"b\", Bearer realm=\"r\",service=\"s\"", "Basic b|-|-;Bearer r|s|-;" },
                { "Bearer realm=\"r\",Basic realm=\"b\"", "Bearer r|-|-;Basic b|-|-;" },
                { "Negotiate\nBasic realm=\"b\"\nBearer scope=\"x\",realm=\"r\"\n",
                  "Negotiate -|-|-;Basic b|-|-;Bearer r|-|x;" },
                { "Negotiate, Basic, Bearer realm=\"r\"", "Negotiate -|-|-;Basic -|-|-;Bearer r|-|-;" },
                { "Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"",
                  "Newauth apps|-|-;Basic simple|-|-;" }, /* the RFC's own example */
                /* token68 */
                { "Negotiate a87421000492aa874209af8bc028==, Bearer realm=\"r\"", "Negotiate -|-|-;Bearer r|-|-;" },
                { "NTLM TlRMTVNTUAACAAAAA+/-._~=\nBearer realm=r", "NTLM -|-|-;Bearer r|-|-;" },
                { "Negotiate abc= , Basic realm=b", "Negotiate -|-|-;Basic b|-|-;" },
                /* names that are known in part, and names that come twice */
                { "Bearer realms=\"x\",real=\"y\",xrealm=\"z\"", "Bearer -|-|-;" },
                { "Bearer realm=\"1\",realm=\"2\"", "Bearer 2|-|-;" },
                /* another challenge's parameters are its own */
                { "Digest realm=\"d\", service=\"ds\", Bearer realm=\"r\"", "Digest d|ds|-;Bearer r|-|-;" },
                /* what is said besides the grammar: no comma, no quotes */
                { "Bearer realm=\"r\" service=\"s\" scope=\"x\"", "Bearer r|s|x;" },
                { "Bearer realm=https://a:1/t?x=y,service=s", "Bearer https://a:1/t?x=y|s|-;" },
                { "Bearer service=,realm=\"r\"", "Bearer r|-|-;" },
                /* what is none: a line's rest does not count, the next line does */
                { "Bearer service=\"s\",realm=\"open", "Bearer -|s|-;" },
                { "Bearer realm=\"open\\", "Bearer -|-|-;" },
                { "Bearer realm=\"open\\\"\nBasic realm=\"b\"", "Bearer -|-|-;Basic b|-|-;" },
                { "Bearer realm=\"r\"x, service=\"s\"", "Bearer -|-|-;" },
                { "realm=\"r\"\nBasic realm=\"b\"", "Basic b|-|-;" },
                { "\"Bearer\" realm=\"r\"", "" },
                { "Bearer:realm=\"r\"", "" },
                { "Bearer realm", "Bearer -|-|-;" },
                { "Bearer =\"r\"", "" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_free_ char *text = shown(rows[i].lines);

                if (strcmp(text, rows[i].shown) != 0)
                        fail_msg("%s: %s, but should be %s", rows[i].lines, text, rows[i].shown);
        }
}

static void test_number(void **state) {
        char lines[16 * (CHALLENGES_MAX + 1)] = "";

        (void)state;
        for (size_t i = 0; i < CHALLENGES_MAX + 1; i++) {
                _cleanup_challenges_ struct challenges list;

                strcat(lines, i % 2 ? "A," : "B\n");
                assert_int_equal(challenges_parse(lines, &list), 0);
                assert_int_equal(list.count, i < CHALLENGES_MAX ? i + 1 : CHALLENGES_MAX);
        }
}

/* Whose server a URL is. */
static void test_servers(void **state) {
        static const struct {
                const char *url, *server;
        } rows[] = {
                { "https://a.test/v2/x", "https://a.test" },
                { "https://a.test:443/", "https://a.test" },
                { "http://a.test:80/", "http://a.test" },
                { "https://a.test:80/", "https://a.test:80" },
                { "http://a.test:443/", "http://a.test:443" },
                { "HTTPS://A.Test:5000", "https://a.test:5000" },
                { "https://a.test@evil.test/", "https://evil.test" },
                { "https://a.test:443@evil.test:444/a.test", "https://evil.test:444" },
                { "https://evil.test/@a.test", "https://evil.test" },
                { "https://evil.test?@a.test", "https://evil.test" },
                { "https://evil.test#@a.test", "https://evil.test" },
                { "https://[::1]:5000/", "https://[::1]:5000" },
                { "https://", NULL },
                { "nothing at all", NULL },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_free_ char *server = image_http_server(rows[i].url);

                if (rows[i].server ? !server || strcmp(server, rows[i].server) != 0 : server != NULL)
                        fail_msg("%s: %s", rows[i].url, server ?: "none");
        }
}

static void test_shown(void **state) {
        static const struct {
                const char *url, *shown;
        } rows[] = {
                { "https://a.test:1/b/c", "https://a.test:1/b/c" },
                { "https://a.test/b?signature=secret", "https://a.test/b" },
                { "https://me:secret@a.test/b@c#d", "https://a.test/b@c" },
                { "https://me:se@cret@a.test", "https://a.test" },
                { "https://a.test?b@c", "https://a.test" },
                { "/b?secret", "/b" },
        };
        char text[HTTP_SHOWN_MAX], longest[2 * HTTP_SHOWN_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                assert_string_equal(image_http_shown(rows[i].url, text), rows[i].shown);
        memset(longest, 'x', sizeof(longest) - 1);
        longest[sizeof(longest) - 1] = '\0';
        assert_int_equal(strlen(image_http_shown(longest, text)), HTTP_SHOWN_MAX - 1);
}

static void test_token_servers(void **state) {
        static const struct {
                const char *base, *realm;
                bool allowed;
        } rows[] = {
                { "https://a/v2", "https://b/t", true },
                { "https://a/v2", "HTTPS://b/t", true },
                { "https://a/v2", "http://b/t", false },
                { "http://a/v2", "http://b/t", true },
                { "http://a/v2", "https://b/t", true },
                { "http://a/v2", "/t", false },
                { "http://a/v2", "//b/t", false },
                { "http://a/v2", "file:///etc/passwd", false },
                { "http://a/v2", "", false },
                { "http://a/v2", NULL, false },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const struct endpoint e = { .base = (char *)rows[i].base };

                assert_int_equal(token_server_allowed(&e, rows[i].realm), rows[i].allowed);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_challenges), cmocka_unit_test(test_number),        cmocka_unit_test(test_servers),
                cmocka_unit_test(test_shown),      cmocka_unit_test(test_token_servers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
