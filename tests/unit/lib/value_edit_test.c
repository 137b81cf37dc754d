/* JSON Pointers (RFC 6901, with its own examples) and changed trees. */
#include "lib/value_edit.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/arena.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/pointer.h"
#include "lib/value_keys.h"
#include "tests/unit/support/trees.h"

static void assert_reads(const struct value *value, const char *expected) {
        char *text = NULL;

        assert_int_equal(json_format(value, false, &text, NULL), 0);
        assert_string_equal(text, expected);
        free(text);
}

static void test_rfc_6901(void **state) {
        static const char document[] = "{\"foo\": [\"bar\", \"baz\"], \"\": 0, \"a/b\": 1, \"c%d\": 2, \"e^f\": 3,"
                                       " \"g|h\": 4, \"i\\\\j\": 5, \"k\\\"l\": 6, \" \": 7, \"m~n\": 8}";
        static const struct {
                const char *pointer, *value;
        } cases[] = {
                { "/foo", "[\"bar\",\"baz\"]" },
                { "/foo/0", "\"bar\"" },
                { "/", "0" },
                { "/a~1b", "1" },
                { "/c%d", "2" },
                { "/e^f", "3" },
                { "/g|h", "4" },
                { "/i\\j", "5" },
                { "/k\"l", "6" },
                { "/ ", "7" },
                { "/m~0n", "8" },
        };
        static const char *const nothing[] = { "/foo/2", "/foo/-", "/foo/00", "/foo/4294967296", "/foo/0/x", "/x/y" };
        const struct value *root = read_text(document);
        struct pointer pointer;

        assert_int_equal(pointer_parse(arena, "", &pointer, NULL), 0);
        assert_ptr_equal(pointer_get(root, &pointer), root);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                assert_int_equal(pointer_parse(arena, cases[i].pointer, &pointer, NULL), 0);
                assert_reads(pointer_get(root, &pointer), cases[i].value);
                assert_string_equal(pointer_escape(arena, pointer.tokens[0]),
                                    strndupa(cases[i].pointer + 1, strcspn(cases[i].pointer + 1, "/")));
        }
        for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
                assert_int_equal(pointer_parse(arena, nothing[i], &pointer, NULL), 0);
                assert_null(pointer_get(root, &pointer));
        }
        assert_int_equal(pointer_parse(arena, "foo", &pointer, NULL), -EINVAL);
        assert_int_equal(pointer_parse(arena, "/a~2", &pointer, NULL), -EINVAL);
        assert_int_equal(pointer_parse(arena, "/a~", &pointer, NULL), -EINVAL);
}

static void test_edits(void **state) {
        const struct value one = VALUE_INTEGER(1), text = VALUE_TEXT("t"), none = { .kind = VALUE_NULL };
        const struct value *before = read_text("{\"a\":{\"b\":[1,2,3]},\"c\":{\"d\":{}}}"), *after;
        struct value_edit edit;

        value_edit_begin(&edit, arena, before);
        assert_int_equal(value_edit_set(&edit, "/a/b/1", &text, NULL), 0);
        assert_int_equal(value_edit_add(&edit, "/a/b/0", &none, NULL), 0);
        assert_int_equal(value_edit_set(&edit, "/a/b/-", &one, NULL), 0);
        assert_int_equal(value_edit_set(&edit, "/x/y~1z", &text, NULL), 0);
        assert_int_equal(value_edit_remove(&edit, "/a/b/1", NULL), 0);
        assert_int_equal(value_edit_set(&edit, "/a/b/5", &one, NULL), -ENOENT);
        assert_int_equal(value_edit_set(&edit, "/a/b/q", &one, NULL), -ENOENT);
        assert_int_equal(value_edit_set(&edit, "/a/b/0/q", &one, NULL), -ENOENT);
        assert_int_equal(value_edit_add(&edit, "/q/q", &one, NULL), -ENOENT);
        assert_int_equal(value_edit_remove(&edit, "/q", NULL), -ENOENT);
        assert_int_equal(value_edit_remove(&edit, "/a/b/-", NULL), -ENOENT);
        assert_int_equal(value_edit_remove(&edit, "", NULL), -ENOENT);
        assert_int_equal(value_edit_set(&edit, "q", &one, NULL), -EINVAL);
        after = value_edit_end(&edit);
        assert_reads(after, "{\"a\":{\"b\":[null,\"t\",3,1]},\"c\":{\"d\":{}},\"x\":{\"y/z\":\"t\"}}");
        assert_reads(before, "{\"a\":{\"b\":[1,2,3]},\"c\":{\"d\":{}}}");
        assert_ptr_equal(value_get(after, "c")->members, value_get(before, "c")->members);

        value_edit_begin(&edit, arena, after); /* what the first edit made is no longer to be changed */
        assert_int_equal(value_edit_remove(&edit, "/a/b/0", NULL), 0);
        assert_reads(value_edit_end(&edit), "{\"a\":{\"b\":[\"t\",3,1]},\"c\":{\"d\":{}},\"x\":{\"y/z\":\"t\"}}");
        assert_reads(after, "{\"a\":{\"b\":[null,\"t\",3,1]},\"c\":{\"d\":{}},\"x\":{\"y/z\":\"t\"}}");

        value_edit_begin(&edit, arena, NULL);
        assert_int_equal(value_edit_set(&edit, "/a/b", before, NULL), 0);
        assert_int_equal(value_edit_set(&edit, "", &one, NULL), 0);
        assert_reads(value_edit_end(&edit), "1");
}

