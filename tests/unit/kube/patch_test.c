/* Patches. patch_cases.jsonl has what Kubernetes' own libraries answered (`make patches` asks them again, and for
 * more): all that is there must be answered so. Then the examples of RFC 6902 and RFC 7386, and the bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/kube/patch_case.h"
#include "tests/unit/support/trees.h"

static char *write_text(const struct value *value) {
        char *text = NULL;

        assert_int_equal(json_format(value, false, &text, NULL), 0);
        return text;
}

static void fail_case(const char *line, const struct patch_answer *answer) {
        fail_msg("%.1500s\nours: %s", line, answer->value ? write_text(answer->value) : err_text(answer->err));
}

static void check_case(const char *line) {
        const struct value *test = read_text(line), *value = value_get(test, "value");
        const char *error = value_string(value_get(test, "error"));
        struct patch_answer answer = patch_case_run(arena, test);

        if (!error != (answer.error >= 0) || (error && strncmp(error, err_text(answer.err), 900) != 0 &&
                                              strncmp(error, "patch:", 6) != 0 && !strstr(error, "not identical")))
                fail_case(line, &answer);
        if (!error && !value_equal(value, answer.value))
                fail_case(line, &answer);
        err_free(answer.err);
}

static void test_as_kubernetes(void **state) {
        check_lines("tests/unit/kube/patch_cases.jsonl", 300, check_case);
}

/* The document that a patch was applied to is read by others meanwhile. */
static void test_documents_stay(void **state) {
        FILE *file = fopen("tests/unit/kube/patch_cases.jsonl", "re");
        char *line = NULL;
        size_t size = 0;

        assert_non_null(file);
        while (getline(&line, &size, file) > 0) {
                const struct value *test = read_text(line);
                char *before = write_text(test), *after;
                struct patch_answer answer = patch_case_run(arena, test);

                after = write_text(test);
                assert_string_equal(before, after);
                free(before);
                free(after);
                err_free(answer.err);
                arena_reset(arena);
        }
        free(line);
        fclose(file);
}

/* RFC 6902, appendix A; NULL: does not apply. Where kube-apiserver's library does not follow it, as it does. */
static const struct {
        const char *document, *patch, *result;
} rfc_6902[] = {
        { "{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
          "{\"baz\":\"qux\",\"foo\":\"bar\"}" },
        { "{\"foo\":[\"bar\",\"baz\"]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
          "{\"foo\":[\"bar\",\"qux\",\"baz\"]}" },
        { "{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"remove\",\"path\":\"/baz\"}]", "{\"foo\":\"bar\"}" },
        { "{\"foo\":[\"bar\",\"qux\",\"baz\"]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]",
          "{\"foo\":[\"bar\",\"baz\"]}" },
        { "{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]",
          "{\"baz\":\"boo\",\"foo\":\"bar\"}" },
        { "{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{\"corge\":\"grault\"}}",
          "[{\"op\":\"move\",\"from\":\"/foo/waldo\",\"path\":\"/qux/thud\"}]",
          "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"corge\":\"grault\",\"thud\":\"fred\"}}" },
        { "{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}",
          "[{\"op\":\"move\",\"from\":\"/foo/1\",\"path\":\"/foo/3\"}]",
          "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}" },
        { "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}",
          "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"qux\"},{\"op\":\"test\",\"path\":\"/foo/1\",\"value\":2}]",
          "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}" },
        { "{\"baz\":\"qux\"}", "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"bar\"}]", NULL },
        { "{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/child\",\"value\":{\"grandchild\":{}}}]",
          "{\"foo\":\"bar\",\"child\":{\"grandchild\":{}}}" },
        { "{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\",\"xyz\":123}]",
          "{\"foo\":\"bar\",\"baz\":\"qux\"}" },
        { "{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz/bat\",\"value\":\"qux\"}]", NULL },
        { "{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10}]", "{\"/\":9,\"~1\":10}" },
        { "{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":\"10\"}]", NULL },
        { "{\"foo\":[\"bar\"]}", "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[\"abc\",\"def\"]}]",
          "{\"foo\":[\"bar\",[\"abc\",\"def\"]]}" },
        /* RFC 6902, 4: the same twice, a copy that is changed afterwards, a move into itself, no half of a patch. */
        { "{\"a\":{\"b\":[1]}}",
          "[{\"op\":\"add\",\"path\":\"/a/b/-\",\"value\":2},{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/c\"},"
          "{\"op\":\"add\",\"path\":\"/c/b/0\",\"value\":0},{\"op\":\"remove\",\"path\":\"/a/b/0\"}]",
          "{\"a\":{\"b\":[2]},\"c\":{\"b\":[0,1,2]}}" },
        { "{\"a\":{\"b\":1}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/c\"}]", NULL },
        { "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":1},{\"op\":\"remove\",\"path\":\"/c\"}]", NULL },
        { "[1,2]", "[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"a\":1}}]", "{\"a\":1}" },
        { "{\"a\":[1,2,3]}", "[{\"op\":\"remove\",\"path\":\"/a/-1\"},{\"op\":\"add\",\"path\":\"/a/-1\",\"value\":4}]",
          "{\"a\":[1,2,4]}" },
};

