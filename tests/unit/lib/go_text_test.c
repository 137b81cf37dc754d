/* Texts as strconv.Quote() of Go quotes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/go_text.h"

static void test_quotes(void **state) {
        static const struct {
                const char *text, *quoted;
        } rows[] = {
                { "", "\"\"" },
                { "web", "\"web\"" },
                { "a \"b\" \\", "\"a \\\"b\\\" \\\\\"" },
                { "\a\b\f\n\r\t\v", "\"\\a\\b\\f\\n\\r\\t\\v\"" },
                { "\x01\x1f\x7f", "\"\\x01\\x1f\\x7f\"" },
                { "\u00e4\u4e16\U0001f600", "\"\u00e4\u4e16\U0001f600\"" },
                { "\xc2\x80", "\"\\u0080\"" },
                { "\u00ad\u200b\ufeff", "\"\\u00ad\\u200b\\ufeff\"" },
                { "\U000e0001", "\"\\U000e0001\"" },
                { "\xff\xc3", "\"\\xff\\xc3\"" },          /* no UTF-8 */
                { "\xed\xa0\x80", "\"\\xed\\xa0\\x80\"" }, /* a surrogate */
                { "\xc0\x80", "\"\\xc0\\x80\"" },          /* longer than it need be */
        };
        _cleanup_arena_ struct arena *arena = arena_new();

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const char *quoted = go_text_quote(arena, rows[i].text);

                assert_string_equal(quoted, rows[i].quoted);
                assert_true(strlen(quoted) < GO_TEXT_QUOTED_MAX(strlen(rows[i].text)));
        }
}

static void test_characters(void **state) {
        char to[GO_TEXT_CHARACTER_MAX];
        int32_t rune;
        size_t took;

        assert_int_equal(go_text_quote_one(to, "\0a", 2, &took), 4);
        assert_memory_equal(to, "\\x00", 4);
        assert_int_equal(took, 1);
        assert_int_equal(go_text_rune("\u4e16", 3, &rune), 3);
        assert_int_equal(rune, 0x4e16);
        assert_int_equal(go_text_rune("\u4e16", 2, &rune), 1); /* not all of it is there */
        assert_int_equal(rune, -1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_quotes),
                cmocka_unit_test(test_characters),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
