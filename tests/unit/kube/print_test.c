/* Tables and selectors. print_cases.jsonl has what Kubernetes' own libraries answered (`make prints` asks them again,
 * and for more): all that is there must be answered so. Then what a list is written like, and the bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kube/print/age.h"
#include "kube/print/partial.h"
#include "kube/print/path.h"
#include "kube/project.h"
#include "tests/unit/kube/print_case.h"
#include "tests/unit/support/trees.h"

#define CASES "tests/unit/kube/print_cases.jsonl"

/* The sample has no definitions of kinds' columns, which the whole comparison has. */
static bool same_table(const struct value *theirs, const struct value *ours) {
        return value_equal(value_get(theirs, "rows"), value_get(ours, "rows")) &&
               value_equal(value_get(theirs, "metadata"), value_get(ours, "metadata")) &&
               (!value_get(theirs, "columnDefinitions") ||
                value_equal(value_get(theirs, "columnDefinitions"), value_get(ours, "columnDefinitions")));
}

static bool same_matches(const struct value *test, const struct print_answer *answer) {
        const struct value *matches = value_get(test, "matches");

        for (uint32_t i = 0; i < value_count(matches); i++)
                if (value_bool_or(value_at(matches, i), false) != answer->matches[i])
                        return false;
        return true;
}

static void check_case(const char *line) {
        const struct value *test = read_text(line);
        const char *error = value_string(value_get(test, "error")), *op = value_string(value_get(test, "op"));
        struct print_answer answer = print_case_run(arena, test);
        bool exact = strcmp(op, "label") == 0 || strcmp(op, "field") == 0, good;

        if (error || answer.error < 0)
                good = error && answer.error < 0 && (!exact || strcmp(error, err_text(answer.err)) == 0);
        else if (answer.table)
                good = same_table(value_get(test, "table"), answer.table);
        else
                good = strcmp(value_string_or(value_get(test, "string"), ""), answer.string) == 0 &&
                       same_matches(test, &answer);
        if (!good) {
                char *text = NULL;

                if (answer.table)
                        json_format(value_get(answer.table, "rows"), false, &text, NULL);
                fail_msg("%.3000s\nours: %s %s", line,
                         text          ? text :
                         answer.string ? answer.string :
                                         "",
                         err_text(answer.err));
        }
        err_free(answer.err);
}

static void test_as_kubernetes(void **state) {
        check_lines(CASES, 300, check_case);
}

/* Kinds whose tables have but names and times, in kube-apiserver as well. */
static bool is_plain(const char *kind) {
        static const char *const plain[] = { "LimitRange", "Role", "ClusterRole", "CSIStorageCapacity",
                                             "CustomResourceDefinition" };

        for (size_t i = 0; i < ELEMENTS(plain); i++)
                if (strcmp(plain[i], kind) == 0)
                        return true;
        return false;
}

/* Whatever can be listed has columns of its own, but for these. */
static void test_columns(void **state) {
        const struct print_columns *others = print_columns_of("x.y", "v1", "Thing");
        size_t n = 0;

        for (size_t i = 0; i < kube_kinds_count; i++) {
                const struct kube_kind *kind = &kube_kinds[i];

                if (!kind->resource || !(kind->verbs & KUBE_VERB_LIST))
                        continue;
                if ((print_columns_of(kind->group, kind->version, kind->kind) == others) != is_plain(kind->kind))
                        fail_msg("%s/%s %s", kind->group, kind->version, kind->kind);
                n++;
        }
        assert_true(n > 60);
}

static char *table_text(struct print_table_writer *table, const struct print_head *head, const char *const *objects) {
        struct json_writer w = { .go_escapes = true };
        char *text = NULL;

        table->out = &w;
        table->now = (struct kube_time){ .seconds = 1000000000, .set = true };
        assert_int_equal(print_table_begin(table, head, NULL), 0);
        for (; *objects; objects++)
                assert_int_equal(print_table_row(table, *objects, strlen(*objects), NULL), 0);
        assert_int_equal(print_table_end(table), 0);
        assert_int_equal(json_writer_finish(&w, &text, NULL), 0);
        print_table_done(table);
        return text;
}

