/* What tests of trees begin with: one arena a program, trees of texts in it, and cases that stand in a file, one a
 * line.
 *
 *     cmocka_run_group_tests(tests, set_up, tear_down);
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/value.h"

static struct arena *arena;

static inline int set_up(void **state) {
        arena = arena_new();
        return arena ? 0 : -1;
}

static inline int tear_down(void **state) {
        arena = arena_free(arena);
        return 0;
}

/* Of JSON, and in the arena; also one larger than others may be. */
static inline const struct value *read_text(const char *text) {
        const struct value_options options = { .bytes_max = 16 << 20, .nodes_max = 1 << 22 };
        _cleanup_err_ struct err *err = NULL;
        const struct value *value = NULL;

        if (json_parse(arena, text, strlen(text), &options, &value, &err) < 0)
                fail_msg("%s: %.100s", err_text(err), text);
        return value;
}

/* Has @check look at each line of the file, of which there are more than @least: one that was cut short shows. */
static inline void check_lines(const char *path, int least, void (*check)(const char *line)) {
        FILE *file = fopen(path, "re");
        char *line = NULL;
        size_t size = 0;
        int n = 0;

        assert_non_null(file);
        for (; getline(&line, &size, file) > 0; n++) {
                check(line);
                arena_reset(arena);
        }
        assert_true(n > least);
        free(line);
        fclose(file);
}
