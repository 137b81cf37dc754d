#include "kube/apply/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kube/patch/go_text.h"
#include "lib/arena.h"
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

bool apply_printable(int32_t rune) {
        for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
                if (rune <= hidden[i].last)
                        return rune < hidden[i].first;
        return false;
}

size_t apply_rune(const char *text, int32_t *ret_rune) {
        static const struct {
                uint8_t mask, lead;
                int32_t least;
        } forms[] = { { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };
        const unsigned char *p = (const unsigned char *)text;

        *ret_rune = -1;
        for (size_t n = 1; n <= 4; n++) {
                int32_t rune = *p & ~forms[n - 1].mask;

                if ((*p & forms[n - 1].mask) != forms[n - 1].lead)
                        continue;
                for (size_t i = 1; i < n; i++) {
                        if ((p[i] & 0xc0) != 0x80)
                                return 1;
                        rune = rune << 6 | (p[i] & 0x3f);
                }
                if (rune < forms[n - 1].least || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000))
                        return 1;
                *ret_rune = rune;
                return n;
        }
        return 1;
}

static size_t quote_rune(char *out, const char *text, size_t length, int32_t rune) {
        static const char letters[] = "\a\b\f\n\r\t\v", names[] = "abfnrtv";
        const char *letter = rune > 0 && rune < 0x20 ? strchr(letters, rune) : NULL;

        if (letter)
                return (size_t)sprintf(out, "\\%c", names[letter - letters]);
        if (rune == '"' || rune == '\\')
                return (size_t)sprintf(out, "\\%c", (char)rune);
        if (rune < 0 || rune < 0x20 || rune == 0x7f)
                return (size_t)sprintf(out, "\\x%02x", (unsigned char)*text);
        if (!apply_printable(rune))
                return (size_t)sprintf(out, rune < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)rune);
        memcpy(out, text, length);
        return length;
}

const char *apply_quoted(struct arena *arena, const char *text) {
        /* A byte is at most \xff, a character of two bytes \u00ad. */
        char *quoted = arena_alloc_uncleared(arena, strlen(text) * 4 + 4), *out = quoted;

        if (!quoted)
                return NULL;
        *out++ = '"';
        for (const char *p = text; *p;) {
                int32_t rune;
                size_t length = apply_rune(p, &rune);

                out += quote_rune(out, p, length, rune);
                p += length;
        }
        memcpy(out, "\"", 2);
        return quoted;
}

const char *apply_append(struct arena *arena, const char *text, const char *format, ...) {
        char *more = NULL, *whole;
        va_list args;
        int n;

        if (!text)
                return NULL;
        va_start(args, format);
        n = vasprintf(&more, format, args);
        va_end(args);
        if (n < 0)
                return NULL;
        whole = arena_printf(arena, "%s%s", text, more);
        free(more);
        return whole;
}

static const char *parts_text(struct arena *arena, const struct value *value) {
        const bool list = value->kind == VALUE_LIST;
        const char *text = list ? "[" : "";

        for (uint32_t i = 0; i < value->count && text; i++) {
                const char *part = apply_value_text(arena, list ? &value->items[i] : &value->members[i].value);

                if (!part)
                        return NULL;
                text = list ? apply_append(arena, text, "%s%s", i > 0 ? "," : "", part) :
                              apply_append(arena, text, "%s=%s", value->members[i].key, part);
        }
        return list ? apply_append(arena, text, "]") : text;
}

const char *apply_value_text(struct arena *arena, const struct value *value) {
        switch (value->kind) {
        case VALUE_NULL:
                return "null";
        case VALUE_STRING:
                return apply_quoted(arena, value->text);
        case VALUE_LIST:
        case VALUE_MAP:
                return parts_text(arena, value);
        default:
                return patch_scalar_text(arena, value);
        }
}
