/* Whatever allocation fails, a write fails for want of memory and leaves nothing behind: each of a sample of histories.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "tests/unit/support/each_allocation.h"
#include "tests/unit/kube/apply_history.h"

#define EACH 3 /* of so many histories one is taken */
#define LONGEST ((size_t)4000)

static char *line;

static int run_history(void) {
        struct arena *arena = arena_new();
        struct apply_history h = { .arena = arena };
        const struct value *history, *steps;
        int r = arena ? json_parse(arena, line, strlen(line), NULL, &history, NULL) : -ENOMEM;

        if (r >= 0) {
                h.kind = case_kind(history);
                steps = value_get(history, "steps");
        }
        for (uint32_t i = 0; r >= 0 && i < value_count(steps); i++) {
                struct apply_result result = { 0 };
                struct err *err = NULL;

                r = apply_history_step(&h, value_at(steps, i), &result, &err);
                if (r >= 0 && !result.object)
                        r = -ENOMEM;
                if (r >= 0)
                        h.live = result.object;
                /* What fails of itself does so with any memory. */
                if (r < 0 && r != -ENOMEM)
                        r = 0;
                err_free(err);
        }
        arena_free(arena);
        return r;
}

static void test_each_allocation(void **state) {
        FILE *file = fopen("tests/unit/kube/apply_histories.jsonl", "re");
        size_t size = 0;
        int n = 0;

        assert_non_null(file);
        while (getline(&line, &size, file) > 0)
                if (strlen(line) < LONGEST && n++ % EACH == 0)
                        assert_true(fail_each_allocation(run_history) > 3);
        fclose(file);
        free(line);
        assert_true(n > 0);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_allocation) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
