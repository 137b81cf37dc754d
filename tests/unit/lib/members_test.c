/* Members of maps by tables: what is taken, and what is said of what is not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/members.h"
#include "lib/value.h"

struct inner {
        const char *name;
        struct member_number number;
};

struct outer {
        const char *text, *old;
        bool flag;
        struct member_number small, wide, whole;
        struct member_list texts, ids, pairs, inners, named;
        struct inner inner;
        const struct value *any, *never;
};

static const struct member_row inner_members[] = {
        MEMBER_ROW("name", STRING, MEMBER_REQUIRED, inner, name),
        MEMBER_ROW_NUMBER("number", NUMBER, 0, inner, number, 0, 9),
};
static const struct member_type inner = MEMBER_TYPE(inner, inner_members);

static const struct member_row outer_members[] = {
        MEMBER_ROW("text", STRING, 0, outer, text),
        MEMBER_ROW("flag", BOOL, 0, outer, flag),
        MEMBER_ROW_NUMBER("small", NUMBER, 0, outer, small, -1, 100),
        MEMBER_ROW_NUMBER("wide", NUMBER, 0, outer, wide, 0, UINT64_MAX),
        MEMBER_ROW_NUMBER("whole", NUMBER, 0, outer, whole, INT64_MIN, INT64_MAX),
        MEMBER_ROW("texts", STRINGS, 0, outer, texts),
        MEMBER_ROW_NUMBER("ids", NUMBERS, 0, outer, ids, 0, 10),
        MEMBER_ROW("pairs", STRING_MAP, 0, outer, pairs),
        MEMBER_ROW_OF("inners", OBJECTS, 0, outer, inners, inner),
        MEMBER_ROW_OF("named", OBJECT_MAP, 0, outer, named, inner),
        MEMBER_ROW_OF("inner", OBJECT, 0, outer, inner, inner),
        MEMBER_ROW("inner", VALUE, 0, outer, any),
        MEMBER_ROW("old", STRING, MEMBER_REFUSED, outer, old),
        MEMBER_ROW("never", VALUE, MEMBER_REFUSED, outer, never),
};
static const struct member_type outer = MEMBER_TYPE(outer, outer_members);

static int read_text(struct arena *arena, const char *json, struct outer *ret_outer, struct err **err) {
        const struct value_options options = { .name = "doc" };
        const struct value *value;

        *ret_outer = (struct outer){ 0 };
        assert_int_equal(json_parse(arena, json, strlen(json), &options, &value, err), 0);
        return members_read(arena, &(struct members_source){ "doc", "", value }, &outer, ret_outer, err);
}

static void test_taken(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct err *err = NULL;
        struct outer o;

        assert_int_equal(read_text(arena,
                                   "{\"text\":\"\",\"FLAG\":true,\"small\":-1,\"wide\":18446744073709551615,"
                                   "\"whole\":-9223372036854775808,\"texts\":[\"a\",\"b\"],\"ids\":[0,10],"
                                   "\"pairs\":{\"k\":\"v\"},\"inners\":[{\"name\":\"x\"}],\"named\":{\"y\":{\"name\":"
                                   "\"z\"}},\"inner\":{\"name\":\"n\",\"number\":9},\"old\":\"\",\"never\":null,"
                                   "\"unheardOf\":[{}]}",
                                   &o, &err),
                         0);
        assert_string_equal(o.text, "");
        assert_true(o.flag);
        assert_true(o.small.set && o.small.i == -1 && o.wide.u == UINT64_MAX && o.whole.i == INT64_MIN);
        assert_int_equal(o.texts.n, 2);
        assert_string_equal(*MEMBER_AT(o.texts, const char *, 1), "b");
        assert_null(*MEMBER_AT(o.texts, const char *, 2));
        assert_int_equal(MEMBER_AT(o.ids, struct member_number, 1)->u, 10);
        assert_string_equal(MEMBER_AT(o.pairs, struct member_pair, 0)->key, "k");
        assert_string_equal(MEMBER_AT(o.pairs, struct member_pair, 0)->value, "v");
        assert_string_equal(MEMBER_AT(o.inners, struct inner, 0)->name, "x");
        assert_string_equal(MEMBER_AT(o.named, struct inner, 0)->name, "z");
        assert_int_equal(o.inner.number.u, 9);
        assert_string_equal(value_string(value_get(o.any, "name")), "n");
        /* Nothing, and null, are an empty map. */
        assert_int_equal(members_read(arena, &(struct members_source){ "doc", "", NULL }, &outer, &o, &err), 0);
        assert_int_equal(read_text(arena, "null", &o, &err), 0);
        assert_false(o.small.set);
}

