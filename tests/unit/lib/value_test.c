/* JSON and YAML read into values, and JSON written. */
#include "lib/bytes.h"
#include "lib/value.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/yaml.h"

/* One row a document: what it reads as, written back as compact JSON. */
static const struct {
        const char *yaml, *json;
} documents[] = {
        { "a: 1", "{\"a\":1}" },
        { "a: yes\nb: off\nc: y\nd: \"yes\"", "{\"a\":true,\"b\":false,\"c\":true,\"d\":\"yes\"}" },
        { "mode: 0644\no: 0o17\nx: 0x1F\nb: 0b11", "{\"mode\":420,\"o\":15,\"x\":31,\"b\":3}" },
        { "08", "8" },
        { "1_000", "1000" },
        { "-12", "-12" },
        { "9223372036854775807", "9223372036854775807" },
        { "9223372036854775808", "9223372036854775808" },
        { "0.5", "0.5" },
        { ".5", "0.5" },
        { "1e3", "1000" },
        { "1e18", "1000000000000000000" },
        { "0000016338083404309288", "16338083404309288" },
        { "1.", "1" },
        { "12:30:45", "\"12:30:45\"" },
        { "2001-12-14", "\"2001-12-14\"" },
        { "1.2.3", "\"1.2.3\"" },
        { "[~, ]", "[null]" },
        { "a:\nb: null\n", "{\"a\":null,\"b\":null}" },
        { "on: 1\n8080: x\n1.5: z", "{\"true\":1,\"8080\":\"x\",\"1.5\":\"z\"}" },
        { "- a\n- [b, {c: d}]\n", "[\"a\",[\"b\",{\"c\":\"d\"}]]" },
        { "a: &x {k: v}\nb: *x\nc: [*x]", "{\"a\":{\"k\":\"v\"},\"b\":{\"k\":\"v\"},\"c\":[{\"k\":\"v\"}]}" },
        { "a: &x {k: v, l: w}\nb:\n  <<: *x\n  l: own",
          "{\"a\":{\"k\":\"v\",\"l\":\"w\"},\"b\":{\"k\":\"v\",\"l\":\"own\"}}" },
        { "a: &x {k: 1}\nc: &y {k: 2, m: 3}\nb: {<<: [*x, *y]}",
          "{\"a\":{\"k\":1},\"c\":{\"k\":2,\"m\":3},\"b\":{\"m\":3,\"k\":1}}" },
        { "a: &x {k: 1}\nb: {k: 2, <<: *x}\nc: {<<: {k: 3}, <<: {l: 4}}",
          "{\"a\":{\"k\":1},\"b\":{\"k\":1},\"c\":{\"k\":3,\"l\":4}}" },
        { "a: &k b\nc: {*k : d}", "{\"a\":\"b\",\"c\":{\"b\":\"d\"}}" },
        { "a: |\n  two\n  lines\n", "{\"a\":\"two\\nlines\\n\"}" },
        { "a: !!str 5\nb: ! 6\nc: !!int \"7\"", "{\"a\":\"5\",\"b\":\"6\",\"c\":7}" },
        { "{\"a\": [1, \"x\", true, null, -2.5e-3]}", "{\"a\":[1,\"x\",true,null,-0.0025]}" },
        { "---\na: 1\n---\n", "{\"a\":1}" },
        { "a: !!binary aGk=\nb: !!binary |\n  aG\n  k=\nc: !!binary /2k=\nd: !!binary ''",
          "{\"a\":\"hi\",\"b\":\"hi\",\"c\":\"\xef\xbf\xbdi\",\"d\":\"\"}" },
        { "a: !foo 5\nb: !!timestamp 2001-01-01\nc: !!set {? x}\nd: !foo [1]",
          "{\"a\":\"5\",\"b\":\"2001-01-01\",\"c\":{\"x\":null},\"d\":[1]}" },
};

static void test_yaml(void **state) {
        for (size_t i = 0; i < ELEMENTS(documents); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                _cleanup_err_ struct err *err = NULL;
                _cleanup_free_ char *json = NULL;
                const struct value *value;

                if (yaml_parse(arena, documents[i].yaml, strlen(documents[i].yaml), NULL, &value, &err) < 0)
                        fail_msg("%s: %s", documents[i].yaml, err_text(err));
                assert_int_equal(json_format(value, false, &json, NULL), 0);
                assert_string_equal(json, documents[i].json);
        }
}

