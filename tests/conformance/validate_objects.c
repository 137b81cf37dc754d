/* What kube/validate says of the cases of tests/conformance/kube_validate: reads lines of JSON, writes the errors of
 * each.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/kube/validate_case.h"

int main(void) {
        char *line = NULL;
        size_t size = 0;
        ssize_t n;

        while ((n = getline(&line, &size, stdin)) > 0) {
                struct arena *arena = arena_new();
                const struct value *test;
                char *text;

                if (json_parse(arena, line, (size_t)n, NULL, &test, NULL) < 0)
                        return 1;
                text = validate_case_run(arena, test);
                puts(text ?: "null");
                free(text);
                arena_free(arena);
        }
        free(line);
        return 0;
}
