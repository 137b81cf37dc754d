#include "cli/cli.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/columns.h"
#include "cli/filter.h"
#include "cli/format.h"
#include "cli/output.h"
#include "cli/yaml.h"
#include "lib/arena.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"

static bool flag, other;
static const char *text;
static int64_t number;
static struct cli_values list;

static const struct cli_option options[] = {
        { "all", 'a', CLI_FLAG, &flag, NULL, "" },  { "quiet", 'q', CLI_FLAG, &other, NULL, "" },
        { "name", 0, CLI_TEXT, &text, "NAME", "" }, { "last", 'n', CLI_NUMBER, &number, "N", "" },
        { "label", 0, CLI_LIST, &list, "K=V", "" }, {},
};

/* Command lines as people type them, separated by blanks; what is left over, and what was set. */
static const struct {
        const char *line;
        bool rest;
        int result; /* 0, 1 for help, or a negative errno */
        const char *left, *says;
        bool flag, other;
        const char *text;
        int64_t number;
        size_t list;
} lines[] = {
        { .line = "", .left = "" },
        { .line = "-aq", .left = "", .flag = true, .other = true },
        { .line = "x -a y", .left = "x y", .flag = true },
        { .line = "x -a y", .rest = true, .left = "x -a y" },
        { .line = "-a x -- -q", .rest = true, .left = "x -q", .flag = true },
        { .line = "-- -a", .left = "-a" },
        { .line = "--name web -n 3", .left = "", .text = "web", .number = 3 },
        { .line = "--name=web -n3", .left = "", .text = "web", .number = 3 },
        { .line = "-n=-1", .left = "", .number = -1 },
        { .line = "-an 5", .left = "", .flag = true, .number = 5 },
        { .line = "--label a=1 --label b=2", .left = "", .list = 2 },
        { .line = "--all=false", .left = "" },
        { .line = "-a --help", .result = 1, .flag = true },
        { .line = "x -h", .rest = true, .left = "x -h" },
        { .line = "--nosuch", .result = -EINVAL, .says = "unknown option --nosuch" },
        { .line = "-x", .result = -EINVAL, .says = "unknown option -x" },
        { .line = "--name", .result = -EINVAL, .says = "--name needs a value" },
        { .line = "-n", .result = -EINVAL, .says = "-n needs a value" },
        { .line = "-n x", .result = -EINVAL, .says = "no whole number" },
        { .line = "-n 99999999999999999999", .result = -EINVAL, .says = "no whole number" },
        { .line = "--all=maybe", .result = -EINVAL, .says = "neither true nor false" },
};

static void test_options(void **state) {
        for (size_t i = 0; i < ELEMENTS(lines); i++) {
                _cleanup_err_ struct err *err = NULL;
                char line[128], *rest = line, *arguments[16], left[128] = "";
                int n = 0, kept = 0, r;

                flag = other = false;
                text = NULL;
                number = 0;
                list = (struct cli_values){};
                strcpy(line, lines[i].line);
                while (*line && (arguments[n] = strsep(&rest, " ")))
                        n++;
                r = cli_options_read(options, arguments, n, lines[i].rest, &kept, &err);
                if (r != lines[i].result)
                        fail_msg("%s: %d %s", lines[i].line, r, err_text(err));
                if (r < 0) {
                        assert_non_null(strstr(err_text(err), lines[i].says));
                        continue;
                }
                for (int k = 0; k < kept; k++)
                        sprintf(left + strlen(left), "%s%s", k ? " " : "", arguments[k]);
                if (r == 0)
                        assert_string_equal(left, lines[i].left);
                assert_int_equal(flag, lines[i].flag);
                assert_int_equal(other, lines[i].other);
                assert_int_equal(number, lines[i].number);
                assert_int_equal(list.n, lines[i].list);
                assert_string_equal(text ? text : "", lines[i].text ? lines[i].text : "");
        }
}

static void test_lists_are_bounded(void **state) {
        char *arguments[2 * CLI_VALUES_MAX + 2];
        int kept;

        list = (struct cli_values){};
        for (int i = 0; i < 2 * CLI_VALUES_MAX + 2; i++)
                arguments[i] = (char *)(uintptr_t)(i % 2 ? "a=b" : "--label");
        assert_int_equal(cli_options_read(options, arguments, 2 * CLI_VALUES_MAX + 2, false, &kept, NULL), -E2BIG);
        assert_int_equal(list.n, CLI_VALUES_MAX);
}

