#include "lib/go_text.h"

#include <stdio.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/utf8.h"
#include "lib/value.h"

/* What Unicode calls control, format, surrogate, private, unassigned at large, or a space. */
static const struct {
        int32_t first, last;
} hidden[] = {
        { 0x0000, 0x001f }, { 0x007f, 0x00a0 }, { 0x00ad, 0x00ad }, { 0x0600, 0x0605 },   { 0x061c, 0x061c },
        { 0x06dd, 0x06dd }, { 0x070f, 0x070f }, { 0x08e2, 0x08e2 }, { 0x1680, 0x1680 },   { 0x180e, 0x180e },
        { 0x2000, 0x200f }, { 0x2028, 0x202f }, { 0x205f, 0x206f }, { 0x3000, 0x3000 },   { 0xd800, 0xf8ff },
        { 0xfeff, 0xfeff }, { 0xfff0, 0xfffb }, { 0xfffe, 0xffff }, { 0xe0000, 0xe00ff }, { 0xe01f0, 0x10ffff },
};

bool go_text_printable(int32_t rune) {
        for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
                if (rune <= hidden[i].last)
                        return rune < hidden[i].first;
        return false;
}

size_t go_text_rune(const char *text, size_t length, int32_t *ret_rune) {
        static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 }; /* the code's bits in the first byte */
        size_t n = utf8_character(text, length);

        if (n == 0) {
                *ret_rune = -1;
                return 1;
        }
        *ret_rune = (unsigned char)text[0] & first[n];
        for (size_t i = 1; i < n; i++)
                *ret_rune = *ret_rune << 6 | ((unsigned char)text[i] & 0x3f);
        return n;
}

size_t go_text_quote_one(char to[GO_TEXT_CHARACTER_MAX], const char *text, size_t length, size_t *ret_took) {
        static const char shorts[] = "\a\b\f\n\r\t\v\\\"", names[] = "abfnrtv\\\"";
        const char *at;
        int32_t rune;

        *ret_took = go_text_rune(text, length, &rune);
        at = rune > 0 && rune < 0x80 ? strchr(shorts, rune) : NULL;
        if (at)
                return (size_t)sprintf(to, "\\%c", names[at - shorts]);
        if (rune < ' ' || rune == 0x7f)
                return (size_t)sprintf(to, "\\x%02x", (unsigned char)*text);
        if (!go_text_printable(rune))
                return (size_t)sprintf(to, rune < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)rune);
        memcpy(to, text, *ret_took);
        return *ret_took;
}

char *go_text_quote_to(char *to, const char *text) {
        const char *end = text + strlen(text);
        char one[GO_TEXT_CHARACTER_MAX];
        size_t took;

        *to++ = '"';
        for (; text < end; text += took)
                to = mempcpy(to, one, go_text_quote_one(one, text, (size_t)(end - text), &took));
        return strcpy(to, "\"") + 1;
}

char *go_text_quote(struct arena *arena, const char *text) {
        char *quoted = arena_alloc_uncleared(arena, GO_TEXT_QUOTED_MAX(strlen(text)));

        if (quoted)
                go_text_quote_to(quoted, text);
        return quoted;
}

const char *go_text_kind(const struct value *value) {
        static const char *const names[] = {
                [VALUE_NULL] = "null",     [VALUE_BOOL] = "bool",  [VALUE_INT] = "number", [VALUE_NUMBER] = "number",
                [VALUE_STRING] = "string", [VALUE_LIST] = "array", [VALUE_MAP] = "object",
        };

        return names[value ? value->kind : VALUE_NULL];
}
