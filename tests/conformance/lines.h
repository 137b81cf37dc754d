/* What programs do that a comparison asks: lines of JSON come in, for each a line goes out. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "lib/arena.h"
#include "lib/json.h"

/* @answer gives a text to be freed; NULL: "null". The exit status: not 0 where a line is no JSON. */
static inline int answer_lines(char *(*answer)(struct arena *arena, const struct value *test)) {
        char *line = NULL;
        size_t size = 0;
        ssize_t n;

        while ((n = getline(&line, &size, stdin)) > 0) {
                struct arena *arena = arena_new();
                const struct value *test;
                char *text;

                if (json_parse(arena, line, (size_t)n, NULL, &test, NULL) < 0)
                        return 1;
                text = answer(arena, test);
                puts(text ?: "null");
                free(text);
                arena_free(arena);
        }
        free(line);
        return 0;
}