static void test_list(void **state) {
        static const char *const objects[] = {
                "{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\",\"creationTimestamp\":\"2001-09-09T01:41:40Z\"},"
                "\"data\":{\"x\":\"1\",\"y\":\"<\"}}",
                "{\"metadata\":{\"name\":\"b\"}}", NULL
        };
        const struct print_head head = { .resource_version = "12", .next = "abc", .remaining = 3 };
        struct print_table_writer table = { .columns = print_columns_of("", "v1", "ConfigMap"), .no_headers = true };
        char *text = table_text(&table, &head, objects);

        assert_string_equal(
                text, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{\"resourceVersion\":\"12\","
                      "\"continue\":\"abc\",\"remainingItemCount\":3},\"columnDefinitions\":null,\"rows\":[{\"cells\":["
                      "\"a\",2,"
                      "\"5m\"],\"object\":{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/"
                      "v1\",\"metadata\":{"
                      "\"name\":\"a\",\"creationTimestamp\":\"2001-09-09T01:41:40Z\"}}},{\"cells\":[\"b\",0,"
                      "\"\\u003cunknown\\u003e\"],\"object\":{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":"
                      "\"meta.k8s.io/v1\",\"metadata\":{\"name\":\"b\"}}}]}");
        free(text);
}

/* Without objects, with none of them, and with all of them. */
static void test_includes(void **state) {
        static const char *const none[] = { NULL }, *const one[] = { "{\"metadata\":{\"name\":\"b\"}}", NULL };
        static const char *const bookmark[] = {
                "{\"metadata\":{\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}", NULL
        };
        const struct print_head head = { 0 };
        struct print_table_writer table = { .columns = print_columns_of("", "v1", "ConfigMap"), .no_headers = true };
        struct print_table_writer other = { .columns = print_columns_of("x", "v1", "Y"), .no_headers = true };
        struct print_table_writer full = { .columns = table.columns, .no_headers = true, .include = PRINT_OBJECT };
        struct print_table_writer bare = { .columns = table.columns, .no_headers = true, .include = PRINT_NONE };
        enum print_include include = PRINT_NONE;
        char *text;

        text = table_text(&table, &head, none);
        assert_non_null(strstr(text, "\"metadata\":{},\"columnDefinitions\":null,\"rows\":[]}"));
        free(text);
        text = table_text(&other, &head, none);
        assert_non_null(strstr(text, "\"rows\":null}"));
        free(text);
        text = table_text(&full, &head, one);
        assert_non_null(strstr(text, "\"object\":{\"metadata\":{\"name\":\"b\"}}}]}"));
        free(text);
        text = table_text(&bare, &head, one);
        assert_non_null(strstr(text, "\"object\":null}]}"));
        free(text);
        text = table_text(&bare, &head, bookmark);
        assert_non_null(strstr(text, "\"object\":{\"kind\":\"PartialObjectMetadata\""));
        free(text);
        assert_true(print_include_parse("", &include) && include == PRINT_METADATA);
        assert_true(print_include_parse("Object", &include) && include == PRINT_OBJECT);
        assert_false(print_include_parse("object", &include));
}

/* Flow schemas come in the order in which they are matched. */
static void test_sorted(void **state) {
        static const char *const objects[] = { "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"matchingPrecedence\":9}}",
                                               "{\"metadata\":{\"name\":\"c\"},\"spec\":{\"matchingPrecedence\":1}}",
                                               "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"matchingPrecedence\":9}}",
                                               NULL };
        struct print_table_writer table = {
                .columns = print_columns_of("flowcontrol.apiserver.k8s.io", "v1", "FlowSchema"), .include = PRINT_NONE
        };
        const struct print_head head = { 0 };
        char *text = table_text(&table, &head, objects);
        const struct value *rows = value_get(read_text(text), "rows");

        assert_int_equal(value_count(rows), 3);
        assert_string_equal(value_string(value_find(value_at(rows, 0), "cells[0]")), "c");
        assert_string_equal(value_string(value_find(value_at(rows, 1), "cells[0]")), "a");
        assert_string_equal(value_string(value_find(value_at(rows, 2), "cells[0]")), "b");
        free(text);
}

static int row_of(const char *text) {
        struct json_writer w = { .go_escapes = true };
        struct print_table_writer table = { .columns = print_columns_of("", "v1", "Pod"), .out = &w };
        const struct print_head head = { 0 };
        int r = print_table_begin(&table, &head, NULL);

        if (r == 0)
                r = print_table_row(&table, text, strlen(text), NULL);
        print_table_done(&table);
        json_writer_done(&w);
        return r;
}

/* An object whose metadata is @depth lists deep, besides the two maps around them. */
static char *nested(unsigned depth) {
        char *text = calloc(1, 64 + 2 * depth);

        strcpy(text, "{\"metadata\":{\"x\":");
        memset(text + strlen(text), '[', depth);
        memset(text + strlen(text), ']', depth);
        strcat(text, "}}");
        return text;
}

static void test_bad_objects(void **state) {
        static const char *const bad[] = { "",    "[]", "{", "{\"metadata\":{}", "{} x", "{\"metadata\":{\"name\":}}",
                                           "null" };
        char *deep = nested(98), *deeper = nested(99);

        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_int_equal(row_of(bad[i]), -EINVAL);
        assert_int_equal(row_of("{}"), 0);
        assert_int_equal(row_of(deep), 0);
        assert_true(row_of(deeper) < 0);
        free(deep);
        free(deeper);
}

static int custom(const char *path, size_t n) {
        static struct print_definition definitions[PRINT_DEFINITIONS_MAX + 1];
        struct print_columns *columns = NULL;
        int r;

        for (size_t i = 0; i < n; i++)
                definitions[i] = (struct print_definition){ .name = "C", .type = "string", .json_path = path };
        r = print_columns_new(definitions, n, &columns, NULL);
        print_columns_free(columns);
        return r;
}

static void test_custom_bounds(void **state) {
        char path[PRINT_JSON_PATH_MAX + 2], filters[256] = "";

        memset(path, 'a', sizeof(path));
        path[0] = '.';
        path[PRINT_JSON_PATH_MAX] = '\0';
        assert_int_equal(custom(path, 1), 0);
        path[PRINT_JSON_PATH_MAX] = 'a';
        path[PRINT_JSON_PATH_MAX + 1] = '\0';
        assert_int_equal(custom(path, 1), -E2BIG);
        assert_int_equal(custom(".a", PRINT_DEFINITIONS_MAX), 0);
        assert_int_equal(custom(".a", PRINT_DEFINITIONS_MAX + 1), -E2BIG);
        for (int i = 0; i < 17; i++)
                strcat(filters, "[?(@");
        assert_int_equal(custom(filters, 1), -EINVAL);
}

static char *custom_cells(const char *path, const char *object) {
        const struct print_definition definition = { .name = "C", .type = "integer", .json_path = path };
        struct print_table_writer table = { .include = PRINT_NONE };
        const char *const objects[] = { object, NULL };
        const struct print_head head = { 0 };
        struct print_columns *columns = NULL;
        char *text;

        assert_int_equal(print_columns_new(&definition, 1, &columns, NULL), 0);
        table.columns = columns;
        text = table_text(&table, &head, objects);
        print_columns_free(columns);
        return text;
}

/* A path that finds as much as the bound finds it, one that finds more finds nothing. */
static void test_custom_results(void **state) {
        for (int more = 0; more < 2; more++) {
                struct json_writer object = JSON_WRITER_INIT;
                char *text, *written;

                json_begin_map(&object);
                json_key(&object, "l");
                json_begin_list(&object);
                for (int i = 0; i < PRINT_PATH_RESULTS_MAX - 1 + more; i++)
                        json_int(&object, 7);
                json_end_list(&object);
                json_end_map(&object);
                assert_int_equal(json_writer_finish(&object, &written, NULL), 0);
                text = custom_cells(".l[*]", written);
                assert_non_null(strstr(text, more ? "\"cells\":[\"\",null]" : "\"cells\":[\"\",7]"));
                free(text);
                free(written);
        }
}

static void test_ages(void **state) {
        static const struct {
                int64_t seconds;
                const char *text;
        } ages[] = {
                { -2, "<invalid>" },     { -1, "0s" },        { 0, "0s" },
                { 119, "119s" },         { 120, "2m" },       { 121, "2m1s" },
                { 599, "9m59s" },        { 600, "10m" },      { 10799, "179m" },
                { 10800, "3h" },         { 10860, "3h1m" },   { 28799, "7h59m" },
                { 28800, "8h" },         { 172799, "47h" },   { 172800, "2d" },
                { 176400, "2d1h" },      { 691199, "7d23h" }, { 691200, "8d" },
                { 63071999, "729d" },    { 63072000, "2y" },  { 63158400, "2y1d" },
                { 252287999, "7y364d" }, { 252288000, "8y" }, { 315360000, "10y" },
        };
        const struct kube_time zero = { .seconds = -62135596800, .set = true }, now = { .seconds = 5, .set = true };
        char text[PRINT_AGE_MAX];

        for (size_t i = 0; i < ELEMENTS(ages); i++)
                assert_string_equal(print_duration(ages[i].seconds, text), ages[i].text);
        assert_string_equal(print_age(&zero, &now, text), "<unknown>");
        assert_string_equal(print_age(&(struct kube_time){ .seconds = INT64_MIN, .set = true }, &now, text), "292y");
}

static int parse_labels(const char *text, size_t length) {
        struct selector_labels selector;

        return selector_label_parse(arena, text, length, &selector, NULL);
}

static int parse_fields(const char *text, size_t length) {
        const struct selector_query query = { "v1", text, length };
        struct selector_fields selector;

        return selector_field_parse(arena, selector_field_kind_of("", "v1", "Pod"), &query, &selector, NULL);
}

static void test_selector_bounds(void **state) {
        char *text = malloc(SELECTOR_TEXT_MAX + 1);

        memset(text, ' ', SELECTOR_TEXT_MAX + 1);
        assert_int_equal(parse_labels(text, SELECTOR_TEXT_MAX), 0);
        assert_int_equal(parse_labels(text, SELECTOR_TEXT_MAX + 1), -E2BIG);
        memset(text, ',', SELECTOR_TEXT_MAX + 1);
        assert_int_equal(parse_fields(text, SELECTOR_TEXT_MAX), 0);
        assert_int_equal(parse_fields(text, SELECTOR_TEXT_MAX + 1), -E2BIG);
        for (size_t i = 0; i + 1 < SELECTOR_TEXT_MAX; i += 2) /* as many requirements as there is room for */
                memcpy(text + i, "b,", 2);
        text[0] = 'c';
        assert_int_equal(parse_labels(text, SELECTOR_TEXT_MAX - 1), 0);
        free(text);
}

static void test_exact(void **state) {
        const struct selector_query query = { "v1", "spec.host=n,metadata.name!=x", 28 };
        struct selector_labels labels;
        struct selector_fields fields;

        assert_int_equal(selector_label_parse(arena, "a=b,c in (d),e in (f,g)", 23, &labels, NULL), 0);
        assert_string_equal(selector_label_exact(&labels, "a"), "b");
        assert_string_equal(selector_label_exact(&labels, "c"), "d");
        assert_null(selector_label_exact(&labels, "e"));
        assert_int_equal(selector_field_parse(arena, selector_field_kind_of("", "v1", "Pod"), &query, &fields, NULL),
                         0);
        assert_string_equal(selector_field_exact(&fields, "spec.nodeName"), "n");
        assert_null(selector_field_exact(&fields, "metadata.name"));
}

/* What an object is selected by comes out of the object. */
static void test_field_values(void **state) {
        static const struct {
                const char *group, *kind, *object, *text;
                bool matches;
        } cases[] = {
                { "", "Pod", "{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\"}}",
                  "metadata.name=a,metadata.namespace=n,spec.hostNetwork=false,spec.nodeName=", true },
                { "", "Pod", "{\"spec\":{\"hostNetwork\":true,\"nodeName\":\"x\"}}",
                  "spec.hostNetwork=true,spec.host=x", true },
                { "", "Pod", "{\"status\":{\"podIP\":\"1.2.3.4\"}}", "status.podIP!=1.2.3.4", false },
                { "", "Node", "{\"spec\":{}}", "spec.unschedulable=false", true },
                { "", "Node", "{\"spec\":{\"unschedulable\":true}}", "spec.unschedulable=false", false },
                { "batch", "Job", "{\"status\":{\"succeeded\":3}}", "status.successful=3", true },
                { "batch", "Job", "{}", "status.successful=0", true },
                { "", "Event", "{\"source\":{\"component\":\"\"},\"reportingComponent\":\"k\"}", "source=k", true },
                { "", "Event", "{\"source\":{\"component\":\"s\"},\"reportingComponent\":\"k\"}", "source=s", true },
                { "events.k8s.io", "Event", "{\"regarding\":{\"name\":\"p\"}}", "regarding.name=p", true },
                { "apps", "Deployment", "{\"metadata\":{\"name\":\"d\"}}", "metadata.name==d", true },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const struct selector_field_kind *kind = selector_field_kind_of(cases[i].group, "v1", cases[i].kind);
                const struct selector_query query = { "v1", cases[i].text, strlen(cases[i].text) };
                const char *values[SELECTOR_FIELDS_MAX];
                struct selector_fields selector;
                struct kube_wanted *wanted;
                struct value object;

                assert_true(kind->n <= SELECTOR_FIELDS_MAX);
                assert_int_equal(selector_field_parse(arena, kind, &query, &selector, NULL), 0);
                wanted = kube_wanted_new(arena);
                assert_int_equal(selector_field_want(arena, kind, wanted), 0);
                assert_int_equal(kube_project(arena, wanted, cases[i].object, strlen(cases[i].object), &object), 0);
                assert_int_equal(selector_field_values(arena, kind, &object, values), 0);
                if (selector_field_matches(&selector, values) != cases[i].matches)
                        fail_msg("%s of %s", cases[i].text, cases[i].object);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_as_kubernetes), cmocka_unit_test(test_columns),
                cmocka_unit_test(test_list),          cmocka_unit_test(test_includes),
                cmocka_unit_test(test_sorted),        cmocka_unit_test(test_bad_objects),
                cmocka_unit_test(test_custom_bounds), cmocka_unit_test(test_custom_results),
                cmocka_unit_test(test_ages),          cmocka_unit_test(test_selector_bounds),
                cmocka_unit_test(test_exact),         cmocka_unit_test(test_field_values),
        };

        return cmocka_run_group_tests_name("kube/print", tests, set_up, tear_down);
}
