#include "images/worker/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"

/* FIPS 180-2, appendix B. */
static const struct {
        const char *text, *digest;
} vectors[] = {
        { "", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

static void test_vectors(void **state) {
        char digest[IMAGE_DIGEST_LENGTH + 1];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(vectors); i++) {
                struct hash *hash = hash_new();

                assert_non_null(hash);
                for (const char *p = vectors[i].text; *p; p++)
                        hash_add(hash, p, 1);
                hash_finish(hash, digest);
                hash_free(hash);
                assert_string_equal(digest, vectors[i].digest);
                assert_int_equal(digest_of(vectors[i].text, strlen(vectors[i].text), digest), 0);
                assert_string_equal(digest, vectors[i].digest);
        }
        hash_free(NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_vectors) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
