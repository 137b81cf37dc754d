/* Values as sigs.k8s.io/yaml v1.6.0 writes them: yaml_write_cases.jsonl holds what its JSONToYAML() has made of each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/value.h"
#include "lib/yaml_write.h"

#define CASES "tests/unit/lib/yaml_write_cases.jsonl"

static void check(const char *line, size_t length, unsigned number) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *row = NULL, *value = NULL;
        _cleanup_free_ char *text = NULL;
        const char *json, *yaml;
        size_t n = 0;

        assert_int_equal(json_parse(arena, line, length, NULL, &row, NULL), 0);
        json = value_string(value_get(row, "json"));
        yaml = value_string(value_get(row, "yaml"));
        assert_int_equal(json_parse(arena, json, strlen(json), NULL, &value, NULL), 0);
        assert_int_equal(yaml_write(value, &text, &n), 0);
        assert_int_equal(strlen(text), n);
        if (strcmp(text, yaml) != 0)
                print_message("case %u\n", number);
        assert_string_equal(text, yaml);
}

static void test_cases(void **state) {
        FILE *file = fopen(CASES, "r");
        _cleanup_free_ char *line = NULL;
        unsigned number = 0;
        size_t size = 0;
        ssize_t n;

        assert_non_null(file);
        while ((n = getline(&line, &size, file)) > 0)
                check(line, (size_t)n, ++number);
        fclose(file);
        assert_true(number > 400);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cases),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
