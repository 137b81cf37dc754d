#include "lib/json_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"

static struct json_scan scan_of(const char *text) {
        return (struct json_scan){ text, text + strlen(text) };
}

static const struct {
        const char *in, *out; /* NULL: refused */
} strings[] = {
        { "\"\"", "" },
        { "\"seven77\"", "seven77" },
        { "\"eight888\"", "eight888" },
        { "\"longer than eight, \\\"quoted\\\" late\"", "longer than eight, \"quoted\" late" },
        { "\"\\b\\f\\n\\r\\t\\/\\\\\"", "\b\f\n\r\t/\\" },
        { "\"\\u00e4\\u20AC\"", "ä€" },
        { "\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80" },
        { "\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80" },
        { "\"\\ude00\"", "\xef\xbf\xbd" },
        { "\"\\ud83d\\n\"", "\xef\xbf\xbd\n" },
        { "\"ä and more of it\"", "ä and more of it" },
        { "\"\\u0000\"", NULL },
        { "\"\\u00g0\"", NULL },
        { "\"\\u00", NULL },
        { "\"\\x41\"", NULL },
        { "\"\\", NULL },
        { "\"open", NULL },
        { "\"a\x01\"", NULL },
        { "\"12345678\x1f\"", NULL },
        { "\"\xc0\xaf\"", NULL },
        { "plain", NULL },
};

static void test_strings(void **state) {
        for (size_t i = 0; i < ELEMENTS(strings); i++) {
                struct json_scan s = scan_of(strings[i].in);
                struct json_text text;
                char out[64];

                if (json_scan_string(&s, &text) != (strings[i].out != NULL))
                        fail_msg("%s", strings[i].in);
                if (!strings[i].out)
                        continue;
                assert_ptr_equal(s.at, s.end);
                out[json_text_copy(&text, out)] = '\0';
                assert_string_equal(out, strings[i].out);
        }
}

static const struct {
        const char *text;
        bool whole; /* an int64 */
        int64_t number;
} integers[] = {
        { "0", true, 0 },
        { "-0", true, 0 },
        { " 17", true, 17 },
        { "9223372036854775807", true, INT64_MAX },
        { "-9223372036854775808", true, INT64_MIN },
        { "9223372036854775808", false, 0 },
        { "-9223372036854775809", false, 0 },
        { "1.0", false, 0 },
        { "1e3", false, 0 },
        { "01", false, 0 },
        { "-", false, 0 },
        { "+1", false, 0 },
        { "", false, 0 },
};

static void test_integers(void **state) {
        for (size_t i = 0; i < ELEMENTS(integers); i++) {
                struct json_scan s = scan_of(integers[i].text);
                int64_t n = 0;

                if (json_scan_int(&s, &n) != integers[i].whole || (integers[i].whole && n != integers[i].number))
                        fail_msg("%s: %lld", integers[i].text, (long long)n);
        }
}

static const struct {
        const char *text;
        bool valid;
} values[] = {
        { "{\"a\": [1, 2.5e+3, -0.1, true, false, null, \"x\", {}, []]}", true },
        { "[[[1]]]", true },
        { "[[[[1]]]]", false }, /* one deeper than asked for */
        { "[1,]", false },
        { "{\"a\" 1}", false },
        { "{\"a\":}", false },
        { "{a:1}", false },
        { "{\"a\":1,}", false },
        { "[1 2]", false },
        { "nul", false },
        { "trux", false },
        { ".5", false },
        { "1.", false },
        { "1e", false },
        { "[\v1]", false },
        { "", false },
};

static void test_values(void **state) {
        for (size_t i = 0; i < ELEMENTS(values); i++) {
                struct json_scan s = scan_of(values[i].text);
                bool valid = json_scan_skip(&s, 3) && (json_scan_peek(&s), s.at == s.end);

                if (valid != values[i].valid)
                        fail_msg("%s", values[i].text);
        }
}

static void test_compact(void **state) {
        static const char text[] = " { \"a b\" : [ 1 ,\n\t2 ] , \"c\\\" \" : \"\\\\\" } ";
        char out[sizeof(text)];

        out[json_compact(text, strlen(text), out)] = '\0';
        assert_string_equal(out, "{\"a b\":[1,2],\"c\\\" \":\"\\\\\"}");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_strings),
                cmocka_unit_test(test_integers),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_compact),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
