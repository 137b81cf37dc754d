/* Texts that are no requests, no pairs, and what is said of them; what is right is shown by tests/differential. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/x509_pem.h"

#define BLOCK(type, text) "-----BEGIN " type "-----\n" text "\n-----END " type "-----\n"

static struct x509_text of(const char *text) {
        return (struct x509_text){ text, strlen(text) };
}

static void test_requests(void **state) {
        static const struct {
                const char *pem, *problem;
        } rows[] = {
                { "", "PEM block type must be CERTIFICATE REQUEST" },
                { "-----BEGIN CERTIFICATE REQUEST-----", "PEM block type must be CERTIFICATE REQUEST" },
                { BLOCK("CERTIFICATE", "AAAA"), "PEM block type must be CERTIFICATE REQUEST" },
                { BLOCK("CERTIFICATE REQUEST", "AAAA"), "asn1: structure error" },
                { BLOCK("CERTIFICATE REQUEST", "!!") BLOCK("CERTIFICATE", "AAAA"),
                  "PEM block type must be CERTIFICATE REQUEST" },
        };
        _cleanup_arena_ struct arena *arena = arena_new();

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const struct x509_text pem = of(rows[i].pem);
                const char *problem = x509_request_problem(arena, &pem);

                assert_non_null(problem);
                assert_memory_equal(problem, rows[i].problem, strlen(rows[i].problem));
        }
        (void)state;
}

static void test_pairs(void **state) {
        static const struct {
                const char *certificate, *key, *problem;
        } rows[] = {
                { "", "", "tls: failed to find any PEM data in certificate input" },
                { BLOCK("EC PRIVATE KEY", "AAAA"), "",
                  "tls: failed to find certificate PEM data in certificate input, but did find a private key" },
                { BLOCK("X", "AAAA") BLOCK("Y", "AAAA"), "",
                  "tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM blocks of "
                  "the following types: [X Y]" },
                { BLOCK("X", "AAAA") BLOCK("CERTIFICATE", "AAAA"), "",
                  "tls: failed to find any PEM data in key input" },
                { BLOCK("CERTIFICATE", "AAAA"), BLOCK("CERTIFICATE", "AAAA"),
                  "tls: found a certificate rather than a key" },
                { BLOCK("CERTIFICATE", "AAAA"), BLOCK("PUBLIC KEY", "AAAA"),
                  "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after skipping PEM "
                  "blocks of the following types: [PUBLIC KEY]" },
                { BLOCK("CERTIFICATE", "AAAA"), BLOCK("PRIVATE KEY", "AAAA"), "x509: malformed certificate" },
        };
        _cleanup_arena_ struct arena *arena = arena_new();

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const struct x509_text certificate = of(rows[i].certificate), key = of(rows[i].key);
                const char *problem = x509_pair_problem(arena, &certificate, &key);

                assert_non_null(problem);
                assert_memory_equal(problem, rows[i].problem, strlen(rows[i].problem));
        }
        (void)state;
}

/* Whatever comes is told of in as much memory as it takes itself, a few times. */
static void test_many_blocks(void **state) {
        static const char block[] = BLOCK("X", "AAAA");
        enum { BLOCKS = 10000 };
        _cleanup_free_ char *text = malloc(BLOCKS * (sizeof(block) - 1) + 1);
        _cleanup_arena_ struct arena *arena = arena_new();
        struct x509_text pem;
        const char *problem;

        for (size_t i = 0; i < BLOCKS; i++)
                strcpy(text + i * (sizeof(block) - 1), block);
        pem = of(text);
        problem = x509_pair_problem(arena, &pem, &pem);
        assert_non_null(strstr(problem, ": [X X X X"));
        assert_non_null(strstr(problem, "X X]"));
        assert_true(arena_size(arena) < 4 * pem.size);
        (void)state;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_requests),
                cmocka_unit_test(test_pairs),
                cmocka_unit_test(test_many_blocks),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
