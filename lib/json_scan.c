#include "lib/json_scan.h"

#include <limits.h>
#include <string.h>

#include "lib/hex.h"
#include "lib/json_plain.h"
#include "lib/utf8.h"

enum { BOTH = JSON_PLAIN | JSON_PLAIN_GO };

const uint8_t json_plain_bytes[256] = {
        [0x20 ... 0x21] = BOTH, [0x23 ... 0x25] = BOTH, ['&'] = JSON_PLAIN,
        [0x27 ... 0x3b] = BOTH, ['<'] = JSON_PLAIN,     ['='] = BOTH,
        ['>'] = JSON_PLAIN,     [0x3f ... 0x5b] = BOTH, [0x5d ... 0x7f] = BOTH,
};

/* Four hexadecimal digits; -1 when there are none. */
static int hex4(const char *p, const char *end) {
        int n = 0;

        if (end - p < 4)
                return -1;
        for (int i = 0; i < 4; i++) {
                int digit = hex_digit(p[i]);

                if (digit < 0)
                        return -1;
                n = n << 4 | digit;
        }
        return n;
}

/* What follows the escape at @p, NULL when it is none. */
static const char *skip_escape(const char *p, const char *end) {
        if (end - p < 2)
                return NULL;
        if (p[1] == 'u')
                return hex4(p + 2, end) > 0 ? p + 6 : NULL;
        return p[1] && strchr("\"\\/bfnrt", p[1]) ? p + 2 : NULL;
}

bool json_scan_string(struct json_scan *s, struct json_text *ret_text) {
        const char *p, *begin;
        bool escapes = false;

        if (!json_scan_is(s, '"'))
                return false;
        begin = p = s->at;
        for (;;) {
                size_t n;

                p += json_plain_length(p, (size_t)(s->end - p), false);
                if (p == s->end || (unsigned char)*p < 0x20)
                        return false;
                if (*p == '"')
                        break;
                if (*p == '\\') {
                        escapes = true;
                        if (!(p = skip_escape(p, s->end)))
                                return false;
                        continue;
                }
                n = utf8_character(p, (size_t)(s->end - p));
                if (n == 0)
                        return false;
                p += n;
        }
        if (p - begin > INT32_MAX)
                return false;
        *ret_text = (struct json_text){ begin, (uint32_t)(p - begin), escapes };
        s->at = p + 1;
        return true;
}

static size_t put_utf8(char *to, uint32_t c) {
        if (c < 0x80) {
                to[0] = (char)c;
                return 1;
        }
        if (c < 0x800) {
                to[0] = (char)(0xc0 | c >> 6);
                to[1] = (char)(0x80 | (c & 0x3f));
                return 2;
        }
        if (c < 0x10000) {
                to[0] = (char)(0xe0 | c >> 12);
                to[1] = (char)(0x80 | (c >> 6 & 0x3f));
                to[2] = (char)(0x80 | (c & 0x3f));
                return 3;
        }
        to[0] = (char)(0xf0 | c >> 18);
        to[1] = (char)(0x80 | (c >> 12 & 0x3f));
        to[2] = (char)(0x80 | (c >> 6 & 0x3f));
        to[3] = (char)(0x80 | (c & 0x3f));
        return 4;
}

#define REPLACEMENT 0xfffd