static const struct {
        const char *text;
        int error;
        const char *says;
} yaml_refusals[] = {
        { "", ENODATA, "holds no document" },
        { "# nothing\n", ENODATA, "holds no document" },
        { "a: 1\nb: 2\na: 3\n", EINVAL, "f.yaml:3: key \"a\" already set in map" },
        { "a: 1\n---\nb: 2\n", EINVAL, "f.yaml:3: a second document" },
        { "a: [1\nb: 2", EINVAL, "f.yaml:2: not YAML: " },
        { "\ta: 1", EINVAL, "f.yaml:1: not YAML: " },
        { "a: *b", EINVAL, "unknown anchor 'b' referenced" },
        { "a: &a [*a]", EINVAL, "anchor 'a' value contains itself" },
        { "a: !!binary aGk", EINVAL, "f.yaml:1: !!binary value contains invalid base64 data" },
        { "a: !!binary 'aG k='", EINVAL, "invalid base64 data" },
        { "a: !!binary AA==", EINVAL, "or a NUL" },
        { "a: !!null x", EINVAL, "cannot decode `x` as a null" },
        { "a: !!int 1.5", EINVAL, "cannot decode `1.5` as a int" },
        { "~: x", EINVAL, "null as a key is not supported" },
        { "%YAML 1.2\n---\na: b", EINVAL, "it is read as YAML 1.1 alone" },
        { "a: \"it\\'s\"", EINVAL, "unknown escape character" },
        { "a: .inf", EINVAL, ".inf is no number that JSON can hold" },
        { "? [a]\n: b", EINVAL, "a list or map as a key is not supported" },
        { "<<: 5\n", EINVAL, "map merge requires map" },
        { "a: \"x\\0y\"", EINVAL, "NUL" },
        { "a: \xff", EINVAL, "not YAML" },
};

static void test_yaml_refusals(void **state) {
        const struct value_options options = { .name = "f.yaml" };

        for (size_t i = 0; i < ELEMENTS(yaml_refusals); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                _cleanup_err_ struct err *err = NULL;
                const struct value *value = NULL;

                assert_int_equal(
                        yaml_parse(arena, yaml_refusals[i].text, strlen(yaml_refusals[i].text), &options, &value, &err),
                        -yaml_refusals[i].error);
                if (!strstr(err_text(err), yaml_refusals[i].says))
                        fail_msg("%s: %s", yaml_refusals[i].text, err_text(err));
                assert_null(value);
        }
}

static void hear(void *data, uint32_t line, const char *text) {
        char *heard = data;
        size_t n = strlen(heard);

        snprintf(heard + n, 256 - n, "%u: %.40s; ", line, text);
}

/* As kubelet reads: the last of a key, the first of the documents. */
static const struct {
        const char *text, *json, *heard;
} lenient[] = {
        { "a: 1\nb: 2\na: {c: 3}", "{\"b\":2,\"a\":{\"c\":3}}", "3: key \"a\" already set in map, at line 1; t; " },
        { "a: 1\n'a': 2\na: 3", "{\"a\":3}",
          "2: key \"a\" already set in map, at line 1; t; 3: key \"a\" already set in map, at line 2; t; " },
        { "{\"a\": 1, \"a\": 2}", "{\"a\":2}", "1: key \"a\" already set in map, at line 1; t; " },
        { "a: 1\n---\nb: 2\n", "{\"a\":1}", "3: a second document: the first of a file c; " },
        { "a: 1\n---\n# none\n---\n{{{", "{\"a\":1}", "5: a second document: the first of a file c; " },
        { "a: 1\n---\n\t%", "{\"a\":1}", "3: a second document: the first of a file c; " },
        { "a: 1\n---\n", "{\"a\":1}", "" },
        { "a: &x {k: 1}\nb: {k: 2, <<: *x}", "{\"a\":{\"k\":1},\"b\":{\"k\":1}}", "" },
        { "a: \"it\\'s \\\\\\'\\\"\"\nb: \"\xc3\xbc\\'\"\na: '\\'''", "{\"b\":\"\xc3\xbc'\",\"a\":\"\\\\'\"}",
          "3: key \"a\" already set in map, at line 1; t; " },
};

static void test_lenient(void **state) {
        for (size_t i = 0; i < ELEMENTS(lenient); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                _cleanup_err_ struct err *err = NULL;
                _cleanup_free_ char *json = NULL;
                char heard[256] = "";
                const struct value_options options = { .warn = hear, .warn_data = heard };
                const struct value *value;

                if (yaml_parse(arena, lenient[i].text, strlen(lenient[i].text), &options, &value, &err) < 0)
                        fail_msg("%s: %s", lenient[i].text, err_text(err));
                assert_int_equal(json_format(value, false, &json, NULL), 0);
                assert_string_equal(json, lenient[i].json);
                assert_string_equal(heard, lenient[i].heard);
        }
}

