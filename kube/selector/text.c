#include "kube/selector/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/utf8.h"

void selector_words_add(struct selector_words *w, const char *format, ...) {
        size_t room = sizeof(w->text) - w->length;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(w->text + w->length, room, format, ap);
        va_end(ap);
        if (n > 0)
                w->length += (size_t)n < room ? (size_t)n : room - 1;
}

static uint32_t decode(const unsigned char *p, size_t n) {
        switch (n) {
        case 2:
                return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
        case 3:
                return (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
        case 4:
                return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 | (uint32_t)(p[2] & 0x3f) << 6 |
                       (p[3] & 0x3f);
        default:
                return p[0];
        }
}

/* What is no letter, mark, number or sign: controls, blanks other than the space, and what only steers. */
static bool is_unprintable(uint32_t c) {
        static const uint32_t ranges[][2] = {
                { 0, 0x1f },        { 0x7f, 0xa0 },     { 0xad, 0xad },       { 0x600, 0x605 },      { 0x61c, 0x61c },
                { 0x6dd, 0x6dd },   { 0x70f, 0x70f },   { 0x1680, 0x1680 },   { 0x180e, 0x180e },    { 0x2000, 0x200f },
                { 0x2028, 0x202f }, { 0x205f, 0x206f }, { 0x3000, 0x3000 },   { 0xd800, 0xf8ff },    { 0xfeff, 0xfeff },
                { 0xfff0, 0xfffb }, { 0xfffe, 0xffff }, { 0xe0000, 0xe00ff }, { 0xe01f0, 0x10ffff },
        };

        for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
                if (c >= ranges[i][0] && c <= ranges[i][1])
                        return true;
        return false;
}

static void quote_character(struct selector_words *w, const char *p, size_t n) {
        static const char shorts[] = "\a\b\f\n\r\t\v\\\"", names[] = "abfnrtv\\\"";
        uint32_t c = decode((const unsigned char *)p, n);
        const char *at = c && c < 0x80 ? strchr(shorts, (int)c) : NULL;

        if (n == 0)
                selector_words_add(w, "\\x%02x", (unsigned char)*p);
        else if (at)
                selector_words_add(w, "\\%c", names[at - shorts]);
        else if (!is_unprintable(c))
                selector_words_add(w, "%.*s", (int)n, p);
        else
                selector_words_add(w, c < 0x80 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
}

void selector_words_quote(struct selector_words *w, const char *text, size_t length) {
        selector_words_add(w, "\"");
        for (size_t i = 0; i < length;) {
                size_t n = utf8_character(text + i, length - i);

                quote_character(w, text + i, n);
                i += n ? n : 1;
        }
        selector_words_add(w, "\"");
}

bool selector_number(const char *text, int64_t *ret_number) {
        const char *digits = text + (*text == '+' || *text == '-');
        char *end;
        long long n;

        if (!*digits || digits[strspn(digits, "0123456789")])
                return false;
        errno = 0;
        n = strtoll(text, &end, 10);
        if (errno)
                return false;
        *ret_number = n;
        return true;
}

static int by_key(const void *a, const void *b) {
        const struct selector_requirement *left = a, *right = b;
        int order = strcmp(left->key, right->key);

        return order ? order : (left->place > right->place) - (left->place < right->place);
}

void selector_sort(struct selector_requirement *requirements, size_t n) {
        for (size_t i = 0; i < n; i++)
                requirements[i].place = (uint32_t)i;
        if (n > 1)
                qsort(requirements, n, sizeof(*requirements), by_key);
}
