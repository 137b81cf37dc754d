/* Answers cases of tests/conformance/kube_security, a line of JSON each, on standard input: what is wrong with the pod.
 */
#include <stdio.h>

#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "tests/unit/api/security_case.h"

int main(void) {
        _cleanup_free_ char *line = NULL;
        size_t size = 0;
        ssize_t length;

        while ((length = getline(&line, &size, stdin)) > 0) {
                _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
                _cleanup_arena_ struct arena *arena = arena_new();
                _cleanup_free_ char *text = NULL;
                struct pod_security_verdict verdict;
                const struct value *test;

                if (!arena || json_parse(arena, line, (size_t)length, NULL, &test, NULL) < 0 ||
                    security_case_run(arena, test, &verdict) < 0) {
                        fprintf(stderr, "pod_security: this is no case: %s\n", line);
                        return 1;
                }
                json_begin_map(&w);
                json_add_string_if(&w, "reasons", verdict.reasons);
                json_add_string_if(&w, "details", verdict.details);
                json_end_map(&w);
                puts(json_writer_finish(&w, &text, NULL) == 0 ? text : "{}");
        }
        return 0;
}
