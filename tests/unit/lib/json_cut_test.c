/* JSON in pieces: whatever the pieces, the values are the same. */
#include "lib/json_cut.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/err.h"

struct seen {
        char text[4096];
        int values;
};

static int see(void *data, const char *key, const char *text, size_t length, struct err **err) {
        struct seen *seen = data;

        if (length == 6 && memcmp(text, "\"stop\"", 6) == 0)
                return err_set(err, ECANCELED, "stopped");
        seen->values++;
        if (strlen(seen->text) + length < sizeof(seen->text) - 64)
                sprintf(seen->text + strlen(seen->text), "%s%s%.*s|", key ?: "", key ? "=" : "", (int)length, text);
        return 0;
}

/* In pieces of @n bytes. */
static int cut_up(enum json_cut_mode mode, const char *text, size_t n, size_t value_max, struct seen *seen) {
        _cleanup_json_cut_ struct json_cut cut = {
                .mode = mode, .list = "items", .value = see, .data = seen, .value_max = value_max
        };
        size_t length = strlen(text);
        int r = 0;

        memset(seen, 0, sizeof(*seen));
        for (size_t at = 0; r >= 0 && at < length; at += n) {
                /* From memory of its own, so that nothing behind the piece is read. */
                size_t size = length - at < n ? length - at : n;
                char *piece = malloc(size);

                assert_non_null(piece);
                memcpy(piece, text + at, size);
                r = json_cut_feed(&cut, piece, size, NULL);
                free(piece);
        }
        return r < 0 ? r : json_cut_end(&cut, NULL);
}

static void assert_cut(enum json_cut_mode mode, const char *text, int error, const char *values) {
        struct seen seen;

        for (size_t n = 1; n <= strlen(text) + 1; n++) {
                assert_int_equal(cut_up(mode, text, n, 0, &seen), error);
                if (values)
                        assert_string_equal(seen.text, values);
        }
}

static void test_sequences(void **state) {
        assert_cut(JSON_CUT_SEQUENCE, "", 0, "");
        assert_cut(JSON_CUT_SEQUENCE, " \n", 0, "");
        assert_cut(JSON_CUT_SEQUENCE, "{\"a\":1}{\"b\":[2]}\n\n[3]\"x\"\"y\" 12 true", 0,
                   "{\"a\":1}|{\"b\":[2]}|[3]|\"x\"|\"y\"|12|true|");
        assert_cut(JSON_CUT_SEQUENCE, "{\"a\":\"}\\\"]\\\\\"}", 0, "{\"a\":\"}\\\"]\\\\\"}|");
        assert_cut(JSON_CUT_SEQUENCE, "{\"a\":1", -EINVAL, "");
        assert_cut(JSON_CUT_SEQUENCE, "{\"a\":1]", -EINVAL, "");
        assert_cut(JSON_CUT_SEQUENCE, "1 }", -EINVAL, "1|");
        assert_cut(JSON_CUT_SEQUENCE, "1,2", -EINVAL, "1|");
        assert_cut(JSON_CUT_SEQUENCE, "1 \"stop\" 2", -ECANCELED, "1|");
}