/* A document with an empty one before it is not the first; texts with a \\' are bounded, as it is read anew after each.
 */
static void test_lenient_refusals(void **state) {
        const struct value_options options = { .warn = hear, .warn_data = (char[256]){ "" } };

        for (int extra = 0; extra < 2; extra++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                char text[1024] = "";
                const struct value *value;

                for (int i = 0; i < 100 + extra; i++)
                        strcat(text, "- \"\\'\"\n");
                assert_int_equal(yaml_parse(arena, text, strlen(text), &options, &value, NULL), extra ? -EINVAL : 0);
                assert_int_equal(yaml_parse(arena, "---\n---\na: 1", 12, &options, &value, NULL), -ENODATA);
        }
}

/* Ten levels of ten aliases each stand for ten thousand million values. */
static void test_laughs(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_err_ struct err *err = NULL;
        const struct value *value;
        char text[2048] = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";

        for (int i = 1; i < 10; i++) {
                char line[128];

                snprintf(line, sizeof(line), "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i,
                         i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
                strcat(text, line);
        }
        assert_int_equal(yaml_parse(arena, text, strlen(text), NULL, &value, &err), -E2BIG);
        assert_non_null(strstr(err_text(err), "more than 262144 values"));
        assert_true(arena_size(arena) < 64 * 1024);
}

/* Keys merged into a map are bounded, as each is looked for among all. */
static void test_merge_bound(void **state) {
        for (int extra = 0; extra < 2; extra++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                _cleanup_free_ char *text = NULL;
                const struct value *value;
                size_t size;
                FILE *f = open_memstream(&text, &size);

                fprintf(f, "- &a {");
                for (int i = 0; i < 4096 + extra; i++)
                        fprintf(f, "k%d: 1, ", i);
                fprintf(f, "}\n- {<<: *a}\n");
                fclose(f);
                assert_int_equal(yaml_parse(arena, text, size, NULL, &value, NULL), extra ? -E2BIG : 0);
        }
}

static char *nested(int depth) {
        char *text = calloc(1, (size_t)depth * 2 + 2);

        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        return text;
}

static void test_depth(void **state) {
        for (int extra = 0; extra < 2; extra++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                _cleanup_free_ char *text = nested(VALUE_DEPTH_MAX + extra);
                const struct value *value;

                assert_int_equal(json_parse(arena, text, strlen(text), NULL, &value, NULL), extra ? -E2BIG : 0);
                assert_int_equal(yaml_parse(arena, text, strlen(text), NULL, &value, NULL), extra ? -E2BIG : 0);
        }
}

/* Aliases that nest lists deeper than they are written. */
static void test_alias_depth(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_err_ struct err *err = NULL;
        _cleanup_free_ char *inner = nested(60);
        _cleanup_free_ char *text = NULL;
        const struct value *value;

        assert_true(asprintf(&text,
                             "- &a %s\n- [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
                             "*a]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
                             inner) > 0);
        assert_int_equal(yaml_parse(arena, text, strlen(text), NULL, &value, &err), -E2BIG);
        assert_non_null(strstr(err_text(err), "nested deeper"));
}

static void test_sizes(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value_options options = { .bytes_max = 7, .nodes_max = 4 };
        const struct value *value;

        assert_int_equal(json_parse(arena, "[1,2,3]", 7, &options, &value, NULL), 0);
        assert_int_equal(json_parse(arena, "[1,2,3] ", 8, &options, &value, NULL), -E2BIG);
        assert_int_equal(yaml_parse(arena, "[1,2,3] ", 8, &options, &value, NULL), -E2BIG);
        assert_int_equal(json_parse(arena, "[,]", 3, &options, &value, NULL), -EINVAL);
        assert_int_equal(json_parse(arena, "[[],[]]", 7, &options, &value, NULL), 0);
        assert_int_equal(json_parse(arena, "[1,2,34", 7, &options, &value, NULL), -EINVAL);
}

static void test_all_documents(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *text = "a: 1\n---\n# empty\n---\nb: 2\n...\n---\nc\n";
        const struct value *documents_read;

        assert_int_equal(yaml_parse_all(arena, text, strlen(text), NULL, &documents_read, NULL), 0);
        assert_int_equal(value_count(documents_read), 3);
        assert_string_equal(value_string(value_at(documents_read, 2)), "c");
}

static const struct {
        const char *text;
        const char *says;
} json_refusals[] = {
        { "", "not JSON" },
        { "{\"a\":1,\n\"a\":2}", "f.json:2: key \"a\" already set in map" },
        { "{\"a\":1}\n\n}", "f.json:3: not JSON" },
        { "[1,]", "not JSON" },
        { "[1,\n\v2]", "f.json:2: not JSON" },
        { "[1\f]", "f.json:1: not JSON" },
        { "// hello\n1", "not JSON" },
        { "\"a\\u0000b\"", "NUL" },
        { "\"\xff\"", "not JSON" },
        { "{\"a\":\n  tru}", "f.json:2: not JSON" },
        { "{}\"", "not JSON" },
        { "[1] \"}]", "not JSON" },
        { "\"a\"tru", "not JSON" },
        { "12 \"12", "not JSON" },
        { "null f", "not JSON" },
        { "{}\n-", "not JSON" },
};

/* What may stand around a document. */
static void test_json_accepted(void **state) {
        static const char *const texts[] = { " 12 ",  "-1.5e+3\n", "\t null\r\n", "true",
                                             "false", "\"x\" ",    " {} \n",      "[ ]" };

        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                const struct value *value;

                assert_int_equal(json_parse(arena, texts[i], strlen(texts[i]), NULL, &value, NULL), 0);
        }
}

