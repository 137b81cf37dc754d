/* What kube/apply makes of the histories of tests/conformance/kube_apply: reads lines of JSON, writes each with its
 * answers. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/kube/apply_history.h"

int main(void) {
        char *line = NULL;
        size_t size = 0;
        ssize_t n;

        while ((n = getline(&line, &size, stdin)) > 0) {
                struct arena *arena = arena_new();
                const struct value *history;
                char *text;

                if (json_parse(arena, line, (size_t)n, NULL, &history, NULL) < 0)
                        return 1;
                text = apply_history_run(arena, history);
                puts(text);
                free(text);
                arena_free(arena);
        }
        free(line);
        return 0;
}
