#include "lib/yaml_scalar.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

/* YAML 1.1, https://yaml.org/type/bool.html and null.html, as go-yaml v2 has them. */
static const struct word {
        const char *text;
        enum value_kind kind;
        bool boolean;
} words[] = {
        { "", VALUE_NULL, false },        { "~", VALUE_NULL, false },       { "null", VALUE_NULL, false },
        { "Null", VALUE_NULL, false },    { "NULL", VALUE_NULL, false },    { "y", VALUE_BOOL, true },
        { "Y", VALUE_BOOL, true },        { "yes", VALUE_BOOL, true },      { "Yes", VALUE_BOOL, true },
        { "YES", VALUE_BOOL, true },      { "true", VALUE_BOOL, true },     { "True", VALUE_BOOL, true },
        { "TRUE", VALUE_BOOL, true },     { "on", VALUE_BOOL, true },       { "On", VALUE_BOOL, true },
        { "ON", VALUE_BOOL, true },       { "n", VALUE_BOOL, false },       { "N", VALUE_BOOL, false },
        { "no", VALUE_BOOL, false },      { "No", VALUE_BOOL, false },      { "NO", VALUE_BOOL, false },
        { "false", VALUE_BOOL, false },   { "False", VALUE_BOOL, false },   { "FALSE", VALUE_BOOL, false },
        { "off", VALUE_BOOL, false },     { "Off", VALUE_BOOL, false },     { "OFF", VALUE_BOOL, false },
        { ".nan", VALUE_NUMBER, false },  { ".NaN", VALUE_NUMBER, false },  { ".NAN", VALUE_NUMBER, false },
        { ".inf", VALUE_NUMBER, false },  { ".Inf", VALUE_NUMBER, false },  { ".INF", VALUE_NUMBER, false },
        { "+.inf", VALUE_NUMBER, false }, { "+.Inf", VALUE_NUMBER, false }, { "+.INF", VALUE_NUMBER, false },
        { "-.inf", VALUE_NUMBER, false }, { "-.Inf", VALUE_NUMBER, false }, { "-.INF", VALUE_NUMBER, false },
};

static const struct word *find_word(const char *text) {
        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (strcmp(words[i].text, text) == 0)
                        return &words[i];
        return NULL;
}

/* Digits of the base that the prefix says: 0x, 0o, 0b, 0, else decimal. */
static bool parse_integer(const char *text, int64_t *ret_integer) {
        bool negative = *text == '-';
        unsigned long long n;
        int base = 10;
        char *end;

        if (*text == '-' || *text == '+')
                text++;
        if (text[0] == '0' && text[1] != '\0') {
                base = text[1] == 'x' || text[1] == 'X' ? 16 : text[1] == 'b' || text[1] == 'B' ? 2 : 8;
                text += base != 8 || text[1] == 'o' || text[1] == 'O' ? 2 : 1;
        }
        /* strtoull() would take a sign, blanks or a second prefix. */
        if (!((*text >= '0' && *text <= '9') || (base == 16 && strspn(text, "abcdefABCDEF"))) || text[1] == 'x' ||
            text[1] == 'X')
                return false;
        errno = 0;
        n = strtoull(text, &end, base);
        if (errno != 0 || *end != '\0' || n > (uint64_t)INT64_MAX + negative)
                return false;
        *ret_integer = negative ? (int64_t)(0 - n) : (int64_t)n;
        return true;
}

static const char *skip_digits(const char *p) {
        return p + strspn(p, "0123456789");
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?, and whether JSON has the same spelling. */
static bool is_float(const char *text, bool *ret_json) {
        const char *begin = *text == '-' || *text == '+' ? text + 1 : text, *p = skip_digits(begin);
        bool json = *text != '+' && p > begin && !(begin[0] == '0' && p > begin + 1);

        if (*p == '.') {
                const char *places = p + 1, *end = skip_digits(places);

                if (p == begin && end == places)
                        return false;
                json &= end > places;
                p = end;
        } else if (p == begin) {
                return false;
        }
        if (*p == 'e' || *p == 'E') {
                p++;
                if (*p == '-' || *p == '+')
                        p++;
                if (skip_digits(p) == p)
                        return false;
                p = skip_digits(p);
        }
        *ret_json = json;
        return *p == '\0';
}

/* A float as Go writes it: whole numbers as such, others with as few digits as say the
 * same. */
static void respell(double n, struct value *value, char number[YAML_NUMBER_MAX]) {
        if (n >= -0x1p63 && n < 0x1p63 && n == (double)(int64_t)n) {
                value->kind = VALUE_INT;
                value->integer = (int64_t)n;
                return;
        }
        for (int digits = 15; digits <= 17; digits++) {
                snprintf(number, YAML_NUMBER_MAX, "%.*g", digits, n);
                if (strtod(number, NULL) == n)
                        return;
        }
}

static bool resolve_number(const char *text, struct value *value, char number[YAML_NUMBER_MAX]) {
        char plain[YAML_NUMBER_MAX];
        size_t n = 0;
        bool json;

        if (strlen(text) >= sizeof(plain))
                return false;
        for (const char *p = text; *p; p++)
                if (*p != '_' || *text == '.') /* go-yaml reads what begins with a dot as it is */
                        plain[n++] = *p;
        plain[n] = '\0';
        if (parse_integer(plain, &value->integer)) {
                value->kind = VALUE_INT;
                return true;
        }
        if (!is_float(plain, &json) || !isfinite(strtod(plain, NULL)))
                return false;
        value->kind = VALUE_NUMBER;
        if (json && plain[strspn(plain, "-0123456789")] == '\0') /* a whole number past the largest */
                memcpy(number, plain, n + 1);
        else
                respell(strtod(plain, NULL), value, number);
        return true;
}

bool yaml_scalar_resolve(const char *text, struct value *ret_value, char ret_number[YAML_NUMBER_MAX]) {
        const struct word *word = find_word(text);

        if (word) {
                if (word->kind == VALUE_NUMBER)
                        return false;
                ret_value->kind = (uint8_t)word->kind;
                ret_value->boolean = word->boolean;
                return true;
        }
        if (!strchr("0123456789+-.", *text) || !resolve_number(text, ret_value, ret_number))
                ret_value->kind = VALUE_STRING;
        return true;
}