/* Half a pair is U+FFFD, in either reader: what has a key twice is read by the one that has words. */
static void test_json_halves(void **state) {
        static const char *const texts[] = {
                "{\"k\":\"\\ud800|\\udc00x|\\ud800\\u0041|\\ud800\\ud800|\\ud83d\\ude00\"}",
                "{\"k\":1,\"k\":\"\\ud800|\\udc00x|\\ud800\\u0041|\\ud800\\ud800|\\ud83d\\ude00\"}",
        };
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                char heard[256] = "";
                const struct value_options options = { .warn = hear, .warn_data = heard };
                const struct value *value;

                assert_int_equal(json_parse(arena, texts[i], strlen(texts[i]), &options, &value, NULL), 0);
                assert_string_equal(value_string(value_get(value, "k")), "\xef\xbf\xbd|\xef\xbf\xbdx|\xef\xbf\xbd"
                                                                         "A|\xef\xbf\xbd\xef\xbf\xbd|\xf0\x9f\x98\x80");
        }
}

static void test_json_refusals(void **state) {
        const struct value_options options = { .name = "f.json" };

        for (size_t i = 0; i < ELEMENTS(json_refusals); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                _cleanup_err_ struct err *err = NULL;
                const struct value *value;

                assert_int_equal(
                        json_parse(arena, json_refusals[i].text, strlen(json_refusals[i].text), &options, &value, &err),
                        -EINVAL);
                if (!strstr(err_text(err), json_refusals[i].says))
                        fail_msg("%s: %s", json_refusals[i].text, err_text(err));
        }
}

static void test_places(void **state) {
        static const char json[] = "{\n  \"a\": [1,\n    {\"b\": \"x\"}],\n  \"c\": 5}";
        static const char yaml[] = "a:\n- 1\n- b: x\nc: 5\n";
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *value, *found;

        assert_int_equal(json_parse(arena, json, strlen(json), NULL, &value, NULL), 0);
        found = value_find(value, "a[1].b");
        assert_string_equal(value_string(found), "x");
        assert_int_equal(found->line, 3);
        assert_int_equal(found->column, 11);
        assert_int_equal(value->members[1].line, 4);
        assert_int_equal(value->members[1].column, 3);
        assert_int_equal(yaml_parse(arena, yaml, strlen(yaml), NULL, &value, NULL), 0);
        assert_int_equal(value_find(value, "a[1].b")->line, 3);
        assert_int_equal(value_find(value, "a[1].b")->column, 6);
        assert_int_equal(value_find(value, "c")->line, 4);
        assert_null(value_find(value, "a[2].b"));
        assert_null(value_find(value, "c.d"));
}

