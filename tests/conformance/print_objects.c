/* Answers cases of tests/conformance/kube_print, a line of JSON each, on standard input: what kube/print and
 * kube/selector make of them. */
#include <stdio.h>

#include "tests/unit/kube/print_case.h"

static void write_answer(const struct print_answer *answer, uint32_t n) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *text = NULL;

        json_begin_map(&w);
        if (answer->error < 0) {
                json_add_string(&w, "error", err_text(answer->err));
        } else if (answer->table) {
                json_key(&w, "table");
                json_value(&w, answer->table);
        } else {
                json_add_string(&w, "string", answer->string);
                json_key(&w, "matches");
                json_begin_list(&w);
                for (uint32_t i = 0; i < n; i++)
                        json_bool(&w, answer->matches[i]);
                json_end_list(&w);
        }
        json_end_map(&w);
        puts(json_writer_finish(&w, &text, NULL) == 0 ? text : "{}");
}

int main(void) {
        const struct value_options options = { .bytes_max = 64 << 20, .nodes_max = 1 << 22 };
        _cleanup_free_ char *line = NULL;
        size_t size = 0;
        ssize_t length;

        while ((length = getline(&line, &size, stdin)) > 0) {
                _cleanup_arena_ struct arena *arena = arena_new();
                _cleanup_err_ struct err *err = NULL;
                struct print_answer answer;
                const struct value *test;

                if (!arena || json_parse(arena, line, (size_t)length, &options, &test, &err) < 0) {
                        fprintf(stderr, "print_objects: %s\n", err_text(err));
                        return 1;
                }
                answer = print_case_run(arena, test);
                write_answer(&answer, value_count(value_get(test, "sets")));
                err_free(answer.err);
        }
        return 0;
}