/* A part of the edit that is put in twice: a change of one is none of the other. */
static void test_share(void **state) {
        const struct value one = VALUE_INTEGER(1), *root = read_text("{\"a\":{\"b\":{\"c\":[]}}}");
        struct value_edit edit;
        struct value *map;

        value_edit_begin(&edit, arena, root);
        assert_int_equal(value_edit_set(&edit, "/a/b/c/-", &one, NULL), 0);
        map = value_edit_root(&edit);
        value_edit_share(value_edit_child(&edit, map, 0));
        assert_int_equal(value_edit_put(&edit, map, "z", &map->members[0].value), 0);
        assert_int_equal(value_edit_set(&edit, "/a/b/c/-", &one, NULL), 0);
        assert_int_equal(value_edit_remove(&edit, "/z/b/c/0", NULL), 0);
        assert_reads(value_edit_end(&edit), "{\"a\":{\"b\":{\"c\":[1,1]}},\"z\":{\"b\":{\"c\":[]}}}");
        assert_reads(root, "{\"a\":{\"b\":{\"c\":[]}}}");
}

/* Many changes of one list copy it no more than twice each time it doubles. */
static void test_growth(void **state) {
        struct value_edit edit;
        const struct value *list;

        value_edit_begin(&edit, arena, read_text("{\"l\":[]}"));
        for (int i = 0; i < 10000; i++)
                assert_int_equal(value_edit_set(&edit, "/l/-", &(struct value)VALUE_INTEGER(i), NULL), 0);
        assert_true(edit.bytes < 10000 * sizeof(struct value) * 4);
        list = value_get(value_edit_end(&edit), "l");
        assert_int_equal(list->count, 10000);
        for (int i = 0; i < 10000; i++)
                assert_int_equal(list->items[i].integer, i);
}

static void test_bounds(void **state) {
        char pointer[2 * VALUE_DEPTH_MAX + 3];
        const struct value one = VALUE_INTEGER(1), empty = VALUE_EMPTY(VALUE_MAP);
        struct value_edit edit;
        char *text = NULL;
        size_t length;

        for (int i = 0; i <= VALUE_DEPTH_MAX; i++)
                memcpy(pointer + 2 * i, "/k", 3);
        value_edit_begin(&edit, arena, NULL);
        assert_int_equal(value_edit_set(&edit, pointer, &one, NULL), -E2BIG);
        pointer[2 * VALUE_DEPTH_MAX] = '\0';
        assert_int_equal(value_edit_set(&edit, pointer, &empty, NULL), -E2BIG);
        assert_int_equal(value_edit_set(&edit, pointer, &one, NULL), 0);
        assert_int_equal(json_format(value_edit_end(&edit), false, &text, &length), 0);
        assert_int_equal(value_depth(read_text(text)), VALUE_DEPTH_MAX);
        free(text);
        value_edit_begin(&edit, arena, NULL);
        edit.bytes = VALUE_EDIT_BYTES_MAX - 10;
        assert_int_equal(value_edit_set(&edit, "/k", &one, NULL), -E2BIG);
}

static void test_equal(void **state) {
        char a[4096] = "{", b[4096] = "{";
        const struct value *x, *y;

        assert_true(value_equal(read_text("{\"a\":1,\"b\":[2]}"), read_text("{\"b\":[2],\"a\":1}")));
        assert_false(value_equal(read_text("{\"a\":1,\"b\":[2]}"), read_text("{\"b\":[2],\"c\":1}")));
        assert_false(value_equal(read_text("[1,2]"), read_text("[2,1]")));
        for (int i = 0; i < 100; i++) {
                sprintf(a + strlen(a), "\"k%d\":%d%s", i, i, i < 99 ? "," : "}");
                sprintf(b + strlen(b), "\"k%d\":%d%s", 99 - i, 99 - i, i < 99 ? "," : "}");
        }
        x = read_text(a);
        y = read_text(b);
        assert_true(value_equal(x, y));
        for (uint32_t i = 0; i < 100; i++) {
                _cleanup_value_keys_ struct value_keys keys = { 0 };

                value_keys_init(&keys, y);
                assert_int_equal(value_keys_find(&keys, x->members[i].key), 99 - i);
                assert_int_equal(value_keys_find(&keys, "k100"), VALUE_NONE);
        }
        *strstr(b, "k50") = 'l';
        assert_false(value_equal(x, read_text(b)));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_rfc_6901, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_edits, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_share, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_growth, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_equal, set_up, tear_down),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