static void test_refused(void **state) {
        static const struct {
                const char *json, *says;
                int code;
        } cases[] = {
                { "[]", "doc:1: expected a map, found a list", EINVAL },
                { "{\"text\":1}", "doc:1: text: expected a string, found 1", EINVAL },
                { "{\"flag\":\"true\"}", "flag: expected true or false, found the string \"true\"", EINVAL },
                { "{\"small\":\"5\"}", "small: expected a whole number from -1 to 100, found the string \"5\"",
                  EINVAL },
                { "{\"small\":-2}", "small: expected a whole number from -1 to 100, found -2", EINVAL },
                { "{\"small\":101}", "found 101", EINVAL },
                { "{\"small\":1.0}", "found 1.0", EINVAL },
                { "{\"small\":1e1}", "found 1e1", EINVAL },
                { "{\"wide\":18446744073709551616}", "found 18446744073709551616", EINVAL },
                { "{\"wide\":-1}", "found -1", EINVAL },
                { "{\"whole\":9223372036854775808}", "found 9223372036854775808", EINVAL },
                { "{\"whole\":-9223372036854775809}", "found -9223372036854775809", EINVAL },
                { "{\"texts\":\"a\"}", "texts: expected a list of strings", EINVAL },
                { "{\"texts\":[\"a\",\n1]}", "doc:2: texts[1]: expected a string", EINVAL },
                { "{\"texts\":[null]}", "texts[0]: expected a string", EINVAL },
                { "{\"ids\":[11]}", "ids[0]: expected a whole number from 0 to 10", EINVAL },
                { "{\"pairs\":{\"k\":1}}", "pairs[k]: expected a string", EINVAL },
                { "{\"inners\":{}}", "inners: expected a list of maps", EINVAL },
                { "{\"inners\":[{\"name\":\"x\"},{\"name\":2}]}", "inners[1].name: expected a string", EINVAL },
                { "{\"inners\":[{}]}", "inners[0]: name is missing", EINVAL },
                { "{\"inners\":[{\"name\":null}]}", "inners[0]: name is missing", EINVAL },
                { "{\"named\":{\"y\":[]}}", "named[y]: expected a map, found a list", EINVAL },
                { "{\"INNER\":{\"name\":\"n\",\"Number\":10}}", "inner.number: expected", EINVAL },
                { "{\"old\":1}", "old: expected a string", EINVAL },
                { "{\"old\":\"x\"}", "old: not supported", ENOTSUP },
                { "{\"never\":{}}", "never: not supported", ENOTSUP },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                _cleanup_err_ struct err *err = NULL;
                struct outer o;

                assert_int_equal(read_text(arena, cases[i].json, &o, &err), -cases[i].code);
                if (!strstr(err_text(err), cases[i].says))
                        fail_msg("%s: %s", cases[i].json, err_text(err));
        }
}

/* A path that does not fit is cut. */
static void test_long_path(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_err_ struct err *err = NULL;
        char path[2 * MEMBER_PATH_MAX];
        const struct value one = { .kind = VALUE_INT, .integer = 1 };
        struct outer o = { 0 };

        memset(path, 'p', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(members_read(arena, &(struct members_source){ "doc", path, &one }, &outer, &o, &err), -EINVAL);
        assert_non_null(strstr(err_text(err), "ppp: expected a map"));
        assert_true(strlen(err_text(err)) < MEMBER_PATH_MAX + 64);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_taken),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_long_path),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
