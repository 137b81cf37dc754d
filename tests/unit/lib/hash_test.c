#include "lib/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 4096

/* Every byte and the length count, and the low bits, which tables take, are spread evenly. */
static void test_spread(void **state) {
        unsigned slots[256] = { 0 };
        char text[64] = { 0 };
        uint64_t before = hash_bytes(text, 0);

        for (size_t n = 1; n < sizeof(text); n++) {
                uint64_t now = hash_bytes(text, n);

                assert_true(now != before);
                before = now;
                for (size_t i = 0; i < n; i++) {
                        text[i] = 1;
                        assert_true(hash_bytes(text, n) != now);
                        text[i] = 0;
                }
                assert_true(hash_bytes(text, n) == now);
        }
        for (uint32_t i = 0; i < MANY; i++)
                slots[hash_bytes(&i, sizeof(i)) % 256]++;
        for (int i = 0; i < 256; i++)
                assert_in_range(slots[i], 1, 64);
}

/* A program that is started anew hashes otherwise; here: a child before the first hash. */
static void test_secret(void **state) {
        uint64_t theirs[2] = { 0 };

        for (int i = 0; i < 2; i++) {
                int pipes[2];

                assert_int_equal(pipe(pipes), 0);
                if (fork() == 0) {
                        uint64_t mine = hash_bytes("key", 3);

                        _exit(write(pipes[1], &mine, sizeof(mine)) != sizeof(mine));
                }
                assert_int_equal(read(pipes[0], &theirs[i], sizeof(theirs[i])), sizeof(theirs[i]));
                assert_true(wait(NULL) > 0);
                close(pipes[0]);
                close(pipes[1]);
        }
        assert_true(theirs[0] != theirs[1]);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_secret), cmocka_unit_test(test_spread) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
