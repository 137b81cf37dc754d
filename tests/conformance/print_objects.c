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

static struct kube_time read_time(const struct value *test) {
        const char *now = value_string_or(value_get(test, "now"), "");
        struct kube_time time = { 0 };

        kube_time_parse(now, strlen(now), true, &time);
        return time;
}

/* @shown: in the version that is asked for; NULL: the same. */
static int write_row(struct print_table_writer *table, const struct value *text, const struct value *shown,
                     struct err **err) {
        if (!shown)
                return print_table_row(table, text->text, text->count, err);
        return print_table_row_shown(table, text->text, text->count, shown->text, shown->count, err);
}

/* A whole Table, of the bytes of objects: what a server would answer. */
static int write_rows(const struct value *test, struct json_writer *w, struct err **err) {
        const struct value *texts = value_get(test, "texts"), *head = value_get(test, "head");
        struct print_head list = {
                .resource_version = value_string(value_get(head, "resourceVersion")),
                .next = value_string(value_get(head, "continue")),
        };
        _cleanup_print_table_ struct print_table_writer table = { .now = read_time(test), .out = w };
        const char *version;
        char group[256];
        int r;

        value_integer(value_get(head, "remainingItemCount"), &list.remaining);
        kube_split_api_version(value_string_or(value_get(test, "group"), "v1"), group, sizeof(group), &version);
        table.columns = print_columns_of(group, version, value_string_or(value_get(test, "kind"), ""));
        table.no_headers = value_bool_or(value_get(test, "noHeaders"), false);
        table.version = value_string(value_get(test, "version"));
        if (!print_include_parse(value_string_or(value_get(test, "include"), ""), &table.include))
                return print_include_error(value_string_or(value_get(test, "include"), ""), err);
        r = print_table_begin(&table, &list, err);
        for (uint32_t i = 0; i < value_count(texts) && r == 0; i++)
                r = write_row(&table, value_at(texts, i), value_at(value_get(test, "shown"), i), err);
        return r < 0 ? r : print_table_end(&table);
}

static void answer_rows(const struct value *test) {
        _cleanup_json_writer_ struct json_writer table = { .go_escapes = true }, w = { .go_escapes = true };
        _cleanup_free_ char *text = NULL, *answer = NULL;
        _cleanup_err_ struct err *err = NULL;
        int r = write_rows(test, &table, &err);

        if (r == 0)
                r = json_writer_finish(&table, &text, NULL);
        json_begin_map(&w);
        json_add_string(&w, r < 0 ? "error" : "text", r < 0 ? err_text(err) : text);
        json_end_map(&w);
        puts(json_writer_finish(&w, &answer, NULL) == 0 ? answer : "{}");
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
                if (value_get(test, "texts")) {
                        answer_rows(test);
                        continue;
                }
                answer = print_case_run(arena, test);
                write_answer(&answer, value_count(value_get(test, "sets")));
                err_free(answer.err);
        }
        return 0;
}
