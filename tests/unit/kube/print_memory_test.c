/* Whatever allocation fails, a table or a selector fails for want of memory and leaves nothing behind: each of a sample
 * of cases. */
#include <stdio.h>

#include "tests/unit/support/each_allocation.h"
#include "tests/unit/kube/print_case.h"

#define LINE_MAX_ ((size_t)32 * 1024)
#define EACH 2 /* of so many cases one is taken */

static char line[LINE_MAX_];

static int run_case(void) {
        struct arena *arena = arena_new();
        const struct value *test;
        struct err *err = NULL;
        struct print_answer answer;
        int r = arena ? json_parse(arena, line, strlen(line), NULL, &test, &err) : -ENOMEM;

        if (r >= 0) {
                answer = print_case_run(arena, test);
                /* What fails of itself does so with any memory. */
                r = value_get(test, "error") && answer.error != -ENOMEM ? 0 : answer.error;
                err_free(answer.err);
        }
        err_free(err);
        arena_free(arena);
        return r;
}

static void test_each_allocation(void **state) {
        FILE *file = fopen("tests/unit/kube/print_cases.jsonl", "re");
        int n = 0;

        assert_non_null(file);
        while (fgets(line, sizeof(line), file))
                if (n++ % EACH == 0)
                        assert_true(fail_each_allocation(run_case) > 3);
        fclose(file);
        assert_true(n > 10 * EACH);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_allocation) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
