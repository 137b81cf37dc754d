/* Whatever allocation fails, filling in fails for want of memory and leaves nothing behind: each of a sample of
 * objects.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "tests/unit/support/each_allocation.h"
#include "tests/unit/kube/defaults_case.h"

#define EACH 5 /* of so many cases one is taken */

static char *line;

static int run_case(void) {
        struct arena *arena = arena_new();
        const struct value *test;
        char *text = NULL;
        int r = arena ? json_parse(arena, line, strlen(line), NULL, &test, NULL) : -ENOMEM;

        if (r >= 0)
                text = defaults_case_run(arena, test);
        r = r >= 0 && text ? 0 : -ENOMEM;
        free(text);
        arena_free(arena);
        return r;
}

static void test_each_allocation(void **state) {
        FILE *file = fopen("tests/unit/kube/defaults_cases.jsonl", "re");
        size_t size = 0;
        int n = 0;

        assert_non_null(file);
        assert_true(getline(&line, &size, file) > 0);
        assert_int_equal(run_case(), 0); /* the tables of rules are made once */
        while (getline(&line, &size, file) > 0)
                if (n++ % EACH == 0)
                        assert_true(fail_each_allocation(run_case) > 3);
        fclose(file);
        free(line);
        assert_true(n > 10 * EACH);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_allocation) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