static void test_lists(void **state) {
        static const struct {
                const char *text;
                int error;
                const char *values;
        } cases[] = {
                { "{}", 0, "" },
                { "{\"items\":[]}", 0, "" },
                { "{\"items\":null,\"kind\":\"L\"}", 0, "kind=\"L\"|" },
                { "{\"kind\":\"L\",\"items\":[{\"a\":[1]},2,\"x\"],\"metadata\":{\"items\":[9]}}\n", 0,
                  "kind=\"L\"|{\"a\":[1]}|2|\"x\"|metadata={\"items\":[9]}|" },
                { " { \"items\" : [ 1 , [ 2 ] ] , \"n\" : -1.5e3 } ", 0, "1|[ 2 ]|n=-1.5e3|" },
                { "{\"item\\u0073\":[1]}", 0, "1|" },
                { "{\"items\":[1],\"items\":[2]}", -EINVAL, "1|" },
                { "{\"items\":{}}", -EINVAL, "" },
                { "{\"items\":\"[1]\"}", -EINVAL, "" },
                { "{\"items\":[1,]}", -EINVAL, "1|" },
                { "{\"items\":[,1]}", -EINVAL, "" },
                { "{\"items\":[1 2]}", -EINVAL, "1|" },
                { "{\"items\":[1}", -EINVAL, "1|" },
                { "{\"a\":1,}", -EINVAL, "a=1|" },
                { "{,}", -EINVAL, "" },
                { "{\"a\" 1}", -EINVAL, "" },
                { "{\"a\":}", -EINVAL, "" },
                { "{\"a\\q\":1}", -EINVAL, "" },
                { "{a:1}", -EINVAL, "" },
                { "[1]", -EINVAL, "" },
                { "{} {}", -EINVAL, "" },
                { "{\"items\":[1]", -EINVAL, "1|" },
                { "", -EINVAL, "" },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                assert_cut(JSON_CUT_LIST, cases[i].text, cases[i].error, cases[i].values);
}

static void test_bounds(void **state) {
        char text[2 * VALUE_DEPTH_MAX + 8], key[JSON_CUT_KEY_MAX + 16];
        struct seen seen;

        for (size_t n = 1; n <= 16; n++) {
                assert_int_equal(cut_up(JSON_CUT_SEQUENCE, "[12345678]", n, 10, &seen), 0);
                assert_int_equal(cut_up(JSON_CUT_SEQUENCE, "[123456789]", n, 10, &seen), -E2BIG);
                assert_int_equal(cut_up(JSON_CUT_SEQUENCE, "[123456789}", n, 10, &seen), -E2BIG);
                assert_int_equal(cut_up(JSON_CUT_SEQUENCE, "1234567890 1234567890", n, 10, &seen), 0);
                assert_int_equal(cut_up(JSON_CUT_SEQUENCE, "12345678901 ", n, 10, &seen), -E2BIG);
                assert_int_equal(cut_up(JSON_CUT_LIST, "{\"items\":[[12345678],1]}", n, 10, &seen), 0);
        }
        memset(text, '[', VALUE_DEPTH_MAX);
        memset(text + VALUE_DEPTH_MAX, ']', VALUE_DEPTH_MAX);
        text[2 * VALUE_DEPTH_MAX] = '\0';
        assert_int_equal(cut_up(JSON_CUT_SEQUENCE, text, 7, 0, &seen), 0);
        memset(text, '[', VALUE_DEPTH_MAX + 1);
        assert_int_equal(cut_up(JSON_CUT_SEQUENCE, text, 7, 0, &seen), -E2BIG);
        for (size_t length = JSON_CUT_KEY_MAX - 1; length <= JSON_CUT_KEY_MAX; length++) {
                snprintf(key, sizeof(key), "{\"%0*d\":1}", (int)length, 0);
                assert_int_equal(cut_up(JSON_CUT_LIST, key, 5, 0, &seen), length < JSON_CUT_KEY_MAX ? 0 : -E2BIG);
        }
}

static void test_failure_lasts(void **state) {
        struct seen seen = { 0 };
        _cleanup_json_cut_ struct json_cut cut = { .value = see, .data = &seen };

        assert_int_equal(json_cut_feed(&cut, "}", 1, NULL), -EINVAL);
        assert_int_equal(json_cut_feed(&cut, "1 ", 2, NULL), -EINVAL);
        assert_int_equal(json_cut_end(&cut, NULL), -EINVAL);
        assert_int_equal(seen.values, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sequences),
                cmocka_unit_test(test_lists),
                cmocka_unit_test(test_bounds),
                cmocka_unit_test(test_failure_lasts),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