static void test_rfc_6902(void **state) {
        for (size_t i = 0; i < sizeof(rfc_6902) / sizeof(rfc_6902[0]); i++) {
                const struct value *value = NULL;
                int r = patch_json(arena, read_text(rfc_6902[i].document), read_text(rfc_6902[i].patch), &value, NULL);

                assert_int_equal(r, rfc_6902[i].result ? 0 : -PATCH_UNFIT);
                if (rfc_6902[i].result)
                        assert_true(value_equal(value, read_text(rfc_6902[i].result)));
        }
}

/* RFC 7386, appendix A: original, patch, result. Patches that are no maps are malformed for kube-apiserver. */
static const char *const rfc_7386[][3] = {
        { "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
        { "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
        { "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
        { "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
        { "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
        { "[\"a\",\"b\"]", "[\"c\",\"d\"]", NULL },
        { "{\"a\":\"b\"}", "[\"c\"]", NULL },
        { "{\"a\":\"foo\"}", "null", NULL },
        { "{\"a\":\"foo\"}", "\"bar\"", NULL },
        { "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
        { "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
        { "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
};

static void test_rfc_7386(void **state) {
        for (size_t i = 0; i < sizeof(rfc_7386) / sizeof(rfc_7386[0]); i++) {
                const struct value *value = NULL;
                int r = patch_merge(arena, read_text(rfc_7386[i][0]), read_text(rfc_7386[i][1]), &value, NULL);

                assert_int_equal(r, rfc_7386[i][2] ? 0 : -PATCH_MALFORMED);
                if (rfc_7386[i][2])
                        assert_true(value_equal(value, read_text(rfc_7386[i][2])));
        }
}

/* What a patch does not touch is not copied. */
static void test_sharing(void **state) {
        const struct value *document = read_text("{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":"
                                                 "[{\"name\":\"a\",\"env\":[{\"name\":\"x\"}]}]}}");
        static const char *const patches[] = { "{\"metadata\":{\"labels\":{\"c\":\"d\"}}}",
                                               "[{\"op\":\"add\",\"path\":\"/metadata/labels/c\",\"value\":\"d\"}]" };
        const struct value *results[3];

        assert_int_equal(patch_merge(arena, document, read_text(patches[0]), &results[0], NULL), 0);
        assert_int_equal(patch_strategic(arena, case_type(NULL), document, read_text(patches[0]), &results[1], NULL),
                         0);
        assert_int_equal(patch_json(arena, document, read_text(patches[1]), &results[2], NULL), 0);
        for (int i = 0; i < 3; i++) {
                assert_string_equal(value_string(value_find(results[i], "metadata.labels.c")), "d");
                assert_ptr_equal(value_get(results[i], "spec")->members, value_get(document, "spec")->members);
        }
}

/* So many "add" operations, and a text for the result. */
static char *many_operations(int n) {
        char *text = malloc((size_t)n * 48 + 16), *end = text + sprintf(text, "[");

        assert_non_null(text);
        for (int i = 0; i < n; i++)
                end += sprintf(end, "%s{\"op\":\"add\",\"path\":\"/l/0\",\"value\":%d}", i ? "," : "", i % 10);
        strcpy(end, "]");
        return text;
}

static void test_operations_max(void **state) {
        for (int n = PATCH_OPERATIONS_MAX; n <= PATCH_OPERATIONS_MAX + 1; n++) {
                char *text = many_operations(n);
                const struct value *value;
                _cleanup_err_ struct err *err = NULL;
                int r = patch_json(arena, read_text("{\"l\":[]}"), read_text(text), &value, &err);

                assert_int_equal(r, n <= PATCH_OPERATIONS_MAX ? 0 : -PATCH_TOO_LARGE);
                if (r < 0)
                        assert_string_equal(err_text(err),
                                            "The allowed maximum operations in a JSON patch is 10000, got 10001");
                free(text);
        }
}

/* 10,000 operations at the front of a list of so many. */
static void test_steps_max(void **state) {
        char *patch = many_operations(PATCH_OPERATIONS_MAX);

        for (int n = 4000; n <= 6000; n += 2000) {
                char *text = calloc(1, (size_t)n * 2 + 16);
                const struct value *value;

                assert_non_null(text);
                strcpy(text, "{\"l\":[");
                for (int i = 0; i < n; i++)
                        strcpy(text + 6 + 2 * i, i < n - 1 ? "0," : "0]}");
                assert_int_equal(patch_json(arena, read_text(text), read_text(patch), &value, NULL),
                                 n == 4000 ? 0 : -PATCH_TOO_LARGE);
                free(text);
                arena_reset(arena);
        }
        free(patch);
}

/* At the maximum, and one byte past it. */
static void test_copy_max(void **state) {
        for (size_t more = 0; more <= 1; more++) {
                size_t n = PATCH_COPY_BYTES_MAX / 3 - 2 + more;
                char *text = malloc(n + 32);
                const struct value *value;
                int r;

                assert_non_null(text);
                sprintf(text, "{\"a\":\"%0*d\"}", (int)n, 0);
                r = patch_json(arena, read_text(text),
                               read_text("[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"},{\"op\":\"copy\",\"from\":"
                                         "\"/a\",\"path\":\"/c\"},{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/d\"}]"),
                               &value, NULL);
                assert_int_equal(r, more ? -PATCH_UNFIT : 0);
                free(text);
        }
}

/* Each patch moves the tree one level down into itself. */
static void test_depth_max(void **state) {
        static const char deeper[] = "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b\"},"
                                     "{\"op\":\"add\",\"path\":\"/a\",\"value\":{}},"
                                     "{\"op\":\"move\",\"from\":\"/b\",\"path\":\"/a/c\"}]";
        const struct value *value = read_text("{\"a\":{}}"), *patch = read_text(deeper);
        int r;

        while ((r = patch_json(arena, value, patch, &value, NULL)) == 0)
                assert_true(value_depth(value) <= VALUE_DEPTH_MAX);
        assert_int_equal(r, -PATCH_TOO_LARGE);
        assert_int_equal(value_depth(value), VALUE_DEPTH_MAX);
}

static char *long_list(const char *field, const char *format, int n, int step) {
        char *text = malloc((size_t)n * 40 + 64), *end = text + sprintf(text, "{\"metadata\":{\"%s\":[", field);

        assert_non_null(text);
        for (int i = 0; i < n; i++) {
                end += sprintf(end, "%s", i ? "," : "");
                end += sprintf(end, format, (int)((int64_t)i * step % n));
        }
        strcpy(end, "]}}");
        return text;
}

/* Long lists take time in proportion to their length, however they are ordered. */
static void test_long_lists(void **state) {
        static const struct {
                const char *field, *format;
        } lists[] = { { "finalizers", "\"f%d\"" }, { "ownerReferences", "{\"uid\":\"u%d\"}" } };
        const struct kube_type *pod = case_type(NULL);

        for (size_t i = 0; i < 2; i++) {
                char *document = long_list(lists[i].field, lists[i].format, 50000, 1);
                char *patch = long_list(lists[i].field, lists[i].format, 50000, 7919);
                const struct value *a = read_text(document), *b = read_text(patch), *value = NULL;

                assert_int_equal(patch_strategic(arena, pod, a, b, &value, NULL), 0);
                assert_true(value_equal(value, b));
                assert_int_equal(patch_diff_strategic(arena, pod, a, b, &value, NULL), 0);
                assert_int_equal(patch_strategic(arena, pod, a, value, &value, NULL), 0);
                assert_true(value_equal(value, b));
                free(document);
                free(patch);
                arena_reset(arena);
        }
}

/* Documents whose members have the names of directives: what is made of them has each key once. */
static void test_keys_once(void **state) {
        static const char *const cases[] = {
                "{\"op\":\"diff-strategic\",\"a\":{\"metadata\":{\"finalizers\":[\"a\"]}},"
                "\"b\":{\"metadata\":{\"finalizers\":[\"b\"],\"$setElementOrder/finalizers\":[\"x\"]}}}",
                "{\"op\":\"diff-strategic\",\"a\":{\"metadata\":{\"finalizers\":[\"a\"],"
                "\"$deleteFromPrimitiveList/finalizers\":[\"x\"]}},\"b\":{\"metadata\":{\"finalizers\":[\"b\"]}}}",
                "{\"op\":\"diff-strategic\",\"group\":\"apps/v1\",\"kind\":\"Deployment\","
                "\"a\":{\"spec\":{\"strategy\":{\"type\":\"a\"}}},"
                "\"b\":{\"spec\":{\"strategy\":{\"type\":\"b\",\"$retainKeys\":[\"x\"]}}}}",
                "{\"op\":\"three\",\"c\":{\"metadata\":{\"finalizers\":[\"a\",\"b\"]}},"
                "\"b\":{\"metadata\":{\"finalizers\":[\"a\"],\"$setElementOrder/finalizers\":[\"x\"]}}}",
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct patch_answer answer = patch_case_run(arena, read_text(cases[i]));
                char *text;

                assert_int_equal(answer.error, 0);
                text = write_text(answer.value);
                assert_true(value_equal(read_text(text), answer.value));
                free(text);
        }
}

static void test_statuses(void **state) {
        assert_int_equal(patch_status(-PATCH_MALFORMED), 400);
        assert_int_equal(patch_status(-PATCH_CONFLICT), 409);
        assert_int_equal(patch_status(-PATCH_TOO_LARGE), 413);
        assert_int_equal(patch_status(-PATCH_UNFIT), 422);
        assert_int_equal(patch_status(-PATCH_INCONSISTENT), 500);
        assert_int_equal(patch_status(-ENOMEM), 500);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_as_kubernetes), TEST(test_documents_stay), TEST(test_rfc_6902), TEST(test_rfc_7386),
                TEST(test_sharing),       TEST(test_operations_max), TEST(test_copy_max), TEST(test_steps_max),
                TEST(test_depth_max),     TEST(test_long_lists),     TEST(test_statuses), TEST(test_keys_once),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
