/* Paths as texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/path.h"

static void cleaned(void **state) {
        static const struct {
                const char *path, *clean;
        } cases[] = {
                { "", "/" },
                { "/", "/" },
                { "..", "/" },
                { "/../..", "/" },
                { "a", "/a" },
                { "/a/", "/a" },
                { "//a///b//", "/a/b" },
                { "/./a/./b/.", "/a/b" },
                { "/a/..", "/" },
                { "/a/../b", "/b" },
                { "/a/b/../../c", "/c" },
                { "/a/../../b", "/b" },
                { "/..a/.b/...", "/..a/.b/..." },
                { "/a b", "/a b" },
        };
        _cleanup_arena_ struct arena *arena = arena_new();

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_string_equal(path_clean(arena, cases[i].path), cases[i].clean);
        assert_null(path_clean(arena, NULL));
}

static void steps_back(void **state) {
        static const char *const back[] = { "..", "../a", "a/..", "/a/../b" };
        static const char *const on[] = { "", ".", "/", "...", "..a", "a..", "a/..b/c", "a/...", ".a./." };

        for (size_t i = 0; i < ELEMENTS(back); i++)
                assert_true(path_steps_back(back[i]));
        for (size_t i = 0; i < ELEMENTS(on); i++)
                assert_false(path_steps_back(on[i]));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(cleaned),
                cmocka_unit_test(steps_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