/* Every verb has its help, and no two options of one a name. */
static void test_commands(void **state) {
        for (const struct cli_command *c = cli_commands; c->name; c++) {
                assert_true(*c->help && c->run && c->options);
                for (const struct cli_option *a = c->options; a->name; a++)
                        for (const struct cli_option *b = a + 1; b->name; b++)
                                if (strcmp(a->name, b->name) == 0 || (a->letter && a->letter == b->letter))
                                        fail_msg("%s: --%s and --%s", c->name, a->name, b->name);
        }
}

#define SECONDS(n) ((int64_t)(n)*1000000000)

static void test_ages(void **state) {
        static const struct {
                int64_t seconds;
                const char *text;
        } rows[] = {
                { -5, "Less than a second ago" }, { 0, "Less than a second ago" }, { 1, "1 second ago" },
                { 59, "59 seconds ago" },         { 60, "About a minute ago" },    { 120, "2 minutes ago" },
                { 3599, "59 minutes ago" },       { 3600, "About an hour ago" },   { 5400, "2 hours ago" },
                { 47 * 3600, "47 hours ago" },    { 48 * 3600, "2 days ago" },     { 14 * 86400, "2 weeks ago" },
                { 60 * 86400, "2 months ago" },   { 730 * 86400, "2 years ago" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char buffer[FORMAT_MAX];

                assert_string_equal(format_age(0, SECONDS(rows[i].seconds), buffer), rows[i].text);
        }
}

static void test_sizes_ids_times(void **state) {
        static const struct {
                uint64_t bytes;
                const char *text;
        } sizes[] = { { 0, "0B" }, { 999, "999B" }, { 1000, "1kB" }, { 1234567, "1.23MB" }, { UINT64_MAX, "18.4EB" } };
        char buffer[FORMAT_MAX];

        for (size_t i = 0; i < ELEMENTS(sizes); i++)
                assert_string_equal(format_size(sizes[i].bytes, buffer), sizes[i].text);
        assert_string_equal(format_id("sha256:0123456789abcdef", buffer), "0123456789abc");
        assert_string_equal(format_id("012", buffer), "012");
        assert_string_equal(format_time(0, buffer), "");
        assert_string_equal(format_time(SECONDS(1) + 500, buffer), "1970-01-01T00:00:01.0000005Z");
        assert_string_equal(format_time(SECONDS(10), buffer), "1970-01-01T00:00:10Z");
}

static void test_since(void **state) {
        static const struct {
                const char *text;
                int error;
                int64_t ns; /* with now at 10,000 s */
        } rows[] = {
                { "42m", 0, SECONDS(10000 - 2520) },
                { "1h30m", 0, SECONDS(10000 - 5400) },
                { "100ms", 0, SECONDS(10000) - 100000000 },
                { "1.5s", 0, SECONDS(10000) - 1500000000 },
                { "1970-01-01T00:00:05Z", 0, SECONDS(5) },
                { "1970-01-01T00:00:05.25Z", 0, SECONDS(5) + 250000000 },
                { "1970-01-01T02:00:05+02:00", 0, SECONDS(5) },
                { "1970-01-02", 0, SECONDS(86400) },
                { "1970-01-01T01:00", 0, SECONDS(3600) },
                { "", -EINVAL, 0 },
                { "5", -EINVAL, 0 },
                { "-5m", -EINVAL, 0 },
                { "yesterday", -EINVAL, 0 },
                { "1970-01-01T00:00:05Zx", -EINVAL, 0 },
                { "99999999999h", -EINVAL, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                int64_t ns = 42;

                if (format_parse_since(rows[i].text, SECONDS(10000), &ns) != rows[i].error)
                        fail_msg("%s", rows[i].text);
                assert_int_equal(ns, rows[i].error ? 42 : rows[i].ns);
        }
}

static char *printed(void (*print)(FILE *out, const void *data), const void *data) {
        static char buffer[2048];
        FILE *f = fmemopen(buffer, sizeof(buffer), "w");

        print(f, data);
        fclose(f);
        return buffer;
}

static void print_columns(FILE *out, const void *data) {
        struct columns columns;

        columns_begin(&columns, "NAME\tSTATE\tLAST");
        columns_row(&columns, "%s\t%s\t%s", "a-rather-long-name", "ü", "end");
        columns_row(&columns, "%s\t%s\t%s", "b", "evil\033[2J", "x");
        columns_row(&columns, "%s", "short");
        columns_row(&columns, "%s%s%s\t%s", "one\tcell", COLUMNS_NEXT,
                    "evil\xc2\x9b"
                    "2J\u00a0",
                    "y\n");
        columns_end(&columns, out);
}

static void test_columns(void **state) {
        assert_string_equal(printed(print_columns, NULL), "NAME                 STATE       LAST\n"
                                                          "a-rather-long-name   ü           end\n"
                                                          "b                    evil?[2J    x\n"
                                                          "short                            \n"
                                                          "one?cell             evil?2J\u00a0    y?\n");
}

static void print_yaml(FILE *out, const void *data) {
        yaml_print(out, data);
}

static void test_yaml(void **state) {
        static const char json[] =
                "{\"a\":\"word\",\"b\":\"yes\",\"c\":[1,{\"d\":null,\"e\":[]},\"x: y\"],\"f\":{},\"g\":{\"h\":true},"
                "\"i\":\"1\",\"j\":\"line\\nline\",\"k\":\"\"}";
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *value;

        assert_int_equal(json_parse(arena, json, strlen(json), NULL, &value, NULL), 0);
        assert_string_equal(printed(print_yaml, value), "a: word\n"
                                                        "b: \"yes\"\n"
                                                        "c:\n- 1\n- d: null\n  e: []\n- \"x: y\"\n"
                                                        "f: {}\n"
                                                        "g:\n  h: true\n"
                                                        "i: \"1\"\n"
                                                        "j: \"line\\nline\"\n"
                                                        "k: \"\"\n");
}

static void test_labels_and_patterns(void **state) {
        char good[] = "a=b=c", bad[] = "nothing";
        struct cli_values values = { .values = { good }, .n = 1 };
        _cleanup_free_ struct label *labels = NULL;
        _cleanup_free_ void *entries = NULL;
        _cleanup_err_ struct err *err = NULL;
        _cleanup_(filter_pattern_done) struct pattern pattern = {};
        const ProtobufCMessageDescriptor *type = &cri__container_filter__label_selector_entry__descriptor;

        assert_int_equal(filter_labels_read(&values, type, &labels, &entries, NULL), 0);
        assert_string_equal(filter_label_get(entries, 1, "a", "none"), "b=c");
        assert_string_equal(filter_label_get(entries, 1, "b", "none"), "none");
        values.values[0] = bad;
        assert_int_equal(filter_labels_read(&values, type, &labels, &entries, &err), -EINVAL);
        assert_non_null(strstr(err_text(err), "key=value"));
        assert_int_equal(filter_pattern_init(&pattern, "name", "^we+b$", NULL), 0);
        assert_true(filter_pattern_matches(&pattern, "weeb"));
        assert_false(filter_pattern_matches(&pattern, "web-1"));
        filter_pattern_done(&pattern);
        assert_int_equal(filter_pattern_init(&pattern, "name", "(", NULL), -EINVAL);
}

static void test_messages_as_json(void **state) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        Cri__Container container = CRI__CONTAINER__INIT;
        Cri__ContainerMetadata metadata = CRI__CONTAINER_METADATA__INIT;
        Cri__Container__LabelsEntry entry = CRI__CONTAINER__LABELS_ENTRY__INIT, *entries = &entry;
        _cleanup_free_ char *json = NULL;

        metadata.name = (char *)"web";
        metadata.attempt = 2;
        entry.key = (char *)"k";
        entry.value = (char *)"v\"";
        container.metadata = &metadata;
        container.state = CRI__CONTAINER_STATE__CONTAINER_RUNNING;
        container.created_at = 1;
        container.n_labels = 1;
        container.labels = &entries;
        output_message(&w, &container.base, false);
        assert_int_equal(json_writer_finish(&w, &json, NULL), 0);
        assert_string_equal(
                json,
                "{\"id\":\"\",\"podSandboxId\":\"\",\"metadata\":{\"name\":\"web\",\"attempt\":2},\"image\":null,"
                "\"imageRef\":\"\",\"state\":\"CONTAINER_RUNNING\",\"createdAt\":\"1\",\"labels\":{\"k\":\"v\\\"\"},"
                "\"annotations\":{},\"imageId\":\"\"}");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_options),
                cmocka_unit_test(test_lists_are_bounded),
                cmocka_unit_test(test_commands),
                cmocka_unit_test(test_ages),
                cmocka_unit_test(test_sizes_ids_times),
                cmocka_unit_test(test_since),
                cmocka_unit_test(test_columns),
                cmocka_unit_test(test_yaml),
                cmocka_unit_test(test_labels_and_patterns),
                cmocka_unit_test(test_messages_as_json),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
