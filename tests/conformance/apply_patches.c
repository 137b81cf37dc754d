/* What kube/patch makes of the cases of tests/conformance/kube_patch: reads lines of JSON, writes each with its answer.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/kube/patch_case.h"

int main(void) {
        char *line = NULL;
        size_t size = 0;
        ssize_t n;

        while ((n = getline(&line, &size, stdin)) > 0) {
                struct arena *arena = arena_new();
                struct json_writer w = JSON_WRITER_INIT;
                struct patch_answer answer;
                const struct value *test;
                char *text;

                if (json_parse(arena, line, (size_t)n, NULL, &test, NULL) < 0)
                        return 1;
                answer = patch_case_run(arena, test);
                json_begin_map(&w);
                json_key(&w, answer.value ? "value" : "error");
                if (answer.value)
                        json_value(&w, answer.value);
                else
                        json_string(&w, err_text(answer.err));
                json_end_map(&w);
                if (json_writer_finish(&w, &text, NULL) < 0)
                        return 1;
                puts(text);
                free(text);
                err_free(answer.err);
                arena_free(arena);
        }
        free(line);
        return 0;
}
