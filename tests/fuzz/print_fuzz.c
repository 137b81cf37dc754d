/* Objects as tables, with columns of their kind or given with them, as tests/conformance/kube_print has them: {"op":
 * "table" or "custom", "stored": ..., "columns": ...}; any other text is an object of some kind. What comes out is
 * JSON, and has a cell for each column. */
#include <stdint.h>
#include <stdlib.h>

#include "kube/print/partial.h"
#include "tests/unit/kube/print_case.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_table(const struct value *table) {
        const struct value *cells = value_find(table, "rows[0].cells");
        uint32_t n = value_count(value_get(table, "columnDefinitions"));

        if (value_count(value_get(table, "rows")) != 1 || value_count(cells) < n || value_count(cells) > n + 1)
                abort();
}

static void try_case(struct arena *arena, const struct value *test) {
        const char *op = value_string_or(value_get(test, "op"), "");
        struct print_answer answer;

        if (!value_is(print_case_object(test), VALUE_MAP) || (strcmp(op, "table") != 0 && strcmp(op, "custom") != 0))
                return;
        answer = print_case_run(arena, test);
        if (answer.error == 0)
                check_table(answer.table);
        else if (!answer.err)
                abort();
        err_free(answer.err);
}

static void ignore_warning(void *data, uint32_t line, const char *text) {
}

/* Bytes that nobody has looked at before: what is a key twice in them, which nothing is that was stored, may be one
 * twice in what is written. */
static void try_bytes(struct arena *arena, const struct kube_kind *kind, const char *text, size_t size) {
        struct json_writer w = { .go_escapes = true };
        struct print_table_writer table = { .columns = print_columns_of(kind->group, kind->version, kind->kind),
                                            .out = &w };
        const struct value_options options = { .warn = ignore_warning };
        const struct print_head head = { 0 };
        const struct value *value;
        char *written;

        if (print_table_begin(&table, &head, NULL) == 0 && print_table_row(&table, text, size, NULL) == 0) {
                if (print_table_end(&table) < 0 || json_writer_finish(&w, &written, NULL) < 0)
                        abort();
                if (size < 8192 && json_parse(arena, written, strlen(written), &options, &value, NULL) == -EINVAL)
                        abort();
                free(written);
        }
        print_table_done(&table);
        json_writer_done(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct value_options options = { .bytes_max = 64 * 1024, .nodes_max = 8192 };
        struct arena *arena = arena_new();
        const struct value *test;

        if (json_parse(arena, (const char *)data, size, &options, &test, NULL) >= 0)
                try_case(arena, test);
        if (size > 0)
                try_bytes(arena, &kube_kinds[size % kube_kinds_count], (const char *)data, size);
        arena_free(arena);
        return 0;
}