static void test_numbers(void **state) {
        static const struct {
                const char *text;
                bool whole;
                int64_t n;
        } rows[] = {
                { "1e3", true, 1000 },
                { "2.0", true, 2 },
                { "2.5", false, 0 },
                { "1e30", false, 0 },
                { "-9223372036854775808", true, INT64_MIN },
                { "\"5\"", false, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                const struct value *value;
                int64_t n = 0;

                assert_int_equal(json_parse(arena, rows[i].text, strlen(rows[i].text), NULL, &value, NULL), 0);
                assert_int_equal(value_integer(value, &n), rows[i].whole);
                assert_int_equal(n, rows[i].n);
        }
}

static void test_copy(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new(), *other = arena_new();
        const char *text = "{\"a\":[1,\"x\",{\"b\":1.5}]}";
        const struct value *value, *copy;

        assert_int_equal(json_parse(arena, text, strlen(text), NULL, &value, NULL), 0);
        copy = value_copy(other, value);
        assert_true(value_equal(value, copy));
        arena = arena_free(arena);
        assert_string_equal(value_string(value_find(copy, "a[1]")), "x");
}

static void test_writer(void **state) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INDENTED;
        _cleanup_free_ char *text = NULL;

        json_begin_map(&w);
        json_add_string(&w, "q\"", "a\x01\n\xff\xc3\xa9\xed\xa0\x80");
        json_key(&w, "list");
        json_begin_list(&w);
        json_int(&w, -1);
        json_bool(&w, true);
        json_string(&w, NULL);
        json_begin_map(&w);
        json_end_map(&w);
        json_end_list(&w);
        json_add_string_if(&w, "no", "");
        json_end_map(&w);
        assert_int_equal(json_writer_finish(&w, &text, NULL), 0);
        assert_string_equal(text, "{\n  \"q\\\"\": \"a\\u0001\\n"
                                  "\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\",\n"
                                  "  \"list\": [\n    -1,\n    true,\n    null,\n    {}\n  ]\n}");
}

static void test_writer_texts(void **state) {
        static const char *const texts[] = { "a", "b", NULL };
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;

        json_begin_map(&w);
        json_add_texts(&w, "all", texts);
        json_add_n_texts(&w, "one", texts, 1);
        json_add_texts(&w, "none", NULL);
        json_end_map(&w);
        assert_int_equal(json_writer_finish(&w, &text, NULL), 0);
        assert_string_equal(text, "{\"all\":[\"a\",\"b\"],\"one\":[\"a\"],\"none\":[]}");
}

static void test_writer_bound(void **state) {
        static const size_t most[] = { 4, 5, SIZE_MAX };

        for (size_t i = 0; i < ELEMENTS(most); i++) {
                _cleanup_json_writer_ struct json_writer w = { .size_max = most[i] };
                _cleanup_free_ char *text = NULL;

                json_string(&w, "abc");
                assert_int_equal(json_writer_finish(&w, &text, NULL), most[i] < 5 ? -E2BIG : 0);
        }
}

static void test_ways_to_have_what_was_written(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT, failed = JSON_WRITER_INIT;
        _cleanup_bytes_ struct bytes *line = NULL;

        json_string(&w, "a");
        line = json_writer_line(&w);
        assert_int_equal(line->size, 4);
        assert_memory_equal(line->data, "\"a\"\n", 4);
        assert_string_equal(json_writer_text(&w, arena), "\"a\"");
        json_writer_fail(&failed, -EINVAL);
        assert_null(json_writer_line(&failed));
        assert_null(json_writer_text(&failed, arena));
}

static void test_lists(void **state) {
        static const char text[] = "{\"list\":[7,{\"type\":\"a\",\"n\":1},{\"type\":\"a\",\"n\":2},{\"n\":3},\"a\"],"
                                   "\"texts\":[1,\"b\",\"a\"]}";
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *root, *list, *texts;

        assert_int_equal(json_parse(arena, text, strlen(text), NULL, &root, NULL), 0);
        list = value_get(root, "list");
        assert_ptr_equal(value_item(list, "type", "a"), value_at(list, 1));
        assert_ptr_equal(value_item(list, "type", ""), value_at(list, 0)); /* no map is one without a type */
        assert_null(value_item(list, "type", "b"));
        assert_null(value_item(root, "type", "a"));
        assert_null(value_item(NULL, "type", "a"));
        texts = value_get(root, "texts");
        assert_true(value_has_text(texts, "a"));
        assert_false(value_has_text(texts, "1"));
        assert_false(value_has_text(root, "list"));
        assert_false(value_has_text(NULL, "a"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_yaml),
                cmocka_unit_test(test_yaml_refusals),
                cmocka_unit_test(test_lenient),
                cmocka_unit_test(test_lenient_refusals),
                cmocka_unit_test(test_laughs),
                cmocka_unit_test(test_depth),
                cmocka_unit_test(test_merge_bound),
                cmocka_unit_test(test_alias_depth),
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_all_documents),
                cmocka_unit_test(test_json_halves),
                cmocka_unit_test(test_json_refusals),
                cmocka_unit_test(test_json_accepted),
                cmocka_unit_test(test_places),
                cmocka_unit_test(test_lists),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_copy),
                cmocka_unit_test(test_writer),
                cmocka_unit_test(test_writer_texts),
                cmocka_unit_test(test_writer_bound),
                cmocka_unit_test(test_ways_to_have_what_was_written),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