/* The character of the \u at @p and behind it, which may be half of a pair; a half alone is U+FFFD, as for Go. */
static uint32_t unicode_escape(const char **p, const char *end) {
        uint32_t c = (uint32_t)hex4(*p + 2, end), low;

        *p += 6;
        if (c < 0xd800 || c > 0xdfff)
                return c;
        if (c > 0xdbff || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
                return REPLACEMENT;
        low = (uint32_t)hex4(*p + 2, end);
        if (low < 0xdc00 || low > 0xdfff)
                return REPLACEMENT;
        *p += 6;
        return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

static char short_escape(char c) {
        static const char names[] = "bfnrt", means[] = "\b\f\n\r\t";
        const char *at = strchr(names, c);

        return at ? means[at - names] : c;
}

size_t json_text_copy(const struct json_text *text, char *ret_text) {
        const char *p = text->text, *end = p + text->length;
        char *to = ret_text;

        if (!text->escapes) {
                memcpy(to, p, text->length);
                return text->length;
        }
        while (p < end) {
                if (*p != '\\') {
                        *to++ = *p++;
                } else if (p[1] == 'u') {
                        to += put_utf8(to, unicode_escape(&p, end));
                } else {
                        *to++ = short_escape(p[1]);
                        p += 2;
                }
        }
        return (size_t)(to - ret_text);
}

static const char *skip_digits(const char *p, const char *end) {
        while (p < end && *p >= '0' && *p <= '9')
                p++;
        return p;
}

bool json_scan_number(struct json_scan *s, const char **ret_text, size_t *ret_length, bool *ret_whole) {
        const char *p, *digits, *begin;
        bool whole = true;

        json_scan_peek(s);
        begin = p = s->at;
        if (p < s->end && *p == '-')
                p++;
        digits = p;
        p = skip_digits(p, s->end);
        if (p == digits || (*digits == '0' && p - digits > 1))
                return false;
        if (p < s->end && *p == '.') {
                whole = false;
                digits = ++p;
                if ((p = skip_digits(p, s->end)) == digits)
                        return false;
        }
        if (p < s->end && (*p == 'e' || *p == 'E')) {
                whole = false;
                p++;
                if (p < s->end && (*p == '+' || *p == '-'))
                        p++;
                digits = p;
                if ((p = skip_digits(p, s->end)) == digits)
                        return false;
        }
        s->at = p;
        *ret_text = begin;
        *ret_length = (size_t)(p - begin);
        *ret_whole = whole;
        return true;
}

bool json_scan_int(struct json_scan *s, int64_t *ret_number) {
        const char *text;
        size_t length;
        bool whole, negative;
        int64_t n = 0;

        if (!json_scan_number(s, &text, &length, &whole) || !whole)
                return false;
        negative = *text == '-';
        for (size_t i = negative; i < length; i++)
                if (__builtin_mul_overflow(n, 10, &n) || __builtin_sub_overflow(n, text[i] - '0', &n))
                        return false;
        if (!negative && n == INT64_MIN)
                return false;
        *ret_number = negative ? n : -n;
        return true;
}

static bool scan_word(struct json_scan *s, const char *word, size_t length) {
        if ((size_t)(s->end - s->at) < length || memcmp(s->at, word, length) != 0)
                return false;
        s->at += length;
        return true;
}

bool json_scan_bool(struct json_scan *s, bool *ret_boolean) {
        char c = json_scan_peek(s);

        if (c == 't' ? !scan_word(s, "true", 4) : !scan_word(s, "false", 5))
                return false;
        *ret_boolean = c == 't';
        return true;
}

bool json_scan_null(struct json_scan *s) {
        return json_scan_peek(s) == 'n' && scan_word(s, "null", 4);
}

static bool skip_members(struct json_scan *s, unsigned depth) {
        struct json_text key;

        if (json_scan_is(s, '}'))
                return true;
        do {
                if (!json_scan_string(s, &key) || !json_scan_is(s, ':') || !json_scan_skip(s, depth))
                        return false;
        } while (json_scan_is(s, ','));
        return json_scan_is(s, '}');
}

static bool skip_items(struct json_scan *s, unsigned depth) {
        if (json_scan_is(s, ']'))
                return true;
        do {
                if (!json_scan_skip(s, depth))
                        return false;
        } while (json_scan_is(s, ','));
        return json_scan_is(s, ']');
}

bool json_scan_skip(struct json_scan *s, unsigned depth) {
        struct json_text string;
        const char *text;
        size_t length;
        bool flag;

        switch (json_scan_peek(s)) {
        case '"':
                return json_scan_string(s, &string);
        case '{':
        case '[':
                if (depth == 0)
                        return false;
                return *s->at++ == '{' ? skip_members(s, depth - 1) : skip_items(s, depth - 1);
        case 't':
        case 'f':
                return json_scan_bool(s, &flag);
        case 'n':
                return json_scan_null(s);
        default:
                return json_scan_number(s, &text, &length, &flag);
        }
}

size_t json_compact(const char *text, size_t length, char *ret_text) {
        const char *p = text, *end = text + length;
        char *to = ret_text;
        bool quoted = false;

        for (; p < end; p++) {
                if (!quoted && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
                        continue;
                if (quoted && *p == '\\' && p + 1 < end)
                        *to++ = *p++;
                else if (*p == '"')
                        quoted = !quoted;
                *to++ = *p;
        }
        return (size_t)(to - ret_text);
}
