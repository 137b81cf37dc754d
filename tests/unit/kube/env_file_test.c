#include "kube/pod/env_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* What KEY is in each file. */
static const struct {
        const char *text, *value;
        int error;
        const char *says;
} rows[] = {
        { "KEY='v'", "v", 0, NULL },
        { "KEY='v'\n", "v", 0, NULL },
        { "# KEY='no'\n\n  KEY='v' # why\n", "v", 0, NULL },
        { "A='1'\nKEY='two\nlines'\nB='3'", "two\nlines", 0, NULL },
        { "KEY='first'\nKEY='second'", "first", 0, NULL },
        { "KEYS='no'\nKE='no'", NULL, ENOENT, "\"KEY\" not found" },
        { "", NULL, ENOENT, "not found" },
        { "KEY=''", NULL, ENOENT, "not found" },
        { "KEY= 'v'", NULL, ENOENT, "not found" },
        { "KEY ='v'", NULL, EINVAL, "at line 1: whitespace before '=' is not allowed" },
        { "\nKEY=v", NULL, EINVAL, "at line 2: value must be enclosed in single quotes" },
        { "KEY", NULL, EINVAL, "missing '='" },
        { "='v'", NULL, EINVAL, "empty variable name" },
        { "A='\n\n'\nKEY='v", NULL, EINVAL, "at line 4: unclosed single quote" },
        { "KEY='v'x", NULL, EINVAL, "unexpected content after closing quote" },
        { "KEY='v'\nbroken", "v", 0, NULL }, /* what comes after is not looked at */
};

static void test_find(void **state) {
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                _cleanup_err_ struct err *err = NULL;
                const char *value = NULL;

                assert_int_equal(env_file_find(arena, rows[i].text, "KEY", &value, &err), -rows[i].error);
                if (rows[i].value)
                        assert_string_equal(value, rows[i].value);
                else if (!strstr(err_text(err), rows[i].says))
                        fail_msg("row %zu: %s", i, err_text(err));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_find) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
